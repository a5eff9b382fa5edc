"""Missions over two nations: which services an ally is shown, and how well; and how the ally's stand by its own word.

What leaves is a STIX `infrastructure` object with a name and one figure in steps, and nothing else of the map: it is a
function of these alone, so two maps with the same boundary are the same to an ally. It leaves where a clause lets
`infrastructure` go, like every other object: `share` knows nothing of missions.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.mission_views import HeardView
from amagasa.app.ports import AgreementBook, Bond, Reading, StoredObject
from amagasa.intel.build import DEFINED_AT, EXTENSION_ID, common, extension
from amagasa.mission.model import FULL, Model, Node
from amagasa.mission.span import Span, sure
from amagasa.share.agreement import Party
from amagasa.vocab.ids import is_stix_id, stable_id
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

# A service that does not change is told again so often, so that silence means something.
REPEAT: Final = timedelta(hours=6)
STALE: Final = timedelta(hours=13)
UNHEARD: Final = Span(worst=0.0, likely=FULL, best=FULL)


class Shown(Struct, frozen=True, kw_only=True):
    """What an ally may be shown of one service: its name and how it stands, rounded down to a whole `step`."""

    name: str
    operability: int
    step: int


class Heard(Struct, frozen=True, kw_only=True):
    """What allies told: spans for the reckoning by name of the node here, and rows for people."""

    spans: Mapping[str, Span]
    rows: tuple[HeardView, ...]


def shown_services(model: Model, likely: Mapping[str, float]) -> tuple[Shown, ...]:
    """The boundary services with how they most likely stand. The only thing of the map that `object_of` is given."""
    return tuple(_shown(node, likely[node.name]) for node in model.nodes if node.is_boundary)


def _shown(node: Node, operability: float) -> Shown:
    step = max(1, math.floor(node.shown_step))
    return Shown(name=node.name, operability=step * math.floor((operability + 1e-9) / step), step=step)


def object_of(shown: Shown, *, party: Party, marking: Tlp, now: datetime) -> dict[str, Any]:
    """The STIX object that says how this service stands."""
    base = common(
        "infrastructure",
        service_id(party.id, shown.name),
        created_at=DEFINED_AT,
        modified_at=now,
        author=party.id,
        marking=marking,
    )
    facts = {"operability": shown.operability, "operability_step": shown.step}
    return {**base, "name": show(shown.name), "extensions": extension(facts)}


def revoked_object(name: str, *, party: Party, marking: Tlp, now: datetime) -> dict[str, Any]:
    """The STIX object that takes the statement back: this service is shown no longer."""
    base = common(
        "infrastructure",
        service_id(party.id, name),
        created_at=DEFINED_AT,
        modified_at=now,
        author=party.id,
        marking=marking,
    )
    return {**base, "name": show(name), "revoked": True}


def service_id(party_id: str, name: str) -> str:
    """The same on both sides: of whose service it is, and its name there."""
    return stable_id("infrastructure", party_id, "service", name)


def services_heard(reading: Reading, model: Model, book: AgreementBook | None, *, now: datetime) -> Heard:
    """How the services of allies in this model stand, by what these told last.

    A figure is a step: at worst it is the figure, at best the next. Nothing heard, or for 13 hours: from 0 to all.
    """
    wanted = [node for node in model.nodes if node.ally]
    bonds = tuple(book.bonds()) if wanted and book is not None else ()
    found = {node.name: _ally_of(node, bonds) for node in wanted}
    ids = {
        name: service_id(ally.id, node.ally_service or node.name)
        for node in wanted
        if (ally := found[(name := node.name)]) is not None
    }
    held = {one.id: one for one in reading.objects(ids.values())} if ids else {}
    rows = [_heard(node, found[node.name], held.get(ids.get(node.name, "")), now) for node in wanted]
    return Heard(spans={row.name: row.operability for row in rows}, rows=tuple(rows))


def _ally_of(node: Node, bonds: Sequence[Bond]) -> Party | None:
    """The ally by its identity, its name or its country."""
    if is_stix_id(node.ally):
        return next((bond.ally for bond in bonds if bond.ally.id == node.ally), None)
    named = node.ally.casefold()
    return next(
        (bond.ally for bond in bonds if named in {bond.ally.name.casefold(), bond.ally.country.casefold()}), None
    )


def _heard(node: Node, ally: Party | None, stored: StoredObject | None, now: datetime) -> HeardView:
    told = _figure(stored) if stored is not None and ally is not None and stored.origin == ally.id else None
    heard_at = stored.added_at if stored is not None and told is not None else None
    is_stale = heard_at is not None and now - heard_at > STALE
    span = told if told is not None else UNHEARD
    if is_stale:
        span = Span(worst=0.0, likely=span.likely, best=FULL)
    return HeardView(
        name=node.name,
        ally=show(ally.name if ally is not None else node.ally),
        service=show(node.ally_service or node.name),
        operability=span,
        heard_at=heard_at,
        is_stale=is_stale,
    )


def _figure(stored: StoredObject) -> Span | None:
    """What it says, hostile as it may be; None where it says nothing that can be used, or takes it back."""
    try:
        body = msgspec.json.decode(stored.body)
        facts = body["extensions"][EXTENSION_ID]
        figure, step = facts["operability"], facts.get("operability_step", 1)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None
    if body.get("revoked") is True or type(figure) is not int or type(step) is not int:
        return None
    if not (0 <= figure <= FULL and 1 <= step <= FULL):
        return None
    if figure == FULL:
        return sure(FULL)
    return Span(worst=float(figure), likely=min(FULL, figure + step / 2), best=min(FULL, float(figure + step)))
