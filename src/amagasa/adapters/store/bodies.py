"""Values to bytes and back: msgpack, or ASCII JSON where msgpack cannot hold what an attacker wrote."""

import json
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from amagasa.app.ports import Account, ContentItem, Crossing, Dead, Position, Session, StoredObject
from amagasa.detect.correlation.windows import Group
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.case import Deed
from amagasa.vocab.errors import BadInputError, WorldError

# One value; a log line is cut to 4 kB long before, an ally's body to its own limit: only a mistake is larger.
MAX_BODY_BYTES: Final = 64 * 1024 * 1024

_S = TypeVar("_S", bound=Struct)
_ENCODER: Final = msgspec.msgpack.Encoder()


class Body(Generic[_S]):
    """Both ways for one struct.

    A field added to a struct needs a default, or bodies written before it can no longer be read.
    """

    def __init__(self, struct: type[_S]) -> None:
        self._struct = struct
        self._decoder = msgspec.msgpack.Decoder(struct)

    def pack(self, value: _S) -> bytes:
        """The bytes. Raises BadInputError (AMG-STORE-VALUE) for a value too large or nested too deep."""
        try:
            body = _ENCODER.encode(value)
        except (UnicodeEncodeError, OverflowError):
            # Lone surrogates, and integers beyond 64 bits: JSON escapes the ones and has no limit for the others.
            body = _json_of(value)
        except (RecursionError, ValueError) as error:
            raise _refused(self._struct.__name__, str(error)) from error
        if len(body) > MAX_BODY_BYTES:
            raise _refused(self._struct.__name__, f"{len(body)} bytes")
        return body

    def unpack(self, body: bytes) -> _S:
        """The value. Raises WorldError (AMG-STORE-BODY) where the bytes hold none."""
        try:
            if body[:1] == b"{":
                return msgspec.convert(json.loads(body), self._struct)
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise WorldError(
                "AMG-STORE-BODY",
                f"a stored {self._struct.__name__.lower()} cannot be read",
                got=str(error),
                then="restore the newest backup of the node's folder",
            ) from error


def _json_of(value: Struct) -> bytes:
    # Starts with "{", which no msgpack map does. enc_hook is never asked: all values are builtins already.
    builtins: Any = msgspec.to_builtins(value)
    try:
        return json.dumps(builtins, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    except (RecursionError, ValueError) as error:
        raise _refused(type(value).__name__, str(error)) from error


def _refused(what: str, got: str) -> BadInputError:
    return BadInputError(
        "AMG-STORE-VALUE",
        f"one {what.lower()} cannot be stored",
        expected=f"at most {MAX_BODY_BYTES} bytes, and nesting that a person could follow",
        got=got,
        then="nothing of this transaction was kept",
    )


POSITION: Final = Body(Position)
DEAD: Final = Body(Dead)
ALERT: Final = Body(Alert)
INCIDENT: Final = Body(Incident)
CROSSING: Final = Body(Crossing)
OBJECT: Final = Body(StoredObject)
CONTENT: Final = Body(ContentItem)
ACCOUNT: Final = Body(Account)
SESSION: Final = Body(Session)
GROUP: Final = Body(Group)
DEED: Final = Body(Deed)
