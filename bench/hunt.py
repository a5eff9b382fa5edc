"""How fast the past is searched, beside zstdgrep and duckdb over the same records, on one core, in one run.

Real records are repeated, each time with other host names and numbers, until there are --gb of them; into three of the
repetitions a value is put that stands nowhere else. They are kept in a lake by the code of a node, in one file of the
same Zstandard level for zstdgrep, and given to duckdb as that file (its own threads set to one). Told are: raw size,
size of the lake, time to keep it; and for each question seconds and the ratio to zstdgrep.

    python bench/hunt.py --windows DATA/windows/compound/*.zst [--gb 10] [--folder /var/tmp] [--rules PATH] [--json]

The page cache is warm for all. Without zstdgrep or duckdb their columns are empty.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import zstandard
from machine import machine

from amagasa.adapters.lake.blocks import BLOCK_BYTES
from amagasa.adapters.lake.proof import prove
from amagasa.adapters.lake.reader import FolderLake
from amagasa.adapters.lake.writer import Packer, SourceWriter
from amagasa.app.hunt import Answer, Asked, hunt
from amagasa.app.lake_ports import LakeHead
from amagasa.app.permissions import NODE
from amagasa.app.seeking import Seeker
from amagasa.entry.wiring_hunt import indicator_looker, query_looker, rule_looker
from amagasa.event.record import Chunk, Format

ZSTD_LEVEL = 3  # what `zstd` takes by itself
NEEDLE = "198.51.100.233"
WORD = "zanahoria"
N_NEEDLES = 3
SOURCE = "bench"
_HOST = re.compile(rb'("(?:Hostname|Computer|host)":\s*")([A-Za-z0-9-]+)')
_NUMBER = re.compile(rb'("(?:RecordNumber|EventRecordID|ThreadID|ProcessId)":\s*"?)(\d+)')


def pieces(paths: list[Path], n_bytes: int) -> Iterator[bytes]:
    """Whole lines, some 1 MiB at a time, varied from one repetition to the next."""
    done, turn = 0, 0
    places = {n_bytes * (2 * at + 1) // (2 * N_NEEDLES) for at in range(N_NEEDLES)}
    while done < n_bytes:
        turn += 1
        for path in paths:
            for piece in _pieces_of(path):
                varied = _varied(piece, turn)
                for place in tuple(places):
                    if done >= place:
                        places.discard(place)
                        varied = _with_needle(varied)
                yield varied
                done += len(varied)
                if done >= n_bytes:
                    return


def _pieces_of(path: Path) -> Iterator[bytes]:
    held = b""
    with path.open("rb") as file:
        for block in iter(lambda: reader.read(1 << 20), b"") if (reader := _opened(file)) else ():
            held += block
            end = held.rfind(b"\n") + 1
            if end:
                yield held[:end]
                held = held[end:]
    if held:
        yield held + b"\n"


def _opened(file: Any) -> Any:
    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)


def _varied(piece: bytes, turn: int) -> bytes:
    if turn == 1:
        return piece
    piece = _HOST.sub(lambda found: found[1] + b"T%d-" % turn + found[2], piece)
    return _NUMBER.sub(lambda found: found[1] + b"%d" % (int(found[2]) + 7919 * turn), piece)


def _with_needle(piece: bytes) -> bytes:
    start = piece.find(b"\n", len(piece) // 2) + 1
    line = json.dumps(
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "EventID": 3,
            "Hostname": "needle",
            "Image": f"C:\\Temp\\{WORD}.exe",
            "DestinationIp": NEEDLE,
            "@timestamp": "2026-05-01T00:00:00Z",
        }
    )
    return piece[:start] + line.encode() + b"\n" + piece[start:]


def keep(paths: list[Path], n_bytes: int, folder: Path) -> tuple[LakeHead, dict[str, Any]]:
    """Fill the lake, and the file for the others."""
    packer = Packer()
    writer = SourceWriter(folder / "lake", SOURCE, None, packer, now=datetime.now(UTC))
    record, n_raw, spent = 1, 0, 0.0
    with (
        (folder / "records.zst").open("wb") as file,
        zstandard.ZstdCompressor(level=ZSTD_LEVEL).stream_writer(file) as packed,
    ):
        for piece in pieces(paths, n_bytes):
            chunk = Chunk(
                path="bench", format=Format.WINDOWS, first_record=record, data=piece, read_at=datetime.now(UTC)
            )
            began = time.perf_counter()
            writer.add(chunk)
            writer.settled(writer.head())
            spent += time.perf_counter() - began
            packed.write(piece)
            record += piece.count(b"\n")
            n_raw += len(piece)
    began = time.perf_counter()
    while any(tail for tail in writer.head().tails[:-1]):
        writer.rest(datetime.now(UTC))
        time.sleep(0.01)
    writer.settled(writer.head())
    spent += time.perf_counter() - began
    head = writer.head()
    writer.close()
    packer.close()
    in_lake = sum(path.stat().st_size for path in (folder / "lake").rglob("*") if path.is_file())
    tails = sum(n for _, n in head.tails)
    return head, {
        "n_records": record - 1,
        "raw_gb": round(n_raw / 1e9, 3),
        "lake_ratio": round((in_lake - tails) / (n_raw - tails), 4),
        "zst_ratio": round((folder / "records.zst").stat().st_size / n_raw, 4),
        "keeping_mb_per_s_of_the_reading_thread": round(n_raw / 1e6 / spent),
        "block_mib": BLOCK_BYTES >> 20,
    }


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """The second of two runs: the caches are warm for whoever asks."""
    run()
    began = time.perf_counter()
    return run(), round(time.perf_counter() - began, 3)


def hunted(lake: FolderLake, seeker: Seeker) -> Answer:
    """Run a hunt to its end."""
    answer = Answer()
    for _ in hunt(lake, NODE, seeker, Asked(), answer=answer, now=datetime.now(UTC)):
        pass
    return answer


def grepped(file: Path, word: str) -> int | None:
    """Lines that hold the word; None without zstdgrep."""
    if shutil.which("zstdgrep") is None:
        return None
    done = subprocess.run(
        ["zstdgrep", "-c", "-F", word, str(file)],
        check=False,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    return int(done.stdout.split(b":")[-1] or 0)


def in_duckdb(file: Path, word: str) -> int | None:
    """Lines that hold the word; None without duckdb."""
    try:
        import duckdb  # noqa: PLC0415 - measured where it is there
    except ImportError:
        return None
    with duckdb.connect() as base:
        base.execute("SET threads=1")
        found = base.execute(
            "SELECT count(*) FROM read_csv(?, columns={'raw': 'VARCHAR'}, delim='\x01', quote='', escape='', "
            "header=false, max_line_size=4194304, compression='zstd') WHERE contains(raw, ?)",
            [str(file), word],
        ).fetchone()
        return int(found[0]) if found else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", nargs="+", type=Path, required=True)
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--rules", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core for everybody
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="amagasa-hunt-") as name:
        report = measured(given, Path(name))
    if given.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")


def measured(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures."""
    head, kept = keep(sorted(given.windows), int(given.gb * 1e9), folder)
    lake, file = FolderLake(folder / "lake", lambda: {SOURCE: head}), folder / "records.zst"
    rule = folder / "rule.yml"
    rule.write_text(
        "title: needle\nid: 6a7b0f6c-5a1e-4c5e-8c11-6d7c8d9e0f12\nlevel: high\nlogsource: {product: windows, category: "
        f"network_connection}}\ndetection: {{s: {{Image|endswith: '\\{WORD}.exe'}}, condition: s}}\n"
    )
    million = folder / "million.txt"
    million.write_text("".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(999_999)) + f"{NEEDLE}\n")
    questions: dict[str, tuple[Callable[[], Seeker], str | None]] = {
        "an address": (lambda: indicator_looker(NEEDLE).seeker, NEEDLE),
        "a word": (lambda: query_looker(WORD).seeker, WORD),
        "a word that is nowhere": (lambda: query_looker("nosuchwordatall").seeker, "nosuchwordatall"),
        "part of a word": (lambda: query_looker("*anahori*").seeker, "anahori"),
        "field=value": (lambda: query_looker(f"DestinationIp={NEEDLE}").seeker, None),
        "a STIX pattern": (lambda: indicator_looker(f"[ipv4-addr:value = '{NEEDLE}']").seeker, None),
        "a Sigma rule": (lambda: rule_looker(str(rule), None).seeker, None),
        "a million addresses": (lambda: indicator_looker(str(million)).seeker, None),
    }
    if given.rules is not None:
        questions["all public rules"] = (lambda: rule_looker(str(given.rules), None).seeker, None)
    rows = []
    for name, (make, word) in questions.items():
        seeker = make()
        answer, elapsed_s = timed(partial(hunted, lake, seeker))
        row = {"question": name, "found": answer.n_found, "s": elapsed_s, "passed_ratio": _ratio(answer)}
        if word is not None:
            row["zstdgrep_found"], row["zstdgrep_s"] = timed(partial(grepped, file, word))
            row["duckdb_found"], row["duckdb_s"] = timed(partial(in_duckdb, file, word))
            row["times_zstdgrep"] = round(row["zstdgrep_s"] / max(elapsed_s, 0.001), 1)
            row["times_duckdb"] = round(row["duckdb_s"] / max(elapsed_s, 0.001), 1)
        else:
            row["mb_per_s"] = round(kept["raw_gb"] * 1e3 / max(elapsed_s, 0.001))
        rows.append(row)
        sys.stderr.write(f"{row}\n")
    proof, proof_s = timed(lambda: prove(folder / "lake", SOURCE, head))
    return {"machine": machine(), **kept, "questions": rows, "verify_s": proof_s, "is_sound": proof.fault == ""}


def _ratio(answer: Answer) -> float:
    return round(answer.n_passed / max(1, answer.n_passed + answer.n_records), 4)


if __name__ == "__main__":
    main()
