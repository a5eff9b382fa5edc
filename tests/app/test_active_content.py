"""What a node looks with beside its built-in rules: gathered from a real store, compiled, and noted once it is used."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.active_content import Held, as_held, confirm, gather, gather_change
from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.app.worker_messages import Active, Content
from amagasa.detect.correlation.link import link
from amagasa.detect.report import Detection, RuleFault
from amagasa.detect.sigma.compile import compile_all
from amagasa.vocab.severity import Level

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ALLY = "identity--2e1d5c3f-7e1f-4c2d-9b7b-3e6b2b8dac02"
RULE = "title: t\nid: {id}\nlogsource: {{category: webserver}}\ndetection: {{a: {{cs-uri-stem: x}}, condition: a}}\n"
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
INDICATOR = "indicator--5a5d8f3c-8a2e-4f34-9e0c-3c2f8f0a1b11"

ACTIVE = Active(version=1, faults=())


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
    gathered = gather(store, compile_all, version=3)
    assert isinstance(gathered.message, Content)
    assert {(rule.id, rule.origin) for rule in gathered.message.rules} == {(ONE, ""), (TWO, ALLY)}
    assert (gathered.message.version, gathered.message.origins) == (3, {TWO: ALLY})


def test_gather_leaves_out_what_is_not_active(store: Store) -> None:
    hold(store, replace(item(ONE, RULE.format(id=ONE)), is_active=False))
    assert gather(store, compile_all, version=1).ids == frozenset()


ODD_FILTERS = (
    "title: f\nlogsource: {category: webserver}\nfilter: {rules: any, a: {c-ip: x}, condition: not a}\n",
    '{title: f, logsource: {category: webserver}, "filter": {rules: any, a: {c-ip: x}, condition: not a}}',
    "  title: f\n  logsource: {category: webserver}\n  'filter' : {rules: any, a: {c-ip: x}, condition: not a}\n",
)


@pytest.mark.parametrize("text", ODD_FILTERS)
def test_change_of_a_filter_is_one_of_all_however_it_is_written(store: Store, text: str) -> None:
    hold(store, item(ONE, RULE.format(id=ONE)), item(TWO, text))
    assert gather_change(store, compile_all, {TWO}, Held(), version=1) is None
    gathered = gather(store, compile_all, version=1)
    assert (gathered.reaching, gathered.is_acting) == (frozenset({TWO}), True)


def test_filter_is_looked_with_from_the_same_instant_as_its_rules(store: Store) -> None:
    hold(store, item(ONE, RULE.format(id=ONE)), item(TWO, ODD_FILTERS[0]))
    confirm(store, gather(store, compile_all, version=1), ACTIVE, now=NOW)
    assert {one.activated_at for one in held(store).values()} == {NOW}


def test_text_that_names_what_reaches_out_a_hundred_thousand_times_is_gathered_at_once(store: Store) -> None:
    hold(store, item(ONE, RULE.format(id=ONE)), item(TWO, "related:\n" * 100_000, origin=ALLY))
    told = gather_change(store, compile_all, {ONE, TWO}, Held(), version=1)
    assert told is not None
    assert told[0].why.keys() == {TWO}


def test_gather_of_what_cannot_be_read_goes_on_and_says_why(store: Store) -> None:
    broken = item(INDICATOR, "not JSON", kind=ContentKind.STIX)
    hold(store, item(ONE, "title: ["), item(TWO, RULE.format(id=TWO)), broken)
    gathered = gather(store, compile_all, version=1)
    assert gathered.ids == {TWO}
    assert gathered.why.keys() == {ONE, INDICATOR}


def test_confirm_notes_since_when_once_and_why_not(store: Store) -> None:
    hold(store, item(ONE, "title: ["), item(TWO, RULE.format(id=TWO)))
    gathered = gather(store, compile_all, version=1)
    assert sorted(confirm(store, gathered, ACTIVE, now=NOW)) == [ONE, TWO]
    later = NOW + timedelta(hours=1)
    assert confirm(store, gathered, ACTIVE, now=later) == []
    assert (held(store)[TWO].activated_at, held(store)[TWO].fault) == (NOW, "")
    assert held(store)[ONE].activated_at is None
    assert held(store)[ONE].fault


def test_confirm_takes_back_what_the_worker_could_not_use(store: Store) -> None:
    hold(store, item(TWO, RULE.format(id=TWO)))
    gathered = gather(store, compile_all, version=1)
    confirm(store, gathered, ACTIVE, now=NOW)
    fault = RuleFault(path=TWO, rule_id=TWO, why="it cannot run")
    assert confirm(store, gathered, Active(version=1, faults=(fault,)), now=NOW) == [TWO]
    assert (held(store)[TWO].fault, held(store)[TWO].activated_at) == ("it cannot run", None)


def test_confirm_of_what_was_removed_meanwhile_brings_nothing_back(store: Store) -> None:
    hold(store, item(TWO, RULE.format(id=TWO)))
    gathered = gather(store, compile_all, version=1)
    with store.write() as tx:
        tx.remove_content(TWO)
    assert confirm(store, gathered, ACTIVE, now=NOW) == []
    assert held(store) == {}


MANY = """\
title: Many
name: many
id: {id}
correlation: {{type: event_count, rules: [one], timespan: 5m, condition: {{gte: 5}}}}
---
title: One
name: one
logsource: {{category: webserver}}
detection: {{a: {{cs-uri-stem: x}}, condition: a}}
"""


def test_gather_of_a_correlation_with_its_rule_keeps_them_apart_and_the_item_whole(store: Store) -> None:
    hold(store, item(ONE, MANY.format(id=ONE)), item(INDICATOR, MANY.format(id=TWO), origin=ALLY))
    gathered = gather(store, compile_all, version=1)
    assert isinstance(gathered.message, Content)
    ids = {rule.id for rule in gathered.message.rules}
    assert len(ids) == 4
    assert {ONE, INDICATOR, f"{INDICATOR}#1"} <= ids
    assert gathered.ids == {ONE, INDICATOR}
    links, faults = link(gathered.message.rules)
    assert faults == ()
    assert len(links.correlations) == 2


def test_detection_of_a_part_of_an_item_is_held_under_the_item() -> None:
    plain = Detection(
        rule_id=f"{INDICATOR}#1", title="t", level=Level.LOW, path="p", record=1, event_at=None, fields={}, event={}
    )
    assert as_held(plain).rule_id == INDICATOR
    assert as_held(replace(plain, rule_id=ONE)).rule_id == ONE
    assert as_held(replace(plain, rule_id=None, indicator_id=INDICATOR)).rule_id is None


def test_confirm_of_a_correlation_without_its_rule_says_so_at_its_item(store: Store) -> None:
    hold(store, item(ONE, MANY.partition("---")[0].format(id=TWO)))
    gathered = gather(store, compile_all, version=1)
    assert isinstance(gathered.message, Content)
    _, faults = link(gathered.message.rules)
    confirm(store, gathered, Active(version=1, faults=faults), now=NOW)
    assert held(store)[ONE].fault == "it refers to one, and no rule that runs has this id or name"
