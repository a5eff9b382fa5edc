"""Does a text still name a value that was taken out? In plain, or written another way that a reader would undo.

Looked for: other case and width, invisible characters between, percent, HTML, backslash and quoted-printable escapes,
defanged dots, dots as dashes, reversed, hexadecimal, Base32, Base64 (also inside a longer one, of UTF-16, and twice),
the other spellings of an IP address, and the short name of a host (`dc01` of `dc01.base.example`).
Not found: a value cut in pieces by words, translated, compressed, or enciphered. Cost: linear in the text for each.
"""

import base64
import html
import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from msgspec import Struct

# A shorter value would be found in any sentence.
MIN_CHARACTERS: Final = 3
# Below this a value counts only where it stands as a word of its own.
WORD_CHARACTERS: Final = 6
MIN_DIGITS: Final = 5
MAX_NEEDLES: Final = 20_000
_ROUNDS: Final = 3  # an escape of an escape of an escape
_PLAIN_KEY: Final = re.compile(r"[a-z_]*")
_ESCAPED: Final = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.))", re.DOTALL
)
_PRINTABLE: Final = re.compile(r"=([0-9A-F]{2})|=\r?\n")
# A host with a name of its own: with a digit or a dash in its first label, unlike `www` or `mail`.
_HOST: Final = re.compile(r"(?=[a-z]*[0-9-])([a-z0-9][a-z0-9-]{2,62})(?:\.[a-z0-9-]{1,63})*\.[a-z][a-z0-9-]{1,62}")
_DEFANGED: Final = re.compile(r"[\[({<]\s*(\.|:|dot|@|at)\s*[\])}>]", re.IGNORECASE)
_UNFANGED: Final = {"dot": ".", "at": "@"}
_HEX_GAPS: Final = re.compile(r"(?<=[0-9a-f]{2})[\s:-](?=[0-9a-f]{2}(?![0-9a-z]))")


class Traces(Struct, frozen=True, kw_only=True):
    """What to look for: `folded` in texts that are folded, `exact` (Base64) in texts as they stand."""

    folded: tuple[str, ...]
    exact: tuple[str, ...]

    @property
    def has_any(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.folded or self.exact)


def traces_of(values: Iterable[Any]) -> Traces:
    """What would betray one of these JSON values, whole or by one of its texts, keys or long numbers.

    More than 20,000 spellings are not looked for: the caller sees it by `is_too_many`.
    """
    folded: dict[str, None] = {}
    exact: dict[str, None] = {}
    for text in dict.fromkeys(_texts(values)):
        plain = _fold(text)
        if len(plain) < MIN_CHARACTERS:
            continue
        for spelling in (plain, *_addresses(text), *_host_names(plain)):
            folded |= dict.fromkeys((spelling, spelling[::-1]))
        for raw in {text.encode("utf-8", "surrogatepass"), text.encode("utf-16-le", "surrogatepass")}:
            folded[raw.hex()] = None
            folded[base64.b32encode(raw).decode().rstrip("=")[:-1].lower()] = None
            exact[_core(base64.b64encode(base64.b64encode(raw).rstrip(b"=")).decode())] = None
            exact |= dict.fromkeys(_base64(raw))
    return Traces(folded=tuple(folded), exact=tuple(exact))


def is_too_many(traces: Traces) -> bool:
    """Whether looking for all of them would cost too much: then nothing can be said."""
    return len(traces.folded) + len(traces.exact) > MAX_NEEDLES


def names(text: str, traces: Traces) -> bool:
    """Whether `text` betrays any of it."""
    readings = set(_readings(text))
    if any(_is_in(needle, reading) for needle in traces.exact for reading in readings):
        return True
    folded = {_fold(reading) for reading in readings}
    folded |= {_HEX_GAPS.sub("", reading) for reading in folded}
    return any(_is_in(needle, reading) for needle in traces.folded for reading in folded)


def _texts(values: Iterable[Any]) -> Iterator[str]:
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from (key for key in value if isinstance(key, str) and _PLAIN_KEY.fullmatch(key) is None)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, int) and not isinstance(value, bool) and len(str(abs(value))) >= MIN_DIGITS:
            yield str(value)


def _is_in(needle: str, text: str) -> bool:
    if len(needle) >= WORD_CHARACTERS:
        return needle in text
    return re.search(rf"(?<![^\W_]){re.escape(needle)}(?![^\W_])", text) is not None


def _fold(text: str) -> str:
    """Without case, width and what is invisible."""
    wide = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in wide if unicodedata.category(one) not in {"Cf", "Cc", "Mn", "Me"})


def _readings(text: str) -> Iterator[str]:
    """The text, and what its escapes stand for, undone in any order up to three times."""
    seen = {text}
    fresh = [text]
    for _ in range(_ROUNDS):
        undone = {undo(one) for one in fresh for undo in (unquote, html.unescape, _unescape, _refang, _printable)}
        fresh = [one for one in undone if one not in seen]
        seen.update(fresh)
    yield from seen
    yield from {one.translate(_URL_SAFE) for one in seen}
    yield from {re.sub(r"\s+", "", one) for one in seen}


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _unescape(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        digits = found[1] or found[2] or found[3]
        if found[4]:
            return chr(int(found[4], 8))
        if digits is None:
            return found[5]
        point = int(digits, 16)
        return chr(point) if point < 0x110000 else ""

    return _ESCAPED.sub(plain, text)


def _printable(text: str) -> str:
    """Quoted-printable (RFC 2045), as mail writes it."""
    return _PRINTABLE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", text)


def _refang(text: str) -> str:
    plain = _DEFANGED.sub(lambda found: _UNFANGED.get(found[1].lower(), found[1]), text)
    return re.sub(r"\bh[xX*]{2}p", "http", plain)


def _base64(raw: bytes) -> Iterator[str]:
    """How `raw` looks in Base64 by itself, and at each of the three places where it may begin in something longer."""
    yield base64.b64encode(raw).decode().rstrip("=")
    for skip in range(3):
        core = base64.b64encode(b"\0" * skip + raw).decode()
        inner = core[(0, 2, 3)[skip] : (len(raw) + skip) * 8 // 6]
        if len(inner) >= WORD_CHARACTERS:
            yield inner


def _core(encoded: str) -> str:
    """Without the last characters, which what follows would change."""
    return encoded.rstrip("=")[:-2]


def _host_names(plain: str) -> Iterator[str]:
    """A host's short name, and its whole one with dashes for dots."""
    found = _HOST.fullmatch(plain)
    if found is not None:
        yield found[1]
        yield plain.replace(".", "-")


def _addresses(text: str) -> Iterator[str]:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return
    if isinstance(address, ipaddress.IPv4Address):
        octets = str(address).split(".")
        yield str(int(address))
        yield "-".join(octets)
        yield ".".join(reversed(octets))
        yield ".".join(octet.zfill(3) for octet in octets)
        yield ".".join(f"0{int(octet):o}" if int(octet) else "0" for octet in octets)
        yield ".".join(f"0x{int(octet):x}" for octet in octets)
        yield address.packed.hex()
        yield str(ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed))
    else:
        yield address.exploded
        yield address.compressed
        yield str(int(address))
