"""The command line's front door: it names every command and loads only the module of the one that is called."""

import errno
import gc
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Final

import typer

from amagasa.entry.cli.output import complain
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_INTERRUPTED, AmagasaError, WorldError

# Name -> (module, what it does). A module has `app` (a group of verbs) or `command` (the one verb).
COMMANDS: Final = {
    "demo": ("amagasa.entry.cli.demo", "Two nodes under a signed agreement, on loopback, fed by a rehearsal."),
    "init": ("amagasa.entry.cli.node", "Make a node: keys, certificate, node.toml, store."),
    "serve": ("amagasa.entry.cli.serve", "Run a node: sources, detection, sharing, console."),
    "detect": ("amagasa.entry.cli.detect", "Detect in files; no node needed."),
    "baseline": ("amagasa.entry.cli.baseline", "What is usual at each device of a plant: learn, show, freeze."),
    "content": ("amagasa.entry.cli.content", "Rules, patterns and indicators of a node; check rules in files."),
    "source": ("amagasa.entry.cli.source", "Where a node's records come from."),
    "hunt": ("amagasa.entry.cli.hunt", "Look back through what was read: words, values, a rule, indicators."),
    "lake": ("amagasa.entry.cli.lake", "Every record as it came: how much, whether untouched, exported, asked."),
    "agreement": ("amagasa.entry.cli.agreement", "Draft, check, sign and show agreements."),
    "ally": ("amagasa.entry.cli.ally", "The allies of a node and the line to each."),
    "share": ("amagasa.entry.cli.share", "What left, what waits for consent, what came."),
    "ledger": ("amagasa.entry.cli.ledger", "The tamper-evident record of each agreement: export, verify, countersign."),
    "alert": ("amagasa.entry.cli.queue", "The alerts of a node."),
    "incident": ("amagasa.entry.cli.queue", "The incidents of a node."),
    "mission": ("amagasa.entry.cli.mission", "What rests on what, and what an attack takes from it."),
    "campaign": ("amagasa.entry.cli.campaign", "What several parties met of one hand."),
    "handover": ("amagasa.entry.cli.handover", "The watch, as one leaves it and the next takes it."),
    "taxii": ("amagasa.entry.cli.taxii", "Collections that a node keeps for other tools."),
    "backup": ("amagasa.entry.cli.backup", "All of a node in one file, taken while it runs."),
    "restore": ("amagasa.entry.cli.backup", "A node put back from a backup, checked before anything is written."),
    "doctor": ("amagasa.entry.cli.doctor", "What is wrong with a node, and how to mend it."),
    "account": ("amagasa.entry.cli.node", "Who can sign in to a node; links for the first sign-in."),
}

# Whoever looks through many files starts it often: it does without what loads the log.
LOGS_NOTHING: Final = frozenset({"detect", "mission"})
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def build(called: str | None) -> typer.Typer:
    """The application with `called` loaded in full and the other commands known by name and help alone."""
    gc.disable()  # loading leaves nothing to collect, and looking for it takes a fifth of the time
    root = typer.Typer(
        name="amagasa",
        help="Amagasa, rain umbrella: detects attacks, and shares with an ally what a signed agreement releases.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_root)
    for name, (module_name, about) in COMMANDS.items():
        if name != called:
            root.command(name, help=about)(_not_loaded)
            continue
        module = importlib.import_module(module_name)
        group: typer.Typer | None = getattr(module, f"{name}_app", None) or getattr(module, "app", None)
        if group is not None:
            root.add_typer(group, name=name, help=about, no_args_is_help=True)
        else:
            command: Callable[..., None] = getattr(module, f"{name}_command")
            root.command(name, help=command.__doc__ or about)(command)
    gc.enable()
    return root


def _not_loaded() -> None:
    """Stand in for a command of which only the name is shown."""


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - the option parser calls it so
    if wanted:
        sys.stdout.write(f"amagasa {version('amagasa')}\n")
        raise typer.Exit


def _root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Hold the options that stand before the command."""


def _our_mistake(mistake: Exception) -> AmagasaError:
    """What to say of a mistake of ours; the trace is kept in a file that only this user can read."""
    trace = "".join(traceback.format_exception(mistake))
    try:
        with tempfile.NamedTemporaryFile("w", prefix="amagasa-", suffix=".txt", delete=False, encoding="utf-8") as file:
            file.write(trace)
            kept = f"please report it with {file.name}, after reading what it tells of you"
    except OSError:
        kept = "please report it; the details could not be written to a file"
    got = f"{type(mistake).__name__}: {mistake}"
    return WorldError("AMG-BUG", "Amagasa itself made a mistake and could not go on", got=got, then=kept)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `amagasa`. Exit codes: 0 done, 1 bad answer, 2 wrong usage, 3 could not, 130 interrupted."""
    given = sys.argv[1:] if arguments is None else arguments
    called = next((word for word in given if not word.startswith("-")), None)
    if called not in LOGS_NOTHING:
        importlib.import_module("amagasa.entry.cli.log").log_to_stderr()
    try:
        try:
            build(called)(given)
        finally:
            sys.stdout.flush()  # here, where a full disk can still be told of
    except AmagasaError as error:
        complain(error)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to say and nobody to say it to.
        _drop_output()
        raise SystemExit(0) from None
    except Exception as mistake:  # noqa: BLE001 - our own mistake: a person gets a sentence, the trace goes to a file
        is_full = isinstance(mistake, OSError) and mistake.errno in _NO_ROOM
        complain(_no_room(mistake) if is_full else _our_mistake(mistake))
        _drop_output()
        raise SystemExit(EXIT_COULD_NOT) from None


def _no_room(problem: Exception) -> AmagasaError:
    return WorldError(
        "AMG-OUT",
        "the output cannot be written",
        expected="room on the disk of standard output, and of the files that were to be written",
        got=str(problem),
        then="what was written so far is not whole; make room and run again",
    )


def _drop_output() -> None:
    """Let what is still held for standard output go nowhere: it cannot be written, and its end is not another error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
