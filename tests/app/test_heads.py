"""Tree heads that two nodes show each other: countersigned by themselves, and a record that was altered is found."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.app.head_book import keep_head_book
from amagasa.app.heads import Exchange, root_at
from amagasa.share.heads import MAX_KEPT, HeadFault, Shown, thinned
from amagasa.share.ledger import Act, Head, SignedHead, counter_bytes, to_text
from amagasa.vocab.errors import BadInputError
from tests.app.sides import Side
from tests.entry.link_world import agree, two_nodes


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with two_nodes(tmp_path) as (japan, states):
        both = Side(japan, 1), Side(states, 2)
        agree(japan, states)
        yield both


def newest(heads: tuple[SignedHead, ...]) -> int:
    return heads[-1].head.n_leaves if heads else 0


def exchanged(japan: Side, states: Side, n: int = 3) -> None:
    """Some leaves on both sides, countersigned on both."""
    japan.act(n)
    states.act(n)
    japan.ask(states)
    states.ask(japan)


def test_heads_of_both_are_countersigned_without_anybody(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    assert newest(japan.book().ours) == japan.n_leaves()
    assert newest(japan.book().theirs) == states.n_leaves()
    assert newest(states.book().ours) == states.n_leaves()
    assert [one.book().faults for one in sides] == [(), ()]
    assert [one.alarms() for one in sides] == [[], []]


def test_heads_grow_for_a_thousand_leaves_and_every_proof_holds(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    for n in (1, 2, 300, 1, 500, 255, 1):
        japan.act(n)
        assert japan.ask(states) is None
    assert newest(japan.book().ours) == japan.n_leaves()
    assert states.book().faults == ()


def test_heads_that_nothing_was_added_to_stay_as_they_are(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    before = japan.book().ours, states.leaves()
    for _ in range(3):
        japan.ask(states)
        states.ask(japan)
    assert (japan.book().ours, states.leaves()) == before


def test_heads_whose_answer_was_lost_meet_again(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    japan.act()
    states.desk.answer(
        states.bond, japan.desk.question(japan.bond, now=japan.node.clock.now()), now=japan.node.clock.now()
    )
    japan.act()
    for _ in range(2):
        japan.ask(states)
    assert newest(japan.book().ours) == japan.n_leaves()
    assert japan.book().faults == states.book().faults == ()


def test_heads_of_an_ally_that_forgot_are_proved_from_where_it_stands(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    early = states.book()
    japan.act(5)
    japan.ask(states)
    with states.node.store.write() as tx:
        keep_head_book(tx, states.name, early)
    japan.act(2)
    since = japan.ask(states)
    assert since == newest(early.theirs)
    question = japan.desk.question(japan.bond, since=since, now=japan.node.clock.now())
    answer = states.desk.answer(states.bond, question, now=states.node.clock.now())
    assert japan.desk.hear(japan.bond, answer, question=question, now=japan.node.clock.now()) is None
    assert newest(japan.book().ours) == japan.n_leaves()
    assert states.book().faults == ()


def shown(liar: Side, victim: Side, head: SignedHead, **more: object) -> None:
    message = Exchange(agreement=liar.name, shown=Shown(head=head, **more))  # type: ignore[arg-type]
    victim.desk.answer(victim.bond, msgspec.json.encode(message), now=victim.node.clock.now())


def assert_found(victim: Side, fault: HeadFault, n_countersigned: int) -> None:
    assert [one.code for one in victim.book().faults] == [fault]
    assert newest(victim.book().theirs) == n_countersigned
    assert victim.alarms() == [fault]
    last = victim.leaves()[-1]
    assert last.act is Act.ALARM
    assert f"[{fault}]" in last.why


def test_head_that_is_older_is_found(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    with states.node.store.read() as reading:
        root = root_at(reading, states.name, 2)
    shown(states, japan, states.signed(2, root or ""))
    assert_found(japan, HeadFault.OLD, states.n_leaves())


def test_second_head_of_the_same_length_is_found_with_both_as_proof(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    shown(states, japan, states.signed(states.n_leaves(), "ab" * 32))
    assert_found(japan, HeadFault.FORKED, states.n_leaves())
    (fault,) = japan.book().faults
    assert len({one.head.root for one in fault.evidence}) == 2


def test_record_that_was_rewritten_is_found(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    n = states.n_leaves()
    states.act(2)
    question = msgspec.json.decode(states.desk.question(states.bond, now=states.node.clock.now()), type=Exchange)
    shown(states, japan, states.signed(n + 2, "cd" * 32), since=n, proof=question.shown.proof)
    assert_found(japan, HeadFault.REWRITTEN, n)


def test_head_with_anothers_signature_is_found(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    true = states.signed(50, "ef" * 32)
    shown(states, japan, replace(true, signature=japan.signed(50, "ef" * 32).signature))
    assert_found(japan, HeadFault.FORGED, states.n_leaves())


@pytest.mark.parametrize("root", ["", "ef", "EF" * 32, "zz" * 32])
def test_head_that_is_no_head_is_found(sides: tuple[Side, Side], root: str) -> None:
    japan, states = sides
    shown(states, japan, states.signed(50, root))
    assert_found(japan, HeadFault.OTHER, 0)


def test_countersignature_that_the_ally_forged_is_found(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    held = replace(japan.signed(2, "ab" * 32), signature="", ally=states.node.party.id, countersignature="x")
    head = states.book().ours[-1]
    message = Exchange(agreement=japan.name, shown=Shown(head=head), held=held)
    japan.desk.answer(japan.bond, msgspec.json.encode(message), now=japan.node.clock.now())
    assert_found(japan, HeadFault.FORGED, states.n_leaves())


def test_own_record_that_lost_what_the_ally_countersigned_is_found_here_too(sides: tuple[Side, Side]) -> None:
    """A backup was put back: the ally holds a head of ours, signed by us, that our record does not hold."""
    japan, states = sides
    exchanged(japan, states)
    ahead = japan.signed(japan.n_leaves() + 5, "ab" * 32)
    counter = states.keys.sign(counter_bytes(ahead, states.node.party.id))
    held = replace(ahead, ally=states.node.party.id, countersignature=to_text(counter))
    message = Exchange(agreement=japan.name, shown=Shown(head=states.book().ours[-1]), held=held)
    japan.desk.answer(japan.bond, msgspec.json.encode(message), now=japan.node.clock.now())
    assert_found(japan, HeadFault.LOST, states.n_leaves())


def test_flood_of_false_heads_makes_five_leaves_a_day(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    exchanged(japan, states)
    before = japan.n_leaves()
    for number in range(40):
        shown(states, japan, states.signed(states.n_leaves(), f"{number:064x}"))
    assert japan.n_leaves() == before + 5
    assert japan.alarms() == [HeadFault.FORKED]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"{" * 40_000, b" " * 40_000])
def test_question_that_is_none_is_refused(sides: tuple[Side, Side], body: bytes) -> None:
    japan, _ = sides
    with pytest.raises(BadInputError, match="AMG-HEAD-FORM"):
        japan.desk.answer(japan.bond, body, now=japan.node.clock.now())


@given(n=st.integers(0, 1_000))
def test_thinned_heads_are_few_and_keep_the_first_and_the_newest(n: int) -> None:
    heads: tuple[SignedHead, ...] = ()
    for number in range(n):
        head = Head(agreement="a", party="p", n_leaves=number, root="", at="")
        heads = thinned((*heads, SignedHead(head=head, signature="")))
    kept = [one.head.n_leaves for one in heads]
    assert len(kept) <= MAX_KEPT
    assert kept == sorted(set(kept))
    assert kept[:1] + kept[-1:] == ([0, n - 1] if n else [])
