"""The worker process of a node: follows the sources, looks at what is new, sends what came of it. Writes nothing.

It is told the committed positions when it begins and sends the position behind each batch; the main process commits
both together. It reads no further ahead than `MAX_UNACKNOWLEDGED` batches, so a slow store slows reading and nothing
piles up. When the main process is gone (its pipe ends) the worker ends.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from amagasa.app.path import Seen, look
from amagasa.app.sight import Sight
from amagasa.app.worker_messages import (
    MAX_REJECTS_SENT,
    Ack,
    Active,
    Batch,
    Begin,
    Content,
    FromWorker,
    MoreIndicators,
    Ready,
    SourceSpec,
    SourceState,
    Stop,
    Stopped,
    read_to_worker,
)
from amagasa.entry.node.frames import FrameReader, write_frame
from amagasa.entry.node.pacing import Pace
from amagasa.entry.wiring_detect import (
    ContentFiles,
    Follower,
    Loaded,
    follower_of,
    indicators_more,
    load_content,
    sieve_for,
    sight_beside,
)
from amagasa.event.record import Chunk, Reject

POLL_S: Final = 0.02  # a line waits half of this on average; an idle look at a source costs some 20 us
MAX_UNACKNOWLEDGED: Final = 8
_STDIN: Final = 0


class Worker:
    """One run of the worker process."""

    def __init__(self, begin: Begin, reader: FrameReader, output: int) -> None:
        self._reader = reader
        self._output = output
        self._begin = begin
        self._unacknowledged = 0
        self._is_stopping = False
        self._version = 0
        self._states: dict[str, str] = {}
        self._pace = Pace(time.monotonic)
        paths = tuple(Path(path) for path in begin.rule_paths)
        self._base: Loaded = load_content(
            ContentFiles(rules=paths, is_builtin_wanted=begin.is_builtin_wanted, may_be_empty=True)
        ).at_least(begin.min_level)
        self._sight: Sight = self._base.sight()
        self._followers: list[tuple[SourceSpec, Follower]] = [
            (spec, follower_of(spec.path, spec.token, spec.format, chunk_bytes=begin.chunk_bytes))
            for spec in begin.sources
        ]

    def run(self) -> None:
        """Until told to stop, or until the pipe ends (EOFError)."""
        # What was loaded stays for the life of the process: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        self._send(Ready(n_rules=self._base.n_rules, faults=self._base.faults))
        is_idle = False
        while not self._is_stopping:
            self._hear(POLL_S if is_idle else 0.0)
            is_idle = True
            for spec, follower in self._followers:
                for batch in self._new_of(spec, follower):
                    is_idle = False
                    self._send_batches(self._pace.offer(batch))
                    self._hear(0.0)
                    self._wait_for_room()
                    if self._must_stop():
                        break
            self._send_batches(*self._pace.due())
        self._send_batches(*self._pace.rest())
        self._base.keep(self._sight)
        self._send(Stopped())

    def _send_batches(self, *batches: Batch | None) -> None:
        for batch in batches:
            if batch is not None:
                self._send(batch)
                self._unacknowledged += 1

    def _must_stop(self) -> bool:
        return self._is_stopping

    def _wait_for_room(self) -> None:
        while self._unacknowledged >= self._begin.max_ahead and not self._is_stopping:
            self._hear(None)

    def _new_of(self, spec: SourceSpec, follower: Follower) -> Iterator[Batch]:
        """What is new of one source; its faults are told when they begin and when they end."""
        now = datetime.now(UTC)
        step = follower.poll(now)
        fault = "; ".join(dict.fromkeys(f"{one.why} [{one.code}]" for one in step.faults))
        if self._states.get(spec.name) != fault:
            self._states[spec.name] = fault
            self._send_batches(*self._pace.rest(spec.name))  # a batch says that its source can be read
            self._send(SourceState(source=spec.name, fault=fault, lag_bytes=step.lag_bytes))
        for note in step.notes:
            self._send(SourceState(source=spec.name, fault=fault, lag_bytes=step.lag_bytes, note=note))
        for piece in step.pieces:
            yield self._batch(spec, piece.item, piece.token, step.lag_bytes)

    def _batch(self, spec: SourceSpec, item: Chunk | Reject, token: dict[str, object], lag_bytes: int) -> Batch:
        if isinstance(item, Reject):
            seen = Seen(n_read=1, n_accepted=0, rejects=(item,))
        else:
            seen = look(item, self._sight, now=datetime.now(UTC))
        events = [one.event_at for one in seen.report.detections if one.event_at is not None]
        return Batch(
            source=spec.name,
            token=token,
            n_read=seen.n_read,
            n_accepted=seen.n_accepted,
            n_rejected=len(seen.rejects),
            rejects=seen.rejects[:MAX_REJECTS_SENT],
            detections=seen.report.detections,
            faults=seen.report.faults,
            last_record_at=max(events, default=datetime.now(UTC)),
            lag_bytes=lag_bytes,
        )

    def _hear(self, timeout_s: float | None) -> None:
        """Take in every message that is there; wait for the first as long as `timeout_s`."""
        frame = self._reader.read(timeout_s)
        while frame is not None:
            message = read_to_worker(frame)
            match message:
                case Ack():
                    self._unacknowledged -= message.n
                case Content():
                    self._look_with(message)
                case MoreIndicators():
                    self._look_with_more(message)
                case Stop():
                    self._is_stopping = True
                case Begin():
                    error = "a second Begin"
                    raise ValueError(error)
            frame = self._reader.read(0.0)

    def _look_with(self, content: Content) -> None:
        if content.version <= self._version:
            return  # sent twice around our start: the newer of the two is in use already
        self._version = content.version
        plans, indicators, faults = sight_beside(content)
        plans = [*self._sight.plans[:1], *plans]
        self._sight = Sight(plans, indicators, sieve=sieve_for([plan for plan, _ in plans]))
        self._send(Active(version=content.version, faults=faults))

    def _look_with_more(self, more: MoreIndicators) -> None:
        if more.version <= self._version:
            return  # it stood in the content that we were started with
        if more.version != self._version + 1:
            error = f"version {more.version} of the content after {self._version}"
            raise ValueError(error)
        self._version = more.version
        indicators, faults = indicators_more(self._sight.looking.indicators, more)
        self._sight = Sight(self._sight.plans, indicators, policy=self._sight.looking.policy, sieve=self._sight.sieve)
        self._send(Active(version=more.version, faults=faults))

    def _send(self, message: FromWorker) -> None:
        write_frame(self._output, msgspec.msgpack.encode(message))


def main() -> None:
    """Talk to the main process over the standard streams; whatever else prints goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the main process, which tells us
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    output = os.dup(1)
    os.dup2(2, 1)
    reader = FrameReader(_STDIN)
    try:
        begin = read_to_worker(reader.read(None) or b"")
        if not isinstance(begin, Begin):
            message = "the first message is not Begin"
            raise TypeError(message)
        Worker(begin, reader, output).run()
    except (EOFError, BrokenPipeError):
        sys.exit(0)  # the main process is gone; what was not committed is read again by the next one


if __name__ == "__main__":
    main()
