"""What a node looks with beside its built-in rules: gathered from a real store, compiled, and noted once it is used."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.active_content import confirm, gather
from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.app.worker_messages import Content
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.compile import compile_rules

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ALLY = "identity--2e1d5c3f-7e1f-4c2d-9b7b-3e6b2b8dac02"
RULE = "title: t\nid: {id}\nlogsource: {{category: webserver}}\ndetection: {{a: {{cs-uri-stem: x}}, condition: a}}\n"
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
INDICATOR = "indicator--5a5d8f3c-8a2e-4f34-9e0c-3c2f8f0a1b11"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "store.sqlite")
    yield opened
    opened.close()


def item(item_id: str, text: str, *, kind: ContentKind = ContentKind.SIGMA, origin: str = "") -> ContentItem:
    return ContentItem(
        id=item_id, kind=kind, title="t", origin=origin, text=text, is_active=True, added_at=NOW, added_by="sato"
    )


def hold(store: Store, *items: ContentItem) -> None:
    with store.write() as tx:
        for one in items:
            tx.save_content(one)


def held(store: Store) -> dict[str, ContentItem]:
    with store.read() as reading:
        return {one.id: one for one in reading.content()}


def test_gather_gives_rules_the_identifier_and_origin_they_are_held_under(store: Store) -> None:
    hold(store, item(ONE, RULE.format(id=TWO)), item(TWO, RULE.format(id=TWO), origin=ALLY))
    gathered = gather(store, compile_rules, version=3)
    assert isinstance(gathered.message, Content)
    assert {(rule.id, rule.origin) for rule in gathered.message.rules} == {(ONE, ""), (TWO, ALLY)}
    assert (gathered.message.version, gathered.message.origins) == (3, {TWO: ALLY})


def test_gather_leaves_out_what_is_not_active(store: Store) -> None:
    hold(store, replace(item(ONE, RULE.format(id=ONE)), is_active=False))
    assert gather(store, compile_rules, version=1).ids == frozenset()


def test_gather_of_what_cannot_be_read_goes_on_and_says_why(store: Store) -> None:
    broken = item(INDICATOR, "not JSON", kind=ContentKind.STIX)
    hold(store, item(ONE, "title: ["), item(TWO, RULE.format(id=TWO)), broken)
    gathered = gather(store, compile_rules, version=1)
    assert gathered.ids == {TWO}
    assert gathered.why.keys() == {ONE, INDICATOR}


def test_confirm_notes_since_when_once_and_why_not(store: Store) -> None:
    hold(store, item(ONE, "title: ["), item(TWO, RULE.format(id=TWO)))
    gathered = gather(store, compile_rules, version=1)
    assert sorted(confirm(store, gathered, (), now=NOW)) == [ONE, TWO]
    later = NOW + timedelta(hours=1)
    assert confirm(store, gathered, (), now=later) == []
    assert (held(store)[TWO].activated_at, held(store)[TWO].fault) == (NOW, "")
    assert held(store)[ONE].activated_at is None
    assert held(store)[ONE].fault


def test_confirm_takes_back_what_the_worker_could_not_use(store: Store) -> None:
    hold(store, item(TWO, RULE.format(id=TWO)))
    gathered = gather(store, compile_rules, version=1)
    confirm(store, gathered, (), now=NOW)
    fault = RuleFault(path=TWO, rule_id=TWO, why="it cannot run")
    assert confirm(store, gathered, (fault,), now=NOW) == [TWO]
    assert (held(store)[TWO].fault, held(store)[TWO].activated_at) == ("it cannot run", None)


def test_confirm_of_what_was_removed_meanwhile_brings_nothing_back(store: Store) -> None:
    hold(store, item(TWO, RULE.format(id=TWO)))
    gathered = gather(store, compile_rules, version=1)
    with store.write() as tx:
        tx.remove_content(TWO)
    assert confirm(store, gathered, (), now=NOW) == []
    assert held(store) == {}
