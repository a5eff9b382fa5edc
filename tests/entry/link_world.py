"""Two nodes' halves of the link for tests: store, agreement, certificate, door, line. No clock but a stopped one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.entry.link_papers import NOW, make_agreement, make_papers, make_party

from amagasa.adapters.peer.taxii_client import TaxiiLine
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.delivery import Delivery, DeliveryDeps
from amagasa.app.pages import Page
from amagasa.app.ports import Crossing, CrossingState, Direction
from amagasa.app.sharing import SignedAgreements, announce, release_changes
from amagasa.app.signals import Signals
from amagasa.entry.allies.desk import TaxiiDeps
from amagasa.entry.allies.door import AllyDoor
from amagasa.entry.allies.taxii import build_taxii
from amagasa.entry.allies.tls import ally_client_context
from amagasa.intel import build
from amagasa.share.agreement import Agreement, Party
from amagasa.share.terms import Role
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp

SECRET = bytes(range(32))


class StoppedClock:
    """Moves only when told."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Node:
    """One party: its store on disk, its papers and what it hears."""

    def __init__(self, folder: Path, name: str, country: str, role: Role) -> None:
        self.papers = make_papers(folder / name, name)
        self.party = make_party(name, country, role, self.papers)
        self.path = folder / name / "store.sqlite"
        self.store = open_store(self.path)
        self.signals = Signals()
        self.clock = StoppedClock()
        self.agreements: list[Agreement] = []
        self.book = SignedAgreements(self.party.id, lambda: self.agreements)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.signals.subscribe(lambda topic, payload: self.heard.append((topic, payload)))

    def taxii(self) -> Any:
        return build_taxii(TaxiiDeps(store=self.store, book=self.book, signals=self.signals, clock=self.clock))

    def door(self) -> AllyDoor:
        return AllyDoor(self.taxii(), certificate=self.papers.certificate, key=self.papers.key)

    def line_to(self, ally: "Node", address: tuple[str, int]) -> TaxiiLine:
        context = ally_client_context(self.papers.certificate, self.papers.key, ally.papers.pem)
        return TaxiiLine(ally.party.name, f"https://{address[0]}:{address[1]}/taxii2/", context)

    def delivery_to(self, ally: "Node", line: Any) -> Delivery:
        deps = DeliveryDeps(
            store=self.store, book=self.book, clock=self.clock, signals=self.signals, jitter=lambda: 1.0
        )
        return Delivery(ally.party.id, line, deps)

    def release(self, objects: Sequence[dict[str, Any]], *, throttle_s: float = 10.0) -> tuple[Crossing, ...]:
        with self.store.write() as tx:
            made = release_changes(
                tx, objects, book=self.book, now=self.clock.now(), secret=SECRET, throttle_s=throttle_s
            )
        announce(self.signals, made)
        return made

    def crossings(self, direction: Direction = Direction.OUT, state: CrossingState | None = None) -> list[Crossing]:
        """Oldest first."""
        with self.store.read() as reading:
            return reading.crossings(Page(limit=500), direction=direction, state=state)[0][::-1]

    def indicator(
        self, number: int = 1, *, seconds: float = 0.0, marking: Tlp = Tlp.AMBER, **more: Any
    ) -> dict[str, Any]:
        """An indicator of ours for 198.51.100.`number`, modified `seconds` after it was made."""
        base = build.common(
            "indicator",
            stable_id("indicator", self.party.id, str(number)),
            created_at=NOW,
            modified_at=NOW + timedelta(seconds=seconds),
            author=self.party.id,
            marking=marking,
        )
        made = build.indicator(
            base,
            name=f"scanner {number}",
            description="seen scanning",
            pattern=f"[ipv4-addr:value = '198.51.100.{number % 250}']",
            pattern_type="stix",
            valid_from_at=NOW,
        )
        return made | more

    def sigma(self, rule: str) -> dict[str, Any]:
        made = self.indicator(9000)
        made["id"] = stable_id("indicator", self.party.id, "sigma")
        return made | {"pattern": rule, "pattern_type": "sigma", "pattern_version": "2.1.0"}

    def sighting(self, *, n_seen: int = 1, seconds: float = 0.0) -> dict[str, Any]:
        base = build.common(
            "sighting",
            stable_id("sighting", self.party.id, "a scan"),
            created_at=NOW,
            modified_at=NOW + timedelta(seconds=seconds),
            author=self.party.id,
            marking=Tlp.GREEN,
        )
        return build.sighting(
            base,
            of=stable_id("indicator", self.party.id, "1"),
            where=self.party.id,
            n_seen=n_seen,
            first_seen_at=NOW,
            last_seen_at=NOW + timedelta(seconds=seconds),
        )


def agree(first: Node, second: Node, **terms: Any) -> Agreement:
    """Put both under one agreement which names the certificates and addresses they have now."""
    agreement = make_agreement(first.party, second.party, **terms)
    first.agreements[:] = [agreement]
    second.agreements[:] = [agreement]
    return agreement


def at_address(party: Party, address: tuple[str, int]) -> Party:
    return replace(party, address=f"https://{address[0]}:{address[1]}/taxii2/")


@contextmanager
def two_nodes(folder: Path, **terms: Any) -> Iterator[tuple[Node, Node]]:
    """Japan and its ally, under an agreement."""
    japan = Node(folder, "japan", "JP", Role.SUPPORTED)
    states = Node(folder, "states", "US", Role.SUPPORTING)
    agree(japan, states, **terms)
    try:
        yield japan, states
    finally:
        japan.store.close()
        states.store.close()
