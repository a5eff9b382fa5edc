"""The console of an opened node as an application: for people over the network, and for the owner's own socket."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from litestar import Litestar
from litestar.types import ASGIApp

from amagasa.app.courier import CourierDesk
from amagasa.app.ledger_export import Ours
from amagasa.app.missions import Missions
from amagasa.app.own_ground import OurGround
from amagasa.app.record_desk import RecordDesk
from amagasa.entry.node.kept_heads import kept_heads
from amagasa.entry.people.api import build_console
from amagasa.entry.people.deps import ConsoleDeps, always_ready
from amagasa.entry.people.front import front
from amagasa.entry.people.taxii import LibraryDeps, build_library
from amagasa.entry.settings.tree import TriageSettings
from amagasa.entry.wiring import OPERATOR, World, hearts_of, library_of, open_world
from amagasa.entry.wiring_detect import kept_files
from amagasa.workforce.budget import Shifts


def console_of_world(world: World, *, is_local: bool, is_ready: Callable[[], bool] = always_ready) -> Litestar:
    """The console. With `is_local` everyone is the operator: only for a socket that the folder's owner alone opens."""
    settings = world.settings
    return build_console(
        ConsoleDeps(
            store=world.store,
            clock=world.clock,
            signals=world.signals,
            passwords=world.passwords,
            party=world.party,
            agreements=world.book,
            sharing=world.telling,
            lang=settings.node.lang,
            sources=tuple((source.name, source.address) for source in settings.source if source.enabled),
            is_tls=settings.console.tls and not is_local,
            local_actor=OPERATOR if is_local else None,
            files=kept_files(world.folder),
            is_ready=is_ready,
            hunts=world.hunts,
            rejects=world.rejects,
            plant=world.plant,
            unkept=world.unkept,
            shifts=shifts_of(settings.triage),
            courier=CourierDesk(
                store=world.store,
                signals=world.signals,
                book=world.book,
                party=world.party.id,
                box=world.keys,
                pass_on=world.telling.pass_on,
                hearts=hearts_of(world),
                own=OurGround(settings.share.own, Missions(world.store, world.book)),
            ),
            records=RecordDesk(
                store=world.store,
                book=world.book,
                ours=Ours(party=world.party.id, signer=world.keys),
                kept_heads=partial(kept_heads, world.folder),
            ),
        )
    )


def shifts_of(triage: TriageSettings) -> Shifts:
    """How the party works, as its settings say."""
    return Shifts(
        hours=triage.shift_hours,
        begins_at_utc=triage.shift_begins_utc,
        usual=triage.budget_usual,
        least=triage.budget_least,
        offer_from=triage.offer_from,
    )


def front_of_world(world: World, *, is_ready: Callable[[], bool] = always_ready) -> ASGIApp:
    """What listens for people: the console, and the library for other tools."""
    library = LibraryDeps(library=library_of(world.folder), passwords=world.passwords, clock=world.clock)
    return front(console_of_world(world, is_local=False, is_ready=is_ready), build_library(library))


def mount_locally(folder: Path) -> Litestar:
    """The console of a node that does not run, in this process. Raises as `open_world`."""
    return console_of_world(open_world(folder), is_local=True)
