"""The records of agreements as people look at them: paged, proved, checked, handed over; also where they are broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, text

from amagasa.app.ledger_export import Ours
from amagasa.app.ledger_ports import Wanted
from amagasa.app.permissions import NODE, Actor
from amagasa.app.queries import MissingError
from amagasa.app.record_desk import RecordDesk
from amagasa.app.record_pages import PartChecked, Tree
from amagasa.share.ledger import Fits, verify_lines
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.app.sides import Side
from tests.entry.link_world import agree, two_nodes

ALL = Wanted(end=2**62)
UNKNOWN = "agreement--00000000-0000-4000-8000-000000000000"


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with two_nodes(tmp_path) as (japan, states):
        both = Side(japan, 1), Side(states, 2)
        agree(japan, states)
        yield both


def desk_of(side: Side) -> RecordDesk:
    return RecordDesk(
        store=side.node.store,
        book=side.node.book,
        ours=Ours(party=side.node.party.id, signer=side.keys),
        part_leaves=100,
    )


def checked(side: Side) -> PartChecked:
    done = Tree()
    while not (part := desk_of(side).check_part(NODE, side.name, done)).is_done:
        done = part.tree
    return part


def spoil(side: Side, statement: str) -> None:
    """As whoever has the disk."""
    engine = create_engine(f"sqlite:///{side.node.path}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_record_that_nothing_stands_in_is_shown_as_empty(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    (record,) = desk_of(japan).records(NODE, now=japan.node.clock.now())
    assert (record.n_leaves, record.ours, record.theirs, record.exchanged_at) == (0, [], [], None)
    assert (record.title, record.is_in_force) == (japan.bond.agreement.title, True)
    assert [key.is_ours for key in record.keys].count(True) == 1
    page = desk_of(japan).leaves(NODE, japan.name, ALL)
    assert (page.leaves, page.next, page.n_leaves) == ([], None, 0)
    part = checked(japan)
    assert (part.is_done, part.misfit, part.n_leaves) == (True, None, 0)


def test_leaves_are_paged_from_the_newest_and_found_by_kind_and_text(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    japan.act(6)
    desk = desk_of(japan)
    first = desk.leaves(NODE, japan.name, replace(ALL, limit=4))
    assert [leaf.n for leaf in first.leaves] == [5, 4, 3, 2]
    second = desk.leaves(NODE, japan.name, replace(ALL, end=first.next or 0, limit=4))
    assert [leaf.n for leaf in second.leaves] == [1, 0]
    assert second.next is None
    assert desk.leaves(NODE, japan.name, replace(ALL, acts=("terms", "alarm"))).leaves == []
    assert len(desk.leaves(NODE, japan.name, replace(ALL, acts=("terms", "refusal"))).leaves) == 6
    assert len(desk.leaves(NODE, japan.name, replace(ALL, text="amg-taxii-LARGE")).leaves) == 6
    assert desk.leaves(NODE, japan.name, replace(ALL, text='%_"\\')).leaves == []


def test_leaves_are_looked_for_in_bounded_steps(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    japan.act(9)
    page = desk_of(japan).leaves(NODE, japan.name, replace(ALL, acts=("terms",), depth=4))
    assert (page.leaves, page.next, page.looked_to) == ([], 5, 5)


def test_leaf_is_proved_in_the_tree_that_the_ally_countersigned(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    japan.act(300)
    japan.ask(states)
    japan.act(2)
    desk = desk_of(japan)
    covered, newest = desk.leaf(NODE, japan.name, 3), desk.leaf(NODE, japan.name, 301)
    assert covered.head is not None
    assert covered.head.countersigned_by is not None
    assert (covered.why, covered.n_leaves) == ("", 300)
    assert (newest.why, newest.head, newest.n_leaves) == ("", None, 302)
    assert newest.path


def test_heads_are_all_checked_on_both_sides(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    for n in (2, 300, 1):
        japan.act(n)
        states.act(1)
        japan.ask(states)
    found = desk_of(japan).check_heads(NODE, japan.name)
    assert [one.why for one in (*found.ours, *found.theirs)] == [""] * 6
    assert found.ours[0].head.n_leaves == found.n_leaves == 303


def test_whole_record_is_checked_in_as_many_parts_as_it_takes(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    japan.act(120)
    japan.ask(states)
    japan.act(130)
    first = desk_of(japan).check_part(NODE, japan.name, Tree())
    assert (first.is_done, first.tree.n) == (False, 100)
    last = checked(japan)
    assert (last.misfit, last.tree.n, last.countersigned) == (None, 250, 120)


def test_record_that_was_altered_on_disk_is_found_everywhere(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    japan.act(20)
    japan.ask(states)
    spoil(japan, "UPDATE ledger_leaf SET body = replace(CAST(body AS TEXT), 'too large', 'too small') WHERE n = 7")
    desk = desk_of(japan)
    misfit = checked(japan).misfit
    assert misfit is not None
    assert misfit.leaf in {7, 8}
    assert desk.leaf(NODE, japan.name, 7).why == "the leaf is not the one that stood there"
    assert desk.leaf(NODE, japan.name, 6).why != ""


def test_record_with_leaves_cut_off_or_no_json_is_shown_and_named(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    japan.act(20)
    japan.ask(states)
    spoil(japan, "UPDATE ledger_leaf SET body = x'ff00' WHERE n = 5")
    spoil(japan, "DELETE FROM ledger_leaf WHERE n > 17")
    desk = desk_of(japan)
    page = desk.leaves(NODE, japan.name, ALL)
    assert [leaf.n for leaf in page.leaves if leaf.fault] == [5]
    assert desk.leaf(NODE, japan.name, 5).why == "leaves are missing"
    assert (checked(japan).misfit or pytest.fail("nothing found")).leaf == 5
    assert desk.check_heads(NODE, japan.name).ours[0].why == ""  # the roots of the ends are those that were signed
    spoil(japan, "DELETE FROM ledger_leaf WHERE n > 4")
    assert (checked(japan).misfit or pytest.fail("nothing found")).leaf == 5


def test_export_is_what_verify_takes(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    japan.act(150)
    japan.ask(states)
    found = verify_lines(desk_of(japan).export(NODE, japan.name, now=japan.node.clock.now()))
    assert isinstance(found, Fits)
    assert (found.n_leaves, found.countersigned) == (150, 150)


def test_what_is_not_there_or_no_tree_is_refused(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    japan.act(1)
    desk = desk_of(japan)
    with pytest.raises(MissingError, match="AMG-LEDGER-UNKNOWN"):
        desk.leaves(NODE, UNKNOWN, ALL)
    with pytest.raises(MissingError, match="AMG-LEDGER-LEAF"):
        desk.leaf(NODE, japan.name, 1)
    with pytest.raises(BadInputError, match="AMG-LEDGER-PART"):
        desk.check_part(NODE, japan.name, Tree(n=3, peaks=["ab" * 32]))
    with pytest.raises(BadInputError, match="AMG-LEDGER-UNKNOWN"):
        desk.export(NODE, UNKNOWN, now=japan.node.clock.now())
    with pytest.raises(DeniedError):
        desk.records(Actor(name="nobody", roles=frozenset()), now=japan.node.clock.now())


def test_part_that_somebody_else_checked_does_not_prove_this_record(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    japan.act(5)
    part = desk_of(japan).check_part(NODE, japan.name, Tree(n=4, peaks=["ab" * 32]))
    assert part.misfit is not None
