"""A process that looks at chunks for its parent, of which it is a copy. Bytes pass through memory that both see."""

import multiprocessing
import signal
from collections import deque
from datetime import UTC, datetime
from mmap import mmap
from multiprocessing.connection import Connection
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.path import Seen, look
from amagasa.app.sight import Sight
from amagasa.event.record import Chunk

# Chunks that a child may hold: enough to keep it busy while its parent looks at one.
N_PLACES: Final = 3
# A larger chunk has no room in a place.
PLACE_BYTES: Final = 2 * 1_048_576
_LEAVING_S: Final = 5.0


class Asked:
    """A chunk, and what was seen in it once that is known; until then its bytes are kept."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.n_bytes = len(chunk.data)
        self.seen: Seen | None = None

    def answer(self, seen: Seen) -> None:
        """Now it is known."""
        self.seen = seen
        self.chunk = replace(self.chunk, data=b"")


class _Task(Struct):
    """A chunk, its bytes at a place of the memory."""

    chunk: Chunk
    place: int
    n_bytes: int


class Child:
    """The parent's side. `give` and `take` raise OSError or EOFError where the process is gone."""

    def __init__(self, sight: Sight, older: list["Child"]) -> None:
        """Begin a process that looks with a copy of `sight` as it stands. `older`: the children begun before."""
        context = multiprocessing.get_context("fork")
        self._memory = mmap(-1, N_PLACES * PLACE_BYTES)
        self.pipe, far = context.Pipe()
        theirs = [self.pipe, *(child.pipe for child in older)]
        self.process = context.Process(target=_serve, args=(sight, self._memory, far, theirs), daemon=True)
        self.process.start()
        far.close()
        self._free = list(range(N_PLACES))
        self._held: deque[tuple[Asked, int]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether a chunk can be given now."""
        return bool(self._free)

    @property
    def held(self) -> list[Asked]:
        """What it was given and has not answered yet, in that order."""
        return [asked for asked, _ in self._held]

    def give(self, asked: Asked) -> None:
        """A chunk of at most `PLACE_BYTES` whose lines follow one another."""
        place = self._free.pop()
        self._held.append((asked, place))
        data, start = asked.chunk.data, place * PLACE_BYTES
        self._memory[start : start + len(data)] = data
        task = _Task(chunk=replace(asked.chunk, data=b""), place=place, n_bytes=len(data))
        self.pipe.send_bytes(msgspec.msgpack.encode(task))

    def take(self) -> Seen:
        """The next answer, given to its chunk too; waits for it."""
        seen = msgspec.msgpack.decode(self.pipe.recv_bytes(), type=Seen)
        asked, place = self._held.popleft()
        asked.answer(seen)
        self._free.append(place)
        return seen

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


def _serve(sight: Sight, memory: mmap, pipe: Connection, theirs: list[Connection]) -> None:
    """In the child, until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted and ends us
    for end in theirs:
        end.close()
    decoder = msgspec.msgpack.Decoder(_Task)
    try:
        while True:
            task = decoder.decode(pipe.recv_bytes())
            start = task.place * PLACE_BYTES
            chunk = replace(task.chunk, data=memory[start : start + task.n_bytes])
            pipe.send_bytes(msgspec.msgpack.encode(look_at(chunk, sight)))
    except (EOFError, OSError):
        return
