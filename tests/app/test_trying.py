"""What an ally sent is tried on the past first: looked with, held or put aside by the look, the clock or a person."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from amagasa.app.lake_ports import LAKE, LakeHead
from amagasa.app.past import digest_of
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import ContentItem, Position
from amagasa.app.quarantine import CODE, TOLD, is_aside, is_held, lift, quarantine
from amagasa.app.receiving import receive
from amagasa.app.trial_ports import Stage, Tried
from amagasa.app.trying import Look, decide, end_clocks, on_trial
from amagasa.share.ledger import Act
from amagasa.share.terms import Otherwise, Trial
from tests.app.sides import Side
from tests.entry.link_papers import NOW
from tests.entry.link_world import agree, two_nodes

ANALYST = Actor(name="yuki", roles=frozenset({Role.ANALYST}))
HOLD = Trial(wait_s=5, otherwise=Otherwise.HOLD)
OTHER_PATTERN = "[ipv4-addr:value = '198.51.100.200']"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator["Nodes"]:
    with ExitStack() as stack:
        yield Nodes(*stack.enter_context(two_nodes(tmp_path)))


class Nodes:
    """Japan, which keeps records, and its ally."""

    def __init__(self, japan: Any, states: Any) -> None:
        self.japan, self.states = Side(japan, 1), Side(states, 2)
        self.keep_records(LakeHead())
        self.under(Trial())

    def keep_records(self, head: LakeHead | None) -> None:
        token = {} if head is None else {LAKE: msgspec.to_builtins(head)}
        with self.japan.node.store.write() as tx:
            tx.save_position(Position(source="web", token=token))

    def under(self, trial: Trial) -> None:
        japan, states = self.japan.node, self.states.node
        agreement = agree(japan, states)
        agreement = replace(agreement, clauses=tuple(replace(one, trial=trial) for one in agreement.clauses))
        japan.agreements[:] = [agreement]
        states.agreements[:] = [agreement]

    def send(self, number: int = 1, **more: Any) -> str:
        obj = self.states.node.indicator(number, **more)
        node = self.japan.node
        got = receive(node.store, node.signals, self.states.node.party.id, [obj], book=node.book, now=node.clock.now())
        assert not got.refused
        return str(obj["id"])

    def item(self, content_id: str) -> ContentItem:
        with self.japan.node.store.read() as reading:
            (one,) = reading.content_items([content_id])
            return one

    def tried(self, content_id: str) -> Tried:
        tried = self.item(content_id).tried
        assert tried is not None
        return tried

    def look(self, content_id: str, **found: Any) -> list[str]:
        node = self.japan.node
        look = Look(digest=digest_of(self.item(content_id)), since=NOW, **found)
        return decide(node.store, node.signals, node.book, {content_id: look}, now=node.clock.now())

    def end_clocks(self) -> list[str]:
        node = self.japan.node
        return end_clocks(node.store, node.signals, node.book, now=node.clock.now())

    def leaves(self, act: Act) -> list[str]:
        return [leaf.why for leaf in self.japan.leaves() if leaf.act is act]


def test_item_of_an_ally_waits_before_it_is_looked_with(nodes: Nodes) -> None:
    content_id = nodes.send()
    assert (nodes.item(content_id).is_active, nodes.tried(content_id).stage) == (False, Stage.WAITING)
    assert [one.id for one in on_trial(nodes.japan.node.store, limit=10)] == [content_id]
    assert ("trial", {"ids": [content_id]}) in nodes.japan.node.heard


def test_look_that_finds_little_puts_it_to_use_and_is_recorded(nodes: Nodes) -> None:
    content_id = nodes.send()
    nodes.look(content_id, n=412, n_hosts=3, an_hour=17)
    assert (nodes.item(content_id).is_active, nodes.tried(content_id).stage) == (True, Stage.PASSED)
    assert nodes.leaves(Act.TRIAL) == ["it would have found 412 in 24 h on 3 hosts"]
    assert on_trial(nodes.japan.node.store, limit=10) == []


def test_look_that_finds_noise_puts_it_aside_before_it_was_used_and_tells_the_sender(nodes: Nodes) -> None:
    content_id = nodes.send()
    assert nodes.look(content_id, n=24_000, n_hosts=40, an_hour=1_000) == [content_id]
    held = nodes.item(content_id)
    assert is_aside(held)
    assert "24,000 in 24 h on 40 hosts" in held.fault
    assert len(nodes.leaves(Act.QUARANTINE)) == 1
    assert nodes.japan.alarms() == [CODE]
    nodes.japan.ask(nodes.states)
    nodes.japan.ask(nodes.states)
    assert nodes.states.alarms() == [TOLD]


def test_noise_is_what_the_clause_says(nodes: Nodes) -> None:
    nodes.under(Trial(noisy_an_hour=10))
    content_id = nodes.send()
    assert nodes.look(content_id, n=240, an_hour=10) == [content_id]


def test_clock_that_ends_first_puts_it_to_use_where_the_clause_says_so(nodes: Nodes) -> None:
    content_id = nodes.send()
    assert nodes.end_clocks() == []
    nodes.japan.node.clock.advance(1)
    assert nodes.end_clocks() == [content_id]
    assert (nodes.item(content_id).is_active, nodes.tried(content_id).stage) == (True, Stage.UNTRIED)
    assert nodes.leaves(Act.TRIAL) == ["the past was not looked at in time: it is used"]
    assert nodes.end_clocks() == []


def test_look_that_ends_behind_the_clock_still_puts_noise_aside(nodes: Nodes) -> None:
    content_id = nodes.send()
    digest = digest_of(nodes.item(content_id))
    nodes.japan.node.clock.advance(2)
    nodes.end_clocks()
    assert digest == digest_of(nodes.item(content_id))
    assert nodes.look(content_id, n=9_000, an_hour=9_000) == [content_id]


def test_clock_that_ends_first_holds_it_where_the_clause_says_so_until_the_look_ends(nodes: Nodes) -> None:
    nodes.under(HOLD)
    content_id = nodes.send()
    nodes.japan.node.clock.advance(5)
    nodes.end_clocks()
    assert is_held(nodes.item(content_id))
    assert not nodes.item(content_id).is_active
    assert [one.id for one in on_trial(nodes.japan.node.store, limit=10)] == [content_id]
    nodes.look(content_id)
    assert nodes.item(content_id).is_active
    assert nodes.item(content_id).fault == ""


def test_what_is_held_does_not_stand_before_what_has_a_clock(nodes: Nodes) -> None:
    nodes.under(HOLD)
    held = nodes.send(1)
    nodes.japan.node.clock.advance(5)
    nodes.end_clocks()
    waiting = nodes.send(2)
    assert [one.id for one in on_trial(nodes.japan.node.store, limit=10)] == [waiting, held]


@pytest.mark.parametrize(("trial", "is_used"), [(HOLD, False), (Trial(), True)])
def test_past_that_cannot_be_looked_at_wholly_leaves_the_word_to_the_clause(
    nodes: Nodes, trial: Trial, *, is_used: bool
) -> None:
    nodes.under(trial)
    content_id = nodes.send()
    nodes.look(content_id, why_not="web: a file is damaged")
    assert nodes.item(content_id).is_active is is_used
    assert "web: a file is damaged" in nodes.tried(content_id).why
    assert on_trial(nodes.japan.node.store, limit=10) == []


@pytest.mark.parametrize(("trial", "is_used"), [(HOLD, False), (Trial(), True)])
def test_without_records_the_word_of_the_clause_counts_at_once(nodes: Nodes, trial: Trial, *, is_used: bool) -> None:
    nodes.keep_records(None)
    nodes.under(trial)
    content_id = nodes.send()
    assert nodes.item(content_id).is_active is is_used
    assert "no records are kept here" in nodes.tried(content_id).why


def test_clause_without_a_wait_puts_it_to_use_at_once(nodes: Nodes) -> None:
    nodes.under(Trial(wait_s=0))
    content_id = nodes.send()
    assert (nodes.item(content_id).is_active, nodes.item(content_id).tried) == (True, None)


def test_person_may_use_what_is_held_and_it_is_never_put_aside_by_itself(nodes: Nodes) -> None:
    nodes.keep_records(None)
    nodes.under(HOLD)
    content_id = nodes.send()
    lift(nodes.japan.node.store, nodes.japan.node.signals, ANALYST, content_id)
    assert (nodes.item(content_id).is_active, nodes.tried(content_id).stage) == (True, Stage.LIFTED)
    node = nodes.japan.node
    assert quarantine(node.store, node.signals, node.book, now=node.clock.now()) == []


def test_same_again_neither_begins_a_clock_anew_nor_ends_one(nodes: Nodes) -> None:
    content_id = nodes.send()
    until = nodes.tried(content_id).until
    nodes.japan.node.clock.advance(0.5)
    nodes.send(seconds=2)
    assert (nodes.tried(content_id).until, nodes.item(content_id).is_active) == (until, False)


def test_newer_version_that_looks_for_the_same_stays_in_use(nodes: Nodes) -> None:
    content_id = nodes.send()
    nodes.look(content_id)
    nodes.send(seconds=2)
    assert (nodes.item(content_id).is_active, nodes.tried(content_id).stage) == (True, Stage.PASSED)


def test_newer_version_that_looks_for_something_else_is_tried_anew(nodes: Nodes) -> None:
    content_id = nodes.send()
    nodes.look(content_id)
    nodes.send(seconds=2, pattern=OTHER_PATTERN)
    assert (nodes.item(content_id).is_active, nodes.tried(content_id).stage) == (False, Stage.WAITING)


def test_look_at_an_older_version_decides_nothing(nodes: Nodes) -> None:
    content_id = nodes.send()
    old = digest_of(nodes.item(content_id))
    nodes.send(seconds=2, pattern=OTHER_PATTERN)
    node = nodes.japan.node
    look = Look(digest=old, since=NOW, n=9_000, an_hour=9_000)
    assert decide(node.store, node.signals, node.book, {content_id: look}, now=node.clock.now()) == []
    assert nodes.tried(content_id).stage is Stage.WAITING


def test_many_that_find_nothing_are_one_leaf(nodes: Nodes) -> None:
    ids = [nodes.send(number) for number in range(1, 6)]
    node = nodes.japan.node
    looks = {one: Look(digest=digest_of(nodes.item(one)), since=NOW) for one in ids}
    decide(node.store, node.signals, node.book, looks, now=node.clock.now())
    assert nodes.leaves(Act.TRIAL) == ["5 tried: it would have found nothing in 24 h"]
    assert all(nodes.item(one).is_active for one in ids)


def test_taken_back_while_it_waits_is_gone(nodes: Nodes) -> None:
    content_id = nodes.send()
    nodes.send(seconds=2, revoked=True)
    node = nodes.japan.node
    node.clock.advance(5)
    assert nodes.end_clocks() == []
    with node.store.read() as reading:
        assert reading.content_items([content_id]) == []
