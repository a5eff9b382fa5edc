"""`amagasa source`: where a node's records come from."""

import contextlib
import json
import os
import time
import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from amagasa.entry.cli.client import is_running
from amagasa.entry.cli.detect_options import MappingFile
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.cli.source_test import print_events, tested
from amagasa.entry.settings.load import load_settings
from amagasa.entry.wiring_detect import mapping_in
from amagasa.event.record import Format
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS, BadInputError, WorldError
from amagasa.vocab.text import show

app = typer.Typer()
COLUMNS = ("name", "address", "n_read", "n_rejected", "last_record_at", "rate_per_s", "fault")
EMPTY = "no sources: add one, e.g. amagasa source add web /var/log/nginx/access.log"
REJECT_COLUMNS = ("record", "at", "why", "raw")
TOLD = {
    "n_mended": "were read when fed again",
    "n_let_go": "let go for want of room",
    "n_unkept": "could not be kept",
    "n_damaged": "damaged on the disk",
}
LOOK_S = 0.2
REPLAY_S = 600.0  # 64 MiB take some seconds; beyond it something else is wrong
Name = Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")]


@app.command("list")
def list_sources(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """The sources, what was read of each and how fresh it is."""
    with client_of(node) as client:
        found = client.get("/api/status")["sources"]
    show_list(found, COLUMNS, form=(as_json, as_ndjson), empty=EMPTY)


@app.command("add")
def add(
    name: Name,
    path: Annotated[Path, typer.Argument(help="The file to follow.")],
    *,
    format_: Annotated[Format | None, typer.Option("--format", help="Else found by content.")] = None,
    mapping: MappingFile = None,
    node: NodeFolder = HERE,
) -> None:
    """Add a source to node.toml; it is followed from the next start of the node."""
    settings_file = node / "node.toml"
    known = load_settings(settings_file)
    if any(source.name == name for source in known.source):
        raise BadInputError(
            "AMG-SOURCE-NAME",
            "there is a source of this name",
            expected="another name",
            got=name,
            then="nothing changed",
        )
    lines = ["", "[[source]]", f"name = {json.dumps(name)}", f"path = {json.dumps(str(path.absolute()))}"]
    if format_ is not None:
        lines.append(f'format = "{format_.value}"')
    if mapping is not None:
        mapping_in(mapping)
        lines.append(f"mapping = {json.dumps(str(mapping.absolute()))}")
    before = settings_file.read_text(encoding="utf-8")
    _replace_settings(settings_file, before.rstrip("\n") + "\n" + "\n".join(lines) + "\n")
    say(f"added {show(name)}; it is followed from the next start of the node")


@app.command("remove")
def remove(name: Name, *, node: NodeFolder = HERE) -> None:
    """Take a source out of node.toml; what was found in it stays, and so does its position."""
    settings_file = node / "node.toml"
    known = [source.name for source in load_settings(settings_file).source]
    if name not in known:
        raise BadInputError(
            "AMG-SOURCE-UNKNOWN",
            "there is no source of this name",
            expected="one of " + ", ".join(known) if known else "a source in node.toml",
            got=name,
            then="nothing changed",
        )
    _replace_settings(settings_file, without_source(settings_file.read_text(encoding="utf-8"), name))
    say(f"removed {show(name)}; it is followed no more from the next start of the node")


def without_source(text: str, name: str) -> str:
    """The TOML without the `[[source]]` table of this name; every other line stays as it is, comments too."""
    kept: list[str] = []
    table: list[str] = []
    for line in [*text.splitlines(keepends=True), "[end]"]:
        if not line.lstrip().startswith("["):
            table.append(line)
            continue
        kept += _unless_named(table, name)
        table = [line]
    return "".join(kept)


def _unless_named(table: list[str], name: str) -> list[str]:
    if not table or table[0].strip().split("#")[0].strip() != "[[source]]":
        return table
    found = tomllib.loads("".join(table))["source"][0]
    return [] if found.get("name") == name else table


def _replace_settings(path: Path, text: str) -> None:
    """Put `text` in the place of the settings once it can be read as such: the old or the new file, never half of one.

    Raises BadInputError where it cannot be read, WorldError (AMG-SETTINGS-WRITE) where it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        load_settings(new)
        new.replace(path)
    except OSError as problem:
        raise WorldError(
            "AMG-SETTINGS-WRITE",
            "the settings cannot be written",
            expected="a folder that you may write, and room on its disk",
            got=f"{path}: {problem.strerror}",
            then="nothing changed",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


@app.command("rejects")
def show_rejects(
    name: Name,
    *,
    node: NodeFolder = HERE,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, oldest first.")] = 100,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
) -> None:
    """Records of a source which could not be read, as they came, each with the reason."""
    rows: list[dict[str, Any]] = []
    after = ""
    with client_of(node) as client:
        while True:
            asked = f"limit={min(500, limit - len(rows))}" + (f"&after={after}" if after else "")
            found = client.get(f"/api/sources/{quote(name, safe='')}/rejects?{asked}")
            rows += found["rejects"]
            after = found["next"] or ""
            if not after or len(rows) >= limit:
                break
    if as_json:
        write_json(found | {"rejects": rows})
        return
    show_list(rows, REJECT_COLUMNS, form=(False, as_ndjson), empty=f"no rejects of {show(name)} are kept")
    say(_said_of(found))


@app.command("replay")
def replay(name: Name, *, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """Have the rejects of a source read again, each once, after its mapping or its format was mended.

    Exit 1 where some can still not be read: they stay among the rejects.
    """
    address = f"/api/sources/{quote(name, safe='')}"
    with client_of(node) as client:
        before = client.post(f"{address}/replay", {})
        if before["is_feeding"] and not is_running(node):
            say(f"{before['n_kept']} rejects of {show(name)} are read again when the node starts")
            raise typer.Exit(EXIT_COULD_NOT)
        after = before
        waited_s = 0.0
        while before["is_feeding"] and (after["is_feeding"] or after is before):
            if waited_s > REPLAY_S:
                say(f"the node still reads them: look again with `amagasa source rejects {show(name)}`")
                raise typer.Exit(EXIT_COULD_NOT)
            time.sleep(LOOK_S)
            waited_s += LOOK_S
            after = client.get(f"{address}/rejects?limit=1")
    n_mended = after["n_mended"] - before["n_mended"]
    answer = {"source": name, "n_fed": before["n_kept"], "n_mended": n_mended, "n_kept": after["n_kept"]}
    if as_json:
        write_json(answer)
    else:
        say(f"{answer['n_fed']} rejects read again: {n_mended} could be read; {after['n_kept']} are kept")
    raise typer.Exit(EXIT_FINDINGS if n_mended < answer["n_fed"] else EXIT_DONE)


def _said_of(found: dict[str, Any]) -> str:
    parts = [f"{found['n_kept']} kept of {found['n_rejected']} that cannot be read"]
    parts += [f"{found[key]} {words}" for key, words in TOLD.items() if found[key]]
    parts += ["they are being read again now"] if found["is_feeding"] else []
    return "; ".join(parts)


@app.command("test")
def try_source(
    path: Annotated[str, typer.Argument(help="A file, as it would be a source.")],
    *,
    format_: Annotated[Format | None, typer.Option("--format", help="Overrides what the content says.")] = None,
    mapping: MappingFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what would be read from a file, and as what; the first events with it. Exit 3 where part was not read."""
    report = tested(path, format_, None if mapping is None else mapping_in(mapping))
    if as_json:
        write_json(report)
    else:
        for key, value in report.items():
            if key != "first_events":
                say(f"{key.replace('_', ' ')}: {value}")
        print_events(report["first_events"])
    raise typer.Exit(EXIT_COULD_NOT if report["n_rejected"] or report["not_looked_at"] else 0)
