"""Rules and indicators of the node's own: added, shared with allies in the same transaction, removed."""

import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from amagasa.app.agreement_trial import Trial
from amagasa.app.exporting import ExportAsked, Exported
from amagasa.app.kept_file import IndicatorFiles
from amagasa.app.kept_marking import keep_marking
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import ContentItem, ContentKind, Crossing, Reading, Store, Writing
from amagasa.app.previewing import Preview, PreviewAsked
from amagasa.app.queries import MissingError
from amagasa.app.retracting import Retraction
from amagasa.detect.lint.tree import Items, Map, Scalar, TreeError, trees_of
from amagasa.incident.alert import Incident
from amagasa.share.agreement import Agreement
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp, tlp_of_word

RULE_CHARACTERS: Final = 524_288  # the longest public rule has 295,000
SHARED_CHARACTERS: Final = 65_536  # no ally takes a longer one (share.admit)
MAX_RULES: Final = 500
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

    def try_agreement(self, actor: Actor, agreement: Agreement, *, now: datetime, days: int) -> Trial:
        """What this agreement would have let go of the last days."""

    def retract(self, actor: Actor, object_id: str, *, why: str, now: datetime) -> Retraction:
        """Take an object back from every ally."""

    def preview(self, actor: Actor, asked: PreviewAsked, *, now: datetime) -> list[Preview]:
        """What would leave of this; nothing is kept."""

    def export(self, actor: Actor, asked: ExportAsked, *, files: IndicatorFiles | None, now: datetime) -> Exported:
        """What is known here in the form of another system."""

    def edit(
        self,
        actor: Actor,
        crossing_id: int,
        *,
        strip: Sequence[str],
        marking: Tlp | None,
        version: str,
        now: datetime,
    ) -> None:
        """Take properties away from what waits for a yes, or mark it higher."""

    def tell_again(self, tx: Writing, incidents: Sequence[Incident], now: datetime) -> tuple[Crossing, ...]:
        """Put these incidents before each agreement in force; to be announced after the commit."""

    def crossed(self, reading: Reading, incidents: Sequence[str], now: datetime) -> Mapping[str, Sequence[Crossing]]:
        """The newest crossing of each incident towards each ally, by the incident's own identifier."""


class NewRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Sigma rule to add; `share` offers it to the allies, up to what each agreement lets out."""

    text: str
    share: bool = False
    marking: str = "amber"


class NewRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many Sigma rules to add at once, each document a text of its own."""

    texts: tuple[str, ...]
    share: bool = False
    marking: str = "amber"


class AddedRules(Struct, frozen=True, kw_only=True):
    """The rules that are held now; and of the others their number in the list, from 0, and why not."""

    items: tuple[ContentItem, ...]
    refused: tuple[tuple[int, BadInputError], ...]


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
    added = add_rules(
        store,
        actor,
        NewRules(texts=(new.text,), share=new.share, marking=new.marking),
        sharing=sharing,
        now=now,
    )
    for _, why in added.refused:
        raise why
    return added.items[0]


def add_rules(store: Store, actor: Actor, new: NewRules, *, sharing: Sharing, now: datetime) -> AddedRules:
    """Hold the rules in one transaction and, if asked, offer them to the allies; a text that is no rule is refused.

    Of two with one identifier the later counts. Raises BadInputError where there are more than `MAX_RULES`.
    """
    require(actor, Act.WRITE_CONTENT)
    marking = _marking(new.marking)
    if len(new.texts) > MAX_RULES:
        expected = f"at most {MAX_RULES} rules at once"
        raise BadInputError("AMG-CONTENT-MANY", "these are too many rules", expected=expected, got=f"{len(new.texts)}")
    items: dict[str, ContentItem] = {}
    refused: list[tuple[int, BadInputError]] = []
    with store.write() as tx:
        for number, text in enumerate(new.texts):
            try:
                item = _rule_item(text, actor, now)
                _refuse_held_by_ally(tx, item)
                if new.share and len(text) > SHARED_CHARACTERS:
                    got = f"{len(text)} characters"
                    raise _bad_rule(f"at most {SHARED_CHARACTERS} characters of a rule that is offered to allies", got)
            except BadInputError as why:
                refused.append((number, why))
            else:
                tx.save_content(item)
                keep_marking(tx, item.id, marking)
                items[item.id] = item
        if new.share and items:
            offered = [
                sharing.rule_object(item.text, rule_id=item.id, title=item.title, marking=marking, now=now)
                for item in items.values()
            ]
            sharing.release(tx, offered, now=now)
    return AddedRules(items=tuple(items.values()), refused=tuple(refused))


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


def remove(store: Store, actor: Actor, content_id: str) -> ContentItem:
    """Stop looking for it, and say what it was. What was shared of it stays with the allies. Raises MissingError."""
    removed = remove_all(store, actor, [content_id])
    if not removed:
        raise MissingError("AMG-CONTENT-UNKNOWN", "there is no such rule or indicator here", got=content_id)
    return removed[0]


def remove_all(store: Store, actor: Actor, content_ids: Sequence[str]) -> list[ContentItem]:
    """Stop looking for these, in one transaction; those of them that were there."""
    require(actor, Act.WRITE_CONTENT)
    with store.write() as tx:
        held = {item.id: item for item in tx.content_items(content_ids)}
        return [held[one] for one in dict.fromkeys(content_ids) if one in held and tx.remove_content(one)]


def rule_identity(text: str) -> tuple[str, str]:
    """Identifier and title of a Sigma document; without a usable `id` one is made of the text.

    Of several in one text they are those of the first correlation, else of the first. Raises BadInputError where it is
    none.
    """
    if len(text) > RULE_CHARACTERS:
        raise _bad_rule(f"at most {RULE_CHARACTERS} characters", f"{len(text)} characters")
    try:
        trees = trees_of(text)
    except TreeError as problem:
        raise _bad_rule("YAML", f"{problem.what} (line {problem.place.line})") from None
    maps = [tree for tree in trees if isinstance(tree, Map)]
    if not maps or len(maps) != len(trees):
        raise _bad_rule("a mapping with title, logsource and detection", "a list or a text" if trees else "nothing")
    tree = next((one for one in maps if _is_given(one, "correlation")), maps[0])
    title = tree.get("title")
    kind = next((key for key in ("correlation", "filter") if _is_given(tree, key)), "detection")
    needed = ("title", kind) if kind == "correlation" else ("title", "logsource", kind)
    missing = [key for key in needed if not _is_given(tree, key)]
    if missing or not isinstance(title, Scalar) or title.kind != "str":
        raise _bad_rule(", ".join(needed), f"no {', '.join(missing) or 'title in words'}")
    own = tree.get("id")
    try:
        rule_id = str(uuid.UUID(own.text if isinstance(own, Scalar) else ""))
    except ValueError:
        rule_id = stable_id("rule", text).partition("--")[2]
    return rule_id, title.text[:TITLE_CHARACTERS]


def _is_given(rule: Map, key: str) -> bool:
    match rule.get(key):
        case Map(entries=entries):
            return bool(entries)
        case Items(items=items):
            return bool(items)
        case Scalar(value=value):
            return bool(value)
    return False


def _rule_item(text: str, actor: Actor, now: datetime) -> ContentItem:
    rule_id, title = rule_identity(text)
    return ContentItem(
        id=rule_id,
        kind=ContentKind.SIGMA,
        title=title,
        origin="",
        text=text,
        is_active=True,
        added_at=now,
        added_by=actor.name,
    )


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
