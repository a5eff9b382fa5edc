"""What must hold between the settings of a source, beyond the form of each."""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Final

from amagasa.app.receiver_messages import Transport
from amagasa.app.worker_messages import SourceKind
from amagasa.entry.settings.source import SourceSettings
from amagasa.event.zones import zone_of
from amagasa.vocab.errors import BadInputError

_SERVER: Final = re.compile(
    r"(?P<scheme>[a-z]+)://(?:[A-Za-z0-9._-]{1,255}|\[[0-9a-fA-F:.]{2,45}\])(?P<port>:[0-9]{1,5})?"
)
_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_PORTS: Final = {"nats": 4222, "kafka": 9092}
Place = Callable[[str], str]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a door on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_source(source: SourceSettings, place: Place, *, then: str) -> None:
    """Raise BadInputError (AMG-SETTINGS-VALUE, -EXPOSED) where the settings do not go together.

    `place(key)` says where a setting stands.
    """

    def refuse(key: str, expected: str, got: str) -> None:
        raise BadInputError(
            "AMG-SETTINGS-VALUE",
            f"source.{key} cannot be that ({place(key)})",
            expected=expected,
            got=got or "nothing",
            then=then,
        )

    for key, expected, got in _unfit_anywhere(source):
        refuse(key, expected, got)
    if source.kind is SourceKind.CAPTURE or not source.kind.is_received:
        return
    for key, expected, got in _misfits(source) if source.kind.is_listening else _unfit_broker(source):
        refuse(key, expected, got)
    if source.kind.is_listening:
        _check_exposed(source, place, then=then)


def _unfit_anywhere(source: SourceSettings) -> Iterator[tuple[str, str, str]]:
    """(key, what is expected there, what stands there) of what is wrong whichever way its records come."""
    for key, path in (("path", source.path), ("clients", source.clients)):
        if "\0" in path:
            yield key, "a path without NUL", path
    if zone_of(source.zone) is None:
        yield "zone", 'UTC, an offset such as "+09:00", or a name this machine knows: "Asia/Tokyo"', source.zone
    if source.kind is SourceKind.CAPTURE:
        if not source.interface or source.interface.startswith("-"):
            yield "interface", "the name of a network interface", source.interface
    elif not source.kind.is_received and not source.path:
        yield "path", "a path", ""


def _misfits(source: SourceSettings) -> Iterator[tuple[str, str, str]]:
    """(key, what is expected there, what stands there) of what cannot be."""
    for one in source.senders:
        if not _is_network(one):
            yield "senders", "addresses and networks such as 198.51.100.0/24", one
    if source.clients and source.transport is not Transport.TLS:
        yield "clients", 'nothing, or transport = "tls"', source.clients
    if source.kind is SourceKind.HTTP and source.transport is Transport.UDP:
        yield "transport", '"tcp" or "tls" for http', source.transport
    if source.kind is SourceKind.HTTP and not source.token_sha256:
        yield "token_sha256", "the SHA-256 of a token, as `amagasa source add --kind http` makes it", ""


def _unfit_broker(source: SourceSettings) -> Iterator[tuple[str, str, str]]:
    scheme = source.kind.value
    if not source.servers:
        yield "servers", f"addresses of the broker such as {scheme}://192.0.2.7:{_PORTS[scheme]}", ""
    for one in source.servers:
        found = _SERVER.fullmatch(one)
        if found is None or found["scheme"] not in {scheme, "tls"}:
            yield "servers", f"{scheme}://host:port or tls://host:port; a password stands in secret_file", one
    if source.kind is SourceKind.KAFKA:
        yield from _unfit_kafka(source)
    elif not source.stream:
        yield "stream", "the name of a stream", ""


def _unfit_kafka(source: SourceSettings) -> Iterator[tuple[str, str, str]]:
    if not source.topics:
        yield "topics", "the names of topics", ""
    for one in source.topics:
        if not _TOPIC.fullmatch(one):
            yield "topics", "names of topics: letters, digits, . _ - (no patterns)", one
    if not source.group:
        yield "group", "the name of a consumer group of this source alone, such as amagasa-NODE-SOURCE", ""
    if any(not (_SERVER.fullmatch(one) or {"port": "?"})["port"] for one in source.servers):
        yield "servers", "addresses with their ports", ", ".join(source.servers)
    yield from _unproved(source, n_secure=sum(one.startswith("tls://") for one in source.servers))


def _unproved(source: SourceSettings, *, n_secure: int) -> Iterator[tuple[str, str, str]]:
    """What does not go together of how broker and source prove to each other who they are."""
    if n_secure not in {0, len(source.servers)}:
        yield "servers", "all of them over TLS (tls://), or none", ", ".join(source.servers)
    if bool(source.sasl) != bool(source.secret_file):
        yield "sasl", "sasl and secret_file together, or neither", source.sasl
    if source.sasl == "PLAIN" and not n_secure:
        yield "sasl", "SCRAM-SHA-512 or SCRAM-SHA-256 without TLS: PLAIN sends the password as it is", source.sasl
    for key, path in (("ca_file", source.ca_file), ("cert_file", source.cert_file), ("key_file", source.key_file)):
        if path and not n_secure:
            yield key, "nothing, or servers over TLS (tls://)", path
    if bool(source.cert_file) != bool(source.key_file):
        yield "cert_file", "cert_file and key_file together, or neither", source.cert_file


def _check_exposed(source: SourceSettings, place: Place, *, then: str) -> None:
    if is_loopback(source.host):
        return
    expected = ""
    if not (source.senders or source.clients):
        expected = "senders = [...] (who may send), or clients with tls, or a loopback address such as 127.0.0.1"
    elif source.kind is SourceKind.HTTP and source.transport is not Transport.TLS:
        expected = 'transport = "tls", or a loopback address such as 127.0.0.1'
    if expected:
        raise BadInputError(
            "AMG-SETTINGS-EXPOSED",
            f"the source {source.name} would be open to the network ({place('host')})",
            expected=expected,
            got=source.host,
            then=then,
        )


def check_ports(sources: Sequence[SourceSettings], place: Callable[[int], str], *, then: str) -> None:
    """Raise BadInputError (AMG-SETTINGS-PORT) where two sources would listen on one port."""
    held: dict[tuple[str, bool, int], str] = {}
    for number, source in enumerate(sources):
        if not (source.kind.is_listening and source.enabled):
            continue
        key = (source.host, source.transport is Transport.UDP, source.at_port)
        other = held.setdefault(key, source.name)
        if other != source.name:
            raise BadInputError(
                "AMG-SETTINGS-PORT",
                f"two sources would listen on one port ({place(number)})",
                expected="another port for each",
                got=f"{other} and {source.name}: port {source.at_port}",
                then=then,
            )


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
