"""`amagasa doctor`: what is wrong with a node, and how to mend it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from amagasa.app.doctor import Finding, Kind, exit_code
from amagasa.app.doctor_words import kind_of, part_of, told
from amagasa.entry.cli.client import require_node
from amagasa.entry.cli.node_options import AsJson, AsNdjson
from amagasa.entry.cli.output import Output, output_of, write_rows
from amagasa.entry.node.doctor import examine
from amagasa.entry.settings.load import load_settings
from amagasa.vocab.errors import AmagasaError

_STYLE: Final = {Kind.SOUND: "green", Kind.NOTE: "yellow", Kind.WRONG: "bold red", Kind.UNLOOKED: "magenta"}
_ORDER: Final = (Kind.WRONG, Kind.UNLOOKED, Kind.NOTE, Kind.SOUND)
_SUMS: Final = (
    "{0} wrong, {1} not looked at, {2} to note, {3} sound",
    "異常 {0}、未確認 {1}、注意 {2}、正常 {3}",
)


def doctor_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The node's folder, whether it runs or not.")],
    *,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
) -> None:
    """Look at all of a node and say what is wrong and how to mend it; nothing is changed.

    Exit 1: something is wrong; 3: nothing wrong was seen, and something could not be looked at.
    """
    require_node(folder)
    lang = _lang(folder)
    found = list(examine(folder, now=datetime.now(UTC)))
    found.sort(key=lambda one: _ORDER.index(one.kind))
    output = output_of(as_json=as_json, as_ndjson=as_ndjson)
    if output is Output.TABLE:
        _show(found, lang)
    else:
        write_rows([_row(one, lang) for one in found], (), output, empty="")
    raise typer.Exit(exit_code(found))


def _lang(folder: Path) -> str:
    try:
        return load_settings(folder / "node.toml").node.lang
    except AmagasaError:
        return "en"  # the settings are the first thing that is looked at, and said to be wrong


def _row(one: Finding, lang: str) -> dict[str, object]:
    what, mend = told(one, lang)
    return {"part": one.part, "kind": one.kind, "code": one.code, "what": what, "mend": mend}


def _show(found: list[Finding], lang: str) -> None:
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
    blocked = [one for one in found if one.code == "blocked"]
    for one in found:
        if one in blocked[1:]:
            continue  # they are said in one line
        parts = ", ".join(part_of(part, lang) for part in (blocked if one.code == "blocked" else [one]))
        what, mend = told(one, lang)
        console.print(f"[{_STYLE[one.kind]}]{escape(kind_of(one, lang))}[/]  [bold]{escape(parts)}[/]: {escape(what)}")
        if mend:
            console.print(f"    -> {escape(mend)}")
    counts = [sum(1 for one in found if one.kind is kind) for kind in _ORDER]
    console.print(_SUMS[lang == "ja"].format(*counts))
