"""SQL reads the records and nothing else."""

import pytest

from amagasa.adapters.lake.sql import Limits, Table, ask
from amagasa.vocab.errors import BadInputError

ROWS = [
    {
        "source": "web",
        "path": "/a",
        "record": n,
        "event_at": None if n == 3 else f"2026-05-0{n}T00:00:00Z",
        "read_at": "2026-05-09T00:00:00Z",
        "raw": f"line {n}",
        "fields": {"n": n, "who": "x'; DROP TABLE records; --"},
    }
    for n in range(1, 4)
]


def asked(statement: str, *, seconds: float = 20.0) -> Table:
    return ask(statement, ROWS, limits=Limits(memory_mib=256, seconds=seconds), max_rows=100)


def test_sql_answers_over_columns_and_fields() -> None:
    table = asked(
        "SELECT source, count(*) AS n, sum((fields->>'n')::INT) AS s, max(event_at)::VARCHAR FROM records GROUP BY 1"
    )
    assert (table.columns[:3], table.rows[0][:3]) == (("source", "n", "s"), ("web", 3, 6))
    assert table.rows[0][3].startswith("2026-05-02")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "COPY records TO 'x.csv'",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access=true",
        "RESET lock_configuration",
        "SELECT 1; SELECT 2",
        "DROP TABLE records",
        "PRAGMA database_list",
        "",
        "not sql",
        "SELECT getenv('HOME')",
    ],
)
def test_sql_that_is_no_plain_reading_is_refused(statement: str) -> None:
    with pytest.raises(BadInputError, match="AMG-LAKE-SQL"):
        asked(statement)


def test_sql_without_an_end_is_ended() -> None:
    with pytest.raises(BadInputError, match=r"within 0\.5 s"):
        asked("SELECT count(*) FROM range(1000000000000) a, range(1000) b", seconds=0.5)
