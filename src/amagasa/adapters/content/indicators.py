"""Indicators from files: STIX bundles, NDJSON, CSV with a header, or plain lists; a file, a folder, .gz, .zst.

Whatever the form, what comes out are STIX indicators as mappings, ready for
`detect.indicators.compiling.compile_indicators`.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import zstandard

from amagasa.detect.report import RuleFault
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import stable_id
from amagasa.vocab.text import show

MAX_FILE_BYTES: Final = 1 << 30  # unpacked: ten times the largest public list
MAX_FAULTS: Final = 1_000  # of one file: a file of another kind would give one a line
LIST_CONFIDENCE: Final = 30  # of a flat list's entry: it says neither who nor why, and such lists hold crawlers

_PACKED_BYTES: Final = 4_096  # of a bomb these unpack to 128 MB at most
_CODE: Final = "AMG-INDICATOR-002"
_IPV4: Final = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?")
_IPV6: Final = re.compile(r"[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:/\d{1,3})?")
_DOMAIN: Final = re.compile(
    r"(?=.{4,253}$)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.|_[\w-]{1,62}\.)+[^\W\d_][\w-]{0,61}[^\W_]\.?"
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,15}://[^\s/]+\S*", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[^\s@'\"]{1,64}@[^\s@'\"]{3,253}")
_HASHES: Final = {32: "MD5", 40: "SHA-1", 64: "SHA-256", 128: "SHA-512"}
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_VALUE_COLUMNS: Final = ("value", "indicator", "ioc", "observable", "address", "ip", "domain", "hash", "url")


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: STIX objects, the faults by place, and for each indicator the file it stood in."""

    objects: tuple[Mapping[str, Any], ...]
    faults: tuple[RuleFault, ...]
    places: Mapping[str, str]


def load_indicators(paths: Iterable[Path]) -> Loaded:
    """Everything under the paths, folders with all they hold (hidden files left out), in the order of names.

    A path which is not there raises BadInputError (AMG-INDICATOR-003); a file which cannot be read is a fault.
    """
    objects: list[Mapping[str, Any]] = []
    faults: list[RuleFault] = []
    places: dict[str, str] = {}
    for path in paths:
        if not path.exists():
            raise BadInputError(
                "AMG-INDICATOR-003", "no such file or folder of indicators", got=str(path), then="nothing was done"
            )
        for file in _files(path):
            for found in _read(file):
                if isinstance(found, RuleFault):
                    faults.append(found)
                    continue
                objects.append(found)
                if found.get("type") == "indicator":
                    places[str(found.get("id", ""))] = str(file)
    return Loaded(objects=tuple(objects), faults=tuple(faults), places=places)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    return [file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts)]


def _read(file: Path) -> Iterator[Mapping[str, Any] | RuleFault]:
    try:
        data = _unpacked(file)
        text = data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        yield RuleFault(rule_id="", path=str(file), why=f"the file cannot be read: {show(str(error))}", code=_CODE)
        return
    except UnicodeDecodeError as error:
        yield RuleFault(rule_id="", path=str(file), why=f"the file is no UTF-8 text: {error.reason}", code=_CODE)
        return
    n_faults = 0
    for found in _parsed(file, text):
        n_faults += isinstance(found, RuleFault)
        if n_faults > MAX_FAULTS:
            yield _fault(file, 0, f"more than {MAX_FAULTS} faults: the rest of the file was not read")
            return
        yield found


def _unpacked(file: Path) -> bytes:
    with file.open("rb") as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(raw) as packed:
                data = packed.read(MAX_FILE_BYTES + 1)
        elif magic == b"\x28\xb5\x2f\xfd":
            data = _unzstd(raw)
        else:
            data = raw.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        message = f"more than {MAX_FILE_BYTES} bytes when unpacked"
        raise OSError(message)
    return data


def _unzstd(raw: BinaryIO) -> bytes:
    """All frames. A stream reader would take the end of a cut file for the end of the data, so each frame is asked."""
    parts: list[bytes] = []
    n_bytes = 0
    frame = zstandard.ZstdDecompressor().decompressobj()
    while (packed := raw.read(_PACKED_BYTES)) and n_bytes <= MAX_FILE_BYTES:
        while packed:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            parts.append(frame.decompress(packed))
            n_bytes += len(parts[-1])
            packed = frame.unused_data
    if not frame.eof and n_bytes <= MAX_FILE_BYTES:
        message = "the file ends before its data does"
        raise EOFError(message)
    return b"".join(parts)


def _parsed(file: Path, text: str) -> Iterator[Mapping[str, Any] | RuleFault]:
    head = text.lstrip()[:1]
    if head in {"{", "["}:
        return _from_json(file, text)
    first = next((line for line in text.splitlines()[:50] if line.strip() and not line.startswith("#")), "")
    columns = [name.strip().lower() for name in first.split(",")]
    if len(columns) > 1 and any(name in _VALUE_COLUMNS for name in columns):
        return _from_csv(file, text)
    return _from_list(file, text)


def _from_json(file: Path, text: str) -> Iterator[Mapping[str, Any] | RuleFault]:
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if "trailing characters" not in str(error):
            yield _fault(file, 0, f"no JSON document: {show(str(error))}")
            return
        yield from _from_ndjson(file, text)
        return
    except RecursionError:
        yield _fault(file, 0, "JSON nested too deeply")
        return
    objects = whole.get("objects", [whole]) if isinstance(whole, dict) else whole
    for number, found in enumerate(objects if isinstance(objects, list) else [objects], 1):
        yield found if _is_stix(found) else _fault(file, 0, f"object {number} is no STIX object")


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


def _from_csv(file: Path, text: str) -> Iterator[Mapping[str, Any] | RuleFault]:
    rows = csv.reader(io.StringIO(text))
    names: list[str] = []
    column = confidence = -1
    try:
        for row in rows:
            if not row or row[0].startswith("#"):
                continue
            if not names:
                names = [name.strip().lower() for name in row]
                column = next(names.index(name) for name in _VALUE_COLUMNS if name in names)
                confidence = names.index("confidence") if "confidence" in names else -1
            elif len(row) <= column:
                yield _fault(file, rows.line_num, f"expected {len(names)} columns; got {len(row)}")
            else:
                stated = row[confidence] if 0 <= confidence < len(row) else ""
                yield _flat(file, rows.line_num, row[column], stated)
    except csv.Error as error:
        yield _fault(file, rows.line_num, f"no CSV: {show(str(error))}")


def _from_list(file: Path, text: str) -> Iterator[Mapping[str, Any] | RuleFault]:
    for number, line in enumerate(io.StringIO(text), 1):
        value = re.split(r"\s+#|\s", line.strip(), maxsplit=1)[0]
        if value and not value.startswith(("#", ";")):
            yield _flat(file, number, value, "")


def _flat(file: Path, line: int, value: str, confidence: str) -> Mapping[str, Any] | RuleFault:
    plain = value.strip().replace("[.]", ".").replace("[:]", ":")  # as analysts write them, so that nobody clicks
    if plain[:4].lower() == "hxxp":
        plain = "http" + plain[4:]
    where = _place_of(plain)
    if where is None:
        return _fault(file, line, f"expected an address, domain, link or hash; got {show(value, 80)}")
    constant = plain.replace("\\", "\\\\").replace("'", "\\'")
    sure = int(confidence) if confidence.isdecimal() and len(confidence) <= 3 else LIST_CONFIDENCE
    return {
        "type": "indicator",
        "id": stable_id("indicator", where, plain),
        "name": plain,
        "pattern": f"[{where} = '{constant}']",
        "pattern_type": "stix",
        "confidence": min(sure, 100),
    }


def _place_of(value: str) -> str | None:
    """The object path of which `value` is one; None where it is none we know."""
    if _IPV4.fullmatch(value):
        return "ipv4-addr:value"
    if len(value) in _HASHES and _HEX.fullmatch(value):
        return f"file:hashes.'{_HASHES[len(value)]}'"
    if _DOMAIN.fullmatch(value):
        return "domain-name:value"
    if _URL.fullmatch(value):
        return "url:value"
    if _EMAIL.fullmatch(value):
        return "email-addr:value"
    return "ipv6-addr:value" if _IPV6.fullmatch(value.lower()) else None


def _fault(file: Path, line: int, why: str) -> RuleFault:
    return RuleFault(rule_id="", path=f"{file}:{line}" if line else str(file), why=why, code=_CODE)
