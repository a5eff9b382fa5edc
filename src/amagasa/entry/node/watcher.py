"""The worker process, seen from the main one: started, fed, listened to, started again when it dies."""

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from amagasa.app.worker_messages import (
    Ack,
    Active,
    BaselineWish,
    Batch,
    Begin,
    Compiling,
    Correlating,
    FeedAgain,
    FromWorker,
    LeftOut,
    Ready,
    SourceState,
    Stop,
    Stopped,
    ToWorker,
    Trouble,
    read_from_worker,
)
from amagasa.entry.node.frames import FrameReader, write_frame
from amagasa.entry.node.keeper import Changes
from amagasa.vocab.errors import AmagasaError, WorldError

STOP_TIMEOUT_S: Final = 20.0  # a chunk of the largest size takes under two seconds
RETRY_FIRST_S: Final = 0.2
RETRY_MOST_S: Final = 30.0
COMMIT_RETRY_MOST_S: Final = 5.0  # once there is room again, nobody wants to wait
# How native code ends a process: a check of its own that failed, or memory that is not there.
FAULTS: Final = frozenset({signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE})

log = structlog.get_logger("watcher")


class Listener:
    """What the main process does with each message; called on the watcher's thread, one at a time."""

    def __init__(
        self,
        *,
        begin: Callable[[], Begin],
        content: Callable[[], Changes | None],
        record: Callable[[Batch], None],
        tell: Callable[[Ready | Compiling | LeftOut | Correlating | Active | SourceState | Trouble], None],
        trouble: Callable[[str], None],
    ) -> None:
        self.begin = begin
        self.content = content
        self.record = record
        self.tell = tell
        self.trouble = trouble


class Watcher:
    """Keeps one worker process alive until `stop`.

    A batch is acknowledged only after `record` returned, that is after its commit. Where `record` raises WorldError
    (a full disk, a locked store) the same batch is tried again, so nothing is lost; meanwhile the worker waits,
    since it sends only so far ahead of the acknowledgements. So `record` must raise nothing once it has committed.

    Whatever else goes wrong ends that worker's life, is said, and the next worker reads on from what was committed:
    a node that has stopped to look must never seem to be one that sees nothing. Where a fault of native code ended it,
    no worker uses the sieve until the node is started again: one record must not end each of them.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._stopping = threading.Event()
        self._outgoing: queue.SimpleQueue[ToWorker | Changes | None] = queue.SimpleQueue()
        self._handing_over = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._is_looking = False
        self._is_exact_alone = False
        self.n_starts = 0

    def start(self) -> None:
        """Start the worker; returns at once."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Process id of the worker that runs now."""
        return self._child.pid if self._child is not None else None

    @property
    def is_looking(self) -> bool:
        """Whether a worker has its rules loaded and reads."""
        return self._is_looking

    def send_content(self, content: Changes) -> None:
        """Hand new content to the running worker; one that starts later asks for it itself."""
        with self._handing_over:
            self._outgoing.put(content)

    def change_baseline(self, wish: BaselineWish) -> None:
        """Tell the worker what a person said of the plant's baseline; one that starts later is told at its start."""
        self._send(wish)

    def feed_again(self, source: str) -> None:
        """Have the worker read the rejects of a source again; one that starts later does so by their head."""
        self._send(FeedAgain(source=source))

    def stop(self) -> None:
        """Let the worker finish what it holds, commit that, and end. Returns when it is done."""
        self._stopping.set()
        self._send(Stop())
        child = self._child
        if child is not None and not self._is_looking:
            child.kill()  # it still loads its rules: it has read nothing, and hears nothing until it is done
        self._thread.join(STOP_TIMEOUT_S)
        child = self._child
        if child is not None and child.poll() is None:
            log.warning("the worker did not stop in time and was ended", seconds=STOP_TIMEOUT_S)
            child.kill()
            self._thread.join(5)

    def _run(self) -> None:
        wait_s = RETRY_FIRST_S
        while not self._stopping.is_set():
            self.n_starts += 1
            n_batches = self._life()
            if self._stopping.is_set():
                return
            wait_s = RETRY_FIRST_S if n_batches else min(wait_s * 2, RETRY_MOST_S)
            manner = "; it looks with the exact engine alone from now on" if self._is_exact_alone else ""
            self._listener.trouble(f"the detection process ended unexpectedly and is started again{manner}")
            log.error("the worker ended unexpectedly", starts=self.n_starts, again_in_s=wait_s)
            self._stopping.wait(wait_s)

    def _life(self) -> int:
        """One worker process from start to end, whatever ends it; returns how many batches it gave."""
        try:
            return self._one_life()
        except (AmagasaError, OSError) as problem:
            self._listener.trouble(str(problem))
            log.error("the worker could not be run", problem=str(problem))  # noqa: TRY400 - the world's fault
        except Exception as mistake:
            self._listener.trouble(f"a mistake in Amagasa: {type(mistake).__name__}")
            log.exception("a mistake in Amagasa ended the worker; what was not committed is read again")
        return 0

    def _one_life(self) -> int:
        outgoing: queue.SimpleQueue[ToWorker | Changes | None] = queue.SimpleQueue()
        outgoing.put(replace(self._listener.begin(), is_exact_alone=self._is_exact_alone))
        child = subprocess.Popen(
            [sys.executable, "-m", "amagasa.entry.node.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._child, self._is_looking = child, False
        # What is sent meanwhile either stands in this content, or comes to this worker behind it.
        with self._handing_over:
            self._outgoing = outgoing
            content = self._listener.content()
            if content is not None:
                outgoing.put(content)
        sender = threading.Thread(target=_send_all, args=(child, outgoing), name="watcher-sender", daemon=True)
        sender.start()
        if self._stopping.is_set():
            outgoing.put(Stop())
        try:
            return self._listen(child)
        finally:
            if child.stdout is not None:
                child.stdout.close()  # a worker that still writes to us ends by that
            outgoing.put(None)
            sender.join()
            # Nothing else of ours is native and reads what an attacker wrote: the next worker does without the sieve.
            self._is_exact_alone |= -child.wait() in FAULTS
            self._is_looking = False

    def _listen(self, child: subprocess.Popen[bytes]) -> int:
        n_batches = 0
        if child.stdout is None:
            return n_batches
        reader = FrameReader(child.stdout.fileno())
        try:
            while True:
                message = read_from_worker(reader.read(None) or b"")
                if isinstance(message, Stopped):
                    return n_batches
                n_batches += isinstance(message, Batch)
                self._handle(message)
        except EOFError:
            return n_batches

    def _handle(self, message: FromWorker) -> None:
        if isinstance(message, Batch):
            self._record(message)
            self._send(Ack(n=1))
        elif not isinstance(message, Stopped):
            self._is_looking = True  # the first message is `Ready`
            self._listener.tell(message)

    def _record(self, batch: Batch) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            try:
                self._listener.record(batch)
            except WorldError as problem:
                self._listener.trouble(str(problem))
                log.error("a batch could not be committed and is tried again", problem=str(problem), in_s=wait_s)  # noqa: TRY400
                if self._stopping.wait(wait_s):
                    raise EOFError from None  # not committed: it is read again at the next start
                wait_s = min(wait_s * 2, COMMIT_RETRY_MOST_S)
            else:
                return

    def _send(self, message: ToWorker) -> None:
        self._outgoing.put(message)


def _send_all(child: subprocess.Popen[bytes], outgoing: "queue.SimpleQueue[ToWorker | Changes | None]") -> None:
    """Write the messages as they come.

    A thread of its own: were it the listening one, two full pipes would wait for each other for ever.
    """
    if child.stdin is None:
        return
    try:
        while (one := outgoing.get()) is not None:
            for message in one if isinstance(one, Iterator) else (one,):
                write_frame(child.stdin.fileno(), msgspec.msgpack.encode(message))
    except BrokenPipeError:
        log.debug("the worker is gone; its end is being handled")
    except AmagasaError as problem:
        log.error("content could not be read for the worker, which is started again", problem=str(problem))  # noqa: TRY400
    finally:
        try:
            child.stdin.close()
        except BrokenPipeError:
            log.debug("the worker had closed its end")
