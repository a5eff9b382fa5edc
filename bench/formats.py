"""How fast each kind of record is read: the samples of the catalogue, many times over; one process, CPU seconds.

    python bench/formats.py [--records N] [--markdown]

Reading is all that a detection does before rules: telling the format, cutting, and rows of the usual fields. It stands
beside what the same bytes cost where nothing is understood, measured in the same run: `orjson.loads` of each line where
the lines are JSON, `line.split()` of each where they are not. The ratio is theirs to ours, 1.0 being as fast.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson

from amagasa.adapters.source.records import open_records
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Route

SAMPLES: Final = Path(__file__).resolve().parents[1] / "docs" / "samples"
USUAL: Final = (
    *("cs-method", "cs-uri-stem", "cs-uri-query", "cs-user-agent", "sc-status", "message", "user", "src_ip"),
    *("dst_ip", "dst_port", "action", "outcome", "CommandLine", "Image", "TargetFilename", "eventName", "query"),
)
_ROUNDS: Final = 3


def read(path: Path) -> int:
    """All rows of a file; how many records."""

    def wanted(_: Route) -> tuple[str, ...]:
        return USUAL

    return sum(normalise(item, wanted).n_read for item in open_records(path) if isinstance(item, Chunk))


def bare(path: Path) -> int:
    """The same bytes, not understood; how many lines."""
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    if is_json(lines[0]):
        return len([orjson.loads(line) for line in lines])
    return len([line.split() for line in lines])


def is_json(line: bytes) -> bool:
    """Whether the line is a JSON value by itself."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def fastest(work: Callable[[Path], int], path: Path) -> tuple[int, float]:
    """What it counts, and the fewest CPU seconds of some rounds."""
    spent = []
    counted = 0
    for _ in range(_ROUNDS):
        begin = time.process_time()
        counted = work(path)
        spent.append(time.process_time() - begin)
    return counted, max(min(spent), 1e-9)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="About so many lines of each sample.")
    parser.add_argument("--markdown", action="store_true", help="A table for a document.")
    asked = parser.parse_args()
    layout = "| {} | {} | {} | {} |" if asked.markdown else "{:<32} {:>12} {:>14} {:>8}"
    print(layout.format("sample", "records/s", "beside", "ratio"))
    if asked.markdown:
        print("|---|---:|---|---:|")
    with TemporaryDirectory() as folder:
        for sample in sorted(SAMPLES.iterdir()):
            data = sample.read_bytes()
            path = Path(folder) / sample.name
            path.write_bytes(data * max(1, asked.records // data.count(b"\n")))
            n_records, ours_s = fastest(read, path)
            _, theirs_s = fastest(bare, path)
            beside = "orjson.loads" if is_json(data.partition(b"\n")[0]) else "line.split"
            print(
                layout.format(sample.stem, f"{n_records / ours_s:,.0f}", beside, f"{theirs_s / ours_s:.2f}"), flush=True
            )
            path.unlink()


if __name__ == "__main__":
    main()
