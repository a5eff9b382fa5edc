"""The node's map of missions: kept, checked, undone; and what open incidents take from it."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.boundary import services_heard
from amagasa.app.mission_views import CheckedView, HeardView, HurtView, ModelText, ModelView, problem_view
from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Reading, Store, Writing
from amagasa.incident.alert import Incident, Status
from amagasa.mission.impact import Ground, Impact, Touch, assess_impact, ground_of, touches_of
from amagasa.mission.model import Kind
from amagasa.mission.operability import Method
from amagasa.mission.read import ReadModel, Text, read_model
from amagasa.mission.weighing import Standing, hurting, stand
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

MAX_FILES: Final = 2
MAX_UNDO: Final = 20
UNDO_BYTES: Final = 16 * 1024 * 1024
INCIDENTS_LOOKED_AT: Final = 2_000
ALERTS_OF_ONE: Final = 500
_PAGE: Final = 500
_KEPT_TOUCHES: Final = 10_000
_NOW: Final = "mission.model"
_BEFORE: Final = "mission.before"


class Held(Struct, frozen=True, kw_only=True):
    """A version of the model as it is kept."""

    version: int
    texts: tuple[ModelText, ...]
    saved_at: datetime
    saved_by: str


class Reckoned(Struct, frozen=True, kw_only=True):
    """The impact of this instant, with the open incidents it came of. `n_unmatched` of them touch nothing we know."""

    ground: Ground
    impact: Impact
    incidents: Mapping[str, Incident]
    heard: tuple[HeardView, ...]
    n_unmatched: int
    is_cut: bool


class Missions:
    """Thread-safe. The model is compiled once a version; what an incident touches is kept until it changes."""

    def __init__(self, store: Store, book: AgreementBook | None = None) -> None:
        self._store = store
        self._book = book
        self._lock = threading.Lock()
        self._compiling = threading.Lock()
        self._ground: tuple[int, Ground] | None = None
        self._touches: OrderedDict[tuple[int, str], tuple[datetime, tuple[Touch, ...]]] = OrderedDict()

    def check(self, actor: Actor, texts: Sequence[ModelText]) -> CheckedView:
        """What is wrong with a model, without keeping it."""
        require(actor, Act.READ)
        return checked_view(_read(texts))

    def save(self, actor: Actor, texts: Sequence[ModelText], *, version: int | None, now: datetime) -> ModelView:
        """Keep a model that has no errors. `version` is the one that was edited: another one meanwhile is not overrun.

        Raises BadInputError (AMG-MISSION-MODEL, AMG-MISSION-CHANGED).
        """
        require(actor, Act.WRITE_CONTENT)
        read = _read(texts)
        if read.model is None:
            first = next(iter(read.problems))
            raise BadInputError(
                "AMG-MISSION-MODEL",
                "this model cannot be used",
                expected="no errors",
                got=str(first),
                then=f"{read.n_errors} in all; nothing was changed",
            )
        with self._store.write() as tx:
            held = _held(tx)
            _refuse_overrun(held, version)
            _push(tx, held)
            _keep(tx, Held(version=_next(held), texts=tuple(texts), saved_at=now, saved_by=actor.name))
        return self.model(actor)

    def undo(self, actor: Actor, *, version: int | None, now: datetime) -> ModelView:
        """Bring back the version before; it is a new version itself. Raises BadInputError where there is none."""
        require(actor, Act.WRITE_CONTENT)
        with self._store.write() as tx:
            held, before = _held(tx), _before(tx)
            _refuse_overrun(held, version)
            if not before:
                raise BadInputError("AMG-MISSION-UNDO", "there is no earlier version of the model to go back to")
            last = before.pop()
            tx.save_meta(_BEFORE, msgspec.json.encode(before).decode())
            _keep(tx, replace(last, version=_next(held), saved_at=now, saved_by=actor.name))
        return self.model(actor)

    def model(self, actor: Actor) -> ModelView:
        """The model with its texts."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            held, n_undo = _held(reading), len(_before(reading))
        if held is None:
            return ModelView()
        model = self._ground_of(held).model
        return ModelView(
            version=held.version,
            title=show(model.title),
            party=show(model.party),
            saved_at=held.saved_at,
            saved_by=show(held.saved_by),
            n_undo=n_undo,
            n_missions=len(model.of_kind(Kind.MISSION)),
            n_services=len(model.of_kind(Kind.SERVICE)),
            n_assets=len(model.of_kind(Kind.ASSET)),
            n_dependencies=len(model.dependencies),
            texts=held.texts,
        )

    def what_if(self, actor: Actor, settings: Mapping[str, float], *, method: Method) -> Standing:
        """How everything would stand with the health of these nodes so, apart from any incident.

        Raises BadInputError for an unknown name or a figure outside 0..100.
        """
        require(actor, Act.READ)
        ground = self.ground()
        for name, health in settings.items():
            if name not in ground.network.number or not 0 <= health <= 100:
                raise BadInputError(
                    "AMG-MISSION-SET",
                    "this cannot be set",
                    expected="a node of the model, and 0 to 100",
                    got=f"{name}={health}",
                )
        return stand(ground.model, ground.network, settings, method=method)

    def hurts(self, actor: Actor, *, kinds: Sequence[Kind], method: Method, limit: int) -> tuple[HurtView, ...]:
        """Nodes of these kinds by what their failure alone would take, the worst first, apart from any incident."""
        require(actor, Act.READ)
        ground = self.ground()
        kind_of = {node.name: node.kind.value for node in ground.model.nodes}
        found = hurting(stand(ground.model, ground.network, method=method), kinds=kinds)
        return tuple(
            HurtView(
                name=one.name,
                kind=kind_of[one.name],
                loss=one.loss,
                worst_mission=one.worst,
                worst_loss=one.worst_loss,
                n_touched=one.n_touched,
            )
            for one in found[:limit]
        )

    def ground(self) -> Ground:
        """The model made ready. Raises BadInputError (AMG-MISSION-NONE-HELD) where the node holds none."""
        with self._store.read() as reading:
            held = _held(reading)
        if held is None:
            raise BadInputError(
                "AMG-MISSION-NONE-HELD",
                "this node holds no model of missions",
                expected="a model (docs/missions.md)",
                then="amagasa mission load FILE",
            )
        return self._ground_of(held)

    def reckon(self, reading: Reading, *, now: datetime, method: Method = Method.FDNA) -> Reckoned | None:
        """The impact of what is open now and of what allies told; None where the node holds no model.

        For use cases: asks no permission.
        """
        held = _held(reading)
        if held is None:
            return None
        ground = self._ground_of(held)
        incidents, is_cut = _open_incidents(reading)
        touches: list[Touch] = []
        n_unmatched = 0
        for incident in incidents:
            found = self._touches_of(reading, incident, held.version, ground)
            touches += found
            n_unmatched += not found
        heard = services_heard(reading, ground.model, self._book, now=now)
        return Reckoned(
            ground=ground,
            impact=assess_impact(touches, ground, heard=heard.spans, method=method),
            heard=heard.rows,
            incidents={incident.id: incident for incident in incidents},
            n_unmatched=n_unmatched,
            is_cut=is_cut,
        )

    def _ground_of(self, held: Held) -> Ground:
        with self._compiling:  # two who ask for a new model at once wait for one compilation, not for two
            if self._ground is not None and self._ground[0] == held.version:
                return self._ground[1]
            read = _read(held.texts)
            if read.model is None:
                # Kept by an older node that let it pass: our mistake, but people must be able to mend it.
                raise BadInputError(
                    "AMG-MISSION-MODEL", "the model that is kept cannot be used", got=str(read.problems[0])
                )
            ground = ground_of(read.model)
            self._ground = (held.version, ground)
            return ground

    def _touches_of(self, reading: Reading, incident: Incident, version: int, ground: Ground) -> tuple[Touch, ...]:
        key = (version, incident.id)
        with self._lock:
            known = self._touches.get(key)
            if known is not None and known[0] == incident.updated_at:
                self._touches.move_to_end(key)
                return known[1]
        found: tuple[Touch, ...] = ()
        # An incident holds 64 entities of a kind; one at that limit may have alerts that name more.
        if ground.matcher.has_sources or len(incident.entities) >= 64 or ground.matcher.assets_of(incident.entities):
            alerts, _ = reading.alerts(Page(limit=ALERTS_OF_ONE), incident_id=incident.id)
            found = touches_of([replace(alert, incident_id=incident.id) for alert in alerts], ground.matcher)
        with self._lock:
            self._touches[key] = (incident.updated_at, found)
            while len(self._touches) > _KEPT_TOUCHES:
                self._touches.popitem(last=False)
        return found


def checked_view(read: ReadModel) -> CheckedView:
    """The answer of a check."""
    return CheckedView(
        is_usable=read.model is not None,
        n_errors=read.n_errors,
        n_warnings=read.n_warnings,
        problems=tuple(problem_view(one) for one in read.problems),
    )


def _read(texts: Sequence[ModelText]) -> ReadModel:
    if not 1 <= len(texts) <= MAX_FILES:
        raise BadInputError(
            "AMG-MISSION-FILES", "this is no model", expected="one TOML, or one CSV or two", got=f"{len(texts)} files"
        )
    return read_model(
        [Text(path=text.path, content=text.content.encode("utf-8", "backslashreplace")) for text in texts]
    )


def _held(reading: Reading) -> Held | None:
    kept = reading.meta(_NOW)
    return msgspec.json.decode(kept, type=Held) if kept else None


def _before(reading: Reading) -> list[Held]:
    kept = reading.meta(_BEFORE)
    return msgspec.json.decode(kept, type=list[Held]) if kept else []


def _next(held: Held | None) -> int:
    return 1 if held is None else held.version + 1


def _keep(tx: Writing, held: Held) -> None:
    tx.save_meta(_NOW, msgspec.json.encode(held).decode())


def _push(tx: Writing, held: Held | None) -> None:
    """Keep what is replaced, the newest 20 versions and at most 16 MiB of them."""
    if held is None:
        return
    kept = [*_before(tx), held][-MAX_UNDO:]
    while len(kept) > 1 and sum(len(text.content) for one in kept for text in one.texts) > UNDO_BYTES:
        kept.pop(0)
    tx.save_meta(_BEFORE, msgspec.json.encode(kept).decode())


def _refuse_overrun(held: Held | None, version: int | None) -> None:
    if version is not None and version != (held.version if held else 0):
        raise BadInputError(
            "AMG-MISSION-CHANGED",
            "somebody else changed the model meanwhile",
            expected=f"an edit of version {held.version if held else 0}",
            got=f"version {version}",
            then="look at the newer model and do it again",
        )


def _open_incidents(reading: Reading) -> tuple[list[Incident], bool]:
    found: list[Incident] = []
    cursor: str | None = None
    while len(found) < INCIDENTS_LOOKED_AT:
        page, cursor = reading.incidents(Page(limit=_PAGE, before=cursor), status=Status.OPEN)
        found += page
        if cursor is None:
            break
    return found, cursor is not None
