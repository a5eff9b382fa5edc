import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.native import library
from amagasa.event.record import Format
from amagasa.event.words import MAX_WORDS, Probe, WordTable, may_hold, needed, probes_of

PARTS = st.sampled_from(
    [
        *(b"a", b"Bc", b"1", b"10", b".", b"..", b"%", b"%2F", b"\\", b"\\\\", b"\\n", b"\\u0041", b"\\u3042"),
        *(b"\\x41", b"\\xzz", b"\n", b" ", b'"', b"-", "漢".encode(), "é".encode(), b"\xff", b"\x80", b"\0"),
        *(b"\\u00", b"\\ud83d"),
    ]
)
RECORDS = st.lists(PARTS, max_size=40).map(b"".join) | st.binary(max_size=60)
FORMATS = st.sampled_from(list(Format))


def table(data: bytes, form: Format = Format.SYSLOG, *, is_native: bool = True) -> WordTable:
    made = WordTable(is_native=is_native)
    made.add(data, form)
    return made


def is_in(text: str, data: bytes, form: Format = Format.SYSLOG) -> bool:
    return may_hold(table(data, form, is_native=False).filter(), probes_of(text))


@pytest.mark.skipif(library() is None, reason="the native library is not built here")
@given(RECORDS, FORMATS)
def test_words_native_and_python_agree(data: bytes, form: Format) -> None:
    native, python = table(data, form), table(data, form, is_native=False)
    assert native.words() == python.words()
    assert native.filter() == python.filter()


@given(RECORDS, FORMATS, st.data())
def test_filter_of_a_text_between_boundaries_never_denies_it(data: bytes, form: Format, draw: st.DataObject) -> None:
    text = draw.draw(st.from_regex(re.compile(r"[a-z0-9]{1,6}([ .:/-][a-z0-9]{1,6}){0,4}", re.ASCII), fullmatch=True))
    assert is_in(text, data + b" " + text.upper().encode() + b"\n", form)


@pytest.mark.parametrize(
    ("text", "data", "form"),
    [
        ("powershell", b'{"a": "\\u0070owershell"}', Format.WINDOWS),
        ("passwd", b"GET /..%2Fetc%2Fpasswd", Format.ACCESS),
        ("evil.example", b"http://www.evil.example.org/", Format.ACCESS),
        ("evil.example", b"q=%2Fevil.example", Format.ACCESS),
        ("10.1.2.3", b"from 10.1.2.3.", Format.SYSLOG),
        ("10.1.2.3", b"::ffff:10.1.2.3", Format.SYSLOG),
        ("攻撃", "不正攻撃を検知".encode(), Format.SYSLOG),
        ("攻撃", b'{"a": "\\u4e0d\\u6b63\\u653b\\u6483"}', Format.JSON),
        ("foo", b'"\\x22foo"', Format.ACCESS),
        ("C:\\Windows\\cmd.exe", b'{"a": "C:\\\\Windows\\\\cmd.exe"}', Format.WINDOWS),
        ("😀 smile", "😀 smile".encode(), Format.SYSLOG),
    ],
)
def test_filter_of_a_text_that_is_there_says_maybe(text: str, data: bytes, form: Format) -> None:
    assert is_in(text, data, form)


@pytest.mark.parametrize("text", ["10.1.2.4", "mimikatz", "evil.test", "攻防"])
def test_filter_of_a_text_that_is_not_there_says_no(text: str) -> None:
    assert not is_in(text, "10.1.2.3 10.1.2.5 x.evil.example.test 防御と攻撃".encode())


def test_needed_of_a_single_character_is_nothing() -> None:
    assert needed("a") == frozenset()


def test_table_of_too_many_words_has_no_filter_and_denies_nothing() -> None:
    full = table(b" ".join(b"%x" % one for one in range(0x1000, 0x1000 + MAX_WORDS + 10)))
    assert full.is_full
    assert Probe(12345).may_be_in(full.filter())


def test_table_cleared_begins_anew() -> None:
    made = table(b"mimikatz")
    made.clear()
    assert made.words() == frozenset()


def test_filter_lets_few_through_in_vain() -> None:
    words = table(b" ".join(b"word%d" % one for one in range(20_000))).filter()
    asked = [Probe(next(iter(needed(f"other{one}")))) for one in range(4_000)]
    assert sum(one.may_be_in(words) for one in asked) < 4_000 * 0.03


def test_words_that_escapes_hide_in_an_object_within_a_line_of_syslog_are_found() -> None:
    line = b'Nov 27 20:00:00 s1 app[1]: {"CommandLine":"x\\nwhoami \\u0065vil"}\n'
    assert is_in("whoami", line)
    assert is_in("evil", line)
    assert is_in("CommandLine", line)
