"""Rules on disk while a node runs: a thread looks for changed files; the worker puts to use what it finds."""

import queue
import threading
import time
from collections.abc import Mapping
from typing import Final

import structlog
from msgspec import Struct

from amagasa.app.layers import Rules, disk_key, items_on_disk
from amagasa.app.worker_messages import Begin
from amagasa.detect.report import RuleFault
from amagasa.entry.wiring_detect import Loaded, files_of, load_content, rule_watch
from amagasa.vocab.errors import AmagasaError

EVERY_S: Final = 0.5
# Of its time the thread spends no more than a part in this many on looking.
_IDLE: Final = 40

log = structlog.get_logger("worker")


class Found(Struct, frozen=True, kw_only=True):
    """Rules by key that are new or changed, keys that are gone, and what cannot run of the files that changed.

    `whole` is set where all rules on disk were loaded anew; then `faults` are all there are.
    """

    added: Mapping[str, Rules]
    removed: frozenset[str]
    faults: tuple[RuleFault, ...]
    whole: Loaded | None = None


class DiskRules:
    """Watches from the moment it is made.

    `in_use` are the paths of the documents in use, `is_acting` says whether some of them act on others: the worker
    sets both when it has loaded them, and `in_use` anew. With `is_part` only some of the rules were loaded before.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._watch = rule_watch(begin)
        self._found: queue.SimpleQueue[Found] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk-rules", daemon=True)
        self._watch.progress = self._count
        self._compiled = (0, 0)
        self.in_use: frozenset[str] = frozenset()
        self.is_acting = False
        self.is_part = False

    def start(self) -> None:
        """Begin to look."""
        if self._begin.rule_paths:
            self._thread.start()

    def stop(self) -> None:
        """Look no more; what is under way is not waited for."""
        self._stopping.set()

    @property
    def compiled(self) -> tuple[int, int]:
        """How many documents are compiled of how many, of those that were met last."""
        return self._compiled

    def found(self) -> Found | None:
        """The next change that was found."""
        try:
            return self._found.get_nowait()
        except queue.Empty:
            return None

    def _run(self) -> None:
        wait_s = 0.0 if self.is_part else EVERY_S
        while not self._stopping.wait(wait_s):
            began = time.monotonic()
            try:
                self._look()
            except AmagasaError as problem:
                self._compiled = (0, 0)
                log.error("changed rules on disk could not be compiled; tried again", problem=str(problem))  # noqa: TRY400
            wait_s = max(EVERY_S, _IDLE * (time.monotonic() - began))

    def _look(self) -> None:
        if self.is_part:
            self._found.put(self._everything())
            self.is_part = False
        self._watch.is_acting = self.is_acting
        change = self._watch.look(self.in_use)
        if change is None:
            return
        if change.is_reaching:
            self._found.put(self._everything())
        elif change.rules or change.removed or change.faults:
            added = {disk_key(path): rules for path, rules in change.rules.items()}
            removed = frozenset(disk_key(path) for path in change.removed)
            self._found.put(Found(added=added, removed=removed, faults=change.faults))

    def _everything(self) -> Found:
        """All rules on disk, loaded anew: where a document changes what others mean, nothing less is right."""
        loaded = load_content(files_of(self._begin), progress=self._count)
        self.is_acting = loaded.content.is_acting
        added = items_on_disk(loaded.rules)
        # What cannot be compiled any more goes on as it was.
        removed = frozenset(map(disk_key, self.in_use)) - added.keys() - {disk_key(one.path) for one in loaded.faults}
        faults = tuple(one for one in loaded.faults if one not in loaded.unlinked)
        return Found(added=added, removed=removed, faults=faults, whole=loaded)

    def _count(self, n_compiled: int, n_all: int) -> None:
        self._compiled = (n_compiled, n_all)
