"""A value of a record -> the texts which one property of a cyber observable shows: the forms, and their one spelling.

What patterns compare is text in one spelling: addresses as `ipaddress` writes them, names in lower case, numbers in
decimal, times as `2026-11-23T03:00:00.000000Z`. So equality is one look in a table, and times have the order of texts.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from datetime import UTC
from email.utils import getaddresses
from functools import lru_cache
from typing import Any, Final, TypeAlias

from msgspec import Struct

from amagasa.event.stamps import from_value

MAX_TEXT: Final = 8_192  # of a text searched for addresses and links: longer ones are cut
MAX_FOUND: Final = 64  # objects taken from one text

# A value of a field -> the texts of one property; () where it shows none.
Form: TypeAlias = Callable[[Any], tuple[str, ...]]

_IPV4: Final = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)"
_IPV6: Final = r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:]|\.\d)"
_ADDRESS: Final = re.compile(f"{_IPV4}|{_IPV6}")
_LINK: Final = re.compile(r"""https?://[^\s"'<>|)\]}]{1,2048}""", re.IGNORECASE)
_MAIL: Final = re.compile(r"[^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]{1,253}")
_MAPPED: Final = "::ffff:"
_ALIAS: Final = re.compile(r"type:\s+\d{1,5}\s+([^\s;]{1,253})")
_DWORD: Final = re.compile(r"[DQ]WORD \((0x[0-9A-Fa-f]{8})(?:-(0x[0-9A-Fa-f]{8}))?\)")
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}|0[xX][0-9A-Fa-f]{1,16}")
_HIVES: Final = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKU": "HKEY_USERS",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "\\REGISTRY\\MACHINE": "HKEY_LOCAL_MACHINE",
    "\\REGISTRY\\USER": "HKEY_USERS",
}
# IANA's numbers of the protocols which logs name by number.
_PROTOCOLS: Final = {
    "1": "icmp",
    "2": "igmp",
    "6": "tcp",
    "17": "udp",
    "41": "ipv6",
    "47": "gre",
    "50": "esp",
    "58": "ipv6-icmp",
    "89": "ospf",
    "132": "sctp",
}
# What the System and the Security log call them -> the names of STIX 2.1 sections 10.26 and 10.27.
_START_TYPES: Final = {
    "auto start": "service_auto_start",
    "2": "service_auto_start",
    "demand start": "service_demand_start",
    "3": "service_demand_start",
    "boot start": "service_boot_start",
    "0": "service_boot_start",
    "system start": "service_system_alert",
    "1": "service_system_alert",
    "disabled": "service_disabled",
    "4": "service_disabled",
}
_SERVICE_TYPES: Final = {
    "user mode service": "service_win32_own_process",
    "0x10": "service_win32_own_process",
    "0x20": "service_win32_share_process",
    "share process": "service_win32_share_process",
    "kernel mode driver": "service_kernel_driver",
    "0x1": "service_kernel_driver",
    "file system driver": "service_file_system_driver",
    "0x2": "service_file_system_driver",
}


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
        flat = (item for item in value[:MAX_FOUND] if not isinstance(item, list | tuple | dict))
        return tuple(found for item in flat for found in text(item))
    return ()


def lower(value: Any) -> tuple[str, ...]:
    """The value in lower case."""
    return tuple(found.lower() for found in text(value))


def number(value: Any) -> tuple[str, ...]:
    """A whole number in decimal; `0x1f4` is one too."""
    return tuple(str(int(found, 0 if "x" in found.lower() else 10)) for found in text(value) if _is_integer(found))


def _is_integer(written: str) -> bool:
    return _INTEGER.fullmatch(written) is not None


def instant(value: Any) -> tuple[str, ...]:
    """A time in UTC to the microsecond, in a form of fixed width. What is no time shows nothing."""
    return tuple(canonical for found in text(value) if (canonical := canonical_instant(found)) is not None)


def canonical_instant(written: str) -> str | None:
    """`2026-11-23 12:00:00 +0900` and `1795402800` -> `2026-11-23T03:00:00.000000Z`; None for what is no time."""
    found = from_value(written)
    return None if found is None else found.astimezone(UTC).replace(tzinfo=None).isoformat("T", "microseconds") + "Z"


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


def kind_of_address(value: Any) -> tuple[str, ...]:
    """The STIX type of what a reference names: an address of either version, else a domain."""
    return tuple(dict.fromkeys(_kind_of(found) for found in address(value)))


def _kind_of(canonical: str) -> str:
    if ":" in canonical:
        return "ipv6-addr"
    return "ipv4-addr" if canonical.replace(".", "").isdigit() else "domain-name"


def addresses_in(value: Any) -> tuple[str, ...]:
    """Each address that stands in a text."""
    found = (match for part in text(value) for match in _ADDRESS.findall(part[:MAX_TEXT])[:MAX_FOUND])
    return tuple(dict.fromkeys(canonical_address(match) for match in found))


def host(value: Any) -> tuple[str, ...]:
    """A host name in lower case, without port and final dot."""
    return tuple(canonical_host(found) for found in text(value))


def canonical_host(written: str) -> str:
    """`WWW.Example.:443` -> `www.example`."""
    bare = written.strip().lower()
    before, colon, port = bare.rpartition(":")
    return (before if colon and port.isdigit() else bare).rstrip(".")


def answers(value: Any) -> tuple[str, ...]:
    """What a name resolves to: addresses and names in an answer of DNS, also in Sysmon's list of them."""
    parts = [part[:MAX_TEXT] for part in text(value)]
    names = [canonical_host(found) for part in parts for found in _ALIAS.findall(part)[:MAX_FOUND]]
    plain = [canonical_host(part) for part in parts if " " not in part and ";" not in part]
    return tuple(dict.fromkeys((*addresses_in(value), *names, *plain)))


def links_in(value: Any) -> tuple[str, ...]:
    """Each http(s) address that stands in a text."""
    found = (match for part in text(value) for match in _LINK.findall(part[:MAX_TEXT])[:MAX_FOUND])
    return tuple(dict.fromkeys(match.rstrip(".,;:") for match in found))


def hosts_of_links_in(value: Any) -> tuple[str, ...]:
    """The host of each http(s) address that stands in a text."""
    return tuple(dict.fromkeys(_host_of_link(link) for link in links_in(value)))


def _host_of_link(link: str) -> str:
    authority = re.split(r"[/?#\\]", link.partition("://")[2], maxsplit=1)[0]
    return canonical_host(authority.rpartition("@")[2])


def mails_in(value: Any) -> tuple[str, ...]:
    """Each mail address in a header or an envelope, in lower case: `Ann <A@B.example>, c@d` shows two."""
    found = (match for part in text(value) for match in _MAIL.findall(part[:MAX_TEXT])[:MAX_FOUND])
    return tuple(dict.fromkeys(match.lower() for match in found))


def display_names(value: Any) -> tuple[str, ...]:
    """The names before the addresses of a header, in lower case."""
    parts = [part[:MAX_TEXT] for part in text(value) if "@" in part]
    return tuple(dict.fromkeys(shown.lower() for shown, _ in getaddresses(parts)[:MAX_FOUND] if shown))


def name(value: Any) -> tuple[str, ...]:
    """The last part of a path, in lower case: file systems of Windows do not tell the case."""
    return tuple(found for whole in text(value) if (found := re.split(r"[\\/]", whole)[-1].lower()))


def folder(value: Any) -> tuple[str, ...]:
    """The path without its last part, in lower case."""
    return tuple(whole.lower()[: -len(last) - 1] for whole in text(value) if (last := re.split(r"[\\/]", whole)[-1]))


def directory(value: Any) -> tuple[str, ...]:
    """A path of a directory in lower case, without the separator at its end."""
    return tuple(found.rstrip("\\/") or found for found in lower(value))


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


def value_data(value: Any) -> tuple[str, ...]:
    """The data as it stands; of Sysmon's `DWORD (0x00000001)` the number in decimal too."""
    return tuple(form for found in text(value) for form in dict.fromkeys((found, *_number_in(found))))


def _number_in(details: str) -> tuple[str, ...]:
    match = _DWORD.fullmatch(details)
    return () if match is None else (str(int(match[1], 16) << (32 if match[2] else 0) | int(match[2] or "0", 16)),)


def value_type(value: Any) -> tuple[str, ...]:
    """The type that Sysmon's `Details` give away, in lower case: `reg_dword`, `reg_qword`, `reg_binary`."""
    found = (_type_in(details) for details in text(value))
    return tuple(kind for kind in found if kind)


def _type_in(details: str) -> str:
    if details == "Binary Data":
        return "reg_binary"
    return f"reg_{details[:5].lower()}" if _DWORD.fullmatch(details) else ""


def protocol(value: Any) -> tuple[str, ...]:
    """A protocol's name in lower case; by its name where a log gives the number."""
    return tuple(_PROTOCOLS.get(found, found) for found in lower(value))


def start_type(value: Any) -> tuple[str, ...]:
    """How a service of Windows starts, by STIX' names in lower case."""
    return tuple(_START_TYPES.get(found, found) for found in lower(value))


def service_type(value: Any) -> tuple[str, ...]:
    """Of what type a service of Windows is, by STIX' names in lower case."""
    return tuple(_SERVICE_TYPES.get(found, found) for found in lower(value))


def integrity(value: Any) -> tuple[str, ...]:
    """The integrity level of a process, by STIX' names."""
    return tuple(found for found in lower(value) if found in {"low", "medium", "high", "system"})


def serial(value: Any) -> tuple[str, ...]:
    """The serial number of a certificate: hexadecimal in lower case, without colons and leading zeros."""
    return tuple(canonical_serial(found) for found in text(value))


def canonical_serial(written: str) -> str:
    """`02:49:3E` -> `2493e`."""
    return written.lower().replace(":", "").removeprefix("0x").lstrip("0") or "0"


def mac(value: Any) -> tuple[str, ...]:
    """The address of an interface in lower case with colons."""
    return tuple(canonical_mac(found) for found in text(value))


def canonical_mac(written: str) -> str:
    """`00-E0-ED-01-6E-BD` -> `00:e0:ed:01:6e:bd`."""
    return written.lower().replace("-", ":")


def hexadecimal(value: Any) -> tuple[str, ...]:
    """A number as hexadecimal digits in lower case, of even length: what properties that end in `_hex` hold."""
    bare = (found.removeprefix("0x") for found in lower(value))
    return tuple(found if len(found) % 2 == 0 else f"0{found}" for found in bare)


def octet(value: Any) -> tuple[str, ...]:
    """A number below 256 as two hexadecimal digits."""
    return tuple(f"{int(found):02x}" for found in number(value) if 0 <= int(found) < 256)


def digest(algorithm: str) -> Form:
    """Out of Sysmon's `SHA256=..,MD5=..`, or the value itself where it is bare hexadecimal of that length."""
    return _DIGESTS[algorithm]


def _digest(algorithm: str, length: int) -> Form:
    label = algorithm.replace("-", "").lower() + "="

    def form(value: Any) -> tuple[str, ...]:
        parts = [part.strip().lower() for found in text(value) for part in found[:MAX_TEXT].split(",")]
        labelled = tuple(part[len(label) :] for part in parts if part.startswith(label))
        return labelled or tuple(bare for part in parts if "=" not in part and len(bare := _bare(part)) == length)

    return form


def _bare(part: str) -> str:
    """Fingerprints of certificates come with colons."""
    return part.replace(":", "") if ":" in part else part


_LENGTHS: Final = {"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128, "IMPHASH": 32}
_DIGESTS: Final = {algorithm: _digest(algorithm, length) for algorithm, length in _LENGTHS.items()}


def always(constant: str) -> Form:
    """The same text wherever the field shows anything."""
    return _always(constant)


@lru_cache(maxsize=64)
def _always(constant: str) -> Form:
    def form(value: Any) -> tuple[str, ...]:
        return (constant,) if text(value) else ()

    return form


def each(kind: str, path: str, form: Form, fields: Iterable[str]) -> tuple[Shape, ...]:
    """One object of one property for each of the fields."""
    return tuple(Shape(kind, (Property(path, (field,), form),)) for field in fields)


def hashes(prefix: str, *fields: str) -> tuple[Property, ...]:
    """The hashes of a file in these fields; `imphash` where STIX has no place for it but `hashes`."""
    return tuple(Property(f"{prefix}hashes.{algorithm}", fields, digest(algorithm)) for algorithm in _LENGTHS)


def paths(prefix: str, *fields: str) -> tuple[Property, ...]:
    """Name and folder of a file from fields that hold its path."""
    return (
        Property(f"{prefix}name", fields, name),
        Property(f"{prefix}path", fields, lower),
        Property(f"{prefix}parent_directory_ref.path", fields, folder),
    )


def owner(prefix: str, *fields: str) -> tuple[Property, ...]:
    """An account behind a reference."""
    names = ("user_id", "account_login", "display_name")
    return tuple(Property(f"{prefix}{one}", fields, account) for one in names)


def accounts(*fields: str) -> tuple[Shape, ...]:
    """One account for each of the fields."""
    return tuple(Shape("user-account", owner("", field)) for field in fields)
