"""The spool's files: numbered segments of frames. A frame is some whole records which came together, one a line.

A frame is a head (magic, length, CRC-32, the instant it came, an identifier that its sender gave it) and its records.
A segment is appended to by one process, from its first byte to its last; no process goes on in the segment of
another, so what stands unfinished at the end of a segment that has a successor was never confirmed to anybody.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from amagasa.app.spool_ports import NO_ID

MAX_PAYLOAD_BYTES: Final = 64 * 1_048_576
ID_BYTES: Final = 16
_MAGIC: Final = b"\x00AmS"
_HEAD: Final = struct.Struct(">4sIIQ16s")
_CHECKED: Final = struct.Struct(">Q16s")
_NAME: Final = re.compile(r"[0-9]{12}\.spool")
HEAD_BYTES: Final = _HEAD.size


class Head(Struct, frozen=True, kw_only=True):
    """The head of a frame. `at_ns` is when it came, in nanoseconds since 1970."""

    n_bytes: int
    checksum: int
    at_ns: int
    id: bytes

    @property
    def frame_bytes(self) -> int:
        """Length of head and records."""
        return HEAD_BYTES + self.n_bytes


class Segment(Struct, frozen=True, kw_only=True):
    """A segment on the disk."""

    number: int
    path: Path
    n_bytes: int


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:012d}.spool"


def segments_in(folder: Path) -> list[Segment]:
    """The segments of a spool in their order; none where there is no folder. Raises OSError."""
    found = []
    try:
        names = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except FileNotFoundError:
        return []
    for path in names:
        try:
            found.append(Segment(number=int(path.stem), path=path, n_bytes=path.stat().st_size))
        except FileNotFoundError:
            continue  # read to its end and removed meanwhile
    return sorted(found, key=_number)


def frame_of(payload: bytes, *, at_ns: int, identifier: bytes = NO_ID) -> bytes:
    """One frame. `payload` are whole lines, `MAX_PAYLOAD_BYTES` at most."""
    checksum = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(at_ns, identifier)))
    return _HEAD.pack(_MAGIC, len(payload), checksum, at_ns, identifier) + payload


def head_at(data: bytes, start: int) -> Head | None:
    """The head at `start`; None where no frame begins there."""
    if len(data) - start < HEAD_BYTES:
        return None
    magic, n_bytes, checksum, at_ns, identifier = _HEAD.unpack_from(data, start)
    if magic != _MAGIC or n_bytes > MAX_PAYLOAD_BYTES:
        return None
    return Head(n_bytes=n_bytes, checksum=checksum, at_ns=at_ns, id=identifier)


def is_sound(head: Head, payload: bytes) -> bool:
    """Whether these are the records of the head."""
    return zlib.crc32(payload, zlib.crc32(_CHECKED.pack(head.at_ns, head.id))) == head.checksum


def next_magic(data: bytes, start: int) -> int:
    """Where the next head may begin, at or after `start`; -1 where nowhere."""
    return data.find(_MAGIC, start)


def ids_in(path: Path) -> Iterator[bytes]:
    """Identifiers of the frames in a segment, up to the first that is not whole. Raises OSError."""
    with path.open("rb") as stream:
        while (head := head_at(stream.read(HEAD_BYTES), 0)) is not None:
            payload = stream.read(head.n_bytes)
            if len(payload) < head.n_bytes or not is_sound(head, payload):
                return
            if head.id != NO_ID:
                yield head.id


def _number(segment: Segment) -> int:
    return segment.number
