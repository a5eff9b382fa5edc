"""Fields against the log source: those it never has, and values that its fields never hold."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.item import Item
from amagasa.detect.lint.texts import pattern_of
from amagasa.detect.lint.tree import Map, Scalar
from amagasa.detect.lint.words import nearest
from amagasa.event.feeds import Feed, feeds_of, known_sources, names_of
from amagasa.event.record import LogSource

_PATHS: Final = frozenset({
    "Image", "ParentImage", "SourceImage", "TargetImage", "ImageLoaded", "TargetFilename", "NewProcessName",
    "ParentProcessName",
})  # fmt: skip
_TEXTS: Final = _PATHS | frozenset({
    "CommandLine", "ParentCommandLine", "CurrentDirectory", "OriginalFileName", "TargetObject", "Details", "User",
    "ParentUser", "Product", "Company", "Description", "PipeName", "QueryName", "DestinationHostname",
    "ScriptBlockText", "Hashes", "cs-uri", "cs-uri-stem", "cs-uri-query", "cs-user-agent", "cs-referer",
    "cs-method", "cs-host", "c-ip", "SourceIp", "DestinationIp",
})  # fmt: skip
# Of processes that have no file, and of those that Sysmon could not ask.
_NO_PATH: Final = frozenset(
    {
        "system",
        "registry",
        "memcompression",
        "memory compression",
        "<unknown process>",
        "secure system",
        "-",
        "",
        "idle",
        "vmmem",
        "vmmemwsl",
    }
)
_WORDS: Final[dict[str, frozenset[str]]] = {
    "Initiated": frozenset({"true", "false"}),
    "Protocol": frozenset({"tcp", "udp"}),
    "SourceIsIpv6": frozenset({"true", "false"}),
    "DestinationIsIpv6": frozenset({"true", "false"}),
    "Signed": frozenset({"true", "false"}),
}
_PORTS: Final = frozenset({"DestinationPort", "SourcePort", "src_port", "dst_port", "dest_port"})
_HASH_LENGTHS: Final = {"md5": 32, "sha1": 40, "sha256": 64, "imphash": 32}
_HASH: Final = re.compile(r"\b(md5|sha1|sha256|imphash)=([0-9a-z]+)$", re.IGNORECASE)
_HEX: Final = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)
_HIVES: Final = re.compile(r"\\?(HKEY_[A-Z_]+|HKCU|HKCC|Computer\\HKEY_[A-Z_]+)\\", re.IGNORECASE)
_SHORT_HIVES: Final = {
    "HKEY_LOCAL_MACHINE": "write HKLM\\",
    "HKEY_USERS": "write HKU\\",
    "HKEY_CLASSES_ROOT": "write HKCR\\",
    "HKCU": "write HKU\\*\\, or |contains without the hive",
    "HKEY_CURRENT_USER": "write HKU\\*\\, or |contains without the hive",
}


class Sources(Struct, frozen=True):
    """The log source of a rule and what feeds it."""

    source: LogSource
    feeds: tuple[Feed, ...]

    @property
    def is_closed(self) -> bool:
        """Whether every field that there can be is known."""
        return bool(self.feeds) and all(feed.is_closed for feed in self.feeds)

    @property
    def is_windows(self) -> bool:
        """Whether all of it comes from Windows."""
        return bool(self.feeds) and all(feed.route.name.startswith("windows/") for feed in self.feeds)

    @property
    def fields(self) -> frozenset[str]:
        """Every field that is known of any of the feeds."""
        return frozenset(field for feed in self.feeds for field in feed.fields)

    def has(self, field: str) -> bool:
        """Whether a record of the log source may have it."""
        return any(
            not feed.is_closed or field in feed.fields or (feed.is_case_blind and field.lower() in feed.fields)
            for feed in self.feeds
        )


def sources_of(rule: Map) -> Sources | None:
    """The log source that the rule names; None where it names none."""
    source = rule.get("logsource")
    if not isinstance(source, Map):
        return None
    given: dict[str, str | None] = {}
    for name in ("category", "product", "service"):
        value = source.get(name)
        is_given = isinstance(value, Scalar) and value.value is not None and bool(value.text)
        given[name] = value.text.lower() if isinstance(value, Scalar) and is_given else None
    if not any(given.values()):
        return None
    asked = LogSource(**given)
    return Sources(asked, feeds_of(asked))


def meant(sources: Sources) -> tuple[Sources, str]:
    """The log source that was probably meant where nothing feeds the one written, and the question to ask."""
    if sources.feeds:
        return sources, ""
    for name in ("category", "service", "product"):
        value = getattr(sources.source, name)
        known = {getattr(one, name) for one in known_sources()} - {None}
        near = nearest(value, known, cutoff=0.85) if value and value not in known else ""
        if near:
            asked = replace(sources.source, **{name: near})
            return Sources(asked, feeds_of(asked)), f"did you mean {name} {near}?"
    return sources, ""


def check_source(rule: Map, sources: Sources) -> Iterator[Finding]:
    """Whether anything feeds the log source, and what is nearest where nothing does."""
    entry = rule.entry("logsource")
    if sources.feeds or entry is None:
        return
    asked = {name: getattr(sources.source, name) for name in ("category", "product", "service")}
    shown = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
    hint = meant(sources)[1]
    yield say("no-feed", entry.key.place, f"nothing that is read here is of {shown}", hint=hint)


def check_fields(item: Item, sources: Sources | None) -> Iterator[Finding]:
    """Whether the item's field can be there, and its values in it."""
    if not item.field:
        return
    if sources is not None and sources.feeds:
        yield from _presence(item, item.field, sources)
        if item.field == "EventID":
            yield from _event_ids(item, sources)
    for value in item.values:
        if "fieldref" in item.words:
            if sources is not None and sources.feeds:
                yield from _presence(item, value.text, sources, at=value)
            continue
        yield from _holds(item, value, is_windows=sources is not None and sources.is_windows)
    numbers = [one for one in item.modifiers if one.word in {"lt", "lte", "gt", "gte"}]
    if numbers and item.field in _TEXTS:
        yield say("text-compared", item.place_of(numbers[0]), f"{item.field} holds text, which has no size")


def _presence(item: Item, field: str, sources: Sources, *, at: Scalar | None = None) -> Iterator[Finding]:
    place = item.place_of_field() if at is None else at.place
    if not sources.has(field):
        near = nearest(field, sources.fields, cutoff=0.75)
        hint = f"did you mean {near}?" if near else ""
        yield say("unknown-field", place, f"{names_of(sources.feeds)}: never has {quoted(field)}", hint=hint)
        return
    known = sources.fields
    if sources.is_closed or field in known or len(field) < 5:
        return
    is_blind = all(feed.is_case_blind for feed in sources.feeds)
    near = nearest(field, known, cutoff=0.9)
    if near and not (is_blind and near.lower() == field.lower()) and not _differs_by_number(near, field):
        what = f"{names_of(sources.feeds)}: {quoted(field)} is not known, {quoted(near)} is"
        yield say("field-typo", place, what, hint=f"did you mean {near}?")


def _differs_by_number(one: str, other: str) -> bool:
    """`param1` and `param11` are two fields, not one and its misspelling."""
    return re.sub(r"\d+", "", one) == re.sub(r"\d+", "", other)


def _event_ids(item: Item, sources: Sources) -> Iterator[Finding]:
    given = [dict(feed.route.known).get("EventID") for feed in sources.feeds]
    if None in given or item.words:
        return
    for value in item.values:
        if value.kind == "int" and value.value not in given:
            expected = " or ".join(sorted({str(one) for one in given}))
            what = f"{names_of(sources.feeds)}: never an event {value.text}"
            yield say("event-id", value.place, what, expected=expected)


def _holds(item: Item, value: Scalar, *, is_windows: bool) -> Iterator[Finding]:
    """Values that the field never has."""
    if value.value is None or item.words & {"re", "exists", "expand"}:
        return
    pattern = pattern_of(value.text)
    is_whole = not item.words & {"contains", "startswith", "endswith"} and not pattern.has_wildcard
    yield from _hashes(item, value, is_whole=is_whole)
    if item.field in _WORDS and is_whole and value.text.lower() not in {"", "-", *_WORDS[item.field]}:
        expected = " or ".join(sorted(_WORDS[item.field]))
        yield say("never-equal", value.place, f"{item.field} is never {quoted(value.text)}", expected=expected)
    if item.field in _PORTS and value.kind == "int" and isinstance(value.value, int) and not 0 <= value.value < 65536:
        yield say("never-equal", value.place, f"{value.text} is no port", expected="0 to 65535")
    if item.field == "GrantedAccess" and is_whole and not _HEX.fullmatch(value.text) and value.kind == "str":
        yield say("never-equal", value.place, f"GrantedAccess is never {quoted(value.text)}", expected="such as 0x1010")
    if is_windows:
        yield from _paths(item, value, is_whole=is_whole)
        yield from _registry(item, value)


def _paths(item: Item, value: Scalar, *, is_whole: bool) -> Iterator[Finding]:
    text = value.text
    if item.field in _PATHS and is_whole and "\\" not in text and "/" not in text and text.lower() not in _NO_PATH:
        what = f"{item.field} holds a whole path, never {quoted(text)} alone"
        yield say("never-equal", value.place, what, hint=f"did you mean {item.field}|endswith: '\\{text[:40]}'?")
    starts = "startswith" in item.words and item.field in _PATHS and text[:1].isalnum()
    if starts and ":" not in text and "\\" not in text and "*" not in text and text.lower() not in _NO_PATH:
        what = f"{item.field} begins with a drive or a backslash, never with {quoted(text)}"
        yield say("never-equal", value.place, what, hint=f"did you mean {item.field}|endswith or |contains?")
    ends = "endswith" in item.words or is_whole
    if item.field == "OriginalFileName" and ends and "\\" in text:
        what = "OriginalFileName holds a name without a path"
        yield say("never-equal", value.place, what, hint=f"write {quoted(text.rpartition(chr(92))[2])}")


def _registry(item: Item, value: Scalar) -> Iterator[Finding]:
    if item.field != "TargetObject" or "endswith" in item.words or not (found := _HIVES.match(value.text)):
        return
    hive = found[1].upper().rpartition("\\")[2]
    hint = _SHORT_HIVES.get(hive, "leave the hive out, with |contains")
    what = f"Sysmon never writes {quoted(found[1])}"
    yield say("never-equal", value.within(0, len(found[1])), what, hint=hint)


def _hashes(item: Item, value: Scalar, *, is_whole: bool) -> Iterator[Finding]:
    text = value.text
    length = _HASH_LENGTHS.get(item.field.lower())
    if length is not None and is_whole and text and len(text) != length:
        what = f"{item.field} has {length} characters, {quoted(text)} has {len(text)}"
        yield say("hash-length", value.place, what)
    if item.field not in {"Hashes", "Hash"}:
        return
    if is_whole and "=" not in text and text:
        what = f"{item.field} holds a list such as SHA256=...,IMPHASH=..."
        yield say("never-equal", value.place, what, hint=f"did you mean {item.field}|contains?")
    found = _HASH.search(text)
    if found and "startswith" not in item.words and len(found[2]) != _HASH_LENGTHS[found[1].lower()]:
        what = f"a {found[1].upper()} has {_HASH_LENGTHS[found[1].lower()]} characters, this one {len(found[2])}"
        yield say("hash-length", value.within(found.start(2), len(found[2])), what)


def lacking(sources: Sources, used: Sequence[str]) -> list[tuple[str, list[str]]]:
    """(feed, fields of the rule which it never has), for the feeds that lack some but not for fields all lack."""
    found = []
    for feed in sources.feeds:
        own = Sources(sources.source, (feed,))
        missing = [field for field in used if not own.has(field) and sources.has(field)]
        if missing:
            found.append((feed.name, missing))
    return found
