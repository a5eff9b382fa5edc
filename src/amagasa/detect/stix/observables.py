"""Our events as cyber observables (STIX 2.1 part 6): which field of an event is which property of which object.

One declaration for each object that an event may show; several fields may show objects of one type (source and
destination address), and one field may show several (an address inside a DNS answer).
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from amagasa.event.record import Route

_MAX_TEXT: Final = 8_192  # of a text searched for addresses and links: longer ones are cut
_MAX_FOUND: Final = 64  # objects taken from one text

_IPV4: Final = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)"
_IPV6: Final = r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:]|\.\d)"
_ADDRESS: Final = re.compile(f"{_IPV4}|{_IPV6}")
_LINK: Final = re.compile(r"""https?://[^\s"'<>|)\]}]{1,2048}""", re.IGNORECASE)
_MAPPED: Final = "::ffff:"
_HIVES: Final = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKU": "HKEY_USERS",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "\\REGISTRY\\MACHINE": "HKEY_LOCAL_MACHINE",
    "\\REGISTRY\\USER": "HKEY_USERS",
}

# A value of a field -> the texts of one property; () where it shows none.
Form = Callable[[Any], tuple[str, ...]]


class Property(Struct, frozen=True):
    """A property of an object: where it stands in the event and how its texts are made."""

    path: str
    fields: tuple[str, ...]
    form: Form


class Shape(Struct, frozen=True):
    """An object that an event may show. `kind` is its STIX type."""

    kind: str
    properties: tuple[Property, ...]


def text(value: Any) -> tuple[str, ...]:
    """The value as it stands; numbers in decimal; each item of a list; a dash is Windows' and Apache's nothing."""
    if isinstance(value, str):
        return (value,) if value and value != "-" else ()
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, int | float):
        return (str(value),)
    if isinstance(value, list | tuple):
        flat = (item for item in value[:_MAX_FOUND] if not isinstance(item, list | tuple | dict))
        return tuple(found for item in flat for found in text(item))
    return ()


def address(value: Any) -> tuple[str, ...]:
    """IPv4 and IPv6 addresses, IPv4-mapped ones as IPv4, in lower case, without brackets and zone."""
    return tuple(canonical_address(found) for found in text(value))


def canonical_address(written: str) -> str:
    """`::ffff:198.51.100.4` -> `198.51.100.4`, `[2001:DB8:0::1]` -> `2001:db8::1`; other texts in lower case."""
    bare = written.strip("[] ").partition("%")[0].lower()
    if ":" not in bare:
        return bare
    if bare.startswith(_MAPPED) and "." in bare:
        return bare[len(_MAPPED) :]
    try:
        network = ipaddress.ip_network(bare, strict=False)
    except ValueError:
        return bare
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen == network.max_prefixlen:
        return str(mapped)
    return str(network).removesuffix("/128")


def addresses_in(value: Any) -> tuple[str, ...]:
    """Each address that stands in a text."""
    found = (match for part in text(value) for match in _ADDRESS.findall(part[:_MAX_TEXT])[:_MAX_FOUND])
    return tuple(dict.fromkeys(canonical_address(match) for match in found))


def host(value: Any) -> tuple[str, ...]:
    """A host name in lower case, without port and final dot."""
    return tuple(canonical_host(found) for found in text(value))


def canonical_host(written: str) -> str:
    """`WWW.Example.:443` -> `www.example`."""
    bare = written.strip().lower()
    name, colon, port = bare.rpartition(":")
    return (name if colon and port.isdigit() else bare).rstrip(".")


def links_in(value: Any) -> tuple[str, ...]:
    """Each http(s) address that stands in a text."""
    found = (match for part in text(value) for match in _LINK.findall(part[:_MAX_TEXT])[:_MAX_FOUND])
    return tuple(dict.fromkeys(match.rstrip(".,;:") for match in found))


def hosts_of_links_in(value: Any) -> tuple[str, ...]:
    """The host of each http(s) address that stands in a text."""
    return tuple(dict.fromkeys(_host_of_link(link) for link in links_in(value)))


def _host_of_link(link: str) -> str:
    authority = re.split(r"[/?#\\]", link.partition("://")[2], maxsplit=1)[0]
    return canonical_host(authority.rpartition("@")[2])


def name(value: Any) -> tuple[str, ...]:
    """The last part of a path, in lower case: file systems of Windows do not tell the case."""
    return tuple(found for whole in text(value) if (found := re.split(r"[\\/]", whole)[-1].lower()))


def folder(value: Any) -> tuple[str, ...]:
    """The path without its last part, in lower case."""
    return tuple(whole.lower()[: -len(last) - 1] for whole in text(value) if (last := re.split(r"[\\/]", whole)[-1]))


def lower(value: Any) -> tuple[str, ...]:
    """The value in lower case."""
    return tuple(found.lower() for found in text(value))


def account(value: Any) -> tuple[str, ...]:
    r"""`CORP\Alice` shows `corp\alice` and `alice`."""
    return tuple(form for found in lower(value) for form in dict.fromkeys((found, re.split(r"[\\/]", found)[-1])))


def registry_key(value: Any) -> tuple[str, ...]:
    """The path that Sysmon names, hive written out, in lower case; and its parent: the last part may be a value."""
    keys = tuple(canonical_key(found) for found in text(value))
    return tuple(dict.fromkeys((*keys, *(key.rpartition("\\")[0] for key in keys))))


def canonical_key(written: str) -> str:
    r"""`HKLM\Software` -> `hkey_local_machine\software`."""
    for short, full in _HIVES.items():
        if written.upper().startswith(short + "\\"):
            return (full + written[len(short) :]).lower()
    return written.lower()


def value_name(value: Any) -> tuple[str, ...]:
    """The last part of a registry path."""
    return tuple(found.rpartition("\\")[2].lower() for found in text(value))


@lru_cache
def digest(algorithm: str) -> Form:
    """Out of Sysmon's `SHA256=..,MD5=..`, or the value itself where it is bare hexadecimal of that length."""
    label = algorithm.replace("-", "").lower() + "="
    length = {"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128, "IMPHASH": 32}[algorithm]

    def form(value: Any) -> tuple[str, ...]:
        parts = [part.strip().lower() for found in text(value) for part in found[:_MAX_TEXT].split(",")]
        labelled = tuple(part[len(label) :] for part in parts if part.startswith(label))
        return labelled or tuple(part for part in parts if len(part) == length and "=" not in part)

    return form


def _each(kind: str, path: str, form: Form, fields: Iterable[str]) -> tuple[Shape, ...]:
    return tuple(Shape(kind, (Property(path, (field,), form),)) for field in fields)


def _hashes(prefix: str, *fields: str) -> tuple[Property, ...]:
    names = ("MD5", "SHA-1", "SHA-256", "SHA-512", "IMPHASH")
    return tuple(Property(f"{prefix}hashes.{algorithm}", fields, digest(algorithm)) for algorithm in names)


def _file(path_field: str, *hash_fields: str) -> Shape:
    where = (path_field,)
    named = (
        Property("name", where, name),
        Property("path", where, lower),
        Property("parent_directory_ref.path", where, folder),
    )
    return Shape("file", named + (_hashes("", *hash_fields) if hash_fields else ()))


def _accounts(*fields: str) -> tuple[Shape, ...]:
    paths = ("user_id", "account_login", "display_name")
    return tuple(Shape("user-account", tuple(Property(p, (f,), account) for p in paths)) for f in fields)


def _traffic(source: tuple[str, ...], target: tuple[str, ...], ports: tuple[str, str], protocol: str) -> Shape:
    return Shape(
        "network-traffic",
        (
            Property("src_ref.value", source, address),
            Property("dst_ref.value", target, address),
            Property("src_port", (ports[0],), text),
            Property("dst_port", (ports[1],), text),
            Property("protocols[*]", (protocol,), lower),
        ),
    )


_HTTP: Final = "extensions.http-request-ext."

WEB: Final = (
    *_each("ip-addr", "value", address, ("c-ip", "s-ip")),
    *_each("domain-name", "value", host, ("cs-host",)),
    *_each("domain-name", "value", hosts_of_links_in, ("cs-referer", "cs-uri-decoded")),
    *_each("url", "value", text, ("cs-uri", "cs-referer")),
    *_each("url", "value", links_in, ("cs-uri-decoded",)),
    *_accounts("cs-username"),
    Shape(
        "network-traffic",
        (
            Property("src_ref.value", ("c-ip",), address),
            Property("dst_ref.value", ("s-ip",), address),
            Property("dst_port", ("s-port",), text),
            Property(_HTTP + "request_method", ("cs-method",), lower),
            Property(_HTTP + "request_value", ("cs-uri",), text),
            Property(_HTTP + "request_header.User-Agent", ("cs-user-agent",), text),
            Property(_HTTP + "request_header.Referer", ("cs-referer",), text),
            Property(_HTTP + "request_header.Host", ("cs-host",), lower),
        ),
    ),
)

_WINDOWS_ADDRESSES: Final = ("SourceIp", "DestinationIp", "IpAddress", "SourceAddress", "DestAddress", "ClientAddress")
WINDOWS: Final = (
    *_each("ip-addr", "value", address, _WINDOWS_ADDRESSES),
    *_each("ip-addr", "value", addresses_in, ("QueryResults",)),
    *_each("domain-name", "value", host, ("QueryName", "DestinationHostname", "SourceHostname")),
    *_each("domain-name", "value", hosts_of_links_in, ("CommandLine", "ScriptBlockText")),
    *_each("url", "value", links_in, ("CommandLine", "ScriptBlockText")),
    _file("Image", "Hashes"),
    _file("ImageLoaded", "Hashes"),
    _file("TargetFilename", "Hash"),
    _file("ParentImage"),
    Shape(
        "process",
        (
            Property("command_line", ("CommandLine",), text),
            Property("name", ("Image",), name),
            Property("image_ref.name", ("Image",), name),
            Property("binary_ref.name", ("Image",), name),
            Property("cwd", ("CurrentDirectory",), text),
            Property("creator_user_ref.user_id", ("User",), account),
            Property("creator_user_ref.account_login", ("User",), account),
            Property("parent_ref.name", ("ParentImage",), name),
            Property("parent_ref.command_line", ("ParentCommandLine",), text),
            *_hashes("image_ref.", "Hashes"),
        ),
    ),
    *_accounts("User", "TargetUserName", "SubjectUserName", "TargetUserSid", "SubjectUserSid"),
    _traffic(
        ("SourceIp", "SourceAddress"), ("DestinationIp", "DestAddress"), ("SourcePort", "DestinationPort"), "Protocol"
    ),
    Shape(
        "windows-registry-key",
        (
            Property("key", ("TargetObject",), registry_key),
            Property("values[*].name", ("TargetObject",), value_name),
            Property("values[*].data", ("Details",), text),
        ),
    ),
)

_SYSLOG: Final = (
    *_each("ip-addr", "value", addresses_in, ("message",)),
    *_each("domain-name", "value", hosts_of_links_in, ("message",)),
    *_each("url", "value", links_in, ("message",)),
    *_each("ip-addr", "value", address, ("src_ip",)),
    *_accounts("user", "target_user"),
    Shape(
        "network-traffic", (Property("src_ref.value", ("src_ip",), address), Property("src_port", ("src_port",), text))
    ),
)

# Other JSON: the names which Suricata, Zeek, ECS and OCSF give.
_ANY: Final = (
    *_each(
        "ip-addr",
        "value",
        address,
        ("src_ip", "dest_ip", "dst_ip", "id.orig_h", "id.resp_h", "source.ip", "destination.ip", "client.ip", "ip"),
    ),
    *_each(
        "domain-name",
        "value",
        host,
        ("query", "dns.rrname", "tls.sni", "server_name", "http.hostname", "host", "domain", "dns.question.name"),
    ),
    *_each("url", "value", text, ("url", "url.full", "http.url", "uri")),
    *_each(
        "email-addr", "value", lower, ("email", "mailfrom", "rcptto", "from", "to", "smtp.mail_from", "smtp.rcpt_to")
    ),
    *_accounts("user", "username", "user.name"),
    Shape(
        "file",
        (
            Property("name", ("filename", "fileinfo.filename", "file.name"), name),
            *_hashes("", "sha256", "sha1", "md5", "fileinfo.sha256", "fileinfo.md5", "file.hash.sha256"),
        ),
    ),
    Shape("process", (Property("command_line", ("process.command_line", "command_line"), text),)),
    _traffic(
        ("src_ip", "id.orig_h", "source.ip"),
        ("dest_ip", "id.resp_h", "destination.ip"),
        ("src_port", "dest_port"),
        "proto",
    ),
    Shape(
        "network-traffic",
        (Property(_HTTP + "request_header.User-Agent", ("user_agent", "http.http_user_agent"), text),),
    ),
)
ALL: Final = (*WEB, *WINDOWS, *_SYSLOG, *_ANY)

# How a constant of a pattern must be written to meet what the forms make.
_FOLDED: Final[Mapping[str, Callable[[str], str]]] = {
    "ip-addr:value": canonical_address,
    "domain-name:value": canonical_host,
    "windows-registry-key:key": canonical_key,
    "network-traffic:src_ref.value": canonical_address,
    "network-traffic:dst_ref.value": canonical_address,
}
_AS_IT_STANDS: Final = frozenset((text, links_in))
_HASH_NAMES: Final = {"MD5": "MD5", "SHA1": "SHA-1", "SHA256": "SHA-256", "SHA512": "SHA-512", "IMPHASH": "IMPHASH"}
_FORMS: Final = {(shape.kind, part.path): part.form for shape in reversed(ALL) for part in shape.properties}


@lru_cache(maxsize=1024)
def known_path(kind: str, path: str) -> tuple[str, str] | None:
    """Our (kind, path) for an object path of a pattern; None where no event of ours shows such a thing.

    Both address types are one kind here: the value says which it is. Hash names are read in any spelling.
    """
    kind = "ip-addr" if kind in {"ipv4-addr", "ipv6-addr"} else kind
    head, hashes, algorithm = path.rpartition("hashes.")
    if hashes:
        plain = algorithm.replace("-", "").upper()
        path = f"{head}{hashes}{_HASH_NAMES.get(plain, algorithm)}"
    path = re.sub(r"\[\d+\]", "[*]", path)
    return (kind, path) if (kind, path) in _FORMS else None


def fold_constant(kind: str, path: str, constant: str) -> str:
    """The constant as the events' texts of this path are written: case folded where ours are."""
    fold = _FOLDED.get(f"{kind}:{path}")
    if fold:
        return fold(constant)
    return constant.lower() if is_folded(kind, path) else constant


def is_folded(kind: str, path: str) -> bool:
    """Whether the events' texts of this path are in lower case, so that a regular expression must ignore case."""
    return _FORMS[kind, path] not in _AS_IT_STANDS


def shapes_of(route: Route) -> tuple[Shape, ...]:
    """The objects which events of this route may show."""
    if any(source.category == "webserver" for source in route.sources):
        return WEB
    products = {source.product for source in route.sources}
    if "windows" in products:
        return WINDOWS
    if "linux" in products:
        return WINDOWS + _SYSLOG  # Sysmon for Linux names its fields as on Windows
    return ALL
