"""The whole story of a node, one verb a step. Read this first.

    record -> event -> detection -> alert -> incident -> object for the ally
    object from the ally -> knowledge -> detection ...

Each step is a pure function of the core; here they only follow one another. What moves the values (files, pipes, the
store, the wire) stands in `app.watch`, `app.sharing` and `app.receiving`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from amagasa.app.sight import Sight
from amagasa.detect.correlation.correlate import Correlated, correlate
from amagasa.detect.correlation.hit import Hit, split
from amagasa.detect.correlation.windows import Manner, Windows
from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.report import Detection, MatchReport
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Reject
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.fold import fold
from amagasa.incident.group import Grouped, group
from amagasa.mission.impact import Ground, Impact, assess_impact, touches_of
from amagasa.share.admit import admit
from amagasa.share.agreement import Agreement, Party
from amagasa.share.release import release
from amagasa.share.verdict import Admission, Release


class Seen(Struct, frozen=True, kw_only=True):
    """What came of one chunk: n_accepted + len(rejects) = n_read. `hits` are what correlations are to see of it."""

    n_read: int
    n_accepted: int
    rejects: tuple[Reject, ...]
    report: MatchReport = MatchReport()
    hits: tuple[Hit, ...] = ()


def look(chunk: Chunk, sight: Sight, *, now: datetime) -> Seen:
    """Records -> events -> detections and hits: matched, not matched, and what could not run."""
    rest = sight.rest_of(chunk, now=now)
    events = normalise(rest.chunk, sight.wanted)
    report = MatchReport(silenced=rest.silenced)
    for batch in events.batches:
        for (plan, memo), hidden, suspects in zip(sight.plans, sight.hidden, rest.suspects, strict=True):
            found = evaluate(batch, plan, memo, suspects=suspects).without(hidden)
            report = report.merge(sight.exclusions.spare(found, plan, batch, now=now))
        report = report.merge(sight.looking.evaluate(batch, now=now))
    report, hits = split(report.in_order(), sight.links, now=now)
    return Seen(
        n_read=rest.n_through + events.n_read,
        n_accepted=rest.n_through + events.n_accepted,
        rejects=events.rejects,
        report=report,
        hits=hits,
    )


def put_together(hits: Sequence[Hit], windows: Windows, manner: Manner, *, now: datetime) -> Correlated:
    """Hits of many records -> what only several of them show."""
    return correlate(hits, windows, manner, now=now)


def understand(
    detections: Sequence[Detection],
    recent: Sequence[Alert],
    open_incidents: Sequence[Incident],
    *,
    source: str,
    now: datetime,
) -> Grouped:
    """Detections -> alerts -> incidents: what a person reads."""
    return group(fold(detections, recent, source=source, now=now), open_incidents, now=now)


def weigh(alerts: Sequence[Alert], ground: Ground) -> Impact:
    """Alerts of open incidents -> what they take from each mission, as a range; closed ones take nothing."""
    return assess_impact(touches_of(alerts, ground.matcher), ground)


def tell(obj: dict[str, Any], ally: Party, agreement: Agreement, *, now: datetime, secret: bytes) -> Release:
    """An object -> exactly what a clause lets out to this ally, or why it stays, or whose consent it wants."""
    return release(obj, ally, agreement, now=now, secret=secret)


def hear(objects: Sequence[Any], ally: Party, agreement: Agreement, *, now: datetime) -> Admission:
    """What an ally sent, hostile until checked -> knowledge, and refusals with their reasons."""
    return admit(objects, ally, agreement, now=now)
