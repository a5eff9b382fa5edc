"""A rule tried on records: through the same reading and evaluation as in a node."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import plan_of
from amagasa.detect.report import MatchReport
from amagasa.detect.sigma.rule import Rule
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format
from amagasa.event.sniff import sniff


class Tried(Struct, frozen=True, kw_only=True):
    """What came of it. `why` says why the records could not be read, "" where all were."""

    n_read: int
    n_found: int
    why: str = ""


class Trial:
    """One rule, ready to look at records."""

    def __init__(self, rule: Rule) -> None:
        self._plan = plan_of([rule])
        self._memo = Memo(self._plan)
        self._id = rule.id

    def on_chunks(self, chunks: Sequence[Chunk]) -> Tried:
        """Look at whole chunks."""
        report = MatchReport()
        n_read = 0
        why = ""
        for chunk in chunks:
            events = normalise(chunk, self._plan.wanted)
            n_read += events.n_read
            why = why or (events.rejects[0].why if events.rejects else "")
            for batch in events.batches:
                report = report.merge(evaluate(batch, self._plan, self._memo))
        if report.faults:
            why = report.faults[0].why
        n_found = sum(detection.rule_id == self._id for detection in report.detections)
        return Tried(n_read=n_read, n_found=n_found, why=why)

    def on_record(self, record: bytes, form: Format | None, *, now: datetime) -> Tried:
        """Look at the lines of one case."""
        kind = form or sniff(record + b"\n", "")
        if kind is None:
            return Tried(n_read=0, n_found=0, why="no format that is known; say which with `format`")
        chunk = Chunk(path="case", format=kind, first_record=1, data=record + b"\n", read_at=now)
        return self.on_chunks([chunk])
