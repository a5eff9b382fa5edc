"""The console's WebSocket: says what changed, at most a few times a second, and never waits for a slow reader."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from msgspec import Struct

from amagasa.entry.people.deps import Console, console_of
from amagasa.entry.people.security import Doorkeeper
from amagasa.vocab.errors import AmagasaError

BEAT_S: Final = 10.0  # silence longer than twice this is a lost line to the browser; the session is looked at as well
PAUSE_S: Final = 0.3  # between two messages: repainting faster helps nobody
IDS_KEPT: Final = 100  # identifiers of a topic in one message; beyond it only the count is told
TOPICS_KEPT: Final = 32
SESSION_OVER: Final = 4401

Live = WebSocket[Any, Any, Any]


class Changed(Struct, frozen=True, kw_only=True):
    """How many things of a topic changed since the last message, and the identifiers of the first hundred."""

    n: int
    ids: tuple[str, ...]


class News(Struct, frozen=True, kw_only=True):
    """One message; nothing changed where it is a mere heartbeat."""

    now_at: datetime
    changed: dict[str, Changed]


class Mailbox:
    """What happened since one browser was last told: bounded whatever is published. `put` comes from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._ids: dict[str, dict[str, None]] = {}
        self._filled = asyncio.Event()
        self._is_woken = False

    def put(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Take note; neither blocks nor raises, as Signals asks."""
        with self._lock:
            if topic not in self._counts and len(self._counts) >= TOPICS_KEPT:
                return
            told = payload.get("ids") or ([payload["id"]] if "id" in payload else [])
            ids = [str(one) for one in told] if isinstance(told, list | tuple) else []
            self._counts[topic] = self._counts.get(topic, 0) + max(1, len(ids))
            kept = self._ids.setdefault(topic, {})
            kept.update(dict.fromkeys(ids[: IDS_KEPT - len(kept)]))
            is_first, self._is_woken = not self._is_woken, True
        if is_first:
            with contextlib.suppress(RuntimeError):  # the loop has closed: this browser is gone with the door
                self._loop.call_soon_threadsafe(self._filled.set)

    async def take(self, wait_s: float) -> dict[str, Changed]:
        """Everything since the last call; {} when nothing came within `wait_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._filled.wait(), wait_s)
        with self._lock:
            self._filled.clear()
            self._is_woken = False
            counts, ids, self._counts, self._ids = self._counts, self._ids, {}, {}
        return {topic: Changed(n=n, ids=tuple(ids[topic])) for topic, n in counts.items()}


@websocket("/api/live")
async def live(socket: Live) -> None:
    """Tell a browser what changed, until it leaves or its session ends."""
    console = console_of(socket)
    await socket.accept()
    mailbox = Mailbox(asyncio.get_running_loop())
    unsubscribe = console.deps.signals.subscribe(mailbox.put)
    teller = asyncio.create_task(_tell(socket, console, mailbox))
    try:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass  # the browser has nothing to say; whatever it sends is dropped
    finally:
        unsubscribe()
        teller.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
            await teller


async def _tell(socket: Live, console: Console, mailbox: Mailbox) -> None:
    changed: dict[str, Changed] = {}
    checked_at = asyncio.get_running_loop().time()
    while True:
        await socket.send_json(News(now_at=console.now(), changed=changed))
        await asyncio.sleep(PAUSE_S)
        changed = await mailbox.take(BEAT_S)
        if asyncio.get_running_loop().time() - checked_at >= BEAT_S:
            if not await asyncio.to_thread(_is_signed_in, console.keeper, socket):
                await socket.close(code=SESSION_OVER, reason="the session is over")
                return
            checked_at = asyncio.get_running_loop().time()


def _is_signed_in(keeper: Doorkeeper, socket: Live) -> bool:
    try:
        keeper.signed_in(socket)
    except AmagasaError:
        return False
    return True
