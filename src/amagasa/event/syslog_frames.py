"""A stream of syslog over TCP or TLS -> messages, one a line: octet counting and line ends (RFC 6587, RFC 5425).

Which of the two a message has is told by its own begin, so one stream may mix them: digits, a space and `<` are a
count; anything else goes up to the next LF (or NUL, which some senders use). A message is one record, so a line feed
inside of it (octet counting allows that) is written `#012`, as rsyslog does; CR, LF and NUL at its end go.
"""

import re
from typing import Final

from amagasa.event.lines import MAX_LINE_BYTES

_COUNT: Final = re.compile(rb"([1-9][0-9]{0,8}) <")
_MAYBE_COUNT: Final = re.compile(rb"[1-9][0-9]{0,8} ?\Z")
_ENDS: Final = re.compile(rb"[\n\0]")
_TRAILER: Final = b"\r\n\0"


def as_line(message: bytes) -> bytes:
    """The message as one line without its end; b"" for one that is empty."""
    line = message.rstrip(_TRAILER)
    return line.replace(b"\n", b"#012") if b"\n" in line else line


class SyslogFrames:
    """Cuts one stream. Holds at most about one message of `MAX_LINE_BYTES`; the rest of a longer one is passed over.

    `n_cut` counts the messages that were longer: of those the first `MAX_LINE_BYTES` are given.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._n_searched = 0  # of what is held, bytes in which no end stands
        self._to_skip = 0  # bytes of a counted message that are passed over
        self._is_skipping_line = False
        self.n_cut = 0

    @property
    def n_held(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now, as lines without LF; blank ones are left out."""
        held = self._held
        held += data
        at = 0
        lines: list[bytes] = []
        while at < len(held):
            if self._to_skip or self._is_skipping_line:
                at = self._passed_over(at)
                continue
            step = self._message(at)
            if step is None:
                break
            message, at = step
            self._n_searched = 0
            if line := as_line(message):
                lines.append(line)
        del held[:at]
        return lines

    def end(self) -> list[bytes]:
        """What stands without an end when the sender has closed the stream in order: its last message."""
        held = bytes(self._held)
        count = _COUNT.match(held)
        self._held.clear()
        self._n_searched = 0
        line = as_line(held[count.end() - 1 :] if count else held)
        return [line] if line else []

    def _passed_over(self, at: int) -> int:
        n_held = len(self._held)
        if self._to_skip:
            n = min(self._to_skip, n_held - at)
            self._to_skip -= n
            return at + n
        found = _ENDS.search(self._held, at)
        self._is_skipping_line = found is None
        return n_held if found is None else found.end()

    def _message(self, at: int) -> tuple[bytes, int] | None:
        """The message at `at` and where the next begins; None where it is not whole."""
        count = _COUNT.match(self._held, at)
        if count is not None:
            return self._counted(count.end() - 1, int(count[1]))
        n_held = len(self._held) - at
        if n_held <= 10 and _MAYBE_COUNT.match(self._held, at):
            return None
        found = _ENDS.search(self._held, at + self._n_searched)
        if found is not None:
            self.n_cut += found.start() - at > MAX_LINE_BYTES
            return bytes(self._held[at : min(found.start(), at + MAX_LINE_BYTES)]), found.end()
        if n_held <= MAX_LINE_BYTES:
            self._n_searched = n_held
            return None
        self.n_cut += 1
        self._is_skipping_line = True
        return bytes(self._held[at : at + MAX_LINE_BYTES]), at + MAX_LINE_BYTES

    def _counted(self, start: int, n_bytes: int) -> tuple[bytes, int] | None:
        wanted = min(n_bytes, MAX_LINE_BYTES)
        if len(self._held) - start < wanted:
            return None
        if n_bytes > wanted:
            self.n_cut += 1
            self._to_skip = n_bytes - wanted
        return bytes(self._held[start : start + wanted]), start + wanted
