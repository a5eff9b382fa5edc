"""What commands print: a table on a terminal, one JSON document or NDJSON where asked, messages on stderr."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from amagasa.vocab.errors import AmagasaError
from amagasa.vocab.text import show

# In UTF-8: DEL and C1 controls, U+061C, U+200B-200F, U+2028-202E, U+2060-206F, U+FEFF. JSON itself escapes C0.
_NOT_PLAIN: Final = re.compile(
    rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)


class Output(StrEnum):
    """How a list or an object is shown."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def output_of(*, as_json: bool, as_ndjson: bool) -> Output:
    """The form which the flags ask for."""
    if as_ndjson:
        return Output.NDJSON
    return Output.JSON if as_json else Output.TABLE


def err() -> Console:
    """Standard error for people; NO_COLOR and a pipe switch colour off."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def complain(error: AmagasaError) -> None:
    """Print an error for a person: what failed, what was expected, what came, what happens next."""
    console = err()
    console.print(f"[bold red]error[/] {escape(error.what)} [dim]\\[{error.code}][/]")
    if error.expected:
        console.print(f"  expected: {escape(error.expected)}")
    if error.got:
        console.print(f"  got:      {escape(error.got)}")
    if error.then:
        console.print(f"  next:     {escape(error.then)}")


def say(message: str) -> None:
    """A plain line on stderr."""
    err().print(escape(message))


def plain_json(raw: bytes) -> bytes:
    """The same JSON with what a terminal would obey or hide written as escapes: C1 controls, marks of direction."""
    return _NOT_PLAIN.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), raw)


def write_json(value: Any) -> None:
    """One JSON document on stdout, indented for a terminal."""
    raw = msgspec.json.encode(value)
    if sys.stdout.isatty():
        raw = msgspec.json.format(raw, indent=2)
    sys.stdout.buffer.write(plain_json(raw) + b"\n")
    sys.stdout.buffer.flush()


def write_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], output: Output, *, empty: str) -> None:
    """A list in the form asked for. `empty` says, on stderr, what an empty table means and what to do next."""
    if output is Output.NDJSON:
        for row in rows:
            sys.stdout.buffer.write(plain_json(msgspec.json.encode(row)) + b"\n")
        sys.stdout.buffer.flush()
        return
    listed = list(rows)
    if output is Output.JSON:
        write_json(listed)
        return
    if not listed:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in listed:
        table.add_row(*(escape(_cell(row.get(column))) for column in columns))
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return show(str(value))


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr for `progress(done, total)`; None where stderr is no terminal."""
    if not is_progress_wanted():
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def is_progress_wanted() -> bool:
    """Progress goes to stderr and only to a terminal."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
