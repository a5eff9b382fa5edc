"""The compiler's process: Sigma documents in, rules as plain data out. A document is hostile, so it is read apart.

Frames on stdin and stdout: four bytes of length (big endian), then msgpack. A request is a list of YAML texts and the
placeholders; the answer is a list of what became of each text. The parent sets the time; memory is bounded here.
"""

import resource
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import msgspec

from amagasa.detect.sigma.compile import compile_document
from amagasa.detect.sigma.text import Placeholders

# Compiling the public rule set takes 200 MB; a document that wants more is hostile.
MAX_MEMORY_BYTES: Final = 2 * 1024 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")


def main() -> None:
    """Answer requests until stdin ends."""
    answer_texts(lambda text, placeholders: compile_document("", text, placeholders=placeholders))


def answer_texts(answer: Callable[[str, Placeholders], Any]) -> None:
    """Answer each text of each request until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (request := _read(sys.stdin.buffer)) is not None:
        texts, placeholders = msgspec.msgpack.decode(request, type=tuple[list[str], dict[str, tuple[str, ...]]])
        body = msgspec.msgpack.encode([answer(text, placeholders) for text in texts])
        sys.stdout.buffer.write(_LENGTH.pack(len(body)) + body)
        sys.stdout.buffer.flush()


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


if __name__ == "__main__":
    main()
