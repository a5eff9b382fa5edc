"""What an ally sent and turns out to be noise is put aside, the ally hears of it, and a person may lift it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amagasa.app.past import Past, note
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import ContentItem
from amagasa.app.quarantine import CODE, NOISY, TOLD, is_aside, lift, quarantine
from amagasa.app.receiving import receive
from amagasa.app.watch import record_batch
from amagasa.app.worker_messages import Batch
from amagasa.detect.report import Detection
from amagasa.share.ledger import Act
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.severity import Level
from tests.app.sides import Side
from tests.entry.link_world import agree, two_nodes

ANALYST = Actor(name="yuki", roles=frozenset({Role.ANALYST}))


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with two_nodes(tmp_path) as (japan, states):
        both = Side(japan, 1), Side(states, 2)
        agree(japan, states)
        yield both


def sent(giver: Side, taker: Side, **more: Any) -> str:
    obj = giver.node.indicator(**more)
    node = taker.node
    got = receive(node.store, node.signals, giver.node.party.id, [obj], book=node.book, now=node.clock.now())
    assert not got.refused
    return str(obj["id"])


def found(taker: Side, giver: Side, content_id: str, n: int, *, is_allied: object = True) -> None:
    """So many findings of one item, each in a record of its own."""
    now = taker.node.clock.now()
    detections = tuple(
        Detection(
            indicator_id=content_id,
            title="noise",
            level=Level.HIGH,
            path="access.log",
            record=number,
            event_at=now,
            fields={},
            event={},
            origin=giver.node.party.id if is_allied else "",
        )
        for number in range(1, n + 1)
    )
    batch = Batch(
        source="web", token={}, n_read=n, n_accepted=n, n_rejected=0, rejects=(), detections=detections, faults=(),
        last_record_at=None, lag_bytes=0,
    )  # fmt: skip
    record_batch(taker.node.store, batch, lambda *_: (), now=now)


def put_aside(side: Side) -> list[str]:
    return quarantine(side.node.store, side.node.signals, side.node.book, now=side.node.clock.now())


def item(side: Side, content_id: str) -> ContentItem:
    with side.node.store.read() as reading:
        (one,) = reading.content_items([content_id])
        return one


def test_noise_is_put_aside_recorded_and_told(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    found(japan, states, content_id, NOISY)
    assert put_aside(japan) == [content_id]
    held = item(japan, content_id)
    assert is_aside(held)
    assert "1,000 within an hour" in held.fault
    assert japan.leaves()[-1].act is Act.QUARANTINE
    assert CODE in japan.alarms()
    assert put_aside(japan) == []
    japan.ask(states)
    japan.ask(states)
    assert states.alarms() == [TOLD]


def test_what_finds_less_stays_in_use(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    found(japan, states, content_id, NOISY - 1)
    assert put_aside(japan) == []
    assert item(japan, content_id).is_active


def test_what_found_much_long_ago_stays_in_use(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    found(japan, states, content_id, NOISY)
    japan.node.clock.advance(3_601)
    assert put_aside(japan) == []


def test_what_would_have_been_noise_in_the_past_is_put_aside(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    now = japan.node.clock.now()
    past = Past(
        digest="", n=5 * NOISY, first_at=now - timedelta(hours=4), last_at=now, where="", is_whole=True, looked_at=now
    )
    with japan.node.store.write() as tx:
        note(tx, {content_id: past})
    assert put_aside(japan) == [content_id]


def test_own_content_is_never_put_aside(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    found(japan, states, content_id, 2 * NOISY, is_allied=False)
    assert put_aside(japan) == []


def test_lifted_by_a_person_it_stays_in_use(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    found(japan, states, content_id, NOISY)
    put_aside(japan)
    lift(japan.node.store, japan.node.signals, ANALYST, content_id)
    assert (item(japan, content_id).is_active, item(japan, content_id).fault) == (True, "")
    assert put_aside(japan) == []


def test_lift_by_nobody_or_of_nothing_is_refused(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    with pytest.raises(BadInputError, match="AMG-CONTENT-NOT-ASIDE"):
        lift(japan.node.store, japan.node.signals, ANALYST, content_id)
    with pytest.raises(DeniedError):
        lift(japan.node.store, japan.node.signals, Actor(name="x", roles=frozenset({Role.AUDITOR})), content_id)


def test_newer_version_of_another_text_is_tried_anew_and_of_the_same_is_not(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    content_id = sent(states, japan)
    found(japan, states, content_id, NOISY)
    put_aside(japan)
    sent(states, japan, seconds=2)
    assert is_aside(item(japan, content_id))
    sent(states, japan, seconds=5, pattern="[ipv4-addr:value = '198.51.100.200']")
    assert item(japan, content_id).is_active
