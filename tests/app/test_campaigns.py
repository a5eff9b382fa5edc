"""Incidents of several parties that belong together, over what agreements let cross."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from amagasa.app.campaigns import CampaignView, Known, allys_member, campaign, campaigns, own_member
from amagasa.app.pages import Page
from amagasa.app.path import look
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Store, StoredObject
from amagasa.app.queries import MissingError
from amagasa.detect.report import Detection
from amagasa.entry.wiring_detect import ContentFiles, load_content, open_all
from amagasa.event.record import Chunk
from amagasa.incident.tokens import network_of, token_of
from amagasa.intel.build import EXTENSION_ID
from amagasa.vocab.severity import Level, Severity
from tests.app.umbrella import NETWORKS, STAND_INS, heard
from tests.incident.samples import address, found

ANALYST = Actor(name="kim", roles=frozenset({Role.ANALYST}))
DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "web"


def told(store: Store) -> list[CampaignView]:
    made = campaigns(store, ANALYST, {}).campaigns
    store.close()
    return made


def hunt(numbers: range, minutes: int = 0) -> list[Detection]:
    return [
        found(minutes + n % 60, address(f"203.0.113.{n}"), rule="hunt", level=Level.MEDIUM, record=n) for n in numbers
    ]


def test_hunt_that_each_party_sees_a_part_of_is_one_campaign(tmp_path: Path) -> None:
    (one,) = told(heard(tmp_path, [hunt(range(40)), hunt(range(40, 80)), hunt(range(80, 120))]))
    assert (one.n_incidents, len(one.parties), one.n_sources) == (3, 3, 120)
    assert "did the same at the same time" in one.ties[0].why


def test_source_heard_of_through_two_parties_counts_once(tmp_path: Path) -> None:
    (one,) = told(heard(tmp_path, [hunt(range(30)), hunt(range(20, 60))]))
    assert one.n_sources == 60
    assert "10 source addresses in common" in one.ties[0].why


def test_rare_source_links_two_grave_incidents_and_raises_the_score(tmp_path: Path) -> None:
    (one,) = told(heard(tmp_path, [[found(0, address("203.0.113.9"))], [found(600, address("203.0.113.9"))]]))
    assert one.ties[0].why == "1 source addresses in common; techniques T1190"
    assert one.score > 27


def test_incidents_with_nothing_rare_in_common_are_no_campaign(tmp_path: Path) -> None:
    assert told(heard(tmp_path, [[found(0, address("203.0.113.9"))], [found(1, address("198.51.100.7"))]])) == []


def test_incidents_days_apart_are_no_campaign(tmp_path: Path) -> None:
    shares = [[found(0, address("203.0.113.9"))], [found(-60 * 80, address("203.0.113.9"))]]
    assert told(heard(tmp_path, shares)) == []


def test_source_that_many_incidents_know_ties_none(tmp_path: Path) -> None:
    crawler = address("203.0.113.9")
    shares = [[found(0, crawler, rule="a")], *([found(n, crawler, rule="b")] for n in range(1, 6))]
    assert told(heard(tmp_path, shares)) == []


def test_networks_alone_cross_where_the_clause_says_so(tmp_path: Path) -> None:
    theirs = [found(n, address(f"203.0.{n}.7"), level=Level.MEDIUM, rule="hunt") for n in range(8)]
    ours = [found(n, address(f"203.0.{n}.9"), level=Level.MEDIUM, rule="hunt") for n in range(8)]
    (one,) = told(heard(tmp_path, [ours, theirs], generalise=NETWORKS))
    assert "8 networks in common" in one.ties[0].why


def test_what_crosses_holds_no_address_where_stand_ins_were_agreed(tmp_path: Path) -> None:
    store = heard(tmp_path, [[], hunt(range(40))], generalise=STAND_INS)
    with store.read() as reading:
        bodies = b"".join(one.body for one in reading.objects_page(Page(), object_type="incident")[0])
    store.close()
    assert b"token-" in bodies
    assert b"203.0.113" not in bodies


def test_campaign_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    store = heard(tmp_path, [[]])
    with pytest.raises(MissingError):
        campaign(store, ANALYST, {}, "campaign--x")
    store.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"extensions": 5}',
        msgspec.json.encode({"revoked": True}),
        msgspec.json.encode({"extensions": {EXTENSION_ID: {"severity": "x"}}}),
    ],
)
def test_incident_of_an_ally_that_says_nothing_usable_is_left_out(body: bytes) -> None:
    assert allys_member(stored(body)) is None


def test_incident_of_an_ally_is_read_within_bounds() -> None:
    facts = {
        "severity": 99,
        "n_alerts": -5,
        "source_addresses": ["x" * 9000, 7, "203.0.113.9"] * 9000,
        "techniques": ["T1"] * 9,
    }
    member = allys_member(stored(msgspec.json.encode({"name": "\x1b[2J", "extensions": {EXTENSION_ID: facts}})))
    assert member is not None
    assert (member.severity, member.n_alerts) == (Severity.FATAL, 0)
    assert member.sources == {token_of("203.0.113.9")}


def test_tokens_are_made_alike_and_of_addresses_alone() -> None:
    token = token_of("203.0.113.9")
    assert token == token_of(" ::ffff:203.0.113.9 ") == token_of(token or "")
    assert token_of("evil.example") is None
    assert (network_of("203.0.113.9"), network_of("203.0.113.0/24")) == ("203.0.113.0/24", "203.0.113.0/24")
    assert (network_of("10.0.0.0/8"), network_of("2001:db8:1:2::9")) == (None, "2001:db8:1::/48")


def stored(body: bytes) -> StoredObject:
    return StoredObject(
        id="incident--1", version="", type="incident", origin="identity--x", body=body, added_at=datetime.now(UTC)
    )


def sources_of(store: Store, members: set[str]) -> frozenset[str]:
    """The stand-ins of all sources that these incidents name."""
    with store.read() as reading:
        own = [own_member(one) for one in reading.incidents_by_id(members)]
        theirs = [allys_member(one) for one in reading.objects(members)]
    return frozenset[str]().union(*(one.sources for one in (*own, *theirs) if one is not None))


@pytest.mark.data
@pytest.mark.parametrize("by_source", [False, True], ids=["split by line", "split by source"])
def test_hunt_for_backups_is_one_campaign_of_three_parties(tmp_path: Path, *, by_source: bool) -> None:
    name = DATA / "secrepo_2022-12-22.access.log.gz"
    if not name.is_file():
        pytest.skip("the folder of real logs is not there")
    sight = load_content(ContentFiles()).sight()
    detections = [
        one
        for chunk in open_all([str(name)], None)
        if isinstance(chunk, Chunk)
        for one in look(chunk, sight, now=datetime.now(UTC)).report.detections
    ]
    with (DATA / "secrepo_2022-12-22.labels.csv").open() as lines:
        hunters = {token_of(row["src_ip"]) for row in csv.DictReader(lines) if row["label"] == "backup_file_hunt"}
    shares: list[list[Detection]] = [[], [], []]
    for one in detections:
        source = next(entity.value for entity in one.entities if entity.kind.value == "source-address")
        shares[(sum(map(ord, source)) if by_source else one.record) % 3].append(one)
    store = heard(tmp_path, shares)
    (hunted,) = [each for each in campaigns(store, ANALYST, {}).campaigns if each.n_sources > 10]
    assert len(hunted.parties) == 3
    members = {member.id for member in hunted.members}
    known = sources_of(store, members)
    store.close()
    assert len(known & hunters) / len(hunters) >= 0.95
    assert len(known & hunters) / len(known) >= 0.95
    assert hunted.n_sources == len(known)


def test_what_was_worked_out_before_never_hides_a_change(tmp_path: Path) -> None:
    store = heard(tmp_path, [hunt(range(40)), hunt(range(40, 80))])
    known = Known()
    first = campaigns(store, ANALYST, {}, known)
    assert campaigns(store, ANALYST, {}, known) == first
    (one,) = first.campaigns
    ours = next(member.id for member in one.members if member.is_ours)
    with store.write() as tx:
        incident = tx.incident(ours)
        assert incident is not None
        tx.save_incidents([replace(incident, n_alerts=99, title="renamed")])
    changed = campaigns(store, ANALYST, {}, known)
    assert changed == campaigns(store, ANALYST, {})
    assert changed != first
    with store.write() as tx:
        tx.save_incidents([replace(incident, merged_into=incident.id)])
    assert campaigns(store, ANALYST, {}, known).campaigns == []
    store.close()
