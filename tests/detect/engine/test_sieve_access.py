import random
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.engine.sieve import Reason, key_bytes, sieve_of
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.record import Format
from tests.detect.cases import report_of, rule_text

pytestmark = pytest.mark.skipif(not key_bytes(), reason="the native library was not built")

ORDINARY: Final = (
    '203.0.113.9 - - [27/Nov/2026:10:00:00 +0900] "GET /a?b=1 HTTP/1.1" 200 512 "http://x.example/" "Mozilla/5.0"'
)
RULES: Final[list[dict[str, Any]]] = [
    {"s": {"cs-uri-query|contains": ["union select", "../", "<script", "a?b", "=1"]}, "condition": "s"},
    {"s": {"cs-uri-decoded|contains": ["union select", "../", "<script", "é", "パス", "a b", "%"]}, "condition": "s"},
    {"s": {"cs-uri-stem|endswith": ".php", "sc-status": 404}, "condition": "s"},
    {"s": {"cs-method": "PUT"}, "f": {"cs-user-agent": None}, "condition": "s and not f"},
    {"s": {"cs-user-agent|re": "(?i)sqlmap/[0-9]"}, "condition": "s"},
    {"s": {"cs-referer": ""}, "condition": "s"},
    {"s": {"cs-username|contains": "adm", "c-ip|cidr": "203.0.113.0/24"}, "condition": "s"},
    {"s": {"sc-bytes|gte": 1000}, "condition": "s"},
    {"s": {"cs-host": None, "cs-request|startswith": "TRACE"}, "condition": "s"},
    {"k": ["/etc/passwd", "${jndi"], "condition": "k"},
    {"s": {"date|startswith": "2026", "cs-uri|contains": "dated"}, "condition": "s"},
    {"s": {"c-uri-query": "x"}, "condition": "s"},
]


def plan() -> Plan:
    source = {"category": "webserver"}
    texts = [
        rule_text(rule, id=f"00000000-0000-4000-8000-{place:012d}", logsource=source)
        for place, rule in enumerate(RULES)
    ]
    compiled, faults = compile_rules([(str(place), text) for place, text in enumerate(texts)])
    assert faults == ()
    return plan_of(compiled)


PLAN: Final = plan()
uris = st.text(alphabet="/a?=&;%+\\.<2eExu0cC1'5 \"é", max_size=24) | st.sampled_from(
    [
        *(
            "/a.php",
            "/?q=%3Cscript%3E",
            "/?q=%253Cscript",
            "/x?id=1+union+select",
            "/%e3%83%91%e3%82%b9",
            "/a%20b",
            "/a+b",
        ),
        *(
            "/?a=%c0%ae%c0%ae/",
            "/?a=%u002e",
            "/?a=&lt;script",
            "/?a=&#60;script&gt;",
            "/%252525252e",
            "/?x=%C3%A9",
            "/?",
        ),
        *(
            "/%",
            "/%2",
            "/%zz",
            "/a?b?c+d",
            "/x?x",
            "/etc/passwd",
            "/dated",
            "/${jndi:ldap}",
            "/a\\\\x3cscript",
            "*",
            "",
        ),
    ]
)
agents = st.sampled_from(["-", "", "Mozilla", "sqlmap/1", "SQLMAP/2", 'a \\" b', "\\", "日本", "x\ty", "\u212a"])
numbers = st.sampled_from(["200", "404", "000", "99", "1000", "-", "0", "007", "9" * 18, "9" * 19])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    client = draw(st.sampled_from(["203.0.113.9", "::1", "host.example", "-", "[::1]", ""]))
    user = draw(st.sampled_from(["-", "admin", '"-"', "a b", "日"]))
    method = draw(st.sampled_from(["GET", "PUT", "TRACE", "get", "G T", "\\x16\\x03", ""]))
    version = draw(st.sampled_from([" HTTP/1.1", " HTTP/2", "", " HTTP/1.10", " XTTP/1"]))
    tail = draw(st.sampled_from(["", ' "{r}"', ' "{r}" "{a}"', ' "{r}" "{a}" 0.1', '"{r}"', " x", ' "{r}']))
    tail = tail.replace("{r}", draw(agents)).replace("{a}", draw(agents))
    status, size = draw(numbers), draw(numbers)
    text = f'{client} - {user} [27/Nov/2026:10:00:00 +0900] "{method} {draw(uris)}{version}" {status} {size}{tail}'
    return text.encode().replace(b"\n", b"")


@settings(max_examples=250)
@given(st.lists(lines(), min_size=1, max_size=6))
@example([b'1.2.3.4 - - [1/Jan/2026:00:00:00 +0000] "GET /?a=%26lt;script HTTP/1.1" 200 1'])
def test_sieve_agrees_on_lines_of_access_logs(records: list[bytes]) -> None:
    report_of(PLAN, records, kind=Format.ACCESS)


@settings(max_examples=150)
@given(st.randoms(), st.integers(1, 4))
def test_sieve_agrees_on_damaged_lines_of_access_logs(draw: random.Random, n_changes: int) -> None:
    line = bytearray(ORDINARY.replace("/a?b=1", draw.choice(["/a?b=1", "/x.php", "/?q=%3Cscript"])).encode())
    for _ in range(n_changes):
        line[draw.randrange(len(line))] = draw.choice(b' "\\[]-?%&;+<\x00\xff\xe3\r\tA0')
    report_of(PLAN, [bytes(line), ORDINARY.encode()], kind=Format.ACCESS)


def test_sieve_lets_ordinary_lines_fall_through() -> None:
    sieve = sieve_of([PLAN], b"\x07" * key_bytes())
    assert sieve is not None
    quiet = ORDINARY.replace("/a?b=1", "/index.html?page=2&lang=ja").replace("512", "51")
    data = "\r\n".join([quiet, quiet.replace("Mozilla", "日本語"), "", quiet.replace(' "http', " \"%u'http")]).encode()
    counts = sieve.sift(data, Format.ACCESS).n_by_reason
    assert (counts[Reason.QUIET], sum(counts)) == (3, 3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ORDINARY, Reason.RULE),
        (ORDINARY.replace("/a?b=1", "/etc/passwd"), Reason.RULE),
        (ORDINARY.replace("/a?b=1", "/%u0041"), Reason.ODD_VALUE),
        (ORDINARY.replace("203", "www.example.jp:80 203"), Reason.ODD),
    ],
)
def test_sieve_names_lines_for_a_reason(line: str, reason: Reason) -> None:
    sieve = sieve_of([PLAN], b"\x07" * key_bytes())
    assert sieve is not None
    counts = sieve.sift(line.encode(), Format.ACCESS).n_by_reason
    assert [Reason(place) for place, count in enumerate(counts) if count] == [reason]
