"""Options of commands about a node, for those which read its folder themselves and load no more than that takes."""

from pathlib import Path
from typing import Annotated

import typer

NodeFolder = Annotated[
    Path, typer.Option("--node", "-n", envvar="AMAGASA_NODE", help="The node's folder; else where you stand.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
AsNdjson = Annotated[bool, typer.Option("--ndjson", help="One JSON object a line.")]
HERE = Path()
