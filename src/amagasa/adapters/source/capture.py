"""A live interface: packets go to files of a few seconds each, and these are dissected one after the other.

Only the small program that writes packets down (dumpcap) may look at the interface. The dissectors, which attackers
aim at, get the finished files in the cage: no network, no right, bounded memory. The files are the buffer: while the
node cannot keep up, or is started again, they wait on the disk, up to a quota; beyond it the oldest go unread, which
is said and counted. A file goes when what came of it is committed. Where dumpcap ends it is started again, later each
time; what its kernel dropped it tells at its end.
"""

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.adapters.source import capture_keeper
from amagasa.adapters.source.faults import world_fault
from amagasa.adapters.source.follow import FollowStep, Piece
from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.records import open_streams
from amagasa.event.record import Chunk, SourceFault
from amagasa.vocab.text import show

NO_CAPTURE: Final = "AMG-SOURCE-040"
CAPTURE_ENDED: Final = "AMG-SOURCE-041"
CAPTURE_LOST: Final = "AMG-SOURCE-042"
FILE_S: Final = 2
FILE_KB: Final = 4_096
WAITING: Final = 4  # chunks that are dissected ahead
RETRY_FIRST_S: Final = 1.0
RETRY_MOST_S: Final = 60.0
SOUND_S: Final = 60.0  # a run as long as this begins the waiting anew
_FILE: Final = re.compile(r"([0-9]{14})_([0-9]{5,})_[0-9]{14}\.pcapng")
_DROPPED: Final = re.compile(rb"received/dropped on interface .*: [0-9]+/([0-9]+) ")

Token = dict[str, Any]


class CapturePlace(Struct, frozen=True, kw_only=True, order=True):
    """What was committed: file `file` of the run `run` up to packet `packet`; a file read to its end is passed.

    `n_lost` counts packets which the kernel dropped; `n_lost_bytes` what went unread for want of room.
    """

    run: str = ""
    file: int = 0
    packet: int = 0
    n_lost: int = 0
    n_lost_bytes: int = 0


class CaptureFollower:
    """Captures `interface` into `folder` and reads it behind `token`. `program`: what captures, found where None."""

    def __init__(
        self, interface: str, folder: Path, token: Token | None = None, *, quota_bytes: int, program: str | None = None
    ) -> None:
        self._interface = interface
        self._folder = folder
        self._quota_bytes = quota_bytes
        self._place = msgspec.convert(token, CapturePlace) if token else CapturePlace()
        self._committed = self._delivered = self._place
        self._program = program
        self._run: _Run | None = None
        self._again_at: datetime | None = None
        self._wait_s = RETRY_FIRST_S
        self._why = ""
        self._pump: _Pump | None = None

    def poll(self, now: datetime) -> FollowStep:
        """What is dissected by now. Never raises for what the world does."""
        faults: list[SourceFault] = []
        pieces: list[Piece] = []
        lag_bytes = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._keep_capturing(now)
            files = self._clear(self._files())
            self._make_room(files, faults)
            finished = [one for one in files if self._is_finished(one, files)]
            self._read(finished, pieces, faults)
            lag_bytes = sum(path.stat().st_size for place, path in files if place > _plain(self._place))
        except FileNotFoundError:
            pass  # a file went between two looks: the next poll sees it
        except OSError as problem:
            faults.append(world_fault(str(self._folder), problem))
        if self._why:
            code = NO_CAPTURE if self._program_found() is None else CAPTURE_ENDED
            faults.append(SourceFault(path=self._interface, why=self._why, code=code))
        return FollowStep(pieces=tuple(pieces), faults=tuple(faults), lag_bytes=lag_bytes, has_more=bool(pieces))

    def token(self) -> Token:
        """The position now."""
        found: Token = msgspec.to_builtins(self._place)
        return found

    def committed(self, token: Token) -> None:
        """What came up to this position is kept: files that were read to their end go."""
        self._committed = msgspec.convert(token, CapturePlace)

    def close(self) -> None:
        """End the capture; what it wrote is read at the next start."""
        if self._run is not None:
            self._run.end()

    def _program_found(self) -> str | None:
        return self._program or shutil.which("dumpcap")

    def _keep_capturing(self, now: datetime) -> None:
        if self._run is not None and self._run.has_ended:
            run, self._run = self._run, None
            run.end()
            self._place = replace(self._place, n_lost=self._place.n_lost + run.n_dropped)
            if (now - run.began_at).total_seconds() >= SOUND_S:
                self._wait_s = RETRY_FIRST_S
            self._why = (
                f"capturing {show(self._interface, 40)} ended ({run.said()}); it is started again in "
                f"{self._wait_s:.0f} s; what passed meanwhile was not seen"
            )
            self._again_at = now + timedelta(seconds=self._wait_s)
            self._wait_s = min(self._wait_s * 2, RETRY_MOST_S)
        if self._run is not None:
            if (now - self._run.began_at).total_seconds() >= 1:
                self._why = ""
            return
        if self._again_at is not None and now < self._again_at:
            return
        program = self._program_found()
        if program is None:
            self._why = (
                "capturing needs dumpcap, which is not installed; nothing is seen of the interface; install the "
                "package tshark (Debian: apt install tshark), and let the node's user capture"
            )
            self._again_at = now + timedelta(seconds=RETRY_MOST_S)
            return
        self._run = _Run(program, self._interface, self._folder, now)

    def _files(self) -> list[tuple[CapturePlace, Path]]:
        found = [(_FILE.fullmatch(path.name), path) for path in self._folder.glob("*.pcapng")]
        return sorted((CapturePlace(run=name[1], file=int(name[2])), path) for name, path in found if name is not None)

    def _is_finished(self, one: tuple[CapturePlace, Path], files: list[tuple[CapturePlace, Path]]) -> bool:
        """The last file of the run at hand is still being written."""
        return self._run is None or one[0].run != self._run.name or one is not files[-1]

    def _clear(self, files: list[tuple[CapturePlace, Path]]) -> list[tuple[CapturePlace, Path]]:
        """Remove the files of which all that came is committed, those with nothing of industry in them too."""
        is_all = self._committed >= self._delivered
        last = self._place if is_all else self._committed
        until = _plain(last) if is_all and not last.packet else CapturePlace(run=last.run, file=last.file - 1)
        for place, path in files:
            if place <= until:
                path.unlink(missing_ok=True)
        return [one for one in files if one[0] > until]

    def _make_room(self, files: list[tuple[CapturePlace, Path]], faults: list[SourceFault]) -> None:
        """Beyond the quota the oldest files go, read or not."""
        sizes = [path.stat().st_size for _, path in files]
        n_over = sum(sizes) - self._quota_bytes
        n_lost_bytes = 0
        while n_over > 0 and len(files) > 2:
            (place, path), size = files.pop(0), sizes.pop(0)
            n_over -= size
            path.unlink(missing_ok=True)
            if place > _plain(self._place) or (self._pump is not None and self._pump.place == place):
                n_lost_bytes += size
                if self._pump is not None and self._pump.place == place:
                    self._pump.stop()
                    self._pump = None
                self._place = replace(self._place, run=place.run, file=place.file, packet=0)
        if n_lost_bytes:
            self._place = replace(self._place, n_lost_bytes=self._place.n_lost_bytes + n_lost_bytes)
            why = (
                f"{n_lost_bytes} bytes of packets went unread: more came than could be looked at, and there is room "
                f"for {self._quota_bytes}"
            )
            faults.append(SourceFault(path=self._interface, why=why, code=CAPTURE_LOST))

    def _read(self, files: list[tuple[CapturePlace, Path]], pieces: list[Piece], faults: list[SourceFault]) -> None:
        if self._pump is None:
            following = [one for one in files if one[0] > _plain(self._place) or self._is_half_read(one[0])]
            if not following:
                return
            place, path = following[0]
            self._pump = _Pump(place, path, after=self._place.packet if self._is_half_read(place) else 0)
        for item in self._pump.items():
            if item is None:
                self._place = replace(self._place, run=self._pump.place.run, file=self._pump.place.file, packet=0)
                self._pump = None
                break
            if isinstance(item, SourceFault):
                faults.append(item)
            elif isinstance(item, Chunk):
                self._place = replace(
                    self._place,
                    run=self._pump.place.run,
                    file=self._pump.place.file,
                    packet=(item.numbers or (0,))[-1],
                )
                self._delivered = self._place
                pieces.append(Piece(item=item, token=self.token()))
            else:
                pieces.append(Piece(item=item, token=self.token()))

    def _is_half_read(self, place: CapturePlace) -> bool:
        return self._place.packet > 0 and _plain(self._place) == place


class _Run:
    """One run of the program that captures."""

    def __init__(self, program: str, interface: str, folder: Path, now: datetime) -> None:
        self.name = now.strftime("%Y%m%d%H%M%S")
        self.began_at = now
        self._said: list[bytes] = []
        command = [
            *(sys.executable, "-I", "-S", str(Path(capture_keeper.__file__).resolve()), program),
            *("-q", "-i", interface, "-b", f"duration:{FILE_S}", "-b", f"filesize:{FILE_KB}"),
            *("-w", str(folder / f"{self.name}.pcapng")),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"TZ": "UTC"},
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None and not self._listener.is_alive()

    @property
    def n_dropped(self) -> int:
        """What the kernel dropped, as far as the program told it at its end."""
        return sum(int(found[1]) for line in self._said if (found := _DROPPED.search(line)) is not None)

    def said(self) -> str:
        told = [line for line in self._said if not line.startswith((b"Capturing on", b"File: ", b"Packets "))]
        words = show(told[-1].strip(), 160) if told else f"exit code {self._process.returncode}"
        return words or f"exit code {self._process.returncode}"

    def end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._listener.join()

    def _listen(self) -> None:
        if self._process.stderr is not None:
            for line in self._process.stderr:
                if line.strip() and not line.startswith(b"File: "):
                    self._said = [*self._said[-20:], line]
            self._process.stderr.close()


class _Pump:
    """Dissects one file on a thread of its own, a few chunks ahead of who takes them."""

    def __init__(self, place: CapturePlace, path: Path, *, after: int) -> None:
        self.place = place
        self._path = path
        self._after = after
        self._is_stopped = False
        self._queue: queue.Queue[Item | None] = queue.Queue(WAITING)
        threading.Thread(target=self._run, daemon=True).start()

    def items(self) -> Iterator[Item | None]:
        """What is there now; None once it was the last."""
        for _ in range(WAITING):
            try:
                yield self._queue.get_nowait()
            except queue.Empty:
                return

    def stop(self) -> None:
        self._is_stopped = True

    def _run(self) -> None:
        try:
            for stream in open_streams(str(self._path), None):
                for item in stream:
                    if self._is_stopped:
                        return
                    kept = _behind(item, self._after)
                    if kept is not None:
                        self._queue.put(kept)
        finally:
            self._queue.put(None)


def _behind(item: Item, packet: int) -> Item | None:
    """What of it lies behind this packet."""
    if not packet or not isinstance(item, Chunk) or item.numbers is None:
        return item
    kept = [
        (number, line)
        for number, line in zip(item.numbers, item.data.splitlines(keepends=True), strict=True)
        if number > packet
    ]
    if not kept:
        return None
    numbers = tuple(number for number, _ in kept)
    return replace(item, numbers=numbers, first_record=numbers[0], data=b"".join(line for _, line in kept))


def _plain(place: CapturePlace) -> CapturePlace:
    """The file alone."""
    return CapturePlace(run=place.run, file=place.file)
