"""What a node holds: store, records, the record of agreements, allies, sources. Reads only."""

import os
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from amagasa.app.agreement_book import Entry, State
from amagasa.app.doctor import Finding, Kind
from amagasa.app.ledger_export import Ours, export, keys_of
from amagasa.app.situation import LinkState, RhythmState, Situation, SourceView, StatusView
from amagasa.app.worker_messages import SourceKind
from amagasa.entry.cli.ledger import standing_heads
from amagasa.entry.settings.source import SourceSettings
from amagasa.entry.settings.tree import Settings
from amagasa.entry.wiring import OPERATOR, World
from amagasa.entry.wiring_doctor import check_mapping, fits_none, is_dissector_there, is_pattern
from amagasa.entry.wiring_lake import proofs_of
from amagasa.share.ledger import Misfit, verify_lines
from amagasa.share.words import sentence
from amagasa.vocab.errors import AmagasaError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

SOON: Final = timedelta(days=30)
# Clocks of machines that are set over the network differ by less.
SKEW: Final = timedelta(minutes=5)
_TRIES: Final = 3


def lake(world: World) -> Iterator[Finding]:
    """Every block is read. A running node packs and lets go meanwhile: what does not fit is looked at again."""
    settings = world.settings
    if not settings.lake.enabled:
        yield Finding(part="lake", kind=Kind.NOTE, code="lake-off")
        return
    for _ in range(_TRIES):
        proofs = proofs_of(world.folder, world.folder / settings.lake.path)
        faulty = [proof for proof in proofs if proof.fault]
        if not faulty:
            break
    for proof in faulty:
        args = (show(proof.source), show(proof.fault))
        yield Finding(part="lake", kind=Kind.WRONG, code="lake-damaged", args=args)
    if not faulty:
        n = sum(proof.n_records + proof.n_unchained for proof in proofs)
        yield Finding(part="lake", kind=Kind.SOUND, code="lake", args=(f"{n:,}", str(len(proofs))))


def ledger(world: World) -> Iterator[Finding]:
    """Each record against its own signatures and every head that the ally countersigned."""
    n_leaves = n_sound = 0
    is_sound = True
    with world.store.read() as reading:
        for name in reading.ledgers.names():
            keys = keys_of(world.book, name)
            if not keys:
                is_sound = False
                yield Finding(part="ledger", kind=Kind.UNLOOKED, code="ledger-unkeyed", args=(show(name),))
                continue
            ours = Ours(party=world.party.id, signer=world.keys)
            heads = standing_heads(world.folder, reading, name)
            lines = export(reading, name, ours, book=world.book, heads=heads, now=world.clock.now())
            found = verify_lines(lines, keys=keys)
            if isinstance(found, Misfit):
                is_sound = False
                at = "" if found.leaf is None else f" ({found.leaf})"
                args = (show(name), at, show(found.why))
                yield Finding(part="ledger", kind=Kind.WRONG, code="ledger-misfit", args=args)
            else:
                n_leaves, n_sound = n_leaves + found.n_leaves, n_sound + 1
    if is_sound:
        yield Finding(part="ledger", kind=Kind.SOUND, code="ledger", args=(f"{n_leaves:,}", str(n_sound)))


def agreements(world: World, *, now: datetime) -> Iterator[Finding]:
    """Whether each can be relied on, and how long."""
    book = world.book.book
    for entry in book.faulty:
        why = "; ".join(sentence(one, world.settings.node.lang) for one in entry.problems)
        yield Finding(part="agreements", kind=Kind.WRONG, code="agreement-faulty", args=(show(entry.name), why))
    in_force = [entry for entry in book.entries if entry.state(now) is State.IN_FORCE]
    covered = {_ally_of(entry, world) for entry in in_force}
    for entry in (*in_force, *(one for one in book.entries if one.state(now) is State.EXPIRED)):
        if entry.agreement is None:
            continue
        until = entry.agreement.valid_until_at
        args = (show(entry.agreement.id), to_rfc3339(until), str(max(0, (until - now).days)))
        if until <= now and _ally_of(entry, world) not in covered:
            yield Finding(part="agreements", kind=Kind.WRONG, code="agreement-over", args=args[:2])
        elif now < until < now + SOON and not _is_followed(entry, book.entries, now):
            yield Finding(part="agreements", kind=Kind.NOTE, code="agreement-soon", args=args)
    if not book.faulty:
        yield Finding(part="agreements", kind=Kind.SOUND, code="agreements", args=(str(len(in_force)),))


def _ally_of(entry: Entry, world: World) -> str:
    return "" if entry.agreement is None else entry.agreement.ally_of(world.party.id).id


def _is_followed(entry: Entry, entries: tuple[Entry, ...], now: datetime) -> bool:
    """Whether a version that is signed already begins where this one ends."""
    early = [one.agreement for one in entries if one.agreement is not None and one.state(now) is State.EARLY]
    mine = entry.agreement
    return mine is not None and any(one.id == mine.id and one.valid_from_at <= mine.valid_until_at for one in early)


def standing(world: World, *, now: datetime) -> Iterator[Finding]:
    """Allies, sources, content and clock, as the console has them too."""
    settings = world.settings
    named = [(source.name, source.address) for source in settings.source if source.enabled]
    found = Situation(world.store, world.party, lang=settings.node.lang, sources=named)
    status = found.status(OPERATOR, world.book.agreements(), now=now)
    yield from _allies(status)
    yield from _sources(status, settings, world.folder)
    yield from _content(status)
    yield from _clock(status, now=now)


def _allies(status: StatusView) -> Iterator[Finding]:
    down = [one for one in status.allies if one.link.state is LinkState.DOWN]
    for one in down:
        args = (show(one.ally.name), str(one.link.n_waiting), show(one.link.why))
        yield Finding(part="allies", kind=Kind.WRONG, code="ally-down", args=args)
    if not down:
        yield Finding(part="allies", kind=Kind.SOUND, code="allies")


def _sources(status: StatusView, settings: Settings, folder: Path) -> Iterator[Finding]:
    views = {view.name: view for view in status.sources}
    enabled = [source for source in settings.source if source.enabled]
    n_sound = 0
    for source in enabled:
        found = [*_reachable(source, folder)]
        view = views.get(show(source.name))
        found += [] if view is None else _seen(view)
        n_sound += not any(one.kind is Kind.WRONG for one in found)
        yield from found
    if not enabled:
        yield Finding(part="sources", kind=Kind.NOTE, code="no-sources")
    elif n_sound:
        yield Finding(part="sources", kind=Kind.SOUND, code="sources", args=(str(n_sound),))


def _reachable(source: SourceSettings, folder: Path) -> Iterator[Finding]:
    name = show(source.name)
    if source.mapping:
        try:
            check_mapping(folder / source.mapping)
        except AmagasaError as problem:
            yield Finding(part="sources", kind=Kind.WRONG, code="source-fault", args=(name, str(problem)))
    if source.kind is SourceKind.CAPTURE:
        if not is_dissector_there():
            yield Finding(part="sources", kind=Kind.WRONG, code="tshark", args=(name,))
        if source.interface not in {one for _, one in socket.if_nameindex()}:
            args = (name, show(source.interface))
            yield Finding(part="sources", kind=Kind.WRONG, code="interface-missing", args=args)
    elif not source.kind.is_received:
        yield from _openable(name, source.path, folder / source.path)


def _openable(name: str, said: str, path: Path) -> Iterator[Finding]:
    """Whether the log, the folder, or what fits the pattern can be opened."""
    if fits_none(str(path)):
        yield Finding(part="sources", kind=Kind.WRONG, code="source-missing", args=(name, show(said)))
    if is_pattern(str(path)):
        return
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError:
        yield Finding(part="sources", kind=Kind.WRONG, code="source-missing", args=(name, show(said)))
    except OSError as problem:
        closed = (name, show(said), problem.strerror or "")
        yield Finding(part="sources", kind=Kind.WRONG, code="source-closed", args=closed)


def _seen(view: SourceView) -> Iterator[Finding]:
    """What was seen of it while the node ran."""
    if view.fault:
        yield Finding(part="sources", kind=Kind.WRONG, code="source-fault", args=(view.name, view.fault))
    if view.rhythm is RhythmState.SILENT:
        last = "-" if view.last_record_at is None else to_rfc3339(view.last_record_at)
        yield Finding(part="sources", kind=Kind.WRONG, code="source-silent", args=(view.name, last))
    if view.clock_ahead_s is not None and abs(view.clock_ahead_s) > SKEW.total_seconds():
        args = (view.name, f"{view.clock_ahead_s:+,.0f}")
        yield Finding(part="sources", kind=Kind.NOTE, code="source-clock", args=args)


def _content(status: StatusView) -> Iterator[Finding]:
    counts = status.counts
    if counts.content_faulted:
        args = (f"{counts.content_faulted:,}", f"{counts.content:,}")
        yield Finding(part="content", kind=Kind.WRONG, code="content-faulted", args=args)
    else:
        yield Finding(part="content", kind=Kind.SOUND, code="content")


def _clock(status: StatusView, *, now: datetime) -> Iterator[Finding]:
    newest = [(one.last_record_at, one.name) for one in status.sources if one.last_record_at is not None]
    ahead = [(at, name) for at, name in newest if at > now + SKEW]
    for at, name in ahead:
        args = (name, to_rfc3339(at), to_rfc3339(now))
        yield Finding(part="clock", kind=Kind.WRONG, code="clock-behind", args=args)
    if not ahead:
        yield Finding(part="clock", kind=Kind.SOUND, code="clock")
