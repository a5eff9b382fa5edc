"""Reads a spool as if it were a log: every record once, in order, with the position behind each piece.

A segment is removed once its last record is committed and it has a successor.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.adapters.source.faults import world_fault
from amagasa.adapters.source.follow import LOST, FollowStep, Piece, Token
from amagasa.adapters.source.segments import (
    HEAD_BYTES,
    Head,
    Segment,
    head_at,
    is_sound,
    next_magic,
    segment_path,
    segments_in,
)
from amagasa.app.spool_ports import NO_ID
from amagasa.event.mapped import format_of
from amagasa.event.mapping import LogMapping
from amagasa.event.record import Chunk, Format, SourceFault
from amagasa.event.sniff import sniff
from amagasa.vocab.text import show

READ_BYTES: Final = 1_048_576
# What cannot be right at the end of the newest segment may still be on its way there.
PATIENCE_S: Final = 2.0
_NS: Final = 1_000_000_000


class Place(Struct, frozen=True, kw_only=True):
    """Where reading goes on: the frame at `offset` of the segment, `within` bytes behind the start of its records.

    `mark` is the identifier of the last frame that had one, in hex.
    """

    segment: int = 0
    offset: int = 0
    within: int = 0
    n_records: int = 0
    form: Format | None = None
    mark: str = ""


class SpoolFollower:
    """Follows the spool in `folder`. `form` None: told by the first records, and kept in the token; or as `mapping`."""

    def __init__(
        self,
        folder: Path,
        name: str,
        token: Token | None = None,
        form: Format | None = None,
        *,
        mapping: LogMapping | None = None,
        poll_bytes: int = READ_BYTES,
    ) -> None:
        self._folder = folder
        self._name = show(name, 4_096)
        self._place = _place_in(token)
        self._committed = self._place
        self._mapping = mapping
        self._form = (form if mapping is None else format_of(mapping)) or self._place.form
        self._poll_bytes = poll_bytes
        self._faults: list[SourceFault] = []
        self._notes: list[str] = []
        self._unsound_since: datetime | None = None

    def poll(self, now: datetime) -> FollowStep:
        """Read what is new, at most about `poll_bytes`. Never raises for what the world does to the files."""
        self._faults, self._notes = [], []
        pieces: list[Piece] = []
        n_unread = 0
        try:
            segments = segments_in(self._folder)
            self._find(segments)
            for segment in segments:
                if segment.number >= self._place.segment:
                    self._read(segment, now, pieces, is_last=segment is segments[-1])
                    if pieces:
                        break
            n_unread = self._n_unread(segments)
            self._remove(segments)
        except OSError as error:
            self._faults.append(world_fault(self._name, error))
        return FollowStep(
            pieces=tuple(pieces),
            faults=tuple(self._faults),
            notes=tuple(self._notes),
            lag_bytes=n_unread,
            has_more=bool(pieces) and n_unread > 0,
        )

    def token(self) -> Token:
        """The position now."""
        found: Token = msgspec.to_builtins(msgspec.structs.replace(self._place, form=self._form))
        return found

    def committed(self, token: Token) -> None:
        """What lies before this position is needed no more."""
        self._committed = _place_in(token)

    def close(self) -> None:
        """Nothing is open between two polls."""

    def _find(self, segments: list[Segment]) -> None:
        """The segment of the place, or the next where it was read to its end and removed."""
        numbers = [one.number for one in segments if one.number >= self._place.segment]
        if not numbers or numbers[0] == self._place.segment:
            return
        if self._place.segment and numbers[0] != self._place.segment + 1:
            why = f"segments {self._place.segment + 1} to {numbers[0] - 1} of its spool are gone; going on behind them"
            self._faults.append(SourceFault(path=self._name, why=why, code=LOST))
        self._go(numbers[0])

    def _go(self, segment: int) -> None:
        self._place = msgspec.structs.replace(self._place, segment=segment, offset=0, within=0)

    def _read(self, segment: Segment, now: datetime, pieces: list[Piece], *, is_last: bool) -> None:
        """The next frames of a segment, of one chunk together."""
        if segment.number > self._place.segment:
            self._go(segment.number)
        with segment.path.open("rb") as stream:
            stream.seek(self._place.offset)
            data = stream.read(self._poll_bytes + HEAD_BYTES)
            head = head_at(data, 0)
            if head is not None and head.frame_bytes > len(data):
                data += stream.read(head.frame_bytes - len(data))
            if head is not None and _is_whole(head, data):
                self._unsound_since = None
                self._take(data, head, pieces)
            elif data and (not is_last or self._is_hopeless(head, data, now)):
                self._skip(data + stream.read(), is_last=is_last)

    def _is_hopeless(self, head: Head | None, data: bytes, now: datetime) -> bool:
        """Whether what stands at the end of the newest segment is damage, and not a frame that is being written."""
        if len(data) < HEAD_BYTES or (head is not None and len(data) < head.frame_bytes):
            return False
        self._unsound_since = self._unsound_since or now
        return abs((now - self._unsound_since).total_seconds()) >= PATIENCE_S

    def _skip(self, data: bytes, *, is_last: bool) -> None:
        """Past what is no sound frame, to the next that is, or to the end."""
        at = 0
        while (at := next_magic(data, at + 1)) >= 0:
            head = head_at(data, at)
            if head is not None and is_sound(head, data[at + HEAD_BYTES : at + head.frame_bytes]):
                break
        n_bytes = len(data) if at < 0 else at
        if at >= 0 or is_last:
            why = f"{n_bytes} bytes of its spool are damaged and were not read; going on behind them"
            self._faults.append(SourceFault(path=self._name, why=why, code=LOST))
        else:
            self._notes.append(f"{n_bytes} bytes at the end of a segment were never whole; nobody was told of them")
        self._place = msgspec.structs.replace(self._place, offset=self._place.offset + n_bytes, within=0)
        self._unsound_since = None

    def _take(self, data: bytes, head: Head, pieces: list[Piece]) -> None:
        """One chunk of as many whole frames as lie in `data` and fit together; a long frame is cut between records."""
        payload = data[HEAD_BYTES + self._place.within : head.frame_bytes]
        while len(payload) > self._poll_bytes:
            end = payload.rfind(b"\n", 0, self._poll_bytes) + 1 or payload.find(b"\n", self._poll_bytes) + 1
            if not 0 < end < len(payload):
                break
            self._move(payload[:end], head, pieces, offset=self._place.offset, within=self._place.within + end)
            payload = payload[end:]
        taken, at, at_ns, mark = [payload], head.frame_bytes, head.at_ns, head.id
        n_bytes = len(payload)
        while (more := head_at(data, at)) is not None and at + more.frame_bytes <= len(data):
            part = data[at + HEAD_BYTES : at + more.frame_bytes]
            if n_bytes + len(part) > self._poll_bytes or not is_sound(more, part):
                break
            taken.append(part)
            n_bytes += len(part)
            at, at_ns = at + more.frame_bytes, more.at_ns
            mark = mark if more.id == NO_ID else more.id
        last = msgspec.structs.replace(head, at_ns=at_ns, id=mark)
        self._move(b"".join(taken), last, pieces, offset=self._place.offset + at, within=0)

    def _move(self, data: bytes, head: Head, pieces: list[Piece], *, offset: int, within: int) -> None:
        if self._form is None:
            self._form = sniff(data[: READ_BYTES // 16], self._name) or Format.JSON
        first = self._place.n_records + 1
        n_records = data.count(b"\n") + (not data.endswith(b"\n"))
        mark = self._place.mark if within or head.id == NO_ID else head.id.hex()
        self._place = msgspec.structs.replace(
            self._place, offset=offset, within=within, n_records=self._place.n_records + n_records, mark=mark
        )
        read_at = datetime.fromtimestamp(head.at_ns / _NS, UTC)
        chunk = Chunk(
            path=self._name,
            format=self._form,
            first_record=first,
            data=data,
            read_at=read_at,
            mapping=self._mapping,
        )
        pieces.append(Piece(item=chunk, token=self.token()))

    def _n_unread(self, segments: list[Segment]) -> int:
        later = sum(one.n_bytes for one in segments if one.number > self._place.segment)
        here = sum(one.n_bytes for one in segments if one.number == self._place.segment)
        return later + max(0, here - self._place.offset)

    def _remove(self, segments: list[Segment]) -> None:
        """Segments of which every record is committed; never the newest."""
        for segment in segments[:-1]:
            done = segment.number < self._committed.segment
            is_here = segment.number == self._committed.segment
            if done or (is_here and self._committed.offset >= segment.n_bytes):
                segment_path(self._folder, segment.number).unlink(missing_ok=True)


def _place_in(token: dict[str, Any] | None) -> Place:
    """The place in a token; of another kind of source only how many records it gave."""
    if token and "segment" in token:
        return msgspec.convert(token, Place)
    return Place(n_records=int((token or {}).get("n_records", 0)))


def _is_whole(head: Head, data: bytes) -> bool:
    """Whether `data` begin with the frame of the head, sound."""
    return len(data) >= head.frame_bytes and is_sound(head, data[HEAD_BYTES : head.frame_bytes])
