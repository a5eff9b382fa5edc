"""What a worker looks with, in layers: rules are compiled together with few others, so a change costs what it changes.

The lowest layer are the rules on disk; above it lie layers of content, small ones on large ones, and from time to time
neighbours are merged in the background. A rule that is removed or replaced is hidden in its layer at once and goes with
the next merge. Each key (an item of content, a file) belongs to one layer; what other layers hold of it is hidden.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Rule
from amagasa.event.record import Route

Rules = tuple[Rule, ...]
_DISK: Final = "disk:"
# A layer up to this many keys is compiled anew with each small change; beyond it a new one is begun.
SMALL: Final = 64
MAX_LAYERS: Final = 5
# A layer of which more than this is hidden is worth compiling anew.
HIDDEN_RATIO: Final = 0.25


class Layer:
    """Rules compiled together, by the key they belong to; ready once it was `warmed`."""

    def __init__(self, items: Mapping[str, Rules], plan: Plan, memo: Memo) -> None:
        self.items = dict(items)
        self.plan = plan
        self.memo = memo

    def warmed(self, routes: Iterable[Route]) -> "Layer":
        """With its matchers made for the routes at which it will look: whoever looks then waits for nothing."""
        for route in routes:
            if self.plan.for_route(route).places:
                self.memo.route(route)
        return self

    @property
    def faults(self) -> tuple[RuleFault, ...]:
        """Rules which the engine refused, of the routes met so far."""
        return tuple(self.memo.faults.values())


class Task(Struct, frozen=True, kw_only=True):
    """A layer to be made of these items, in place of others. `keys` are those that it brings or brings anew."""

    items: Mapping[str, Rules]
    replaces: tuple[Layer, ...]
    keys: frozenset[str]

    def made(self, routes: Iterable[Route], known: Mapping[str, bytes] | None = None) -> Layer:
        """The layer; may take long, and touches nothing that is in use. `known` are stored matchers."""
        plan = plan_of([rule for rules in self.items.values() for rule in rules if rule.correlation is None])
        return Layer(self.items, plan, Memo(plan, known)).warmed(routes)


class Layers:
    """The layers in use. Not for two threads at once; tasks are made elsewhere and brought back."""

    def __init__(self, base: Layer) -> None:
        self._base = base
        self._layers = [base]
        self._owner: dict[str, Layer] = dict.fromkeys(base.items, base)

    @property
    def plans(self) -> tuple[tuple[Plan, Memo], ...]:
        """Plan and memo of each layer, the lowest first; empty ones but the lowest left out."""
        return tuple((layer.plan, layer.memo) for layer in self._layers)

    @property
    def hidden(self) -> tuple[frozenset[str], ...]:
        """For each of the plans, the ids of the rules which no longer count there."""
        return tuple(self._hidden_in(layer) for layer in self._layers)

    def rules_of(self, key: str) -> Rules:
        """What is looked with under the key."""
        owner = self._owner.get(key)
        return () if owner is None else owner.items[key]

    @property
    def keys(self) -> frozenset[str]:
        """Every key that is looked with."""
        return frozenset(self._owner)

    def task_for(self, added: Mapping[str, Rules]) -> Task:
        """What is to be made so that these are looked with, in place of what their keys held before."""
        top = self._layers[-1]
        if top is not self._base and len(top.items) + len(added) <= SMALL:
            return Task(items=self._kept(top) | dict(added), replaces=(top,), keys=frozenset(added))
        return Task(items=added, replaces=(), keys=frozenset(added))

    def bring(self, task: Task, layer: Layer) -> None:
        """Look with what was made, from now on."""
        taken = {key for key in layer.items if key in task.keys or self._owner.get(key) in task.replaces}
        below = [place for place, one in enumerate(self._layers) if one in task.replaces]
        kept = [one for one in self._layers if one not in task.replaces]
        kept.insert(min(below, default=len(kept)), layer)
        self._layers = kept
        if self._base in task.replaces:
            self._base = layer
        self._owner |= dict.fromkeys(taken, layer)
        for one in task.replaces:
            for key in [key for key in one.items if self._owner.get(key) is one]:
                del self._owner[key]
        self._drop_empty()

    def remove(self, keys: Iterable[str]) -> None:
        """Look with these no longer, from now on."""
        for key in keys:
            self._owner.pop(key, None)
        self._drop_empty()

    def task_to_merge(self) -> Task | None:
        """Layers that are better one; None where all is well. The lowest is never merged, but may be made anew."""
        for layer in self._layers:
            kept = self._kept(layer)
            if len(layer.items) - len(kept) > max(SMALL, HIDDEN_RATIO * len(layer.items)):
                return Task(items=kept, replaces=(layer,), keys=frozenset())
        upper = self._layers[1:]
        if len(upper) < MAX_LAYERS:
            return None
        sizes = [len(layer.items) for layer in upper]
        start = len(upper) - 2
        while start > 0 and sizes[start - 1] < 2 * sum(sizes[start:]):
            start -= 1
        joined = tuple(upper[start:])
        items = {key: rules for layer in joined for key, rules in self._kept(layer).items()}
        return Task(items=items, replaces=joined, keys=frozenset())

    def _kept(self, layer: Layer) -> dict[str, Rules]:
        return {key: rules for key, rules in layer.items.items() if self._owner.get(key) is layer}

    def _hidden_in(self, layer: Layer) -> frozenset[str]:
        hidden = [key for key in layer.items if self._owner.get(key) is not layer]
        if not hidden:
            return frozenset()
        shown = {rule.id for rules in self._kept(layer).values() for rule in rules}
        return frozenset(rule.id for key in hidden for rule in layer.items[key]) - shown

    def _drop_empty(self) -> None:
        owners = set(map(id, self._owner.values()))
        self._layers = [one for one in self._layers if one is self._base or id(one) in owners]


def items_on_disk(rules: Sequence[Rule]) -> dict[str, Rules]:
    """Rules on disk by the file (or member of an archive) they stand in."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(disk_key(rule.path), []).append(rule)
    return {key: tuple(own) for key, own in found.items()}


def disk_key(path: str) -> str:
    """The key of a file: apart from the keys of content, which are identifiers."""
    return f"{_DISK}{path}"


def path_of(key: str) -> str | None:
    """The path of a file's key; None for the key of content."""
    return key.removeprefix(_DISK) if key.startswith(_DISK) else None
