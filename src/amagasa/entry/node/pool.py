"""Looking at streams of records in this process or in several; what comes of them keeps their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from multiprocessing.connection import wait
from typing import Final

from msgspec.structs import replace

from amagasa.app.detect_files import Item, Look, Looked, Movable
from amagasa.app.path import Seen
from amagasa.app.sight import Sight
from amagasa.entry.node.looking_child import PLACE_BYTES, Asked, Child, Said, look_at
from amagasa.event.record import Chunk, LinesRead, Reject, SourceFault

# Answers and detections that wait for an earlier stream: beyond, all processes look at the earliest.
MAX_WAITING: Final = 20_000
# A file of several such pieces is read in pieces, each by whichever process is free: at the end, one waits for a piece.
PIECE_BYTES: Final = 16 * 1_048_576
# Streams that a child has: one it reads and one to go on with.
_MAX_STREAMS: Final = 2
# Taken in from a child before this process looks at something itself again.
_MAX_ANSWERS: Final = 256

Done = Looked | Reject | SourceFault
Stream = Movable | Iterable[Item]
Tell = Callable[[str], None]


def look_here(sight: Sight) -> Look:
    """Look in this process."""

    def run(streams: Iterable[Iterable[Item]]) -> Iterator[Done]:
        for stream in streams:
            for item in stream:
                yield Looked(n_bytes=len(item.data), seen=look_at(item, sight)) if isinstance(item, Chunk) else item

    return run


def look_in_processes(sight: Sight, processes: int, tell: Tell, *, wants_records: bool = True) -> Look:
    """Look in this process and in `processes` - 1 children, which are copies of it as it stands when reading begins.

    A child reads by itself what it can (files, in pieces where they are long); of other streams it is given chunks.
    Each keeps to a stream while there are enough: what it has learnt there serves it there. What a child held that died
    is looked at here, by the exact engine alone; `tell` is given one sentence of it. Detections of children come with
    `event` and `raw` only where the records are wanted.
    """

    def run(streams: Iterable[Iterable[Item]]) -> Iterator[Done]:
        children: list[Child] = []
        try:
            for _ in range(processes - 1):
                children.append(Child(sight, children, wants_records=wants_records))
            yield from _Pool(sight, streams, children, tell).run()
        finally:
            for child in children:
                child.leave()

    return run


def _pieces(streams: Iterable[Stream]) -> Iterator[Stream]:
    for stream in streams:
        if isinstance(stream, Movable):
            yield from stream.pieces(PIECE_BYTES)
        else:
            yield stream


class _Lane:
    """A stream, and what came of it and is not told yet.

    It is read here unless it `is_away`, in a child. `is_careful`: a process died over it, so the exact engine looks.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.is_later = isinstance(stream, Movable) and stream.is_later
        self.is_away = False
        self.is_careful = False
        self.is_read = False
        self.n_lines = 0
        self._items: Iterator[Item | LinesRead] | None = None
        self._n_taken = 0
        self._waiting: deque[Asked | Done] = deque()

    def next(self) -> Asked | None:
        """The next chunk, read here; None at the end."""
        if self._items is None:
            self._items = islice(self.stream, self._n_taken, None)
        for item in self._items:
            if isinstance(item, Chunk):
                self._waiting.append(asked := Asked(item, is_careful=self.is_careful))
                return asked
            if isinstance(item, LinesRead):
                self.n_lines = item.n
            else:
                self._waiting.append(item)
        self.is_read = True
        return None

    def take(self, said: Said) -> None:
        """An answer of the child that reads it."""
        if said.n_lines is not None:
            self.n_lines, self.is_read = said.n_lines, True
            return
        self._n_taken += 1
        if said.seen is not None:
            self._waiting.append(Looked(n_bytes=said.n_bytes, seen=said.seen))
        elif (other := said.reject or said.fault) is not None:
            self._waiting.append(other)

    def done(self, n_before: int) -> Iterator[Done]:
        """What is known, up to the first that is not. `n_before`: the lines of its file in the lanes before."""
        n_records = n_before - 1 if self.is_later else 0
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, Asked):
                if first.seen is None:
                    return
                first = Looked(n_bytes=first.n_bytes, seen=first.seen)
            self._waiting.popleft()
            yield _moved(first, n_records)

    @property
    def is_over(self) -> bool:
        return self.is_read and not self._waiting


class _Pool:
    def __init__(self, sight: Sight, streams: Iterable[Stream], children: list[Child], tell: Tell) -> None:
        self._sight = sight
        self._streams = _pieces(streams)
        self._upcoming = next(self._streams, None)
        self._children = children
        self._tell = tell
        # In the order of the streams. A child reads its own; whoever is given chunks (None: this process) has one more.
        self._lanes: deque[_Lane] = deque()
        self._away: dict[Child, deque[_Lane]] = {child: deque() for child in children}
        self._lane_of: dict[Child | None, _Lane] = {}
        self._n_waiting = 0
        self._n_before = 0

    def run(self) -> Iterator[Done]:
        is_more = True
        while is_more or self._lanes:
            self._give()
            asked = self._next(None)
            is_more = asked is not None
            if asked is not None:
                self._look(asked)
            self._collect(0.0 if is_more else None)
            yield from self._done()

    @property
    def _is_full(self) -> bool:
        return self._n_waiting > MAX_WAITING

    def _give(self) -> None:
        for child in tuple(self._children):
            try:
                self._give_streams(child)
                if not self._away[child]:
                    self._give_chunks(child)
            except OSError:
                self._bury(child)

    def _give_streams(self, child: Child) -> None:
        while len(self._away[child]) < _MAX_STREAMS and not child.held and not self._is_full:
            stream = self._upcoming
            if not isinstance(stream, Movable):
                return
            lane = self._begin(stream)
            lane.is_away = True
            self._away[child].append(lane)
            child.begin(stream)

    def _give_chunks(self, child: Child) -> None:
        """What this process reads for it, where there is no stream that it could read by itself."""
        while child.has_room:
            asked = self._next(child)
            if asked is None:
                return
            if asked.n_bytes > PLACE_BYTES or asked.chunk.numbers is not None or asked.is_careful:
                self._look(asked)
            else:
                child.give(asked)

    def _next(self, who: Child | None) -> Asked | None:
        """The next chunk of the stream that `who` keeps to, else of a new one, else of the first not read yet."""
        lane = self._lane_of.get(who)
        while True:
            if lane is None or lane.is_read or self._is_full:
                lane = self._lane_for(who)
            if lane is None:
                return None
            asked = lane.next()
            if asked is not None:
                return asked

    def _lane_for(self, who: Child | None) -> _Lane | None:
        if self._is_full and self._lanes[0].is_away:
            return None  # what is waited for is on its way
        begun = next((lane for lane in self._lanes if not lane.is_read and not lane.is_away), None)
        stream = self._upcoming
        if stream is None or (who is not None and isinstance(stream, Movable)):
            return begun
        if begun is None or not self._is_full:
            begun = self._lane_of[who] = self._begin(stream)
        return begun

    def _begin(self, stream: Stream) -> _Lane:
        lane = _Lane(stream)
        self._lanes.append(lane)
        self._upcoming = next(self._streams, None)
        return lane

    def _look(self, asked: Asked) -> None:
        sieve = self._sight.sieve
        if asked.is_careful:
            self._sight.sieve = None
        asked.answer(look_at(asked.chunk, self._sight))
        self._sight.sieve = sieve
        self._n_waiting += _weight(asked.seen)

    def _done(self) -> Iterator[Done]:
        """What is known of the first streams, in order."""
        while self._lanes:
            lane = self._lanes[0]
            for done in lane.done(self._n_before):
                self._n_waiting -= _weight(done.seen) if isinstance(done, Looked) else 0
                yield done
            if not lane.is_over:
                return
            self._lanes.popleft()
            self._n_before = self._n_before * lane.is_later + lane.n_lines

    def _collect(self, timeout_s: float | None) -> None:
        """Take in what children have answered; None waits for one, where any is to come."""
        is_full = self._is_full
        asked = [
            child.pipe
            for child, away in self._away.items()
            if child.held or (away and (not is_full or away[0] is self._lanes[0]))
        ]
        ready = wait(asked, timeout_s) if asked else []
        for child in [child for child in self._children if child.pipe in ready]:
            try:
                for _ in range(_MAX_ANSWERS):
                    self._take(child)
                    if not child.pipe.poll():
                        break
            except (EOFError, OSError):
                self._bury(child)

    def _take(self, child: Child) -> None:
        said, away = child.take(), self._away[child]
        if away:
            away[0].take(said)
            if away[0].is_read:
                away.popleft().is_away = False
        else:
            child.answered(said.seen)
        self._n_waiting += _weight(said.seen)

    def _bury(self, child: Child) -> None:
        """Look here at what a dead child held: whatever its end was, what it read is not lost."""
        self._children.remove(child)
        self._lane_of.pop(child, None)
        exit_code = child.leave()
        lanes = self._away.pop(child)
        paths = dict.fromkeys([asked.chunk.path for asked in child.held])
        for lane in lanes:
            lane.is_away = False
        if lanes:
            lanes[0].is_careful = True
            paths |= {lanes[0].stream.path: None} if isinstance(lanes[0].stream, Movable) else {}
        self._tell(
            f"a detection process ended (exit code {exit_code}) over {', '.join(paths) or 'nothing'}; "
            "this process goes on, and looks at that with the exact engine alone"
        )
        for asked in child.held:
            asked.is_careful = True
            self._look(asked)


def _moved(done: Done, n_records: int) -> Done:
    """The same, so much later in its file."""
    if isinstance(done, Reject):
        return replace(done, record=done.record + n_records)
    if isinstance(done, SourceFault) or not n_records:
        return done
    seen = done.seen
    if not (seen.rejects or seen.hits or seen.report.detections):
        return done
    seen = replace(
        seen,
        report=seen.report.moved(n_records),
        rejects=tuple(replace(one, record=one.record + n_records) for one in seen.rejects),
        hits=tuple(replace(one, record=one.record + n_records) for one in seen.hits),
    )
    return Looked(n_bytes=done.n_bytes, seen=seen)


def _weight(seen: Seen | None) -> int:
    return 0 if seen is None else 1 + len(seen.report.detections) + len(seen.hits)
