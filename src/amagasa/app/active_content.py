"""Use case: what a node looks with beside its built-in rules: gathered, compiled, handed to the worker, confirmed.

Indicators come by the thousand and one by one, so those that are merely new go to the worker alone, at a cost which
does not grow with what is there. Whatever else changes (a rule, a new version, a removal) sends everything again.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.app.worker_messages import Content, MoreIndicators
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Rule

# (path, Sigma text) of each document -> the rules that can run, and why the others cannot.
Compile = Callable[[Sequence[tuple[str, str]]], tuple[Sequence[Rule], Sequence[RuleFault]]]


class Gathered(Struct, frozen=True, kw_only=True):
    """A message to the worker, and what is to be noted once it looks with it.

    `ids` are the content items in it, `why` says of those which cannot run why not. `is_all`: all content is in it.
    """

    message: Content | MoreIndicators
    ids: frozenset[str]
    why: Mapping[str, str]
    is_all: bool


def gather(store: Store, compile_rules: Compile, *, version: int) -> Gathered:
    """All active content. Raises WorldError where the compiler or the store fails: what was active before stays so."""
    with store.read() as reading:
        items = [item for item in reading.content() if item.is_active]
    sigma = [item for item in items if item.kind is ContentKind.SIGMA]
    rules, faults = compile_rules([(item.id, item.text) for item in sigma])
    why = {fault.path: fault.why for fault in faults}
    by_path = {item.id: item for item in sigma}
    indicators, unread = _indicators([item for item in items if item.kind is ContentKind.STIX])
    content = Content(
        version=version,
        rules=tuple(
            replace(rule, id=item.id, origin=item.origin) for rule in rules if (item := by_path.get(rule.path))
        ),
        indicators=indicators,
        origins=_origins(items),
    )
    ids = frozenset(rule.id for rule in content.rules) | {str(one.get("id")) for one in indicators}
    return Gathered(message=content, ids=ids, why=why | unread, is_all=True)


def gather_more(store: Store, changed: AbstractSet[str], held: AbstractSet[str], *, version: int) -> Gathered | None:
    """The changed items, where they are indicators beside the `held` ones; None where all must be gathered anew.

    Raises WorldError.
    """
    if not changed.isdisjoint(held):
        return None
    with store.read() as reading:
        items = [item for item in reading.content_items(changed) if item.is_active]
    if any(item.kind is not ContentKind.STIX for item in items):
        return None
    indicators, unread = _indicators(items)
    ids = frozenset(str(one.get("id")) for one in indicators)
    message = MoreIndicators(version=version, indicators=indicators, origins=_origins(items))
    return Gathered(message=message, ids=ids, why=unread, is_all=False)


def with_more(content: Content, more: Sequence[MoreIndicators]) -> Content:
    """Everything in one message, for a worker that starts now."""
    if not more:
        return content
    origins = dict(content.origins)
    for one in more:
        origins |= one.origins
    return replace(
        content,
        version=more[-1].version,
        indicators=(*content.indicators, *(indicator for one in more for indicator in one.indicators)),
        origins=origins,
    )


def confirm(store: Store, gathered: Gathered, faults: Sequence[RuleFault], *, now: datetime) -> list[str]:
    """Note since when each item is looked with, or why it cannot be; returns those that changed."""
    reasons = dict(gathered.why) | {fault.rule_id: fault.why for fault in faults}
    changed: list[str] = []
    with store.write() as tx:
        for item in tx.content() if gathered.is_all else tx.content_items(gathered.ids | reasons.keys()):
            new = _confirmed(item, reasons.get(item.id, ""), is_known=item.id in gathered.ids, now=now)
            if new != item:
                tx.save_content(new)
                changed.append(item.id)
    return changed


def _confirmed(item: ContentItem, fault: str, *, is_known: bool, now: datetime) -> ContentItem:
    if fault:
        return replace(item, fault=fault, activated_at=None)
    if is_known and item.activated_at is None:
        return replace(item, fault="", activated_at=now)
    return item


def _origins(items: Sequence[ContentItem]) -> dict[str, str]:
    return {item.id: item.origin for item in items if item.origin}


def _indicators(items: Sequence[ContentItem]) -> tuple[tuple[dict[str, Any], ...], dict[str, str]]:
    read: list[dict[str, Any]] = []
    unread: dict[str, str] = {}
    for item in items:
        try:
            read.append(msgspec.json.decode(item.text, type=dict[str, Any]))
        except msgspec.DecodeError:
            unread[item.id] = "it is not a JSON object"
    return tuple(read), unread
