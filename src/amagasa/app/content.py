"""Rules and indicators of the node's own: added, shared with allies in the same transaction, removed."""

import ipaddress
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
import yaml
from msgspec import Struct

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import ContentItem, ContentKind, Store, Writing
from amagasa.app.queries import MissingError
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp, tlp_of_word

RULE_CHARACTERS: Final = 65_536
TITLE_CHARACTERS: Final = 300


class Sharing(Protocol):
    """How our own knowledge is put into STIX, released and decided upon. Carried out by app.telling."""

    def rule_object(self, text: str, *, rule_id: str, title: str, marking: Tlp, now: datetime) -> dict[str, Any]:
        """The STIX indicator (`pattern_type` sigma) of a rule."""

    def address_object(self, address: str, *, title: str, marking: Tlp, now: datetime) -> dict[str, Any]:
        """The STIX indicator of an IP address. Raises BadInputError for one that means something inside only."""

    def release(self, tx: Writing, objects: Sequence[dict[str, Any]], *, now: datetime) -> None:
        """Decide per ally and agreement, and keep what comes of it as crossings in this transaction."""

    def decide(self, actor: Actor, crossing_id: int, *, approve: bool, version: str, now: datetime) -> None:
        """A release officer's yes or no to the version of a crossing that was looked at."""


class NewRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Sigma rule to add; `share` offers it to the allies, up to what each agreement lets out."""

    text: str
    share: bool = False
    marking: str = "amber"


class NewAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address (IPv4 or IPv6) to look for."""

    address: str
    title: str = ""
    share: bool = False
    marking: str = "amber"


def add_rule(store: Store, actor: Actor, new: NewRule, *, sharing: Sharing, now: datetime) -> ContentItem:
    """Hold the rule and, if asked, offer it to the allies. The compiler says afterwards whether it can run.

    Raises BadInputError where the text is no Sigma document at all.
    """
    require(actor, Act.WRITE_CONTENT)
    marking = _marking(new.marking)
    rule_id, title = _identity(new.text)
    item = ContentItem(
        id=rule_id,
        kind=ContentKind.SIGMA,
        title=title,
        origin="",
        text=new.text,
        is_active=True,
        added_at=now,
        added_by=actor.name,
    )
    with store.write() as tx:
        _refuse_held_by_ally(tx, item)
        tx.save_content(item)
        if new.share:
            shared = sharing.rule_object(new.text, rule_id=rule_id, title=title, marking=marking, now=now)
            sharing.release(tx, [shared], now=now)
    return item


def add_address(store: Store, actor: Actor, new: NewAddress, *, sharing: Sharing, now: datetime) -> ContentItem:
    """Hold an indicator for an address and, if asked, offer it to the allies."""
    require(actor, Act.WRITE_CONTENT)
    marking = _marking(new.marking)
    address = _address(new.address)
    title = new.title.strip()[:TITLE_CHARACTERS] or address
    indicator = sharing.address_object(address, title=title, marking=marking, now=now)
    item = ContentItem(
        id=str(indicator["id"]),
        kind=ContentKind.STIX,
        title=title,
        origin="",
        text=msgspec.json.encode(indicator).decode(),
        is_active=True,
        added_at=now,
        added_by=actor.name,
    )
    with store.write() as tx:
        _refuse_held_by_ally(tx, item)
        tx.save_content(item)
        if new.share:
            sharing.release(tx, [indicator], now=now)
    return item


def remove(store: Store, actor: Actor, content_id: str) -> None:
    """Stop looking for it. What was shared of it stays with the allies. Raises MissingError."""
    require(actor, Act.WRITE_CONTENT)
    with store.write() as tx:
        if not tx.remove_content(content_id):
            raise MissingError("AMG-CONTENT-UNKNOWN", "there is no such rule or indicator here", got=content_id)


def _identity(text: str) -> tuple[str, str]:
    """Identifier and title of a Sigma document; without a usable `id` one is made of the text."""
    if len(text) > RULE_CHARACTERS:
        raise _bad_rule(f"at most {RULE_CHARACTERS} characters", f"{len(text)} characters")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise _bad_rule("one YAML document", str(problem)) from None
    if not isinstance(document, dict):
        raise _bad_rule("a mapping with title, logsource and detection", type(document).__name__)
    missing = [key for key in ("title", "logsource", "detection") if not document.get(key)]
    if missing or not isinstance(document["title"], str):
        raise _bad_rule("title, logsource and detection", f"no {', '.join(missing) or 'title in words'}")
    try:
        rule_id = str(uuid.UUID(str(document.get("id"))))
    except ValueError:
        rule_id = stable_id("rule", text).partition("--")[2]
    return rule_id, document["title"][:TITLE_CHARACTERS]


def _address(text: str) -> str:
    """The address as the library writes it. Raises BadInputError."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise BadInputError(
            "AMG-CONTENT-ADDRESS", "this is no address", expected="an IPv4 or IPv6 address", got=text
        ) from None


def _marking(word: str) -> Tlp:
    marking = tlp_of_word(word)
    if marking is None:
        expected = ", ".join(tlp.word for tlp in Tlp)
        raise BadInputError("AMG-CONTENT-MARKING", "this is no TLP 2.0 marking", expected=expected, got=word)
    return marking


def _refuse_held_by_ally(tx: Writing, item: ContentItem) -> None:
    if any(held.origin for held in tx.content_items([item.id])):
        raise BadInputError(
            "AMG-CONTENT-TAKEN",
            "an ally's rule or indicator has this identifier",
            expected="an identifier of its own",
            got=item.id,
            then="give yours another id",
        )


def _bad_rule(expected: str, got: str) -> BadInputError:
    return BadInputError("AMG-CONTENT-RULE", "this is no Sigma rule", expected=expected, got=got, then="nothing added")
