"""Kinds of value a list may hold: what each is called, how it is written, and where in an event it may stand."""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from amagasa.detect.indicators.forms import (
    canonical_address,
    canonical_domain,
    canonical_url,
    is_plainly_domain,
    refanged,
)
from amagasa.detect.indicators.table import Where

ADDRESS: Final[Where] = ("ip-addr", "value")
DOMAIN: Final[Where] = ("domain-name", "value")
URL: Final[Where] = ("url", "value")
# Where a list's domains and links stand: looked up with everything that lies above an event's value.
DOMAIN_TREE: Final[Where] = ("domain-name", "value and below")
URL_TREE: Final[Where] = ("url", "value and below")
TREES: Final = {DOMAIN: DOMAIN_TREE, URL: URL_TREE}
_REAL: Final = {tree: where for where, tree in TREES.items()}

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PUBLIC: Final = (
    r"(?!0\.|10\.|127\.|169\.254\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|192\.168\.|192\.0\.0\.|22[4-9]\.|2[345][0-9]\."
    r"|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.)"
)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_EMAIL: Final = re.compile(r"[^\s@'\"<>]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_NAME: Final = re.compile(r"[^\\/\x00-\x1f<>|\"]{1,255}")
_PATH: Final = re.compile(r"[^\x00-\x1f<>|\"]{2,4096}")
_PROGRAM: Final = re.compile(
    r"[^\\/\x00-\x1f<>|\"\s]{1,200}\.(?:exe|dll|sys|bat|cmd|ps1|psm1|vbs|vbe|js|jse|wsf|hta|scr|lnk|msi|jar|docm|xlsm|xll"
    r"|elf|iso|img|rar|7z|tmp|dat|bin|php|aspx|jsp)",
    re.IGNORECASE,
)
_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}")


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of value: its STIX path, where it is looked up, and `canonical`, None for what is none of it.

    `plain` matches only what is canonical as it stands and needs no second look (a public address, no shared name).
    """

    path: str
    where: Where
    plain: re.Pattern[str]
    canonical: Callable[[str], str | None]


def _hash(algorithm: str, digits: int) -> Kind:
    pattern = re.compile(rf"[0-9a-f]{{{digits}}}")

    def canonical(written: str) -> str | None:
        lowered = written.strip().lower()
        return lowered if pattern.fullmatch(lowered) else None

    return Kind(
        path=f"file:hashes.'{algorithm}'", where=("file", f"hashes.{algorithm}"), plain=pattern, canonical=canonical
    )


def _lower(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def canonical(written: str) -> str | None:
        bare = written.strip()
        return bare.lower() if pattern.fullmatch(bare) else None

    return canonical


def _address(written: str) -> str | None:
    bare = written.strip()
    with_port = _PORT.fullmatch(bare)
    return canonical_address(with_port[1] if with_port else bare)


_NOTHING: Final = re.compile(r"(?!)")
IPV4: Final = Kind(
    path="ipv4-addr:value",
    where=ADDRESS,
    plain=re.compile(rf"{_PUBLIC}{_OCTET}(?:\.{_OCTET}){{3}}"),
    canonical=_address,
)
IPV6: Final = Kind(path="ipv6-addr:value", where=ADDRESS, plain=_NOTHING, canonical=_address)
NAME: Final = Kind(
    path="domain-name:value",
    where=DOMAIN_TREE,
    plain=re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])"),
    canonical=canonical_domain,
)
LINK: Final = Kind(path="url:value", where=URL_TREE, plain=_NOTHING, canonical=canonical_url)
MAIL: Final = Kind(path="email-addr:value", where=("email-addr", "value"), plain=_NOTHING, canonical=_lower(_EMAIL))
FILE: Final = Kind(path="file:name", where=("file", "name"), plain=_NOTHING, canonical=_lower(_NAME))
PATH: Final = Kind(path="file:path", where=("file", "path"), plain=_NOTHING, canonical=_lower(_PATH))
MD5: Final = _hash("MD5", 32)
SHA1: Final = _hash("SHA-1", 40)
SHA256: Final = _hash("SHA-256", 64)
SHA512: Final = _hash("SHA-512", 128)
IMPHASH: Final = _hash("IMPHASH", 32)
KINDS: Final = (IPV4, IPV6, NAME, LINK, MAIL, FILE, PATH, MD5, SHA1, SHA256, SHA512, IMPHASH)

PLACE_OF_PATH: Final = {kind.path: real_where for kind in KINDS for real_where in (_REAL.get(kind.where, kind.where),)}

# What the columns of public lists call them, in small letters without anything but letters and digits.
_CALLED: Final[dict[str, Kind]] = {
    called: kind
    for kind, names in (
        (IPV4, "ipv4addr ipv4addrvalue ip ipv4 ipaddress address addr cidr ipport ipv4cidr network netblock host4"),
        (IPV4, "ipsrc ipdst ipsrcport ipdstport srcip dstip ipv4ioc subnet"),
        (IPV6, "ipv6addr ipv6addrvalue ipv6 ipv6cidr"),
        (NAME, "domainname domainnamevalue domain hostname fqdn host dns domainip dnsname"),
        (LINK, "url urlvalue uri link urls href payloadurl"),
        (MAIL, "emailaddr emailaddrvalue email mail emailaddress emailsrc emaildst sender"),
        (FILE, "filename file filenamevalue name"),
        (PATH, "filepath path fullpath"),
        (MD5, "md5 md5hash filehashmd5 filemd5 hashmd5"),
        (SHA1, "sha1 sha1hash filehashsha1 filesha1 hashsha1"),
        (SHA256, "sha256 sha256hash filehashsha256 filesha256 hashsha256 hash256"),
        (SHA512, "sha512 sha512hash filehashsha512 filesha512 hashsha512"),
        (IMPHASH, "imphash filehashimphash pehashimp importhash"),
    )
    for called in names.split()
}
# Names under which any digest may stand: its length tells which it is.
_ANY_HASH: Final = frozenset({"hash", "filehash", "digest", "checksum"})
_BY_LENGTH: Final = {32: MD5, 40: SHA1, 64: SHA256, 128: SHA512}
_WITHOUT_MARKS: Final = re.compile(r"[^a-z0-9]+")


def real_place(where: Where) -> Where:
    """The place in an event at which values of this place of a table stand."""
    return _REAL.get(where, where)


def kind_called(name: str, value: str) -> Kind | None:
    """The kind that a list calls so; `value` tells where the name leaves it open. None for one we know nothing of."""
    plain = _WITHOUT_MARKS.sub("", name.lower())
    if plain in _ANY_HASH:
        return _BY_LENGTH.get(len(value.strip()))
    kind = _CALLED.get(plain)
    return IPV6 if kind is IPV4 and value.count(":") > 1 else kind


def kind_of(value: str) -> Kind | None:
    """The kind of a value of which nobody says what it is; None where it cannot be told."""
    bare = refanged(value.strip())
    by_length = _BY_LENGTH.get(len(bare))
    if by_length is not None and by_length.plain.fullmatch(bare.lower()):
        return by_length
    if _address(bare) is not None:
        return IPV6 if bare.count(":") > 1 else IPV4
    if "://" in bare[:40]:
        return LINK if canonical_url(bare) is not None else None
    if "@" in bare:
        return MAIL if _EMAIL.fullmatch(bare) else None
    if "\\" in bare or bare.startswith("/"):
        return PATH if _PATH.fullmatch(bare) else None
    if _PROGRAM.fullmatch(bare):
        return FILE
    host, slash, _ = bare.partition("/")
    domain = canonical_domain(host.partition(":")[0] if slash else bare)
    if domain is None or not is_plainly_domain(domain):
        return None
    return LINK if slash else NAME
