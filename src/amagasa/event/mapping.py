"""A mapping: how records of a kind that nobody knew before become events, written as TOML by whoever has them.

    name = "acme-proxy"
    kind = "csv"                        # json, csv, key_value or pattern
    columns = ["time", "client", "method", "url", "status"]
    encoding = "cp932"                  # utf-8 where it is left out

    [logsource]                         # Sigma's log source; or several, each under [[logsource]]
    category = "proxy"

    [time]
    field = "time"
    format = "%d/%m/%Y %H:%M:%S"        # auto, iso, epoch, or what strptime takes
    zone = "Asia/Tokyo"                 # where the time itself names none

    [fields]                            # Sigma's name = the record's own
    c-ip = "client"
    cs-method = "method"
    sc-status = { from = "status", type = "int" }
    action = { from = "verdict", values = { "0" = "blocked", "1" = "allowed" } }

Other fields of the record keep their own names, unless `others = false`. A mapping is checked before anything is read.
"""

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import re2  # type: ignore[import-untyped]
from msgspec import Struct

from amagasa.vocab.text import show

MAX_FIELDS: Final = 512
MAX_COLUMNS: Final = 1_024
MAX_PATTERN_BYTES: Final = 4_096
_MAX_PATTERN_MEMORY: Final = 8 * 1_048_576
UTF_8: Final = "utf-8"
# In none of these is 0x0A a part of another character, so lines can be told before they are read.
_ENCODINGS: Final = {
    "utf-8": UTF_8,
    **dict.fromkeys(("cp932", "shift-jis", "sjis", "windows-31j", "ms932"), "cp932"),
    "euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp",
    "euc-kr": "euc_kr",
    "gb18030": "gb18030",
    "big5": "big5",
    "cp1252": "cp1252",
    "latin-1": "latin-1",
}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OFFSET: Final = re.compile(r"[+-][0-9]{2}:?[0-9]{2}")
_DIRECTIVES: Final = frozenset("aAwdbBmyYHIpMSfzZjUWcxXGuV%")


class Kind(StrEnum):
    """What a record is before it is mapped."""

    JSON = "json"  # an object
    CSV = "csv"  # cells in the order of `columns`; a line that holds the columns' names is a header
    KEY_VALUE = "key_value"  # key=value, with quotes where a value has blanks
    PATTERN = "pattern"  # a regular expression (RE2) with named groups, which the whole line fits


class Type(StrEnum):
    """What a value is read as; where it cannot be, it stays the text it is."""

    TEXT = "text"
    INT = "int"
    LIST = "list"  # cut at `separator`


class FieldMap(Struct, frozen=True, kw_only=True):
    """One field of the event: the first of `sources` which the record has, or always `constant`.

    `values` gives what stands for a value; others stay.
    """

    name: str
    sources: tuple[str, ...] = ()
    constant: str | None = None
    type: Type = Type.TEXT
    separator: str = ","
    values: tuple[tuple[str, str], ...] = ()


class TimeMap(Struct, frozen=True, kw_only=True):
    """Where the time stands and how it is written: `auto`, `iso`, `epoch`, or strptime's directives.

    `zone` is an IANA name or an offset, for a time which names none; "" is UTC.
    """

    field: str
    format: str = "auto"
    zone: str = ""


class MappedSource(Struct, frozen=True, forbid_unknown_fields=True):
    """Sigma's `logsource`, as `event.record.LogSource`."""

    category: str | None = None
    product: str | None = None
    service: str | None = None


class LogMapping(Struct, frozen=True, kw_only=True):
    """A checked mapping. `absent` are texts that stand for no value; `skip` fits lines that are no records."""

    name: str
    kind: Kind
    sources: tuple[MappedSource, ...]
    fields: tuple[FieldMap, ...] = ()
    time: TimeMap | None = None
    columns: tuple[str, ...] = ()
    separator: str = ","
    quote: str = '"'
    assign: str = "="
    pattern: str = ""
    skip: str = ""
    absent: tuple[str, ...] = ("", "-")
    keeps_others: bool = True
    encoding: str = UTF_8


class MappingFault(Struct, frozen=True, kw_only=True):
    """What is wrong with a mapping: the line of its text (0: none), and one sentence."""

    line: int
    why: str


class _Time(Struct, frozen=True, forbid_unknown_fields=True):
    field: str
    format: str = "auto"
    zone: str = ""


class _Field(Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    source: str | tuple[str, ...] = ()
    value: str | int | bool | None = None
    type: Type = Type.TEXT
    separator: str = ","
    values: dict[str, str] = {}


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    kind: Kind
    logsource: MappedSource | tuple[MappedSource, ...]
    fields: dict[str, str | _Field] = {}
    time: _Time | None = None
    columns: tuple[str, ...] = ()
    separator: str = ","
    quote: str = '"'
    assign: str = "="
    pattern: str = ""
    skip: str = ""
    absent: tuple[str, ...] = ("", "-")
    others: bool = True
    encoding: str = UTF_8


_KEYS: Final = tuple(
    name for shape in (_Document, _Field, _Time, MappedSource) for name in shape.__struct_encode_fields__
)
_AT: Final = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)")
_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")


def read_mapping(text: str) -> LogMapping | tuple[MappingFault, ...]:
    """The mapping that `text` states; else everything that is wrong with it. Never raises."""
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error)
        at = _AT.search(said)
        return (MappingFault(line=int(at[1]) if at else 0, why=f"not TOML: {show(said)}"),)
    try:
        document = msgspec.convert(found, _Document)
    except msgspec.ValidationError as error:
        return (_misshapen(text, str(error)),)
    mapping = _mapping(document)
    faults = tuple(MappingFault(line=_line_of(text, key), why=why) for key, why in _faults(mapping))
    return faults or mapping


def pattern_of(expression: str) -> Any:
    """The expression compiled by RE2, which is linear in what it reads. Raises ValueError with what is wrong."""
    options = re2.Options()
    options.max_mem = _MAX_PATTERN_MEMORY
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if error.args else error
        message = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(message) from None


def _mapping(document: _Document) -> LogMapping:
    given = document.logsource if isinstance(document.logsource, tuple) else (document.logsource,)
    time = document.time
    return LogMapping(
        name=document.name,
        kind=document.kind,
        sources=tuple(
            MappedSource(category=one.category or None, product=one.product or None, service=one.service or None)
            for one in given
        ),
        fields=tuple(_field(name, given) for name, given in document.fields.items()),
        time=None if time is None else TimeMap(field=time.field, format=time.format, zone=time.zone),
        columns=document.columns,
        separator=document.separator,
        quote=document.quote,
        assign=document.assign,
        pattern=document.pattern,
        skip=document.skip,
        absent=document.absent,
        keeps_others=document.others,
        encoding=_ENCODINGS.get(document.encoding.lower().replace("_", "-"), document.encoding),
    )


def _field(name: str, given: str | _Field) -> FieldMap:
    if isinstance(given, str):
        return FieldMap(name=name, sources=(given,))
    constant = given.value
    if isinstance(constant, bool):
        constant = str(constant).lower()
    return FieldMap(
        name=name,
        sources=(given.source,) if isinstance(given.source, str) else given.source,
        constant=None if constant is None else str(constant),
        type=given.type,
        separator=given.separator,
        values=tuple(given.values.items()),
    )


def _faults(mapping: LogMapping) -> list[tuple[str, str]]:
    """Keys and what is wrong with what stands there."""
    found: list[tuple[str, str]] = []
    if not _NAME.fullmatch(mapping.name):
        found.append(("name", f"expected letters, digits, `.`, `_` or `-`, 64 at most; got {show(mapping.name)}"))
    if not mapping.sources or not all(any((one.category, one.product, one.service)) for one in mapping.sources):
        found.append(("logsource", "expected a category, a product or a service: rules are chosen by them"))
    if len(mapping.fields) > MAX_FIELDS:
        found.append(("fields", f"expected {MAX_FIELDS} fields at most; got {len(mapping.fields)}"))
    if mapping.encoding not in _ENCODINGS.values():
        near = ", ".join(sorted(set(_ENCODINGS)))
        found.append(("encoding", f"expected one in which a line feed is always one byte: {near}"))
    found += _faults_of_kind(mapping)
    names = known_names(mapping)
    for field in mapping.fields:
        found += _faults_of_field(field, names)
    if mapping.time is not None:
        found += _faults_of_time(mapping.time, names)
    return found


def known_names(mapping: LogMapping) -> tuple[str, ...] | None:
    """The names which a record can have; None where it brings its own."""
    if mapping.kind is Kind.CSV:
        return mapping.columns
    if mapping.kind is not Kind.PATTERN:
        return None
    try:
        return tuple(pattern_of(mapping.pattern).groupindex)
    except ValueError:
        return None


def _faults_of_kind(mapping: LogMapping) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if mapping.kind is Kind.CSV:
        found += _faults_of_columns(mapping.columns)
        found += [
            (key, f"expected one character; got {show(text)}")
            for key, text in (("separator", mapping.separator), ("quote", mapping.quote))
            if len(text) != 1 or text in "\r\n"
        ]
    elif mapping.columns:
        found.append(("columns", "only kind csv has columns"))
    if mapping.kind is Kind.KEY_VALUE and (len(mapping.assign) != 1 or mapping.assign in ' "\\'):
        found.append(("assign", f"expected one character, no blank and no quote; got {show(mapping.assign)}"))
    if mapping.kind is Kind.PATTERN:
        found += _faults_of_pattern("pattern", mapping.pattern, has_groups=True)
    elif mapping.pattern:
        found.append(("pattern", "only kind pattern has a pattern"))
    return found + (_faults_of_pattern("skip", mapping.skip, has_groups=False) if mapping.skip else [])


def _faults_of_columns(columns: tuple[str, ...]) -> list[tuple[str, str]]:
    if not columns or len(columns) > MAX_COLUMNS:
        return [("columns", f"expected the names of the cells in their order, 1 to {MAX_COLUMNS}; got {len(columns)}")]
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    return [("columns", f"a name stands twice: {show(', '.join(twice))}; an empty name drops a cell")] if twice else []


def _faults_of_pattern(key: str, expression: str, *, has_groups: bool) -> list[tuple[str, str]]:
    if not expression or len(expression) > MAX_PATTERN_BYTES:
        return [(key, f"expected a regular expression of 1 to {MAX_PATTERN_BYTES} characters; got {len(expression)}")]
    try:
        compiled = pattern_of(expression)
    except ValueError as error:
        return [(key, f"RE2 cannot read it: {show(str(error))} (no look-around, no back references)")]
    if has_groups and not compiled.groupindex:
        return [(key, "expected named groups, e.g. (?P<client>[0-9.]+): each becomes a field")]
    return []


def _faults_of_field(field: FieldMap, names: tuple[str, ...] | None) -> list[tuple[str, str]]:
    key = f"fields.{field.name}"
    if not field.name or len(field.name) > 256:
        return [(key, "expected a name of 1 to 256 characters")]
    if bool(field.sources) == (field.constant is not None):
        return [(key, "expected either `from`, the record's own name, or `value`, which is always the same")]
    if field.type is Type.LIST and not field.separator:
        return [(key, "a list needs a separator")]
    return [(key, _not_there(name, names)) for name in field.sources if names is not None and name not in names]


def _faults_of_time(time: TimeMap, names: tuple[str, ...] | None) -> list[tuple[str, str]]:
    found = [("time.field", _not_there(time.field, names))] if names is not None and time.field not in names else []
    if time.format not in {"auto", "iso", "epoch"}:
        directives = re.findall(r"%(.?)", time.format, re.DOTALL)
        wrong = [one for one in directives if one not in _DIRECTIVES or not one]
        if wrong or not directives:
            why = f"expected auto, iso, epoch, or strptime's directives; got {show(time.format)}"
            found.append(("time.format", why))
    if time.zone and not _OFFSET.fullmatch(time.zone):
        try:
            ZoneInfo(time.zone)
        except (ValueError, OSError, LookupError):
            why = f"expected a zone such as Asia/Tokyo or +09:00 that this machine knows; got {show(time.zone)}"
            found.append(("time.zone", why))
    return found


def _not_there(name: str, names: Iterable[str]) -> str:
    known = [one for one in names if one]
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {show(near[0])}?" if near else ""
    return f"the record has no {show(name)}; it has {show(', '.join(known))}{hint}"


def _misshapen(text: str, said: str) -> MappingFault:
    """What msgspec says, with the line and the nearest key."""
    place = _PATH.search(said)
    key = place[1].replace("[...]", "").strip(".") if place else ""
    why = _PATH.sub("", said)
    unknown = _UNKNOWN.search(said)
    if unknown:
        near = get_close_matches(unknown[1], _KEYS, n=1, cutoff=0.6)
        why = f"there is no {show(unknown[1])}" + (
            f"; did you mean {near[0]}?" if near else f" in {key or 'a mapping'}"
        )
        key = f"{key}.{unknown[1]}".strip(".")
    return MappingFault(line=_line_of(text, key), why=f"{key + ': ' if key else ''}{show(why)}")


def _line_of(text: str, key: str) -> int:
    """The line on which the key (`table.key`) is written, else that of its table; 0 where neither is found."""
    table, _, name = key.rpartition(".")
    here, found = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = stripped.strip("[]").split("]")[0].strip()
            found = number if here in {table, key} and not found else found
        elif here == table and stripped.partition("=")[0].strip().strip("\"'") == name:
            return number
    return found
