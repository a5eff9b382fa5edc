"""The filters of TAXII 2.1 section 3.4 in a query, and `next`, which is good for the same filters alone."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from amagasa.app.taxii_library import Shelved, Want, Which
from amagasa.entry.allies.wire import TaxiiError, limit_of, read_instant, to_date_added, values_of
from amagasa.intel.stix import instant_of

LONGEST_PAGE: Final = 1_000
_MARK_CHARACTERS: Final = 16


def want_of(query: Mapping[str, str], *, object_id: str = "", words: frozenset[Which] | None = None) -> Want:
    """What is asked for; `words`, where given, replace `match[version]`. Raises TaxiiError 400."""
    after, after_seq = query.get("added_after"), None
    added_after = read_instant(after, "added_after") if after is not None else None
    if query.get("next"):
        added_after, after_seq = _read_next(query["next"], query)
    chosen = values_of(query, "match[version]") or (Which.LAST,)
    instants = []
    for one in chosen:
        instant = instant_of(one)
        if one not in set(Which) and instant is None:
            raise TaxiiError(400, "AMG-TAXII-QUERY", "match[version] is first, last, all or an instant", got=one)
        instants += [instant] if instant is not None else []
    return Want(
        added_after=added_after,
        after_seq=after_seq,
        limit=limit_of(query, most=LONGEST_PAGE),
        ids=(object_id,) if object_id else values_of(query, "match[id]"),
        types=values_of(query, "match[type]"),
        words=frozenset(Which(one) for one in chosen if one in set(Which)) if words is None else words,
        versions=tuple(instants) if words is None else (),
        spec_versions=_specifications(query),
    )


def next_of(query: Mapping[str, str], last: Shelved) -> str:
    """Where a page ended."""
    text = f"{to_date_added(last.added_at)} {last.seq} {_mark(query)}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_next(token: str, query: Mapping[str, str]) -> tuple[datetime, int]:
    try:
        text = urlsafe_b64decode(token[:200].encode("ascii") + b"=" * (-len(token) % 4)).decode("ascii")
    except ValueError:
        text = ""
    parts = text.split(" ")
    if len(parts) != 3 or re.fullmatch(r"[0-9]{1,18}", parts[1]) is None:
        raise TaxiiError(400, "AMG-TAXII-QUERY", "this `next` was not given by this server", got=token)
    if parts[2] != _mark(query):
        raise TaxiiError(400, "AMG-TAXII-QUERY", "`next` goes with the filters of the page before alone", got=token)
    return read_instant(parts[0], "next"), int(parts[1])


def _mark(query: Mapping[str, str]) -> str:
    """Of the filters that choose objects; how many a page holds may change."""
    filters = sorted((name, value) for name, value in query.items() if name.startswith("match["))
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:_MARK_CHARACTERS]


def _specifications(query: Mapping[str, str]) -> tuple[str, ...]:
    chosen = values_of(query, "match[spec_version]")
    for one in chosen:
        if re.fullmatch(r"[0-9]\.[0-9]", one) is None:
            raise TaxiiError(400, "AMG-TAXII-QUERY", "match[spec_version] is a version of STIX, as 2.1", got=one)
    return chosen
