"""An incident as a person reads it: its story, who touched what, its score, its case file; and the queue."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct

from amagasa.app.evidence_views import TITLE_CHARACTERS
from amagasa.app.views import AlertView, IncidentView, TimelineStep
from amagasa.incident.case import Case, Deed
from amagasa.incident.graph import Graph
from amagasa.incident.score import Score
from amagasa.incident.story import Step
from amagasa.vocab.text import show

TEXT_CHARACTERS: Final = 4_000


class PlaceView(Struct, frozen=True, kw_only=True):
    """Where a record stands."""

    path: str
    record: int
    event_at: datetime | None


class StepView(Struct, frozen=True, kw_only=True):
    """One step of the story; `who` and `what` are the first five of `n_who` and `n_what`, `alerts` the first five."""

    tactic: str
    title: str
    severity: int
    techniques: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    n_alerts: int
    n_detections: int
    who: list[str]
    n_who: int
    what: list[str]
    n_what: int
    alerts: tuple[str, ...]
    evidence: list[PlaceView]


class NodeView(Struct, frozen=True, kw_only=True):
    """An entity in the graph; `n_more` > 0: so many others of its kind."""

    id: str
    kind: str
    value: str
    n_alerts: int
    severity: int
    n_more: int


class EdgeView(Struct, frozen=True, kw_only=True):
    """What one did to another."""

    source: str
    target: str
    titles: list[str]
    n_alerts: int
    n_detections: int
    severity: int


class GraphView(Struct, frozen=True, kw_only=True):
    """Who touched what."""

    nodes: list[NodeView]
    edges: list[EdgeView]
    n_left_out: int


class PartView(Struct, frozen=True, kw_only=True):
    """One category of NCISS: the option chosen, and whether evidence, a person or nobody (`usual`) chose it."""

    category: str
    option: str
    value: int
    weight: int
    source: str


class ScoreView(Struct, frozen=True, kw_only=True):
    """NCISS, 0 to 100, with the least and the most it may be."""

    score: int
    low: int
    high: int
    level: str
    parts: list[PartView]


class DeedView(Struct, frozen=True, kw_only=True):
    """What somebody did, and whether it was undone or can be."""

    id: int
    incident_id: str
    kind: str
    at: datetime
    by: str
    text: str
    before: str
    other: str
    alerts: tuple[str, ...]
    of: int
    is_undone: bool
    may_undo: bool


class TaskView(Struct, frozen=True, kw_only=True):
    """Something to do; `done_by` is "" until somebody did."""

    id: int
    text: str
    by: str
    at: datetime
    done_by: str


class CaseView(Struct, frozen=True, kw_only=True):
    """The case file; its history is newest first."""

    owner: str
    stage: str
    notes: list[DeedView]
    evidence: list[DeedView]
    tasks: list[TaskView]
    history: list[DeedView]


class IncidentDetail(Struct, frozen=True, kw_only=True):
    """An incident with its alerts (at most 500, the latest) and all that is made of them.

    `timeline` has each alert once, by tactic as the matrix has them, then by time; `story` the same in a few steps.
    """

    incident: IncidentView
    alerts: list[AlertView]
    timeline: list[TimelineStep]
    is_cut: bool
    story: list[StepView]
    graph: GraphView
    score: ScoreView
    case: CaseView


class QueuedView(Struct, frozen=True, kw_only=True):
    """An incident in the queue: its place, what is lost (0 to 100), its score, how long it waits.

    `fate`: `read` in this shift, `deferred` to the next one, or `offered` to the ally; `why` says so in a sentence.
    """

    incident: IncidentView
    rank: int
    impact: int
    score: int
    level: str
    waits_s: float
    fate: str
    why: str


class BudgetView(Struct, frozen=True, kw_only=True):
    """What a shift can read: `source` is set, learnt or usual."""

    n_per_shift: int
    source: str
    n_shifts: int
    shift_began_at: datetime
    n_done: int
    n_left: int
    offer_from: int


class QueueView(Struct, frozen=True, kw_only=True):
    """The queue. Nothing is dropped: `n_open` = to read + deferred + offered.

    `n_alone_alerts` are alerts which are no incident: too quiet to open one. They are in the list of alerts.
    """

    now_at: datetime
    budget: BudgetView
    incidents: list[QueuedView]
    n_open: int
    n_read: int
    n_deferred: int
    n_offered: int
    n_alone_alerts: int
    is_cut: bool


def step_views(steps: Iterable[Step]) -> list[StepView]:
    """The story with every text made plain."""
    return [
        StepView(
            tactic=show(one.tactic),
            title=show(one.title, TITLE_CHARACTERS),
            severity=int(one.severity),
            techniques=one.techniques,
            first_at=one.first_at,
            last_at=one.last_at,
            n_alerts=one.n_alerts,
            n_detections=one.n_detections,
            who=[show(value) for value in one.who],
            n_who=one.n_who,
            what=[show(value) for value in one.what],
            n_what=one.n_what,
            alerts=one.alerts,
            evidence=[
                PlaceView(path=show(place.path), record=place.record, event_at=place.event_at) for place in one.evidence
            ],
        )
        for one in steps
    ]


def graph_view(graph: Graph) -> GraphView:
    """The graph with every text made plain."""
    return GraphView(
        nodes=[
            NodeView(
                id=one.id,
                kind=one.kind.value,
                value=show(one.value),
                n_alerts=one.n_alerts,
                severity=int(one.severity),
                n_more=one.n_more,
            )
            for one in graph.nodes
        ],
        edges=[
            EdgeView(
                source=one.source,
                target=one.target,
                titles=[show(title, TITLE_CHARACTERS) for title in one.titles],
                n_alerts=one.n_alerts,
                n_detections=one.n_detections,
                severity=int(one.severity),
            )
            for one in graph.edges
        ],
        n_left_out=graph.n_left_out,
    )


def score_view(score: Score) -> ScoreView:
    """The score with its parts."""
    parts = [
        PartView(
            category=part.category.value, option=part.option, value=part.value, weight=part.weight, source=part.source
        )
        for part in score.parts
    ]
    return ScoreView(score=score.score, low=score.low, high=score.high, level=score.level, parts=parts)


def case_view(case: Case) -> CaseView:
    """The case file."""

    def view(deed: Deed) -> DeedView:
        return deed_view(deed, is_undone=deed.id in case.undone, may_undo=deed.id in case.undoable)

    return CaseView(
        owner=show(case.owner),
        stage=case.stage.value,
        notes=[view(one) for one in case.notes],
        evidence=[view(one) for one in case.evidence],
        tasks=[
            TaskView(id=one.id, text=show(one.text, TEXT_CHARACTERS), by=show(one.by), at=one.at, done_by=one.done_by)
            for one in case.tasks
        ],
        history=[view(one) for one in reversed(case.history)],
    )


def deed_view(deed: Deed, *, is_undone: bool = False, may_undo: bool = False) -> DeedView:
    """One deed."""
    return DeedView(
        id=deed.id,
        incident_id=deed.incident_id,
        kind=deed.kind.value,
        at=deed.at,
        by=show(deed.by),
        text=show(deed.text, TEXT_CHARACTERS),
        before=show(deed.before),
        other=deed.other,
        alerts=deed.alerts,
        of=deed.of,
        is_undone=is_undone,
        may_undo=may_undo,
    )
