"""The options of `amagasa detect`, each with what its help says."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from amagasa.event.record import Format
from amagasa.vocab.severity import Level

MAX_PROCESSES = 64

Paths: TypeAlias = Annotated[
    list[str], typer.Argument(help="File, folder or - (stdin); plain, .gz, .zst, .zip, .tar.gz.")
]
Rules: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--rules", help="File, folder, zip or tar.gz of Sigma; else the built-in.")
]
Statuses: TypeAlias = Annotated[
    list[str] | None, typer.Option("--status", help="Rules of these statuses alone, e.g. stable,test.")
]
LeastLevel: TypeAlias = Annotated[
    Level, typer.Option("--level", "--min-level", help="Rules of this level or above alone.")
]
Placeholders: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--placeholders", help="TOML: what the placeholders of rules stand for.")
]
Exclusions: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--exclusions", help="TOML: matches that are counted and not told.")
]
Indicators: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--indicators", help="STIX, MISP, CSV or plain list of indicators.")
]
Allowlist: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--allowlist", help="TOML: what indicators shall not speak of.")
]
Ageing: TypeAlias = Annotated[Path | None, typer.Option("--ageing", help="TOML: how confidence falls with age.")]
BaselineFile: TypeAlias = Annotated[
    Path | None, typer.Option("--baseline", help="What is usual in a plant: tells what differs; reads in one process.")
]
Form: TypeAlias = Annotated[Format | None, typer.Option("--format", help="Overrides what the content says.")]
MappingFile: TypeAlias = Annotated[
    Path | None, typer.Option("--mapping", help="TOML: how records of another kind become events (docs/mapping.md).")
]
Zone: TypeAlias = Annotated[str, typer.Option("--zone", help='Of stamps that name none, e.g. "Asia/Tokyo"; else UTC.')]
Output: TypeAlias = Annotated[Path | None, typer.Option("--output", "-o", help="NDJSON, one detection a line.")]
OcsfFile: TypeAlias = Annotated[
    Path | None, typer.Option("--ocsf", help="OCSF 1.7, NDJSON: each detection's finding, then its event.")
]
SummaryFile: TypeAlias = Annotated[Path | None, typer.Option("--summary", help="Write the counts as JSON.")]
Processes: TypeAlias = Annotated[
    int, typer.Option("--processes", "-p", min=1, max=MAX_PROCESSES, help="This one and so many less one beside it.")
]
FailOn: TypeAlias = Annotated[
    Level | None, typer.Option("--fail-on", help="Exit 1 at findings of this level or above.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document: the counts with the detections.")]
AsNdjson: TypeAlias = Annotated[bool, typer.Option("--ndjson", help="Detections on stdout, one a line.")]
