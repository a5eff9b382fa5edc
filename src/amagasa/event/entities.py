r"""Event -> entities: which fields name an address, a host, a user, a process, a file, a hash, a domain or a URL.

Names are compared without case, over Sigma's names for Windows, Linux, web and proxy logs, Suricata, Zeek, ECS, and
the usual cloud audit logs. Left out on purpose, because they would tie unrelated alerts together: loopback,
unspecified, multicast and link-local addresses; accounts that every machine has (`NT AUTHORITY\SYSTEM`, `LOCAL
SERVICE`, bare `root` and `administrator`) and machine accounts (`HOST$`, named by the host already); import hashes
and the hashes of nothing; `cs-host` and relative URLs, which name the attacked site itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from amagasa.event.entity import Entity, EntityKind
from amagasa.event.record import Value

# A longer value is no name of anything; it is left out rather than cut, because a cut value would name another thing.
MAX_VALUE_CHARACTERS: Final = 2_048
# Of one event: bounds what a record with thousands of list items costs further on. The first in sorted order stay.
MAX_ENTITIES: Final = 64

_FIELDS: Final[dict[EntityKind, str]] = {
    EntityKind.SOURCE_ADDRESS: """
        c-ip src_ip SourceIp SourceAddress SrcIp IpAddress ClientAddress ClientIP ClientIPAddress sourceIPAddress
        callerIpAddress CallerIPAddress ipAddr RemoteIP client.ipAddress source.ip client.ip id.orig_h id_orig_h
        sourceIPs remote_addr rhost src srcip http.xff""",
    EntityKind.DESTINATION_ADDRESS: """
        dst_ip dest_ip s-ip DestinationIp DestinationAddress DestAddress DestIp destination.ip server.ip id.resp_h
        id_resp_h dst dstip""",
    EntityKind.HOST: """
        Computer ComputerName MachineName Hostname host.name winlog.computer_name agent.hostname DeviceName
        WorkstationName Workstation host.hostname @system""",
    EntityKind.USER: """
        User UserName TargetUserName SubjectUserName SourceUser TargetUser ParentUser cs-username user.name
        user_name UserPrincipalName UserId userIdentity.userName userIdentity.arn actor.alternateId user.username
        Username initiatedBy.user.userPrincipalName properties.userPrincipalName AccountName target_user""",
    EntityKind.PROCESS: """
        Image SourceImage TargetImage NewProcessName ProcessName CallerProcessName exe process.executable
        Application""",
    EntityKind.FILE: """
        TargetFilename ImageLoaded file.path fileinfo.filename RelativeTargetName""",
    EntityKind.HASH: """
        Hashes Hash md5 sha1 sha256 file.hash.md5 file.hash.sha1 file.hash.sha256 process.hash.md5
        process.hash.sha1 process.hash.sha256 fileinfo.md5 fileinfo.sha1 fileinfo.sha256""",
    EntityKind.DOMAIN: """
        QueryName query dns.rrname dns.query.rrname dns.question.name DestinationHostname destination.domain tls.sni
        server_name http.hostname r-dns""",
    EntityKind.URL: "url url.full url.original c-uri http.url RemoteUrl FileOriginUrl",
}
_KINDS: Final = {name.lower(): kind for kind, names in _FIELDS.items() for name in names.split()}
# The field which tells the domain of the account named by another.
_DOMAINS: Final = {
    "targetusername": "targetdomainname",
    "subjectusername": "subjectdomainname",
    "accountname": "accountdomain",
}
_TELLING_DOMAINS: Final = frozenset(_DOMAINS.values())
_NOTHING: Final = frozenset({"", "-", "?", "(null)", "null", "none", "n/a", "unknown", "localhost", "0x0"})
_EVERYWHERE: Final = frozenset(
    {
        "system",
        "localsystem",
        "local system",
        "local service",
        "network service",
        "anonymous logon",
        "iusr",
        "root",
        "administrator",
        "nobody",
        "unset",
        "(uid=0)",
    }
)
_OF_THE_MACHINE: Final = re.compile(r"(?:dwm|umfd)-\d+|defaultapppool|.*\$")
_SYSTEM_DOMAINS: Final = frozenset({"nt authority", "nt service", "window manager", "font driver host", "iis apppool"})
_WITH_PORT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}|\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?")
_DOMAIN: Final = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{2,63}")
_DIGEST_CHARACTERS: Final = frozenset({32, 40, 64})
_DIGEST: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
_NAMED_DIGEST: Final = re.compile(r"(?:md5|sha1|sha256)\s*=\s*([0-9a-f]{32,64})\b")
_OF_NOTHING: Final = frozenset(
    {
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)


def entities_of(fields: Mapping[str, Value]) -> tuple[Entity, ...]:
    """The entities that an event names: sorted, each once, at most `MAX_ENTITIES`.

    Only text values and lists of texts are looked at. Never raises, whatever the fields hold.
    """
    lowered = {low: value for name, value in fields.items() if (low := _telling(name))}
    found: set[Entity] = set()
    for name, value in lowered.items():
        kind = _KINDS.get(name)
        if kind is EntityKind.HASH:
            for text in _texts(value):
                found.update(_read_hashes(text.lower()))
        elif kind is not None:
            domain = _texts_domain(lowered, name) if name in _DOMAINS else ""
            for text in _texts(value):
                found.update(_named(kind, text, domain))
    return tuple(sorted(found))[:MAX_ENTITIES]


@lru_cache(maxsize=4096)
def _telling(name: str) -> str:
    """The field's name without case; "" where it names nothing."""
    low = name.lower()
    return low if low in _KINDS or low in _TELLING_DOMAINS else ""


# The same hosts, accounts and programs stand in most events.
@lru_cache(maxsize=4096)
def _named(kind: EntityKind, text: str, domain: str) -> tuple[Entity, ...]:
    return tuple(_read(kind, text, domain))


def address_of(text: str) -> str | None:
    """The address in its shortest form, without port, brackets or zone; None where it is none worth keeping.

    An IPv4 address mapped into IPv6 comes back as IPv4. Loopback, unspecified, multicast, link-local and reserved
    addresses are None: every machine has them.
    """
    with_port = _WITH_PORT.fullmatch(text)
    bare = (with_port[1] or with_port[2]) if with_port else text.partition("%")[0]
    address = _parsed(bare)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address is None or (
        address.is_loopback
        or address.is_unspecified
        or address.is_multicast
        or address.is_link_local
        or (isinstance(address, IPv4Address) and address.is_reserved)
    ):
        return None
    return str(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return None


def _texts(value: Value) -> Sequence[str]:
    if isinstance(value, str):
        text = value.strip()
        return (text,) if len(value) <= MAX_VALUE_CHARACTERS and text.lower() not in _NOTHING else ()
    if not isinstance(value, list):
        return ()
    return [text for item in value[:MAX_ENTITIES] if isinstance(item, str) for text in _texts(item)]


def _texts_domain(lowered: Mapping[str, Value], name: str) -> str:
    return next(iter(_texts(lowered.get(_DOMAINS[name]))), "")


def _read(kind: EntityKind, text: str, domain: str) -> Iterator[Entity]:
    match kind:
        case EntityKind.SOURCE_ADDRESS | EntityKind.DESTINATION_ADDRESS:
            yield from _read_address(kind, text)
        case EntityKind.HOST:
            yield Entity(kind=kind, value=text.lower().rstrip(".").lstrip("\\"))
        case EntityKind.USER:
            yield from _read_user(text, domain)
        case EntityKind.DOMAIN:
            yield from _read_domain(text.lower().rstrip("."))
        case EntityKind.URL:
            if text[:8].lower().startswith(("http://", "https://", "ftp://")):
                yield Entity(kind=kind, value=text)
        case EntityKind.PROCESS | EntityKind.FILE:
            if len(text) > 1 and ("/" in text or "\\" in text or "." in text):
                yield Entity(kind=kind, value=text)


def _read_address(kind: EntityKind, text: str) -> Iterator[Entity]:
    # Logs with name look-up on write a host name where the address was.
    if (address := address_of(text)) is not None:
        yield Entity(kind=kind, value=address)
    else:
        yield from _read_domain(text.lower().rstrip("."))


def _read_user(text: str, domain: str) -> Iterator[Entity]:
    name = text.lower()
    place = domain.lower()
    if "\\" in name:
        place, _, name = name.rpartition("\\")
    if not name or name in _NOTHING or _OF_THE_MACHINE.fullmatch(name) or place in _SYSTEM_DOMAINS:
        return
    if name in _EVERYWHERE and place in {"", "-", ".", "builtin"}:
        return
    yield Entity(kind=EntityKind.USER, value=f"{place}\\{name}" if place not in {"", "."} else name)


def _read_hashes(text: str) -> Iterator[Entity]:
    for digest in _NAMED_DIGEST.findall(text) if "=" in text else (text,):
        is_digest = len(digest) in _DIGEST_CHARACTERS and _DIGEST.fullmatch(digest)
        if is_digest and digest not in _OF_NOTHING and digest.strip("0"):
            yield Entity(kind=EntityKind.HASH, value=digest)


def _read_domain(text: str) -> Iterator[Entity]:
    if not _DOMAIN.fullmatch(text) or _parsed(text) is not None or text.replace(".", "").isdigit():
        return
    if not text.endswith((".arpa", ".localhost", ".localdomain")):
        yield Entity(kind=EntityKind.DOMAIN, value=text)
