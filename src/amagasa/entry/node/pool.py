"""Looking at streams of records in this process or in several; what comes of them keeps their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from typing import Final

from amagasa.app.detect_files import Item, Look, Looked
from amagasa.app.path import Seen
from amagasa.app.sight import Sight
from amagasa.entry.node.looking_child import PLACE_BYTES, Asked, Child, look_at
from amagasa.event.record import Chunk, Reject, SourceFault

# Answers and detections that wait for an earlier stream: beyond, all processes look at the earliest.
MAX_WAITING: Final = 20_000

Done = Looked | Reject | SourceFault


def look_here(sight: Sight) -> Look:
    """Look in this process."""

    def run(streams: Iterable[Iterable[Item]]) -> Iterator[Done]:
        for stream in streams:
            for item in stream:
                yield _looked(item, look_at(item, sight)) if isinstance(item, Chunk) else item

    return run


def look_in_processes(sight: Sight, processes: int, tell: Callable[[str], None]) -> Look:
    """Look in this process and in `processes` - 1 children, which are copies of it as it stands when reading begins.

    Each keeps to a stream while there are enough: what it has learnt there serves it there. What a child held that died
    is looked at here, by the exact engine alone; `tell` is given one sentence of it.
    """

    def run(streams: Iterable[Iterable[Item]]) -> Iterator[Done]:
        children: list[Child] = []
        try:
            for _ in range(processes - 1):
                children.append(Child(sight, children))
            yield from _Pool(sight, streams, children, tell).run()
        finally:
            for child in children:
                child.leave()

    return run


def _looked(chunk: Chunk, seen: Seen) -> Looked:
    return Looked(n_bytes=len(chunk.data), seen=seen)


class _Lane:
    """A stream, and what came of it and is not told yet."""

    def __init__(self, stream: Iterable[Item]) -> None:
        self._stream = iter(stream)
        self._waiting: deque[Asked | Reject | SourceFault] = deque()
        self.is_read = False

    def next(self) -> Asked | None:
        """The next chunk; None at the end."""
        for item in self._stream:
            if isinstance(item, Chunk):
                self._waiting.append(asked := Asked(item))
                return asked
            self._waiting.append(item)
        self.is_read = True
        return None

    def done(self) -> Iterator[Done]:
        """What is known, up to the first that is not."""
        while self._waiting:
            first = self._waiting[0]
            if not isinstance(first, Asked):
                yield first
            elif first.seen is not None:
                yield Looked(n_bytes=first.n_bytes, seen=first.seen)
            else:
                return
            self._waiting.popleft()

    @property
    def is_over(self) -> bool:
        return self.is_read and not self._waiting


class _Pool:
    def __init__(
        self, sight: Sight, streams: Iterable[Iterable[Item]], children: list[Child], tell: Callable[[str], None]
    ) -> None:
        self._sight = sight
        self._streams = iter(streams)
        self._children = children
        self._tell = tell
        # In the order of the streams; whoever looks (None: this process) has one.
        self._lanes: deque[_Lane] = deque()
        self._lane_of: dict[Child | None, _Lane] = {}
        self._n_waiting = 0

    def run(self) -> Iterator[Done]:
        is_more = True
        while is_more or any(child.held for child in self._children):
            self._give()
            asked = self._next(None)
            is_more = asked is not None
            if asked is not None:
                self._answer(asked, look_at(asked.chunk, self._sight))
            self._collect(0.0 if is_more else None)
            yield from self._done()
        yield from self._done()

    def _give(self) -> None:
        for child in tuple(self._children):
            while child.has_room:
                asked = self._next(child)
                if asked is None:
                    return
                if asked.n_bytes > PLACE_BYTES or asked.chunk.numbers is not None:
                    self._answer(asked, look_at(asked.chunk, self._sight))
                    continue
                try:
                    child.give(asked)
                except OSError:
                    self._bury(child)
                    break

    def _next(self, who: Child | None) -> Asked | None:
        """The next chunk of the stream that `who` keeps to, else of a new one, else of the first not read yet."""
        lane = self._lane_of.get(who)
        while True:
            if lane is None or lane.is_read or self._n_waiting > MAX_WAITING:
                lane = self._lane_for(who)
            if lane is None:
                return None
            asked = lane.next()
            if asked is not None:
                return asked

    def _lane_for(self, who: Child | None) -> _Lane | None:
        begun = next((lane for lane in self._lanes if not lane.is_read), None)
        if begun is None or self._n_waiting <= MAX_WAITING:
            stream = next(self._streams, None)
            if stream is not None:
                begun = self._lane_of[who] = _Lane(stream)
                self._lanes.append(begun)
        return begun

    def _answer(self, asked: Asked, seen: Seen) -> None:
        asked.answer(seen)
        self._n_waiting += _weight(seen)

    def _done(self) -> Iterator[Done]:
        """What is known of the first streams, in order."""
        while self._lanes:
            for done in self._lanes[0].done():
                if isinstance(done, Looked):
                    self._n_waiting -= _weight(done.seen)
                yield done
            if not self._lanes[0].is_over:
                return
            self._lanes.popleft()

    def _collect(self, timeout_s: float | None) -> None:
        """Take in what children have answered; None waits for one, where any is to come."""
        asked = [child.pipe for child in self._children if child.held]
        ready = wait(asked, timeout_s) if asked else []
        for child in [child for child in self._children if child.pipe in ready]:
            try:
                self._n_waiting += _weight(child.take())
            except (EOFError, OSError):
                self._bury(child)

    def _bury(self, child: Child) -> None:
        """Look here at what a dead child held: whatever its end was, what it read is not lost."""
        self._children.remove(child)
        self._lane_of.pop(child, None)
        exit_code = child.leave()
        paths = ", ".join(dict.fromkeys(asked.chunk.path for asked in child.held))
        self._tell(
            f"a detection process ended (exit code {exit_code}) over {paths or 'nothing'}; "
            "this process goes on, and looks at that with the exact engine alone"
        )
        sieve, self._sight.sieve = self._sight.sieve, None
        for asked in child.held:
            self._answer(asked, look_at(asked.chunk, self._sight))
        self._sight.sieve = sieve


def _weight(seen: Seen) -> int:
    return 1 + len(seen.report.detections) + len(seen.hits)
