"""A NATS server on loopback, where one is installed."""

import asyncio
import contextlib
import shutil
import subprocess
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.js.api import StreamConfig
from tests.journeys.nodes import free_port

NATS = Path(shutil.which("nats-server") or "/usr/sbin/nats-server")
WAIT_S = 30.0


class Server:
    """One server with JetStream, its store in a folder: killed and started again it has what it confirmed."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self._command = [str(NATS), "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(home / "nats")]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def publish(self, first: int, last: int, *, keep: int = -1) -> None:
        """Numbers `first` to `last`, each a message that the server has confirmed."""
        client = await until_connected(self.address)
        try:
            await client.jetstream().add_stream(StreamConfig(name="logs", subjects=["logs.>"], max_msgs=keep))
            for number in range(first, last + 1):
                await client.jetstream().publish("logs.web", b"%d" % number)
        finally:
            await client.close()

    async def publish_once(self, data: bytes, key: str) -> None:
        """One message; the same `key` again is known to the server. Raises what the client raises."""
        client = await nats.connect(self.address, allow_reconnect=False, connect_timeout=2, error_cb=_unsaid)
        try:
            await client.jetstream().publish("logs.web", data, headers={"Nats-Msg-Id": key}, timeout=5)
        finally:
            await client.close()


async def until_connected(address: str) -> Client:
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(nats.errors.Error, OSError):
                return await nats.connect(address, allow_reconnect=False, connect_timeout=2, error_cb=_unsaid)
            await asyncio.sleep(0.05)


async def _unsaid(problem: Exception) -> None:
    del problem
