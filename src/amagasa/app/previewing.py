"""What would leave, before it leaves: the exact bytes, field by field, by which clause, and who must say yes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.field_previews import FieldPreview, fields_of
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Reading, Store
from amagasa.app.provenance import Source, known_of, learnt_of
from amagasa.app.sharing import in_force
from amagasa.app.views import Named
from amagasa.share.release import release
from amagasa.share.verdict import Release, Released, Wanting, Withheld
from amagasa.vocab.text import show

CONTENT_CHARACTERS: Final = 262_144
MAX_OBJECTS: Final = 500


class Preview(Struct, frozen=True, kw_only=True):
    """What would become of one object towards one ally. `outcome`: released, wanting or withheld."""

    ally: Named
    agreement: str
    outcome: str
    object_id: str
    object_type: str
    clause: str = ""
    marking: str = ""
    code: str = ""
    why: str = ""
    wants: tuple[str, ...] = ()
    n_wanted: int = 0
    fields: list[FieldPreview] = []
    content: str = ""


class PreviewAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what: an alert or an incident by its identifier, or STIX objects as they stand."""

    alert: str = ""
    incident: str = ""
    objects: tuple[dict[str, Any], ...] = ()


def preview_objects(  # noqa: PLR0913 - who asks of what, by which terms, and what we know
    store: Store,
    actor: Actor,
    objects: Sequence[Mapping[str, Any]],
    *,
    book: AgreementBook,
    now: datetime,
    secret: bytes,
    sources: Sequence[Source] = (),
) -> list[Preview]:
    """Each object before each agreement in force. Nothing is kept."""
    require(actor, Act.READ)
    with store.read() as reading:
        return list(_previews(reading, objects[:MAX_OBJECTS], sources, book=book, now=now, secret=secret))


def _previews(
    reading: Reading,
    objects: Sequence[Mapping[str, Any]],
    sources: Sequence[Source],
    *,
    book: AgreementBook,
    now: datetime,
    secret: bytes,
) -> Iterator[Preview]:
    learnt = learnt_of(reading, sources, book)
    for bond in in_force(book, now):
        us = bond.agreement.ally_of(bond.ally.id).id
        ally = Named(id=bond.ally.id, name=show(bond.ally.name, 80))
        known = msgspec.structs.replace(known_of(reading, objects, bond, us=us), learnt=learnt)
        for obj in objects:
            verdict = release(obj, bond.ally, bond.agreement, now=now, secret=secret, known=known)
            if isinstance(verdict, Withheld) and verdict.object_id:
                known = msgspec.structs.replace(known, withheld=known.withheld | {verdict.object_id})
            yield _preview(verdict, ally, bond.agreement.id)


def _preview(verdict: Release, ally: Named, agreement: str) -> Preview:
    match verdict:
        case Withheld():
            return Preview(
                ally=ally,
                agreement=agreement,
                outcome="withheld",
                object_id=verdict.object_id,
                object_type=verdict.object_type,
                code=verdict.code,
                why=verdict.why,
            )
        case Wanting():
            told = _preview(verdict.released, ally, agreement)
            roles = tuple(show(role) for role in verdict.roles)
            return msgspec.structs.replace(told, outcome="wanting", wants=roles, n_wanted=verdict.n_persons)
        case Released():
            changes = [(change.path, change.what) for change in verdict.changes]
            return Preview(
                ally=ally,
                agreement=agreement,
                outcome="released",
                object_id=show(verdict.object_id),
                object_type=show(verdict.object_type),
                clause=verdict.clause,
                marking=verdict.marking.word,
                fields=fields_of(verdict.content, changes),
                content=show(verdict.content, CONTENT_CHARACTERS),
            )
