"""The receiver process, seen from the main one: started where a source wants it, listened to, started again."""

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from amagasa.app.receiver_messages import FromReceiver, Listening, Receive, read_from_receiver
from amagasa.entry.node.frames import FrameReader, write_frame
from amagasa.vocab.errors import WorldError

STOP_TIMEOUT_S: Final = 10.0
RETRY_FIRST_S: Final = 0.2
RETRY_MOST_S: Final = 30.0

log = structlog.get_logger("receiver")


class Receiving:
    """Keeps one receiver process alive from `start` to `stop`; none where there is nothing to receive.

    `begin` says what to listen on now; `tell` is called on a thread of its own.
    """

    def __init__(self, begin: Callable[[], Receive], tell: Callable[[FromReceiver], None]) -> None:
        self._begin = begin
        self._tell = tell
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="receiving", daemon=True)

    @property
    def pid(self) -> int | None:
        """Process id of the receiver that runs now."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the receiver; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Let it take what has come, and end. Returns when it is done."""
        self._stopping.set()
        child = self._child
        if child is not None and child.stdin is not None:
            child.stdin.close()
        self._thread.join(STOP_TIMEOUT_S)
        if child is not None and child.poll() is None:
            log.warning("the receiver did not stop in time and was ended", seconds=STOP_TIMEOUT_S)
            child.kill()
            self._thread.join(5)

    def _run(self) -> None:
        wait_s = RETRY_FIRST_S
        while not self._stopping.is_set():
            try:
                begin = self._begin()
                if not begin.specs:
                    return
                has_listened = self._life(begin)
            except (WorldError, OSError) as problem:
                has_listened = False
                log.error("the receiver could not be run", problem=str(problem))  # noqa: TRY400 - the world's fault
            if self._stopping.is_set():
                return
            wait_s = RETRY_FIRST_S if has_listened else min(wait_s * 2, RETRY_MOST_S)
            log.error("the receiver ended unexpectedly", again_in_s=wait_s)
            self._stopping.wait(wait_s)

    def _life(self, begin: Receive) -> bool:
        """One receiver from start to end; whether any of its ports was open."""
        child = subprocess.Popen(
            [sys.executable, "-m", "amagasa.entry.node.receiver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._child = child
        if child.stdin is None or child.stdout is None:
            return False
        has_listened = False
        try:
            write_frame(child.stdin.fileno(), msgspec.msgpack.encode(begin))
            if self._stopping.is_set():
                child.stdin.close()
            reader = FrameReader(child.stdout.fileno())
            while True:
                message = read_from_receiver(reader.read(None) or b"")
                has_listened |= isinstance(message, Listening)
                self._tell(message)
        except (EOFError, BrokenPipeError):
            return has_listened
        finally:
            child.stdout.close()
            child.stdin.close()
            child.wait()
