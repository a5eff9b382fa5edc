"""Use case: what a node looks with beside its built-in rules: gathered, compiled, handed to the worker, confirmed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.app.worker_messages import Content
from amagasa.detect.report import RuleFault
from amagasa.detect.rule import Rule

# (path, Sigma text) of each document -> the rules that can run, and why the others cannot.
Compile = Callable[[Sequence[tuple[str, str]]], tuple[Sequence[Rule], Sequence[RuleFault]]]


def gather(store: Store, compile_rules: Compile, *, version: int) -> tuple[Content, dict[str, str]]:
    """All active content as one message to the worker, and why what cannot run cannot (by content identifier).

    Raises WorldError where the compiler or the store fails; then what was active before stays so.
    """
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
        origins={item.id: item.origin for item in items if item.origin},
    )
    return content, why | unread


def confirm(
    store: Store, content: Content, why: Mapping[str, str], faults: Sequence[RuleFault], *, now: datetime
) -> list[str]:
    """Note since when each item is looked with, or why it cannot be; returns those that changed."""
    reasons = dict(why) | {fault.rule_id: fault.why for fault in faults}
    active = {rule.id for rule in content.rules} | {str(one.get("id")) for one in content.indicators}
    changed: list[str] = []
    with store.write() as tx:
        for item in tx.content():
            new = _confirmed(item, reasons.get(item.id, ""), is_known=item.id in active, now=now)
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


def _indicators(items: Sequence[ContentItem]) -> tuple[tuple[dict[str, Any], ...], dict[str, str]]:
    read: list[dict[str, Any]] = []
    unread: dict[str, str] = {}
    for item in items:
        try:
            read.append(msgspec.json.decode(item.text, type=dict[str, Any]))
        except msgspec.DecodeError:
            unread[item.id] = "it is not a JSON object"
    return tuple(read), unread
