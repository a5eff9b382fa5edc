"""One message of an industrial protocol, in the same words for every protocol."""

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct


class Kind(StrEnum):
    """What a message is in its conversation."""

    REQUEST = "request"
    RESPONSE = "response"
    UNSOLICITED = "unsolicited"  # an outstation speaks without being asked
    PUBLISH = "publish"  # to whoever listens: GOOSE, synchrophasors
    LINK = "link"  # keeps the connection: no user data
    UNTOLD = "untold"  # and left out of the line


class Operation(StrEnum):
    """What a request would do to the process or to the device, whatever the protocol calls it."""

    READ = "read"
    WRITE = "write"
    SELECT = "select"
    OPERATE = "operate"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    PROGRAM = "program"  # logic or firmware goes into the device
    UPLOAD = "upload"  # logic comes out of it
    FILE = "file"
    CLOCK = "clock"
    CONFIGURE = "configure"
    IDENTIFY = "identify"
    DIAGNOSE = "diagnose"
    SILENCE = "silence"  # the device is told to say less, or nothing
    ACCESS = "access"  # sessions, passwords, locks
    LINK = "link"
    OTHER = "other"


# What changes a process or a device: who may do it is the first thing that a baseline learns.
CHANGING: Final = frozenset(
    {
        Operation.WRITE,
        Operation.SELECT,
        Operation.OPERATE,
        Operation.START,
        Operation.STOP,
        Operation.RESTART,
        Operation.PROGRAM,
        Operation.FILE,
        Operation.CLOCK,
        Operation.CONFIGURE,
        Operation.SILENCE,
    }
)

MALFORMED: Final = "malformed"
MIDWAY: Final = "midway"
WITHOUT_SELECT: Final = "without_select"
REPLAYED: Final = "replayed"
STALE: Final = "stale_time"


class Message(Struct, kw_only=True, omit_defaults=True):
    """A message, as the JSON line of a record has it; what it does not say is left out.

    `function` and `function_name` stand in what acts (requests, unsolicited messages, publications); a response
    names what it answers in `response_to`. `address` is the first of `count` in `object`; `status` is 0 or an error
    of the protocol's own. `notes` are words of this module: `midway` (the start of the connection was not seen),
    `malformed`, `without_select`, `replayed`, `stale_time`. `master` asks, `outstation` answers, whoever sent this.
    """

    ot: str
    timestamp: str = ""
    packet: int = 0
    src_ip: str = ""
    src_port: int = 0
    dst_ip: str = ""
    dst_port: int = 0
    kind: Kind = Kind.UNTOLD
    master: str = ""
    outstation: str = ""
    unit: int | None = None
    function: int | None = None
    function_name: str = ""
    operation: str = ""
    response_to: int | None = None
    subfunction: int | str | None = None
    object: str = ""
    objects: list[str] = []
    address: int | None = None
    count: int | None = None
    value: int | float | str | None = None
    cause: int | None = None
    status: int | None = None
    sequence: int | None = None
    detail: str = ""
    notes: list[str] = []


def message_between(base: Message, protocol: str, *, is_request: bool) -> Message:
    """A message of this protocol in the packet of `base`, from who asks or who answers; the rest is to be filled in."""
    return Message(
        ot=protocol,
        timestamp=base.timestamp,
        packet=base.packet,
        src_ip=base.src_ip,
        src_port=base.src_port,
        dst_ip=base.dst_ip,
        dst_port=base.dst_port,
        kind=Kind.REQUEST if is_request else Kind.RESPONSE,
        master=base.src_ip if is_request else base.dst_ip,
        outstation=base.dst_ip if is_request else base.src_ip,
        notes=list(base.notes),
    )


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Message)


def line_of(message: Message) -> bytes:
    """The message as one line of JSON, without a line end."""
    return _ENCODER.encode(message)


def message_of(line: bytes) -> Message | None:
    """The message of such a line; None where the line is none."""
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
