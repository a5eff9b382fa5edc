"""Child processes that judge documents: each takes texts and answers for each of them, bounded in time.

A document over which a child dies or hangs is found by asking for one at a time, and gets the answer that says so; the
others are answered. Only a child that cannot start at all is an error of the world.
"""

import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from amagasa.detect.sigma.text import Placeholders
from amagasa.vocab.errors import WorldError

# A batch of public rules takes half a second; one document a few milliseconds.
BATCH_TIMEOUT_S: Final = 60.0
DOCUMENT_TIMEOUT_S: Final = 15.0
BATCH_DOCUMENTS: Final = 100
MAX_ANSWER_BYTES: Final = 512 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")

Progress = Callable[[int, int], None]
Answer = TypeVar("Answer")


class Children(Generic[Answer]):
    """Processes that run `module` and stay until `close`; started with the first document. Not for two threads at once.

    A frame (four bytes of length, big endian, then MessagePack) holds texts and the placeholders, the answer to it as
    many values as texts, decoded by `decoder`. `died` is the answer for a document over which the child dies or takes
    too long.
    """

    def __init__(
        self,
        module: str,
        decoder: "msgspec.msgpack.Decoder[tuple[Answer, ...]]",
        died: Answer,
        *,
        n_processes: int = 1,
    ) -> None:
        self._module = module
        self._decoder = decoder
        self._died = died
        self._placeholders: Placeholders = {}
        self._children: list[_Child | None] = [None] * n_processes

    def close(self) -> None:
        """End the child processes."""
        for place, child in enumerate(self._children):
            if child is not None:
                child.stop()
            self._children[place] = None

    def warm(self) -> None:
        """Start a child now, so that the first document does not wait for it."""
        self._child(0)

    def ask(
        self, texts: Sequence[str], placeholders: Placeholders | None = None, *, progress: Progress | None = None
    ) -> list[Answer]:
        """The answer for each text, its placeholders with these values. Raises WorldError where no child can start."""
        self._placeholders = dict(placeholders or {})
        answers: list[Answer] = []
        batches = [texts[start : start + BATCH_DOCUMENTS] for start in range(0, len(texts), BATCH_DOCUMENTS)]
        width = len(self._children)
        for start in range(0, len(batches), width):
            together = batches[start : start + width]
            sent = [self._send(place, batch) for place, batch in enumerate(together)]
            for place, batch in enumerate(together):
                timeout_s = BATCH_TIMEOUT_S if len(batch) > 1 else DOCUMENT_TIMEOUT_S
                began = time.monotonic()
                answer = self._receive(place, timeout_s) if sent[place] else None
                if answer is None or len(answer) != len(batch):
                    # A child that died may have died before; one document that took all its time will again.
                    is_slow = len(batch) == 1 and time.monotonic() - began >= timeout_s
                    answer = [self._died] if is_slow else [self._ask_one(place, text) for text in batch]
                answers.extend(answer)
            if progress is not None:
                progress(len(answers), len(texts))
        return answers

    def _ask_one(self, place: int, text: str) -> Answer:
        answer = self._receive(place, DOCUMENT_TIMEOUT_S) if self._send(place, [text]) else None
        if answer is not None and len(answer) == 1:
            return answer[0]
        return self._died

    def _child(self, place: int) -> "_Child":
        child = self._children[place]
        if child is None:
            child = self._children[place] = _Child(self._module)
        return child

    def _send(self, place: int, texts: Sequence[str]) -> bool:
        try:
            self._child(place).send(msgspec.msgpack.encode((list(texts), self._placeholders)))
        except BrokenPipeError:
            self._drop(place)
            return False
        return True

    def _receive(self, place: int, timeout_s: float) -> list[Answer] | None:
        child = self._children[place]
        body = child.receive(timeout_s) if child is not None else None
        if body is not None:
            try:
                return list(self._decoder.decode(body))
            except msgspec.DecodeError:
                pass  # a child that answers nonsense is dropped below, like one that does not answer
        self._drop(place)
        return None

    def _drop(self, place: int) -> None:
        child = self._children[place]
        if child is not None:
            child.stop()
        self._children[place] = None


class _Child:
    """One process and its two pipes."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-I", "-m", module]
        try:
            # The parsers' remarks about broken rules go nowhere: the faults say the same, with the place.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise WorldError(
                "AMG-RULE-031",
                "the rule compiler cannot start",
                expected=f"a Python that can run {module}",
                got=str(error),
                then="no rule was loaded",
            ) from error

    def send(self, body: bytes) -> None:
        """Write one frame. Raises BrokenPipeError where the child is gone."""
        stream = self._process.stdin
        if stream is None:
            raise BrokenPipeError
        stream.write(_LENGTH.pack(len(body)) + body)
        stream.flush()

    def receive(self, timeout_s: float) -> bytes | None:
        """One frame; None where the child died, took too long or answers beyond the limit."""
        until = time.monotonic() + timeout_s
        head = self._read(_LENGTH.size, until)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        return self._read(length, until) if length <= MAX_ANSWER_BYTES else None

    def stop(self) -> None:
        """End the process now."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # the child is gone already, with what was still to be written
        self._process.kill()
        self._process.wait()

    def _read(self, length: int, until: float) -> bytes | None:
        stream = self._process.stdout
        if stream is None:
            return None
        parts: list[bytes] = []
        left = length
        while left:
            ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
            part = os.read(stream.fileno(), min(left, 1 << 20)) if ready else b""
            if not part:
                return None
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
