"""A file of indicators as bytes, unpacked on the way: plain, gzip or zstd, told by its first bytes."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

MAX_FILE_BYTES: Final = 1 << 30  # unpacked: ten times the largest public list
BLOCK_BYTES: Final = 1 << 20
_PACKED_BYTES: Final = 4_096  # of a bomb these unpack to 128 MB at most
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# What reading such a file may raise.
UNREADABLE: Final = (OSError, EOFError, zlib.error, zstandard.ZstdError)


def blocks_of(file: Path) -> Iterator[bytes]:
    """The file's bytes in blocks of about a megabyte. Raises one of `UNREADABLE`, also beyond `MAX_FILE_BYTES`."""
    n_bytes = 0
    with file.open("rb") as raw:
        magic = raw.read(4)
        raw.seek(0)
        for block in _gathered(_unpacked(raw, magic)):
            n_bytes += len(block)
            if n_bytes > MAX_FILE_BYTES:
                message = f"more than {MAX_FILE_BYTES} bytes when unpacked"
                raise OSError(message)
            yield block


def whole(file: Path) -> bytes:
    """All of it at once. Raises as `blocks_of`."""
    return b"".join(blocks_of(file))


def _unpacked(raw: BinaryIO, magic: bytes) -> Iterator[bytes]:
    if magic == _ZSTD:
        yield from _unzstd(raw)
        return
    if magic[:2] == _GZIP:
        with gzip.open(raw) as unpacked:
            yield from iter(lambda: unpacked.read(BLOCK_BYTES), b"")
        return
    yield from iter(lambda: raw.read(BLOCK_BYTES), b"")


def _unzstd(raw: BinaryIO) -> Iterator[bytes]:
    """All frames. A stream reader would take the end of a cut file for the end of the data, so each frame is asked."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    while packed := raw.read(_PACKED_BYTES):
        while packed:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(packed)
            packed = frame.unused_data
    if not frame.eof:
        message = "the file ends before its data does"
        raise EOFError(message)


def _gathered(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Small parts put together: each block has its price further on."""
    held: list[bytes] = []
    n_bytes = 0
    for part in parts:
        held.append(part)
        n_bytes += len(part)
        if n_bytes >= BLOCK_BYTES:
            yield b"".join(held)
            held, n_bytes = [], 0
    if n_bytes:
        yield b"".join(held)
