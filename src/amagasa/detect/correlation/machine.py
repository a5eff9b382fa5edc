"""One group of one correlation, event by event in order: when the condition holds, and the episodes that makes.

An *episode* begins with the first event at which the condition holds and goes on while each further such event (of
whole windows: the first event of each further such window) comes within `timespan` after the last. It is one
detection, however many events it has: a brute force of ten thousand passwords is one, and so is one that goes on for
days without a pause longer than the timespan.
"""

from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.correlation.bindings import Bindings
from amagasa.detect.correlation.definition import TEMPORAL, Kind
from amagasa.detect.correlation.entry import EXAMPLES, VALUES, About, Entry, Held
from amagasa.detect.correlation.link import Linked
from amagasa.detect.correlation.rising import Instants, Presence, Rising, Series, Sum, Values, rising_core
from amagasa.detect.correlation.whole import Window
from amagasa.detect.folding import fold

FOREVER = 1 << 62
Core: TypeAlias = Instants | Values | Sum | Presence | Series | Bindings | Window


class Episode(Struct, frozen=True, gc=False):
    """What is told of it. `last_at` is the last event at which the condition held, `n` the records up to there.

    `n` counts the records that made it hold first and all of the group from then on; `values` the different values of
    these, as (compared, shown), at most 256. `measure` is what was measured when it first held.
    """

    trigger: Entry
    first_at: int
    last_at: int
    last: Entry
    n: int
    examples: tuple[Entry, ...]
    values: tuple[tuple[str, str], ...]
    measure: str


class Stepped(Struct, frozen=True, gc=False):
    """What came of an event: records at which the condition holds (and whether an episode begins); what ended."""

    held: tuple[tuple[Entry, bool], ...] = ()
    ended: tuple[Episode, ...] = ()


NOTHING = Stepped()


# Plain values hold no cycles. Marked so (`gc=False`), the collector need not walk a hundred thousand of them again and
# again, which cost a third of the time.
class Machine(Struct, gc=False):
    """The state of one group; changed in place by those who own it, so `copy` first what others may look at.

    `n_tail` and `tail` are records since the condition last held, which count once it holds again. `n_seen` counts
    all entries. `has_held`: the condition held at the record in hand already, by another of its rules.
    """

    core: Core
    episode: Episode | None = None
    recent: list[Entry] = []
    n_tail: int = 0
    tail: dict[str, str] = {}
    n_seen: int = 0
    has_held: bool = False

    def copy(self) -> "Machine":
        """Apart from this one."""
        return Machine(
            self.core.copy(),
            self.episode,
            list(self.recent),
            self.n_tail,
            dict(self.tail),
            self.n_seen,
            self.has_held,
        )

    def step(self, entry: Entry, linked: Linked) -> Stepped:
        """The next entry in the order of `Entry.place`."""
        kind = linked.correlation.kind
        is_same = bool(self.recent) and self.recent[-1].mark == entry.mark
        passed = self.pass_time(entry.at, linked)
        # A record that satisfies two rules is one event; what an inner correlation says again is not counted again.
        if kind not in TEMPORAL and (is_same or (kind is not Kind.VALUE_COUNT and not entry.is_new)):
            return passed
        self.n_seen += 1
        if is_same:
            self.recent[-1] = entry
        else:
            self.recent = [*self.recent[-EXAMPLES + 1 :], entry]
        core = self.core
        if isinstance(core, Window):
            core.take(entry, linked, is_same=is_same)
            return passed
        self._tail_on(entry, linked, is_same=is_same)
        held = core.add(entry, About(linked, self.recent, is_same))
        has_held = is_same and self.has_held
        self.has_held = has_held or held is not None
        if held is None:
            return passed
        said = self._holds(held)
        return Stepped(passed.held if has_held else (*passed.held, said), passed.ended)

    def pass_time(self, at: int, linked: Linked) -> Stepped:
        """No entry before `at` comes any more: close what is over."""
        held: tuple[tuple[Entry, bool], ...] = ()
        ended: tuple[Episode, ...] = ()
        core = self.core
        if isinstance(core, Window) and core.n and at > core.opened_at + linked.span:
            found = core.judged(linked, self.recent)
            self.core = Window(n_dropped=core.n_dropped)
            if found is not None:
                if self.episode is not None and found.first_at > self.episode.last_at + linked.span:
                    ended = (self.episode,)
                    self.episode = None
                held = (self._holds(found),)
        episode = self.episode
        if episode is not None and at > episode.last_at + linked.span and not self._may_go_on(episode, linked):
            ended = (*ended, episode)
            self._end()
        return Stepped(held, ended) if held or ended else NOTHING

    def is_due(self, at: int, linked: Linked) -> bool:
        """Whether `pass_time` of this instant would find something over."""
        core, episode = self.core, self.episode
        if isinstance(core, Window) and core.n and at > core.opened_at + linked.span:
            return True
        return episode is not None and at > episode.last_at + linked.span and not self._may_go_on(episode, linked)

    def is_over(self, at: int, linked: Linked) -> bool:
        """Whether nothing that is held matters to entries from `at` on."""
        core = self.core
        if self.episode is not None or (isinstance(core, Window) and core.n):
            return False
        return not self.recent or at > self.recent[-1].at + linked.span

    @property
    def n_dropped(self) -> int:
        """Values and records left out because a window had no room."""
        return self.core.n_dropped if isinstance(self.core, Window | Sum | Bindings) else 0

    @property
    def is_steady(self) -> bool:
        """Whether an event that comes late cannot undo that the condition holds."""
        return not isinstance(self.core, Window) and not (isinstance(self.core, Sum) and self.core.has_negative)

    def _may_go_on(self, episode: Episode, linked: Linked) -> bool:
        core = self.core
        return isinstance(core, Window) and bool(core.n) and core.opened_at <= episode.last_at + linked.span

    def _holds(self, held: Held) -> tuple[Entry, bool]:
        episode = self.episode
        if episode is None:
            self._end()
            self.episode = Episode(
                held.trigger,
                held.first_at,
                held.trigger.at,
                held.trigger,
                held.n,
                held.examples,
                held.values,
                held.measure,
            )
            return held.trigger, True
        is_window = isinstance(self.core, Window)
        added = dict(held.values) if is_window else self.tail
        known = dict(episode.values)
        fresh = tuple((key, text) for key, text in added.items() if key not in known)
        self.episode = replace(
            episode,
            last_at=held.trigger.at,
            last=held.trigger,
            n=episode.n + (held.n if is_window else self.n_tail),
            values=(episode.values + fresh)[:VALUES],
        )
        self.n_tail, self.tail = 0, {}
        return held.trigger, False

    def _tail_on(self, entry: Entry, linked: Linked, *, is_same: bool) -> None:
        if self.episode is None:
            return
        self.n_tail += not is_same
        if linked.correlation.kind is Kind.VALUE_COUNT and len(self.tail) < VALUES:
            self.tail.setdefault(fold(entry.value), entry.value)

    def _end(self) -> None:
        self.episode, self.n_tail, self.tail = None, 0, {}


def machine_of(linked: Linked) -> Machine:
    """Of a group that has just come up."""
    core: Rising | Window = rising_core(linked.correlation.kind) if linked.is_rising else Window()
    return Machine(core)
