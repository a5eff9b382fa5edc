"""Indicators looked over: STIX objects in the text of a bundle, and entries of flat lists."""

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.kinds import kind_of
from amagasa.detect.indicators.listing import Columns
from amagasa.detect.indicators.never import is_never, is_shared
from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import START, Finding, Place, with_source
from amagasa.detect.lint.words import did_you_mean
from amagasa.detect.report import RuleFault
from amagasa.detect.stix.observables import known_paths
from amagasa.detect.stix.parse import parse, parse_equality
from amagasa.detect.stix.pattern import PatternFault
from amagasa.vocab.instants import from_rfc3339
from amagasa.vocab.text import show

MAX_OF_A_KIND: Final = 100  # findings of one code in one file: a list may have a million entries
_EMPTY: Final = frozenset(
    {
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)
_ADDRESSES: Final = frozenset({"ipv4-addr", "ipv6-addr"})
# Shorter prefixes hold whole countries.
_LEAST_PREFIX: Final = {4: 8, 6: 20}
_UNKNOWN_PATH: Final = re.compile(r"object path (\S+)")
_PATTERN: Final = re.compile(rb'"pattern"\s*:\s*"')
_RAW_OBJECTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


class Places:
    """Where bytes of a text stand, in lines and columns."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._starts = [0, *(match.end() for match in re.finditer(rb"\n", raw))]

    def at(self, offset: int, n_bytes: int = 1) -> Place:
        """The place of these bytes, of which none is the end of a line."""
        line = bisect_right(self._starts, offset)
        start = self._starts[line - 1]
        column = len(self._raw[start:offset].decode("utf-8", "replace")) + 1
        return Place(line, column, len(self._raw[offset : offset + n_bytes].decode("utf-8", "replace")))

    def placed(self, findings: Iterable[Finding]) -> list[Finding]:
        """With the line that each points to."""
        found = list(findings)
        lines = self._raw.decode("utf-8", "replace").split("\n")
        return list(with_source(found, lines))


def check_stix(raw: bytes, *, now: datetime) -> list[Finding]:
    """The indicators among the objects of a bundle, a list of objects, or objects a line."""
    places = Places(raw)
    return places.placed(_first_of_each(_check_objects(_objects_in(raw), places, now)))


def _check_objects(found: Sequence[tuple[int, bytes]], places: Places, now: datetime) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for offset, body in found:
        try:
            one = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            yield say("cannot-use", places.at(offset), f"no JSON object: {show(str(error))}")
            continue
        if not isinstance(one, dict) or one.get("type") != "indicator":
            continue
        start, n_bytes = _pattern_in(body)
        place = places.at(offset + start, n_bytes) if n_bytes else places.at(offset)
        yield from _check_indicator(one, body, place, places=places, offset=offset, now=now)
        pattern = one.get("pattern")
        if isinstance(pattern, str):
            if pattern in seen:
                line = places.at(seen[pattern]).line
                yield say("duplicate-indicator", place, f"the same pattern stands in line {line} as well")
            seen.setdefault(pattern, offset)


def _check_indicator(
    one: Mapping[str, Any], body: bytes, place: Place, *, places: Places, offset: int, now: datetime
) -> Iterator[Finding]:
    _, faults = compile_indicators([one])
    pattern = one.get("pattern")
    for fault in faults:
        yield _unusable(fault, pattern, body, place, places=places, offset=offset)
    if faults or one.get("revoked") is True or not isinstance(pattern, str):
        return
    until = _instant(one.get("valid_until"))
    if until is not None and until <= now:
        yield say("indicator-ended", place, f"it held until {show(str(one['valid_until']), 40)}: nothing is looked for")
    if until is None and not isinstance(one.get("confidence"), int):
        yield say("indicator-endless", place, "neither valid_until nor confidence: it counts for ever, as if unsure")
    simple = parse_equality(pattern) if one.get("pattern_type", "stix") == "stix" else None
    if simple:
        yield from check_value(simple[2], place, kind=simple[0], is_listed=False)


def _unusable(fault: RuleFault, pattern: Any, body: bytes, place: Place, *, places: Places, offset: int) -> Finding:
    """Why it cannot run, at the character of the pattern which stops it where JSON writes the pattern as it is."""
    parsed = parse(pattern) if isinstance(pattern, str) else None
    start, n_bytes = _pattern_in(body)
    raw = pattern.encode("utf-8", "surrogatepass") if isinstance(pattern, str) else b""
    if isinstance(parsed, PatternFault) and isinstance(pattern, str) and body[start : start + n_bytes] == raw:
        at = len(pattern[: parsed.at].encode("utf-8", "surrogatepass"))
        place = places.at(offset + start + min(at, max(n_bytes - 1, 0)))
    unknown = _UNKNOWN_PATH.search(fault.why)
    hint = did_you_mean(unknown[1], [f"{kind}:{path}" for kind, path in known_paths()]) if unknown else ""
    return say("cannot-use", place, fault.why, hint=hint)


def check_value(value: str, place: Place, *, kind: str, is_listed: bool) -> Iterator[Finding]:
    """What is odd about an address, domain or hash; of a list, it is not looked for where it says nothing."""
    then = ": it is not looked for" if is_listed else ""
    if kind in _ADDRESSES:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return  # the compiler says so
        if is_never(value):
            yield say("indicator-own", place, f"{quoted(value)} is another machine in every network{then}")
        elif network.prefixlen < _LEAST_PREFIX[network.version]:
            yield say("indicator-wide", place, f"{quoted(value)} holds {network.num_addresses:,} addresses")
    elif kind == "domain-name":
        if _is_address(value):
            hint = f"did you mean {'ipv6' if ':' in value else 'ipv4'}-addr:value?"
            what = f"{quoted(value)} is an address, not a name"
            yield say("indicator-form", place, what, hint=hint)
        elif value.lower() in {"localhost", "localhost.localdomain"}:
            yield say("indicator-own", place, f"{quoted(value)} is the machine itself, everywhere{then}")
        elif is_shared(value.lower()):
            what = f"strangers have their names below {quoted(value)}"
            yield say("indicator-wide", place, what, hint="name the one that is meant")
    elif kind == "file" and value.lower() in _EMPTY:
        yield say("indicator-hash", place, "this is the hash of an empty file, which every machine has")


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


class ListLint:
    """Takes the entries of a flat list, as `detect.indicators.flat.FlatList` does, and keeps what is odd of them."""

    def __init__(self) -> None:
        self.n_read = 0
        self._findings: list[Finding] = []

    def findings(self) -> list[Finding]:
        """What was found, of each code the first hundred."""
        return list(_first_of_each(self._findings))

    def add_values(self, lines: Sequence[str], first_line: int) -> None:
        """Lines with a value first."""
        for number, line in enumerate(lines, first_line):
            bare = line.strip()
            if bare and not bare.startswith(("#", ";", "//")):
                self._take(number, re.split(r"[\s#;,]", bare, maxsplit=1)[0])

    def add_rows(self, lines: Sequence[str], columns: Columns, mark: str, *, first_line: int) -> None:
        """Lines of a CSV without quotes."""
        self.add_fields(((number, line.split(mark)) for number, line in enumerate(lines, first_line)), columns)

    def add_fields(self, rows: Iterable[tuple[int, Sequence[str]]], columns: Columns) -> None:
        """Rows of fields with the numbers of their lines."""
        for number, row in rows:
            if len(row) > columns.value and not row[0].startswith("#"):
                self._take(number, row[columns.value].strip())

    def fault(self, line: int, why: str) -> None:
        """A line that could not even be cut into fields."""
        self.n_read += 1
        self._findings.append(say("cannot-use", Place(line, 1), why))

    def _take(self, line: int, value: str) -> None:
        self.n_read += 1
        if len(self._findings) >= 100 * MAX_OF_A_KIND:
            return
        kind = kind_of(value)
        if kind is not None:
            place = Place(line, 1, len(value))
            found = check_value(value.strip(), place, kind=kind.path.partition(":")[0], is_listed=True)
            self._findings.extend(replace(one, source=value) for one in found)


def unusable_lines(faults: Iterable[tuple[int, str]]) -> list[Finding]:
    """(line or 0, why) of what a list's reader refused."""
    return [say("cannot-use", Place(line, 1, 1) if line else START, why) for line, why in faults]


def _first_of_each(findings: Iterable[Finding]) -> Iterator[Finding]:
    counts: dict[str, int] = {}
    for one in findings:
        counts[one.code] = counts.get(one.code, 0) + 1
        if counts[one.code] <= MAX_OF_A_KIND:
            yield one
    for code, n in counts.items():
        if n > MAX_OF_A_KIND:
            yield say(code, START, f"{n - MAX_OF_A_KIND:,} more of these in this file")


def _objects_in(raw: bytes) -> list[tuple[int, bytes]]:
    """(offset, bytes) of each object of a bundle, a list, or of lines; the whole where it is one object."""
    start = len(raw) - len(raw.lstrip())
    try:
        if raw[start : start + 1] == b"[":
            parts: Sequence[msgspec.Raw] = _RAW_OBJECTS.decode(raw)
        else:
            whole = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            if "objects" not in whole:
                return [(start, raw[start:].rstrip())]
            parts = _RAW_OBJECTS.decode(whole["objects"])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _lines_in(raw)
    found = []
    at = start
    for part in parts:
        body = bytes(part)
        at = raw.find(body, at)
        found.append((at, body))
        at += len(body)
    return found


def _lines_in(raw: bytes) -> list[tuple[int, bytes]]:
    found = []
    at = 0
    for line in raw.split(b"\n"):
        if line.strip():
            found.append((at + len(line) - len(line.lstrip()), line.strip()))
        at += len(line) + 1
    return found


def _pattern_in(body: bytes) -> tuple[int, int]:
    """Where the pattern's text begins in the bytes of an object, and its length there; 0 of it where there is none."""
    match = _PATTERN.search(body)
    if match is None:
        return 0, 0
    end = match.end()
    while end < len(body) and body[end : end + 1] != b'"':
        end += 2 if body[end : end + 1] == b"\\" else 1
    return match.end(), end - match.end()


def _instant(value: Any) -> datetime | None:
    try:
        return from_rfc3339(value) if isinstance(value, str) else None
    except ValueError:
        return None
