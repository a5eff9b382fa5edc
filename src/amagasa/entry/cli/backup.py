"""`amagasa backup` and `amagasa restore`."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from amagasa.app.backup import Manifest
from amagasa.entry.cli.backup_words import Lang, left_out_lines, lines_of, made_lines, next_lines
from amagasa.entry.cli.client import require_node
from amagasa.entry.cli.node_options import AsJson
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.node.backing_up import Wanted, back_up, look_into, restore
from amagasa.entry.settings.load import load_settings
from amagasa.entry.wiring_backup import MIN_CHARACTERS, Checked
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_FINDINGS, BadInputError

MAX_PASSPHRASE_BYTES: Final = 4_096
PassphraseFd = Annotated[
    int | None,
    typer.Option("--passphrase-fd", min=0, help="Read the passphrase from this open file (0: stdin) and do not ask."),
]


def backup_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The node's folder; it may run meanwhile.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, e.g. tokyo.tar.zst.")],
    *,
    without_lake: Annotated[bool, typer.Option("--without-lake", help="Leave the kept records out.")] = False,
    passphrase_fd: PassphraseFd = None,
    keys_in_clear: Annotated[
        bool, typer.Option("--keys-in-clear", help="Ask for no passphrase: whoever has the file can sign as this node.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write all of a node into one file: store, settings, keys, agreements, content, ledger, kept records.

    The keys stand under a passphrase; all else in it stands in clear. Exit 1: the store says it is damaged;
    3: a file could not be taken.
    """
    require_node(folder)
    lang: Lang = load_settings(folder / "node.toml").node.lang
    passphrase = None if keys_in_clear else _new_passphrase(passphrase_fd)
    wanted = Wanted(node=folder, target=out, passphrase=passphrase, with_lake=not without_lake)
    done = back_up(wanted, now=datetime.now(UTC))
    if as_json:
        write_json(msgspec.to_builtins(done) | {"path": str(out)})
    else:
        for line in (*made_lines(done, out, lang), *left_out_lines(done.left_out, lang)):
            say(line)
    if done.faults:
        raise typer.Exit(EXIT_FINDINGS)
    raise typer.Exit(EXIT_COULD_NOT if done.left_out else 0)


def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `amagasa backup` wrote.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty or not there yet.")],
    *,
    passphrase_fd: PassphraseFd = None,
    as_json: AsJson = False,
) -> None:
    """Put a node back from a backup: all of it is checked before a file is written. Says what to do next.

    Exit 3: what the backup could not take is missing here too.
    """
    checked = look_into(file, folder)
    passphrase = "" if not checked.sealed else _read(passphrase_fd, confirm=False)
    restore(file, checked, folder, passphrase=passphrase)
    _tell(checked, folder, as_json=as_json)
    raise typer.Exit(EXIT_COULD_NOT if checked.manifest.left_out else 0)


def _tell(checked: Checked, folder: Path, *, as_json: bool) -> None:
    manifest: Manifest = checked.manifest
    lang: Lang = load_settings(folder / "node.toml").node.lang
    if as_json:
        about = msgspec.to_builtins(manifest)
        about["n_files"] = len(about.pop("members"))
        write_json(
            about | {"folder": str(folder), "n_bytes": checked.n_bytes, "next": next_lines(manifest, folder, lang)}
        )
        return
    for line in lines_of(manifest, folder, lang, n_bytes=checked.n_bytes):
        say(line)
    for line in (*left_out_lines(manifest.left_out, lang), *next_lines(manifest, folder, lang)):
        say(line)


def _new_passphrase(descriptor: int | None) -> str:
    passphrase = _read(descriptor, confirm=True)
    if len(passphrase) < MIN_CHARACTERS:
        raise BadInputError(
            "AMG-BACKUP-PASSPHRASE",
            "the passphrase is too short to keep a party's keys under",
            expected=f"{MIN_CHARACTERS} characters or more",
            got=f"{len(passphrase)}",
            then="nothing was written",
        )
    return passphrase


def _read(descriptor: int | None, *, confirm: bool) -> str:
    if descriptor is None:
        if not sys.stdin.isatty():
            raise BadInputError(
                "AMG-BACKUP-PASSPHRASE",
                "there is no passphrase, and nobody to ask",
                expected="--passphrase-fd N, or a terminal; for a backup also --keys-in-clear",
                then="nothing was written",
            )
        return str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
    try:
        raw = os.read(descriptor, MAX_PASSPHRASE_BYTES)
        return raw.split(b"\n")[0].rstrip(b"\r").decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInputError(
            "AMG-BACKUP-PASSPHRASE", "the passphrase cannot be read", got=str(problem), then="nothing was written"
        ) from None
