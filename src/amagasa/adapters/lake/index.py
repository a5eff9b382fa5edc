"""The index of a segment, read, and made again where it lacks something."""

import os
from collections.abc import Iterator
from pathlib import Path

from amagasa.adapters.lake import blocks
from amagasa.adapters.lake.blocks import DamagedError, IndexEntry, Packed
from amagasa.event.words import WordTable


def records_kept(path: Path, n_bytes: int) -> bytes:
    """The first `n_bytes` of a file; fewer where it is shorter. Raises OSError."""
    with path.open("rb") as file:
        return file.read(n_bytes)


def blocks_of(path: Path, n_bytes: int | None = None) -> Iterator[tuple[int, bytes, bytes]]:
    """(offset, digest before, bytes) of each block of a segment up to `n_bytes`. Raises OSError and DamagedError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = size if n_bytes is None else n_bytes
        if size < end:
            raise DamagedError("the segment is shorter than what was committed")
        start = file.read(min(65_536, end))
        _, offset = blocks.decode_segment_head(start)
        digest = blocks.digest_of(b"", start[:offset])
        while offset < end:
            file.seek(offset)
            first = file.read(12)
            _, _, length = blocks.block_lengths(first)
            block = first + file.read(length - 12)
            if len(block) != length or offset + length > end:
                raise DamagedError("the last block is cut short")
            yield offset, digest, block
            digest = blocks.digest_of(digest, block)
            offset += length


def mend_index(folder: Path, number: int, n_bytes: int) -> list[IndexEntry]:
    """The entries of the blocks before `n_bytes`, after the index was cut to them, or made again where it lacks some.

    Raises OSError. A damaged segment leaves the index of what is before the damage.
    """
    path = folder / blocks.index_name(number)
    data = path.read_bytes() if path.exists() else b""
    entries: list[IndexEntry] = []
    end, covered = 0, 0
    for entry, _, at in blocks.entries_of(data):
        if entry.offset + entry.n_bytes > n_bytes or (entries and entry.offset != covered):
            break
        entries.append(entry)
        end, covered = at, entry.offset + entry.n_bytes
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(end)
    if covered == n_bytes:
        return entries
    table = WordTable()
    with path.open("ab") as file:
        try:
            for offset, before, block in blocks_of(folder / blocks.segment_name(number), n_bytes):
                if offset >= covered:
                    entry, words = made_again(offset, before, block, table)
                    file.write(blocks.encode_entry(entry, words))
                    entries.append(entry)
        except DamagedError:
            return entries
    return entries


def made_again(offset: int, before: bytes, block: bytes, table: WordTable) -> tuple[IndexEntry, bytes]:
    """The entry and the filter of a block. Raises DamagedError."""
    head, chunks = blocks.unpack(block)
    table.clear()
    for chunk in chunks:
        table.add(chunk.data, chunk.format)
    words = table.filter()
    return blocks.entry_of(Packed(block=block, head=head, words=words), offset=offset, before=before), words
