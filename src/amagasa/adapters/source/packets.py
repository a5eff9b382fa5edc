"""Capture files (pcap, pcapng) -> packets as bytes, so that a dissector can be fed, watched, and started again.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. Of a pcapng file the blocks that are no packets are kept as
a preamble, which a dissector that is started again gets first.
"""

import struct
from collections.abc import Iterator
from typing import Final

from amagasa.adapters.source.stream import DAMAGED, BrokenSourceError, Stream

MAX_PACKET_BYTES: Final = 1_048_576
_MAX_PREAMBLE_BYTES: Final = 1_048_576
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_PACKET_BLOCKS: Final = frozenset({2, 3, 6})
_STATISTICS: Final = 5
_DROPPED_BY_INTERFACE: Final = 5
_DROPPED_BY_SYSTEM: Final = 7


def is_capture(head: bytes) -> bool:
    """Whether a file with this head is a capture."""
    return head[:4] in _PCAP or (head[:4] == _SECTION and head[8:12] in {b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"})


class Capture:
    """The packets of one capture. `preamble` is what must come before any packet; `n_dropped` what its writer lost."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.preamble = b""
        self.n_dropped = 0

    def packets(self) -> Iterator[bytes]:
        """Each packet with its header, as it stands in the file. Raises BrokenSourceError where the rest is damaged."""
        head = self._exactly(4)
        if head == _SECTION:
            yield from self._blocks(head)
        else:
            yield from self._plain(head)

    def _plain(self, magic: bytes) -> Iterator[bytes]:
        order = _PCAP[magic]
        self.preamble = magic + self._exactly(20)
        while header := self._stream.read(16):
            if len(header) < 16:
                raise BrokenSourceError("the capture ends inside a packet; what is there was read", DAMAGED)
            (n_bytes,) = struct.unpack_from(f"{order}I", header, 8)
            if n_bytes > MAX_PACKET_BYTES:
                why = f"a packet claims {n_bytes} bytes; expected at most {MAX_PACKET_BYTES}; the rest was not read"
                raise BrokenSourceError(why, DAMAGED)
            yield header + self._exactly(n_bytes)

    def _blocks(self, kind: bytes) -> Iterator[bytes]:
        order = "<"
        while kind:
            rest = self._exactly(4)
            if kind == _SECTION:
                magic = self._exactly(4)
                order = "<" if magic == b"\x4d\x3c\x2b\x1a" else ">"
                rest += magic
            (n_bytes,) = struct.unpack_from(f"{order}I", rest)
            if n_bytes % 4 or not 12 <= n_bytes <= MAX_PACKET_BYTES + 1024:
                raise BrokenSourceError(f"a block claims {n_bytes} bytes; the rest was not read", DAMAGED)
            block = kind + rest + self._exactly(n_bytes - 4 - len(rest))
            yield from self._sort(block, struct.unpack(f"{order}I", kind)[0], order)
            kind = self._stream.read(4)

    def _sort(self, block: bytes, kind: int, order: str) -> Iterator[bytes]:
        if kind in _PACKET_BLOCKS:
            yield block
        elif kind == _STATISTICS:
            self._count_drops(block, order)
        elif kind == 1 or block[:4] == _SECTION:
            if len(self.preamble) + len(block) > _MAX_PREAMBLE_BYTES:
                raise BrokenSourceError("the capture names too many interfaces; the rest was not read", DAMAGED)
            self.preamble += block
            if len(self.preamble) > len(block):
                yield block

    def _count_drops(self, block: bytes, order: str) -> None:
        place = 20
        while place + 4 <= len(block) - 4:
            code, n_bytes = struct.unpack_from(f"{order}HH", block, place)
            if not code:
                return
            if code in {_DROPPED_BY_INTERFACE, _DROPPED_BY_SYSTEM} and n_bytes == 8 and place + 12 <= len(block):
                (n_dropped,) = struct.unpack_from(f"{order}Q", block, place + 4)
                self.n_dropped = max(self.n_dropped, n_dropped)
            place += 4 + (n_bytes + 3) // 4 * 4

    def _exactly(self, n_bytes: int) -> bytes:
        found = self._stream.read(n_bytes) if n_bytes else b""
        if len(found) < n_bytes:
            raise BrokenSourceError("the capture ends inside a packet; what is there was read", DAMAGED)
        return found
