"""Hunts over a real lake: what is there is found, and what was not looked at is said."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.adapters.lake import blocks, places
from amagasa.app.hunt import Answer, Asked, Period, hunt, read_instant
from amagasa.app.hunt_query import Query, read_query
from amagasa.app.permissions import NODE, Actor, Role
from amagasa.app.seeking import Found, Text, TextSeeker
from amagasa.entry.wiring_hunt import indicator_looker, query_looker, rule_looker
from amagasa.event.record import Format
from amagasa.event.words import WordTable, may_hold
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.adapters.lake.world import SOURCE, START, World, chunk_of

WINDOWS = [
    {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "EventID": 1,
        "Image": f"C:\\Windows\\p{n}.exe",
        "Computer": "h1",
    }
    for n in range(50)
]
NEEDLE = {**WINDOWS[0], "Image": "C:\\Temp\\mimikatz.exe", "UtcTime": "2026-04-30 10:00:00"}
NET = {**WINDOWS[0], "EventID": 3, "Image": "C:\\Temp\\x.exe", "DestinationIp": "198.51.100.7"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.writer.close()
    made.packer.close()


def fill(world: World) -> None:
    """Three blocks: harmless, with the needle, harmless; and a tail of access lines."""
    for records in (WINDOWS, [*WINDOWS, NEEDLE, NET], WINDOWS):
        lines = [msgspec.json.encode(one) for one in records]
        world.writer.add(chunk_of(lines, world.n + 1, at=world.now, form=Format.WINDOWS))
        world.n += len(lines)
        world.wait(minutes=11)
    line = b'203.0.113.5 - - [01/May/2026:10:00:00 +0000] "GET /a%2Fpasswd HTTP/1.1" 200 5 "-" "curl/8"'
    world.writer.add(chunk_of([line], 1, at=world.now, form=Format.ACCESS))
    world.commit()


def hunted(world: World, text: str, **asked: object) -> tuple[list[Found], Answer]:
    return looked(world, query_looker(text).seeker, **asked)


def looked(world: World, seeker: object, **asked: object) -> tuple[list[Found], Answer]:
    answer = Answer()
    found = hunt(world.lake, NODE, seeker, Asked(**asked), answer=answer, now=datetime.now(UTC))  # type: ignore[arg-type]
    return [one for one in found if isinstance(one, Found)], answer


@pytest.mark.parametrize(
    ("query", "n"),
    [
        ("mimikatz", 1),
        ("MIMIKATZ.EXE", 1),
        ("imikatz", 0),
        ("*imikatz", 1),
        ("mimi*", 1),
        ("Temp\\mimikatz", 1),
        ("198.51.100.7", 1),
        ("98.51.100.7", 0),
        ("passwd", 1),
        ('"GET /a"', 1),
        ("mimikatz nowhere", 0),
        ("Image=*\\mimikatz.exe", 1),
        ("Image=*\\mimikatz.exe Computer=h1", 1),
        ("Image=*\\mimikatz.exe Computer=h2", 0),
        ("Image|endswith=\\mimikatz.exe", 1),
        ("h1 EventID=1", 151),
        ("sc-status=200", 1),
    ],
)
def test_hunt_finds_what_is_there_and_nothing_else(world: World, query: str, n: int) -> None:
    fill(world)
    found, answer = hunted(world, query)
    assert (len(found), answer.n_found, answer.is_whole, answer.exit_code()) == (n, n, True, 0)


def test_hunt_for_a_rare_word_passes_by_the_blocks_without_it(world: World) -> None:
    fill(world)
    (one,), answer = hunted(world, "mimikatz")
    assert (one.source, one.record, one.hosts) == (SOURCE, 101, ("h1",))
    assert (answer.n_records, answer.n_passed) == (52 + 1, 100)


def test_hunt_finds_a_rule_and_indicators(world: World, tmp_path: Path) -> None:
    fill(world)
    rule = tmp_path / "rule.yml"
    rule.write_text(
        "title: t\nid: 6a7b0f6c-5a1e-4c5e-8c11-6d7c8d9e0f11\nlevel: high\nlogsource: {product: windows, category: "
        "process_creation}\ndetection: {s: {Image|endswith: '\\mimikatz.exe'}, condition: s}\n"
    )
    values = tmp_path / "list.txt"
    values.write_text("198.51.100.7\n198.51.100.8\n")
    sought = [rule_looker(str(rule), None), indicator_looker("198.51.100.7"), indicator_looker(str(values))]
    sought.append(indicator_looker("[file:name = 'mimikatz.exe']"))
    assert [[one.record for one in looked(world, looker.seeker)[0]] for looker in sought] == [
        [101],
        [102],
        [102],
        [101],
    ]


def test_hunt_of_a_period_goes_by_the_time_of_the_record(world: World) -> None:
    fill(world)
    before = datetime(2026, 4, 30, 11, tzinfo=UTC)
    assert len(hunted(world, "mimikatz", period=Period(until=before))[0]) == 1
    assert hunted(world, "mimikatz", period=Period(since=before))[0] == []


def test_hunt_over_damage_never_says_never_seen(world: World) -> None:
    fill(world)
    path = places.folder_of(world.folder, SOURCE) / blocks.segment_name(1)
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    (places.folder_of(world.folder, SOURCE) / blocks.index_name(1)).unlink()
    _, answer = hunted(world, "nowhere")
    assert (answer.n_found, answer.is_whole, answer.exit_code(), answer.n_unlooked) == (0, False, 3, 1)


def test_hunt_with_a_limit_says_that_there_may_be_more(world: World) -> None:
    fill(world)
    found, answer = hunted(world, "h1", limit=3)
    assert (len(found), answer.is_cut, answer.is_whole) == (3, True, False)


def test_hunt_wants_a_role_and_a_source_that_is_there(world: World) -> None:
    fill(world)
    auditor = Actor(name="a", roles=frozenset({Role.AUDITOR}))
    seeker = query_looker("h1").seeker
    with pytest.raises(DeniedError):
        list(hunt(world.lake, auditor, seeker, Asked(), answer=Answer(), now=START))
    with pytest.raises(BadInputError, match="AMG-HUNT-SOURCE"):
        hunted(world, "h1", sources=("other",))


WORDS = st.sampled_from(["evil", "a.b", "10.1.2.3", "攻撃", "C:\\x", 'q"q', "é", "net user", "x-y_z"])
AROUND = st.sampled_from([" ", "/", '"', "(", "\n ", "\\", ".", "%2f"])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(WORDS, AROUND), max_size=6), WORDS, st.booleans())
def test_text_found_is_never_denied_by_the_filter(
    parts: Sequence[tuple[str, str]],
    text: str,
    is_json: bool,  # noqa: FBT001
) -> None:
    line = "".join(word + around for word, around in parts)
    data = msgspec.json.encode({"a": line}) if is_json else line.replace("\n", " ").encode()
    form = Format.JSON if is_json else Format.SYSLOG
    seeker = TextSeeker([[Text(text)]])
    table = WordTable(is_native=False)
    table.add(data + b"\n", form)
    is_found = bool(seeker.lines(chunk_of([data], form=form)))
    assert not is_found or may_hold(table.filter(), Text(text).probes)
    is_there = any(word == text for word, _ in parts)
    assert is_found or not is_there


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('a "b c"', Query(texts=("a", "b c"))),
        ('Image="C:\\Program Files\\x.exe" y', Query(texts=("y",), fields=(("Image", "C:\\Program Files\\x.exe"),))),
        ("a|contains=b", Query(fields=(("a|contains", "b"),))),
        ("http://x/?a=b", Query(texts=("http://x/?a=b",))),
        ("id.orig_h=10.0.0.1", Query(fields=(("id.orig_h", "10.0.0.1"),))),
    ],
)
def test_query_is_read(text: str, query: Query) -> None:
    assert read_query(text) == query


@pytest.mark.parametrize("text", ["", "  ", '"open', "--- ...", "x " * 30, "y" * 5_000])
def test_query_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="AMG-HUNT-QUERY"):
        read_query(text)


@given(st.text(max_size=60))
def test_query_of_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = read_query(text)
    except BadInputError:
        return
    assert query.texts or query.fields
    if not query.texts:
        return
    assert (
        TextSeeker([[Text(one)] for one in query.texts]).lines(chunk_of([text.encode("utf-8", "replace")])) is not None
    )


def test_instants_are_read() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert read_instant("24h", now=now) == now - timedelta(days=1)
    assert read_instant("2026-04-30", now=now) == now - timedelta(days=1)
    with pytest.raises(BadInputError, match="AMG-HUNT-TIME"):
        read_instant("yesterday", now=now)
