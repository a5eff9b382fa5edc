"""The verb `correlate`: hits, open windows, now -> detections, windows. docs/correlations.md has the rules in words.

Within a group entries are judged in the order of their own time. An entry waits until no older one can come: until
one is seen which is `lateness_s` younger (or, where all records are known and sorted, until the caller says so). So
whatever comes within the lateness, in whatever order, is judged alike. Where `is_prompt`, a second machine runs ahead
through what still waits, and tells of an episode at once; what is judged later takes the place of what was told.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.correlation.definition import NUMERIC, Kind, number_of
from amagasa.detect.correlation.entry import Entry
from amagasa.detect.correlation.evidence import detection_of
from amagasa.detect.correlation.hit import Hit, micros
from amagasa.detect.correlation.link import Linked
from amagasa.detect.correlation.machine import FOREVER, Episode, machine_of
from amagasa.detect.correlation.settle import MAX_TOLD, is_same_episode, settle, told_as
from amagasa.detect.correlation.whole import Window
from amagasa.detect.correlation.windows import (
    MAX_WAITING,
    NEVER,
    Group,
    GroupKey,
    Loss,
    Manner,
    Tally,
    Told,
    Windows,
    key_of,
)
from amagasa.detect.report import Detection

SECOND: Final = 1_000_000
# How long a group that hears nothing is kept beyond its timespan: a stalled log that goes on is not cut in two.
KEPT_SILENT: Final = 3_600 * SECOND
VALUE_SEPARATOR: Final = "\x1f"


class Correlated(Struct, frozen=True, kw_only=True):
    """What came of it: detections, the groups that changed (None: gone), and what became of the records."""

    detections: tuple[Detection, ...] = ()
    changed: Mapping[GroupKey, Group | None] = {}
    tally: Tally = {}


def correlate(
    hits: Iterable[Hit], windows: Windows, manner: Manner, *, now: datetime, horizon_at: int | None = None
) -> Correlated:
    """Take `hits` into the windows. Pure: `windows` stays as it is, `Windows.after` makes the next.

    `horizon_at` (microseconds) says that no record older than it comes any more, in any group: `FOREVER` at the end of
    all, `NEVER` to gather and judge nothing yet. Without it each group goes by its own records, and by `now` where it
    hears none. The cost grows with the hits and with the groups they touch; with `horizon_at`, and with no hits at
    all, every group is looked at.
    """
    work = _Round(windows, manner, micros(now), horizon_at)
    for hit in hits:
        work.take(hit)
    is_sweep = horizon_at is not None or not work.fresh
    for linked in manner.links.correlations:
        work.judge_all(linked, is_sweep=is_sweep)
    work.make_room(is_sweep=is_sweep)
    return Correlated(detections=tuple(work.detections), changed=work.changed, tally=work.tally)


class _Round:
    """One call of `correlate` while it is at work."""

    def __init__(self, windows: Windows, manner: Manner, now: int, horizon_at: int | None) -> None:
        self._windows = windows
        self._manner = manner
        self._now = now
        self._horizon_at = horizon_at
        self.fresh: dict[str, dict[str, list[Entry]]] = {}
        self.changed: dict[GroupKey, Group | None] = {}
        self.detections: list[Detection] = []
        self.tally: Counter[tuple[str, str, Loss]] = Counter()

    def take(self, hit: Hit, *, is_new: bool = True, of: str = "") -> None:
        """Hand the hit to every correlation that looks at its rule."""
        links = self._manner.links
        for place, number in links.takers.get(hit.rule, ()):
            linked = links.correlations[place]
            entry = entry_of(linked, number, hit, is_new=is_new, of=of)
            if isinstance(entry, Loss):
                self._count(linked, number, entry)
            else:
                self.fresh.setdefault(linked.digest, {}).setdefault(key_of(entry.group), []).append(entry)

    def judge_all(self, linked: Linked, *, is_sweep: bool) -> None:
        """Judge the groups that have something new, and in a sweep those for which time has passed."""
        fresh = self.fresh.pop(linked.digest, {})
        for key, entries in fresh.items():
            known = self._windows.get((linked.digest, key))
            group = known or Group(machine=machine_of(linked), heard_at=self._now)
            if timely := self._timely(linked, group, entries):
                group = replace(group, heard_at=self._now)
            if timely or known is not None:
                self._judge((linked.digest, key), linked, group, timely)
        if is_sweep:
            for key, group in self._windows.groups.get(linked.digest, {}).items():
                if key not in fresh and self._is_due(group, linked):
                    self._judge((linked.digest, key), linked, group, [])

    def make_room(self, *, is_sweep: bool) -> None:
        """Let groups go where there are too many, and judge what waits where too much does."""
        by_digest = {linked.digest: linked for linked in self._manner.links.correlations}
        if self._windows.n_groups + len(self.changed) > self._manner.max_groups:
            held = self._held()
            if len(held) > self._manner.max_groups:
                self._let_go(held, by_digest)
        if is_sweep and self._horizon_at is None:
            held = self._held()
            if sum(len(group.pending) for group in held.values()) > MAX_WAITING:
                for key, group in held.items():
                    if group.pending:
                        self._settle(key, by_digest[key[0]], group, before=group.pending[-1].at + 1)

    def _let_go(self, held: Mapping[GroupKey, Group], by_digest: Mapping[str, Linked]) -> None:
        """Those least begun of the correlations that hold most: a flood in one of them leaves the others alone."""
        by_size: dict[str, list[GroupKey]] = {}
        for key in held:
            by_size.setdefault(key[0], []).append(key)
        # Some more than need be, so that this is not done for each new group of a flood.
        share = fair_share([len(keys) for keys in by_size.values()], self._manner.max_groups * 7 // 8)
        for digest, keys in by_size.items():
            n_gone = len(keys) - share
            for key in sorted(keys, key=lambda key: (held[key].weight, key))[: max(0, n_gone)]:
                self.tally[by_digest[digest].id, "", Loss.NO_ROOM] += 1
                self._settle(key, by_digest[digest], held[key], before=FOREVER)

    def _held(self) -> dict[GroupKey, Group]:
        """The groups as they stand after this round."""
        held = {key: group for key, group in self._windows.items() if key not in self.changed}
        return held | {key: group for key, group in self.changed.items() if group is not None}

    def _timely(self, linked: Linked, group: Group, entries: list[Entry]) -> list[Entry]:
        """Those that are not too late, in order; each is counted as what it is."""
        fresh: list[Entry] = []
        for entry in sorted(entries, key=_place):
            is_late = entry.at < group.done_at
            self._count(linked, entry.member, Loss.LATE if is_late else Loss.TAKEN)
            if not is_late:
                fresh.append(entry)
        return fresh

    def _count(self, linked: Linked, number: int, loss: Loss) -> None:
        self.tally[linked.id, linked.members[number].title, loss] += 1

    def _lateness(self, linked: Linked) -> int:
        return (self._manner.lateness_s + linked.lag_s) * SECOND

    def _silence(self, group: Group, linked: Linked) -> int:
        """For how long the group has heard nothing beyond what its timespan and the lateness explain."""
        return self._now - group.heard_at - linked.span - self._lateness(linked)

    def _is_due(self, group: Group, linked: Linked) -> bool:
        """Whether time alone has something to say about a group that hears nothing new."""
        machine = group.machine
        if self._horizon_at is not None:
            before = _less(self._horizon_at, linked.lag_s * SECOND)
            has_waited = bool(group.pending) and group.pending[0].at < before
            return has_waited or machine.is_due(before, linked) or machine.is_over(before, linked)
        silence = self._silence(group, linked)
        if silence <= 0:
            return False
        if silence > KEPT_SILENT or (group.pending and group.ahead is None):
            return True
        if not linked.is_rising:
            return machine.is_due(FOREVER, linked)
        episode = (group.ahead or machine).episode
        return episode is not None and told_as(episode) not in group.told

    def _judge(self, key: GroupKey, linked: Linked, group: Group, fresh: Sequence[Entry]) -> None:
        silence = self._silence(group, linked)
        if self._horizon_at is not None:
            self._settle(key, linked, group, before=_less(self._horizon_at, linked.lag_s * SECOND), fresh=fresh)
        elif silence > KEPT_SILENT:
            self._settle(key, linked, group, before=FOREVER)
        elif silence > 0 and not linked.is_rising:
            self._settle(key, linked, group, before=_end_of_window(linked, group), is_silent=True)
        else:
            newest = max((one.at for one in (*fresh[-1:], *group.pending[-1:])), default=NEVER)
            before = newest - self._lateness(linked)
            self._settle(key, linked, group, before=before, fresh=fresh, is_silent=silence > 0)

    def _settle(
        self,
        key: GroupKey,
        linked: Linked,
        group: Group,
        *,
        before: int,
        fresh: Sequence[Entry] = (),
        is_silent: bool = False,
    ) -> None:
        settled = settle(group, linked, fresh, before=before, manner=self._manner)
        told = group.told
        if self._manner.is_prompt:
            for episode in settled.passed:
                told = self._tell(linked, episode, told, is_full=True)
            if settled.going is not None:
                told = self._tell(linked, settled.going, told, is_full=is_silent)
        for episode in settled.final:
            told = self._tell(linked, episode, told, is_full=True, is_final=True)
        after = replace(settled.group, told=told)
        if n_dropped := after.machine.n_dropped - group.machine.n_dropped:
            self.tally[linked.id, "", Loss.NO_ROOM] += n_dropped
        is_over = self._horizon_at is not None and not after.pending and after.machine.is_over(before, linked)
        self.changed[key] = None if before >= FOREVER or is_over else after
        for entry, is_new in settled.held:
            self.take(_hit_of(linked, entry), is_new=is_new, of=key[1])

    def _tell(
        self, linked: Linked, episode: Episode, told: tuple[Told, ...], *, is_full: bool, is_final: bool = False
    ) -> tuple[Told, ...]:
        """Tell of the episode where it is new, has doubled, or (`is_full`) has grown at all; what is told by then."""
        before = tuple(one for one in told if is_same_episode(one, episode, linked.span))
        now = (told_as(episode),)
        has_grown = is_full or not before or episode.n >= 2 * sum(one.n for one in before)
        if before != now and has_grown:
            if linked.id not in self._manner.links.muted:
                self.detections.append(detection_of(linked, episode, n_replaced=len(before), is_over=is_full))
            before = now
        rest = tuple(one for one in told if not is_same_episode(one, episode, linked.span))
        return rest if is_final else (*rest, *before)[-MAX_TOLD:]


def entry_of(linked: Linked, number: int, hit: Hit, *, is_new: bool = True, of: str = "") -> Entry | Loss:
    """The hit as an entry of this correlation and its member, or why it can be none."""
    member, kind, fields = linked.members[number], linked.correlation.kind, hit.fields
    if hit.at is None:
        return Loss.NO_INSTANT
    group = tuple(fields.get(name, "") for name in member.group)
    if not all(group):
        return Loss.NO_GROUP
    values = tuple(fields.get(name, "") for name in member.values)
    is_share = kind is Kind.VALUE_PERCENTILE and linked.correlation.percentile is None
    if not all(values) or (kind in NUMERIC and not is_share and number_of(values[0]) is None):
        return Loss.NO_VALUE
    return Entry(
        hit.at,
        number,
        hit.path,
        hit.record,
        hit.source,
        VALUE_SEPARATOR.join(values),
        group,
        tuple((name, fields[name]) for name in member.carried if name in fields),
        hit.host,
        hit.raw,
        is_new,
        of,
    )


def fair_share(sizes: Sequence[int], room: int) -> int:
    """How many each may hold at most, so that all together hold no more than `room`."""
    share, left = 0, room
    for n_others, size in zip(range(len(sizes), 0, -1), sorted(sizes), strict=True):
        share = left // n_others
        if size > share:
            return share
        left -= size
    return max(sizes, default=share)


def _hit_of(linked: Linked, entry: Entry) -> Hit:
    """What an outer correlation sees of a record at which this one holds: the fields it asks for, and the group's."""
    fields = dict(entry.carried) | dict(zip(linked.correlation.group_by, entry.group, strict=True))
    return Hit(entry.at, linked.id, entry.path, entry.record, entry.source, fields, entry.host, entry.raw)


def _end_of_window(linked: Linked, group: Group) -> int:
    """The instant past which every window of a silent group is over."""
    core = group.machine.core
    ends = [core.opened_at] if isinstance(core, Window) and core.n else []
    ends += [entry.at for entry in group.pending[-1:]]
    return max(ends, default=NEVER) + linked.span + 1


def _less(horizon_at: int, lag: int) -> int:
    return horizon_at if horizon_at >= FOREVER else horizon_at - lag


def _place(entry: Entry) -> tuple[int, str, str, int, int]:
    return entry.place
