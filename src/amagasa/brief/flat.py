"""Indicators as a table (CSV, RFC 4180) and as a plain list, one value a line."""

import csv
import io
from collections.abc import Iterable
from typing import Final

from amagasa.brief.values import Told

COLUMNS: Final = (*("type", "value", "name", "valid_from", "valid_until", "confidence", "techniques", "tlp", "id"),)
# A spreadsheet would take a cell that begins so for a formula: the attacker writes some of these texts.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_of(told: Iterable[Told]) -> bytes:
    """A header and a row each, UTF-8. A cell which a spreadsheet would calculate has an apostrophe in front."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in told:
        writer.writerow([_safe(cell) for cell in _row(one)])
    return text.getvalue().encode("utf-8", "replace")


def list_of(told: Iterable[Told]) -> tuple[bytes, int]:
    """Distinct values, one a line, under a comment with the strictest marking; and how many indicators have none."""
    values: dict[str, None] = {}
    n_without = 0
    strictest = None
    for one in told:
        if one.kind in _NO_VALUE or "\n" in one.value or "\r" in one.value:
            n_without += 1
            continue
        values[one.value] = None
        if one.tlp is not None:
            strictest = one.tlp if strictest is None else max(strictest, one.tlp)
    head = f"# {strictest.label}\n" if strictest is not None else ""
    return (head + "".join(value + "\n" for value in values)).encode("utf-8", "replace"), n_without


_NO_VALUE: Final = frozenset({"pattern", "sigma", "snort", "suricata", "yara", "pcre"})


def _row(one: Told) -> tuple[str, ...]:
    return (
        one.kind,
        one.value,
        one.name,
        one.valid_from,
        one.valid_until,
        "" if one.confidence is None else str(one.confidence),
        " ".join(one.techniques),
        "" if one.tlp is None else one.tlp.label,
        one.id,
    )


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
