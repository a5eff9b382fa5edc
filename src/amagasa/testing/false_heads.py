"""Tree heads of a record that its party altered, and forged receipts, each with the code under which a node alarms.

Told in order: the first is true, and the victim countersigns it; each of the others contradicts it.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.share.heads import Shown
from amagasa.share.ledger import Head, SignedHead, head_bytes, to_text
from amagasa.share.receipt import Receipt, SignedReceipt, receipt_bytes

HEADS: Final = "/taxii2/umbrella/heads"
Sign = Callable[[bytes], bytes]


class FalseHead(Struct, frozen=True, kw_only=True):
    """`message` goes to the address HEADS. `code` is "" where nothing is wrong with it."""

    name: str
    message: bytes
    code: str


def false_heads(agreement: str, party: str, sign: Sign) -> Iterator[FalseHead]:
    """`sign` is the lying party's own key: what is false here bears a true signature, except where it is forged."""

    def signed(n: int, root: str) -> SignedHead:
        head = Head(agreement=agreement, party=party, n_leaves=n, root=root * 32, at="2026-01-01T00:00:00.000Z")
        return SignedHead(head=head, signature=to_text(sign(head_bytes(head))))

    def told(
        name: str, head: SignedHead, code: str, *, proof: tuple[str, ...] = (), receipts: tuple[SignedReceipt, ...] = ()
    ) -> FalseHead:
        shown = Shown(head=head, since=1_000 if proof else 0, proof=proof)
        said = {"agreement": agreement, "shown": shown, "held": None, "receipts": receipts}
        message = msgspec.json.encode(said)
        return FalseHead(name=name, message=message, code=code)

    first = signed(1_000, "ab")
    yield told("a head", first, "")
    yield told("an old head", signed(500, "cd"), "AMG-HEAD-OLD")
    yield told("two records of one length", signed(1_000, "cd"), "AMG-HEAD-FORKED")
    yield told("a record that was rewritten", signed(1_001, "ef"), "AMG-HEAD-REWRITTEN", proof=("ef" * 32,))
    yield told("a forged signature", replace(signed(1_002, "01"), signature=first.signature), "AMG-HEAD-FORGED")
    other = replace(first, head=replace(first.head, agreement=f"{agreement}-another"))
    yield told("the head of another record", other, "AMG-HEAD-OTHER")
    receipt = Receipt(
        agreement=agreement,
        object_id="indicator--00000000-0000-4000-8000-000000000001",
        version=first.head.at,
        holder=party,
        at=first.head.at,
        n_stopped=1,
    )
    for name, value in (("a receipt for nothing", sign(receipt_bytes(receipt))), ("a forged receipt", bytes(64))):
        signed_receipt = SignedReceipt(receipt=receipt, signature=to_text(value))
        yield told(name, first, "AMG-RECEIPT-FORGED", receipts=(signed_receipt,))
