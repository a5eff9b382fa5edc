"""Looking at chunks in this process or in several, in the order of the chunks."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime

import msgspec

from amagasa.app.path import Seen, look
from amagasa.app.sight import Sight
from amagasa.event.record import Chunk
from amagasa.vocab.errors import WorldError

CHUNKS_AHEAD = 3  # per process: enough to keep it busy, few enough to bound memory

SightMaker = Callable[[], Sight]


def look_here(sight: Sight) -> Callable[[Iterable[Chunk]], Iterator[tuple[Chunk, Seen]]]:
    """Look in this process."""

    def run(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Seen]]:
        for chunk in chunks:
            yield chunk, look(chunk, sight, now=datetime.now(UTC))

    return run


def look_in_processes(make: SightMaker, processes: int) -> Callable[[Iterable[Chunk]], Iterator[tuple[Chunk, Seen]]]:
    """Look in `processes` child processes, each with a sight of its own made by `make` (which must be picklable).

    Raises WorldError (AMG-POOL) where a child dies: what it held was not looked at, so nothing is pretended.
    """

    def run(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Seen]]:
        context = multiprocessing.get_context("spawn")
        waiting: deque[tuple[Chunk, Future[bytes]]] = deque()
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(make,)) as pool:
            for chunk in chunks:
                waiting.append((chunk, pool.submit(_look, chunk)))
                if len(waiting) >= processes * CHUNKS_AHEAD:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)

    return run


class _Child:
    """What a child process holds."""

    sight: Sight


def _begin(make: SightMaker) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted and ends us
    _Child.sight = make()


def _look(chunk: Chunk) -> bytes:
    return msgspec.msgpack.encode(look(chunk, _Child.sight, now=datetime.now(UTC)))


def _next(waiting: deque[tuple[Chunk, Future[bytes]]]) -> tuple[Chunk, Seen]:
    chunk, future = waiting.popleft()
    try:
        return chunk, msgspec.msgpack.decode(future.result(), type=Seen)
    except BrokenProcessPool:
        raise WorldError(
            "AMG-POOL",
            f"a detection process died while it looked at {chunk.path}",
            expected="it to live; the usual cause is memory",
            then="nothing after this record was looked at; run again with fewer --processes",
        ) from None
