"""What a lying ally does to a node, in full: each lie while an honest ally pushes and the console is looked at.

Real nodes on loopback under signed agreements. Prints one JSON document: for each lie what came of it, the slowest push
of the honest ally and the slowest look at the console meanwhile, and the most memory that the node held.
Run: python -m bench.lying [--bytes N] [--lines N]
"""

import argparse
import asyncio
import json
import resource
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.journeys.nodes import JourneyNode, children_of, node_in, sign_between

from amagasa.adapters.seal.keys import load_party_keys
from amagasa.entry.allies.tls import ally_client_context
from amagasa.entry.wiring import ally_line
from amagasa.share.agreement import Card
from amagasa.share.terms import Role
from amagasa.share.verdict import Released
from amagasa.testing.lies import Liar, falsehoods
from amagasa.testing.lying import GIBIBYTE, LyingAlly, Told
from amagasa.vocab.tlp import Tlp

OURS = "203.0.113.7"
QUIET_S = 5.0


def card_of(node: JourneyNode) -> Card:
    """Its public card."""
    return msgspec.json.decode(node.card.read_bytes(), type=Card)


def resident_mib(pid: int) -> float:
    """Of this process and those below it."""
    pages = 0.0
    for one in (pid, *children_of(pid)):
        try:
            status = Path(f"/proc/{one}/status").read_text(encoding="utf-8")
        except OSError:
            continue
        held = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
        pages += int(held.split()[1]) / 1024
    return pages


class Meanwhile:
    """The honest ally, the console and the node's memory, in threads of their own until it is left."""

    def __init__(self, japan: JourneyNode, honest: JourneyNode) -> None:
        self._japan, self._honest = japan, honest
        self._over = threading.Event()
        self.push_s: list[float] = []
        self.look_s: list[float] = []
        self.failures: list[str] = []
        self.most_mib = 0.0

    def __enter__(self) -> "Meanwhile":  # noqa: PYI034 - a script
        """Begin."""
        self._threads = [
            threading.Thread(target=one) for one in (lambda: asyncio.run(self._push()), self._look, self._weigh)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    async def _push(self) -> None:
        keys = load_party_keys(self._honest.folder)
        party = card_of(self._japan).as_party(Role.SUPPORTED)
        line = ally_line(party, certificate=keys.tls_certificate, key=keys.tls_key)
        me = card_of(self._honest).id
        (falsehood, *_) = falsehoods(Liar(me=me, victim="", now=datetime.now(UTC)))
        await line.greet()
        while not self._over.is_set():
            identifier = f"indicator--00000000-0000-4000-8000-{time.monotonic_ns() % 10**12:012d}"
            obj = {**falsehood.objects[0], "id": identifier, "created_by_ref": me, "name": "honest"}
            given = Released(
                object_id=identifier,
                object_type="indicator",
                content=msgspec.json.encode(obj),
                clause="",
                marking=Tlp.AMBER,
            )
            began = time.monotonic()
            try:
                if (await line.push([given])).refused:
                    self.failures.append("refused")
            except Exception as problem:  # noqa: BLE001 - counted and shown
                self.failures.append(str(problem))
            self.push_s.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
        await line.close()

    def _look(self) -> None:
        transport = httpx.HTTPTransport(uds=str(self._japan.folder / "run" / "node.sock"))
        with httpx.Client(transport=transport, base_url="http://node", timeout=60) as client:
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    client.get("/api/status").raise_for_status()
                except httpx.HTTPError as problem:
                    self.failures.append(str(problem))
                self.look_s.append(time.monotonic() - began)
                time.sleep(0.05)

    def _weigh(self) -> None:
        process = self._japan.process
        while not self._over.is_set() and process is not None:
            self.most_mib = max(self.most_mib, resident_mib(process.pid))
            time.sleep(0.1)

    def figures(self) -> dict[str, Any]:
        """In milliseconds and MiB."""
        return {
            "pushes": len(self.push_s),
            "push_ms": _ms(self.push_s),
            "looks": len(self.look_s),
            "look_ms": _ms(self.look_s),
            "failures": self.failures[:5],
            "most_mib": round(self.most_mib),
        }


def _ms(took: list[float]) -> dict[str, float]:
    ordered = sorted(took) or [0.0]
    return {
        "p50": round(ordered[len(ordered) // 2] * 1000, 1),
        "p99": round(ordered[len(ordered) * 99 // 100] * 1000, 1),
        "max": round(ordered[-1] * 1000, 1),
    }


def lies(n_bytes: int, n_lines: int) -> dict[str, Callable[[LyingAlly], Awaitable[Told]]]:
    """In the order in which they are told."""
    return {
        "garbage": LyingAlly.garbage,
        "deep": LyingAlly.deep,
        "brackets": LyingAlly.brackets,
        "bomb": LyingAlly.bomb,
        "announced": lambda liar: liar.announced_body(n_bytes),
        "huge": lambda liar: liar.huge_body(n_bytes),
        "slow head": LyingAlly.slow_head,
        "trickle": lambda liar: liar.trickle(every_s=0.5),
        "crowd": lambda liar: liar.crowd(n_lines),
        "half open": lambda liar: liar.half_open(n_lines),
    }


async def envelopes(liar: LyingAlly, given: Liar, *, n: int) -> Told:
    """Full envelopes of what must be refused, one after the other."""
    (wide,) = (one for one in falsehoods(given) if one.code == "AMG-ADMIT-WIDE")
    for _ in range(n - 1):
        await liar.send("envelopes full of refusals", [wide.objects[0]] * 2_000)
    return await liar.send("envelopes full of refusals", [wide.objects[0]] * 2_000)


def run(folder: Path, n_bytes: int, n_lines: int) -> dict[str, Any]:
    """All of it."""
    with (
        node_in(folder / "japan") as japan,
        node_in(folder / "america", name="United States", country="US") as liar,
        node_in(folder / "korea", name="Korea", country="KR") as honest,
    ):
        (folder / "access.log").touch()
        japan.set_settings(lambda text: text.replace("# own = []", f'own = ["{OURS}"]'))
        japan.follow("web", folder / "access.log", form="access")
        sign_between(japan, liar, folder)
        (folder / "second").mkdir()
        sign_between(japan, honest, folder / "second")
        japan.start()
        keys = load_party_keys(liar.folder)
        context = ally_client_context(keys.tls_certificate, keys.tls_key, card_of(japan).certificate)
        ally = LyingAlly(("127.0.0.1", japan.ally_port), context, source="127.0.0.2")
        given = Liar(me=card_of(liar).id, victim=card_of(japan).id, now=datetime.now(UTC), ours=OURS)
        found: dict[str, Any] = {}
        with Meanwhile(japan, honest) as meanwhile:
            time.sleep(QUIET_S)
        found["nobody lies"] = meanwhile.figures()
        for name, lie in lies(n_bytes, n_lines).items():
            found[name] = _told(japan, honest, lambda lie=lie: lie(ally))
        found["full envelopes"] = _told(japan, honest, lambda: envelopes(ally, given, n=10))
        for one in falsehoods(given):
            found[one.name] = msgspec.to_builtins(asyncio.run(ally.say(one))) | {"wanted": one.code}
        refused = japan.crossings(direction="in", state="refused")
        found["named in the ledger"] = sorted({one["why"].rpartition("[")[2].rstrip("]") for one in refused})
        return found


def _told(japan: JourneyNode, honest: JourneyNode, lie: Callable[[], Awaitable[Told]]) -> dict[str, Any]:
    async def act() -> Told:
        return await lie()

    with Meanwhile(japan, honest) as meanwhile:
        told = asyncio.run(act())
        time.sleep(1.0)
    return msgspec.to_builtins(told) | meanwhile.figures()


def main() -> None:
    """Lie, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=5 * GIBIBYTE)
    parser.add_argument("--lines", type=int, default=10_000)
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), asked.bytes, asked.lines), indent=1))


if __name__ == "__main__":
    main()
