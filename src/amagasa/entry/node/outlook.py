"""What the worker looks with, and how it changes while it looks: prepared aside, put to use between two batches."""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.active_content import by_item
from amagasa.app.layers import SMALL, Layer, Layers, Rules, Task, path_of
from amagasa.app.sight import Sight
from amagasa.app.worker_messages import Active, Change, Content, MoreIndicators, Part, RuleChange
from amagasa.detect.correlation.link import Links, link
from amagasa.detect.engine.sieve import Sieve
from amagasa.detect.exclusion import Exclusions
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.looking import Looking
from amagasa.detect.indicators.series import with_patterns
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Rule
from amagasa.entry.node.policies import Policies
from amagasa.entry.wiring_detect import Loaded, changed_files, changed_indicators
from amagasa.event.record import Route

# So many rules are compiled at once where they come: a thread would take longer to say that it is done.
MAX_AT_ONCE: Final = 16
QUIET_S: Final = 2.0
_POLITE: Final = 10  # niceness of the thread that merges

log = structlog.get_logger("worker")


class Aside(Struct, frozen=True, kw_only=True):
    """What a thread made of a change: a layer (None where rules only go), indicators (None where they stay).

    `of_files`: identifiers of the indicators that stand in files.
    """

    layer: Layer | None
    indicators: IndicatorSet | None
    of_files: frozenset[str]
    faults: tuple[RuleFault, ...]


class Wish(Struct, kw_only=True):
    """A change under way: what is to be added and removed, and how far it has come."""

    version: int | None  # None for rules on disk, which nobody waits for, and where more of the same version comes
    added: Mapping[str, Rules]
    removed: frozenset[str]
    indicators: Content | Part | MoreIndicators | None = None
    task: Task | None = None
    made: "Future[Aside] | None" = None


class Outlook:
    """For the worker's one thread. `sight` is what to look with now; `advance` between batches brings what is ready.

    Changes come into force in the order in which they were taken. While one is prepared, what was there goes on.
    """

    def __init__(self, base: Loaded, policies: Policies | None = None) -> None:
        self._base = base
        self._layers = Layers(base.layer())
        self._indicators = base.indicators
        self._of_files: frozenset[str] = frozenset()
        self._policies = policies or Policies(None)
        self._policy = self._policies.found() or base.policy
        self._version = 0
        self._is_whole = True
        self._faults: tuple[RuleFault, ...] = ()  # of parts of a content that is not whole yet
        self._wishes: deque[Wish] = deque()
        self._merging: tuple[Task, Future[Layer]] | None = None
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        self._merger = ThreadPoolExecutor(1, thread_name_prefix="merge", initializer=_be_polite)
        self._may_merge = self._may_sieve = True
        self._met: dict[str, Route] = {}
        self._sieving: Future[Sieve | None] | None = None
        self._changed_at = time.monotonic()
        self._rule_links = Links()
        self._unlinked: tuple[RuleFault, ...] = ()
        self._silent = base.content.silent
        self._exclusions = Exclusions(base.exclusions)
        self._link()
        self.links = with_patterns(self._rule_links, self._indicators)
        self.sight = self._sight(base.sieve_for([plan for plan, _ in self._layers.plans]))

    def take(self, change: Change) -> list[Active]:
        """A change to come into force. Raises ValueError behind a gap: some change before it was lost.

        A version that is known already was sent twice around our start, and is nothing new.
        """
        if isinstance(change, Part):
            if change.version == self._version and not self._is_whole:
                self._is_whole = change.is_last
                self._wishes.append(self._wish(change))
            return self.advance()
        if change.version <= self._version:
            return []
        if not isinstance(change, Content) and change.version != self._version + 1:
            message = f"version {change.version} of the content after {self._version}"
            raise ValueError(message)
        self._version = change.version
        self._is_whole = not isinstance(change, Content) or change.is_whole
        self._wishes.append(self._wish(change))
        return self.advance()

    def take_disk(self, added: Mapping[str, Rules], removed: frozenset[str]) -> None:
        """Rules on disk that changed, by key; those that are in use as they stand cost nothing."""
        new = {key: rules for key, rules in added.items() if rules and self._planned(key) != rules}
        gone = removed | {key for key, rules in added.items() if not rules}
        self._wishes.append(Wish(version=None, added=new, removed=gone))

    def keep_to(self, whole: Loaded) -> None:
        """What the site wants left out and kept silent, from now on, by all rules on disk as they were loaded anew."""
        self._silent = whole.content.silent
        if whole.exclusions != self._exclusions.exclusions:
            self._exclusions = Exclusions(whole.exclusions)
            self.sight.exclusions = self._exclusions

    @property
    def rules(self) -> list[Rule]:
        """All that are in force."""
        return [rule for key in sorted(self._layers.keys) for rule in self._layers.rules_of(key)]

    @property
    def has_content(self) -> bool:
        """Whether any content was taken, all of it."""
        return self._version > 0 and self._is_whole

    @property
    def is_settled(self) -> bool:
        """Whether every change that was taken is in force."""
        return not self._wishes

    @property
    def unlinked_on_disk(self) -> tuple[RuleFault, ...]:
        """Correlations on disk that cannot run for want of a rule."""
        paths = self.paths_on_disk
        return tuple(one for one in self._unlinked if one.path in paths)

    @property
    def n_on_disk(self) -> int:
        """Rules on disk that are looked with."""
        return sum(len(self._layers.rules_of(key)) for key in self._layers.keys if path_of(key) is not None)

    @property
    def paths_on_disk(self) -> frozenset[str]:
        """Their documents."""
        return frozenset(path for key in self._layers.keys if (path := path_of(key)) is not None)

    def advance(self) -> list[Active]:
        """Put to use what is ready; what came into force by that. Costs nothing where nothing is under way."""
        told = []
        while self._wishes and (done := self._step(self._wishes[0])) is not None:
            wish = self._wishes.popleft()
            before = self._unlinked_content()
            if wish.added or wish.removed:
                self._link()
            if wish.added or wish.removed or wish.indicators is not None:
                self.links = with_patterns(self._rule_links, self._indicators)
            self._renew()
            if wish.version is not None:
                now = self._unlinked_content()
                mended = tuple(sorted({one.path for one in before} - {one.path for one in now}))
                told.append(Active(version=wish.version, faults=(*self._faults, *done, *now), mended=mended))
                self._faults = ()
            elif wish.indicators is not None:
                self._faults += done
        self._follow_policy()
        self._merge()
        self._sieve()
        return told

    def settle(self) -> list[Active]:
        """Wait until every change that was taken is in force."""
        told = self.advance()
        while self._wishes:
            made = self._wishes[0].made
            if made is not None:
                made.exception()
            told += self.advance()
        return told

    def close(self) -> None:
        """Begin nothing more."""
        for pool in (self._preparer, self._merger):
            pool.shutdown(wait=False, cancel_futures=True)

    def _wish(self, change: Change) -> Wish:
        match change:
            case Content():
                wanted = by_item(change.rules)
                added = {key: rules for key, rules in wanted.items() if self._planned(key) != rules}
                gone = frozenset(key for key in self._keys_planned() if path_of(key) is None) - wanted.keys()
                version = change.version if change.is_whole else None
                return Wish(version=version, added=added, removed=gone, indicators=change)
            case Part():
                version = change.version if change.is_last else None
                return Wish(version=version, added={}, removed=frozenset(), indicators=change)
            case RuleChange():
                return Wish(version=change.version, added=by_item(change.rules), removed=frozenset(change.removed))
            case MoreIndicators():
                return Wish(version=change.version, added={}, removed=frozenset(), indicators=change)

    def _planned(self, key: str) -> Rules:
        """What will be looked with under the key once all wishes are in force."""
        for wish in reversed(self._wishes):
            if key in wish.added:
                return wish.added[key]
            if key in wish.removed:
                return ()
        return self._layers.rules_of(key)

    def _keys_planned(self) -> set[str]:
        keys = set(self._layers.keys)
        for wish in self._wishes:
            keys = (keys - wish.removed) | wish.added.keys()
        return keys

    def _step(self, wish: Wish) -> tuple[RuleFault, ...] | None:
        """Bring the wish on; its faults where it is in force now, None where it is still prepared."""
        if wish.made is None:
            wish.task = self._layers.task_for(wish.added) if wish.added else None
            routes = dict(self._met | self.sight.met)
            wish.made = Future()
            if self._is_quick(wish):
                _fill(wish.made, self._prepared, wish, routes)
            else:
                wish.made = self._preparer.submit(self._prepared, wish, routes)
        if not wish.made.done():
            return None
        try:
            made = wish.made.result()
        except Exception as mistake:
            log.exception("a mistake in Amagasa: a change of the content could not be prepared")
            self._layers.remove(wish.removed - wish.added.keys())
            why = f"a mistake in Amagasa: {type(mistake).__name__}"
            return tuple(
                RuleFault(rule_id=rule.id, path=rule.path, why=why, code="AMG-RULE-021")
                for rules in wish.added.values()
                for rule in rules
            )
        return self._bring(wish, made)

    def _is_quick(self, wish: Wish) -> bool:
        if wish.indicators is None:
            return len(wish.added) <= MAX_AT_ONCE
        has_files = not isinstance(wish.indicators, Part) and bool(wish.indicators.files or self._of_files)
        return len(wish.added) <= MAX_AT_ONCE and len(wish.indicators.indicators) <= SMALL and not has_files

    def _bring(self, wish: Wish, made: Aside) -> tuple[RuleFault, ...]:
        if wish.task is not None and made.layer is not None:
            self._layers.bring(wish.task, made.layer)
        self._layers.remove(wish.removed - wish.added.keys())
        if made.indicators is not None:
            self._indicators, self._of_files = made.indicators, made.of_files
        return made.faults

    def _merge(self) -> None:
        if self._merging is not None:
            task, future = self._merging
            if not future.done():
                return
            self._merging = None
            if future.exception() is not None:
                log.error("a mistake in Amagasa: layers of rules cannot be merged", exc_info=future.exception())
                self._may_merge = False  # all goes on as it is, a little slower
                return
            self._layers.bring(task, future.result())
            self._renew()
        if self._may_merge and (task_now := self._layers.task_to_merge()) is not None:
            routes = dict(self._met | self.sight.met)
            self._merging = (task_now, self._merger.submit(self._made, task_now, routes))

    def _made(self, task: Task, routes: Mapping[str, Route]) -> Layer:
        """The layer of a task; the matchers of a large one are stored for the next start."""
        layer = task.made(tuple(routes.values()), self._base.content.cache)
        if len(layer.items) > SMALL:
            self._base.content.keep(layer.memo.made)
        return layer

    def _prepared(self, wish: Wish, routes: Mapping[str, Route]) -> Aside:
        layer = None if wish.task is None else self._made(wish.task, routes)
        faults = () if layer is None else layer.faults
        told = wish.indicators
        if told is None:
            return Aside(layer=layer, indicators=None, of_files=self._of_files, faults=faults)
        held, of_files = self._indicators, self._of_files
        if isinstance(told, Content):
            held, of_files = self._base.indicators, frozenset()
        files = None if isinstance(told, Part) else told.files
        if self._policies.node is not None and files is not None:
            changed = changed_files(held, self._policies.node, files, before=of_files)
            held, of_files, faults = changed.indicators, changed.ids, (*faults, *changed.faults)
        gone = told.gone if isinstance(told, MoreIndicators) else ()
        held, unusable = changed_indicators(held, told.indicators, told.origins, gone=gone)
        return Aside(layer=layer, indicators=held, of_files=of_files, faults=(*faults, *unusable))

    def _follow_policy(self) -> None:
        """Weigh what indicators say as the node's files have it now."""
        found = self._policies.found()
        if found is not None:
            self._policy = found
            self.sight.looking = Looking(self._indicators, found)

    def _renew(self) -> None:
        """Look with the layers and indicators as they are now. The sieve of other plans cannot be used."""
        old = self.sight
        self._met |= old.met
        is_same = [plan for plan, _ in old.plans] == [plan for plan, _ in self._layers.plans]
        self.sight = self._sight(old.sieve if is_same else None)
        if old.looking.indicators is self._indicators and old.looking.policy is self._policy:
            self.sight.looking = old.looking  # with what it knows of values
        if not is_same:
            self._sieving, self._changed_at = None, time.monotonic()

    def _link(self) -> None:
        """Correlations by all the rules that are in force; those on disk below the least level keep silent."""
        in_force = {key: self._layers.rules_of(key) for key in sorted(self._layers.keys)}
        rules = [rule for some in in_force.values() for rule in some]
        free = frozenset(rule.id for key, some in in_force.items() if path_of(key) is None for rule in some)
        links, self._unlinked = link(rules, least=self._base.least, free=free)
        silent = {*links.silent, *(set(self._silent) - free)}
        self._rule_links = replace(links, silent=tuple(sorted(silent)))

    def _unlinked_content(self) -> tuple[RuleFault, ...]:
        paths = self.paths_on_disk
        return tuple(one for one in self._unlinked if one.path not in paths)

    def _sight(self, sieve: Sieve | None) -> Sight:
        sight = Sight(
            self._layers.plans,
            self._indicators,
            policy=self._policy,
            sieve=sieve,
            links=self.links,
            hidden=self._layers.hidden,
        )
        sight.exclusions = self._exclusions
        return sight

    def _sieve(self) -> None:
        """Once all is quiet, a sieve: it learns each route anew, which is no work to do after every single change."""
        if self.sight.sieve is not None or not self._may_sieve:
            return
        if self._sieving is None:
            if not self._wishes and self._merging is None and time.monotonic() - self._changed_at > QUIET_S:
                self._sieving = self._merger.submit(self._base.sieve_for, [plan for plan, _ in self._layers.plans])
        elif self._sieving.done():
            sieve = self._sieving.result()
            self._sieving, self._may_sieve = None, sieve is not None
            old = self.sight
            self.sight = self._sight(sieve)
            self.sight.looking, self.sight.met = old.looking, old.met


def _fill(made: "Future[Aside]", prepare: Callable[..., Aside], *given: Any) -> None:
    """Prepare here and now."""
    try:
        made.set_result(prepare(*given))
    except Exception as mistake:  # noqa: BLE001 - whoever asks for the result is told
        made.set_exception(mistake)


def _be_polite() -> None:
    """Merging is never urgent: detection comes first where the processor is short."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _POLITE)
