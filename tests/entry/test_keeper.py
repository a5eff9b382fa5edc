"""What the worker is told to look with, over a real store: the new alone where that is enough, all of it where not."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.entry.link_world import StoppedClock

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.app.signals import Signals
from amagasa.app.worker_messages import Active, Content, MoreIndicators
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Rule
from amagasa.entry.node.keeper import ContentKeeper
from amagasa.vocab.ids import stable_id

ALLY = "identity--8d3c6b0e-3b0f-4f86-9a0b-5a1f27a5c001"
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
WAIT_S = 20.0
Message = Content | MoreIndicators


class Keeping:
    """A keeper, with a hand held out where the worker would be."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.signals = Signals()
        self.sent: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.active: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self.signals.subscribe(lambda topic, payload: self.active.put(payload["ids"]) if topic == "active" else None)
        self.keeper = ContentKeeper(store, StoppedClock(NOW), self.signals, no_rules)
        self.keeper.watcher = self

    def send_content(self, content: Message) -> None:
        self.sent.put(content)

    def next(self) -> Message:
        return self.sent.get(timeout=WAIT_S)

    def answer(self, message: Message, *faults: RuleFault) -> list[str]:
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


def no_rules(_documents: Sequence[tuple[str, str]]) -> tuple[Sequence[Rule], Sequence[RuleFault]]:
    return (), ()


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


def ids_in(message: Message) -> list[str]:
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
    later = keeping.hold(2) + keeping.hold(3) + keeping.hold(4, 5)
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
    assert (ids_in(latest), latest.version, sorted(latest.origins)) == (sorted(ids), last.version, sorted(ids))


def test_keeper_of_an_indicator_that_changed_sends_all_again(keeping: Keeping) -> None:
    keeping.begin()
    ids = keeping.hold(1, 2)
    keeping.answer(keeping.next())
    keeping.hold(1)
    again = keeping.next()
    assert isinstance(again, Content)
    assert ids_in(again) == sorted(ids)


@pytest.mark.parametrize("payload", [{}, {"ids": []}])
def test_keeper_not_told_what_changed_sends_all_again(keeping: Keeping, payload: dict[str, Any]) -> None:
    keeping.begin()
    keeping.signals.publish("content", payload)
    assert isinstance(keeping.next(), Content)


def test_keeper_of_a_removed_indicator_sends_all_without_it(keeping: Keeping) -> None:
    keeping.begin()
    one, other = keeping.hold(1, 2)
    keeping.answer(keeping.next())
    with keeping.store.write() as tx:
        tx.remove_content(one)
    keeping.signals.publish("content", {"id": one})
    assert ids_in(keeping.next()) == [other]


def test_keeper_of_an_inactive_indicator_sends_nothing_of_it(keeping: Keeping) -> None:
    keeping.begin()
    inactive = keeping.hold(1, is_active=False)
    active = keeping.hold(2)
    more = keeping.next()
    assert ids_in(more) == active
    keeping.answer(more)
    assert keeping.item(inactive[0]).activated_at is None


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
