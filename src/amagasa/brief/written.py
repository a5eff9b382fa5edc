"""What comes of an export: the text, and what had no place in it. Nothing is dropped unsaid."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.intel.marking import marking_of
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp, strictest

_NO_TAGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


class About(Struct, frozen=True, kw_only=True):
    """What an export is about: its title, who writes it, when, and what an unmarked object counts as.

    `tags` are further tags of single objects, by identifier: the terms under which they left.
    """

    title: str
    author_id: str
    author: str
    at: datetime
    least: Tlp
    tags: Mapping[str, tuple[str, ...]] = _NO_TAGS


class LeftOut(Struct, frozen=True, kw_only=True):
    """An object that the export does not hold, and why in one sentence."""

    object_id: str
    object_type: str
    why: str


class Written(Struct, frozen=True, kw_only=True):
    """An export. Every object is written, or left out with its reason, or explains others (`n_beside`)."""

    text: str
    media_type: str
    suffix: str
    marking: Tlp
    n_written: int
    left_out: tuple[LeftOut, ...] = ()
    n_beside: int = 0


def left_out(obj: Mapping[str, Any], why: str) -> LeftOut:
    """This object, with the reason."""
    return LeftOut(object_id=show(str(obj.get("id", ""))), object_type=show(str(obj.get("type", ""))), why=why)


def marking_of_all(objects: Iterable[Mapping[str, Any]], least: Tlp) -> Tlp:
    """The strictest on any of them; never below `least`, which is what an unmarked object counts as."""
    return max(least, strictest([marking_of(obj) or least for obj in objects]) or least)


def document(value: Any) -> str:
    """JSON for people and programs: indented, with a line's end behind it."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n"
