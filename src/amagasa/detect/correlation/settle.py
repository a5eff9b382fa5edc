"""One group: new entries join those that wait, what can no longer be overtaken is judged, and another runs ahead."""

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.correlation.entry import Entry
from amagasa.detect.correlation.link import Linked
from amagasa.detect.correlation.machine import FOREVER, Episode, Machine
from amagasa.detect.correlation.windows import Group, Manner, Told, merged

Held = tuple[Entry, bool]
# Of one group, of episodes which what is late may still change.
MAX_TOLD = 8


class Settled(Struct, frozen=True, kw_only=True, gc=False):
    """The group as it is now. `final` episodes are over and judged for good; the others a late record may still change.

    `passed` are over too as far as is known, `going` is not. `held` are records at which the condition holds (and
    whether an episode begins there): each is given once.
    """

    group: Group
    final: tuple[Episode, ...] = ()
    passed: tuple[Episode, ...] = ()
    going: Episode | None = None
    held: tuple[Held, ...] = ()


def settle(group: Group, linked: Linked, fresh: Sequence[Entry], *, before: int, manner: Manner) -> Settled:
    """Add `fresh` (in order, none older than `group.done_at`), and judge all that is older than `before`."""
    is_behind = not group.pending or not fresh or fresh[0].place > group.pending[-1].place
    alone = fresh if len(fresh) < 2 else merged((), fresh)
    pending = (*group.pending, *alone) if is_behind else merged(group.pending, fresh)
    n_judged = max(bisect_left(pending, before, key=_at), len(pending) - manner.max_entries, 0)
    judged = _judged(group.machine, pending[:n_judged], linked, before=before)
    is_ahead = manner.is_prompt and linked.is_rising
    ahead = _ahead(group, linked, pending, fresh if is_behind else None) if is_ahead else _Ahead(judged.machine)
    is_steady = is_ahead and ahead.machine.is_steady
    view = ahead if is_steady else _Ahead(judged.machine)
    left = pending[n_judged:]
    last = pending[n_judged - 1].at if n_judged else group.done_at
    return Settled(
        group=replace(
            group,
            machine=judged.machine,
            pending=left,
            done_at=max(group.done_at, last, before if before < FOREVER else last),
            ahead=ahead.machine if left and is_ahead else None,
        ),
        final=judged.ended,
        passed=view.ended,
        going=view.machine.episode,
        held=ahead.held if is_steady else judged.held,
    )


class _Ahead(Struct, frozen=True, gc=False):
    """A machine, and what it said on its way."""

    machine: Machine
    held: tuple[Held, ...] = ()
    ended: tuple[Episode, ...] = ()


def _judged(machine: Machine, entries: Sequence[Entry], linked: Linked, *, before: int) -> _Ahead:
    if not entries and not machine.is_due(before, linked):
        return _Ahead(machine)
    run = _run(machine, entries, linked)
    passed = run.machine.pass_time(before, linked)
    return _Ahead(run.machine, (*run.held, *passed.held), (*run.ended, *passed.ended))


def _ahead(group: Group, linked: Linked, pending: Sequence[Entry], behind: Sequence[Entry] | None) -> _Ahead:
    """Where the machine stands behind all that waits; `behind` are the new entries where they came in order."""
    if behind is not None:
        machine = group.ahead
        if machine is None:
            machine = _run(group.machine, group.pending, linked).machine if group.pending else group.machine
        return _run(machine, behind, linked) if behind else _Ahead(machine)
    known = {(entry.place, is_new) for entry, is_new in _run(group.machine, group.pending, linked).held}
    run = _run(group.machine, pending, linked)
    return replace(run, held=tuple((entry, new) for entry, new in run.held if (entry.place, new) not in known))


def _run(machine: Machine, entries: Sequence[Entry], linked: Linked) -> _Ahead:
    """A copy of the machine, driven over the entries."""
    copy = machine.copy()
    held: list[Held] = []
    ended: list[Episode] = []
    for entry in entries:
        stepped = copy.step(entry, linked)
        held += stepped.held
        ended += stepped.ended
    return _Ahead(copy, tuple(held), tuple(ended))


def told_as(episode: Episode) -> Told:
    """What is remembered of an episode that was told."""
    trigger = episode.trigger
    return Told(trigger.at, episode.first_at, episode.last_at, episode.n, trigger.path, trigger.record)


def is_same_episode(told: Told, episode: Episode, span: int) -> bool:
    """Whether both are of one episode: two of one group are further apart than the timespan."""
    return told.trigger_at <= episode.last_at + span and episode.trigger.at <= told.last_at + span


def _at(entry: Entry) -> int:
    return entry.at
