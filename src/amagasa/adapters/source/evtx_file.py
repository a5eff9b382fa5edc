"""Windows event log files (EVTX) -> one JSON object a line, as the `evtx` package writes it (`Event.System...`).

A damaged record is a reject, a damaged chunk or a file cut short is a fault; all that can be read around them is.
"""

import struct
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Final

from evtx import PyEvtxParser

from amagasa.adapters.source.lines import CHUNK_BYTES, Item
from amagasa.adapters.source.stream import DAMAGED
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.vocab.text import show

MAGIC: Final = b"ElfFile\x00"
_NOT_READ: Final = "AMG-EVENT-013"
_HEADER_BYTES: Final = 4_096
_EVTX_CHUNK_BYTES: Final = 65_536
_MAX_FAULTS: Final = 1_000


def records_of(path: str, file: IO[bytes], n_bytes: int, read_at: datetime) -> Iterator[Item]:
    """Chunks of all records in `file`, which must be seekable and `n_bytes` long, rejects and faults between them."""
    if (cut := _cut(path, file, n_bytes)) is not None:
        yield cut
    lines: list[str] = []
    record = 1
    n_held = 0
    for found in _read(file):
        if isinstance(found, str):
            lines.append(found)
            n_held += len(found)
            if n_held < CHUNK_BYTES:
                continue
        if lines:
            yield _chunk(path, lines, record, read_at)
            record += len(lines)
            lines, n_held = [], 0
        if isinstance(found, _Damage):
            yield found.shown(path, record)
            record += found.is_record
    if lines:
        yield _chunk(path, lines, record, read_at)


class _Damage:
    def __init__(self, why: str) -> None:
        self.why = why
        self.is_record = why.startswith("Failed to parse record")

    def shown(self, path: str, record: int) -> Reject | SourceFault:
        if self.is_record:
            why = f"the event log holds a damaged record; got {show(self.why)}; the others were read"
            return Reject(path=path, record=record, why=why, code=_NOT_READ)
        why = f"part of the event log is damaged; got {show(self.why)}; the rest was read"
        return SourceFault(path=path, why=why, code=DAMAGED)


def _read(file: IO[bytes]) -> Iterator[str | _Damage]:
    file.seek(0)
    try:
        records = PyEvtxParser(file, number_of_threads=1, indent=False).records_json()
    except (RuntimeError, OSError, ValueError) as error:
        yield _Damage(str(error))
        return
    n_faults = 0
    while n_faults < _MAX_FAULTS:
        try:
            record = next(records)
        except StopIteration:
            return
        except (RuntimeError, OSError, ValueError) as error:
            n_faults += 1
            yield _Damage(str(error))
        else:
            if record is not None:
                yield record["data"]
    yield _Damage(f"more than {_MAX_FAULTS} damaged places; reading was given up")


def _cut(path: str, file: IO[bytes], n_bytes: int) -> SourceFault | None:
    """The reader itself stops silently where a file ends too early, so the header's count of chunks is compared."""
    file.seek(0)
    header = file.read(64)
    if len(header) == 64:
        (n_chunks,) = struct.unpack_from("<H", header, 42)
        if n_bytes >= _HEADER_BYTES + n_chunks * _EVTX_CHUNK_BYTES:
            return None
    why = "the event log ends too early; what is there was read, the rest is missing"
    return SourceFault(path=path, why=why, code=DAMAGED)


def _chunk(path: str, lines: list[str], record: int, read_at: datetime) -> Chunk:
    data = ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
    return Chunk(path=path, format=Format.WINDOWS, first_record=record, data=data, read_at=read_at)
