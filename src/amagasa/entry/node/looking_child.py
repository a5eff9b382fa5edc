"""A process that looks at chunks for its parent, of which it is a copy. Bytes pass through memory that both see."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from mmap import mmap
from multiprocessing.connection import Connection
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.detect_files import Movable
from amagasa.app.path import Seen, look
from amagasa.app.sight import Sight
from amagasa.event.record import Chunk, LinesRead, Reject, SourceFault

# Chunks that a child may hold: enough to keep it busy while its parent looks at one.
N_PLACES: Final = 3
# A larger chunk has no room in a place.
PLACE_BYTES: Final = 2 * 1_048_576
_LEAVING_S: Final = 5.0


class Asked:
    """A chunk, and what was seen in it once that is known; until then its bytes are kept."""

    def __init__(self, chunk: Chunk, *, is_careful: bool = False) -> None:
        self.chunk = chunk
        self.n_bytes = len(chunk.data)
        self.is_careful = is_careful
        self.seen: Seen | None = None

    def answer(self, seen: Seen) -> None:
        """Now it is known."""
        self.seen = seen
        self.chunk = replace(self.chunk, data=b"")


class Said(Struct, array_like=True, omit_defaults=True, gc=False):
    """An answer. To a chunk: what was seen. To a stream: the same or a reject or fault for each of its items.

    At the end of a stream, `n_lines` says how many it had, 0 where it does not count them.
    """

    seen: Seen | None = None
    n_bytes: int = 0
    reject: Reject | None = None
    fault: SourceFault | None = None
    n_lines: int | None = None


class _Task(Struct):
    """A chunk, its bytes at a place of the memory; or a stream."""

    chunk: Chunk | None = None
    place: int = 0
    n_bytes: int = 0
    stream: Movable | None = None


class Child:
    """The parent's side. `give`, `begin` and `take` raise OSError or EOFError where the process is gone."""

    def __init__(self, sight: Sight, older: list["Child"], *, wants_records: bool) -> None:
        """Begin a process that looks with a copy of `sight` as it stands. `older`: the children begun before.

        Detections come with the records themselves only where these are wanted: to pass them on takes long.
        """
        context = multiprocessing.get_context("fork")
        self._memory = mmap(-1, N_PLACES * PLACE_BYTES)
        self.pipe, far = context.Pipe()
        theirs = [self.pipe, *(child.pipe for child in older)]
        self.process = context.Process(
            target=_serve,
            args=(sight, self._memory, far, theirs),
            kwargs={"passed_on": _whole if wants_records else _short},
            daemon=True,
        )
        self.process.start()
        far.close()
        self._decoder = msgspec.msgpack.Decoder(Said)
        self._free = list(range(N_PLACES))
        self._held: deque[tuple[Asked, int]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether a chunk can be given now."""
        return bool(self._free)

    @property
    def held(self) -> list[Asked]:
        """The chunks it was given and has not answered yet, in that order."""
        return [asked for asked, _ in self._held]

    def give(self, asked: Asked) -> None:
        """A chunk of at most `PLACE_BYTES` whose lines follow one another."""
        place = self._free.pop()
        self._held.append((asked, place))
        data, start = asked.chunk.data, place * PLACE_BYTES
        self._memory[start : start + len(data)] = data
        self.pipe.send(_Task(chunk=replace(asked.chunk, data=b""), place=place, n_bytes=len(data)))

    def begin(self, stream: Movable) -> None:
        """A stream to be read and looked at, once what it holds is done."""
        self.pipe.send(_Task(stream=stream))

    def take(self) -> Said:
        """The next answer; waits for it."""
        return self._decoder.decode(self.pipe.recv_bytes())

    def answered(self, seen: Seen | None) -> None:
        """That was the answer to the first chunk which it holds; its place is free again."""
        asked, place = self._held.popleft()
        self._free.append(place)
        if seen is not None:
            asked.answer(seen)

    def leave(self) -> int | None:
        """End it, without answers to what it holds. How it ended, as `Process.exitcode` says it."""
        self.pipe.close()
        self.process.join(_LEAVING_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._memory.close()
        return self.process.exitcode


def look_at(chunk: Chunk, sight: Sight) -> Seen:
    """`look`, now."""
    return look(chunk, sight, now=datetime.now(UTC))


def _serve(
    sight: Sight, memory: mmap, pipe: Connection, theirs: list[Connection], *, passed_on: Callable[[Seen], Seen]
) -> None:
    """In the child, until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted and ends us
    for end in theirs:
        end.close()
    encode = msgspec.msgpack.Encoder().encode
    try:
        while True:
            task: _Task = pipe.recv()
            if task.chunk is not None:
                start = task.place * PLACE_BYTES
                chunk = replace(task.chunk, data=memory[start : start + task.n_bytes])
                pipe.send_bytes(encode(Said(seen=passed_on(look_at(chunk, sight)))))
            for said in _answers(task.stream, sight, passed_on) if task.stream is not None else ():
                pipe.send_bytes(encode(said))
    except (EOFError, OSError):
        return


def _answers(stream: Movable, sight: Sight, passed_on: Callable[[Seen], Seen]) -> Iterator[Said]:
    n_lines = 0
    for item in stream:
        match item:
            case Chunk():
                yield Said(seen=passed_on(look_at(item, sight)), n_bytes=len(item.data))
            case Reject():
                yield Said(reject=item)
            case SourceFault():
                yield Said(fault=item)
            case LinesRead():
                n_lines = item.n
    yield Said(n_lines=n_lines)


def _whole(seen: Seen) -> Seen:
    return seen


def _short(seen: Seen) -> Seen:
    """Without the records themselves."""
    if not seen.report.detections:
        return seen
    detections = tuple(replace(one, event={}, raw="") for one in seen.report.detections)
    return replace(seen, report=replace(seen.report, detections=detections))
