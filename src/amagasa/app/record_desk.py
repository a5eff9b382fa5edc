"""The records of all agreements: looked through, checked, and handed over. Nothing here changes one.

Every question is answered in bounded time, however long a record is: a long one is looked through and checked part by
part, and the next question says how far the last one came.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.head_book import head_book
from amagasa.app.heads import subtrees_of
from amagasa.app.ledger_export import Ours, keys_of, opening
from amagasa.app.ledger_ports import Wanted
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Reading, Store
from amagasa.app.queries import MissingError
from amagasa.app.record_pages import (
    HeadsChecked,
    LeafProof,
    LeavesView,
    LedgerView,
    PartChecked,
    PartyKey,
    Tree,
    checked_view,
    fault_view,
    head_view,
    leaf_view,
    misfit_view,
    tree_view,
)
from amagasa.app.views import Named, named
from amagasa.share import ledger
from amagasa.share.agreement import Agreement, Party
from amagasa.share.ledger import Misfit, SignedHead, export_lines, untrue
from amagasa.share.merkle import Frontier
from amagasa.share.record_check import CheckedHead, check_heads, go_on, leaf_of, prove
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

PART_LEAVES: Final = 20_000  # less than half a second, and at most some 20 MB


class RecordDesk(Struct, frozen=True, kw_only=True):
    """`kept_heads` gives further heads that allies countersigned, as files. Every method blocks on the store.

    So many leaves as `part_leaves` are read at once.
    """

    store: Store
    book: AgreementBook
    ours: Ours
    kept_heads: Callable[[], Sequence[SignedHead]] = tuple
    part_leaves: int = PART_LEAVES

    def records(self, actor: Actor, *, now: datetime) -> list[LedgerView]:
        """Of every agreement, recorded in or not, and every record, its agreement held or not.

        Those with something wrong stand first, then those in force, then the longest.
        """
        require(actor, Act.READ)
        held = self._newest()
        with self.store.read() as reading:
            known = [*held, *(name for name in reading.ledgers.names() if name not in held)]
            views = [self._record(reading, name, held.get(name), now=now) for name in known]
        return sorted(views, key=lambda one: (not one.faults, not one.is_in_force, -one.n_leaves))

    def leaves(self, actor: Actor, agreement: str, wanted: Wanted) -> LeavesView:
        """A page. An `end` beyond the record is its end. Raises MissingError (AMG-LEDGER-UNKNOWN)."""
        require(actor, Act.READ)
        names = self._names()
        with self.store.read() as reading:
            n = self._tree(reading, agreement).n
            rows, looked_to = reading.ledgers.found(agreement, replace(wanted, end=min(wanted.end, n)))
        return LeavesView(
            leaves=[leaf_view(number, leaf_of(data), names) for number, data in rows],
            next=looked_to or None,
            looked_to=looked_to,
            n_leaves=n,
        )

    def leaf(self, actor: Actor, agreement: str, number: int) -> LeafProof:
        """With the proof that it is in the tree the ally countersigned, or else in the tree as it is now."""
        require(actor, Act.READ)
        names = self._names()
        with self.store.read() as reading:
            tree = self._tree(reading, agreement)
            rows = reading.ledgers.rows(agreement, number, number + 1)
            if not rows:
                raise MissingError("AMG-LEDGER-LEAF", "there is no such leaf", expected=f"0 to {tree.n - 1}")
            over = [one for one in self._standing(reading, agreement) if number < one.head.n_leaves <= tree.n]
            head = next((one for one in reversed(over) if not self._untrue(one)), None)
            whole = (head.head.n_leaves, head.head.root) if head is not None else (tree.n, tree.root.hex())
            proved = prove(rows[0][1], number, whole, subtree=subtrees_of(reading, agreement))
        return LeafProof(
            leaf=leaf_view(number, leaf_of(rows[0][1]), names),
            text=show(rows[0][1].decode("utf-8", "replace"), 8_000),
            hash=proved.hash,
            n_leaves=proved.n_leaves,
            root=proved.root,
            path=list(proved.path),
            head=head_view(head, names) if head is not None else None,
            why=proved.why,
        )

    def check_heads(self, actor: Actor, agreement: str) -> HeadsChecked:
        """Every head that both parties stand by, and that our record went on from each of ours to the next."""
        require(actor, Act.READ)
        names, keys = self._names(), keys_of(self.book, agreement)
        with self.store.read() as reading:
            tree, book = self._tree(reading, agreement), head_book(reading, agreement)
            now = (tree.n, tree.root.hex())
            about, subtree = (agreement, self.ours.party), subtrees_of(reading, agreement)
            ours = check_heads(self._standing(reading, agreement), now, about=about, keys=keys, subtree=subtree)
        about = (agreement, next((party for party in keys if party != self.ours.party), ""))
        theirs = [CheckedHead(signed=one, why=untrue(one, about, keys)) for one in book.theirs]
        return HeadsChecked(
            ours=checked_view(ours, names),
            theirs=checked_view(theirs, names),
            n_leaves=tree.n,
            root=tree.root.hex(),
        )

    def check_part(self, actor: Actor, agreement: str, done: Tree) -> PartChecked:
        """The next leaves behind those that are checked; as many questions as it takes prove the whole record.

        Raises BadInputError (AMG-LEDGER-PART) where `done` is no tree of so many leaves.
        """
        require(actor, Act.READ)
        before = _frontier(done)
        with self.store.read() as reading:
            tree, heads = self._tree(reading, agreement), self._standing(reading, agreement)
            wrong = next((why for one in heads if (why := self._untrue(one))), "")
            rows = reading.ledgers.rows(agreement, before.n, before.n + self.part_leaves)
        found: Frontier | Misfit = Misfit(leaf=None, why=wrong) if wrong else go_on(before, rows, heads)
        is_done = isinstance(found, Misfit) or found.n >= tree.n or not rows
        if is_done and isinstance(found, Frontier):
            found = _end(found, tree, heads)
        after = found if isinstance(found, Frontier) else before
        return PartChecked(
            tree=tree_view(after),
            n_leaves=tree.n,
            is_done=is_done,
            misfit=misfit_view(found) if isinstance(found, Misfit) else None,
            root=after.root.hex(),
            n_heads=len(heads),
            countersigned=max((one.head.n_leaves for one in heads if one.countersignature), default=0),
        )

    def export(self, actor: Actor, agreement: str, *, now: datetime) -> Iterator[bytes]:
        """The copy for `ledger verify`, with a fresh head. Each part is read by itself: leaves are never changed.

        Raises at once as `app.ledger_export.export`.
        """
        require(actor, Act.READ)
        with self.store.read() as reading:
            heads = [*self.kept_heads(), *head_book(reading, agreement).ours]
            header, standing, n = opening(reading, agreement, self.ours, book=self.book, heads=heads, now=now)
        return export_lines(header, standing, self._all(agreement, n))

    def _all(self, agreement: str, n: int) -> Iterator[ledger.Leaf]:
        for start in range(0, n, self.part_leaves):
            with self.store.read() as reading:
                rows = reading.ledgers.rows(agreement, start, min(n, start + self.part_leaves))
            yield from (leaf for _, data in rows if (leaf := leaf_of(data)) is not None)

    def _record(self, reading: Reading, name: str, agreement: Agreement | None, *, now: datetime) -> LedgerView:
        tree, book, names = reading.ledgers.frontier(name), head_book(reading, name), self._names()
        parties = agreement.parties if agreement is not None else ()
        return LedgerView(
            agreement=name,
            title=show(agreement.title) if agreement is not None else "",
            ally=self._ally(agreement, names),
            is_in_force=agreement is not None and agreement.is_in_force(now),
            n_leaves=tree.n,
            root=tree.root.hex(),
            keys=[self._key(party, names) for party in parties],
            ours=[head_view(one, names) for one in reversed(book.ours)],
            theirs=[head_view(one, names) for one in reversed(book.theirs)],
            exchanged_at=book.exchanged_at,
            faults=[fault_view(one, names) for one in reversed(book.faults)],
        )

    def _key(self, party: Party, names: Mapping[str, str]) -> PartyKey:
        return PartyKey(party=named(party.id, names), is_ours=party.id == self.ours.party, key=show(party.key))

    def _ally(self, agreement: Agreement | None, names: Mapping[str, str]) -> Named | None:
        others = [one for one in agreement.parties if one.id != self.ours.party] if agreement is not None else []
        return named(others[0].id, names) if others else None

    def _newest(self) -> dict[str, Agreement]:
        bonds = sorted(self.book.bonds(), key=lambda bond: bond.agreement.version)
        return {bond.agreement.id: bond.agreement for bond in bonds}

    def _names(self) -> dict[str, str]:
        parties = (party for bond in self.book.bonds() for party in bond.agreement.parties)
        return {party.id: show(party.name, 80) for party in parties}

    def _tree(self, reading: Reading, agreement: str) -> Frontier:
        tree = reading.ledgers.frontier(agreement)
        if not tree.n and agreement not in self._newest():
            raise MissingError("AMG-LEDGER-UNKNOWN", "there is no record of this agreement", got=show(agreement))
        return tree

    def _standing(self, reading: Reading, agreement: str) -> list[SignedHead]:
        """Those of our record which the ally countersigned, the shortest first; each once."""
        held = [*self.kept_heads(), *head_book(reading, agreement).ours]
        ours = {
            (one.head.n_leaves, one.head.root, one.signature): one
            for one in held
            if (one.head.agreement, one.head.party) == (agreement, self.ours.party)
        }
        return sorted(ours.values(), key=lambda one: one.head.n_leaves)

    def _untrue(self, signed: SignedHead) -> str:
        agreement = signed.head.agreement
        return untrue(signed, (agreement, self.ours.party), keys_of(self.book, agreement))


def _frontier(done: Tree) -> Frontier:
    if len(done.peaks) != done.n.bit_count():
        raise BadInputError(
            "AMG-LEDGER-PART",
            "this is no tree of so many leaves",
            expected=f"{done.n.bit_count()} hashes for {done.n} leaves",
            got=str(len(done.peaks)),
            then="nothing was checked",
        )
    return Frontier(n=done.n, peaks=tuple(bytes.fromhex(peak) for peak in done.peaks))


def _end(found: Frontier, tree: Frontier, heads: Sequence[SignedHead]) -> Frontier | Misfit:
    """What has to hold when the last leaf is reached."""
    if found.n < tree.n:
        return Misfit(leaf=found.n, why="this leaf is not there")
    if found.n == tree.n and found.root != tree.root:
        return Misfit(leaf=None, why="the leaves are not those of the tree that this node keeps")
    longest = max((one.head.n_leaves for one in heads), default=0)
    if longest > found.n:
        return Misfit(leaf=found.n, why=f"the record ends here, and a signed head counts {longest} leaves")
    return found
