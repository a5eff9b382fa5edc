"""What a hunt looks with: texts, a rule, an indicator; and what lets it pass by parts of the lake."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.lake_ports import MayHold
from amagasa.app.path import look
from amagasa.app.sight import Sight
from amagasa.detect.report import Detection, RuleFault
from amagasa.event.entities import entities_of
from amagasa.event.entity import EntityKind
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Format, Route
from amagasa.event.words import Probe, is_escaped, may_hold, needed, probes_of
from amagasa.vocab.text import show

RAW_CHARACTERS: Final = 2_000
# A filter is not asked about more values than this: one of so many seems to be everywhere.
MAX_VALUES: Final = 256
_ESCAPE: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(.)|$)", re.DOTALL)
_LETTERS: Final = re.compile(rb"\\u00(?:3[0-9]|[46][1-9a-f]|[57][0-9a])")
_ANY: Final = re.compile(rb"\\u00[2-7]")
_PLAIN: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}
# Auditd writes values in hexadecimal, which readers decode: filters know nothing of what they mean.
_NOT_AUDIT: Final = frozenset({Format.WINDOWS, Format.ACCESS})
_ENCODED: Final = tuple(map(Probe, needed("audit")))


class Found(Struct, frozen=True, kw_only=True):
    """A record that was hunted for. `event_at` is None where it carries no instant; `raw` is cut and safe to show."""

    source: str = ""
    path: str
    record: int
    event_at: datetime | None
    read_at: datetime
    title: str = ""
    content_id: str = ""
    hosts: tuple[str, ...] = ()
    fields: Mapping[str, Any] = {}
    raw: str = ""
    detection: Detection | None = None


class Sought(Struct, frozen=True, kw_only=True):
    """What was found in one chunk, and what could not be looked at there."""

    found: tuple[Found, ...] = ()
    n_rejected: int = 0
    faults: tuple[RuleFault, ...] = ()


class Seeker(Protocol):
    """Looks at chunks; `may_hold` says which blocks it need not see (None: it must see all)."""

    @property
    def may_hold(self) -> MayHold | None:
        """Of a block."""

    def seek(self, chunk: Chunk, *, now: datetime) -> Sought:
        """What is found in the records of a chunk."""


class Text:
    """A text between word boundaries; `*` stands for any characters but white space."""

    def __init__(self, text: str) -> None:
        self.parts = text.split("*")
        self.probes = tuple(probe for part, edges in self._certain() for probe in probes_of(_inner(part, edges)))
        longest = max(self.parts, key=len)
        self.needles = tuple(dict.fromkeys(_written(longest)))
        body = rb"[^\s]*?".join(re.escape(folded(part.encode())) for part in self.parts)
        self.pattern = re.compile(_start(text) + body + _end(text))

    def _certain(self) -> Iterator[tuple[str, tuple[bool, bool]]]:
        last = len(self.parts) - 1
        for at, part in enumerate(self.parts):
            yield part, (at > 0, at < last)


def folded(data: bytes) -> bytes:
    """Letters of ASCII in small case: the only folding a hunt for texts knows."""
    return data.lower()


def _inner(part: str, is_cut: tuple[bool, bool]) -> str:
    """The text without the words at edges that are open: only part of these may stand there."""
    start = re.match(r"[0-9A-Za-z]+|[^\x00-\x7f]+", part) if is_cut[0] else None
    part = part[start.end() :] if start else part
    end = re.search(r"(?:[0-9A-Za-z]+|[^\x00-\x7f]+)$", part) if is_cut[1] else None
    return part[: end.start()] if end else part


def _start(text: str) -> bytes:
    is_open = not text[0].isascii() or not text[0].isalnum()
    return b"" if is_open else rb"(?:(?<![0-9a-z])|(?<=%[0-9a-f]{2})|(?<=\\x[0-9a-f]{2}))"


def _end(text: str) -> bytes:
    return b"" if not text[-1].isascii() or not text[-1].isalnum() else rb"(?![0-9a-z])"


def _written(text: str) -> Iterator[bytes]:
    """The ways in which a text may be written, folded."""
    yield folded(text.encode("utf-8", "replace"))
    yield folded(msgspec.json.encode(text)[1:-1])
    yield folded(text.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00"))


def unescaped(line: bytes) -> bytes:
    """The text of a line of JSON, its escapes read."""
    return _ESCAPE.sub(_meant, line) if b"\\" in line else line


def _meant(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return chr(int(found[1], 16)).encode("utf-8", "surrogatepass")
    one: bytes = found[2] or b""
    return _PLAIN.get(one, one)


class TextSeeker:
    """Records that hold all texts; each may be one of several (another spelling of an address)."""

    def __init__(self, texts: Sequence[Sequence[Text]]) -> None:
        # The longest first: it is likely the rarest, and names the lines that are looked at closely.
        self._texts = tuple(sorted(map(tuple, texts), key=lambda forms: -min(len(form.needles[0]) for form in forms)))

    @property
    def may_hold(self) -> MayHold | None:
        """Filters know whole words."""
        if not any(all(form.probes for form in forms) for forms in self._texts):
            return None
        return self._may_hold

    def _may_hold(self, words: bytes | memoryview, formats: tuple[Format, ...]) -> bool:
        del formats
        return all(any(may_hold(words, form.probes) for form in forms) for forms in self._texts)

    def lines(self, chunk: Chunk) -> list[tuple[int, bytes]]:
        """(number, line) of the records that hold them all."""
        data = folded(chunk.data)
        is_json = is_escaped(chunk.format)
        starts = self._starts(data, self._texts[0], is_json=is_json)
        found: list[tuple[int, bytes]] = []
        number, at = 0, 0
        for start in starts:
            number += data.count(b"\n", at, start)
            at = start
            end = data.find(b"\n", start)
            end = len(data) if end < 0 else end
            line = unescaped(data[start:end]) if is_json else data[start:end]
            line = folded(line) if is_json else line
            if all(any(form.pattern.search(line) for form in forms) for forms in self._texts):
                place = chunk.numbers[number] if chunk.numbers else chunk.first_record + number
                found.append((place, chunk.data[start:end]))
        return found

    @staticmethod
    def _starts(data: bytes, forms: Iterable[Text], *, is_json: bool) -> list[int]:
        """Where the lines begin that may hold the text."""
        needles = {needle for form in forms for needle in form.needles}
        starts: set[int] = set()
        if is_json and rb"\u00" in data:
            # A letter, or a sign that is asked for, may be written so: these lines are all looked at.
            escapes = _LETTERS if all(needle.isalnum() for needle in needles) else _ANY
            starts.update(data.rfind(b"\n", 0, found.start()) + 1 for found in escapes.finditer(data))
        for needle in needles:
            at = data.find(needle)
            while at >= 0:
                starts.add(data.rfind(b"\n", 0, at) + 1)
                end = data.find(b"\n", at)
                at = data.find(needle, end) if end >= 0 else -1
        return sorted(starts)

    def seek(self, chunk: Chunk, *, now: datetime) -> Sought:
        """See `Seeker`."""
        del now
        return Sought(found=tuple(_found(chunk, number, line) for number, line in self.lines(chunk)))


def _found(chunk: Chunk, number: int, line: bytes) -> Found:
    """The record with what its reader makes of it."""
    one = replace(chunk, data=line + b"\n", first_record=2, numbers=(number,))
    batches = normalise(one, _nothing).batches
    event = detail(batches[0], 0) if batches else None
    return Found(
        path=chunk.path,
        record=number,
        event_at=event.event_at if event else None,
        read_at=chunk.read_at,
        hosts=_hosts(event.fields) if event else (),
        raw=show(line.rstrip(b"\r"), RAW_CHARACTERS),
    )


def _nothing(route: Route) -> tuple[str, ...]:
    del route
    return ()


def _hosts(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(one.value for one in entities_of(fields) if one.kind is EntityKind.HOST)


class SightSeeker:
    """Records in which a rule or an indicator finds something, of those which `texts` names where it is given."""

    def __init__(self, sight: Sight, question: MayHold | None, texts: TextSeeker | None = None) -> None:
        self._sight = sight
        self._question = question
        self._texts = texts

    @property
    def may_hold(self) -> MayHold | None:
        """Both must."""
        of_texts = None if self._texts is None else self._texts.may_hold
        questions = [one for one in (self._question, of_texts) if one is not None]
        return _all(questions) if questions else None

    def seek(self, chunk: Chunk, *, now: datetime) -> Sought:
        """See `Seeker`."""
        if self._texts is not None:
            lines = self._texts.lines(chunk)
            if not lines:
                return Sought()
            data = b"".join(line + b"\n" for _, line in lines)
            chunk = replace(chunk, data=data, first_record=2, numbers=tuple(number for number, _ in lines))
        seen = look(chunk, self._sight, now=now)
        return Sought(
            found=tuple(_of_detection(one, chunk) for one in seen.report.detections),
            n_rejected=len(seen.rejects),
            faults=seen.report.faults,
        )


def _all(questions: Sequence[MayHold]) -> MayHold:
    def ask(words: bytes | memoryview, formats: tuple[Format, ...]) -> bool:
        return all(one(words, formats) for one in questions)

    return ask


def _of_detection(one: Detection, chunk: Chunk) -> Found:
    return Found(
        path=one.path,
        record=one.record,
        event_at=one.event_at,
        read_at=chunk.read_at,
        title=one.title,
        content_id=one.content_id,
        hosts=tuple(entity.value for entity in one.entities if entity.kind is EntityKind.HOST),
        fields=dict(one.fields),
        raw=show(one.raw, RAW_CHARACTERS),
        detection=one,
    )


def question_of_fields(fields: Sequence[tuple[str, str]]) -> MayHold | None:
    """Values of whole fields stand in Windows records as they are; other readers may decode what they read."""
    values = [value for name, value in fields if "|" not in name and "\\\\" not in value and "?" not in value]
    probes = tuple(probe for value in values for probe in Text(value or " ").probes)
    if not probes:
        return None

    def ask(words: bytes | memoryview, formats: tuple[Format, ...]) -> bool:
        return formats != (Format.WINDOWS,) or may_hold(words, probes)

    return ask


def question_of_values(values: Iterable[str]) -> MayHold | None:
    """Any of these values of indicators; None where one of them may be written in a way that filters do not know."""
    groups: list[tuple[tuple[Probe, ...], bool]] = []
    for value in values:
        probes = () if _is_odd(value) else probes_of(value)
        if not probes or len(groups) >= MAX_VALUES:
            return None
        groups.append((probes, _is_address(value)))

    def ask(words: bytes | memoryview, formats: tuple[Format, ...]) -> bool:
        if not _NOT_AUDIT.issuperset(formats) and may_hold(words, _ENCODED):
            return True
        is_access = Format.ACCESS in formats
        return any(may_hold(words, probes) or (is_access and not is_address) for probes, is_address in groups)

    return ask


def _is_odd(value: str) -> bool:
    """An address of IPv6 and an international name have many spellings, an address on the web too."""
    return not value.isascii() or "xn--" in value or "://" in value or value.count(":") > 1 or "%" in value


def _is_address(value: str) -> bool:
    try:
        return bool(ip_address(value))
    except ValueError:
        return False
