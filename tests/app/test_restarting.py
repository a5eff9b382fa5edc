"""After a backup was put back both sides agree that the record goes on behind the last head which both hold."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.heads import HeadsDesk
from amagasa.app.ledger_export import Ours
from amagasa.app.restarting import agree, propose, take_in
from amagasa.share.heads import HeadFault
from amagasa.share.ledger import Act, to_text
from amagasa.share.restart import SignedRestart, read_restart, restart_bytes
from amagasa.vocab.errors import BadInputError
from tests.app.sides import Side
from tests.entry.link_world import agree as put_under_agreement
from tests.entry.link_world import two_nodes


class Pair:
    """Japan, whose store is put back, and its ally."""

    def __init__(self, japan: Side, states: Side, backup: Path) -> None:
        self.japan, self.states, self.backup = japan, states, backup

    def exchange(self) -> None:
        for _ in range(2):
            self.japan.ask(self.states)
            self.states.ask(self.japan)

    def back_up(self) -> None:
        with sqlite3.connect(self.japan.node.path) as source, sqlite3.connect(self.backup) as target:
            source.backup(target)
        source.close()
        target.close()

    def put_back(self) -> None:
        node = self.japan.node
        node.store.close()
        for path in node.path.parent.glob(f"{node.path.name}*"):
            path.unlink()
        self.backup.rename(node.path)
        node.store = open_store(node.path)
        self.japan.desk = HeadsDesk(
            store=node.store, signals=node.signals, signer=self.japan.keys, party=node.party.id, book=node.book
        )

    def proposed(self) -> SignedRestart:
        side = self.japan
        with side.node.store.read() as reading:
            return propose(
                reading, side.name, ours(side), book=side.node.book, why="disk lost", now=side.node.clock.now()
            )

    def agreed(self, signed: SignedRestart) -> SignedRestart:
        side = self.states
        return agree(side.node.store, signed, ours(side), book=side.node.book, now=side.node.clock.now())

    def take_in(self, signed: SignedRestart) -> None:
        side = self.japan
        take_in(side.node.store, signed, ours(side), book=side.node.book, now=side.node.clock.now())


def ours(side: Side) -> Ours:
    return Ours(party=side.node.party.id, signer=side.keys)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Five leaves are in the backup, and nine the ally countersigned; then the backup is put back."""
    with two_nodes(tmp_path) as nodes:
        made = Pair(Side(nodes[0], 1), Side(nodes[1], 2), tmp_path / "backup.sqlite")
        put_under_agreement(*nodes)
        made.japan.act(5)
        made.exchange()
        made.back_up()
        made.japan.act(4)
        made.exchange()
        made.put_back()
        made.japan.act(2)
        made.exchange()
        yield made


def test_backup_put_back_is_an_alarm_until_both_agree_and_then_heads_are_countersigned_again(pair: Pair) -> None:
    assert [fault.code for fault in pair.japan.book().faults] == [HeadFault.LOST]
    assert pair.states.book().faults
    pair.take_in(pair.agreed(pair.proposed()))
    assert (pair.japan.book().faults, pair.states.book().faults) == ((), ())
    pair.japan.act(1)
    pair.exchange()
    assert (pair.japan.book().faults, pair.states.book().faults) == ((), ())
    n = pair.japan.n_leaves()
    assert pair.japan.book().ours[-1].head.n_leaves >= n - 1
    assert pair.states.book().theirs[-1].head.root == pair.japan.book().ours[-1].head.root


def test_restart_is_a_leaf_on_both_sides_and_the_lost_head_stays_with_both(pair: Pair) -> None:
    lost = pair.states.book().theirs[-1].head
    signed = pair.agreed(pair.proposed())
    pair.take_in(signed)
    for side in (pair.japan, pair.states):
        (leaf,) = [leaf for leaf in side.leaves() if leaf.act is Act.RESTART]
        assert "disk lost" in leaf.why
        assert side.book().restarts[-1].restart.lost.head == lost
        assert side.book().settled


def test_record_goes_on_behind_the_last_head_that_both_hold(pair: Pair) -> None:
    restart = pair.proposed().restart
    assert restart.before is not None
    assert restart.before.head in {one.head for one in pair.states.book().theirs}
    assert restart.n_kept <= 6


def test_taken_in_twice_it_is_one_restart(pair: Pair) -> None:
    signed = pair.agreed(pair.proposed())
    pair.take_in(signed)
    pair.take_in(signed)
    assert len(pair.japan.book().restarts) == 1


def test_said_once_it_cannot_be_said_again_when_the_record_has_grown(pair: Pair) -> None:
    proposed = pair.proposed()
    pair.take_in(pair.agreed(proposed))
    pair.japan.act(3)
    pair.exchange()
    with pytest.raises(BadInputError, match="not the newest"):
        pair.agreed(proposed)


def test_rewriting_behind_a_restart_is_found_as_before(pair: Pair) -> None:
    pair.take_in(pair.agreed(pair.proposed()))
    pair.japan.act(1)
    pair.exchange()
    pair.back_up()
    pair.japan.act(2)
    pair.exchange()
    pair.put_back()
    pair.exchange()
    assert pair.states.book().faults[-1].code == HeadFault.OLD
    assert HeadFault.LOST in [fault.code for fault in pair.japan.book().faults]


def test_nothing_lost_is_nothing_to_begin_anew(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as nodes:
        made = Pair(Side(nodes[0], 1), Side(nodes[1], 2), tmp_path / "x")
        put_under_agreement(*nodes)
        made.japan.act(2)
        made.exchange()
        with pytest.raises(BadInputError, match="AMG-RESTART-NONE"):
            made.proposed()


def test_altered_forged_or_unagreed_statement_counts_for_nothing(pair: Pair) -> None:
    good = pair.proposed()
    other = replace(good.restart, why="nothing happened")
    with pytest.raises(BadInputError, match="did not sign it"):
        pair.agreed(replace(good, restart=other))
    ours_instead = replace(good, restart=other, signature=to_text(pair.states.keys.sign(restart_bytes(other))))
    with pytest.raises(BadInputError, match="did not sign it"):
        pair.agreed(ours_instead)
    bare = replace(good.restart, lost=replace(good.restart.lost, countersignature="", ally=""))
    forged = replace(good, restart=bare, signature=to_text(pair.japan.keys.sign(restart_bytes(bare))))
    with pytest.raises(BadInputError, match="both signatures"):
        pair.agreed(forged)
    with pytest.raises(BadInputError, match="not agreed"):
        pair.take_in(good)
    assert pair.states.book().restarts == ()


def test_statement_that_takes_nothing_back_is_refused(pair: Pair) -> None:
    good = pair.proposed().restart
    odd = replace(good, before=good.lost)
    with pytest.raises(BadInputError, match="nothing back"):
        pair.agreed(SignedRestart(restart=odd, signature=to_text(pair.japan.keys.sign(restart_bytes(odd)))))


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_reading_it_never_raises(data: bytes) -> None:
    assert read_restart(data) is None
