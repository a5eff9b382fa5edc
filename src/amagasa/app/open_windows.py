"""The open windows of a node: in memory for judging, in the store beside the positions, and never apart.

What a batch changes is judged first, committed with the batch, and only then taken over: a commit that fails leaves
everything as it was, and the same batch is judged alike the next time.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from amagasa.app.active_content import as_held
from amagasa.app.ports import Store, Writing
from amagasa.detect.correlation.correlate import Correlated, correlate
from amagasa.detect.correlation.evidence import faults_of
from amagasa.detect.correlation.hit import Hit, micros
from amagasa.detect.correlation.link import Links
from amagasa.detect.correlation.windows import Group, Manner, Windows, added
from amagasa.detect.report import RuleFault


class OpenWindows:
    """`held` is for whoever judges and commits: one at a time. `now` says from when on a silent group counts as such.

    What was read before a stop is not silent because of the stop: its clock begins with the node's.
    """

    def __init__(self, store: Store, manner: Manner, now: Callable[[], datetime]) -> None:
        self.held = threading.RLock()
        self._store = store
        self._manner = manner
        self._now = now
        self._groups: dict[str, dict[str, Group]] = {}
        self._known: set[str] = set()
        with store.read() as reading:
            self._tally = reading.windows.tally()

    def use(self, links: Links) -> None:
        """Correlate by these links from now on; windows stored under them are taken up again.

        The windows of all others are forgotten: their correlation is gone, or means something else. Raises WorldError.
        """
        with self.held:
            new = [linked.digest for linked in links.correlations if linked.digest not in self._known]
            with self._store.read() as reading:
                stored = reading.windows.of(new)
            self._forget(links)
            heard_at = micros(self._now())
            for (digest, key), group in stored:
                self._groups.setdefault(digest, {})[key] = replace(group, heard_at=max(heard_at, group.heard_at))
            self._known.update(new)
            self._manner = replace(self._manner, links=links)

    def judge(self, hits: Sequence[Hit], *, source: str, now: datetime) -> Correlated:
        """What comes of hits of one source, or of time alone where there are none. Nothing is taken over yet."""
        if not self._manner.links.correlations:
            return Correlated()
        named = [replace(hit, source=source) for hit in hits]
        found = correlate(named, self._windows(), self._manner, now=now)
        return replace(found, detections=tuple(map(as_held, found.detections)))

    def save(self, tx: Writing, judged: Correlated) -> None:
        """Put it into the transaction."""
        if judged.changed:
            tx.windows.save(judged.changed)
        if judged.tally:
            tx.windows.save_tally(added(self._tally, judged.tally))

    def keep(self, judged: Correlated) -> None:
        """Take it over, behind the commit."""
        for (digest, key), group in judged.changed.items():
            if group is None:
                self._groups.get(digest, {}).pop(key, None)
            else:
                self._groups.setdefault(digest, {})[key] = group
        self._tally = added(self._tally, judged.tally)

    def faults(self) -> tuple[RuleFault, ...]:
        """What correlations could not look at, since they are what they are."""
        with self.held:
            return faults_of(self._manner.links, self._tally)

    def _windows(self) -> Windows:
        return Windows(groups=self._groups, tally=self._tally)

    def _forget(self, links: Links) -> None:
        kept = {linked.digest for linked in links.correlations}
        ids = {linked.id for linked in links.correlations}
        tally = {key: n for key, n in self._tally.items() if key[0] in ids}
        with self._store.write() as tx:
            tx.windows.keep_only(kept)
            if tally != self._tally:
                tx.windows.save_tally(tally)
        self._tally = tally
        self._groups = {digest: groups for digest, groups in self._groups.items() if digest in kept}
        self._known &= kept
