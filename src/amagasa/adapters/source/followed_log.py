"""One file of a followed log: how far it was read, what comes next, whether it was cut or is over."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from amagasa.adapters.source.log_bytes import HEAD_BYTES, TAIL_BYTES, LogBytes, Place, digest
from amagasa.event.audit_event import whole_events
from amagasa.event.lines import MAX_LINE_BYTES

_READ_BYTES: Final = MAX_LINE_BYTES + 1
# Records of one event are written together; so long the last ones wait for others of theirs.
EVENT_LINGER_S: Final = 0.3


class Taken(Struct, frozen=True, kw_only=True):
    """Whole lines, or the length of a line too long to keep (0: none), or only some way through such a line."""

    data: bytes = b""
    reject_bytes: int = 0
    n_bytes: int


class FollowedLog:
    """An open file and the place in it. `place`: where to go on; the caller has checked that it fits."""

    def __init__(self, log: LogBytes, place: Place | None = None) -> None:
        status = log.status()
        self.key = (status.st_dev, status.st_ino)
        self._log = log
        self.header = place.header if place else ""
        self._offset = place.offset if place else 0
        self._head = log.at(0, place.n_head) if place else b""
        # The head grows with what is read; a line that was not kept ends it, however short it is.
        self._is_head_whole = len(self._head) >= HEAD_BYTES or len(self._head) != self._offset
        self._tail = self._before_offset() if place else b""
        self._n_skipped = 0
        self._n_seen = -1
        self._rotated_at: datetime | None = None
        self._is_ended = False
        self._held_at: datetime | None = None

    @property
    def is_rotated(self) -> bool:
        """Whether its name belongs to another file now."""
        return self._rotated_at is not None

    def rotate(self, now: datetime, *, is_ended: bool = False) -> None:
        """Its name was taken away. `is_ended`: nobody writes to it any more (a copy, or packed)."""
        self._rotated_at = self._rotated_at or now
        self._is_ended = self._is_ended or is_ended

    def again(self) -> "FollowedLog":
        """The same file from its start, under the name that it has."""
        log = FollowedLog(self._log)
        log.header = self.header  # whoever cuts a log by copying it writes no header anew
        if self._rotated_at is not None:
            log.rotate(self._rotated_at, is_ended=self._is_ended)
        return log

    def give_up(self) -> None:
        """Its rest cannot be read."""
        self._is_ended = True
        self._n_seen = self._offset

    def mtime_ns(self) -> int:
        """When it was last written."""
        return self._log.status().st_mtime_ns

    def n_unread(self) -> int:
        """Bytes behind the place; of a packed file only that it is not over (its unpacked size is not known)."""
        if self._log.is_packed:
            return 0 if self._is_done() else 1
        return max(0, self._log.status().st_size - self._offset)

    def place(self) -> Place:
        """Where reading goes on, as the token keeps it."""
        status = self._log.status()
        device, inode = self.key
        return Place(
            device=device,
            inode=inode,
            offset=self._offset,
            n_head=len(self._head),
            head=digest(self._head),
            tail=digest(self._tail),
            size=max(self._offset, self._offset if self._log.is_packed else status.st_size),
            mtime_ns=status.st_mtime_ns,
            header=self.header,
        )

    def whole(self) -> Place:
        """The place behind all that the file holds now."""
        status = self._log.status()
        n_head, n_tail = min(HEAD_BYTES, status.st_size), min(TAIL_BYTES, status.st_size)
        return Place(
            device=status.st_dev,
            inode=status.st_ino,
            offset=status.st_size,
            n_head=n_head,
            head=digest(self._log.at(0, n_head)),
            tail=digest(self._log.at(status.st_size - n_tail, n_tail)),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
        )

    def is_cut(self) -> bool:
        """Whether the bytes that were read are no longer there: the file was cut, or written anew."""
        if self._log.is_packed or not self._offset:
            return False
        return self._log.at(0, len(self._head)) != self._head or self._before_offset() != self._tail

    def is_over(self, now: datetime, linger_s: float) -> bool:
        """Whether nothing will come from it any more: rotated long enough ago, and read to its end."""
        return self._is_final(now, linger_s) and self._is_done()

    def take(self, now: datetime, linger_s: float) -> Taken | None:
        """The next whole lines, at most about 1 MiB; None where there are none now. Moves the place on.

        Raises OSError and BrokenSourceError; the place stays where it was then.
        """
        data = self._log.at(self._offset + self._n_skipped, _READ_BYTES)
        self._n_seen = self._offset + self._n_skipped + len(data)
        if not data or (not self.is_rotated and self.is_cut()):
            return self._end_skipping(b"") if self._n_skipped and self._is_final(now, linger_s) else None
        if self._n_skipped:
            return self._skip(data)
        end = data.rfind(b"\n") + 1
        if not end:
            if len(data) > MAX_LINE_BYTES:
                self._n_skipped = len(data)
                return Taken(n_bytes=len(data))
            if not self._is_final(now, linger_s):
                return None
            end = len(data)
        end = self._whole(data[:end], now)
        if not end:
            return None
        self._move(data[:end])
        return Taken(data=data[:end], n_bytes=end)

    def _whole(self, data: bytes, now: datetime) -> int:
        """How much of these lines to take now: the rest of an event's records may be on its way, for a moment."""
        end = whole_events(data)
        if end:
            self._held_at = None if end == len(data) else now
            return end
        self._held_at = self._held_at or now
        if (now - self._held_at).total_seconds() < EVENT_LINGER_S:
            return 0
        self._held_at = None
        return len(data)

    def peek(self, n_bytes: int) -> bytes:
        """Bytes behind the place, which stays."""
        return self._log.at(self._offset, n_bytes)

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _skip(self, data: bytes) -> Taken:
        at = data.find(b"\n")
        if at < 0:
            self._n_skipped += len(data)
            return Taken(n_bytes=len(data))
        return self._end_skipping(data[: at + 1])

    def _end_skipping(self, data: bytes) -> Taken:
        n_bytes = self._n_skipped + len(data)
        self._n_skipped = 0
        self._offset += n_bytes
        self._is_head_whole = True
        if not self._log.is_packed:
            self._head = self._log.at(0, min(HEAD_BYTES, self._offset))
        self._tail = self._before_offset()
        return Taken(reject_bytes=n_bytes, n_bytes=n_bytes)

    def _move(self, data: bytes) -> None:
        if not self._is_head_whole:
            self._head += data[: HEAD_BYTES - len(self._head)]
            self._is_head_whole = len(self._head) >= HEAD_BYTES
        self._offset += len(data)
        self._tail = (self._tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]

    def _before_offset(self) -> bytes:
        n_tail = min(TAIL_BYTES, self._offset)
        return self._log.at(self._offset - n_tail, n_tail)

    def _is_final(self, now: datetime, linger_s: float) -> bool:
        if self._rotated_at is None:
            return False
        return self._is_ended or (now - self._rotated_at).total_seconds() >= linger_s

    def _is_done(self) -> bool:
        """Whether the last read saw the end and left nothing."""
        return self._n_seen == self._offset
