"""Use case: detect in files, without a node. Every record is accounted for, and every rule that could not run."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from amagasa.app.left_out import ExcludedBy, OffRules
from amagasa.app.path import Seen
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.report import Detection, Excluded, RuleFault, Silence
from amagasa.detect.sigma.link import OffRule
from amagasa.event.record import Chunk, LinesRead, Reject, SourceFault
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS
from amagasa.vocab.severity import Level

MAX_REJECTS_SHOWN = 100

Item = Chunk | Reject | SourceFault


@runtime_checkable
class Movable(Protocol):
    """A stream that any process can read: it says where its records are, and nothing of it is open before it is read.

    Copies of it give the same items. Where `is_later`, another piece of the same file comes before it, and its records
    are numbered as if one line stood before them; its last item says how many lines it has.
    """

    @property
    def path(self) -> str:
        """Of its file."""

    @property
    def is_later(self) -> bool:
        """See above."""

    def __iter__(self) -> Iterator[Item | LinesRead]:
        """Read it from its start."""

    def pieces(self, n_bytes: int) -> Sequence["Movable"]:
        """The same in pieces of about so many bytes, in order; itself where it cannot be cut."""


class Looked(Struct, frozen=True, kw_only=True):
    """What was seen in a chunk of `n_bytes`."""

    n_bytes: int
    seen: Seen


# Streams of records, e.g. one a file -> what came of them, in their order.
Look = Callable[[Iterable[Iterable[Item]]], Iterator[Looked | Reject | SourceFault]]
Sink = Callable[[Detection], None]


class Together(Protocol):
    """What correlates the hits of all records: takes them in any order, and says at the end what they show."""

    def add(self, hits: Sequence[Hit]) -> None:
        """Of one chunk."""

    def finish(self) -> Iterable[Detection | RuleFault]:
        """Of all."""


class Summary(Struct, kw_only=True):
    """What was read and what came of it. Always `n_accepted + n_rejected == n_read`.

    `n_silenced` counts records which an indicator names and for which it does not speak, by the reason. `rules_off` are
    rules which could run and were switched off because others take their place; those of another status or level than
    asked for are counted in `n_rules_off_by` alone. `n_excluded` matches are no detections, by the site's exclusions.
    `n_at_or_above` and `taken_out` are for the making of it.
    """

    n_read: int = 0
    n_accepted: int = 0
    n_rejected: int = 0
    rejects: list[Reject] = []
    n_rules: int = 0
    n_rules_faulted: int = 0
    faults: list[RuleFault] = []
    n_detections: int = 0
    detections_by_rule: dict[str, int] = {}
    n_indicators: int = 0
    n_silenced: dict[str, int] = {}
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    bytes: int = 0
    not_looked_at: list[SourceFault] = []
    n_at_or_above: int = 0
    n_rules_off: int = 0
    n_rules_off_by: dict[str, int] = {}
    rules_off: list[OffRule] = []
    n_excluded: int = 0
    excluded: list[ExcludedBy] = []
    taken_out: list[Excluded] = []

    def exit_code(self) -> int:
        """1 where a finding reached `--fail-on`; else 3 where some part could not be looked at or run; else 0."""
        if self.n_at_or_above:
            return EXIT_FINDINGS
        return EXIT_COULD_NOT if self.n_rejected or self.faults or self.not_looked_at else EXIT_DONE


def detect_files(
    streams: Iterable[Iterable[Item]],
    look: Look,
    sink: Sink,
    *,
    correlate: Together | None = None,
    fail_on: Level | None = None,
    also: Callable[[], Iterable[Detection]] = tuple,
) -> Summary:
    """Look at every chunk, hand each detection to `sink`, count everything. Rule faults of loading are the caller's.

    `look` may work in several processes, but keeps the order of the records. What `correlate` finds comes last,
    and then what `also` has found meanwhile by itself.
    """
    summary = Summary()
    by_rule: Counter[str] = Counter()
    faults: dict[RuleFault, None] = {}
    silenced: Counter[Silence] = Counter()
    excluded: Counter[tuple[int, str]] = Counter()

    def take(detection: Detection) -> None:
        by_rule[detection.content_id] += 1
        summary.n_at_or_above += fail_on is not None and detection.level.severity >= fail_on.severity
        sink(detection)

    for seen in _seen(look(streams), summary):
        faults.update(dict.fromkeys(seen.report.faults))
        silenced.update(seen.report.silenced)
        excluded.update({(one.exclusion, one.rule_id): one.n for one in seen.report.excluded})
        for detection in seen.report.detections:
            take(detection)
        if correlate is not None and seen.hits:
            correlate.add(seen.hits)
    for found in correlate.finish() if correlate is not None else ():
        if isinstance(found, RuleFault):
            faults[found] = None
        else:
            take(found)
    for one in also():
        take(one)
    summary.n_detections = by_rule.total()
    summary.detections_by_rule = dict(by_rule.most_common())
    summary.faults = list(faults)
    summary.n_excluded = excluded.total()
    summary.taken_out = [Excluded(exclusion=by, rule_id=rule_id, n=n) for (by, rule_id), n in sorted(excluded.items())]
    summary.n_silenced = {why.value: n for why, n in silenced.most_common()}
    return summary


def add_content(summary: Summary, *, n_rules: int, n_indicators: int, faults: Sequence[RuleFault]) -> None:
    """Add what loading the content gave: counts, and the faults in front of those met while running."""
    summary.n_rules = n_rules
    summary.n_indicators = n_indicators
    summary.faults = [*faults, *summary.faults]
    summary.n_rules_faulted = len(summary.faults)


def add_left_out(summary: Summary, off: OffRules, excluded: Sequence[ExcludedBy]) -> None:
    """Add what is left out on purpose."""
    summary.n_rules_off = off.n
    summary.n_rules_off_by = off.by
    summary.rules_off = list(off.replaced)
    summary.excluded = list(excluded)


def _seen(items: Iterable[Looked | Reject | SourceFault], summary: Summary) -> Iterator[Seen]:
    """What was seen; it and what could not be read on the way are counted where they belong."""
    for item in items:
        if isinstance(item, Looked):
            seen = item.seen
            summary.n_read += seen.n_read
            summary.n_accepted += seen.n_accepted
            summary.bytes += item.n_bytes
            for reject in seen.rejects:
                _reject(summary, reject)
            yield seen
        elif isinstance(item, Reject):
            summary.n_read += 1
            _reject(summary, item)
        else:
            summary.not_looked_at.append(item)


def _reject(summary: Summary, reject: Reject) -> None:
    summary.n_rejected += 1
    if len(summary.rejects) < MAX_REJECTS_SHOWN:
        summary.rejects.append(reject)
