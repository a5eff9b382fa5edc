"""A node with its signing key, and what it shows its ally of its record."""

from msgspec.structs import replace

from amagasa.app.head_book import HeadBook, head_book
from amagasa.app.heads import HeadsDesk
from amagasa.app.pages import Page
from amagasa.app.ports import Bond
from amagasa.app.turned_away import TurnedAway
from amagasa.share.ledger import Head, Leaf, SignedHead, head_bytes, to_text
from tests.entry.link_world import Node
from tests.share.keys import Keys


class Side:
    """One node and what it says of heads."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node, self.keys = node, Keys(seed)
        node.party = replace(node.party, key=self.keys.public_key)
        self.desk = HeadsDesk(
            store=node.store, signals=node.signals, signer=self.keys, party=node.party.id, book=node.book
        )

    @property
    def bond(self) -> Bond:
        (bond,) = self.node.book.bonds()
        return bond

    @property
    def name(self) -> str:
        return self.bond.agreement.id

    def act(self, n: int = 1) -> None:
        """Leaves, as acts of the node make them."""
        noting = TurnedAway(self.node.store, self.node.book, self.node.clock, self.node.signals)
        for _ in range(n):
            self.node.clock.advance(3_600)
            noting.note(self.bond.ally.id, "AMG-TAXII-LARGE", "too large")

    def ask(self, other: "Side") -> int | None:
        question = self.desk.question(self.bond, now=self.node.clock.now())
        answer = other.desk.answer(other.bond, question, now=other.node.clock.now())
        return self.desk.hear(self.bond, answer, question=question, now=self.node.clock.now())

    def book(self) -> HeadBook:
        with self.node.store.read() as reading:
            return head_book(reading, self.name)

    def n_leaves(self) -> int:
        with self.node.store.read() as reading:
            return reading.ledgers.frontier(self.name).n

    def alarms(self) -> list[str]:
        with self.node.store.read() as reading:
            return [alert.content_id for alert in reading.alerts(Page(limit=50))[0]]

    def severities(self) -> list[str]:
        with self.node.store.read() as reading:
            return [alert.severity.name for alert in reading.alerts(Page(limit=50))[0]]

    def leaves(self) -> list[Leaf]:
        with self.node.store.read() as reading:
            return list(reading.ledgers.leaves(self.name))

    def signed(self, n: int, root: str) -> SignedHead:
        head = Head(agreement=self.name, party=self.node.party.id, n_leaves=n, root=root, at="2026-11-23T05:00:00Z")
        return SignedHead(head=head, signature=to_text(self.keys.sign(head_bytes(head))))
