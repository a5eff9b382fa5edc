"""Two parties with real keys and certificates, made once for the tests of agreements."""

import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from amagasa.adapters.seal.keys import PartyKeys, create_party_keys
from amagasa.share.agreement import Agreement, Card
from amagasa.share.draft import parse_draft
from amagasa.share.draft_text import draft_text
from amagasa.share.signing import SignedAgreement, signed_bytes, with_signature
from tests.share.samples import JAPAN_ID, STATES_ID

FROM = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = datetime(2027, 11, 1, tzinfo=UTC)
SIGNED_AT = datetime(2026, 10, 20, 8, 30, 0, 123000, tzinfo=UTC)


@cache
def keys(name: str) -> PartyKeys:
    with tempfile.TemporaryDirectory() as folder:
        return create_party_keys(Path(folder), name=name, hosts=["127.0.0.1"], now=FROM)


def card(name: str, identifier: str, country: str) -> Card:
    made = keys(name)
    return Card(
        id=identifier,
        name=name,
        country=country,
        key=made.public_key,
        certificate=made.certificate,
        address="https://127.0.0.1:8443/taxii2/",
    )


@cache
def japan() -> Card:
    return card("日本", JAPAN_ID, "JP")


@cache
def states() -> Card:
    return card("United States", STATES_ID, "US")


def draft() -> str:
    return draft_text(japan(), states(), valid_from_at=FROM, valid_until_at=UNTIL)


def drafted() -> Agreement:
    made = parse_draft(draft().encode())
    assert isinstance(made, Agreement)
    return made


def sign(signed: SignedAgreement, *cards: Card) -> SignedAgreement:
    for one in cards:
        message = signed_bytes(signed.agreement, one.id, SIGNED_AT)
        signed = with_signature(signed, one.id, SIGNED_AT, keys(one.name).sign(message))
    return signed


def both_signed() -> SignedAgreement:
    return sign(SignedAgreement(agreement=drafted()), states(), japan())
