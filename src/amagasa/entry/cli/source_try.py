"""`amagasa source test`: what would be read from a file; whether a port of a source can be had, and answers."""

from pathlib import Path
from typing import Annotated

import typer

from amagasa.entry.cli.client import is_running
from amagasa.entry.cli.detect_options import MappingFile, Zone
from amagasa.entry.cli.node_options import HERE, AsJson, NodeFolder
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.cli.source_probe import probed
from amagasa.entry.cli.source_test import print_events, tested
from amagasa.entry.settings.load import load_settings
from amagasa.entry.settings.source import SourceSettings
from amagasa.entry.wiring_detect import mapping_in
from amagasa.event.record import Format
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE


def try_source(
    path: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A source that listens, or a file.")],
    *,
    format_: Annotated[Format | None, typer.Option("--format", help="Overrides what the content says.")] = None,
    mapping: MappingFile = None,
    zone: Zone = "",
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Say what would be read from a file, and as what; or whether the port of a source answers.

    Exit 3 where part of the file could not be read, or where the port does not answer.
    """
    source = _listening(path, node)
    if source is not None:
        report = probed(source, node, is_running=is_running(node))
        is_good = bool(report["is_good"])
    else:
        report = tested(path, format_, None if mapping is None else mapping_in(mapping), zone)
        is_good = not (report["n_rejected"] or report["not_looked_at"])
    if as_json:
        write_json(report)
    else:
        for key, value in report.items():
            if key != "first_events":
                say(f"{key.replace('_', ' ')}: {value}")
        print_events(report.get("first_events", []))
    raise typer.Exit(EXIT_DONE if is_good else EXIT_COULD_NOT)


def _listening(name: str, node: Path) -> SourceSettings | None:
    """The source of this name that listens, of the node in the folder, if there is one."""
    if Path(name).exists() or not (node / "node.toml").is_file():
        return None
    found = [one for one in load_settings(node / "node.toml").source if one.name == name]
    return found[0] if found and found[0].kind.is_received else None
