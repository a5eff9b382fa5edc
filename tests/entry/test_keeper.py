"""What the worker is told to look with, over a real store: the new alone where that is enough, all of it where not."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.entry.link_world import StoppedClock

from amagasa.adapters.store.sqlite import open_store
from amagasa.app import active_content
from amagasa.app.kept_file import Kept
from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.app.signals import Signals
from amagasa.app.worker_messages import Active, Change, Content, MoreIndicators, Part, RuleChange
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.compile import compile_all
from amagasa.detect.sigma.rule import Compiled
from amagasa.entry.node.keeper import MAX_TOGETHER, ContentKeeper
from amagasa.vocab.errors import WorldError
from amagasa.vocab.ids import stable_id

ALLY = "identity--8d3c6b0e-3b0f-4f86-9a0b-5a1f27a5c001"
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
WAIT_S = 20.0
RULE = (
    "title: t\nid: {id}\nlogsource: {{category: webserver}}\n"
    "detection: {{a: {{cs-uri|contains: {mark}}}, condition: a}}\n"
)


class Keeping:
    """A keeper, with a hand held out where the worker would be."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.signals = Signals()
        self.sent: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self.active: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self.signals.subscribe(lambda topic, payload: self.active.put(payload["ids"]) if topic == "active" else None)
        self.n_compiled: list[int] = []
        self.failures: list[Exception] = []
        self.keeper = ContentKeeper(store, StoppedClock(NOW), self.signals, self.compile)
        self.keeper.watcher = self

    def compile(self, documents: Sequence[tuple[str, str]]) -> Compiled:
        if self.failures:
            raise self.failures.pop()
        self.n_compiled.append(len(documents))
        return compile_all(documents)

    def send_content(self, content: Iterator[Change]) -> None:
        for message in content:
            self.sent.put(message)

    def next(self) -> Change:
        return self.sent.get(timeout=WAIT_S)

    def answer(self, message: Change, *faults: RuleFault) -> list[str]:
        self.keeper.activated(Active(version=message.version, faults=faults))
        return sorted(self.active.get(timeout=WAIT_S))

    def begin(self) -> None:
        self.keeper.start()
        first = self.next()
        self.keeper.activated(Active(version=first.version, faults=()))

    def hold(self, *numbers: int, **fields: Any) -> list[str]:
        """Put indicators into the store, then say so."""
        items = [indicator_item(number, **fields) for number in numbers]
        with self.store.write() as tx:
            for item in items:
                tx.save_content(item)
        ids = [item.id for item in items]
        self.signals.publish("content", {"ids": ids})
        return ids

    def item(self, content_id: str) -> ContentItem:
        with self.store.read() as reading:
            return reading.content_items([content_id])[0]

    def hold_rules(self, *numbers: int, mark: str = "") -> list[str]:
        """Put rules into the store, then say so."""
        items = [rule_item(number, mark or f"mark-{number}") for number in numbers]
        with self.store.write() as tx:
            for item in items:
                tx.save_content(item)
        ids = [item.id for item in items]
        self.signals.publish("content", {"ids": ids})
        return ids

    def remove(self, *ids: str) -> None:
        with self.store.write() as tx:
            for one in ids:
                tx.remove_content(one)
        self.signals.publish("content", {"ids": list(ids)})


def rule_item(number: int, mark: str) -> ContentItem:
    rule_id = f"11111111-1111-4111-8111-{number:012}"
    text = RULE.format(id=rule_id, mark=mark)
    return ContentItem(
        id=rule_id,
        kind=ContentKind.SIGMA,
        title=f"rule {number}",
        origin="",
        text=text,
        is_active=True,
        added_at=NOW,
        added_by="sato",
    )


def indicator_item(number: int, **fields: Any) -> ContentItem:
    made = {
        "type": "indicator",
        "id": stable_id("indicator", str(number)),
        "pattern": f"[ipv4-addr:value = '198.51.100.{number}']",
    }
    return ContentItem(
        id=made["id"],
        kind=ContentKind.STIX,
        title=f"scanner {number}",
        origin=ALLY,
        text=fields.pop("text", msgspec.json.encode(made).decode()),
        is_active=fields.pop("is_active", True),
        added_at=NOW,
        added_by="States",
        **fields,
    )


@contextmanager
def keeping_in(folder: Path) -> Iterator[Keeping]:
    store = open_store(folder / "state.sqlite")
    keeping = Keeping(store)
    try:
        yield keeping
    finally:
        keeping.keeper.stop()
        store.close()


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    with keeping_in(tmp_path) as keeping:
        yield keeping


def ids_in(message: Change) -> list[str]:
    assert not isinstance(message, RuleChange)
    return sorted(one["id"] for one in message.indicators)


def test_keeper_begun_sends_all_and_then_what_is_new_alone(keeping: Keeping) -> None:
    first = keeping.hold(1)
    keeping.keeper.start()
    everything = keeping.next()
    assert isinstance(everything, Content)
    assert ids_in(everything) == first
    assert keeping.answer(everything) == first
    second = keeping.hold(2)
    more = keeping.next()
    assert isinstance(more, MoreIndicators)
    assert (ids_in(more), more.version, more.origins) == (second, everything.version + 1, {second[0]: ALLY})
    assert keeping.answer(more) == second
    assert keeping.item(second[0]).activated_at == NOW


def test_keeper_takes_together_what_comes_before_the_answer(keeping: Keeping) -> None:
    keeping.begin()
    keeping.hold(1)
    first = keeping.next()
    keeping.hold(2)
    keeping.next()
    later = keeping.hold(3) + keeping.hold(4) + keeping.hold(5, 6)
    assert keeping.sent.empty()
    keeping.answer(first)
    assert ids_in(keeping.next()) == sorted(later)


def test_keeper_asked_for_the_latest_gives_all_that_was_sent(keeping: Keeping) -> None:
    assert keeping.keeper.latest() is None
    keeping.begin()
    ids = keeping.hold(1)
    keeping.answer(keeping.next())
    ids += keeping.hold(2)
    last = keeping.next()
    latest = keeping.keeper.latest()
    assert latest is not None
    head, *rest = list(latest)
    assert isinstance(head, Content)
    assert (head.version, head.is_whole) == (last.version, False)
    (part,) = [one for one in rest if isinstance(one, Part)]
    assert (sorted(ids_in(part)), part.is_last, part.origins) == (sorted(ids), True, dict.fromkeys(ids, ALLY))


def test_keeper_of_many_sends_them_in_parts_of_bounded_size(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active_content, "PART_INDICATORS", 3)
    ids = keeping.hold(*range(1, 9))
    keeping.keeper.start()
    messages = [keeping.next(), keeping.next(), keeping.next()]
    assert [len(ids_in(message)) for message in messages] == [3, 3, 2]
    assert [getattr(message, "is_last", None) for message in messages] == [None, False, True]
    assert keeping.answer(messages[-1]) == sorted(ids)
    assert {keeping.item(one).activated_at for one in ids} == {NOW}


def test_keeper_of_an_indicator_that_changed_sends_it_alone(keeping: Keeping) -> None:
    keeping.begin()
    keeping.hold(1, 2)
    keeping.answer(keeping.next())
    changed = keeping.hold(1)
    again = keeping.next()
    assert isinstance(again, MoreIndicators)
    assert (ids_in(again), again.gone) == (changed, ())


@pytest.mark.parametrize("payload", [{}, {"ids": []}])
def test_keeper_not_told_what_changed_sends_all_again(keeping: Keeping, payload: dict[str, Any]) -> None:
    keeping.begin()
    keeping.signals.publish("content", payload)
    assert isinstance(keeping.next(), Content)


def test_keeper_of_a_removed_indicator_says_that_it_is_gone(keeping: Keeping) -> None:
    keeping.begin()
    one, _ = keeping.hold(1, 2)
    keeping.answer(keeping.next())
    with keeping.store.write() as tx:
        tx.remove_content(one)
    keeping.signals.publish("content", {"id": one})
    message = keeping.next()
    assert isinstance(message, MoreIndicators)
    assert (ids_in(message), message.gone, message.files) == ([], (one,), None)


def test_keeper_of_an_inactive_indicator_sends_nothing_but_that_it_is_gone(keeping: Keeping) -> None:
    keeping.begin()
    inactive = keeping.hold(1, is_active=False)
    gone = keeping.next()
    assert isinstance(gone, MoreIndicators)
    assert (ids_in(gone), list(gone.gone)) == ([], inactive)
    keeping.keeper.activated(Active(version=gone.version, faults=()))
    active = keeping.hold(2)
    more = keeping.next()
    assert ids_in(more) == active
    keeping.answer(more)
    assert keeping.item(inactive[0]).activated_at is None


def test_keeper_of_a_file_sends_the_files_that_count(keeping: Keeping) -> None:
    keeping.begin()
    kept = Kept(file="0123456789abcdef/bad.txt", name="bad.txt", counts={"n_indicators": 2})
    text = msgspec.json.encode(kept).decode()
    item = replace(indicator_item(1), id=stable_id("list", kept.name), kind=ContentKind.LIST, text=text)
    with keeping.store.write() as tx:
        tx.save_content(item)
    keeping.signals.publish("content", {"id": item.id})
    message = keeping.next()
    assert isinstance(message, MoreIndicators)
    assert (message.files, message.indicators, message.gone) == ((kept.file,), (), ())
    assert keeping.answer(message) == [item.id]
    assert keeping.item(item.id).activated_at == NOW
    with keeping.store.write() as tx:
        tx.remove_content(item.id)
    keeping.signals.publish("content", {"id": item.id})
    removed = keeping.next()
    assert isinstance(removed, MoreIndicators)
    assert removed.files == ()


def test_keeper_told_that_one_cannot_run_notes_why(keeping: Keeping) -> None:
    keeping.begin()
    sound, faulty = keeping.hold(1, 2)
    fault = RuleFault(rule_id=faulty, path="", why="the pattern matches everything", code="AMG-INDICATOR-001")
    assert keeping.answer(keeping.next(), fault) == sorted([sound, faulty])
    assert (keeping.item(faulty).fault, keeping.item(faulty).activated_at) == (fault.why, None)
    assert keeping.item(sound).activated_at == NOW


def test_keeper_of_text_that_is_no_indicator_notes_that(keeping: Keeping) -> None:
    keeping.begin()
    (unread,) = keeping.hold(1, text="[]")
    more = keeping.next()
    assert ids_in(more) == []
    assert keeping.answer(more) == [unread]
    assert keeping.item(unread).fault == "it is not a JSON object"


def begun(keeping: Keeping, *numbers: int) -> list[str]:
    """A keeper whose worker looks with these rules."""
    ids = keeping.hold_rules(*numbers)
    keeping.keeper.start()
    keeping.answer(keeping.next())
    return ids


def test_keeper_of_a_new_rule_sends_and_compiles_it_alone(keeping: Keeping) -> None:
    begun(keeping, *range(30))
    new = keeping.hold_rules(99)
    change = keeping.next()
    assert isinstance(change, RuleChange)
    assert ([rule.id for rule in change.rules], change.removed, keeping.n_compiled) == (new, (), [30, 1])
    assert keeping.answer(change) == new
    assert keeping.item(new[0]).activated_at == NOW


def test_keeper_of_a_changed_rule_replaces_it(keeping: Keeping) -> None:
    (one, _) = begun(keeping, 1, 2)
    keeping.hold_rules(1, mark="other")
    change = keeping.next()
    assert isinstance(change, RuleChange)
    assert (change.removed, [rule.id for rule in change.rules]) == ((one,), [one])
    assert change.rules[0].atoms[0].value == "other"


def test_keeper_of_a_removed_rule_says_so_and_compiles_nothing(keeping: Keeping) -> None:
    (one, _) = begun(keeping, 1, 2)
    keeping.remove(one)
    change = keeping.next()
    assert isinstance(change, RuleChange)
    assert (change.removed, change.rules, sum(keeping.n_compiled)) == ((one,), (), 2)


def test_keeper_of_rules_and_indicators_sends_one_message_for_each(keeping: Keeping) -> None:
    keeping.begin()
    rules, indicators = [rule_item(1, "m")], [indicator_item(1)]
    with keeping.store.write() as tx:
        for item in (*rules, *indicators):
            tx.save_content(item)
    keeping.signals.publish("content", {"ids": [item.id for item in (*rules, *indicators)]})
    first, second = keeping.next(), keeping.next()
    assert isinstance(first, RuleChange)
    assert isinstance(second, MoreIndicators)
    assert second.version == first.version + 1
    assert keeping.answer(first) == [rules[0].id]
    assert keeping.answer(second) == [indicators[0].id]


def test_keeper_of_a_rule_that_cannot_run_any_more_removes_it_and_says_why(keeping: Keeping) -> None:
    (one,) = begun(keeping, 1)
    keeping.hold_rules(1, mark="[")
    change = keeping.next()
    assert isinstance(change, RuleChange)
    assert (change.removed, change.rules) == ((one,), ())
    assert keeping.answer(change) == [one]
    assert keeping.item(one).fault


def test_keeper_of_a_rule_mended_forgets_its_fault(keeping: Keeping) -> None:
    (one,) = begun(keeping, 1)
    keeping.hold_rules(1, mark="[")
    keeping.answer(keeping.next())
    keeping.hold_rules(1, mark="good")
    keeping.answer(keeping.next())
    assert (keeping.item(one).fault, keeping.item(one).activated_at) == ("", NOW)


def test_keeper_of_a_whole_set_sends_it_in_parts_and_lets_a_single_rule_before_the_rest(keeping: Keeping) -> None:
    keeping.begin()
    keeping.hold_rules(*range(300))
    parts = [keeping.next(), keeping.next()]
    (single,) = keeping.hold_rules(999)
    keeping.answer(parts[0])
    third = keeping.next()
    assert isinstance(third, RuleChange)
    assert single in {rule.id for rule in third.rules}
    rest: set[str] = set()
    for part in (parts[1], third):
        keeping.answer(part)
    while len(rest) < 300 - 3 * MAX_TOGETHER + 1:
        part = keeping.next()
        assert isinstance(part, RuleChange)
        rest |= {rule.id for rule in part.rules}
        keeping.answer(part)
    latest = keeping.keeper.latest()
    assert latest is not None
    head = next(latest)
    assert isinstance(head, Content)
    assert len({rule.id for rule in head.rules}) == 301


def test_keeper_of_a_filter_gathers_everything(keeping: Keeping) -> None:
    begun(keeping, 1, 2)
    text = "title: f\nlogsource: {category: webserver}\nfilter: {rules: any, a: {cs-uri: x}, condition: not a}\n"
    with keeping.store.write() as tx:
        tx.save_content(replace(rule_item(3, "m"), text=text))
    keeping.signals.publish("content", {"ids": [rule_item(3, "m").id]})
    assert isinstance(keeping.next(), Content)
    keeping.remove(rule_item(3, "m").id)


def test_keeper_whose_compiler_fails_at_first_lets_the_worker_begin(keeping: Keeping) -> None:
    keeping.hold_rules(1)
    keeping.failures = [WorldError("AMG-RULE-031", "the rule compiler cannot start")]
    keeping.keeper.start()
    empty = keeping.next()
    assert isinstance(empty, Content)
    assert (empty.rules, empty.indicators) == ((), ())
    keeping.keeper.activated(Active(version=empty.version, faults=()))
    whole = keeping.next()
    assert isinstance(whole, Content)
    assert len(whole.rules) == 1


def test_keeper_whose_worker_began_anew_takes_its_answer_for_all_before(keeping: Keeping) -> None:
    keeping.begin()
    one = keeping.hold_rules(1)
    keeping.next()
    two = keeping.hold_rules(2)
    last = keeping.next()
    keeping.keeper.activated(Active(version=last.version, faults=()))
    assert sorted(keeping.active.get(timeout=WAIT_S) + keeping.active.get(timeout=WAIT_S)) == sorted(one + two)
