"""Exports read back: what a MISP, a spreadsheet or a Navigator gets says no more and bears its marking."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from amagasa.brief.forms import Form, write
from amagasa.brief.meaning import meant_by
from amagasa.brief.written import About
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.misp import indicators_of
from amagasa.intel.build import EXTENSION_ID
from amagasa.intel.marking import marking_of
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp
from tests.share.samples import ANYTHING, JAPAN_ID, NOW, indicator, sighting

ABOUT = About(title="An incident", author_id=JAPAN_ID, author="japan", at=NOW, least=Tlp.AMBER)
VALUES = {
    "ipv4-addr:value": "203.0.113.5",
    "ipv6-addr:value": "2001:db8::5",
    "domain-name:value": "a.evil.example",
    "url:value": "http://evil.example/a?b='c",
    "email-addr:value": "who@evil.example",
    "file:hashes.MD5": "0" * 32,
    "file:hashes.'SHA-1'": "1" * 40,
    "file:hashes.'SHA-256'": "2" * 64,
    "file:name": "evil's name.exe",
    "windows-registry-key:key": "HKEY_LOCAL_MACHINE\\SOFTWARE\\Evil",
}


def pattern(path: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{path} = '{escaped}']"


def incident(**changes: Any) -> dict[str, Any]:
    facts = {
        "extension_type": "property-extension",
        "severity": 4,
        "status": "open",
        "techniques": ["T1110.001", "T0855"],
        "source_addresses": ["198.51.100.7", "address--not-told", "192.0.2.0/24"],
    }
    made = {
        "type": "incident",
        "spec_version": "2.1",
        "id": stable_id("incident", "one"),
        "created_by_ref": JAPAN_ID,
        "created": "2026-11-23T10:00:00.000Z",
        "modified": "2026-11-23T11:00:00.000Z",
        "name": "Brute force",
        "description": "Severity high",
        "extensions": {EXTENSION_ID: facts},
        "object_marking_refs": [Tlp.AMBER_STRICT.marking_id],
    }
    return made | changes


def misp(*objects: dict[str, Any], about: About = ABOUT) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(write(objects, Form.MISP, about).text)["Event"]
    return event


@pytest.mark.parametrize("path", VALUES)
def test_misp_indicator_read_back_is_the_same(path: str) -> None:
    given_one = indicator(pattern=pattern(path, VALUES[path]), name="Brute force", confidence=80)
    (back,) = indicators_of({"Event": misp(given_one)}).indicators
    same, _ = compile_indicators([given_one])
    again, faults = compile_indicators([back])
    assert not faults
    assert (again.equal, again.prefixes) == (same.equal, same.prefixes)
    assert (back["id"], marking_of(back), back["confidence"]) == (given_one["id"], Tlp.AMBER, 75)


@given(
    st.lists(st.sampled_from([*Tlp, None]), min_size=1, max_size=5),
    st.sampled_from([Tlp.CLEAR, Tlp.AMBER, Tlp.RED]),
)
def test_misp_marking_read_back_is_never_lower(markings: list[Tlp | None], least: Tlp) -> None:
    objects = [
        indicator(
            id=stable_id("indicator", str(n)),
            pattern=pattern("ipv4-addr:value", f"203.0.113.{n}"),
            object_marking_refs=... if tlp is None else [tlp.marking_id],
        )
        for n, tlp in enumerate(markings)
    ]
    about = msgspec.structs.replace(ABOUT, least=least)
    read = {one["id"]: one for one in indicators_of({"Event": misp(*objects, about=about)}).indicators}
    for obj in objects:
        back = marking_of(read[obj["id"]])
        assert back is not None
        assert back >= max(marking_of(obj) or least, least)


def test_misp_pattern_of_more_than_a_value_stays_whole() -> None:
    both = "[ipv4-addr:value = '203.0.113.5' AND network-traffic:dst_port = 22]"
    event = misp(indicator(pattern=both))
    assert [(one["type"], one["value"]) for one in event["Attribute"]] == [("stix2-pattern", both)]
    (back,) = indicators_of({"Event": event}).indicators
    assert (back["pattern"], back["pattern_type"]) == (both, "stix")


def test_misp_incident_is_the_event_with_its_addresses_and_no_stand_in() -> None:
    event = misp(incident())
    assert (event["uuid"], event["threat_level_id"], event["distribution"]) == (incident()["id"][10:], "1", "0")
    assert [one["value"] for one in event["Attribute"] if one["to_ids"]] == ["198.51.100.7", "192.0.2.0/24"]
    assert {"name": "tlp:amber+strict"} in event["Tag"]
    assert {"name": 'misp-galaxy:mitre-attack-pattern="T1110.001"'} in event["Tag"]


def test_misp_sighting_stands_at_what_was_seen() -> None:
    (attribute,) = misp(indicator(), sighting())["Attribute"]
    assert [one["date_sighting"] for one in attribute["Sighting"]] == ["1795431600"]


def test_misp_permissible_actions_stay() -> None:
    event = misp(indicator(labels=["PAP:AMBER"]))
    assert {"name": "PAP:AMBER"} in event["Attribute"][0]["Tag"]
    (back,) = indicators_of({"Event": event}).indicators
    assert "PAP:AMBER" in back["labels"]


def test_misp_terms_of_the_clause_are_tags() -> None:
    tag = 'iep2-policy:permitted_actions="internally-visible-actions"'
    about = msgspec.structs.replace(ABOUT, tags={indicator()["id"]: (tag,)})
    assert {"name": tag} in misp(indicator(), about=about)["Attribute"][0]["Tag"]


def test_misp_event_is_accepted_by_its_own_library() -> None:
    pymisp = pytest.importorskip("pymisp", reason="pymisp is not installed")
    objects = [
        *(
            indicator(id=stable_id("indicator", path), pattern=pattern(path, value), confidence=50)
            for path, value in VALUES.items()
        ),
        indicator(
            id=stable_id("indicator", "sigma"), pattern="title: x", pattern_type="sigma", pattern_version="2.1.0"
        ),
        indicator(),
        sighting(),
        incident(),
    ]
    told = write(objects, Form.MISP, ABOUT)
    event = pymisp.MISPEvent(strict_validation=True)
    event.from_json(told.text)
    assert len(event.attributes) == len(VALUES) + 1 + 2 + 1  # one value stands in two objects
    assert {tag.name for tag in event.tags} >= {"tlp:amber+strict"}
    types = event.describe_types
    for one in event.attributes:
        assert one.type in types["category_type_mappings"][one.category], (one.type, one.category)


def test_bundle_is_accepted_by_stix2_and_stands_by_itself() -> None:
    objects = [indicator(), sighting(), incident()]
    told = write(objects, Form.STIX, ABOUT)
    bundle = stix2.parse(told.text, allow_custom=False)
    held = {one["id"] for one in bundle.objects}
    for one in json.loads(told.text)["objects"]:
        assert held >= {*one.get("object_marking_refs", ()), one.get("created_by_ref", one["id"])}
    assert [json.loads(told.text)["objects"][-3:]] == [objects]
    assert (told.marking, told.n_written, told.left_out) == (Tlp.AMBER_STRICT, 3, ())


def test_bundle_marks_what_bears_no_marking() -> None:
    told = write([indicator(object_marking_refs=...)], Form.STIX, ABOUT)
    assert json.loads(told.text)["objects"][-1]["object_marking_refs"] == [Tlp.AMBER.marking_id]


# What layer format 4.5 says of each property that we write (layerformat.md of the ATT&CK Navigator).
LAYER = {
    "name": str,
    "versions": dict,
    "domain": str,
    "description": str,
    "sorting": int,
    "techniques": list,
    "gradient": dict,
    "metadata": list,
}
TECHNIQUE = {"techniqueID": str, "score": int, "comment": str, "enabled": bool, "showSubtechniques": bool}


@pytest.mark.parametrize(
    ("form", "domain", "technique"),
    [(Form.NAVIGATOR, "enterprise-attack", "T1110.001"), (Form.NAVIGATOR_ICS, "ics-attack", "T0855")],
)
def test_navigator_layer_is_of_format_4_5_and_holds_one_matrix(form: Form, domain: str, technique: str) -> None:
    layer = json.loads(write([incident(), indicator()], form, ABOUT).text)
    assert (layer["domain"], [one["techniqueID"] for one in layer["techniques"]]) == (domain, [technique])
    assert {name: type(value) for name, value in layer.items()} == LAYER
    assert layer["versions"]["layer"] == "4.5"
    assert layer["gradient"]["maxValue"] > layer["gradient"]["minValue"]
    for one in layer["techniques"]:
        assert {name: type(value) for name, value in one.items()} == TECHNIQUE
    assert layer["metadata"] == [{"name": "marking", "value": "TLP:AMBER+STRICT"}]


def test_navigator_names_what_names_no_technique() -> None:
    told = write([indicator()], Form.NAVIGATOR, ABOUT)
    assert [one.why for one in told.left_out] == ["it names no technique"]
    assert json.loads(told.text)["techniques"] == []


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.split("\n", 1)[1])))


def test_csv_has_a_row_for_each_value_and_the_marking_on_top() -> None:
    two = indicator(pattern="[ipv4-addr:value IN ('203.0.113.5', '203.0.113.6')]", name='=cmd|"/c calc"!A0')
    told = write([two, incident()], Form.CSV, ABOUT)
    assert told.text.startswith("# TLP:AMBER+STRICT An incident, by japan\n")
    rows = rows_of(told.text)
    assert [one["value"] for one in rows] == ["203.0.113.5", "203.0.113.6", "198.51.100.7", "192.0.2.0/24"]
    assert rows[0]["description"] == "'=cmd|'/c calc'!A0"
    assert [one["tlp"] for one in rows] == ["TLP:AMBER"] * 2 + ["TLP:AMBER+STRICT"] * 2


@pytest.mark.parametrize("value", ["=1+1", "+cmd", "-2", "@sum", "two\nlines", "#remark"])
def test_table_value_which_a_spreadsheet_would_run_is_left_out_by_name(value: str) -> None:
    for form in (Form.CSV, Form.LIST):
        told = write([indicator(pattern=pattern("file:name", value))], form, ABOUT)
        assert value not in told.text
        assert [one.object_id for one in told.left_out] == [indicator()["id"]]


def test_list_holds_each_value_once() -> None:
    told = write([indicator(), indicator(id=stable_id("indicator", "two"))], Form.LIST, ABOUT)
    assert told.text.splitlines()[1:] == ["203.0.113.5"]


@pytest.mark.parametrize("form", [Form.MISP, Form.CSV, Form.LIST])
def test_revoked_indicator_is_left_out_by_name(form: Form) -> None:
    told = write([indicator(revoked=True)], form, ABOUT)
    assert "203.0.113.5" not in told.text
    assert [one.why for one in told.left_out] == ["it was revoked"]


@pytest.mark.parametrize(
    "wide",
    [
        "[ipv4-addr:value != '203.0.113.5']",
        "[ipv4-addr:value NOT IN ('203.0.113.5')]",
        "[ipv4-addr:value = '203.0.113.5'] FOLLOWEDBY [url:value = 'http://a/']",
        "[ipv4-addr:value = '203.0.113.5'] WITHIN 5 SECONDS",
        "[file:name LIKE 'a%']",
        "[ipv4-addr:value = '203.0.113.5' OR file:size = 5]",
        "not a pattern",
    ],
)
def test_values_of_a_pattern_that_says_more_are_none(wide: str) -> None:
    assert meant_by(indicator(pattern=wide)) == ()


OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["indicator", "incident", "sighting", "malware", "identity"]) | ANYTHING,
        "id": st.sampled_from([indicator()["id"], "indicator--x"]) | ANYTHING,
        "pattern": st.sampled_from([pattern(*one) for one in VALUES.items()]) | ANYTHING,
        "pattern_type": st.sampled_from(["stix", "sigma", "pcre"]) | ANYTHING,
        "name": ANYTHING,
        "labels": ANYTHING,
        "confidence": ANYTHING,
        "created": ANYTHING,
        "modified": ANYTHING,
        "valid_from": ANYTHING,
        "valid_until": ANYTHING,
        "revoked": ANYTHING,
        "extensions": st.dictionaries(st.just(EXTENSION_ID), ANYTHING) | ANYTHING,
        "external_references": ANYTHING,
        "object_marking_refs": ANYTHING,
        "sighting_of_ref": ANYTHING,
        "last_seen": ANYTHING,
    },
)


@given(st.lists(OBJECTS, max_size=4), st.sampled_from(Form))
def test_any_object_is_written_left_out_or_beside(objects: list[dict[str, Any]], form: Form) -> None:
    told = write(objects, form, ABOUT)
    assert told.n_written + len(told.left_out) + told.n_beside == len(objects)
    assert told.marking >= Tlp.AMBER


def test_misp_value_of_two_objects_stands_once_under_the_stricter_marking() -> None:
    other = indicator(id=stable_id("indicator", "two"), object_marking_refs=[Tlp.RED.marking_id], labels=["PAP:RED"])
    (attribute,) = misp(indicator(), other)["Attribute"]
    assert [tag["name"] for tag in attribute["Tag"]] == ["tlp:red", "PAP:RED"]


def test_event_date_is_the_day_of_the_incident() -> None:
    about = msgspec.structs.replace(ABOUT, at=datetime(2027, 1, 1, tzinfo=UTC))
    assert misp(incident(), about=about)["date"] == "2026-11-23"


@pytest.mark.data
def test_published_events_are_written_and_read_back_as_they_were() -> None:
    folder = Path(__file__).parents[3] / "shared" / "data" / "cti" / "misp_eset"
    if not folder.is_dir():
        pytest.skip(f"no folder of real events at {folder}")
    files = sorted(folder.glob("*.json.gz"))
    assert files
    for file in files:
        given_ones = indicators_of(json.loads(gzip.decompress(file.read_bytes()))).indicators
        told = write(given_ones, Form.MISP, ABOUT)
        back = indicators_of(json.loads(told.text)).indicators
        assert told.left_out == (), file.name
        before, after = compile_indicators(given_ones)[0], compile_indicators(back)[0]
        assert {where: set(held) for where, held in after.equal.items()} == {
            where: set(held) for where, held in before.equal.items()
        }, file.name


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
def test_misp_tags_of_event_object_and_attribute_are_read_as_the_strictest(tags: list[str], tlp: Tlp | None) -> None:
    attribute = {"type": "ip-src", "value": "203.0.113.5", "to_ids": True}
    said = [{"name": name} for name in tags]
    places: list[dict[str, Any]] = [
        {"Tag": said, "Attribute": [attribute]},
        {"Attribute": [attribute | {"Tag": said}]},
        {"Object": [{"Tag": said, "Attribute": [attribute]}]},
    ]
    for event in places:
        (read,) = indicators_of({"Event": event}).indicators
        assert marking_of(read) is tlp
