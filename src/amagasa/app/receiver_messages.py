"""What the main process and the receiver say to each other: values, in MessagePack, one frame each."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from amagasa.app.spool_ports import Tally


class Transport(StrEnum):
    """How records come to a receiver."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class ReceiverSpec(Struct, frozen=True, kw_only=True):
    """A port to listen on, or a stream or `topics` of a broker (where there are `servers`), and the spool behind it.

    `senders` are addresses and networks (empty: whoever reaches the port). `clients` is a file of certificates by which
    senders must prove themselves over TLS; "" for none. `is_http` with its `token_hash`, else syslog. `secret` is
    a file too, as are `authorities`, `certificate` and `key`; `mark` is that of the last frame which was committed.
    `least`: see `adapters.source.spool`. `is_late`: only what comes from now on.
    """

    name: str
    is_http: bool
    transport: Transport
    host: str
    port: int
    senders: tuple[str, ...] = ()
    clients: str = ""
    token_hash: str = ""
    folder: str
    quota_bytes: int
    least: int = 0
    servers: tuple[str, ...] = ()
    stream: str = ""
    subject: str = ""
    topics: tuple[str, ...] = ()
    group: str = ""
    sasl: str = ""
    secret: str = ""
    authorities: str = ""
    certificate: str = ""
    key: str = ""
    is_late: bool = False
    mark: str = ""


class Receive(Struct, frozen=True, kw_only=True):
    """The one message to the receiver: listen on all of these until the pipe ends."""

    specs: tuple[ReceiverSpec, ...]
    certificate: str
    key: str


class Listening(Struct, frozen=True, kw_only=True, tag=True):
    """A port is open."""

    source: str
    port: int


class Received(Struct, frozen=True, kw_only=True, tag=True):
    """How a receiver stands: once where it changes, else every few seconds. `fault` "" where all is well."""

    source: str
    fault: str
    tally: Tally


FromReceiver = Listening | Received

_from_receiver: msgspec.msgpack.Decoder[FromReceiver] = msgspec.msgpack.Decoder(FromReceiver)
_receive: msgspec.msgpack.Decoder[Receive] = msgspec.msgpack.Decoder(Receive)


def read_from_receiver(frame: bytes) -> FromReceiver:
    """Raises msgspec.ValidationError: our own processes made a mistake."""
    return _from_receiver.decode(frame)


def read_receive(frame: bytes) -> Receive:
    """Raises as `read_from_receiver`."""
    return _receive.decode(frame)
