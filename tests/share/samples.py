"""Parties, agreements and objects that the tests of this room draw on."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.terms import Role
from amagasa.vocab.tlp import Tlp

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = bytes(range(32))
JAPAN_ID = "identity--1f0c4d0e-6d0e-4b1c-8a6a-2d5a1a7c9b01"
STATES_ID = "identity--2e1d5c3f-7e1f-4c2d-9b7b-3e6b2b8dac02"
THIRD_ID = "identity--3d2e6b40-8f20-4d3e-8c8c-4f7c3c9ebd03"
UNKNOWN_MARKING = "marking-definition--4c3f7a51-9031-4e4f-9d9d-508d4dafce04"
INDICATOR_ID = "indicator--5b408962-a142-4f50-8eae-619e5eb0df05"
SIGHTING_ID = "sighting--6a519873-b253-4061-9fbf-72af6fc1e006"


def party(identifier: str, name: str, role: Role) -> Party:
    return Party(
        id=identifier,
        name=name,
        country=name[:2].upper(),
        role=role,
        key="A" * 43,
        certificate=f"certificate of {name}",
        address=f"https://{name}.example:8443/",
    )


JAPAN = party(JAPAN_ID, "japan", Role.SUPPORTED)
STATES = party(STATES_ID, "states", Role.SUPPORTING)


def clause(**changes: Any) -> Clause:
    given: dict[str, Any] = {
        "id": "indicators-out",
        "giver": JAPAN_ID,
        "objects": ("indicator", "sighting"),
        "ceiling": Tlp.AMBER,
        "consent": Consent.AUTOMATIC,
    }
    return Clause(**(given | changes))


def agreement(*clauses: Clause, **changes: Any) -> Agreement:
    given: dict[str, Any] = {
        "id": "agreement--1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
        "title": "Umbrella",
        "version": 1,
        "parties": (JAPAN, STATES),
        "valid_from_at": datetime(2026, 1, 1, tzinfo=UTC),
        "valid_until_at": datetime(2028, 1, 1, tzinfo=UTC),
        "clauses": clauses,
    }
    return Agreement(**(given | changes))


def indicator(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": INDICATOR_ID,
        "created_by_ref": JAPAN_ID,
        "created": "2026-11-23T10:00:00.000Z",
        "modified": "2026-11-23T10:00:00.000Z",
        "name": "Brute force",
        "description": "Many failures",
        "pattern": "[ipv4-addr:value = '203.0.113.5']",
        "pattern_type": "stix",
        "valid_from": "2026-11-23T10:00:00.000Z",
        "object_marking_refs": [Tlp.AMBER.marking_id],
    }
    merged = given | changes
    return {name: value for name, value in merged.items() if value is not ...}


def sighting(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "type": "sighting",
        "spec_version": "2.1",
        "id": SIGHTING_ID,
        "created_by_ref": JAPAN_ID,
        "created": "2026-11-23T10:00:00.000Z",
        "modified": "2026-11-23T11:00:00.000Z",
        "sighting_of_ref": INDICATOR_ID,
        "where_sighted_refs": [JAPAN_ID],
        "count": 4,
        "first_seen": "2026-11-23T10:00:00.000Z",
        "last_seen": "2026-11-23T11:00:00.000Z",
        "object_marking_refs": [Tlp.GREEN.marking_id],
    }
    merged = given | changes
    return {name: value for name, value in merged.items() if value is not ...}


NAMES = ("labels", "x_note", "x_host", "extensions", "objects", "value", "url", "external_references", "description")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([JAPAN_ID, "", "a"])
)
MARKING_REFS = st.sampled_from([*(tlp.marking_id for tlp in Tlp), UNKNOWN_MARKING])
# What is usual stands often, so that most examples get far enough to be changed and to leave.
USUAL_REFS = st.sampled_from([tlp.marking_id for tlp in (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT) * 3])
ANYTHING = st.recursive(
    SCALARS | MARKING_REFS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*NAMES, "object_marking_refs", "granular_markings"]), inner, max_size=4)
        | st.fixed_dictionaries({"object_marking_refs": st.lists(MARKING_REFS, max_size=2)})
    ),
    max_leaves=20,
)
WEIRD = st.sampled_from([b"bytes", (1, 2), {1: 2}, {"a": {3, 4}}, object(), 10**400, "\ud800", float("nan")])
SOUND_VALUES = st.recursive(
    st.text(alphabet="abcxyz'\\é日", max_size=8) | st.integers(-9, 9) | st.booleans(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)
SELECTORS = st.sampled_from(
    [
        "name",
        "description",
        "labels",
        "labels.[0]",
        "labels.[1]",
        "labels.[2]",
        "x_note",
        "x_note.[0]",
        "x_note.[1].value",
        "x_note.value",
        "objects.value",
        "objects.[0]",
        "id",
        "pattern",
        "object_marking_refs",
        "nowhere",
        "labels.[99]",
        "x..y",
    ]
)
GRANULAR = st.lists(
    st.fixed_dictionaries({"marking_ref": MARKING_REFS, "selectors": st.lists(SELECTORS, min_size=1, max_size=3)})
    | st.fixed_dictionaries({"lang": st.just("ja"), "selectors": st.lists(SELECTORS, min_size=1, max_size=2)}),
    min_size=1,
    max_size=3,
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.lists(st.sampled_from(["one", "two", "three", "two"]), min_size=1, max_size=4),
        "x_note": SOUND_VALUES,
        "x_host": SOUND_VALUES,
        "objects": SOUND_VALUES,
        "granular_markings": GRANULAR,
        "object_marking_refs": st.lists(USUAL_REFS | MARKING_REFS, min_size=1, max_size=2),
        "description": st.text(alphabet="abc", max_size=5),
        "created_by_ref": st.sampled_from([*[JAPAN_ID] * 10, STATES_ID, THIRD_ID]),
        "x_nested": st.fixed_dictionaries({"object_marking_refs": st.lists(USUAL_REFS, min_size=1, max_size=1)}),
    },
)
NEARLY_SOUND = st.builds(lambda base, extras: base | extras, st.sampled_from([indicator(), sighting()]), EXTRAS)
PATHS = st.sampled_from(
    [
        "name",
        "description",
        "labels",
        "labels.*",
        "x_note",
        "x_note.*",
        "x_note.value",
        "x_note.*.value",
        "x_host",
        "x_host.*.url",
        "objects.*.value",
        "objects",
        "where_sighted_refs.*",
        "count",
        "x_note.*",
        "x_host",
        "x_nested",
    ]
    * 4
    + ["pattern", "*", "id", "x_nested.object_marking_refs", "granular_markings"]
)
CLAUSES = st.builds(
    lambda number, giver, objects, ceiling, consent, strip, pseudonymise, patterns: Clause(
        id=f"clause-{number}",
        giver=giver,
        objects=tuple(objects),
        ceiling=ceiling,
        consent=consent,
        strip=tuple(strip),
        pseudonymise=tuple(pseudonymise),
        pattern_types=tuple(patterns),
    ),
    st.integers(0, 3),
    st.sampled_from([*[JAPAN_ID] * 6, STATES_ID]),
    st.sampled_from([*[["indicator", "sighting"]] * 6, ["indicator"], ["sighting"], ["incident"]]),
    st.sampled_from([*[Tlp.AMBER, Tlp.AMBER_STRICT] * 3, *Tlp]),
    st.sampled_from(Consent),
    st.lists(PATHS, max_size=3),
    st.lists(PATHS, max_size=3),
    st.lists(st.sampled_from(["stix", "sigma"]), max_size=1),
)
AGREEMENTS = st.builds(
    lambda clauses: agreement(*clauses), st.lists(CLAUSES, min_size=1, max_size=3, unique_by=lambda one: one.id)
)
