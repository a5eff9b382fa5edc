"""Whom a detection is about: the attacker where the record names one, else the victim, else the log itself."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.vocab.text import show

SHOWN_SUBJECT: Final = 80


class Subject(Struct, frozen=True, kw_only=True):
    """`kind` is `source-address`, `account` (host and user), `host`, `path` or `group`; `parts` are its values."""

    kind: str
    parts: tuple[str, ...]

    @property
    def shown(self) -> str:
        """For a title: escaped, cut, in no language."""
        return show(", ".join(self.parts), SHOWN_SUBJECT)


def subject_of(detection: Detection, source: str) -> Subject:
    """The first that the record names of: source address; host and user; host; path.

    Of several of one kind the first in the order of `entities`, which is the same for the same record. The path
    counts together with its source, because two machines may both call their log `/var/log/auth.log`. What a
    correlation found is about its group, where that names no address; its host is only that of one record.
    """
    address = first_of(detection.entities, EntityKind.SOURCE_ADDRESS)
    if address is not None:
        return Subject(kind="source-address", parts=(address,))
    if detection.together is not None:
        return Subject(kind="group", parts=tuple(value.casefold() for _, value in detection.together.group))
    host = first_of(detection.entities, EntityKind.HOST)
    user = first_of(detection.entities, EntityKind.USER)
    if host is not None and user is not None:
        return Subject(kind="account", parts=(host, user))
    if host is not None:
        return Subject(kind="host", parts=(host,))
    return Subject(kind="path", parts=(source, detection.path))


def first_of(entities: Iterable[Entity], kind: EntityKind) -> str | None:
    """The value of the first entity of this kind."""
    return next((entity.value for entity in entities if entity.kind is kind), None)
