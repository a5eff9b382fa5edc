"""SQL over the records of a lake, by duckdb: reading alone, with bounds on memory and time, and no way out.

The records asked for are copied into a table (beyond the memory, into a temporary folder); then everything outside is
locked away (`enable_external_access`, `lock_configuration`) before a statement of the person runs.
"""

import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
from msgspec import Struct

from amagasa.vocab.errors import BadInputError, WorldError

MAX_SECONDS: Final = 600.0
_COLUMNS: Final = (
    "source VARCHAR, path VARCHAR, record BIGINT, event_at TIMESTAMP, read_at TIMESTAMP, raw VARCHAR, fields JSON"
)
_TYPES: Final = (
    "{'source': 'VARCHAR', 'path': 'VARCHAR', 'record': 'BIGINT', 'event_at': 'TIMESTAMP', 'read_at': 'TIMESTAMP', "
    "'raw': 'VARCHAR', 'fields': 'JSON'}"
)
_PART_ROWS: Final = 50_000


class Limits(Struct, frozen=True, kw_only=True):
    """Of one question."""

    memory_mib: int = 1_024
    seconds: float = 60.0


class Table(Struct, frozen=True, kw_only=True):
    """What a statement gave."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def ask(statement: str, rows: Iterable[dict[str, Any]], *, limits: Limits, max_rows: int) -> Table:
    """The first `max_rows` of what the statement gives. Raises BadInputError (AMG-LAKE-SQL), WorldError."""
    with tempfile.TemporaryDirectory(prefix="amagasa-sql-") as name:
        folder = Path(name)
        try:
            with duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as base:
                base.execute(f"SET memory_limit='{limits.memory_mib}MiB'")
                base.execute(f"SET temp_directory='{folder / 'spill'}'")
                _fill(base, rows, folder)
                for lock in ("enable_external_access=false", "lock_configuration=true"):
                    base.execute(f"SET {lock}")
                return _answer(base, statement, limits, max_rows)
        except OSError as problem:
            raise WorldError(
                "AMG-LAKE-SQL-ROOM",
                "there is no room to put the records into a table",
                expected="a temporary folder with room for the records that are asked about",
                got=problem.strerror or str(problem),
                then="nothing was asked; narrow it by --since and --source",
            ) from None


def _fill(base: Any, rows: Iterable[dict[str, Any]], folder: Path) -> None:
    base.execute(f"CREATE TABLE records ({_COLUMNS})")
    for part in _parts(rows):
        path = folder / "part.ndjson"
        path.write_bytes(b"".join(part))
        base.execute(
            f"INSERT INTO records SELECT * FROM read_json(?, format='newline_delimited', columns={_TYPES}, "  # noqa: S608
            "maximum_object_size=67108864)",
            [str(path)],
        )
        path.unlink()


def _parts(rows: Iterable[dict[str, Any]]) -> Iterator[Sequence[bytes]]:
    part: list[bytes] = []
    for row in rows:
        part.append(msgspec.json.encode(row) + b"\n")
        if len(part) >= _PART_ROWS:
            yield part
            part = []
    if part:
        yield part


def _answer(base: Any, statement: str, limits: Limits, max_rows: int) -> Table:
    timer = threading.Timer(min(limits.seconds, MAX_SECONDS), base.interrupt)
    timer.start()
    try:
        kinds = [one.type for one in base.extract_statements(statement)]
        if kinds not in ([duckdb.StatementType.SELECT], [duckdb.StatementType.EXPLAIN]):
            raise _bad("one SELECT", statement)
        found = base.execute(statement)
        columns = tuple(one[0] for one in found.description)
        return Table(columns=columns, rows=found.fetchmany(max_rows))
    except duckdb.InterruptException:
        raise _bad(f"an answer within {limits.seconds:g} s", "none yet") from None
    except duckdb.Error as problem:
        raise _bad("SQL of duckdb over the table `records`", str(problem).splitlines()[0]) from None
    finally:
        timer.cancel()


def _bad(expected: str, got: str) -> BadInputError:
    return BadInputError(
        "AMG-LAKE-SQL",
        "this question has no answer",
        expected=expected,
        got=got,
        then="columns of records: source, path, record, event_at, read_at, raw, fields (JSON: fields->>'Image')",
    )
