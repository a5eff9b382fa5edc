"""How the console stands with a million alerts: the queue at the server, the page in a browser, 100 watchers at once.

    python -m bench.console [--alerts 1000000] [--watchers 100] [--seconds 60] [--folder DIR]

The store is that of bench/store.py: ten alerts an incident, every tenth incident open, and the demo's map of missions.
The server is a process of its own on loopback. Each watcher holds a WebSocket and a session; told that something
changed, it asks for the queue, and each five seconds for the status, as the page does. Every three seconds an alert and
its incident come. The page is headless Chromium's: from the address to the first row of the queue, with an empty
cache each time, before the watchers are there and while they are. Times are wall time in milliseconds.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import msgspec
import uvicorn
from bench import store as filling
from playwright.sync_api import sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.seed import JAPAN
from tests.browser.served import Present
from tests.entry.console import Desktop
from websockets.asyncio.client import connect

from amagasa.app.mission_views import ModelText
from amagasa.app.missions import Missions
from amagasa.app.permissions import NODE, Role
from amagasa.entry.people.door import people_socket
from amagasa.entry.people.security import cookie_name

EVERY_S = 3.0
STATUS_EVERY_S = 5.0
ROLES = (Role.WATCH_OFFICER,)
# A word that every alert has, one whose beginnings are many, an address, a technique, and what nobody has.
SEARCHES = (
    "/api/alerts?q=traversal",
    "/api/alerts?q=198.51",
    "/api/alerts?q=198.51.0.77",
    "/api/alerts?technique=T1005",
    "/api/alerts?q=nobody",
    "/api/incidents?q=198.51.0.77",
)
MODEL = resources.files("amagasa").joinpath("content/missions/supported.toml").read_text("utf-8")


def fill(folder: Path, n_alerts: int, n_watchers: int) -> list[str]:
    """A token of a session for each watcher, and one for the page."""
    desktop = Desktop(folder, clock=Present())
    filling.fill(desktop.store, 0, n_alerts, 500)
    Missions(desktop.store).save(
        NODE, [ModelText(path="demo.toml", content=MODEL)], version=None, now=datetime.now(UTC)
    )
    tokens = [desktop.session(*ROLES, name=f"watcher-{number}") for number in range(n_watchers + 1)]
    desktop.close()
    return tokens


def serve(folder: Path, listening: socket.socket, is_busy: Event, n_alerts: int) -> None:
    """The console in this process, and while `is_busy` an alert every three seconds."""
    desktop = Desktop(folder, clock=Present())
    server = uvicorn.Server(
        uvicorn.Config(desktop.app, log_level="warning", lifespan="off", ws="websockets-sansio", access_log=False)
    )

    async def work() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        number = n_alerts
        while not serving.done():
            await asyncio.sleep(EVERY_S)
            if is_busy.is_set():
                await asyncio.to_thread(_grow, desktop, number)
                number += filling.ALERTS_OF_AN_INCIDENT

    asyncio.run(work())


def _grow(desktop: Desktop, number: int) -> None:
    at = datetime.now(UTC)
    alert = msgspec.structs.replace(filling.alert(number), created_at=at, updated_at=at)
    incident = filling.incident(number // filling.ALERTS_OF_AN_INCIDENT, [alert])
    with desktop.store.write() as tx:
        tx.save_incidents([incident])
        tx.save_alerts([alert])
    desktop.signals.publish("alert", {"id": alert.id})
    desktop.signals.publish("incident", {"id": incident.id})


class Console:
    """Where it is, and how to be somebody there."""

    def __init__(self, port: int, cookie: str) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.cookie = cookie

    def client(self, token: str) -> httpx.AsyncClient:
        """A signed-in client."""
        return httpx.AsyncClient(base_url=self.address, cookies={self.cookie: token}, timeout=60)


class Times:
    """Milliseconds by what was asked."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {}
        self.n_bytes: dict[str, int] = {}

    async def ask(self, client: httpx.AsyncClient, path: str, name: str = "") -> None:
        """One answer, timed, by its path or another name."""
        began = time.perf_counter()
        answer = await client.get(path)
        self.of.setdefault(name or path, []).append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
        self.n_bytes[name or path] = len(answer.content)

    def figures(self) -> dict[str, Any]:
        """Spread and size by what was asked."""
        return {path: spread(times) | {"bytes": self.n_bytes.get(path, 0)} for path, times in sorted(self.of.items())}


def spread(times: list[float]) -> dict[str, Any]:
    """Count, median, 95th hundredth and the worst."""
    cuts = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 20
    return {"n": len(times), "p50": round(cuts[9], 1), "p95": round(cuts[18], 1), "max": round(max(times), 1)}


async def alone(console: Console, token: str) -> dict[str, Any]:
    """One person asks, one thing after another."""
    times = Times()
    async with console.client(token) as client:
        for path in ("/api/queue?limit=200", "/api/status", "/api/mission/impact", "/api/campaigns", "/api/attack"):
            (await client.get(path)).raise_for_status()
            for _ in range(30 if "campaigns" not in path else 5):
                await times.ask(client, path)
        for path in SEARCHES:
            for _ in range(10):
                await times.ask(client, path)
        for limit in range(200, 170, -1):  # each is another answer, which nobody has asked for
            await times.ask(client, f"/api/queue?limit={limit}", "/api/queue, made anew")
    return times.figures()


async def watch(console: Console, tokens: list[str], until: float) -> dict[str, Any]:
    """Everybody at once, as the page does."""
    times = Times()
    n_told = 0

    async def one(token: str, wait_s: float) -> None:
        nonlocal n_told
        await asyncio.sleep(wait_s)
        headers = {"Cookie": f"{console.cookie}={token}", "Origin": console.address}
        async with (
            console.client(token) as client,
            connect(console.address.replace("http", "ws") + "/api/live", additional_headers=headers) as line,
        ):
            status_at = 0.0
            while (now := time.monotonic()) < until:
                if now >= status_at:
                    await times.ask(client, "/api/status")
                    status_at = now + STATUS_EVERY_S
                try:
                    news = json.loads(await asyncio.wait_for(line.recv(), STATUS_EVERY_S))
                except TimeoutError:
                    continue
                if {"incident", "alert"} & set(news["changed"]):
                    n_told += 1
                    await times.ask(client, "/api/queue?limit=200")

    await asyncio.gather(*(one(token, number / len(tokens)) for number, token in enumerate(tokens)))
    return {"told": n_told} | times.figures()


def usable(console: Console, token: str, n: int) -> dict[str, Any]:
    """From the address to the first row of the queue, `n` times with an empty cache."""
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for _ in range(n):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            cookie = {"name": console.cookie, "value": token, "url": console.address}
            context.add_cookies([cookie])  # type: ignore[list-item]
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{console.address}/#/incidents", wait_until="commit")
            page.locator("table.queue tbody tr").first.wait_for(timeout=60_000)
            times.append((time.perf_counter() - began) * 1000)
            context.close()
        browser.close()
    return spread(times)


@contextmanager
def running(folder: Path, n_alerts: int) -> Iterator[tuple[Console, Event]]:
    """A server on a free port of loopback."""
    spawn = multiprocessing.get_context("fork")
    is_busy = spawn.Event()
    with people_socket("127.0.0.1", 0) as listening:
        server = spawn.Process(target=serve, args=(folder, listening, is_busy, n_alerts), daemon=True)
        server.start()
        try:
            yield Console(listening.getsockname()[1], cookie_name(JAPAN.id, is_tls=False)), is_busy
        finally:
            server.terminate()
            server.join()


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1_000_000)
    parser.add_argument("--watchers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--folder", type=Path, default=None)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as place:
        folder = Path(place)
        began = time.perf_counter()
        tokens = fill(folder, wanted.alerts, wanted.watchers)
        filled_s = time.perf_counter() - began
        with running(folder, wanted.alerts) as (console, is_busy):
            one = asyncio.run(alone(console, tokens[0]))
            page = usable(console, tokens[0], 5) if CHROMIUM else None
            is_busy.set()
            crowd, busy_page = crowded(console, tokens, wanted.seconds)
    figures = {
        "alerts": wanted.alerts,
        "open": wanted.alerts // 100,
        "watchers": wanted.watchers,
        "filled_s": round(filled_s),
        "one_ms": one,
        "page_ms": page,
        "told": crowd.pop("told"),
        "watchers_ms": crowd,
        "busy_page_ms": busy_page,
    }
    json.dump(figures, sys.stdout, indent=2)
    print()


def crowded(console: Console, tokens: list[str], seconds: float) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The watchers in a process of their own, and the page beside them."""
    until = time.monotonic() + seconds
    told: multiprocessing.Queue[dict[str, Any]] = multiprocessing.Queue()
    crowd = multiprocessing.Process(target=_crowd, args=(console, tokens[1:], until, told), daemon=True)
    crowd.start()
    time.sleep(min(5.0, seconds / 4))
    page = usable(console, tokens[0], 5) if CHROMIUM else None
    found = told.get(timeout=seconds + 120)
    crowd.join()
    return found, page


def _crowd(console: Console, tokens: list[str], until: float, told: Any) -> None:
    told.put(asyncio.run(watch(console, tokens, until)))


if __name__ == "__main__":
    main()
