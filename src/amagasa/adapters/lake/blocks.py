"""The files of a lake. All numbers are little-endian; heads are MessagePack.

A *segment* (`00000001.seg`): magic, length, `SegmentHead`; then blocks: magic, length of head, length of body,
`BlockHead`, body (Zstandard). The chain: the digest after a block is SHA-256 of the digest before it and the SHA-256 of
its bytes; at the head of a segment it begins with nothing before. The head names the last digest of the segment before.

An *index* (`00000001.idx`): for each block length of entry, length of filter, `IndexEntry`, filter. It only makes
searching fast: it can be made again from the segment.

A *tail* (`tail-00000001`): frames of length of head, `Piece`, bytes as they came. It is packed into a block once it is
large enough.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import zstandard
from msgspec import Struct

from amagasa.event.native import count_line_feeds
from amagasa.event.record import Chunk, Format
from amagasa.event.words import WordTable

MAGIC: Final = b"AMGLAKE1"
BLOCK_MAGIC: Final = b"BLK1"
# Of raw bytes in one block: what is unpacked for one finding, and how far back equal text is packed away.
BLOCK_BYTES: Final = 4 * 1_048_576
SEGMENT_BYTES: Final = 256 * 1_048_576
MERGED_WITHIN: Final = timedelta(minutes=10)
# Over a window of the whole block the quickest level packs logs as small as the third, in half the time.
LEVEL: Final = 1
WINDOW_LOG: Final = 22
DIGEST_BYTES: Final = 32
MAX_HEAD_BYTES: Final = 16 * 1_048_576
_LENGTHS: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")


class DamagedError(Exception):
    """The bytes are not what was written. Never leaves this family: it becomes an `Unlooked`, or a failed proof."""


class Piece(Struct, frozen=True, array_like=True):
    """Records of one file that were read together; `n_bytes` of them stand in the block or frame, in order."""

    path: str
    format: Format
    first_record: int
    n_bytes: int
    read_at: datetime


class SegmentHead(Struct, frozen=True, kw_only=True):
    """`previous`: last digest of the segment before (hex; "" for the first)."""

    source: str
    number: int
    previous: str
    began_at: datetime


class BlockHead(Struct, frozen=True, kw_only=True):
    """What is in the body. `words` is the SHA-256 (hex) of the filter."""

    pieces: tuple[Piece, ...]
    n_records: int
    n_raw_bytes: int
    words: str


class IndexEntry(Struct, frozen=True, kw_only=True):
    """Where a block is, what its digest is, and what it is passed by for."""

    offset: int
    n_bytes: int
    before: bytes
    n_records: int
    n_raw_bytes: int
    first_at: datetime
    last_at: datetime
    formats: tuple[Format, ...]


class Packed(Struct, frozen=True, kw_only=True):
    """A block ready to be written, and its filter."""

    block: bytes
    head: BlockHead
    words: bytes


def segment_name(number: int) -> str:
    """Of the file."""
    return f"{number:08d}.seg"


def index_name(number: int) -> str:
    """Of the file."""
    return f"{number:08d}.idx"


def tail_name(number: int) -> str:
    """Of the file."""
    return f"tail-{number:08d}"


def encode_segment_head(head: SegmentHead) -> bytes:
    """The first bytes of a segment."""
    raw = msgspec.msgpack.encode(head)
    return MAGIC + _LENGTH.pack(len(raw)) + raw


def decode_segment_head(data: bytes) -> tuple[SegmentHead, int]:
    """The head, and where the blocks begin. Raises DamagedError."""
    if data[: len(MAGIC)] != MAGIC or len(data) < len(MAGIC) + 4:
        raise DamagedError("this is no segment of a lake")
    (n_head,) = _LENGTH.unpack_from(data, len(MAGIC))
    start = len(MAGIC) + 4
    try:
        return msgspec.msgpack.decode(data[start : start + n_head], type=SegmentHead), start + n_head
    except msgspec.DecodeError:
        raise DamagedError("the head of the segment cannot be read") from None


def digest_of(before: bytes, data: bytes) -> bytes:
    """The digest after `data` (a head or a block); `before` is b"" at the head of a segment.

    Whoever has only the SHA-256 of a block can go on too: a proof need not show what nobody asked for.
    """
    return chained(before, hashlib.sha256(data).digest())


def chained(before: bytes, one: bytes) -> bytes:
    """The digest after what has the SHA-256 `one`."""
    return hashlib.sha256(before + one).digest()


def pack(chunks: Sequence[Chunk], table: WordTable) -> Packed:
    """Chunks -> a block and its filter. Leaves the GIL alone while it works."""
    data = b"".join(chunk.data for chunk in chunks)
    table.clear()
    for chunk in chunks:
        table.add(chunk.data, chunk.format)
    words = table.filter()
    counts = [n_records(chunk.data) for chunk in chunks]
    how = zstandard.ZstdCompressionParameters.from_level(
        LEVEL, source_size=len(data), window_log=WINDOW_LOG, write_checksum=True
    )
    body = zstandard.ZstdCompressor(compression_params=how).compress(data)
    head = BlockHead(
        pieces=merged(chunks, counts),
        n_records=sum(counts),
        n_raw_bytes=len(data),
        words=hashlib.sha256(words).hexdigest(),
    )
    raw = msgspec.msgpack.encode(head)
    return Packed(block=BLOCK_MAGIC + _LENGTHS.pack(len(raw), len(body)) + raw + body, head=head, words=words)


def n_records(data: bytes) -> int:
    """Lines, the last even without its end."""
    return count_line_feeds(data) + (bool(data) and not data.endswith(b"\n"))


def merged(chunks: Sequence[Chunk], counts: Sequence[int]) -> tuple[Piece, ...]:
    """The pieces of the chunks; those which follow one another in one file soon are one, as of the last reading.

    `counts`: the records of each.
    """
    pieces: list[Piece] = []
    follows, begun = 0, None
    for chunk, n in zip(chunks, counts, strict=True):
        last = pieces[-1] if pieces else None
        is_soon = begun is not None and chunk.read_at - begun <= MERGED_WITHIN
        is_next = last is not None and (last.path, last.format, follows) == (
            chunk.path,
            chunk.format,
            chunk.first_record,
        )
        if last is not None and is_soon and is_next:
            n_bytes = last.n_bytes + len(chunk.data)
            pieces[-1] = Piece(last.path, last.format, last.first_record, n_bytes, max(last.read_at, chunk.read_at))
        else:
            begun = chunk.read_at
            pieces.append(piece_of(chunk))
        follows = chunk.first_record + n if chunk.data.endswith(b"\n") else -1
    return tuple(pieces)


def piece_of(chunk: Chunk) -> Piece:
    """What is noted of its bytes."""
    return Piece(chunk.path, chunk.format, chunk.first_record, len(chunk.data), chunk.read_at)


def block_lengths(start: bytes) -> tuple[int, int, int]:
    """(length of the head, of the body, of the whole block), of a block's first 12 bytes. Raises DamagedError."""
    if len(start) < 12 or start[:4] != BLOCK_MAGIC:
        raise DamagedError("a block does not begin where one should")
    n_head, n_body = _LENGTHS.unpack_from(start, 4)
    if n_head > MAX_HEAD_BYTES or n_body > MAX_HEAD_BYTES:
        raise DamagedError("a block is longer than any that is written")
    return n_head, n_body, 12 + n_head + n_body


def decode_block_head(block: bytes) -> BlockHead:
    """Its head. Raises DamagedError."""
    n_head, _, _ = block_lengths(block)
    try:
        return msgspec.msgpack.decode(block[12 : 12 + n_head], type=BlockHead)
    except msgspec.DecodeError:
        raise DamagedError("the head of a block cannot be read") from None


def unpack(block: bytes) -> tuple[BlockHead, tuple[Chunk, ...]]:
    """The records of a block. Raises DamagedError."""
    head = decode_block_head(block)
    n_head, _, _ = block_lengths(block)
    try:
        data = zstandard.ZstdDecompressor().decompress(block[12 + n_head :], max_output_size=head.n_raw_bytes)
    except zstandard.ZstdError:
        raise DamagedError("the body of a block cannot be unpacked") from None
    if len(data) != head.n_raw_bytes or sum(piece.n_bytes for piece in head.pieces) != len(data):
        raise DamagedError("a block holds another length of records than its head says")
    return head, tuple(chunks_of(head.pieces, data))


def chunks_of(pieces: Sequence[Piece], data: bytes) -> Iterator[Chunk]:
    """The pieces with their bytes."""
    at = 0
    for piece in pieces:
        yield Chunk(
            path=piece.path,
            format=piece.format,
            first_record=piece.first_record,
            data=data[at : at + piece.n_bytes],
            read_at=piece.read_at,
        )
        at += piece.n_bytes


def entry_of(packed: Packed, *, offset: int, before: bytes) -> IndexEntry:
    """The index entry of a block that stands at `offset`, `before` being the digest before it."""
    reads = [piece.read_at for piece in packed.head.pieces]
    return IndexEntry(
        offset=offset,
        n_bytes=len(packed.block),
        before=before,
        n_records=packed.head.n_records,
        n_raw_bytes=packed.head.n_raw_bytes,
        first_at=min(reads),
        last_at=max(reads),
        formats=tuple(sorted({piece.format for piece in packed.head.pieces})),
    )


def encode_entry(entry: IndexEntry, words: bytes) -> bytes:
    """As the index keeps it."""
    raw = msgspec.msgpack.encode(entry)
    return _LENGTHS.pack(len(raw), len(words)) + raw + words


def entries_of(data: bytes | memoryview) -> Iterator[tuple[IndexEntry, memoryview, int]]:
    """(entry, filter, where the next begins) of each whole entry; what cannot be read ends it."""
    view, at = memoryview(data), 0
    decoder = msgspec.msgpack.Decoder(IndexEntry)
    while at + 8 <= len(view):
        n_entry, n_words = _LENGTHS.unpack_from(view, at)
        end = at + 8 + n_entry + n_words
        if end > len(view):
            return
        try:
            entry = decoder.decode(view[at + 8 : at + 8 + n_entry])
        except msgspec.DecodeError:
            return
        yield entry, view[at + 8 + n_entry : end], end
        at = end


def frame_head(chunk: Chunk) -> bytes:
    """What a tail has in front of the bytes of a chunk."""
    raw = msgspec.msgpack.encode(piece_of(chunk))
    return _LENGTH.pack(len(raw)) + raw


def frames_of(data: bytes) -> Iterator[tuple[Chunk, int]]:
    """(chunk, where it ends) of each whole frame."""
    at = 0
    while at + 4 <= len(data):
        (n_head,) = _LENGTH.unpack_from(data, at)
        try:
            piece = msgspec.msgpack.decode(data[at + 4 : at + 4 + n_head], type=Piece)
        except msgspec.DecodeError:
            return
        start = at + 4 + n_head
        at = start + piece.n_bytes
        if at > len(data):
            return
        yield (
            Chunk(
                path=piece.path,
                format=piece.format,
                first_record=piece.first_record,
                data=data[start:at],
                read_at=piece.read_at,
            ),
            at,
        )
