"""A node's console on a real socket, in a thread of this process."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from amagasa.app.accounts import offer_link
from amagasa.entry.people.door import people_socket
from tests.browser.seed import fill
from tests.entry.console import Desktop


class Present:
    """The present instant: a browser's clock cannot be stopped."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Served:
    """The address of a console, its store and its signals."""

    def __init__(self, desktop: Desktop, address: str) -> None:
        self.desktop = desktop
        self.address = address

    def link(self, token: str) -> str:
        offer_link(self.desktop.store, token, now=datetime.now(UTC))
        return f"{self.address}/#/link/{token}"

    def session_cookie(self, token: str) -> dict[str, Any]:
        return {
            "name": self.desktop.cookie,
            "value": token,
            "url": self.address,
            "httpOnly": True,
            "sameSite": "Strict",
        }


@contextmanager
def served(*, is_seeded: bool = True, **changes: Any) -> Iterator[Served]:
    """A console on a free port of loopback; everything is gone when the block ends."""
    with tempfile.TemporaryDirectory() as folder, people_socket("127.0.0.1", 0) as listening:
        desktop = Desktop(Path(folder), clock=Present(), **changes)
        if is_seeded:
            fill(desktop.store, datetime.now(UTC))
        config = uvicorn.Config(
            desktop.app, log_level="warning", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield Served(desktop, f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(10)
            desktop.close()
