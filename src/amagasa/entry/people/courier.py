"""The API's courier: parts to carry to an ally, and parts which came from one."""

import base64
import binascii
from typing import Annotated, Final

from litestar import post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody
from msgspec import Meta, Struct

from amagasa.app.courier import CourierDesk
from amagasa.app.permissions import Act, require
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.share.courier import MAX_PART_BYTES, MAX_PARTS
from amagasa.vocab.errors import BadInputError

BODY_BYTES: Final = MAX_PART_BYTES * 4 // 3 + 1_000


class ToWrite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part is wanted: the first of a new courier where `courier` is "", else the one behind `after`."""

    ally: str
    courier: Annotated[str, Meta(pattern="^([0-9a-f-]{36})?$")] = ""
    part: Annotated[int, Meta(ge=1, le=MAX_PARTS)] = 1
    after: Annotated[int, Meta(ge=0, le=2**62)] = 0


class PartWritten(Struct, frozen=True, kw_only=True):
    """A part in base64, "" where nothing waits; `after` is what to ask for next."""

    courier: str
    part: int
    after: int
    n_objects: int
    is_last: bool
    content: str


class ToRead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part that came, in base64."""

    content: str


class Refused(Struct, frozen=True, kw_only=True):
    """An object that was not taken, and why."""

    object_id: str
    why: str


class PartRead(Struct, frozen=True, kw_only=True):
    """What it brought (`app.courier.ReadPart`); `answer` is a part for the sender, in base64."""

    ally: str
    courier: str
    part: int
    is_last: bool
    n_objects: int
    n_new: int
    n_settled: int
    refused: list[Refused]
    missing: list[int]
    answer: str


@post("/api/courier/parts", status_code=200, tags=["share"])
@threaded
def write_part(request: Asked, data: JSONBody[ToWrite]) -> PartWritten:
    """The next part of what waits for an ally, signed and encrypted to it."""
    made = _desk(request).write(
        actor_of(request),
        data.ally,
        courier=data.courier,
        part=data.part,
        after=data.after,
        now=console_of(request).now(),
    )
    return PartWritten(
        courier=made.courier,
        part=made.part,
        after=made.after,
        n_objects=made.n_objects,
        is_last=made.is_last,
        content=base64.b64encode(made.content).decode(),
    )


class Kind(Struct, frozen=True, kw_only=True):
    """So many objects of a type."""

    type: str
    n: int


class PartLooked(Struct, frozen=True, kw_only=True):
    """What a part would bring (`app.courier.Looked`)."""

    ally: str
    agreement: str
    courier: str
    part: int
    is_last: bool
    made_at: str
    kinds: list[Kind]
    n_admitted: int
    n_new: int
    n_fates: int
    refused: list[Refused]
    is_known: bool


@post("/api/courier/look", status_code=200, tags=["share"], request_max_body_size=BODY_BYTES)
@threaded
def look_at_part(request: Asked, data: JSONBody[ToRead]) -> PartLooked:
    """What a part would bring, judged as it would be when it is read; nothing is kept."""
    desk = _desk(request)
    found = desk.look(actor_of(request), _bytes_of(data), now=console_of(request).now())
    return PartLooked(
        ally=found.ally,
        agreement=found.agreement,
        courier=found.courier,
        part=found.part,
        is_last=found.is_last,
        made_at=found.made_at,
        kinds=[Kind(type=kind, n=n) for kind, n in found.kinds],
        n_admitted=found.n_admitted,
        n_new=found.n_new,
        n_fates=found.n_fates,
        refused=[Refused(object_id=object_id, why=why) for object_id, why in found.refused],
        is_known=found.is_known,
    )


@post("/api/courier/read", status_code=200, tags=["share"], request_max_body_size=BODY_BYTES)
@threaded
def read_part(request: Asked, data: JSONBody[ToRead]) -> PartRead:
    """Take in a part which came from an ally, as if it had come over the line."""
    desk = _desk(request)
    done = desk.read(actor_of(request), _bytes_of(data), now=console_of(request).now())
    return PartRead(
        ally=done.ally,
        courier=done.courier,
        part=done.part,
        is_last=done.is_last,
        n_objects=done.n_objects,
        n_new=done.n_new,
        n_settled=done.n_settled,
        refused=[Refused(object_id=object_id, why=why) for object_id, why in done.refused],
        missing=list(done.missing),
        answer=base64.b64encode(done.answer).decode(),
    )


HANDLERS: tuple[BaseRouteHandler, ...] = (write_part, look_at_part, read_part)


def _bytes_of(data: ToRead) -> bytes:
    try:
        return base64.b64decode(data.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInputError(
            "AMG-COURIER-FORM", "this is not base64", got=str(error), then="nothing was read"
        ) from error


def _desk(request: Asked) -> CourierDesk:
    require(actor_of(request), Act.RELEASE)
    found = console_of(request).deps.courier
    if found is None:
        raise BadInputError("AMG-COURIER-NONE", "this door has no courier", then="nothing was written or read")
    return found
