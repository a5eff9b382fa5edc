"""A mapping is checked before anything is read: each fault has its line and, where there is one, the nearest name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.mapping import Kind, LogMapping, MappedSource, MappingFault, Type, read_mapping

GOOD = """name = "acme-proxy"
kind = "csv"
columns = ["time", "client", "status"]

[logsource]
category = "proxy"

[time]
field = "time"
format = "%d/%m/%Y %H:%M:%S"
zone = "Asia/Tokyo"

[fields]
c-ip = "client"
sc-status = { from = "status", type = "int" }
action = { from = ["verdict", "status"], values = { "403" = "blocked" } }
dvc = { value = "proxy1" }
"""


def faults_of(text: str) -> list[tuple[int, str]]:
    found = read_mapping(text)
    assert isinstance(found, tuple), "expected faults"
    return [(one.line, one.why) for one in found]


def test_read_mapping_gives_what_it_states() -> None:
    found = read_mapping(GOOD.replace('["verdict", "status"]', '["status"]'))
    assert isinstance(found, LogMapping)
    assert (found.name, found.kind, found.sources) == ("acme-proxy", Kind.CSV, (MappedSource(category="proxy"),))
    assert [one.name for one in found.fields] == ["c-ip", "sc-status", "action", "dvc"]
    assert found.fields[1].type is Type.INT
    assert found.fields[2].values == (("403", "blocked"),)
    assert found.fields[3].constant == "proxy1"
    assert found.time is not None
    assert found.time.zone == "Asia/Tokyo"


def test_read_mapping_of_a_name_that_no_column_has_names_the_nearest_and_the_line() -> None:
    ((line, why),) = faults_of(GOOD.replace('c-ip = "client"', 'c-ip = "clinet"').replace('"verdict", ', ""))
    assert line == 14
    assert "no clinet" in why
    assert "did you mean client?" in why


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('kind = "csv"', 'kind = "csvv"', 2, "csvv"),
        ('kind = "csv"', 'kind = "csv', 2, "not TOML"),
        ('type = "int"', 'typ = "int"', 13, "did you mean type?"),
        ("[fields]", 'feilds = "x"\n[fields]', 13, "did you mean fields?"),
        ('category = "proxy"', 'category = ""', 5, "a category, a product or a service"),
        ("Asia/Tokyo", "Asia/Tokio", 11, "Asia/Tokio"),
        ("Asia/Tokyo", "../../etc/passwd", 11, "expected a zone"),
        ('"%d/%m/%Y %H:%M:%S"', '"%Q"', 10, "strptime"),
        ('field = "time"', 'field = "when"', 9, "no when"),
        ('"time", "client"', '"time", "time", "client"', 3, "stands twice"),
        ('name = "acme-proxy"', 'name = "a b"', 1, "letters, digits"),
        ('{ value = "proxy1" }', '{ value = "a", from = "client" }', 17, "either"),
        ('kind = "csv"', 'kind = "csv"\nseparator = ";;"', 3, "one character"),
        ('kind = "csv"', 'kind = "csv"\nskip = "(?=a)"', 3, "RE2"),
        ('kind = "csv"', 'kind = "csv"\npattern = "a"', 3, "only kind pattern"),
        ('kind = "csv"', 'kind = "csv"\nencoding = "utf-16"', 3, "a line feed is always one byte"),
        ('kind = "csv"', 'kind = "csv"\nencoding = "rot13"', 3, "cp932"),
    ],
)
def test_read_mapping_says_what_is_wrong_and_where(old: str, new: str, line: int, said: str) -> None:
    text = GOOD.replace('"verdict", ', "")
    assert old in text
    found = faults_of(text.replace(old, new, 1))
    assert any(said in why for _, why in found), found
    assert line in [at for at, _ in found], found


def test_read_mapping_of_a_pattern_needs_groups_and_names_what_it_lacks() -> None:
    text = 'name = "p"\nkind = "pattern"\npattern = "{}"\n[logsource]\nproduct = "acme"\n[fields]\na = "client"\n'
    assert "named groups" in faults_of(text.format("[a-z]+"))[0][1]
    assert "no client" in faults_of(text.format("(?P<clint>[a-z]+)"))[0][1]
    assert isinstance(read_mapping(text.format("(?P<client>[a-z]+)")), LogMapping)


@given(st.text(max_size=200))
def test_read_mapping_of_anything_never_raises(text: str) -> None:
    for given_text in (text, GOOD + text, text + GOOD, GOOD.replace("csv", text)):
        found = read_mapping(given_text)
        assert isinstance(found, LogMapping) or all(isinstance(one, MappingFault) for one in found)
