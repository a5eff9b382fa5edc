"""Rows under a header: W3C extended logs and Zeek's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.table import Table, is_table_header

W3C = """\
#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-11-26 00:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status
2026-11-26 10:00:01 192.0.2.9 GET /login.aspx id=1 443 - 198.51.100.7 Mozilla/5.0+(Windows) - 200
"""
ZEEK = """\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tconn
#open\t2026-11-26-10-00-00
#fields\tts\tuid\tid.orig_h\tid.orig_p\tduration\tlocal_orig\ttunnel_parents\tservice
#types\ttime\tstring\taddr\tport\tinterval\tbool\tset[string]\tstring
1790000000.5\tCx\\x41\t198.51.100.7\t40000\t-\tT\ta,b\t(empty)
#close\t2026-11-26-11-00-00
"""


def rows(text: str) -> list[Any]:
    table = Table()
    return [row for line in text.split("\n") if (row := table.row(line)) is not None]


def test_a_row_of_iis_is_named_as_rules_name_it() -> None:
    assert rows(W3C) == [
        {
            "w3c": "row",
            "date": "2026-11-26",
            "time": "10:00:01",
            "s-ip": "192.0.2.9",
            "cs-method": "GET",
            "cs-uri-stem": "/login.aspx",
            "cs-uri-query": "id=1",
            "s-port": 443,
            "c-ip": "198.51.100.7",
            "cs-user-agent": "Mozilla/5.0 (Windows)",
            "sc-status": 200,
            "@timestamp": "2026-11-26T10:00:01Z",
            "c-uri": "/login.aspx?id=1",
        }
    ]


def test_a_row_of_zeek_has_the_types_of_its_header() -> None:
    assert rows(ZEEK) == [
        {
            "_path": "conn",
            "ts": 1790000000.5,
            "uid": "CxA",
            "id.orig_h": "198.51.100.7",
            "id.orig_p": 40000,
            "local_orig": True,
            "tunnel_parents": ["a", "b"],
            "service": "",
        }
    ]


def test_a_header_in_the_middle_counts_from_there_on() -> None:
    found = rows(f"{W3C}#Fields: time c-ip\n11:00:00 203.0.113.5\n")
    assert found[1] == {
        "w3c": "row",
        "time": "11:00:00",
        "c-ip": "203.0.113.5",
        "@timestamp": "2026-11-26T11:00:00Z",
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [("a b c", "no `fields` line stands before it"), ("#Fields: date time\na b c", "3 cells under 2 columns")],
)
def test_a_row_that_does_not_fit_says_why(text: str, why: str) -> None:
    assert rows(text) == [why]


def test_such_a_log_is_told_by_its_first_line() -> None:
    firsts = [text.partition("\n")[0] for text in (W3C, ZEEK, "# a comment", "")]
    assert [is_table_header(line) for line in firsts] == [True, True, False, False]


@given(
    st.lists(
        st.text(alphabet=st.sampled_from("#Fields:types\\x09 -,(empty)abc\t0.T\ud800日"), max_size=60), max_size=20
    )
)
def test_whatever_stands_in_such_a_log_is_a_row_a_reason_or_nothing(lines: list[str]) -> None:
    table = Table()
    for line in ("#separator \\x09", "#fields\ta\tb", "#types\tset[port]\tdouble", *lines):
        assert isinstance(table.row(line), dict | str | None)
