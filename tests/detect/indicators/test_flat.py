"""Flat lists: what a line gives, every line accounted for, and the quick way says what the slow one says."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.flat import MAX_FAULTS, FlatList
from amagasa.detect.indicators.indicator import Indicator, IndicatorSet
from amagasa.detect.indicators.kinds import DOMAIN, DOMAIN_TREE, kind_called, kind_of
from amagasa.detect.indicators.listing import Columns, columns_of, confidence_of, day_of, end_of, sources_of
from amagasa.detect.indicators.lookup import indicator_at
from amagasa.detect.indicators.table import Table

HEADER: Final = Columns(value=1, type=0, first=2, last=3, source=4)
SHA256: Final = "ab" * 32


def table_of(flat: FlatList) -> Table:
    return Table(b"".join(flat.pieces()))


def values(lines: Sequence[str]) -> Table:
    flat = FlatList("mine")
    flat.add_values(lines, 1)
    return table_of(flat)


def rows(lines: Sequence[str], columns: Columns = HEADER) -> Table:
    flat = FlatList("mine")
    flat.add_rows(lines, columns, ",", first_line=2)
    return table_of(flat)


def indicators(table: Table) -> list[Indicator]:
    held = IndicatorSet(tables=(table,))
    return [indicator_at(held, 1 << 32 | row) for row in range(table.plan.n_rows)]


def reachable(table: Table) -> set[tuple[object, ...]]:
    """What look-ups find: rows that were merged into others are not among it."""
    held = IndicatorSet(tables=(table,))
    found = [row for where in table.plan.places for row in table.find(where, texts(table))]
    found += table.covering(("ip-addr", "value"), texts(table))
    met = [indicator_at(held, 1 << 32 | row) for row in found]
    return {(one.id, frozenset(one.sources), one.first_day, one.last_day, one.confidence) for one in met}


def texts(table: Table) -> list[str]:
    return [table.text(row) for row in range(table.plan.n_rows)]


@pytest.mark.parametrize(
    ("line", "path", "text"),
    [
        ("198.51.100.23   # seen twice", "ipv4-addr:value", "198.51.100.23"),
        ("198.51.100.23:8080", "ipv4-addr:value", "198.51.100.23"),
        ("198.51.100.23,ssh,2026-01-01", "ipv4-addr:value", "198.51.100.23"),
        ("203.0.113.9/24", "ipv4-addr:value", "203.0.113.0/24"),
        ("::ffff:198.51.100.23", "ipv4-addr:value", "198.51.100.23"),
        ("2001:DB8:0::5", "ipv6-addr:value", "2001:db8::5"),
        ("[2001:db8::5]:443", "ipv6-addr:value", "2001:db8::5"),
        ("BAD.example.", "domain-name:value", "bad.example"),
        ("0.0.0.0 bad.example", "domain-name:value", "bad.example"),
        ("||bad.example^", "domain-name:value", "bad.example"),
        ("hxxp://evil[.]example/x", "url:value", "evil.example/x"),
        ("evil.example/x", "url:value", "evil.example/x"),
        ("Boss@bad.example", "email-addr:value", "boss@bad.example"),
        ("CD" * 16, "file:hashes.'MD5'", "cd" * 16),
        ("cd" * 20, "file:hashes.'SHA-1'", "cd" * 20),
        (SHA256.upper(), "file:hashes.'SHA-256'", SHA256),
        ("cd" * 64, "file:hashes.'SHA-512'", "cd" * 64),
        ("Evil.EXE", "file:name", "evil.exe"),
        ("C:\\Users\\Public\\Evil file.dll", "file:path", "c:\\users\\public\\evil file.dll"),
        ("/tmp/.x/evil", "file:path", "/tmp/.x/evil"),
    ],
)
def test_add_values_knows_each_kind(line: str, path: str, text: str) -> None:
    table = values([line])
    assert texts(table) == [text]
    kinds = {name: n for name, n in table.plan.about.tally.items() if ":" in name}
    assert kinds == {path: 1}


def test_add_values_passes_over_remarks_and_blank_lines() -> None:
    table = values(["# a", "; b", "! c", "", "   ", "127.0.0.1 localhost", "bad.example"])
    assert texts(table) == ["bad.example"]
    assert table.plan.about.tally["n_read"] == 1


@pytest.mark.parametrize(
    "line",
    ["prose it is", "1.2.3", "1.2.3.4.5", "001.002.003.004", "evil", "http://", "0.0.0.0/0", "1.0.0.0/7", "::/0"],
)
def test_add_values_what_is_no_indicator_is_a_fault_with_its_line(line: str) -> None:
    table = values(["bad.example", line])
    ((number, why),) = table.plan.about.faults
    assert number == 2
    assert "expected" in why or "everything" in why
    assert table.plan.about.tally["n_accepted"] == table.plan.about.tally["n_rejected"] == 1


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.0.0/16", "127.0.0.1", "169.254.1.1", "::1", "fe80::1", "fd00::5"]
)
def test_add_values_addresses_of_every_house_are_set_aside_and_counted(address: str) -> None:
    table = values([address, "198.51.100.7"])
    assert texts(table) == ["198.51.100.7"]
    assert (table.plan.about.tally["n_never"], table.plan.about.tally["n_indicators"]) == (1, 1)
    assert table.plan.about.faults == ()


def test_add_values_under_a_name_that_many_share_stands_for_itself_alone() -> None:
    table = values(["github.io", "evil.github.io", "co.uk"])
    assert [table.text(row) for row in table.find(DOMAIN, ["github.io", "co.uk", "evil.github.io"])] == [
        "github.io",
        "co.uk",
    ]
    assert [table.text(row) for row in table.find(DOMAIN_TREE, ["github.io", "evil.github.io"])] == ["evil.github.io"]


def test_add_rows_reads_every_column() -> None:
    columns = columns_of(
        ["Value", "Type", "first_seen", "Last-Seen", "Confidence", "malware", "sources", "valid_until"]
    )
    assert columns is not None
    line = "bad.example,domain,2026-01-02,2026-03-04T05:06:07Z,85,Emotet,alpha|beta,2027-01-01"
    (found,) = indicators(rows([line], columns))
    assert (found.first_day, found.last_day) == (20_455, 20_516)
    assert (found.confidence, found.sources) == (85, ("alpha", "beta"))
    assert found.valid_until == datetime(2027, 1, 2, tzinfo=UTC)
    assert found.title == "bad.example, on the lists alpha, beta: Emotet"


def test_add_rows_without_sources_are_named_after_the_list() -> None:
    (found,) = indicators(rows(["domain,bad.example,,,"]))
    assert (found.sources, found.first_day, found.last_day, found.confidence) == (("mine",), 0, 0, 30)


def test_add_rows_of_one_value_are_one_indicator_of_all_their_sources() -> None:
    table = rows(["ip,198.51.100.7,2026-01-02,2026-01-03,a", "ip,198.51.100.7,2026-01-01,2026-01-02,b"])
    assert table.plan.about.tally["n_indicators"] == 1
    (row,) = table.find(("ip-addr", "value"), ["198.51.100.7"])
    found = indicator_at(IndicatorSet(tables=(table,)), 1 << 32 | row)
    assert (found.sources, found.first_day, found.last_day) == (("a", "b"), 20_454, 20_456)


def test_add_rows_with_one_odd_row_lose_no_other() -> None:
    lines = [
        "ip,198.51.100.7,,,a",
        "ip,999.1.1.1,,,a",
        "ip, 198.51.100.8 ,,,a",
        "ip,10.0.0.1,,,a",
        "mutex,x,,,a",
        "ip",
        "",
    ]
    table = rows(lines)
    assert sorted(texts(table)) == ["198.51.100.7", "198.51.100.8"]
    tally = table.plan.about.tally
    assert (tally["n_read"], tally["n_accepted"], tally["n_rejected"], tally["n_never"]) == (6, 3, 3, 1)
    assert [line for line, _ in table.plan.about.faults] == [3, 6, 7]


def test_add_rows_a_million_faults_are_counted_and_some_are_kept() -> None:
    table = rows(["ip,nothing,,,a"] * (MAX_FAULTS + 500))
    assert (len(table.plan.about.faults), table.plan.about.tally["n_rejected"]) == (MAX_FAULTS, MAX_FAULTS + 500)


VALUES: Final = st.sampled_from(
    ["198.51.100.7", "203.0.113.0/24", "10.0.0.1", "BAD.example", "bad.example", "github.io", "ab" * 32, "1.2.3",
     "é.example", "", " 198.51.100.8", "hxxp://x[.]example"]
) | st.ip_addresses().map(str) | st.text(alphabet="a.1:-/", max_size=9)  # fmt: skip
LINES: Final = st.tuples(
    st.sampled_from(["ip", "ipv4-addr", "domain", "sha256", "url", "hash", "", "#ip", "mutex"]),
    VALUES,
    st.sampled_from(["", "2026-01-02", "soon"]),
    st.sampled_from(["a", "a|b", ""]),
).map(lambda one: f"{one[0]},{one[1]},{one[2]},,{one[3]}")


@given(st.lists(LINES, max_size=20))
def test_add_rows_says_what_reading_field_by_field_says(lines: list[str]) -> None:
    quick, slow = rows(lines), FlatList("mine")
    slow.add_fields(((number, line.split(",")) for number, line in enumerate(lines, 2)), HEADER)
    other = table_of(slow)
    assert quick.plan.about.tally == other.plan.about.tally
    assert sorted(quick.plan.about.faults) == sorted(other.plan.about.faults)
    assert reachable(quick) == reachable(other)


@given(st.lists(LINES | st.text(max_size=30), max_size=20))
def test_add_rows_of_any_lines_accounts_for_each(lines: list[str]) -> None:
    tally = rows(lines).plan.about.tally
    assert tally["n_accepted"] + tally["n_rejected"] == tally["n_read"] <= len(lines)


@given(st.ip_addresses())
def test_kind_of_any_address_is_an_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    kind = kind_of(str(address))
    assert kind is not None
    assert kind.path == f"ipv{address.version}-addr:value"


@given(st.text(max_size=60))
def test_kind_of_any_text_gives_a_kind_that_can_write_it_or_none(text: str) -> None:
    kind = kind_of(text)
    assert kind is None or kind.where


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ipv4-addr", "ipv4-addr:value"),
        ("IPv4", "ipv4-addr:value"),
        ("ip:port", "ipv4-addr:value"),
        ("FileHash-SHA256", "file:hashes.'SHA-256'"),
        ("sha1_hash", "file:hashes.'SHA-1'"),
        ("imphash", "file:hashes.'IMPHASH'"),
        ("hostname", "domain-name:value"),
        ("email-src", "email-addr:value"),
        ("mutex", None),
    ],
)
def test_kind_called_knows_the_names_of_public_lists(name: str, path: str | None) -> None:
    kind = kind_called(name, "198.51.100.7")
    assert (kind.path if kind else None) == path


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (["type", "value"], 1),
        (["ioc_type", "ioc_value", "first_seen_utc"], 1),
        (["id", "dateadded", "url", "url_status"], 2),
        (["ip"], 0),
        (["name", "age"], None),
        ([], None),
    ],
)
def test_columns_of_header_finds_the_values(names: list[str], value: int | None) -> None:
    found = columns_of(names)
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1970-01-02", 1),
        ("2026-08-22 10:11:12", 20_687),
        ("2026-08-22T23:59:59+09:00", 20_687),
        ("1787356800", 20_687),
        ("1787356800000", 20_687),
        ("2026-13-01", 0),
        ("yesterday", 0),
        ("", 0),
    ],
)
def test_day_of_reads_dates_and_seconds(text: str, day: int) -> None:
    assert day_of(text) == day


@pytest.mark.parametrize(
    ("text", "confidence"),
    [("85", 85), ("85%", 85), ("High", 85), ("0", 0), ("101", 30), ("", 30), ("nan", 30), ("1e2", 100)],
)
def test_confidence_of_figures_and_words(text: str, confidence: int) -> None:
    assert confidence_of(text) == confidence


@given(st.text(max_size=40))
def test_fields_of_any_text_are_read_or_left(text: str) -> None:
    assert day_of(text) >= 0
    assert 0 <= confidence_of(text) <= 100
    assert sources_of(text, "mine")
    end = end_of(text)
    assert end is None or end.tzinfo is not None
