"""Frames over a pipe between our own processes: four bytes of length (big-endian), then the payload."""

import os
import select
import struct
from typing import Final

MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
_HEAD: Final = struct.Struct(">I")


class FrameReader:
    """Reads frames from a file descriptor without losing what came half. Not thread-safe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()

    def read(self, timeout_s: float | None) -> bytes | None:
        """The next frame; None where none is whole within `timeout_s` (None waits). Raises EOFError at the end."""
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
            if not ready:
                return None
            got = os.read(self._descriptor, 1 << 20)
            if not got:
                raise EOFError
            self._held += got

    def _take(self) -> bytes | None:
        if len(self._held) < _HEAD.size:
            return None
        (size,) = _HEAD.unpack_from(self._held)
        if size > MAX_FRAME_BYTES:
            message = f"a frame of {size} bytes: the pipe is out of step"
            raise ValueError(message)
        end = _HEAD.size + size
        if len(self._held) < end:
            return None
        frame = bytes(self._held[_HEAD.size : end])
        del self._held[:end]
        return frame


def write_frame(descriptor: int, payload: bytes) -> None:
    """Write one frame whole; blocks while the pipe is full. Raises BrokenPipeError where nobody reads."""
    data = memoryview(_HEAD.pack(len(payload)) + payload)
    while data:
        data = data[os.write(descriptor, data) :]
