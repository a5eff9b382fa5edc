"""STIX objects -> a CSV with a header, or one value a line: what firewalls, proxies and spreadsheets take.

A cell which a spreadsheet would run as a formula is never written: words get an apostrophe before them, as spreadsheets
have it, and a value is left out, since with an apostrophe it would be another.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from amagasa.brief.meaning import Meant, addresses_told, meant_by, techniques_named
from amagasa.brief.written import About, LeftOut, Written, left_out, marking_of_all
from amagasa.intel.marking import marking_of
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

COLUMNS: Final = (
    "type",
    "value",
    "first_seen",
    "valid_until",
    "confidence",
    "source",
    "description",
    "techniques",
    "tlp",
    "id",
)
_BESIDE: Final = frozenset({"identity", "marking-definition", "extension-definition", "attack-pattern", "sighting"})
_RUN: Final = ("=", "+", "-", "@", "\t", "\r")
_UNFIT: Final = frozenset('\r\n\x00"')
_DIRECTED: Final = frozenset({"source", "destination"})
NO_VALUE: Final = "its pattern says more than one value can"


def csv_table(objects: Sequence[Mapping[str, Any]], about: About) -> Written:
    """A row for each value, under a remark with the marking of the whole."""
    rows, left, n_written, n_beside = _rows(objects)
    marking = marking_of_all(objects, about.least)
    stream = io.StringIO()
    stream.write(_remark(about, marking))
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(_row(obj, meant, about) for obj, meant in rows)
    return Written(
        text=stream.getvalue(),
        media_type="text/csv",
        suffix=".csv",
        marking=marking,
        n_written=n_written,
        left_out=left,
        n_beside=n_beside,
    )


def plain_list(objects: Sequence[Mapping[str, Any]], about: About) -> Written:
    """Each value once, a line each, under a remark with the marking of the whole."""
    rows, left, n_written, n_beside = _rows(objects)
    marking = marking_of_all(objects, about.least)
    values = dict.fromkeys(meant.value for _, meant in rows)
    return Written(
        text=_remark(about, marking) + "".join(f"{value}\n" for value in values),
        media_type="text/plain",
        suffix=".txt",
        marking=marking,
        n_written=n_written,
        left_out=left,
        n_beside=n_beside,
    )


def _rows(
    objects: Sequence[Mapping[str, Any]],
) -> tuple[list[tuple[Mapping[str, Any], Meant]], tuple[LeftOut, ...], int, int]:
    """Values with what they come from; what was left out; how many objects are written, how many stand beside."""
    rows: list[tuple[Mapping[str, Any], Meant]] = []
    left: list[LeftOut] = []
    n_written = n_beside = 0
    for obj in objects:
        if str(obj.get("type")) in _BESIDE:
            n_beside += 1
            continue
        found, why = _values(obj)
        safe = [one for one in found if _is_fit(one.value)]
        if len(safe) < len(found):
            left.append(left_out(obj, "a value which a spreadsheet would run, or that needs several lines"))
        elif not found:
            left.append(left_out(obj, why))
        n_written += bool(safe)
        rows += [(obj, one) for one in safe]
    return rows, tuple(left), n_written, n_beside


def _values(obj: Mapping[str, Any]) -> tuple[tuple[Meant, ...], str]:
    if obj.get("revoked") is True:
        return (), "it was revoked"
    if obj.get("type") == "indicator":
        return meant_by(obj), NO_VALUE
    return tuple(Meant("source", one) for one in addresses_told(obj)), "it tells of no value to look for"


def _is_fit(value: str) -> bool:
    return not value.startswith(("#", *_RUN)) and _UNFIT.isdisjoint(value) and value == value.strip()


def _row(obj: Mapping[str, Any], meant: Meant, about: About) -> list[str]:
    kind = ("ipv6-addr" if ":" in meant.value else "ipv4-addr") if meant.kind in _DIRECTED else meant.kind
    marking = marking_of(obj) or about.least
    told = (
        str(obj.get("valid_from") or obj.get("created") or ""),
        str(obj.get("valid_until", "")),
        str(obj.get("confidence", "")),
        about.author,
        str(obj.get("name", "")),
        " ".join(techniques_named(obj)),
        marking.label,
        str(obj.get("id", "")),
    )
    return [kind, meant.value, *(_cell(one) for one in told)]


def _cell(text: str) -> str:
    shown = show(text).replace('"', "'")
    return f"'{shown}" if shown.startswith(_RUN) else shown


def _remark(about: About, marking: Tlp) -> str:
    return f"# {marking.label} {show(about.title)}, by {show(about.author, 80)}\n"
