"""Indicators from files: STIX, MISP, NDJSON, CSV with a header, or plain lists; a file, a folder, .gz, .zst.

What comes out are STIX indicators as mappings, ready for `detect.indicators.compiling.compile_indicators`; and of flat
lists, which may hold millions, tables.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from amagasa.adapters.content.cache import default_cache
from amagasa.adapters.content.lists import table_of
from amagasa.adapters.content.tables import Tables
from amagasa.adapters.content.unpacking import UNREADABLE, blocks_of, whole
from amagasa.detect.indicators.misp import indicators_of, is_misp
from amagasa.detect.indicators.table import Table
from amagasa.detect.report import RuleFault
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

MAX_FAULTS: Final = 1_000  # of one file: a file of another kind would give one a line
_CODE: Final = "AMG-INDICATOR-002"


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: STIX objects, the faults by place, for each indicator the file it stood in; tables of lists.

    `n_passed_over` counts what reports hold besides: attributes which their authors do not mean for detection.
    `passed_over` are files in folders which are no lists: licences, indexes, prose.
    """

    objects: tuple[Mapping[str, Any], ...]
    faults: tuple[RuleFault, ...]
    places: Mapping[str, str]
    tables: tuple[Table, ...] = ()
    n_passed_over: int = 0
    passed_over: tuple[str, ...] = ()

    @property
    def has_anything(self) -> bool:
        """Whether there was anything to read. A bundle without indicators is one; an empty file is not."""
        n_lines = sum(table.plan.about.tally.get("n_read", 0) for table in self.tables)
        return bool(self.objects or self.faults or self.n_passed_over or n_lines)

    def missing(self, paths: Sequence[str]) -> "Loaded":
        """With a fault for each of these, which are not there."""
        faults = (RuleFault(rule_id="", path=path, why="the file is gone", code=_CODE) for path in paths)
        return msgspec.structs.replace(self, faults=(*self.faults, *faults))


class _Found:
    """What was found so far."""

    def __init__(self, tables: Tables) -> None:
        self.store = tables
        self.objects: list[Mapping[str, Any]] = []
        self.faults: list[RuleFault] = []
        self.places: dict[str, str] = {}
        self.tables: list[Table] = []
        self.n_passed_over = 0
        self.passed_over: list[str] = []

    def take(self, file: Path, found: Iterable[Mapping[str, Any] | RuleFault]) -> None:
        """Objects and faults of one file; of its faults the first `MAX_FAULTS`, and how many more there are."""
        n_faults = 0
        for one in found:
            if isinstance(one, RuleFault):
                n_faults += 1
                if n_faults <= MAX_FAULTS:
                    self.faults.append(one)
                continue
            self.objects.append(one)
            if one.get("type") == "indicator":
                self.places[str(one.get("id", ""))] = str(file)
        if n_faults > MAX_FAULTS:
            self.faults.append(_fault(file, 0, f"{n_faults - MAX_FAULTS:,} more in this file cannot be used"))

    def take_list(self, file: Path, table: Table, *, is_named: bool) -> None:
        """A list; of a folder only what mostly holds indicators is one."""
        about = table.plan.about
        n_read, n_rejected = about.tally.get("n_read", 0), about.tally.get("n_rejected", 0)
        if not is_named and 2 * n_rejected > n_read:
            self.passed_over.append(str(file))
            return
        self.tables.append(table)
        self.faults.extend(_fault(file, line, why) for line, why in about.faults)
        n_more = n_rejected - len(about.faults)
        if n_more:
            self.faults.append(_fault(file, 0, f"{n_more:,} more lines of this file cannot be used"))


def load_indicators(paths: Iterable[Path], *, cache: Path | None = None) -> Loaded:
    """Everything under the paths, folders with all they hold (hidden files left out), in the order of names.

    Tables of flat lists are kept in the folder `cache`. A path which is not there raises BadInputError
    (AMG-INDICATOR-003); a file which cannot be read is a fault.
    """
    found = _Found(Tables(cache or default_cache()))
    for path in paths:
        if not path.exists():
            raise BadInputError(
                "AMG-INDICATOR-003", "no such file or folder of indicators", got=str(path), then="nothing was done"
            )
        for file in _files(path):
            if path.is_dir() and _NO_LIST.fullmatch(file.name):
                found.passed_over.append(str(file))
            else:
                _read(file, found, is_named=file is path)
    return Loaded(
        objects=tuple(found.objects),
        faults=tuple(found.faults),
        places=found.places,
        tables=tuple(found.tables),
        n_passed_over=found.n_passed_over,
        passed_over=tuple(found.passed_over),
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    return [file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts)]


def _read(file: Path, found: _Found, *, is_named: bool) -> None:
    try:
        head = next(blocks_of(file), b"").removeprefix(_BOM)
        if b"\0" in head[:_TEXT_BYTES]:
            found.faults.append(_fault(file, 0, _NO_TEXT))
        elif head.lstrip()[:1] in {b"{", b"["}:
            text = whole(file).decode("utf-8-sig")
            found.take(file, _from_json(file, text, found))
        else:
            found.take_list(file, table_of(file, found.store), is_named=is_named)
    except UNREADABLE as error:
        found.faults.append(_fault(file, 0, f"the file cannot be read: {show(str(error))}"))
    except UnicodeDecodeError as error:
        found.faults.append(_fault(file, 0, f"the file is no UTF-8 text: {error.reason}"))


_NO_LIST: Final = re.compile(r"(?:readme|licen[cs]e|copying|notice|changelog|authors|index)\b.*|.*\.md", re.IGNORECASE)
_BOM: Final = b"\xef\xbb\xbf"
_TEXT_BYTES: Final = 4_096
_NO_TEXT: Final = "the file is no UTF-8 text (one in UTF-16, as some programs of Windows save it, must be saved anew)"


def _from_json(file: Path, text: str, found: _Found) -> Iterator[Mapping[str, Any] | RuleFault]:
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if "trailing characters" not in str(error):
            yield _fault(file, 0, f"no JSON document: {show(str(error))}")
            return
        yield from _from_ndjson(file, text)
        return
    except RecursionError:
        yield _fault(file, 0, "JSON nested too deeply")
        return
    if is_misp(document):
        read = indicators_of(document)
        found.n_passed_over += read.n_passed_over
        yield from read.indicators
        yield from (_fault(file, 0, why) for why in read.faults)
        return
    objects = document.get("objects", [document]) if isinstance(document, dict) else document
    for number, one in enumerate(objects if isinstance(objects, list) else [objects], 1):
        yield one if _is_stix(one) else _fault(file, 0, f"object {number} is no STIX object")


def _from_ndjson(file: Path, text: str) -> Iterator[Mapping[str, Any] | RuleFault]:
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            yield _fault(file, number, f"no JSON object: {show(str(error))}")
            continue
        yield found if _is_stix(found) else _fault(file, number, "no STIX object")


def _is_stix(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("type"), str)


def _fault(file: Path, line: int, why: str) -> RuleFault:
    return RuleFault(rule_id="", path=f"{file}:{line}" if line else str(file), why=why, code=_CODE)
