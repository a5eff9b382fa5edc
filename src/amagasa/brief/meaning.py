"""What an indicator looks for, as plain values: what systems can hold that know no patterns."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from amagasa.detect.indicators.misp import BELOW
from amagasa.detect.stix.parse import parse
from amagasa.detect.stix.pattern import AnyOf, Comparison, Either, Observation, Op, PatternFault
from amagasa.intel.build import EXTENSION_ID
from amagasa.vocab.attack import techniques_of

MAX_VALUES: Final = 1_000  # of one pattern; a longer one stays a pattern
_PLACES: Final = {
    "ipv4-addr:value": "ipv4-addr",
    "ipv6-addr:value": "ipv6-addr",
    "network-traffic:src_ref.value": "source",
    "network-traffic:dst_ref.value": "destination",
    "domain-name:value": "domain-name",
    "url:value": "url",
    "email-addr:value": "email-addr",
    "file:hashes.MD5": "md5",
    "file:hashes.SHA-1": "sha1",
    "file:hashes.SHA-256": "sha256",
    "file:hashes.SHA-512": "sha512",
    "file:hashes.IMPHASH": "imphash",
    "file:name": "filename",
    "file:path": "filepath",
    "windows-registry-key:key": "regkey",
    "network-traffic:extensions.http-request-ext.request_header.User-Agent": "user-agent",
}
ADDRESSES: Final = frozenset({"ipv4-addr", "ipv6-addr", "source", "destination"})


class Meant(Struct, frozen=True):
    """One value: its kind (the STIX type, or the hash's or the name's own), and whether all names below count too."""

    kind: str
    value: str
    is_below: bool = False


def meant_by(indicator: Mapping[str, Any]) -> tuple[Meant, ...]:
    """The values of which any one satisfies the pattern; () where the pattern says more than that, or is none.

    Never wider than the pattern: what is negated, joined by AND, or bound by time has no values here.
    """
    pattern = indicator.get("pattern")
    if not isinstance(pattern, str) or indicator.get("pattern_type", "stix") != "stix":
        return ()
    tree = parse(pattern)
    if isinstance(tree, PatternFault):
        return ()
    found: list[Meant] = []
    for comparison in _alternatives(tree):
        some = _values_of(comparison, is_below=indicator.get(BELOW) is True) if comparison is not None else ()
        if not some or len(found) + len(some) > MAX_VALUES:
            return ()
        found.extend(some)
    return tuple(dict.fromkeys(found))


def techniques_named(obj: Mapping[str, Any]) -> tuple[str, ...]:
    """The ATT&CK techniques that an object names: in our extension, by reference, or as labels of Sigma's form."""
    facts = _dict(_dict(obj.get("extensions")).get(EXTENSION_ID))
    named = [str(one) for one in _list(facts.get("techniques"))]
    for reference in _list(obj.get("external_references")):
        source = _dict(reference).get("source_name")
        if isinstance(source, str) and source.startswith("mitre") and "attack" in source:
            named.append(str(_dict(reference).get("external_id")))
    tags = [f"attack.{one.lower()}" for one in named]
    tags += [label for label in _list(obj.get("labels")) if isinstance(label, str)]
    return techniques_of(tags)


def addresses_told(obj: Mapping[str, Any]) -> tuple[str, ...]:
    """The attacking addresses and networks that an incident tells of; stand-ins are none."""
    facts = _dict(_dict(obj.get("extensions")).get(EXTENSION_ID))
    told = [one for one in _list(facts.get("source_addresses")) if isinstance(one, str)]
    return tuple(dict.fromkeys(one for one in told if is_network(one)))


def is_network(text: str) -> bool:
    """Whether it is an address or a prefix."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _alternatives(tree: Any) -> Iterator[Comparison | None]:
    """Each comparison of "this or that"; None for what is joined otherwise. Bounded by the depth of a pattern."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Observation):
            waiting.append(one.test)
        elif isinstance(one, Either | AnyOf):
            waiting.extend(reversed(one.parts))
        else:
            yield one if isinstance(one, Comparison) else None


def _values_of(comparison: Comparison, *, is_below: bool) -> tuple[Meant, ...]:
    kind = _PLACES.get(f"{comparison.kind}:{comparison.path}", "")
    wanted = {Op.EQ, Op.IN, Op.ISSUBSET} if kind in ADDRESSES else {Op.EQ, Op.IN}
    if not kind or comparison.is_negated or comparison.op not in wanted:
        return ()
    values = [one for one in comparison.constants if isinstance(one, str) and one.strip()]
    if len(values) != len(comparison.constants):
        return ()
    if kind in ADDRESSES and not all(is_network(one) for one in values):
        return ()
    return tuple(Meant(kind, one, is_below and kind == "domain-name") for one in values)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
