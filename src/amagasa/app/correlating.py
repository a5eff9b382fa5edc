"""Use case: correlate what was found in files. All records are known, so nothing is late: they are put in order first.

Whatever the order of files and records, and however many processes looked, the same detections come of it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from amagasa.app.correlation_ports import HitSorter
from amagasa.detect.correlation.correlate import correlate
from amagasa.detect.correlation.evidence import faults_of
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import Links
from amagasa.detect.correlation.machine import FOREVER
from amagasa.detect.correlation.windows import NEVER, Manner, Windows
from amagasa.detect.report import Detection, RuleFault
from amagasa.vocab.instants import to_rfc3339

HITS_AT_ONCE: Final = 10_000


class FileCorrelation:
    """`app.detect_files.Together`. `hits` may put what does not fit into memory elsewhere."""

    def __init__(self, hits: HitSorter, links: Links, *, now: datetime) -> None:
        self._hits = hits
        self._links = links
        self._now = now

    def add(self, hits: Sequence[Hit]) -> None:
        """Raises WorldError as `HitSorter`."""
        self._hits.add(hits)

    def finish(self) -> Iterator[Detection | RuleFault]:
        """Every episode once, when it is over; then what could not be looked at. Raises WorldError as `HitSorter`."""
        manner = Manner(links=self._links, is_prompt=False)
        windows = Windows()
        ordered = iter(self._hits.ordered())
        some = list(islice(ordered, HITS_AT_ONCE))
        while some:
            following = list(islice(ordered, HITS_AT_ONCE))
            horizon_at = _first_at(following) if following else FOREVER
            result = correlate(some, windows, manner, now=self._now, horizon_at=horizon_at)
            windows = windows.after(result.changed, result.tally)
            yield from sorted(result.detections, key=_event_at)
            some = following
        yield from faults_of(self._links, windows.tally)


def _event_at(detection: Detection) -> str:
    return to_rfc3339(detection.event_at) if detection.event_at is not None else ""


def _first_at(hits: list[Hit]) -> int:
    at = hits[0].at
    return NEVER if at is None else at
