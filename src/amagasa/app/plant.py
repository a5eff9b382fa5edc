"""The baseline of a node's plant: what was learnt, for people to look at, to freeze and to thaw."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Store
from amagasa.app.signals import Signals
from amagasa.app.worker_messages import BaselineWish
from amagasa.detect.baseline.profile import Baseline, Habit, State
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

BASELINE: Final = "baseline"  # the topic: the process that learns takes it up
_KEY: Final = "baseline-wish"
SPANS_SHOWN: Final = 8


class HabitView(Struct, frozen=True, kw_only=True):
    """What a master does at a device: `addresses` are closed ranges, `every_s` the mean gap."""

    device: str
    master: str
    function: str
    is_changing: bool
    addresses: tuple[tuple[int, int], ...]
    low: float | None
    high: float | None
    every_s: float
    n: int


class PlantView(Struct, frozen=True, kw_only=True):
    """The baseline, and the habits of a page of its devices; `next` is the device to go on behind."""

    state: State
    changed_by: str
    changed_at: datetime | None
    since: datetime | None
    until: datetime | None
    n_messages: int
    n_left_out: int
    n_devices: int
    habits: list[HabitView]
    next: str | None = None


def wish_in(store: Store) -> BaselineWish | None:
    """What a person said last; None where nobody did."""
    with store.read() as reading:
        held = reading.meta(_KEY)
    return None if held is None else msgspec.json.decode(held, type=BaselineWish)


class Plant:
    """The use cases. `load` gives the baseline as it was last kept; None where nothing was learnt."""

    def __init__(self, store: Store, load: Callable[[], Baseline | None], signals: Signals) -> None:
        self._store, self._load, self._signals = store, load, signals

    def show(self, actor: Actor, *, after: str = "", limit: int = 50) -> PlantView:
        """The habits of `limit` devices behind `after`. Raises BadInputError, WorldError where it cannot be read."""
        require(actor, Act.READ)
        baseline = self._load() or Baseline()
        names = sorted(name for name in baseline.devices if name > after)
        wish = wish_in(self._store)
        is_newer = wish is not None and (baseline.changed_at is None or wish.at > baseline.changed_at)
        return PlantView(
            state=wish.state if wish is not None and is_newer else baseline.state,
            changed_by=show(wish.by if wish is not None and is_newer else baseline.changed_by),
            changed_at=wish.at if wish is not None and is_newer else baseline.changed_at,
            since=baseline.since,
            until=baseline.until,
            n_messages=baseline.n_messages,
            n_left_out=baseline.n_left_out,
            n_devices=len(baseline.devices),
            habits=[view for name in names[:limit] for view in _habits(name, baseline)],
            next=names[limit - 1] if len(names) > limit else None,
        )

    def change(self, actor: Actor, state: State, *, by: str = "", now: datetime) -> PlantView:
        """Freeze or thaw; committed, so that a node that does not run does it at its start.

        `by` names the person where an operator acts for one. Raises BadInputError (AMG-BASELINE-EMPTY).
        """
        require(actor, Act.WRITE_CONTENT)
        baseline = self._load()
        if state is State.FROZEN and (baseline is None or not baseline.n_messages):
            raise BadInputError(
                "AMG-BASELINE-EMPTY",
                "the baseline has learnt nothing",
                expected="a baseline that learnt for a stated period",
                got="no messages",
                then="it stays as it is; frozen, it would call everything new",
            )
        who = f"{by[:80]} ({actor.name})" if by else actor.name
        wish = BaselineWish(state=state, by=who, at=now)
        with self._store.write() as tx:
            tx.save_meta(_KEY, msgspec.json.encode(wish).decode())
        self._signals.publish(BASELINE, {"state": state.value})
        return self.show(actor, limit=1)


def _habits(name: str, baseline: Baseline) -> list[HabitView]:
    return [
        _view(name, master, habit)
        for master, habits in sorted(baseline.devices[name].masters.items())
        for habit in habits.values()
    ]


def _view(device: str, master: str, habit: Habit) -> HabitView:
    return HabitView(
        device=show(device),
        master=show(master),
        function=show(f"{habit.function} {habit.object}".rstrip()),
        is_changing=habit.is_changing,
        addresses=tuple(habit.spans[:SPANS_SHOWN]),
        low=habit.low,
        high=habit.high,
        every_s=round(habit.mean_gap_s, 2),
        n=habit.n,
    )
