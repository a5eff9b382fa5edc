"""How fast rules run over Windows events, against orjson.loads over the same lines; one process, CPU seconds.

    python bench/detect.py --rules sigma-rules.tar.gz windows/compound/metasploit_*.zst
    python bench/detect.py --rules RULES --hard 30000

Prints, for a first pass (new memo) and a second one, events a second and the ratio to orjson's rate. Files are
unpacked before the clock starts; reading lines out of the bytes counts, for both.
"""

import argparse
import gc
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import hard_corpus
import orjson
import zstandard

from amagasa.adapters.content.load import LoadedContent, RuleFiles, load_plan
from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format

CHUNK_BYTES = 1_048_576


def chunks_of(data: bytes) -> Iterator[bytes]:
    """Whole lines, about a megabyte at a time."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + CHUNK_BYTES, len(data) - 1)) + 1 or len(data)
        yield data[start:end]
        start = end


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """What the work returns, and its CPU seconds."""
    start = time.process_time()
    return work(), time.process_time() - start


def parse(data: bytes) -> int:
    """The measure: every line through orjson; the number of lines."""
    n_events = 0
    for chunk in chunks_of(data):
        lines = chunk.split(b"\n")
        for line in lines:
            if line:
                orjson.loads(line)
        n_events += len(lines) - 1
    return n_events


def detect(data: bytes, content: LoadedContent, memo: Memo) -> int:
    """Normalise and evaluate everything; the number of detections."""
    read_at = datetime.now(UTC)
    n_found = 0
    for part in chunks_of(data):
        chunk = Chunk(path="bench", format=Format.WINDOWS, first_record=1, data=part, read_at=read_at)
        for batch in normalise(chunk, content.plan.wanted).batches:
            n_found += len(evaluate(batch, content.plan, memo).detections)
    return n_found


def measure(name: str, data: bytes, content: LoadedContent) -> None:
    """Print what both take."""
    n_events, parsing = timed(lambda: parse(data))
    print(
        f"{name}: {n_events} events, {len(data) / 1e6:.0f} MB; orjson {n_events / parsing:,.0f}/s, {parsing:.2f} CPU-s"
    )
    memo = content.memo()
    for label in ("first pass", "second pass"):
        n_found, spent = timed(lambda: detect(data, content, memo))
        n_compiled = len(memo.made)
        content.keep(memo.made)
        print(
            f"  {label}: {n_events / spent:,.0f}/s, {spent:.2f} CPU-s, ratio {parsing / spent:.2f}, "
            f"{n_found} detections, {n_compiled} matchers compiled"
        )


def main() -> None:
    """Load, then measure each corpus."""
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--rules", type=Path, action="append", default=[])
    parser.add_argument("--hard", type=int, default=0, help="events of the generated corpus")
    parser.add_argument("--cache", type=Path, default=None, help="an empty folder shows a cold start")
    arguments = parser.parse_args()
    start, cpu = time.monotonic(), time.process_time()
    content = load_plan(
        RuleFiles(paths=tuple(arguments.rules), is_builtin_wanted=not arguments.rules), cache=arguments.cache
    )
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{content.n_rules} rules, {len(content.faults)} faults; loaded in {time.monotonic() - start:.2f} s, "
        f"{time.process_time() - cpu:.2f} CPU-s here, {children.ru_utime + children.ru_stime:.2f} CPU-s in the compiler"
    )
    gc.freeze()
    if arguments.paths:
        unpack = zstandard.ZstdDecompressor()
        parts = []
        for path in arguments.paths:
            with path.open("rb") as file:
                parts.append(unpack.stream_reader(file).read() if path.suffix == ".zst" else file.read())
        measure("corpus", b"".join(parts), content)
    if arguments.hard:
        measure("hard corpus", b"".join(line + b"\n" for line in hard_corpus.lines(arguments.hard)), content)
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB (with the corpus)")


if __name__ == "__main__":
    main()
