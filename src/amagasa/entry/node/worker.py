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
from msgspec.structs import replace

from amagasa.app.active_content import as_held
from amagasa.app.layers import path_of
from amagasa.app.path import Seen, look
from amagasa.app.worker_messages import (
    MAX_REJECTS_SENT,
    Ack,
    Active,
    BaselineWish,
    Batch,
    Begin,
    Compiling,
    Content,
    Correlating,
    FeedAgain,
    FromWorker,
    MoreIndicators,
    Part,
    Ready,
    RuleChange,
    SourceSpec,
    SourceState,
    Stop,
    Stopped,
    Trouble,
    read_to_worker,
)
from amagasa.detect.correlation.link import Links
from amagasa.detect.report import RuleFault
from amagasa.entry.node.baseline_desk import BaselineDesk
from amagasa.entry.node.disk import DiskRules
from amagasa.entry.node.frames import FrameReader, write_frame
from amagasa.entry.node.lake_desk import LakeDesk, bare
from amagasa.entry.node.leaving import Leaving
from amagasa.entry.node.outlook import Outlook
from amagasa.entry.node.pacing import Pace
from amagasa.entry.node.policies import Policies
from amagasa.entry.node.reject_desk import RejectDesk
from amagasa.entry.node.spool_desk import SpoolDesk
from amagasa.entry.wiring_detect import Follower, Loaded, begin_with, follower_of
from amagasa.event.normalise import newest_instant
from amagasa.event.record import Chunk, Reject
from amagasa.event.zones import in_zone, zone_of

COMPILING_EVERY_S: Final = 0.25
POLL_S: Final = 0.02  # a line waits half of this on average; an idle look at a source costs some 20 us
MAX_UNACKNOWLEDGED: Final = 8
LOOK_AT_CLOCK_S: Final = 1.0
_STDIN: Final = 0


class Worker:
    """One run of the worker process."""

    def __init__(self, begin: Begin, reader: FrameReader, output: int) -> None:
        self._reader = reader
        self._output = output
        self._begin = begin
        self._unacknowledged = 0
        self._is_stopping = False
        self._states: dict[str, str] = {}
        self._clock_looked_at: dict[str, float] = {}
        self._pace = Pace(time.monotonic)
        self._disk = DiskRules(begin)  # before they are loaded: no change in between is missed
        self._base: Loaded = begin_with(begin)
        node = Path(begin.node) if begin.node else None
        self._outlook = Outlook(self._base, Policies(node, lambda what: self._send(Trouble(what=what))))
        self._disk.in_use = self._outlook.paths_on_disk
        self._disk.is_part = bool(self._base.content.n_coming)
        # Of a part, faults are not known: what it lacks may be coming.
        known = () if self._disk.is_part else self._base.faults
        self._disk_faults = tuple(one for one in known if one not in self._base.unlinked)
        self._leaving = Leaving(self._base)
        self._links = Links()
        self._disk.is_acting = self._base.content.is_acting
        self._is_disk_changing = False
        self._compiled = (0, 0)
        self._compiling_told_at = time.monotonic()
        self._lake = LakeDesk(begin, now=datetime.now(UTC))
        self._rejects = RejectDesk(begin)
        self._plant = BaselineDesk(begin)
        self._followers: list[tuple[SourceSpec, Follower]] = [
            (spec, follower_of(spec, bare(spec.token), chunk_bytes=begin.chunk_bytes)) for spec in begin.sources
        ]
        self._spools = SpoolDesk({spec.name: follower for spec, follower in self._followers})

    def run(self) -> None:
        """Until told to stop, or until the pipe ends (EOFError)."""
        # What was loaded stays for the life of the process: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        self._send(Ready(n_rules=self._base.n_rules, faults=self._faults(), n_coming=self._base.content.n_coming))
        self._tell_left_out()
        self._disk.start()
        self._begin_with_content()
        is_idle = False
        while not self._is_stopping:
            self._hear(POLL_S if is_idle else 0.0)
            is_idle = True
            for spec, follower in self._followers:
                for batch in self._new_of(spec, follower):
                    is_idle = False
                    self._send_batches(self._pace.offer(batch))
                    self._change()
                    self._hear(0.0)
                    self._wait_for_room()
                    if self._must_stop():
                        break
            self._change()
            is_idle &= not self._feed_again()
            self._send_batches(*map(self._pace.offer, map(self._rejects.dressed, self._lake.due(datetime.now(UTC)))))
            self._send_batches(*self._pace.due())
            self._look_at_plant()
            for fault in (*self._rejects.faults(), *self._plant.troubles()):
                self._send(Trouble(what=fault))
            if self._leaving.is_due:
                self._tell_left_out()
        self._send_batches(*self._pace.rest())
        self._send_batches(*map(self._rejects.dressed, self._lake.last(datetime.now(UTC))))
        self._lake.close()
        self._rejects.close()
        self._plant.close()
        for _, follower in self._followers:
            follower.close()
        self._disk.stop()
        self._outlook.close()
        self._base.keep(self._outlook.sight)
        self._send(Stopped())

    def _tell_left_out(self) -> None:
        if self._leaving.has_any:
            self._send(self._leaving.told(self._outlook.rules))

    def _tell_compiling(self) -> None:
        """How far rules on disk are compiled, where that takes a while."""
        compiled = self._disk.compiled
        if compiled != self._compiled and time.monotonic() - self._compiling_told_at >= COMPILING_EVERY_S:
            self._compiled, self._compiling_told_at = compiled, time.monotonic()
            self._send(Compiling(n_compiled=compiled[0], n_all=compiled[1]))

    def _begin_with_content(self) -> None:
        """Read nothing before the content that was active is looked with again."""
        while self._begin.awaits_content and not self._outlook.has_content and not self._is_stopping:
            self._hear(None)
        self._tell(self._outlook.settle())

    def _faults(self) -> tuple[RuleFault, ...]:
        """What cannot run of the rules on disk."""
        return (*self._disk_faults, *self._outlook.unlinked_on_disk)

    def _change(self) -> None:
        """Between two batches: put to use what is ready of changed content and of changed rules on disk."""
        while (found := self._disk.found()) is not None:
            self._outlook.take_disk(found.added, found.removed)
            self._compiled = self._disk.compiled  # what is still to be told of it is told by `Ready`
            anew = {path_of(key) for key in (*found.added, *found.removed)} | {one.path for one in found.faults}
            old = tuple(one for one in self._disk_faults if one.path not in anew and found.whole is None)
            self._disk_faults = (*old, *found.faults)
            if found.whole is not None:
                self._outlook.keep_to(found.whole)
                self._leaving.load(found.whole)
            self._is_disk_changing = True
        self._tell_compiling()
        self._tell(self._outlook.advance())
        if self._is_disk_changing and self._outlook.is_settled:
            self._is_disk_changing = False
            self._disk.in_use = self._outlook.paths_on_disk
            self._send(Ready(n_rules=self._outlook.n_on_disk, faults=self._faults()))
            self._tell_left_out()

    def _tell(self, active: list[Active]) -> None:
        """What came into force; first by what links detections are correlated from now on."""
        links = self._outlook.links
        if links is not self._links and links != self._links:
            self._send(Correlating(links=links))
        self._links = links
        for one in active:
            self._send(one)

    def _send_batches(self, *batches: Batch | None) -> None:
        for batch in batches:
            if batch is not None:
                self._lake.sent(batch)
                self._rejects.sent(batch)
                self._spools.sent(batch)
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
            item = piece.item
            if isinstance(item, Chunk):
                item = in_zone(item, zone_of(spec.zone) or UTC)
            yield self._batch(spec, item, piece.token, step.lag_bytes)

    def _batch(self, spec: SourceSpec, item: Chunk | Reject, token: dict[str, object], lag_bytes: int) -> Batch:
        self._lake.keep(spec.name, item)
        if isinstance(item, Reject):
            seen = Seen(n_read=1, n_accepted=0, rejects=(item,))
        else:
            seen = look(item, self._outlook.sight, now=datetime.now(UTC))
        self._rejects.keep(spec.name, item, seen.rejects)
        self._leaving.count(seen.report.excluded)
        unusual = tuple(map(as_held, self._plant.see(spec.name, item)))
        events = [one.event_at for one in seen.report.detections if one.event_at is not None]
        batch = Batch(
            source=spec.name,
            token=self._lake.token(spec.name, token),
            n_read=seen.n_read,
            n_accepted=seen.n_accepted,
            n_rejected=len(seen.rejects),
            rejects=seen.rejects[:MAX_REJECTS_SENT],
            detections=(*map(as_held, seen.report.detections), *unusual),
            faults=seen.report.faults,
            last_record_at=max(events, default=datetime.now(UTC)),
            lag_bytes=lag_bytes,
            hits=seen.hits,
            ahead_s=self._ahead_s(spec.name, item) if lag_bytes == 0 else None,
        )
        return self._rejects.dressed(batch)

    def _ahead_s(self, source: str, item: Chunk | Reject) -> float | None:
        """How far the clock of a record that was just written seems to be ahead; looked at once a second a source."""
        now_s = time.monotonic()
        if not isinstance(item, Chunk) or now_s - self._clock_looked_at.get(source, -LOOK_AT_CLOCK_S) < LOOK_AT_CLOCK_S:
            return None
        self._clock_looked_at[source] = now_s
        at = newest_instant(item)
        return None if at is None else (at - item.read_at).total_seconds()

    def _feed_again(self) -> bool:
        """A part of the rejects that are to be fed again, of each source; whether there were any."""
        sources = self._rejects.asked()
        for source in sources:
            self._send_batches(*self._pace.rest(source), self._fed_again(source))
            self._hear(0.0)
            self._wait_for_room()
        return bool(sources)

    def _fed_again(self, source: str) -> Batch:
        rejected, chunks = self._rejects.next(source)
        seen = [look(chunk, self._outlook.sight, now=datetime.now(UTC)) for chunk in chunks]
        n_mended, rejects = self._rejects.fed(source, rejected, seen)
        batch = Batch(
            source=source,
            token=self._lake.token_again(source),
            n_read=0,
            n_accepted=n_mended,
            n_rejected=-n_mended,
            rejects=rejects[:MAX_REJECTS_SENT],
            detections=tuple(as_held(one) for some in seen for one in some.report.detections),
            faults=tuple(fault for some in seen for fault in some.report.faults),
            last_record_at=None,
            lag_bytes=0,
            hits=tuple(hit for some in seen for hit in some.hits),
            again=tuple(one.record for one in rejected),
        )
        return self._rejects.dressed(batch)

    def _look_at_plant(self) -> None:
        """What time alone shows of the plant: polls that stopped."""
        source, unusual = self._plant.due(datetime.now(UTC))
        if unusual:
            empty = replace(self._lake.empty(source), detections=tuple(map(as_held, unusual)))
            self._send_batches(*self._pace.rest(source), self._rejects.dressed(empty))

    def _begin_again(self, source: str) -> None:
        """Commit at once that the rejects of a source are to be fed again: a kill does not forget it."""
        if self._rejects.ask(source):
            held = self._pace.rest(source)
            empty = self._lake.empty(source)
            self._send_batches(*held, self._rejects.dressed(empty))

    def _hear(self, timeout_s: float | None) -> None:
        """Take in every message that is there; wait for the first as long as `timeout_s`."""
        frame = self._reader.read(timeout_s)
        while frame is not None:
            message = read_to_worker(frame)
            match message:
                case Ack():
                    self._unacknowledged -= message.n
                    self._lake.acknowledged(message.n)
                    self._rejects.acknowledged(message.n)
                    self._spools.acknowledged(message.n)
                case FeedAgain():
                    self._begin_again(message.source)
                case BaselineWish():
                    self._plant.wish(message)
                case Content() | Part() | RuleChange() | MoreIndicators():
                    self._tell(self._outlook.take(message))
                case Stop():
                    self._is_stopping = True
                case Begin():
                    error = "a second Begin"
                    raise ValueError(error)
            frame = self._reader.read(0.0)

    def _send(self, message: FromWorker) -> None:
        write_frame(self._output, msgspec.msgpack.encode(message))


SWITCH_S: Final = 0.0005  # beside threads that prepare changes, detection must not wait long for its turn


def main() -> None:
    """Talk to the main process over the standard streams; whatever else prints goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the main process, which tells us
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_S)
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
