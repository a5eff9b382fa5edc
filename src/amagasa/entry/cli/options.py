"""Options which the commands about a node share."""

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from amagasa.entry.cli.client import NodeClient, connected
from amagasa.entry.cli.node_options import HERE, AsJson, AsNdjson, NodeFolder
from amagasa.entry.cli.output import output_of, write_rows

__all__ = ["HERE", "AsJson", "AsNdjson", "Limit", "NodeFolder", "client_of", "show_list"]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many, newest first.")]


def client_of(node: Path) -> AbstractContextManager[NodeClient]:
    """A client of the node in this folder, whether it runs or not."""
    return connected(node, _mount)


def _mount(folder: Path) -> Any:
    # Loaded where the node does not run and is asked in this process: it takes longer than a running node's answer.
    return importlib.import_module("amagasa.entry.people.application").mount_locally(folder)


def show_list(rows: list[dict[str, Any]], columns: Sequence[str], *, form: tuple[bool, bool], empty: str) -> None:
    """Print rows; `form` is (json, ndjson) as the flags have it."""
    write_rows(rows, columns, output_of(as_json=form[0], as_ndjson=form[1]), empty=empty)
