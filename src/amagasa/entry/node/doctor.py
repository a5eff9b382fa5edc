"""A look at all of a node, running or not, in the order in which one thing rests on another. Nothing is changed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from amagasa.app.agreements import read_card
from amagasa.app.doctor import Finding, Kind
from amagasa.entry.node import doctor_ground as ground
from amagasa.entry.node import doctor_inside as inside
from amagasa.entry.settings.load import load_settings
from amagasa.entry.settings.tree import Settings
from amagasa.entry.wiring import CARD_FILE, SETTINGS_FILE, World, agreement_files, open_world
from amagasa.entry.wiring_doctor import HEAD, certificate_life, load_party_keys, standing_of
from amagasa.vocab.errors import AmagasaError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

# What rests on an opened node; where that cannot be had, none of it could be looked at.
_INSIDE: Final = ("store", "lake", "ledger", "agreements", "allies", "sources", "content", "clock")


def examine(node: Path, *, now: datetime) -> Iterator[Finding]:
    """Every finding, the sound ones too."""
    yield from ground.program()
    yield from ground.folder(node)
    settings = _settings(node)
    if isinstance(settings, Finding):
        yield settings
        yield from (_blocked(part, "settings") for part in ("disk", "ports", *_INSIDE))
        return
    yield Finding(part="settings", kind=Kind.SOUND, code="settings", args=(SETTINGS_FILE,))
    keys = [*_said("keys", lambda: _keys(node, settings, now=now))]
    yield from keys
    yield from ground.disk(node, settings)
    yield from ground.ports(node, settings)
    store = [*_said("store", lambda: _store(node, settings))]
    yield from store
    blocking = next((one for one in (*keys, *store) if one.code in {"error", "store-missing", "store-older"}), None)
    if blocking is None:
        yield from _within(node, now=now)
    else:
        rest = _INSIDE[1:] if blocking.part == "store" or store else _INSIDE
        yield from (_blocked(part, blocking.part) for part in rest)


def _settings(node: Path) -> Settings | Finding:
    try:
        return load_settings(node / SETTINGS_FILE)
    except AmagasaError as problem:
        return _failed("settings", problem, Kind.WRONG)


def _keys(node: Path, settings: Settings, *, now: datetime) -> Iterator[Finding]:
    keys = load_party_keys(node)
    card = read_card(agreement_files(), node / CARD_FILE)
    ours = {"key": keys.public_key, "certificate": keys.certificate.strip(), "id": settings.node.id or card.id}
    theirs = {"key": card.key, "certificate": card.certificate.strip(), "id": card.id}
    other = [name for name, value in ours.items() if value != theirs[name]]
    for name in other:
        yield Finding(part="keys", kind=Kind.WRONG, code="card", args=(name,))
    if not other:
        yield Finding(part="keys", kind=Kind.SOUND, code="keys")
    begins_at, ends_at = certificate_life(keys.certificate)
    left = ends_at - now
    args: tuple[str, ...] = (to_rfc3339(ends_at), str(left.days))
    if now < begins_at:
        args = (to_rfc3339(begins_at),)
        yield Finding(part="certificate", kind=Kind.WRONG, code="certificate-early", args=args)
    elif now >= ends_at:
        yield Finding(part="certificate", kind=Kind.WRONG, code="certificate-over", args=args[:1])
    elif left < inside.SOON:
        yield Finding(part="certificate", kind=Kind.NOTE, code="certificate-soon", args=args)
    else:
        yield Finding(part="certificate", kind=Kind.SOUND, code="certificate", args=args[:1])


def _store(node: Path, settings: Settings) -> Iterator[Finding]:
    path = node / settings.store.path
    if not path.is_file():
        yield Finding(part="store", kind=Kind.WRONG, code="store-missing", args=(show(str(path)),))
        return
    revision = standing_of(path)
    if revision != HEAD:
        args = (revision or "0", HEAD)
        yield Finding(part="store", kind=Kind.NOTE, code="store-older", args=args)


def _within(node: Path, *, now: datetime) -> Iterator[Finding]:
    try:
        world = open_world(node)
    except AmagasaError as problem:
        yield _failed("store", problem, Kind.WRONG)
        yield from (_blocked(part, "store") for part in _INSIDE[1:])
        return
    with closing(world.store):
        yield from _said("store", lambda: _integrity(world))
        yield from _said("lake", lambda: inside.lake(world))
        yield from _said("ledger", lambda: inside.ledger(world))
        yield from _said("agreements", lambda: inside.agreements(world, now=now))
        yield from _said("sources", lambda: inside.standing(world, now=now))


def _integrity(world: World) -> Iterator[Finding]:
    faults = world.store.check()
    for fault in faults[:10]:
        yield Finding(part="store", kind=Kind.WRONG, code="store-damaged", args=(show(fault),))
    if not faults:
        yield Finding(part="store", kind=Kind.SOUND, code="store", args=(HEAD,))


def _said(part: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What the look finds; where it fails for what is wrong with the node, that is the finding."""
    try:
        yield from look()
    except AmagasaError as problem:
        yield _failed(part, problem, Kind.WRONG)
    except OSError as problem:
        yield Finding(part=part, kind=Kind.UNLOOKED, code="error", args=(show(str(problem)), ""))


def _failed(part: str, problem: AmagasaError, kind: Kind) -> Finding:
    what = "; ".join(one for one in (problem.what, problem.got) if one)
    return Finding(
        part=part, kind=kind, code="error", args=(f"{what} [{problem.code}]", problem.then or problem.expected)
    )


def _blocked(part: str, by: str) -> Finding:
    return Finding(part=part, kind=Kind.UNLOOKED, code="blocked", args=(by,))
