"""The spool of a source that cannot be read again: what came is on this disk before anybody relies on it.

When bytes are where:
- `keep` returns KEPT: they are with the operating system. A kill of any of our processes, at any instant, loses
  nothing of them; a loss of power may.
- `sync` returns: they are on the disk (fdatasync, and the folder for a new segment).

The folder holds `quota_bytes` at most. Beyond it nothing is kept (FULL) until the reader has committed and removed
the oldest segment; what the receiver makes of that is its own affair. A write that fails half is taken back, so that
no half frame stands before a whole one.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from amagasa.adapters.source.segments import (
    ID_BYTES,
    frame_of,
    ids_in,
    segment_path,
    segments_in,
)
from amagasa.app.spool_ports import NO_ID, Kept

SEGMENT_BYTES: Final = 16 * 1_048_576
# How many identifiers of what came are remembered: two files of half as many.
IDS: Final = 200_000
_IDS_FILE: Final = "ids"
_OLD_IDS_FILE: Final = "ids.1"
_LOCK_FILE: Final = "lock"
_COUNTED_EVERY_S: Final = 0.2


class Spool:
    """Writes one source's spool; one writer a folder. `keep` is for one thread, `sync` for one other at a time.

    `least`: number that the first segment has at least (behind what was committed). Raises OSError where the folder
    cannot be made or read, BlockingIOError where another process writes this spool.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quota_bytes: int,
        least: int = 0,
        segment_bytes: int = SEGMENT_BYTES,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = folder
        self._quota_bytes = quota_bytes
        self._segment_bytes = segment_bytes
        self._now_ns = now_ns
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._locked = _lock(folder)
        found = segments_in(folder)
        self._next = max(least, found[-1].number if found else 0) + 1
        self._ids: OrderedDict[bytes, None] = OrderedDict()
        self._n_new_ids = 0
        self._unnoted = b""  # identifiers of frames that are not on the disk yet
        self._last_id = NO_ID
        self._recall_ids()
        self._lock = threading.Lock()  # of the descriptor, between `keep` and `sync`
        self._file = -1
        self._offset = 0
        self._n_bytes = sum(one.n_bytes for one in found)
        self._counted_at = time.monotonic()
        self._is_dirty = False
        self.why = ""

    @property
    def n_bytes(self) -> int:
        """Bytes in the folder, as of the last count."""
        return self._n_bytes

    @property
    def last_id(self) -> bytes:
        """See app.spool_ports.Keeper."""
        return self._last_id

    def ids(self) -> tuple[bytes, ...]:
        """See app.spool_ports.Keeper."""
        return tuple(self._ids)

    def keep(self, payload: bytes, identifier: bytes = NO_ID) -> Kept:
        """Keep whole lines as one frame, all or nothing; `why` says what is wrong where the disk failed.

        What came under this identifier before is KNOWN and is not kept again.
        """
        if identifier != NO_ID and identifier in self._ids:
            return Kept.KNOWN
        frame = frame_of(payload, at_ns=self._now_ns(), identifier=identifier)
        try:
            with self._lock:
                if not self._has_room(len(frame)):
                    return Kept.FULL
                self._write(frame)
        except OSError as error:
            self.why = error.strerror or str(error)
            return Kept.BROKEN
        self.why = ""
        if identifier != NO_ID:
            self._last_id = identifier
            self._remember(identifier)
            with self._lock:
                self._unnoted += identifier
        return Kept.KEPT

    def sync(self) -> None:
        """Have all that was kept on the disk. Raises OSError."""
        with self._lock:
            if not self._is_dirty or self._file < 0:
                return
            file, self._is_dirty = os.dup(self._file), False
            unnoted, self._unnoted = self._unnoted, b""
        try:
            os.fdatasync(file)  # whoever keeps meanwhile does not wait
        except OSError:
            self._is_dirty = True
            with self._lock:
                self._unnoted = unnoted + self._unnoted
            raise
        finally:
            os.close(file)
        with self._lock:
            self._note(unnoted)

    def close(self) -> None:
        """Sync and write no more. Raises OSError."""
        try:
            self.sync()
        finally:
            with self._lock:
                self._shut()
            os.close(self._locked)

    def _has_room(self, n_bytes: int) -> bool:
        now = time.monotonic()
        if self._n_bytes + n_bytes > self._quota_bytes and now - self._counted_at >= _COUNTED_EVERY_S:
            self._counted_at = now
            self._n_bytes = sum(one.n_bytes for one in segments_in(self._folder))
        if self._n_bytes + n_bytes <= self._quota_bytes:
            return True
        if self._offset:
            self._roll()  # the reader removes no segment that has no successor
        return False

    def _write(self, frame: bytes) -> None:
        if self._file < 0 or self._offset >= self._segment_bytes:
            self._roll()
        data = memoryview(frame)
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            os.ftruncate(self._file, self._offset)
            raise
        self._offset += len(frame)
        self._n_bytes += len(frame)
        self._is_dirty = True

    def _roll(self) -> None:
        """Begin the next segment; the one before is on the disk then."""
        self._shut()
        with contextlib.suppress(FileNotFoundError):
            _sync_file(self._folder / _IDS_FILE)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(segment_path(self._folder, self._next), flags, 0o600)
        self._next += 1
        self._offset = 0
        _sync_file(self._folder)

    def _shut(self) -> None:
        if self._file < 0:
            return
        file, self._file, self._offset = self._file, -1, 0
        try:
            if self._is_dirty:
                os.fdatasync(file)
                self._is_dirty = False
            unnoted, self._unnoted = self._unnoted, b""
            self._note(unnoted)
        finally:
            os.close(file)

    def _note(self, identifiers: bytes) -> None:
        """Once their frames are on the disk, lest a loss of power leave the identifier of a frame that is gone.

        At a start the segments say what a kill, or a full disk, kept from being noted.
        """
        if identifiers:
            with contextlib.suppress(OSError):
                self._append_ids(identifiers)

    def _append_ids(self, identifiers: bytes) -> None:
        path = self._folder / _IDS_FILE
        if self._n_new_ids >= IDS // 2:
            path.replace(self._folder / _OLD_IDS_FILE)
            self._n_new_ids = 0
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # What was written half is written over.
            os.pwrite(file, identifiers, os.fstat(file).st_size // ID_BYTES * ID_BYTES)
        finally:
            os.close(file)
        self._n_new_ids += len(identifiers) // ID_BYTES

    def _remember(self, identifier: bytes) -> None:
        self._ids[identifier] = None
        if len(self._ids) > IDS:
            self._ids.popitem(last=False)

    def _recall_ids(self) -> None:
        for name in (_OLD_IDS_FILE, _IDS_FILE):
            try:
                data = (self._folder / name).read_bytes()
            except FileNotFoundError:
                continue
            for start in range(0, len(data) - ID_BYTES + 1, ID_BYTES):
                self._remember(data[start : start + ID_BYTES])
            self._n_new_ids = len(data) // ID_BYTES
        noted = b""
        for segment in segments_in(self._folder):
            for identifier in ids_in(segment.path):
                self._last_id = identifier
                if identifier not in self._ids:
                    self._remember(identifier)
                    noted += identifier
        if noted:
            self._append_ids(noted)


def _lock(folder: Path) -> int:
    """A receiver that outlives its node for a moment must not write behind the back of the next one."""
    file = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _sync_file(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
