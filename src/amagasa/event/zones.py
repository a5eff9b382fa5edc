"""Zones of time by name: `Asia/Tokyo`, `+09:00`, or UTC."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from amagasa.event.record import Chunk

_OFFSET: Final = re.compile(r"[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]")
_NAME_CHARACTERS: Final = 64


def zone_of(name: str) -> tzinfo | None:
    """The zone; UTC for "", None where this machine knows none of the name."""
    if name in {"", "UTC", "Z"}:
        return UTC
    if _OFFSET.fullmatch(name):
        span = timedelta(hours=int(name[1:3]), minutes=int(name[-2:]))
        return timezone(-span if name[0] == "-" else span)
    try:
        return ZoneInfo(name) if len(name) <= _NAME_CHARACTERS else None
    except (ValueError, OSError, LookupError):
        return None


def in_zone(chunk: Chunk, zone: tzinfo) -> Chunk:
    """The chunk, read at the same instant by a clock of the zone: stamps without an offset are in it."""
    return chunk if zone is UTC else replace(chunk, read_at=chunk.read_at.astimezone(zone))
