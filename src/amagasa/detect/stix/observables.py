"""Our events as cyber observables (STIX 2.1 part 6): which field of an event is which property of which object.

One declaration for each object that an event may show; several fields may show objects of one type (source and
destination address), and one field may show several (an address inside a DNS answer).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from amagasa.detect.stix.forms import (
    Form,
    Shape,
    address,
    addresses_in,
    answers,
    canonical_address,
    canonical_host,
    canonical_instant,
    canonical_key,
    canonical_mac,
    canonical_serial,
    directory,
    host,
    hosts_of_links_in,
    instant,
    links_in,
    mac,
    number,
    registry_key,
    serial,
    text,
    value_data,
)
from amagasa.detect.stix.shapes_others import JSON, SYSLOG, WEB
from amagasa.detect.stix.shapes_windows import BY_EVENT, WINDOWS
from amagasa.event.record import Route

_ALL: Final = (*WEB, *WINDOWS, *SYSLOG, *JSON)
_EVERYTHING: Final = (*_ALL, *(shape for shapes in BY_EVENT.values() for shape in shapes))
_FORMS: Final = {(shape.kind, part.path): part.form for shape in reversed(_EVERYTHING) for part in shape.properties}

# How a constant of a pattern must be written to meet what the forms make; of all others the case alone matters.
_SPELLINGS: Final[Mapping[object, Callable[[str], str]]] = {
    address: canonical_address,
    addresses_in: canonical_address,
    answers: lambda constant: canonical_host(canonical_address(constant)),
    host: canonical_host,
    hosts_of_links_in: canonical_host,
    registry_key: canonical_key,
    directory: lambda constant: constant.lower().rstrip("\\/") or constant,
    instant: lambda constant: canonical_instant(constant) or constant,
    serial: canonical_serial,
    mac: canonical_mac,
    number: lambda constant: next(iter(number(constant)), constant),
}
_AS_IT_STANDS: Final = frozenset({text, links_in, value_data})
_KINDS: Final = {"ipv4-addr": "ip-addr", "ipv6-addr": "ip-addr", "win-registry-key": "windows-registry-key"}
_HASH_NAMES: Final = {"MD5": "MD5", "SHA1": "SHA-1", "SHA256": "SHA-256", "SHA512": "SHA-512", "IMPHASH": "IMPHASH"}
# What STIX 2.0 called otherwise.
_RENAMED: Final = {
    ("file", "created"): "ctime",
    ("file", "modified"): "mtime",
    ("file", "accessed"): "atime",
    ("process", "created"): "created_time",
}
_INDEX: Final = re.compile(r"\[\d+\]")
_IMPHASH: Final = "extensions.windows-pebinary-ext.imphash"


@lru_cache(maxsize=1024)
def known_path(kind: str, path: str) -> tuple[str, str] | None:
    """Our (kind, path) for an object path of a pattern; None where no event of ours shows such a thing.

    Both address types are one kind here: the value says which it is. Hash names are read in any spelling, a place in a
    list as any place, and the names of STIX 2.0 (`binary_ref`, `created`) as those of 2.1.
    """
    kind = _KINDS.get(kind, kind)
    path = _RENAMED.get((kind, path), _INDEX.sub("[*]", path).replace("binary_ref.", "image_ref."))
    if path.endswith(_IMPHASH):
        path = f"{path.removesuffix(_IMPHASH)}hashes.IMPHASH"
    head, hashes, algorithm = path.rpartition("hashes.")
    if hashes:
        path = f"{head}{hashes}{_HASH_NAMES.get(algorithm.replace('-', '').upper(), algorithm)}"
    return (kind, path) if (kind, path) in _FORMS else None


def known_paths() -> tuple[tuple[str, str], ...]:
    """Every (kind, path) that some event of ours may show."""
    return tuple(sorted(_FORMS))


def fields_showing(kind: str, path: str) -> tuple[str, ...]:
    """Every field in which some event of ours shows such a thing."""
    parts = (part for shape in _EVERYTHING if shape.kind == kind for part in shape.properties if part.path == path)
    return tuple(dict.fromkeys(field for part in parts for field in part.fields))


def fold_constant(kind: str, path: str, constant: str) -> str:
    """The constant as the events' texts of this path are written: case folded where ours are."""
    form = _FORMS[kind, path]
    spell = _SPELLINGS.get(form)
    if spell:
        return spell(constant)
    return constant if form in _AS_IT_STANDS else constant.lower()


def is_folded(kind: str, path: str) -> bool:
    """Whether the events' texts of this path are in lower case, so that a regular expression must ignore case."""
    return _FORMS[kind, path] not in _AS_IT_STANDS


def form_of(kind: str, path: str) -> Form | None:
    """How the texts of this path are made; None where no event of ours shows it."""
    return _FORMS.get((kind, path))


def shapes_of(route: Route) -> tuple[Shape, ...]:
    """The objects which events of this route may show."""
    if any(source.category == "webserver" for source in route.sources):
        return WEB
    known = dict(route.known)
    channel, event_id = known.get("Channel"), known.get("EventID")
    of_event = BY_EVENT.get((channel, event_id)) if isinstance(channel, str) and isinstance(event_id, int) else None
    if of_event is not None:
        return of_event
    products = {source.product for source in route.sources}
    if "windows" in products:
        return WINDOWS
    if "linux" in products:
        return WINDOWS + SYSLOG  # Sysmon for Linux names its fields as on Windows
    return _ALL
