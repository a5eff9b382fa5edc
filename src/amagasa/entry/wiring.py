"""Where adapters meet the rest: with `wiring_detect` the only module of this room that knows any of them."""

import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from amagasa.adapters.content.baseline_file import load_baseline
from amagasa.adapters.peer.taxii_client import TaxiiLine
from amagasa.adapters.seal.agreement_files import SealedFiles
from amagasa.adapters.seal.keys import PartyKeys, create_party_keys, load_party_keys
from amagasa.adapters.seal.passwords import Argon2Passwords
from amagasa.adapters.spool.rejects import FolderRejects
from amagasa.adapters.store.library import open_library
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.agreement_book import AgreementBook
from amagasa.app.agreements import AgreementFiles, load_book, read_card
from amagasa.app.heads import HeadsDesk
from amagasa.app.hearts import HeartDesk
from amagasa.app.link_ports import AllyLine
from amagasa.app.permissions import Actor, Role
from amagasa.app.plant import Plant
from amagasa.app.ports import Bond, Clock, Passwords, Store
from amagasa.app.rejects import Rejects
from amagasa.app.signals import Signals
from amagasa.app.taxii_library import Library
from amagasa.app.telling import Telling
from amagasa.app.unkept import Unkept
from amagasa.detect.baseline.profile import Baseline
from amagasa.entry.allies.tls import ally_client_context
from amagasa.entry.node.clock import SystemClock
from amagasa.entry.node.hunts import HuntDesk
from amagasa.entry.settings.load import load_settings
from amagasa.entry.settings.tree import Settings
from amagasa.share.agreement import Agreement, Party
from amagasa.share.terms import Role as PartyRole
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp, tlp_of_word

SETTINGS_FILE = "node.toml"
CARD_FILE = "party.json"
REJECTS_FOLDER = "state/rejects"
BASELINE_FILE = "state/plant.baseline"
SPOOL_FOLDER = "state/spool"
OPERATOR = Actor(name="operator", roles=frozenset(Role))  # whoever may open the node's folder


class LiveBook:
    """The agreements in the node's folder (app.ports.AgreementBook), read again on `refresh`. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._book = load_book(SealedFiles(), folder)

    @property
    def book(self) -> AgreementBook:
        """As it was last read."""
        with self._lock:
            return self._book

    def bonds(self) -> tuple[Bond, ...]:
        """The sound agreements, in force or not."""
        return self.book.bonds()

    def agreements(self) -> tuple[Agreement, ...]:
        """The agreements of the bonds."""
        return tuple(bond.agreement for bond in self.bonds())

    def refresh(self) -> bool:
        """Read the folder again; whether anything changed."""
        fresh = load_book(SealedFiles(), self._folder)
        with self._lock:
            is_changed = fresh != self._book
            self._book = fresh
        return is_changed


class World(Struct, frozen=True, kw_only=True):
    """A node's folder, opened: everything that the doors and the watcher share."""

    folder: Path
    settings: Settings
    party: Party
    keys: PartyKeys
    store: Store
    clock: Clock
    signals: Signals
    passwords: Passwords
    book: LiveBook
    telling: Telling
    hunts: HuntDesk
    rejects: Rejects
    plant: Plant
    unkept: Unkept


def open_world(folder: Path) -> World:
    """Open a node. Raises BadInputError or WorldError, with the code of whatever is wrong with it."""
    settings = load_settings(folder / SETTINGS_FILE)
    keys = load_party_keys(folder)
    card = read_card(SealedFiles(), folder / CARD_FILE)
    book = LiveBook(folder)
    # Our own role differs from agreement to agreement; the identity, name and country do not.
    party = card.as_party(PartyRole.SUPPORTED)
    store = open_store(folder / settings.store.path)
    signals, clock = Signals(), SystemClock()
    telling = Telling(
        store=store,
        signals=signals,
        party=party,
        book=book,
        secret=keys.pseudonym_secret,
        marking=tlp_of_word(settings.share.default_marking) or Tlp.AMBER,
        min_severity=Severity[settings.share.min_severity.upper()],
    )
    return World(
        folder=folder,
        settings=settings,
        party=party,
        keys=keys,
        store=store,
        clock=clock,
        signals=signals,
        passwords=Argon2Passwords(),
        book=book,
        telling=telling,
        hunts=HuntDesk(folder, store, clock, signals),
        plant=Plant(store, lambda: _baseline_in(folder / BASELINE_FILE), signals),
        rejects=Rejects(store, FolderRejects(folder / REJECTS_FOLDER), signals),
        unkept=Unkept(),
    )


def hearts_of(world: World) -> HeartDesk:
    """The heartbeat of a node that begins now."""
    names = [source.name for source in world.settings.source if source.enabled]
    return HeartDesk(
        world.store,
        world.signals,
        book=world.book,
        signer=world.keys,
        party=world.party.id,
        sources=lambda: names,
        began_at=world.clock.now(),
    )


def _baseline_in(path: Path) -> Baseline | None:
    return load_baseline(path) if path.exists() else None


def library_of(folder: Path) -> Library:
    """The library of collections for other tools in a node's folder; nothing is opened before it is used."""
    return open_library(folder)


def passwords_of() -> Passwords:
    """How passwords and tokens are kept."""
    return Argon2Passwords()


def make_store(path: Path) -> Store:
    """A new node's store. Raises WorldError."""
    return open_store(path)


def make_node_keys(folder: Path, *, name: str, hosts: Sequence[str], now: datetime) -> PartyKeys:
    """A new node's keys and certificate. Raises as `create_party_keys`."""
    return create_party_keys(folder, name=name, hosts=hosts, now=now)


def ally_line(ally: Party, *, certificate: Path, key: Path) -> AllyLine:
    """The line to this ally, by the address and the certificate which the agreement names. Nothing is dialled yet.

    Raises what `tls.ally_client_context` raises.
    """
    return TaxiiLine(ally.name, ally.address, ally_client_context(certificate, key, ally.certificate))


def heads_of(world: World) -> HeadsDesk:
    """What exchanges tree heads and receipts for this node."""
    return HeadsDesk(store=world.store, signals=world.signals, signer=world.keys, party=world.party.id, book=world.book)


def agreement_files() -> AgreementFiles:
    """Agreements, cards and keys on this machine's disk."""
    return SealedFiles()
