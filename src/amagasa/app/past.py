"""What new content would have found in the past: noted at the content, and as alerts of low level."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import ContentItem, ContentKind, Store, Writing
from amagasa.detect.report import Detection
from amagasa.vocab.severity import Level

META: Final = "past"
MAX_KEPT: Final = 5_000


class Past(Struct, frozen=True, kw_only=True):
    """Of one item: never seen (n 0 and `is_whole`), or first and last seen when, and how often."""

    digest: str
    n: int
    first_at: datetime | None
    last_at: datetime | None
    where: str
    is_whole: bool
    looked_at: datetime
    not_looked_at: tuple[str, ...] = ()
    fault: str = ""


def digest_of(item: ContentItem) -> str:
    """What an answer is an answer for: an item that was changed is looked for anew."""
    return sha256(item.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def unasked(store: Store) -> list[ContentItem]:
    """Active rules and indicators of which it is not known yet, those added last first. Raises WorldError."""
    with store.read() as reading:
        known = _decoded(reading.meta(META))
        items = [item for item in reading.content() if item.is_active and item.activated_at is not None]
    wanted = [item for item in items if item.kind in {ContentKind.SIGMA, ContentKind.STIX}]
    fresh = [item for item in wanted if item.id not in known or known[item.id].digest != digest_of(item)]
    return sorted(fresh, key=lambda item: item.added_at, reverse=True)


def past_of(store: Store, actor: Actor, content_id: str) -> Past | None:
    """What is known of an item; None where nobody has looked yet."""
    require(actor, Act.READ)
    with store.read() as reading:
        return _decoded(reading.meta(META)).get(content_id)


def note(tx: Writing, answers: dict[str, Past]) -> None:
    """Keep the answers; the newest `MAX_KEPT` stay."""
    known = _decoded(tx.meta(META))
    for content_id in answers:
        known.pop(content_id, None)
    kept = dict([*known.items(), *answers.items()][-MAX_KEPT:])
    tx.save_meta(META, msgspec.json.encode(kept).decode())


def answers_of(
    items: Sequence[ContentItem], ids: dict[str, str], answer: dict[str, Any], where: dict[str, str], *, now: datetime
) -> dict[str, Past]:
    """What a hunt for all of them says of each. `ids`: by the identifier under which it was found, that of the item."""
    counts: dict[str, int] = {}
    spans: dict[str, tuple[datetime, datetime]] = {}
    for content_id, n in answer["by_content"].items():
        item = ids.get(content_id, content_id)
        counts[item] = counts.get(item, 0) + n
        first, last = msgspec.convert(answer["spans"][content_id], tuple[datetime, datetime])
        held = spans.get(item, (first, last))
        spans[item] = (min(first, held[0]), max(last, held[1]))
    faults = {ids.get(fault["rule_id"], fault["rule_id"]): fault["why"] for fault in answer["faults"]}
    unlooked = tuple(f"{one['source']}, {one['what']}: {one['why']}" for one in answer["unlooked"][:5])
    return {
        item.id: Past(
            digest=digest_of(item),
            n=counts.get(item.id, 0),
            first_at=spans[item.id][0] if item.id in spans else None,
            last_at=spans[item.id][1] if item.id in spans else None,
            where=where.get(item.id, ""),
            is_whole=not (answer["n_unlooked"] or answer["n_rejected"] or item.id in faults),
            looked_at=now,
            not_looked_at=unlooked,
            fault=faults.get(item.id, ""),
        )
        for item in items
    }


def as_past(detections: Iterable[Detection], ids: dict[str, str]) -> list[Detection]:
    """As alerts are made of them: of low level, said to be of the past, under the item's own identifier."""
    made: list[Detection] = []
    for one in detections:
        level = Level.LOW if one.level.severity > Level.LOW.severity else one.level
        lowered = replace(one, level=level, title=f"In the past: {one.title}")
        if one.rule_id is not None:
            lowered = replace(lowered, rule_id=ids.get(one.rule_id, one.rule_id))
        made.append(lowered)
    return made


def _decoded(noted: str | None) -> dict[str, Past]:
    return msgspec.json.decode(noted, type=dict[str, Past]) if noted else {}
