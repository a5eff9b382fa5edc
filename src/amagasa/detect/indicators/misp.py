"""MISP events (the core format of MISP's exports) -> STIX indicators, which the ordinary way compiles.

Taken are attributes which their author flagged for detection (`to_ids`), of the event and of its objects, not deleted.
Many published events flag nothing at all: then the flag was not used, and attributes that name one thing by themselves
(addresses, domains, links, hashes, mail addresses) are taken with low confidence. Attributes of kinds which no record
shows (a mutex, a wallet, the name an anti-virus gives) and those meant as context are passed over and counted.

A `domain` stands for itself and all below, as in MISP's own exports for sensors; a `hostname` for itself.

Markings stay: the strictest TLP among the tags of the attribute, its object and its event marks the indicator, and a
tag of that family which nobody can read (`tlp:unclear`) counts as red. PAP tags stand among the labels: STIX has no
marking for them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from amagasa.detect.indicators.forms import refanged
from amagasa.intel.marking import tlp_of_tags
from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.text import show

UNFLAGGED_CONFIDENCE: Final = 30
# MISP's words for confidence (its taxonomy "misp"), each with the least of 100 for which it is said.
CONFIDENCE_WORDS: Final = (
    (100, "completely-confident"),
    (75, "usually-confident"),
    (50, "fairly-confident"),
    (25, "rarely-confident"),
    (0, "unconfident"),
)
# What `compiling` understands: an equality that holds for all names below, too.
BELOW: Final = "x_amagasa_below"
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TECHNIQUE: Final = re.compile(r"\bT\d{4}(?:\.\d{3})?\b")
_CONFIDENCE: Final = re.compile(r'misp:confidence-level="([a-z-]+)"')
_AGENT: Final = "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'"


class Read(Struct, frozen=True, kw_only=True):
    """What became of the attributes: each is an indicator, a fault with its reason, or passed over."""

    indicators: tuple[dict[str, Any], ...]
    faults: tuple[str, ...]
    n_passed_over: int


class _Form(Struct, frozen=True):
    """How a type of attribute is looked for. `is_certain`: it names one thing, whatever else the event says.

    `pattern_type` other than "": the value is a pattern already.
    """

    pattern: Callable[[str], str]
    is_certain: bool = True
    is_below: bool = False
    pattern_type: str = ""


def is_misp(document: Any) -> bool:
    """Whether a JSON document is an event of MISP, a list of them, or an answer of its interface."""
    return next(_events_of(document), None) is not None


def indicators_of(document: Any) -> Read:
    """Every event in the document. Never raises: what is not as it should be is a fault or passed over."""
    indicators: list[dict[str, Any]] = []
    faults: list[str] = []
    n_passed_over = 0
    for event in _events_of(document):
        attributes = list(_attributes_of(event))
        is_flagged = any(one.get("to_ids") is True for one, _ in attributes)
        for one, holders in attributes:
            made = _indicator_of(one, event, is_flagged=is_flagged)
            if isinstance(made, dict):
                made |= _said_by_tags(_tags_of(one, *holders), made)
            if made is None:
                n_passed_over += 1
            elif isinstance(made, str):
                faults.append(made)
            else:
                indicators.append(made)
    return Read(indicators=tuple(indicators), faults=tuple(faults), n_passed_over=n_passed_over)


def _events_of(document: Any) -> Iterator[Mapping[str, Any]]:
    found = document.get("response", document) if isinstance(document, dict) else document
    for one in found if isinstance(found, list) else [found]:
        event = one.get("Event") if isinstance(one, dict) else None
        if isinstance(event, dict):
            yield event


def _attributes_of(event: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...]]]:
    """Each attribute with what it stands in: its event, and its object where it has one."""
    yield from ((one, (event,)) for one in _dicts(event.get("Attribute")) if one.get("deleted") is not True)
    for holder in _dicts(event.get("Object")):
        if holder.get("deleted") is not True:
            kept = (one for one in _dicts(holder.get("Attribute")) if one.get("deleted") is not True)
            yield from ((one, (event, holder)) for one in kept)


def _indicator_of(one: Mapping[str, Any], event: Mapping[str, Any], *, is_flagged: bool) -> dict[str, Any] | str | None:
    kind, value = one.get("type"), one.get("value")
    form = _FORMS.get(kind) if isinstance(kind, str) else None
    is_wanted = one.get("to_ids") is True if is_flagged else form is not None and form.is_certain
    if form is None or not is_wanted:
        return None
    if not isinstance(value, str) or not value.strip():
        return f"attribute {show(str(one.get('uuid', '?')), 40)}: expected a value; got {show(repr(value), 60)}"
    pattern = value.strip() if form.pattern_type else form.pattern(refanged(value.strip()))
    uuid = str(one.get("uuid", "")).lower()
    indicator: dict[str, Any] = {
        "type": "indicator",
        "id": f"indicator--{uuid}" if _UUID.fullmatch(uuid) else stable_id("indicator", str(kind), value),
        "name": show(f"{show(value, 120)}: {_text(event.get('info')) or 'a MISP event'}"),
        "pattern": pattern,
        "pattern_type": form.pattern_type or "stix",
        "labels": sorted(set(_techniques_of(one))),
    } | _times_of(one, event)
    if form.is_below:
        indicator[BELOW] = True
    if not is_flagged:
        indicator["confidence"] = UNFLAGGED_CONFIDENCE
    return indicator


def _times_of(one: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, str]:
    """When it was seen as the attribute says, else when it was last worked on, else the day of the event."""
    written = _instant(one.get("timestamp")) or _instant(event.get("timestamp"))
    day = _instant(f"{event.get('date')}T00:00:00Z")
    first = _instant(one.get("first_seen")) or day or written
    last = _instant(one.get("last_seen")) or written
    times = {"valid_from": first, "modified": max((at for at in (first, last) if at is not None), default=None)}
    return {name: to_rfc3339(at) for name, at in times.items() if at is not None}


def _instant(value: Any) -> datetime | None:
    text = str(value)
    try:
        if text.isdecimal() and len(text) <= 10:
            return datetime.fromtimestamp(int(text), tz=UTC)
        return from_rfc3339(text)
    except (ValueError, OverflowError, OSError):
        return None


def _tags_of(*holders: Mapping[str, Any]) -> list[str]:
    return [_text(tag.get("name")).strip() for holder in holders for tag in _dicts(holder.get("Tag"))]


def _said_by_tags(tags: list[str], made: Mapping[str, Any]) -> dict[str, Any]:
    """Marking, PAP and confidence. A TLP that cannot be read is red: whoever wrote it meant to bound something."""
    said: dict[str, Any] = {}
    marking = tlp_of_tags(tags)
    if marking is not None:
        said["object_marking_refs"] = [marking.marking_id]
    permissible = sorted({tag.upper() for tag in tags if tag.lower().startswith("pap:")})
    if permissible:
        said["labels"] = [*made["labels"], *(show(one, 40) for one in permissible)]
    stated = {found[1] for tag in tags if (found := _CONFIDENCE.fullmatch(tag))}
    known = [least for least, word in CONFIDENCE_WORDS if word in stated]
    if known and "confidence" not in made:
        said["confidence"] = min(known)
    return said


def _techniques_of(one: Mapping[str, Any]) -> Iterator[str]:
    for tag in _dicts(one.get("Tag")):
        name = _text(tag.get("name"))
        if "attack-pattern" in name:
            yield from (f"attack.{found.lower()}" for found in _TECHNIQUE.findall(name))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _quoted(constant: str) -> str:
    escaped = constant.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _equals(path: str) -> Callable[[str], str]:
    return lambda value: f"[{path} = {_quoted(value)}]"


def _address(value: str) -> str:
    address = value.partition("|")[0].strip()
    return f"[{'ipv6' if ':' in address else 'ipv4'}-addr:value = {_quoted(address)}]"


def _first_part(path: str) -> Callable[[str], str]:
    return lambda value: f"[{path} = {_quoted(value.partition('|')[0])}]"


def _last_part(path: str) -> Callable[[str], str]:
    return lambda value: f"[{path} = {_quoted(value.rpartition('|')[2])}]"


def _file(value: str) -> str:
    is_path = "\\" in value or "/" in value
    return f"[file:{'path' if is_path else 'name'} = {_quoted(value)}]"


def _registry_value(value: str) -> str:
    key, _, data = value.partition("|")
    return (
        f"[windows-registry-key:key = {_quoted(key)} AND windows-registry-key:values[*].data = {_quoted(data)}]"
        if data
        else f"[windows-registry-key:key = {_quoted(key)}]"
    )


_ADDRESSES: Final = ("ip-src", "ip-dst", "ip-src|port", "ip-dst|port", "ip")
_MAILS: Final = ("email", "email-src", "email-dst", "email-reply-to")
_HASHES: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512", "imphash": "IMPHASH"}
_FORMS: Final[dict[str, _Form]] = {
    **{name: _Form(_address) for name in _ADDRESSES},
    **{name: _Form(_equals("email-addr:value")) for name in _MAILS},
    **{name: _Form(_equals(f"file:hashes.'{called}'")) for name, called in _HASHES.items()},
    **{f"filename|{name}": _Form(_last_part(f"file:hashes.'{called}'")) for name, called in _HASHES.items()},
    "domain": _Form(_equals("domain-name:value"), is_below=True),
    "domain|ip": _Form(_first_part("domain-name:value"), is_below=True),
    "hostname": _Form(_equals("domain-name:value")),
    "hostname|port": _Form(_first_part("domain-name:value")),
    "url": _Form(_equals("url:value")),
    "filename": _Form(_file, is_certain=False),
    "regkey": _Form(_equals("windows-registry-key:key"), is_certain=False),
    "regkey|value": _Form(_registry_value, is_certain=False),
    "user-agent": _Form(_equals(_AGENT), is_certain=False),
    "stix2-pattern": _Form(str, is_certain=False, pattern_type="stix"),
}
