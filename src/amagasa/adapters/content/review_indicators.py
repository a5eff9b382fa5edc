"""Files of indicators reviewed: STIX and MISP documents, and flat lists."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from amagasa.adapters.content.cache import default_cache
from amagasa.adapters.content.indicators import load_indicators
from amagasa.adapters.content.lists import read_list, table_of
from amagasa.adapters.content.tables import Tables
from amagasa.adapters.content.unpacking import UNREADABLE, blocks_of, whole
from amagasa.detect.indicators.misp import is_misp
from amagasa.detect.lint.codes import say
from amagasa.detect.lint.finding import START, Finding
from amagasa.detect.lint.indicators import ListLint, check_stix, unusable_lines
from amagasa.vocab.text import show

_SUFFIXES: Final = (".json", ".ndjson", ".jsonl", ".csv", ".txt", ".tsv", ".list", ".ipset", ".netset")
_PACKED: Final = (".gz", ".zst")
_HEAD_BYTES: Final = 4_096


def indicator_files(folder: Path) -> Iterator[Path]:
    """Files of a folder that may hold indicators, by their names; hidden ones are left out."""
    for file in sorted(folder.rglob("*")):
        name = file.name.lower()
        bare = name.removesuffix(next((one for one in _PACKED if name.endswith(one)), ""))
        is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if bare.endswith(_SUFFIXES) and not is_hidden and file.is_file():
            yield file


def review_indicators(file: Path, *, is_named: bool, now: datetime) -> tuple[int, list[Finding]] | None:
    """(indicators read, findings with their path) of a file; None where a file of a folder holds no indicators.

    What cannot be read is a finding (`unreadable`).
    """
    try:
        head = next(blocks_of(file), b"")[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
        found = _json(file, now, is_named=is_named) if head[:1] in {b"{", b"["} else _list(file, is_named=is_named)
    except UNREADABLE as error:
        found = (0, [say("unreadable", START, f"the file cannot be read: {show(str(error))}")])
    if found is None:
        return None
    n_read, findings = found
    return n_read, [replace(one, path=str(file)) for one in findings]


def _json(file: Path, now: datetime, *, is_named: bool) -> tuple[int, list[Finding]] | None:
    raw = whole(file)
    kind = _kind_of(raw)
    if kind == "misp":
        loaded = load_indicators([file])
        return len(loaded.objects), unusable_lines([(0, fault.why) for fault in loaded.faults])
    n_indicators = raw.count(b'"indicator--')
    if kind == "stix" or is_named:
        return n_indicators, check_stix(raw, now=now)
    return None


def _kind_of(raw: bytes) -> str:
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "stix" if b'"indicator"' in raw and b'"pattern"' in raw else ""
    if is_misp(document):
        return "misp"
    objects = document if isinstance(document, list) else [document]
    types = {one.get("type") for one in objects if isinstance(one, dict)}
    return "stix" if types & {"bundle", "indicator"} or (isinstance(document, dict) and "objects" in document) else ""


def _list(file: Path, *, is_named: bool) -> tuple[int, list[Finding]] | None:
    about = table_of(file, Tables(default_cache())).plan.about
    n_read, n_rejected = about.tally.get("n_read", 0), about.tally.get("n_rejected", 0)
    if n_read == n_rejected or (not is_named and 2 * n_rejected > n_read):
        return None
    lint = ListLint()
    read_list(lint, file)
    faults: Sequence[tuple[int, str]] = about.faults
    n_more = n_rejected - len(faults)
    more = unusable_lines([(0, f"{n_more:,} more lines of this file cannot be used")]) if n_more else []
    return n_read, [*unusable_lines(faults), *more, *lint.findings()]
