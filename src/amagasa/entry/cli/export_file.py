"""What the node holds as a file for other tools: the options of `export`, and writing it."""

import os
import sys
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import unquote

import typer

from amagasa.brief.forms import Form
from amagasa.entry.cli.client import NodeClient
from amagasa.entry.cli.output import say
from amagasa.vocab.errors import WorldError
from amagasa.vocab.text import show

Wanted: TypeAlias = Annotated[
    Form, typer.Option("--format", help="A bundle of STIX, an event of MISP, CSV, a plain list, a Navigator layer.")
]
Target: TypeAlias = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it; else stdout.")]


def write_export(client: NodeClient, path: str, form: Form, output: Path | None) -> None:
    """Ask for the file and write it, readable by this user alone. Raises AmagasaError."""
    answer = client.file(f"{path}?format={form.value}")
    if output is None:
        sys.stdout.buffer.write(answer.content)
        sys.stdout.buffer.flush()
    else:
        keep(output, answer.content)
    note = unquote(answer.headers.get("Amagasa-Note", ""))
    if note:
        say(show(note))


def keep(output: Path, content: bytes) -> None:
    """The whole file or none of it; what is no file (a device, a pipe) is written to as it is. Raises WorldError."""
    try:
        if output.exists() and not output.is_file():
            with output.open("wb", buffering=0) as stream:
                stream.write(content)
            return
        _replace(output, content)
    except OSError as problem:
        raise WorldError(
            "AMG-OUT-WRITE",
            "the file cannot be written",
            expected="a folder that you may write, and room on its disk",
            got=f"{output}: {problem.strerror}",
            then="nothing was written",
        ) from None


def _replace(output: Path, content: bytes) -> None:
    new = output.with_name(f".{output.name}.part")
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(output)
    except OSError:
        new.unlink(missing_ok=True)
        raise
