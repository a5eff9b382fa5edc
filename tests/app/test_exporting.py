"""Exports over a real store: for oneself what is known, for an ally what its agreement releases."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.content import NewAddress, NewRule, add_address, add_rule
from amagasa.app.exporting import ExportAsked, Exported
from amagasa.app.kept_file import Kept, ReadBack
from amagasa.app.pages import Page
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Crossing, CrossingState, Direction, Store
from amagasa.app.signals import Signals
from amagasa.app.telling import Telling
from amagasa.brief.forms import Form
from amagasa.intel.marking import marking_of
from amagasa.share.agreement import Agreement, Consent
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp
from tests.browser.seed import JAPAN, NOW, RULE, STATES, Book, agreement, alerts, incident_id, incidents

OFFICER = Actor(name="sato", roles=frozenset({Role.RELEASE_OFFICER, Role.ANALYST}))
ANALYST = Actor(name="ito", roles=frozenset({Role.ANALYST}))
WEB = incident_id("web")


class Files:
    def describe(self, file: str) -> Kept:
        return Kept(file=file, name=file, counts={})

    def remove(self, file: str) -> None:
        del file

    def objects(self, file: str) -> ReadBack:
        del file
        return ReadBack(objects=(), n_lines=5)


class Desk:
    def __init__(self, store: Store, terms: Agreement) -> None:
        self.store = store
        self.published: list[str] = []
        signals = Signals()
        signals.subscribe(lambda topic, _: self.published.append(topic))
        self.telling = Telling(
            store=store,
            signals=signals,
            party=JAPAN,
            book=Book(terms),
            secret=bytes(range(32)),
            marking=Tlp.AMBER,
            min_severity=Severity.FATAL,
        )

    def export(
        self, what: str, form: Form = Form.STIX, *, actor: Actor = OFFICER, ally: str = "", marking: str = ""
    ) -> Exported:
        asked = ExportAsked(what=what, form=form, ally=ally, marking=marking)
        return self.telling.export(actor, asked, files=Files(), now=NOW)

    def crossings(self) -> list[Crossing]:
        with self.store.read() as reading:
            return reading.crossings(Page(limit=500), direction=Direction.OUT)[0]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = open_store(tmp_path / "state.sqlite")
    held = alerts()
    with store.write() as tx:
        tx.save_incidents(incidents(held))
        tx.save_alerts(held)
    yield Desk(store, agreement())
    store.close()


def objects_of(exported: Exported) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(exported.text)["objects"]
    return found


def test_export_for_oneself_holds_incident_and_alerts_marked_and_keeps_nothing(desk: Desk) -> None:
    told = desk.export(WEB)
    kinds = {one["type"] for one in objects_of(told)}
    assert kinds >= {"incident", "indicator", "sighting", "identity", "marking-definition"}
    assert all(marking_of(one) is not None for one in objects_of(told) if one["type"] != "marking-definition")
    assert told.n_objects == told.n_written + told.n_left_out + told.n_beside
    assert (desk.crossings(), told.ally) == ([], None)


def test_export_for_an_ally_is_what_left_and_what_stays_is_named(desk: Desk) -> None:
    told = desk.export(WEB, ally=STATES.name)
    released = {one.object_id: one for one in desk.crossings() if one.state is CrossingState.PENDING}
    written = [one for one in objects_of(told) if one["type"] == "sighting"]
    assert written
    assert {one["id"] for one in objects_of(told) if one["type"] not in {"identity", "marking-definition"}} == {
        *released,
        *(one["id"] for one in objects_of(told) if one["type"] == "extension-definition"),
    }
    for one in written:
        assert one == json.loads(released[str(one["id"])].content)
    assert any(one.object_type == "incident" and "consent" in one.why for one in told.left_out)
    assert incidents(alerts())[0].title not in told.text
    assert {"crossing", "outbox"} <= set(desk.published)


@pytest.mark.parametrize("form", Form)
def test_export_for_an_ally_under_no_clause_holds_nothing_in_any_form(desk: Desk, form: Form) -> None:
    closed = Desk(desk.store, replace(agreement(), clauses=()))
    told = closed.export(WEB, form, ally=STATES.id)
    assert told.n_written == 0
    secret = "198.51.100.23"  # the scanner of the scene
    assert secret in desk.export(WEB, Form.MISP).text
    assert secret not in told.text
    assert all(one.state is CrossingState.WITHHELD for one in closed.crossings())


def test_export_for_an_ally_bears_the_terms_of_its_clause(desk: Desk) -> None:
    terms = agreement()
    free = tuple(replace(one, consent=Consent.AUTOMATIC) for one in terms.clauses)
    event = json.loads(Desk(desk.store, replace(terms, clauses=free)).export(WEB, Form.MISP, ally=STATES.id).text)
    tags = {tag["name"] for one in event["Event"]["Attribute"] for tag in one["Tag"]}
    assert 'iep2-policy:permitted_actions="externally-visible-direct-actions"' in tags
    assert "tlp:amber" in tags


def test_export_for_an_ally_twice_releases_once(desk: Desk) -> None:
    first = desk.export(WEB, ally=STATES.id)
    n = len(desk.crossings())
    assert (desk.export(WEB, ally=STATES.id).text, len(desk.crossings())) == (first.text, n)


def test_export_of_an_agreement_is_what_crossed_under_it(desk: Desk) -> None:
    desk.export(WEB, ally=STATES.id)
    n = len(desk.crossings())
    told = desk.export(agreement().id, ally=STATES.id)
    assert {one["type"] for one in objects_of(told)} == {
        "sighting",
        "identity",
        "marking-definition",
        "extension-definition",
    }
    assert len(desk.crossings()) == n
    assert desk.export(agreement().id).n_written == told.n_written


def test_export_for_an_ally_wants_a_release_officer(desk: Desk) -> None:
    with pytest.raises(DeniedError):
        desk.export(WEB, actor=ANALYST, ally=STATES.id)
    assert desk.crossings() == []


def test_export_of_content_never_lowers_the_marking_of_an_offer(desk: Desk) -> None:
    item = add_rule(
        desk.store, ANALYST, NewRule(text=RULE, share=True, marking="amber+strict"), sharing=desk.telling, now=NOW
    )
    add_address(desk.store, ANALYST, NewAddress(address="203.0.113.9", marking="green"), sharing=desk.telling, now=NOW)
    rules = [one for one in objects_of(desk.export(item.id)) if one["type"] == "indicator"]
    assert [marking_of(one) for one in rules] == [Tlp.AMBER_STRICT]
    listed = desk.export("content", Form.LIST)
    assert listed.text.splitlines()[1:] == ["203.0.113.9"]
    assert (listed.marking, [one.object_type for one in listed.left_out]) == ("amber+strict", ["indicator"])


def test_export_for_oneself_is_never_below_the_marking_asked_for(desk: Desk) -> None:
    assert desk.export(WEB, Form.CSV, marking="red").text.startswith("# TLP:RED ")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ExportAsked(what="incident--none"), "AMG-EXPORT-UNKNOWN"),
        (ExportAsked(what="agreement--none"), "AMG-EXPORT-UNKNOWN"),
        (ExportAsked(what=WEB, ally="nobody"), "AMG-EXPORT-ALLY"),
        (ExportAsked(what=WEB, marking="purple"), "AMG-SHARE-TLP"),
    ],
)
def test_export_of_what_is_not_there_is_refused(desk: Desk, asked: ExportAsked, code: str) -> None:
    with pytest.raises(BadInputError) as refused:
        desk.telling.export(OFFICER, asked, files=Files(), now=NOW)
    assert refused.value.code == code
