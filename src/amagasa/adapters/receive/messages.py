"""The records in a message of a broker."""

import json
from typing import Final

from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.syslog_frames import as_line

_OPENING: Final = (b"{", b"[")


def records_of(data: bytes) -> list[bytes]:
    """One record, or one a line; a JSON object or array that was written over several lines is one line again.

    An empty message (a tombstone, say) holds none. A line is cut behind the first `MAX_LINE_BYTES` and one byte, by
    which the reader sees that it was too long, and keeps it with its reason.
    """
    if b"\n" in data.rstrip() and data.lstrip().startswith(_OPENING) and _is_one(data):
        data = data.strip().replace(b"\r", b" ").replace(b"\n", b" ")
    return [line[: MAX_LINE_BYTES + 1] for part in data.split(b"\n") if (line := as_line(part))]


def _is_one(data: bytes) -> bool:
    """Whether it is one JSON value: in JSON a line feed stands between two words of it, and nowhere else."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
