"""Packed bytes -> bytes, told by their first bytes: gzip, Zstandard, bzip2, xz; and text in UTF-16.

Every loop gives back at most about a megabyte at a time however small the input, so a bomb costs time and no memory.
"""

import bz2
import codecs
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import zstandard

from amagasa.adapters.source.stream import DAMAGED, BrokenSourceError, Budget, Stream

_OUTPUT_BYTES: Final = 1_048_576
# An RLE block of Zstandard turns 4 bytes into 128 KiB; this bounds one step to 8 MiB.
_ZSTD_INPUT_BYTES: Final = 256
# What `zstd -d` accepts without being told otherwise: 128 MiB of window.
_ZSTD_WINDOW_BYTES: Final = 2**27

Layer = Callable[[Stream, Budget], Iterator[bytes]]


class _Unpacker(Protocol):
    """What bz2 and lzma have in common."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


def layer_of(head: bytes) -> Layer | None:
    """The reader of the outermost packing; None where the bytes are not packed (archives are not looked at here)."""
    for magic, layer in _LAYERS:
        if head.startswith(magic):
            return layer
    return None


def _gzip(stream: Stream, budget: Budget) -> Iterator[bytes]:
    """All members, one after the other; zeros may pad the end (RFC 1952 section 2.2; gzip -d does the same)."""
    unpacker = zlib.decompressobj(31)
    is_open = False
    for block in stream.blocks():
        data = block
        while data:
            if not is_open:
                data = data.lstrip(b"\0")
                if not data:
                    break
                unpacker, is_open = zlib.decompressobj(31), True
            try:
                unpacked = unpacker.decompress(data, _OUTPUT_BYTES)
            except zlib.error as error:
                raise _damaged("gzip", error) from None
            data = unpacker.unconsumed_tail
            if unpacker.eof:
                data, is_open = unpacker.unused_data, False
            budget.take_unpacked(len(unpacked))
            yield unpacked
    if is_open:
        if rest := unpacker.flush():
            yield rest
        raise _cut("gzip")


def _zstd(stream: Stream, budget: Budget) -> Iterator[bytes]:
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    unpacker = context.decompressobj()
    is_open = False
    for block in stream.blocks():
        for start in range(0, len(block), _ZSTD_INPUT_BYTES):
            data = block[start : start + _ZSTD_INPUT_BYTES]
            while data:
                if not is_open:
                    unpacker, is_open = context.decompressobj(), True
                try:
                    unpacked = unpacker.decompress(data)
                except zstandard.ZstdError as error:
                    raise _damaged("zstd", error) from None
                data = b""
                if unpacker.eof:
                    data, is_open = unpacker.unused_data, False
                budget.take_unpacked(len(unpacked))
                yield unpacked
    if is_open:
        raise _cut("zstd")


def _bzip2(stream: Stream, budget: Budget) -> Iterator[bytes]:
    return _one_kind("bzip2", bz2.BZ2Decompressor, stream, budget)


def _xz(stream: Stream, budget: Budget) -> Iterator[bytes]:
    return _one_kind("xz", _new_xz, stream, budget)


def _new_xz() -> _Unpacker:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_ZSTD_WINDOW_BYTES)


def _one_kind(name: str, new: Callable[[], _Unpacker], stream: Stream, budget: Budget) -> Iterator[bytes]:
    unpacker: _Unpacker | None = None
    for block in stream.blocks():
        data = block
        while data or (unpacker is not None and not unpacker.needs_input):
            if unpacker is None:
                data = data.lstrip(b"\0")
                if not data:
                    break
                unpacker = new()
            try:
                unpacked = unpacker.decompress(data, _OUTPUT_BYTES)
            except (OSError, lzma.LZMAError, EOFError) as error:
                raise _damaged(name, error) from None
            data = b""
            if unpacker.eof:
                data, unpacker = unpacker.unused_data, None
            budget.take_unpacked(len(unpacked))
            yield unpacked
    if unpacker is not None:
        raise _cut(name)


def _utf16(stream: Stream, _budget: Budget) -> Iterator[bytes]:
    """Text in UTF-16 with a byte order mark, as Windows tools export it -> UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for block in stream.blocks():
        yield decoder.decode(block).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


_LAYERS: Final[tuple[tuple[bytes, Layer], ...]] = (
    (b"\x1f\x8b\x08", _gzip),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"BZh", _bzip2),
    (b"\xfd7zXZ\x00", _xz),
    (b"\xff\xfe", _utf16),
    (b"\xfe\xff", _utf16),
)


def _damaged(name: str, error: Exception) -> BrokenSourceError:
    why = f"the {name} data are damaged ({error}); what came before the damage was read, the rest was not"
    return BrokenSourceError(why, DAMAGED)


def _cut(name: str) -> BrokenSourceError:
    why = f"the {name} data end too early; what is there was read, the rest is missing"
    return BrokenSourceError(why, DAMAGED)
