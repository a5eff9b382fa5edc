from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from amagasa.app.courier import CourierDesk
from amagasa.app.permissions import NODE, Actor, Role
from amagasa.app.ports import CrossingState, Direction
from amagasa.share.courier import Head, bound_to, line_of, part_bytes, signed_bytes
from amagasa.share.ledger import Act
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.entry.link_world import Node, agree, two_nodes
from tests.share.cards import keys

COURIER = "709e56a4-3883-43c7-898c-1d8aadda84eb"


class Pair:
    """Two nodes whose keys are real, and the courier desk of each."""

    def __init__(self, japan: Node, states: Node) -> None:
        self.japan, self.states = japan, states
        for node, name in ((japan, "japan"), (states, "states")):
            node.party = replace(node.party, key=keys(name).public_key)
        agree(japan, states)
        self.ours, self.theirs = self.desk(japan, "japan"), self.desk(states, "states")

    def desk(self, node: Node, name: str) -> CourierDesk:
        return CourierDesk(
            store=node.store,
            signals=node.signals,
            book=node.book,
            party=node.party.id,
            box=keys(name),
            draw_id=lambda: COURIER,
        )

    def parts(self) -> list[bytes]:
        """All that waits for the States."""
        parts, after, part = [], 0, 1
        while True:
            made = self.ours.write(
                NODE, self.states.party.name, courier=COURIER, part=part, after=after, now=self.japan.clock.now()
            )
            parts += [made.content] if made.content else []
            after, part = made.after, part + bool(made.content)
            if made.is_last:
                return parts


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with two_nodes(tmp_path) as nodes:
        yield Pair(*nodes)


def read(desk: CourierDesk, data: bytes, node: Node) -> tuple[int, int, bytes]:
    done = desk.read(NODE, data, now=node.clock.now())
    return done.n_objects, done.n_settled, done.answer


def states_of(node: Node) -> set[CrossingState]:
    return {one.state for one in node.crossings(Direction.OUT)}


def indicators(node: Node) -> int:
    with node.store.read() as reading:
        return len(reading.content())


def test_courier_brings_what_waits_and_its_answer_settles_it(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1), pair.japan.indicator(2)])
    (part,) = pair.parts()
    assert states_of(pair.japan) == {CrossingState.PENDING}
    n_objects, _, answer = read(pair.theirs, part, pair.states)
    assert (n_objects, indicators(pair.states)) == (2, 2)
    assert read(pair.ours, answer, pair.japan)[1] == 2
    assert {(one.state, one.why) for one in pair.japan.crossings()} == {(CrossingState.DELIVERED, "carried by courier")}


def test_courier_read_twice_and_after_the_line_changes_nothing(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1)])
    (part,) = pair.parts()
    read(pair.theirs, part, pair.states)
    before = pair.states.crossings(Direction.IN)
    done = pair.theirs.read(NODE, part, now=pair.states.clock.now())
    assert (done.n_new, done.missing) == (0, ())
    assert pair.states.crossings(Direction.IN) == before


def test_courier_many_objects_are_parts_that_are_read_in_any_order(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(number) for number in range(2_000)])
    first, second = pair.parts()
    done = pair.theirs.read(NODE, second, now=pair.states.clock.now())
    assert (done.is_last, done.missing) == (True, (1,))
    assert pair.theirs.read(NODE, first, now=pair.states.clock.now()).missing == ()
    assert indicators(pair.states) == 2_000


def test_courier_each_object_in_it_is_a_leaf_of_the_record(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1)])
    pair.parts()
    with pair.japan.store.read() as reading:
        leaves = list(reading.ledgers.leaves(reading.ledgers.names()[0]))
    assert [(one.act, one.by) for one in leaves if one.act is Act.COURIER] == [(Act.COURIER, "node")]


def test_courier_holds_nothing_in_clear(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1)])
    (part,) = pair.parts()
    assert b"198.51.100" not in part
    assert b"indicator" not in part


def test_courier_nothing_waits_writes_nothing(pair: Pair) -> None:
    assert pair.parts() == []


def test_courier_object_taken_back_meanwhile_stays_taken_back(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1)])
    (old,) = pair.parts()
    pair.japan.clock.advance(60)
    pair.japan.release([pair.japan.indicator(1, seconds=5, revoked=True)])
    (new,) = pair.parts()
    for part in (new, old):
        read(pair.theirs, part, pair.states)
    assert indicators(pair.states) == 0


def test_courier_unknown_ally_is_bad_input(pair: Pair) -> None:
    with pytest.raises(BadInputError, match="AMG-COURIER-ALLY"):
        pair.ours.write(NODE, "nobody", courier="", part=1, after=0, now=pair.japan.clock.now())


def test_courier_is_the_release_officers(pair: Pair) -> None:
    watch = Actor(name="w", roles=frozenset({Role.WATCH_OFFICER}))
    with pytest.raises(DeniedError):
        pair.ours.write(watch, pair.states.party.id, courier="", part=1, after=0, now=pair.japan.clock.now())
    with pytest.raises(DeniedError):
        pair.theirs.read(watch, b"", now=pair.states.clock.now())


def forged(pair: Pair, *, load: object = None, by: str = "japan", to: str = "states", **head: str) -> bytes:
    """A part as a hostile party would make it."""
    made = Head(
        agreement="a",
        courier=COURIER,
        is_last=True,
        made_at="",
        part=1,
        receiver=head.get("receiver", pair.states.party.id),
        sender=head.get("sender", pair.japan.party.id),
    )
    line = line_of(made)
    plain = load if isinstance(load, bytes) else msgspec.json.encode(load)
    sealed = keys(by).seal(keys(to).public_key, plain, bound_to=bound_to(line))
    return part_bytes(line, keys(by).sign(signed_bytes(line, sealed)), sealed)


def refused(pair: Pair, data: bytes) -> str:
    with pytest.raises(BadInputError) as caught:
        pair.theirs.read(NODE, data, now=pair.states.clock.now())
    assert pair.states.crossings(Direction.IN) == []
    return caught.value.code


def test_courier_hostile_parts_are_refused_each_by_its_name(pair: Pair) -> None:
    stranger = "identity--00000000-0000-4000-8000-000000000009"
    assert refused(pair, b"") == "AMG-COURIER-FORM"
    assert refused(pair, forged(pair, receiver=stranger)) == "AMG-COURIER-OTHER"
    assert refused(pair, forged(pair, sender=stranger)) == "AMG-COURIER-STRANGER"
    assert refused(pair, forged(pair, by="stranger")) == "AMG-COURIER-SIGNATURE"
    assert refused(pair, forged(pair, to="stranger")) == "AMG-COURIER-SEALED"
    assert refused(pair, forged(pair, load=b"[" * 100_000)) == "AMG-COURIER-FORM"
    assert refused(pair, forged(pair, load=b"[" * 1_000_001)) == "AMG-COURIER-SIZE"
    assert refused(pair, forged(pair, load=[])) == "AMG-COURIER-FORM"


def test_courier_objects_beyond_the_agreement_are_refused_in_the_answer(pair: Pair) -> None:
    odd = {**pair.japan.indicator(1), "created_by_ref": pair.states.party.id}
    part = forged(pair, load={"waiting": [{"token": "1.x", "object": odd}, {"token": "2.x", "object": None}]})
    done = pair.theirs.read(NODE, part, now=pair.states.clock.now())
    assert (done.n_new, len(done.refused)) == (0, 2)
    assert {"AMG-ADMIT-OURS", "AMG-ADMIT-SHAPE"} == {why.split("[")[-1].rstrip("]") for _, why in done.refused}


def test_courier_ended_agreement_carries_nothing_more(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1)])
    (part,) = pair.parts()
    pair.states.clock.advance(3_651 * 86_400)
    assert refused(pair, part) == "AMG-COURIER-STRANGER"


def test_courier_looked_at_says_what_it_would_bring_and_keeps_nothing(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1), pair.japan.indicator(2)])
    (part,) = pair.parts()
    looked = pair.theirs.look(NODE, part, now=pair.states.clock.now())
    assert (looked.n_admitted, looked.n_new, looked.is_known, looked.refused) == (
        4,
        4,
        False,
        (),
    )  # with the maker and the marking
    assert dict(looked.kinds)["indicator"] == 2
    assert pair.states.crossings(Direction.IN) == []
    _, _, answer = read(pair.theirs, part, pair.states)
    again = pair.theirs.look(NODE, part, now=pair.states.clock.now())
    assert (again.n_new, again.is_known) == (0, True)
    assert pair.ours.look(NODE, answer, now=pair.japan.clock.now()).n_fates == 2


def test_courier_looked_at_is_judged_as_it_would_be_read(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(1)])
    (part,) = pair.parts()
    with pytest.raises(BadInputError, match="AMG-COURIER-SIGNATURE"):
        pair.theirs.look(NODE, part[:-1] + bytes([part[-1] ^ 1]), now=pair.states.clock.now())
    with pytest.raises(BadInputError, match="AMG-COURIER-OTHER"):
        pair.ours.look(NODE, part, now=pair.japan.clock.now())
    watch = Actor(name="w", roles=frozenset({Role.WATCH_OFFICER}))
    with pytest.raises(DeniedError):
        pair.theirs.look(watch, part, now=pair.states.clock.now())
