"""Use case: what a node looks with beside its built-in rules: gathered, compiled, handed to the worker, confirmed.

Rules and indicators come by the thousand and one by one, so what changes goes to the worker alone, at a cost which does
not grow with what is there: rules, indicators that are new, of a new version or gone, the list of files. Whatever else
changes sends everything again. All of it goes in parts of bounded size, read from the store while they are sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.indicator_files import kept_in
from amagasa.app.kept_file import FILE_PREFIX
from amagasa.app.ports import ContentItem, ContentKind, Reading, Store, Writing
from amagasa.app.worker_messages import Active, Change, Content, MoreIndicators, Part, RuleChange
from amagasa.detect.report import Detection
from amagasa.detect.sigma.link import link
from amagasa.detect.sigma.reach import acting, reaching
from amagasa.detect.sigma.rule import Compiled, Rule

PART_INDICATORS: Final = 1_000  # of one message: a megabyte, and some tens of milliseconds of the worker's time
# Between the identifier of an item and the number of a rule inside; no identifier has one.
_PART: Final = "#"
# (path, Sigma text) of each document -> what became of it.
Compile = Callable[[Sequence[tuple[str, str]]], Compiled]


class Gathered(Struct, frozen=True, kw_only=True):
    """A message to the worker, and what is to be noted once it looks with it.

    `ids` are the content items in it, `why` says of those which cannot run why not. `is_all`: all content is in it, and
    `reaching` are then the items that change what others mean: a change of one of them is a change of all. With
    `is_acting` some of them act on whatever comes, so that each change is one of all. Behind the identifier `rest`
    further indicators come in parts.
    """

    message: Change
    ids: frozenset[str]
    why: Mapping[str, str]
    is_all: bool
    reaching: frozenset[str] = frozenset()
    is_acting: bool = False
    rest: str | None = None


class Held:
    """What the worker was told, put together: enough to begin another worker with, whose indicators the store holds."""

    def __init__(self) -> None:
        self.rules: dict[str, tuple[Rule, ...]] = {}
        self.files: tuple[str, ...] = ()
        self.reaching: frozenset[str] = frozenset()
        self.is_acting = False
        self.version = 0

    def take(self, gathered: Gathered) -> None:
        """Add what is told now."""
        message = gathered.message
        self.version = message.version
        match message:
            case Content():
                self.rules, self.files = by_item(message.rules), message.files
                self.reaching, self.is_acting = gathered.reaching, gathered.is_acting
            case RuleChange():
                kept = {key: rules for key, rules in self.rules.items() if key not in message.removed}
                self.rules = kept | by_item(message.rules)
            case MoreIndicators() if message.files is not None:
                self.files = message.files

    def content(self) -> Content:
        """The head of what a worker that starts now is told: its indicators come in parts behind it."""
        return Content(
            version=self.version,
            rules=tuple(rule for rules in self.rules.values() for rule in rules),
            indicators=(),
            origins={},
            files=self.files,
            is_whole=False,
        )


def by_item(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    """Rules by the content item they belong to, which is their path; without one each stands for itself."""
    found: dict[str, tuple[Rule, ...]] = {}
    for rule in rules:
        key = rule.path or rule.id
        found[key] = (*found.get(key, ()), rule)
    return found


def gather(store: Store, compile_rules: Compile, *, version: int) -> Gathered:
    """All active content. Raises WorldError where the compiler or the store fails: what was active before stays so."""
    with store.read() as reading:
        others = _beside(reading)
        page = reading.content_page(ContentKind.STIX, after="", limit=PART_INDICATORS)
    active = [item for item in page if item.is_active]
    compiled = _compiled(others, compile_rules)
    rules, why = _linked(compiled)
    indicators, unread = _indicators(active)
    rest = page[-1].id if len(page) == PART_INDICATORS else None
    content = Content(
        version=version,
        rules=rules,
        indicators=indicators,
        origins=_origins([*others, *active]),
        files=_files(others),
        is_whole=rest is None,
    )
    held = frozenset(by_item(rules)) | _filtering(compiled)
    return Gathered(
        message=content,
        ids=held | {str(one.get("id")) for one in indicators} | _file_ids(others),
        why=why | unread,
        is_all=True,
        reaching=reaching(compiled),
        is_acting=bool(acting(compiled)),
        rest=rest,
    )


def parts(store: Store, *, version: int, after: str) -> Iterator[Part]:
    """The indicators behind `after`, page by page. Raises WorldError.

    Each page sees the store as it is then: what changes meanwhile comes again behind it, and counts as it was last.
    """
    while True:
        with store.read() as reading:
            page = reading.content_page(ContentKind.STIX, after=after, limit=PART_INDICATORS)
        active = [item for item in page if item.is_active]
        is_last = len(page) < PART_INDICATORS
        yield Part(version=version, indicators=_indicators(active)[0], origins=_origins(active), is_last=is_last)
        if is_last:
            return
        after = page[-1].id


def gather_change(
    store: Store, compile_rules: Compile, changed: AbstractSet[str], held: Held, *, version: int
) -> list[Gathered] | None:
    """The changed items, in a message for rules and one for indicators; None where all must be gathered anew.

    Raises WorldError.
    """
    with store.read() as reading:
        items = reading.content_items(changed)
        has_files = any(one.startswith(FILE_PREFIX) for one in changed)
        files = _items(reading, ContentKind.LIST) if has_files else []
    sigma = [item for item in items if item.kind is ContentKind.SIGMA and item.is_active]
    stix = [item for item in items if item.kind is ContentKind.STIX and item.is_active]
    is_wide = held.is_acting and bool(sigma or not held.rules.keys().isdisjoint(changed))
    is_wide |= not held.reaching.isdisjoint(changed)
    compiled = _compiled(sigma, compile_rules) if sigma and not is_wide else Compiled()
    if is_wide or reaching(compiled):
        return None
    found = []
    gone = frozenset(changed & held.rules.keys())
    if sigma or gone:
        rules, why = _linked(compiled)
        message = RuleChange(version=version, rules=rules, removed=tuple(sorted(gone)))
        found.append(Gathered(message=message, ids=frozenset(by_item(rules)), why=why, is_all=False))
    indicators, unread = _indicators(stix)
    ids = frozenset(str(one.get("id")) for one in indicators)
    is_rule = {item.id for item in items if item.kind is ContentKind.SIGMA} | gone
    lost = tuple(sorted(one for one in changed - ids - is_rule if not one.startswith(FILE_PREFIX)))
    if stix or lost or has_files:
        more = MoreIndicators(
            version=version + len(found),
            indicators=indicators,
            origins=_origins(stix),
            gone=lost,
            files=_files(files) if has_files else None,
        )
        found.append(Gathered(message=more, ids=ids | _file_ids(files), why=unread, is_all=False))
    return found


def confirm(store: Store, gathered: Gathered, active: Active, *, now: datetime) -> list[str]:
    """Note since when each item is looked with, or why it cannot be; returns those that changed."""
    # A rule's path is the item that holds it; an indicator and a file of them have none.
    reasons = dict(gathered.why) | {fault.path or fault.rule_id: fault.why for fault in active.faults}
    noted = gathered.ids | frozenset(active.mended)
    if gathered.rest is None:
        with store.write() as tx:
            items = tx.content() if gathered.is_all else tx.content_items(noted | reasons.keys())
            return _note(tx, items, noted, reasons, now=now)
    with store.write() as tx:
        changed = _note(tx, _beside(tx, is_active=False), noted, reasons, now=now)
    after = ""
    while True:
        with store.write() as tx:
            page = tx.content_page(ContentKind.STIX, after=after, limit=PART_INDICATORS)
            known = {one.id for one in page if one.is_active}
            changed += _note(tx, page, known, reasons, now=now)
        if len(page) < PART_INDICATORS:
            return changed
        after = page[-1].id


def _note(
    tx: Writing, items: Sequence[ContentItem], known: AbstractSet[str], reasons: Mapping[str, str], *, now: datetime
) -> list[str]:
    changed: list[str] = []
    for item in items:
        new = _confirmed(item, reasons.get(item.id, ""), is_known=item.id in known, now=now)
        if new != item:
            tx.save_content(new)
            changed.append(item.id)
    return changed


def answer_of(answers: Sequence[Active], version: int) -> Active | None:
    """What the worker says of this version; None where it has not answered yet."""
    own = [answer for answer in answers if answer.version == version]
    if own:
        return own[0]
    # A worker that began with everything answers for the newest version alone.
    return Active(version=version, faults=()) if any(answer.version > version for answer in answers) else None


def as_held(detection: Detection) -> Detection:
    """Under the identifier of the item that holds its rule: what an ally sent is told back as that, whole."""
    rule_id = detection.rule_id
    if rule_id is None or _PART not in rule_id:
        return detection
    return replace(detection, rule_id=rule_id.partition(_PART)[0])


def _compiled(items: Sequence[ContentItem], compile_rules: Compile) -> Compiled:
    """What became of the items with Sigma text: rules under their ids, and all under their origins."""
    by_path = {item.id: item for item in items if item.kind is ContentKind.SIGMA}
    compiled = compile_rules([(item.id, item.text) for item in by_path.values()])
    held = [_held(inside, item) for path, inside in by_item(compiled.rules).items() if (item := by_path.get(path))]
    filters = [replace(one, origin=item.origin) for one in compiled.filters if (item := by_path.get(one.path))]
    rules = tuple(rule for inside in held for rule in inside)
    return replace(compiled, rules=rules, filters=tuple(filters))


def _filtering(compiled: Compiled) -> frozenset[str]:
    """Items with filters: they are looked with as the rules are that they are for."""
    return frozenset(one.path for one in compiled.filters)


def _linked(compiled: Compiled) -> tuple[tuple[Rule, ...], dict[str, str]]:
    """The rules that run, and why some items have none."""
    linked = link(compiled)
    return linked.rules, {one.path: one.why for one in linked.off} | {one.path: one.why for one in linked.faults}


def _held(rules: Sequence[Rule], item: ContentItem) -> list[Rule]:
    """With the item's origin, and with its identifier for its rule.

    Of several rules in one item it is for the one that has it, else for the first; the others keep their own, those of
    an ally a part of the item's, since an ally might use an identifier of ours.
    """
    main = next((rule for rule in rules if rule.id == item.id), rules[0])
    held: list[Rule] = []
    for number, rule in enumerate(rules):
        other = f"{item.id}{_PART}{number}" if item.origin else rule.id
        held.append(replace(rule, id=item.id if rule is main else other, origin=item.origin))
    return held


def _confirmed(item: ContentItem, fault: str, *, is_known: bool, now: datetime) -> ContentItem:
    if fault:
        return replace(item, fault=fault, activated_at=None)
    if is_known and (item.activated_at is None or item.fault):
        return replace(item, fault="", activated_at=now)
    return item


def _items(reading: Reading, kind: ContentKind, *, is_active: bool = True) -> list[ContentItem]:
    """Of the kind, the active ones, or all. Of rules and files there are never many."""
    found: list[ContentItem] = []
    after = ""
    while page := reading.content_page(kind, after=after, limit=PART_INDICATORS):
        found += [item for item in page if item.is_active or not is_active]
        after = page[-1].id
    return found


def _beside(reading: Reading, *, is_active: bool = True) -> list[ContentItem]:
    """All but indicators: rules and files."""
    kinds = (ContentKind.SIGMA, ContentKind.LIST)
    return [item for kind in kinds for item in _items(reading, kind, is_active=is_active)]


def _files(items: Sequence[ContentItem]) -> tuple[str, ...]:
    return tuple(kept.file for item in items if (kept := kept_in(item)) is not None)


def _file_ids(items: Sequence[ContentItem]) -> frozenset[str]:
    return frozenset(item.id for item in items if item.kind is ContentKind.LIST)


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
