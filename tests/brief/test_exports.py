"""Indicators as documents of other tools: nothing is lost, no marking is lowered, and what is read back is the same."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.brief.flat import COLUMNS, csv_of, list_of
from amagasa.brief.misp import event_of
from amagasa.brief.navigator import Domain, layer_of
from amagasa.brief.values import techniques_in, told_of
from amagasa.detect.indicators.misp import indicators_of
from amagasa.intel.marking import tlp_of_tags
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)


def indicator(pattern: str, *, tlp: Tlp | None = Tlp.AMBER, kind: str = "stix", **more: Any) -> dict[str, Any]:
    made = {
        "type": "indicator",
        "id": stable_id("indicator", pattern),
        "name": "Malicious",
        "pattern": pattern,
        "pattern_type": kind,
        "valid_from": "2026-11-27T00:00:00Z",
        "external_references": [{"source_name": "mitre-attack", "external_id": "T1110.001"}],
    }
    return made | ({"object_marking_refs": [tlp.marking_id]} if tlp is not None else {}) | more


PATTERNS = {
    "[ipv4-addr:value = '198.51.100.7']": [("ipv4", "198.51.100.7")],
    "[ipv4-addr:value = '198.51.100.7' OR domain-name:value IN ('a.example', 'b.example')]": [
        ("ipv4", "198.51.100.7"),
        ("domain", "a.example"),
        ("domain", "b.example"),
    ],
    "[file:hashes.'SHA-256' = 'ab']": [("sha256", "ab")],
    "[ipv4-addr:value != '198.51.100.7']": None,
    "[ipv4-addr:value = '198.51.100.7' AND url:value = 'http://x/']": None,
    "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [url:value = 'http://x/']": None,
    "[process:command_line LIKE '%x%']": None,
    "no pattern": None,
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_told_of_gives_values_only_where_each_alone_satisfies_the_pattern(pattern: str) -> None:
    found = [(one.kind, one.value) for one in told_of([indicator(pattern), {"type": "identity"}])]
    assert found == (PATTERNS[pattern] or [("pattern", pattern)])


def test_csv_holds_every_indicator_and_no_formula() -> None:
    objects = [
        indicator("[ipv4-addr:value = '198.51.100.7']", name="=HYPERLINK(1)", confidence=70),
        indicator("title: a\nid: b\n", kind="sigma", tlp=None),
    ]
    rows = list(csv.DictReader(io.StringIO(csv_of(told_of(objects)).decode())))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["name"] == "'=HYPERLINK(1)"
    assert (rows[0]["type"], rows[0]["value"], rows[0]["tlp"]) == ("ipv4", "198.51.100.7", "TLP:AMBER")
    assert (rows[0]["confidence"], rows[0]["techniques"]) == ("70", "T1110.001")
    assert (rows[1]["type"], rows[1]["value"], rows[1]["tlp"]) == ("sigma", "title: a\nid: b\n", "")


def test_list_names_the_strictest_marking_and_counts_what_has_no_value() -> None:
    objects = [
        indicator("[ipv4-addr:value = '198.51.100.7']", tlp=Tlp.GREEN),
        indicator("[domain-name:value = 'a.example']", tlp=Tlp.AMBER_STRICT),
        indicator("[ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '198.51.100.7']"),
        indicator("[process:pid = 1]"),
    ]
    assert list_of(told_of(objects)) == (b"# TLP:AMBER+STRICT\n198.51.100.7\na.example\n", 1)


def test_layer_holds_the_techniques_of_its_matrix_alone() -> None:
    counts = techniques_in([indicator("[process:pid = 1]"), {"type": "x", "labels": ["attack.t0855"]}])
    layer = layer_of("n", "d", counts, Domain.ENTERPRISE)
    assert [one["techniqueID"] for one in layer["techniques"]] == ["T1110.001"]
    assert (layer["versions"]["layer"], layer["domain"]) == ("4.5", "enterprise-attack")
    ics = layer_of("n", "d", counts, Domain.ICS)
    assert [(one["techniqueID"], one["score"]) for one in ics["techniques"]] == [("T0855", 1)]


def test_misp_event_is_read_back_with_its_values_and_its_markings() -> None:
    objects = [
        indicator("[ipv4-addr:value = '198.51.100.7']", tlp=Tlp.GREEN),
        indicator("[domain-name:value = 'a.example']", tlp=Tlp.AMBER_STRICT),
        indicator("[ipv4-addr:value = '198.51.100.7' AND url:value = 'http://x/']"),
    ]
    event = event_of("A title", objects, identifier=stable_id("incident", "a"), at=AT, severity=Severity.HIGH)
    inner = event["Event"]
    assert (inner["threat_level_id"], inner["distribution"], inner["date"]) == ("1", "0", "2026-11-27")
    assert {tag["name"] for tag in inner["Tag"]} >= {"tlp:amber+strict"}
    assert [one["type"] for one in inner["Attribute"]] == ["ip-src", "domain", "stix2-pattern"]
    read = indicators_of(event)
    assert [one["pattern"] for one in read.indicators] == [
        "[ipv4-addr:value = '198.51.100.7']",
        "[domain-name:value = 'a.example']",
    ]
    # The strictest of the event and the attribute: nothing is lighter than it was.
    assert {tuple(one["object_marking_refs"]) for one in read.indicators} == {(Tlp.AMBER_STRICT.marking_id,)}
    assert [one["labels"] for one in read.indicators] == [["attack.t1110.001"]] * 2


@pytest.mark.parametrize(
    ("tlp", "distribution"), [(Tlp.CLEAR, "3"), (Tlp.GREEN, "1"), (Tlp.AMBER, "0"), (Tlp.RED, "0"), (None, "0")]
)
def test_misp_event_is_passed_on_only_where_its_marking_lets_it(tlp: Tlp | None, distribution: str) -> None:
    event = event_of("t", [indicator("[process:pid = 1]", tlp=tlp)], identifier="incident--1", at=AT)
    assert event["Event"]["distribution"] == distribution


@pytest.mark.parametrize(
    ("tags", "tlp"),
    [
        (["tlp:green", "x"], Tlp.GREEN),
        (["TLP:AMBER+STRICT", "tlp:white"], Tlp.AMBER_STRICT),
        (["tlp:ex:chr"], Tlp.RED),
        (["tlp:"], Tlp.RED),
        (["misp-galaxy:x", ""], None),
    ],
)
def test_tlp_of_tags_is_the_strictest_and_red_where_it_cannot_be_read(tags: list[str], tlp: Tlp | None) -> None:
    assert tlp_of_tags(tags) is tlp


VALUES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="'\\\n\r|"), min_size=1, max_size=30)


@given(st.lists(st.tuples(st.sampled_from(["url:value", "domain-name:value", "email-addr:value"]), VALUES), max_size=8))
def test_whatever_the_values_are_nothing_is_lost_on_the_way_through_misp_and_csv(given_: list[tuple[str, str]]) -> None:
    objects = [indicator(f"[{path} = '{value}']") for path, value in given_]
    told = list(told_of(objects))
    rows = list(csv.DictReader(io.StringIO(csv_of(told).decode(), newline="")))
    assert [row["value"].removeprefix("'") for row in rows] == [one.value.removeprefix("'") for one in told]
    event = event_of("t", objects, identifier="incident--1", at=AT)
    values = [(one["type"], one["value"]) for one in event["Event"]["Attribute"]]
    assert len(values) == len(set(values)) == len({(one.kind, one.value) for one in told})
    read = indicators_of(event)
    assert len(read.indicators) + len(read.faults) + read.n_passed_over == len(values)
