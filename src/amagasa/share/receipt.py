"""The receipt of a retraction: the holder's signed word that it no longer looks for what was taken back."""

from typing import Final

import msgspec
import rfc8785
from msgspec import Struct

from amagasa.share.ledger import is_true_signature

FORMAT: Final = "amagasa-receipt-1"


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`holder` took the retraction of this version and, at `at`, looked for the object no longer.

    `n_stopped` counts the rules and indicators that it had in use of it, 0 or 1. `is_elsewhere`: it looks for the same
    on its own word or another's. It had passed the object on to `n_onward` others, of whom `n_onward_done` have given
    it their receipts: another receipt follows when that number grows.
    """

    agreement: str
    object_id: str
    version: str
    holder: str
    at: str
    n_stopped: int
    is_elsewhere: bool = False
    n_onward: int = 0
    n_onward_done: int = 0


class SignedReceipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt with the Ed25519 signature of its holder over `receipt_bytes`, base64url without padding."""

    receipt: Receipt
    signature: str


def receipt_bytes(receipt: Receipt) -> bytes:
    """What its holder signs: canonical JSON (RFC 8785)."""
    return rfc8785.dumps({"format": FORMAT, "receipt": msgspec.to_builtins(receipt)})


def is_true_receipt(signed: SignedReceipt, *, agreement: str, holder: str, key: str) -> bool:
    """Whether this party gave it, under this agreement, with this key."""
    receipt = signed.receipt
    is_theirs = (receipt.agreement, receipt.holder) == (agreement, holder)
    return is_theirs and is_true_signature(key, signed.signature, receipt_bytes(receipt))
