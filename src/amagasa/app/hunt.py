"""Use case: look back through the lake. What was found, how much was looked at, and what could not be."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.lake_ports import Kept, Lake, Passed, Unlooked
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.seeking import Found, Seeker, Sought
from amagasa.detect.report import RuleFault
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_INTERRUPTED, BadInputError
from amagasa.vocab.instants import from_rfc3339

MAX_HOSTS: Final = 1_000
MAX_CONTENT: Final = 10_000
MAX_NOTED: Final = 100
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Period(Struct, frozen=True, kw_only=True):
    """Records of this time: by their own instant, by that of their reading where they carry none."""

    since: datetime | None = None
    until: datetime | None = None

    def has(self, one: Found) -> bool:
        """Whether it lies within."""
        at = one.event_at or one.read_at
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


class Step(Struct, frozen=True, kw_only=True):
    """So many bytes more are done with."""

    n_raw_bytes: int


class Answer(Struct, kw_only=True):
    """What a hunt says. `is_whole`: all of the period was looked at, so that nothing found means never seen.

    `n_records` were looked at one by one, `n_passed` lie in blocks which certainly hold nothing that is asked for.
    """

    n_found: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    by_host: dict[str, int] = {}
    by_source: dict[str, int] = {}
    by_content: dict[str, int] = {}
    spans: dict[str, tuple[datetime, datetime]] = {}
    n_records: int = 0
    n_passed: int = 0
    n_raw_bytes: int = 0
    n_rejected: int = 0
    unlooked: list[Unlooked] = []
    n_unlooked: int = 0
    faults: list[RuleFault] = []
    is_interrupted: bool = False
    is_cut: bool = False
    elapsed_s: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return not (self.n_unlooked or self.n_rejected or self.faults or self.is_interrupted or self.is_cut)

    def exit_code(self) -> int:
        """130 where it was interrupted; 3 where some part could not be looked at; else 0, found or not."""
        if self.is_interrupted:
            return EXIT_INTERRUPTED
        return EXIT_COULD_NOT if self.n_unlooked or self.n_rejected or self.faults else EXIT_DONE

    def take(self, one: Found) -> None:
        """Count what was found."""
        at = one.event_at or one.read_at
        self.n_found += 1
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)
        _count(self.by_source, one.source)
        if one.content_id:
            _count(self.by_content, one.content_id, MAX_CONTENT)
            first, last = self.spans.get(one.content_id, (at, at))
            if one.content_id in self.by_content:
                self.spans[one.content_id] = (min(first, at), max(last, at))
        for host in one.hosts:
            _count(self.by_host, host)

    def miss(self, one: Unlooked) -> None:
        """Count what could not be looked at."""
        self.n_unlooked += 1
        if len(self.unlooked) < MAX_NOTED:
            self.unlooked.append(one)

    def add(self, sought: Sought) -> None:
        """Count what of a chunk could not be looked at."""
        self.n_rejected += sought.n_rejected
        for fault in sought.faults:
            if fault not in self.faults and len(self.faults) < MAX_NOTED:
                self.faults.append(fault)


def _count(counts: dict[str, int], key: str, most: int = MAX_HOSTS) -> None:
    if key in counts or len(counts) < most:
        counts[key] = counts.get(key, 0) + 1


Event: TypeAlias = Found | Unlooked | Step


class Asked(Struct, frozen=True, kw_only=True):
    """Which records: of these sources (all where none is named), of this period, at most so many findings."""

    sources: tuple[str, ...] = ()
    period: Period = Period()
    limit: int | None = None


def hunt(lake: Lake, actor: Actor, seeker: Seeker, asked: Asked, *, answer: Answer, now: datetime) -> Iterator[Event]:
    """What is found, as it is found; `answer` counts on. Raises BadInputError for a source that nothing is kept of."""
    require(actor, Act.TRIAGE)
    for source in _sources(lake, asked.sources):
        parts = lake.records(source, asked.period.since, asked.period.until, may_hold=seeker.may_hold)
        for part in parts:
            if isinstance(part, Unlooked):
                answer.miss(part)
                yield part
                continue
            answer.n_raw_bytes += part.n_raw_bytes
            if isinstance(part, Passed):
                answer.n_passed += part.n_records
            else:
                answer.n_records += part.n_records
                yield from _in_part(part, seeker, asked, answer, now=now)
                if answer.is_cut:
                    return
            yield Step(n_raw_bytes=part.n_raw_bytes)


def _in_part(part: Kept, seeker: Seeker, asked: Asked, answer: Answer, *, now: datetime) -> Iterator[Found]:
    for chunk in part.chunks:
        sought = seeker.seek(chunk, now=now)
        answer.add(sought)
        for one in sought.found:
            if not asked.period.has(one):
                continue
            if asked.limit is not None and answer.n_found >= asked.limit:
                answer.is_cut = True
                return
            found = replace(one, source=part.source)
            answer.take(found)
            yield found


def _sources(lake: Lake, named: Sequence[str]) -> tuple[str, ...]:
    known = lake.sources()
    for name in named:
        if name not in known:
            raise BadInputError(
                "AMG-HUNT-SOURCE",
                "nothing is kept of a source of this name",
                expected=", ".join(known) or "a source that was read since the node keeps records",
                got=name,
                then="nothing was looked at",
            )
    return tuple(dict.fromkeys(named)) or known


def read_instant(text: str, *, now: datetime) -> datetime:
    """An instant (RFC 3339), a day, or how long ago: 90m, 24h, 7d. Raises BadInputError (AMG-HUNT-TIME)."""
    try:
        if text[-1:] in _UNITS and text[:-1].isdigit():
            return now - timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
        return from_rfc3339(text if "T" in text else f"{text}T00:00:00Z")
    except (ValueError, OverflowError):
        raise BadInputError(
            "AMG-HUNT-TIME",
            "this is no instant",
            expected="2026-05-01T08:00:00Z, 2026-05-01, or how long ago: 90m, 24h, 7d",
            got=text,
            then="nothing was looked at",
        ) from None


def most(counts: dict[str, int], n: int) -> list[tuple[str, int]]:
    """The most frequent, most first."""
    return Counter(counts).most_common(n)
