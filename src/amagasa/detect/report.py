"""What evaluation concludes: detections, rule faults, and the report which tells clean from could-not-look."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from amagasa.event.entity import Entity
from amagasa.vocab.severity import Level


class Standing(StrEnum):
    """Whether a detection may raise an alert by itself.

    One word of one list is evidence and no more: lists hold crawlers, and addresses which somebody else has today.
    """

    FULL = "full"  # a rule, an indicator with an author, or one which several lists name
    ALONE = "alone"  # one list says so, and nothing else yet
    GUARDED = "guarded"  # lists say so of a service known to be harmless or shared: a crawler, a public resolver


class Silence(StrEnum):
    """Why a record which an indicator names gave no detection."""

    ALLOWED = "allowlisted"
    AGED = "aged"
    NOT_IN_FORCE = "not_in_force"


class Sign(Struct, frozen=True, kw_only=True):
    """One of the records that a correlation put together: the rule it satisfied, its place, and its head as it came."""

    title: str
    path: str
    record: int
    event_at: datetime
    raw: str = ""


class Together(Struct, frozen=True, kw_only=True):
    """What a correlation saw, from the first record it took to the last at which it held: an episode.

    `group` are the names and values it is grouped by; `values` of the different values that it counted the first 20
    (of at least `n_values`; counting ends at 256). `signs` are examples: those that made it hold, and the last.
    `is_over`: as far as is known nothing more comes to it. `n_replaced` counts what was told of the same episode
    before, which this takes the place of: an episode is one detection, told again as it grows. `source` is that of
    the last record.
    """

    n_events: int
    first_at: datetime
    last_at: datetime
    timespan_s: int
    group: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    n_values: int = 0
    signs: tuple[Sign, ...] = ()
    is_over: bool = False
    n_replaced: int = 0
    source: str = ""


class Detection(Struct, frozen=True, kw_only=True):
    """A rule or an indicator satisfied by one record, with its evidence.

    Exactly one of `rule_id` and `indicator_id` is set. `fields` are those that matched; `event` the whole
    normalised event; `raw` the record as it came, cut to 4,096 bytes and decoded with backslash escapes.
    `origin` is "" for content of our own, else the STIX identity of the party which sent it. `confidence` (0-100) is
    the indicator's own, None where it states none and for every rule. `together` is what a correlation saw: then
    path, record, `event_at` and `raw` are those of the record at which it came to hold.
    """

    rule_id: str | None = None
    indicator_id: str | None = None
    title: str
    level: Level
    path: str
    record: int
    event_at: datetime | None
    techniques: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    fields: Mapping[str, Any]
    event: Mapping[str, Any]
    entities: tuple[Entity, ...] = ()
    raw: str = ""
    origin: str = ""
    confidence: int | None = None
    together: Together | None = None
    standing: Standing = Standing.FULL

    @property
    def content_id(self) -> str:
        """The rule's or the indicator's identifier."""
        return self.rule_id or self.indicator_id or ""


class RuleFault(Struct, frozen=True, kw_only=True):
    """A rule or indicator which could not load or could not run: never silent, always counted.

    `rule_id` is "" where the document is too broken to have one. `path` names the file (and the member of an archive).
    """

    rule_id: str
    path: str
    why: str
    code: str = "AMG-RULE-000"


class Excluded(Struct, frozen=True, kw_only=True):
    """How many matches of a rule an exclusion (by its place among all) took out."""

    exclusion: int
    rule_id: str
    n: int


class MatchReport(Struct, frozen=True, kw_only=True):
    """Result of `evaluate`. `merge` is associative and commutative up to the order of detections and faults.

    `silenced` counts the records which an indicator names and for which it does not speak, by the reason. `parts` are
    records which satisfy one `[...]` of a pattern over several records; their `rule_id` names it, and they say nothing.
    `excluded` counts what the site's exclusions took out, each rule once an exclusion.
    """

    n_events: int = 0
    detections: tuple[Detection, ...] = ()
    faults: tuple[RuleFault, ...] = ()
    silenced: Mapping[Silence, int] = {}
    parts: tuple[Detection, ...] = ()
    excluded: tuple[Excluded, ...] = ()

    def in_order(self) -> "MatchReport":
        """The same of one chunk, its detections by record."""
        if len(self.detections) < 2:
            return self
        return replace(self, detections=tuple(sorted(self.detections, key=attrgetter("record"))))

    def without(self, rule_ids: frozenset[str]) -> "MatchReport":
        """The same, as if these rules had not been asked."""
        if not rule_ids:
            return self
        return MatchReport(
            n_events=self.n_events,
            detections=tuple(one for one in self.detections if one.rule_id not in rule_ids),
            faults=tuple(one for one in self.faults if one.rule_id not in rule_ids),
        )

    def moved(self, n_records: int) -> "MatchReport":
        """The same of records which stand so much later in their file."""
        return replace(
            self,
            detections=tuple(replace(one, record=one.record + n_records) for one in self.detections),
            parts=tuple(replace(one, record=one.record + n_records) for one in self.parts),
        )

    def merge(self, other: "MatchReport") -> "MatchReport":
        """Both reports as one; a fault that both saw is kept once."""
        faults = dict.fromkeys((*self.faults, *other.faults))
        silenced = self.silenced
        if other.silenced:
            silenced = {why: self.silenced.get(why, 0) + other.silenced.get(why, 0) for why in Silence}
            silenced = {why: n for why, n in silenced.items() if n}
        return MatchReport(
            n_events=self.n_events + other.n_events,
            detections=self.detections + other.detections,
            faults=tuple(faults),
            silenced=silenced,
            parts=self.parts + other.parts,
            excluded=_counted(self.excluded, other.excluded),
        )


def _counted(some: tuple[Excluded, ...], others: tuple[Excluded, ...]) -> tuple[Excluded, ...]:
    if not some or not others:
        return some or others
    counts: dict[tuple[int, str], int] = {}
    for one in (*some, *others):
        key = (one.exclusion, one.rule_id)
        counts[key] = counts.get(key, 0) + one.n
    return tuple(Excluded(exclusion=by, rule_id=rule_id, n=n) for (by, rule_id), n in sorted(counts.items()))
