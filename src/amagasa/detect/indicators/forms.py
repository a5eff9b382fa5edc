"""One spelling for each value: how list entries are written, and under which spellings an event's value is looked up.

| value | canonical form |
|---|---|
| address, prefix | as `ipaddress` writes it, without zone; IPv4 mapped into IPv6 is IPv4; host bits are cleared |
| domain | lower case, no final dot; labels beyond ASCII in punycode (RFC 3490); a leading `*.` or `.` is dropped |
| link | see `canonical_url` |
| hash | lower case |
| mail address | lower case |
| file name, path | lower case, because Windows' file systems do not tell the case |

Values of lists may be *defanged*, as analysts write them so that nobody clicks: `hxxp://1[.]2[.]3[.]4`,
`evil(.)example`, `a[at]b[dot]example`.
"""

import re
from functools import lru_cache
from typing import Final

from amagasa.detect.stix.operators import network_of

MAX_URL_CHARACTERS: Final = 8_192  # what is longer is cut: servers refuse it long before
MAX_DIRECTORIES: Final = 16  # of a link, tried as prefixes; deeper ones are not looked up one by one
MAX_LABELS: Final = 32  # of a domain, tried as parents; a name of DNS has at most 127

_DEFANGED: Final = re.compile(r"\[\.]|\(\.\)|\{\.}|\[dot]|\(dot\)|\[:]|\[:?//?]|\[@]|\[at]|\(at\)", re.IGNORECASE)
_FANGED: Final = {
    "[:]": ":",
    "[:/]": ":/",
    "[://]": "://",
    "[/]": "/",
    "[//]": "//",
    "[@]": "@",
    "[at]": "@",
    "(at)": "@",
}
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{0,31}):(?=//)", re.IGNORECASE)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{3,253}}\Z)(?:{_LABEL}\.)+{_LABEL}")
_NUMBERS: Final = re.compile(r"[0-9.]+")
_TOP: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TO_ESCAPE: Final = re.compile(r"[^!-~]+|[\"<>\\^`{|}]+|%(?![0-9A-Fa-f]{2})")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}|0")
_DROPPED: Final = re.compile(r"[\t\r\n]")
_WEB: Final = frozenset({"", "http", "https"})
_WEB_PORTS: Final = frozenset({"", "80", "443"})


def refanged(written: str) -> str:
    """A defanged value as it would be in a log; any other text as it stands."""
    if "[" not in written and "(" not in written and "{" not in written and written[:1] not in "hH":
        return written
    plain = _DEFANGED.sub(lambda match: _FANGED.get(match[0].lower(), "."), written)
    head = plain[:6].lower()
    for defanged, meant in (("hxxps:", "https:"), ("hxxp:", "http:"), ("h**p:", "http:")):
        if head.startswith(defanged):
            return meant + plain[len(defanged) :]
    return plain


def canonical_domain(written: str) -> str | None:
    """The domain, or None where it is none: at least two labels, one of them with a letter, 253 characters at most."""
    bare = written.strip().rstrip(".").removeprefix("*").removeprefix(".")
    name = bare.lower() if bare.isascii() else to_ascii(bare)
    return name if name is not None and _NAME.fullmatch(name) and not _NUMBERS.fullmatch(name) else None


def is_plainly_domain(name: str) -> bool:
    """Whether nobody need say that this canonical domain is one: its last label could be one of the root's."""
    return _TOP.fullmatch(name.rpartition(".")[2]) is not None


@lru_cache(maxsize=4096)
def to_ascii(name: str) -> str | None:
    """The name in punycode (RFC 3490: full-width letters and dots are folded too); None where it has no such form."""
    if len(name) > 253:
        return None
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None


def domain_and_parents(name: str) -> list[str]:
    """`a.b.example` -> itself, `b.example`, `example`: what a list entry of any of these stands for."""
    ascii_form = name if name.isascii() else (to_ascii(name) or "")
    labels = ascii_form.split(".")[-MAX_LABELS:]
    return [".".join(labels[start:]) for start in range(len(labels))]


def canonical_address(written: str) -> str | None:
    """The address or prefix; None where it is none. A single address carries no `/32` or `/128`."""
    network = network_of(written.strip().strip("[]").partition("%")[0])
    if network is None:
        return None
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped is not None:
        network = network_of(f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}")
    if network is None:
        return None
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address if single else network)


def canonical_url(written: str) -> str | None:
    """A link as it is compared, or None where there is no host in it.

    Syntax-based normalisation of RFC 3986 section 6.2.2: scheme and host in lower case, escapes of unreserved
    characters undone and the others in upper case, dot segments removed, an empty path is `/`. Beyond that: `http` and
    `https` are one and written as neither, so both their ports are dropped, and so are user, password, fragment and an
    empty query; a host beyond ASCII is in punycode; what may not stand in a link is escaped. A query stays in order.
    """
    text = _DROPPED.sub("", written.strip()[:MAX_URL_CHARACTERS])
    scheme = _SCHEME.match(text)
    name = scheme[1].lower() if scheme else ""
    rest = text[scheme.end() :].lstrip("/\\") if scheme else text
    rest = rest.partition("#")[0]
    end = next((at for at, character in enumerate(rest) if character in "/?\\"), len(rest))
    host = _canonical_authority(rest[:end], name)
    if host is None:
        return None
    path, mark, query = rest[end:].partition("?")
    prefix = "" if name in _WEB else f"{name}://"
    whole = f"{prefix}{host}{_canonical_path(path)}"
    return f"{whole}?{_escaped(query)}" if mark and query else whole


def url_and_prefixes(written: str) -> list[str]:
    """The canonical spellings by which an entry may stand for this link: whole, without query, each folder above it.

    An entry `evil.example/kit/` so stands for all below that folder, `evil.example` for the whole host, and an entry
    without a final slash for itself with any query.
    """
    whole = canonical_url(written)
    if whole is None:
        return []
    path, mark, _ = whole.partition("?")
    start = path.find("/", path.find("://") + 3 if "://" in path else 0)
    found = [whole, path] if mark else [whole]
    at = start
    for _ in range(MAX_DIRECTORIES):
        if at < 0 or at + 1 >= len(path):
            break
        found.append(path[: at + 1])
        at = path.find("/", at + 1)
    return found


def _canonical_authority(written: str, scheme: str) -> str | None:
    host = written.rpartition("@")[2].strip()
    if host.startswith("["):
        inside, closed, port = host[1:].partition("]")
        address = canonical_address(inside) if closed else None
        if address is None or "/" in address:
            return None
        name, port = (f"[{address}]" if ":" in address else address), port.removeprefix(":")
    else:
        name, _, port = host.partition(":")
        ascii_name = name.lower() if name.isascii() else to_ascii(name)
        name = (ascii_name or "").rstrip(".")
    if not name or _TO_ESCAPE.search(name) or "%" in name or (port and _PORT.fullmatch(port) is None):
        return None
    return name if port in _WEB_PORTS and (not port or scheme in _WEB) else f"{name}:{port}"


def _canonical_path(written: str) -> str:
    segments: list[str] = []
    parts = _escaped(written.replace("\\", "/")).split("/")[1:]
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == ".." and segments:
            segments.pop()
        if part in {".", ".."}:
            if is_last:
                segments.append("")
        else:
            segments.append(part)
    return "/" + "/".join(segments)


def _escaped(text: str) -> str:
    undone = _ESCAPE.sub(_normal_escape, text) if "%" in text else text
    return _TO_ESCAPE.sub(_percent, undone)


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else f"%{match[1].upper()}"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))
