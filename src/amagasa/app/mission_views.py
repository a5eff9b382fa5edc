"""What people and scripts see of missions."""

from datetime import datetime

from msgspec import Struct

from amagasa.mission.problem import Problem
from amagasa.mission.span import Span
from amagasa.vocab.text import show


class ModelText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of a model: its name says what it is (`.csv`, else TOML)."""

    path: str
    content: str


class ProblemView(Struct, frozen=True, kw_only=True):
    """What is wrong with a model, and where."""

    grade: str
    code: str
    path: str
    line: int
    what: str
    expected: str
    got: str


class CheckedView(Struct, frozen=True, kw_only=True):
    """Whether a model can be used; the first 100 problems of each grade."""

    is_usable: bool
    n_errors: int
    n_warnings: int
    problems: tuple[ProblemView, ...]


class ModelView(Struct, frozen=True, kw_only=True):
    """The model the node holds; `version` is 0 and all is empty where it has none.

    `n_undo` earlier versions can be brought back.
    """

    version: int = 0
    title: str = ""
    party: str = ""
    saved_at: datetime | None = None
    saved_by: str = ""
    n_undo: int = 0
    n_missions: int = 0
    n_services: int = 0
    n_assets: int = 0
    n_dependencies: int = 0
    texts: tuple[ModelText, ...] = ()


class StepView(Struct, frozen=True, kw_only=True):
    """A node on the way of a loss, from the mission down to where it begins."""

    name: str
    operability: float
    bound_by: str
    strength: float | None = None
    criticality: float | None = None


class MissionView(Struct, frozen=True, kw_only=True):
    """How a mission stands, and by which way it is held there; `why` in one sentence."""

    name: str
    title: str
    title_ja: str
    party: str
    weight: float
    operability: Span
    why: str
    way: tuple[StepView, ...]


class TouchedView(Struct, frozen=True, kw_only=True):
    """An asset that open incidents reached: its own health now, and which incidents."""

    name: str
    title: str
    health: Span
    incidents: tuple[str, ...]


class IncidentLossView(Struct, frozen=True, kw_only=True):
    """What an incident alone takes: `loss` over all missions by weight, and of each mission. `worst` is the most."""

    incident_id: str
    title: str
    assets: tuple[str, ...]
    loss: Span
    missions: tuple[tuple[str, Span], ...]


class RestoreView(Struct, frozen=True, kw_only=True):
    """A step of repair, with what missions gain by it."""

    name: str
    gain: float
    repair_h: tuple[float, float]
    is_estimated: bool


class InstantView(Struct, frozen=True, kw_only=True):
    """How missions stand so many hours from now if all that is damaged is under repair."""

    after_h: float
    missions: dict[str, Span]


class HeardView(Struct, frozen=True, kw_only=True):
    """An ally's boundary service as it told us; `heard_at` None: nothing was ever heard, and that is no good news."""

    name: str
    ally: str
    service: str
    operability: Span
    heard_at: datetime | None
    is_stale: bool


class ImpactView(Struct, frozen=True, kw_only=True):
    """What open incidents take from each mission. `has_model` False: the node holds no model, nothing was reckoned.

    `n_unmatched` open incidents touch no asset of the model: that is no proof that they cost nothing. `is_cut`: there
    were more open incidents than were looked at.
    """

    has_model: bool
    method: str
    reckoned_at: datetime
    missions: tuple[MissionView, ...] = ()
    touched: tuple[TouchedView, ...] = ()
    incidents: tuple[IncidentLossView, ...] = ()
    restore: tuple[RestoreView, ...] = ()
    forecast: tuple[InstantView, ...] = ()
    heard: tuple[HeardView, ...] = ()
    n_unmatched: int = 0
    is_settled: bool = True
    is_cut: bool = False


class HurtView(Struct, frozen=True, kw_only=True):
    """What the failure of one node alone would take from the missions, from how they stand now."""

    name: str
    kind: str
    loss: float
    worst_mission: str
    worst_loss: float
    n_touched: int


class NodeView(Struct, frozen=True, kw_only=True):
    """A node of the graph. `n_hidden` feeders are not in this view."""

    name: str
    kind: str
    title: str
    title_ja: str
    party: str
    operability: Span
    health: Span
    n_hidden: int
    is_boundary: bool
    ally: str
    is_touched: bool


class EdgeView(Struct, frozen=True, kw_only=True):
    """A dependency. `is_way`: it is on the way of a loss from an asset to a mission."""

    feeder: str
    receiver: str
    strength: float
    criticality: float
    is_way: bool


class GraphView(Struct, frozen=True, kw_only=True):
    """A part of the graph that can be drawn; `n_all` nodes are in the model."""

    has_model: bool
    n_all: int = 0
    nodes: tuple[NodeView, ...] = ()
    edges: tuple[EdgeView, ...] = ()


def problem_view(problem: Problem) -> ProblemView:
    """A problem; all its text is safe to show."""
    return ProblemView(
        grade=problem.grade.value,
        code=problem.code,
        path=show(problem.place.path),
        line=problem.place.line,
        what=problem.what,
        expected=problem.expected,
        got=problem.got,
    )
