"""What STIX indicators name, as plain values: for lists, tables and other tools."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from amagasa.detect.stix.parse import parse
from amagasa.detect.stix.pattern import AnyOf, Comparison, Observation, Op, Test
from amagasa.intel.marking import marking_of
from amagasa.vocab.attack import techniques_of
from amagasa.vocab.tlp import Tlp

MAX_VALUES: Final = 10_000  # of one pattern
# STIX's object and property -> what people call it.
_KINDS: Final = {
    ("ipv4-addr", "value"): "ipv4",
    ("ipv6-addr", "value"): "ipv6",
    ("domain-name", "value"): "domain",
    ("url", "value"): "url",
    ("email-addr", "value"): "email",
    ("file", "name"): "filename",
    ("file", "hashes.MD5"): "md5",
    ("file", "hashes.SHA-1"): "sha1",
    ("file", "hashes.SHA-256"): "sha256",
    ("file", "hashes.SHA-512"): "sha512",
    ("windows-registry-key", "key"): "registry",
}


class Told(Struct, frozen=True, kw_only=True):
    """One value of an indicator. `kind` "pattern" (or "sigma", ...): no single value, `value` is the pattern itself.

    `tlp` is the strictest marking of the object, None where it has none.
    """

    kind: str
    value: str
    id: str
    name: str
    valid_from: str
    valid_until: str
    confidence: int | None
    techniques: tuple[str, ...]
    tlp: Tlp | None


def told_of(objects: Iterable[Mapping[str, Any]]) -> Iterator[Told]:
    """The values of all indicators among the objects, in their order; of other objects nothing."""
    for one in objects:
        if one.get("type") == "indicator" and isinstance(one.get("pattern"), str):
            yield from _told(one)


def techniques_in(objects: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """ATT&CK techniques that the objects refer to, and how many of them do."""
    counts: dict[str, int] = {}
    for one in objects:
        for technique in _techniques(one):
            counts[technique] = counts.get(technique, 0) + 1
    return counts


def _told(one: Mapping[str, Any]) -> Iterator[Told]:
    pattern, kind = one["pattern"], str(one.get("pattern_type", "stix"))
    found = list(_values(pattern)) if kind == "stix" else []
    confidence = one.get("confidence")
    for called, value in found or [("pattern" if kind == "stix" else kind, pattern)]:
        yield Told(
            kind=called,
            value=value,
            id=str(one.get("id", "")),
            name=str(one.get("name", "")),
            valid_from=str(one.get("valid_from", "")),
            valid_until=str(one.get("valid_until", "")),
            confidence=confidence if isinstance(confidence, int) else None,
            techniques=_techniques(one),
            tlp=marking_of(one),
        )


def _values(pattern: str) -> Iterator[tuple[str, str]]:
    """Values each of which alone satisfies the pattern; none where no value does, or where not all have a name here."""
    tree = parse(pattern)
    tests = list(_either(tree.test)) if isinstance(tree, Observation) else []
    found: list[tuple[str, str]] = []
    for test in tests:
        kind = _KINDS.get((test.kind, test.path)) if isinstance(test, Comparison) else None
        if not isinstance(test, Comparison) or kind is None or test.op not in {Op.EQ, Op.IN} or test.is_negated:
            return
        found += [(kind, constant) for constant in test.constants if isinstance(constant, str)]
    if len(found) <= MAX_VALUES:
        yield from found


def _either(test: Test) -> Iterator[Test]:
    if isinstance(test, AnyOf):
        for part in test.parts:
            yield from _either(part)
    else:
        yield test


def _techniques(one: Mapping[str, Any]) -> tuple[str, ...]:
    references = one.get("external_references")
    names = [
        f"attack.{reference.get('external_id', '')}".lower()
        for reference in (references if isinstance(references, list) else [])
        if isinstance(reference, dict) and reference.get("source_name") == "mitre-attack"
    ]
    labels = one.get("labels")
    names += [label for label in (labels if isinstance(labels, list) else []) if isinstance(label, str)]
    return techniques_of(names)
