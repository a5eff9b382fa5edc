"""How fast records are read: unpacked, cut into chunks, turned into rows; one process, CPU seconds.

    python bench/normalise.py access.log.gz auth.log.gz eve.ndjson.zst sysmon.evtx

Prints, for each file, megabytes and records a second for unpacking and cutting alone, and with normalisation for no
field, for what a set of rules usually wants, and for the whole event of every record.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import chain

from amagasa.adapters.source.records import open_records
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Route

USUAL = (
    *("cs-method", "cs-uri-stem", "cs-uri-query", "cs-uri-decoded", "cs-user-agent", "sc-status"),
    *("message", "user", "src_ip", "outcome", "CommandLine", "Image", "TargetObject", "eventName"),
)


def chunks_of(path: str) -> Iterator[Chunk]:
    """What can be read of the file."""
    return (item for item in open_records(path) if isinstance(item, Chunk))


def rows(chunks: list[Chunk], fields: tuple[str, ...]) -> int:
    """Normalise all chunks; the number of events."""

    def wanted(_route: Route) -> tuple[str, ...]:
        return fields

    return sum(normalise(chunk, wanted).n_accepted for chunk in chunks)


def details(chunks: list[Chunk]) -> int:
    """The whole event of every record; their number."""
    batches = chain.from_iterable(normalise(chunk, lambda _route: ()).batches for chunk in chunks)
    return sum(len([detail(batch, index) for index in range(len(batch.lines))]) for batch in batches)


def timed(name: str, n_bytes: int, work: Callable[[], int]) -> None:
    """Run and print."""
    begin = time.process_time()
    n_records = work()
    elapsed_s = max(time.process_time() - begin, 1e-9)
    print(f"  {name:<16} {n_bytes / elapsed_s / 1e6:8.0f} MB/s {n_records / elapsed_s:12,.0f} records/s")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+")
    for path in parser.parse_args().paths:
        chunks = list(chunks_of(path))
        n_bytes = sum(len(chunk.data) for chunk in chunks)
        print(f"{path}: {', '.join(sorted({chunk.format for chunk in chunks}))}, {n_bytes / 1e6:.1f} MB")
        timed("unpack and cut", n_bytes, lambda path=path: sum(one.data.count(b"\n") for one in chunks_of(path)))  # type: ignore[misc]
        timed("no field", n_bytes, lambda chunks=chunks: rows(chunks, ()))  # type: ignore[misc]
        timed("usual fields", n_bytes, lambda chunks=chunks: rows(chunks, USUAL))  # type: ignore[misc]
        timed("whole events", n_bytes, lambda chunks=chunks: details(chunks))  # type: ignore[misc]


if __name__ == "__main__":
    main()
