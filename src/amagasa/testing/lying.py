"""An ally under a signed agreement who lies: what it can do to a node over mutual TLS, one lie at a time.

To test a node of one's own with. It speaks to this machine's loopback addresses and refuses any other.
"""

import asyncio
import contextlib
import ipaddress
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from amagasa.testing.false_heads import HEADS, FalseHead
from amagasa.testing.lies import Falsehood
from amagasa.vocab.errors import BadInputError

TAXII: Final = "application/taxii+json;version=2.1"
INBOX: Final = "/taxii2/umbrella/collections/inbox/objects/"
CHUNK: Final = b" " * 65_536
GIBIBYTE: Final = 1 << 30
ANSWER_BYTES: Final = 1 << 20
HANDSHAKE_S: Final = 20.0
SETTLE_S: Final = 1.0
SETTLES: Final = 20

Address: TypeAlias = tuple[str, int]


class Told(Struct, frozen=True, kw_only=True):
    """What came of a lie. `status` is 0 where the line was cut without an answer; `code` is the refusal's.

    `n_bytes` were sent before the node had enough; `n_open` lines stood at once at the end.
    """

    lie: str
    status: int
    code: str
    n_bytes: int
    elapsed_s: float
    n_open: int = 0
    n_taken: int = 0


class LyingAlly:
    """Knows the victim's door and holds the papers of a real ally: `context` shows its certificate.

    `source` is the local address that it calls from ("" for any). Raises BadInputError (AMG-LYING-LOOPBACK) where the
    door is not on this machine.
    """

    def __init__(self, address: Address, context: ssl.SSLContext, *, source: str = "") -> None:
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise BadInputError(
                "AMG-LYING-LOOPBACK",
                "a lying ally speaks to this machine alone",
                expected="a door on a loopback address",
                got=address[0],
                then="nothing was sent",
            )
        self._address = address
        self._context = context
        self._source = (source, 0) if source else None

    # --- bodies --------------------------------------------------------------------------------------------------

    async def huge_body(self, n_bytes: int = 5 * GIBIBYTE) -> Told:
        """A body in chunks that ends after `n_bytes`; sent for as long as the node reads."""
        return await self._post("a huge body", _chunked(_spaces(n_bytes)), "transfer-encoding: chunked")

    async def announced_body(self, n_bytes: int = 5 * GIBIBYTE) -> Told:
        """A body whose length is announced."""
        return await self._post("a huge body, announced", _spaces(n_bytes), f"content-length: {n_bytes}")

    async def deep(self, n_levels: int = 100_000) -> Told:
        """An object so many levels deep."""
        body = b'{"objects":[' + b'{"a":' * n_levels + b"1" + b"}" * n_levels + b"]}"
        return await self._whole("levels without end", body)

    async def brackets(self, n: int = 3_000_000) -> Told:
        """A small body which becomes large in memory."""
        return await self._whole("brackets without end", b'{"objects":[' + b"[]," * n + b"[]]}")

    async def bomb(self, n_bytes: int = 10 * GIBIBYTE) -> Told:
        """A thousandth of it on the wire, packed by gzip."""
        packed = _gzip_of_zeros(min(n_bytes, GIBIBYTE))
        return await self._whole("a bomb in gzip", packed, "content-encoding: gzip")

    async def garbage(self) -> Told:
        """What is no JSON."""
        return await self._whole("no JSON", b"\x00\xff\xfe{{{" * 1_000)

    async def trickle(self, *, every_s: float = 1.0, n_bytes: int = 600) -> Told:
        """A byte now and then, until the node has enough of it."""

        async def drops() -> AsyncIterator[bytes]:
            for _ in range(n_bytes):
                yield b" "
                await asyncio.sleep(every_s)

        return await self._post("a trickle", drops(), f"content-length: {n_bytes}")

    async def slow_head(self, *, every_s: float = 1.0, n_lines: int = 600) -> Told:
        """Headers without end, one line now and then."""
        began = time.monotonic()
        async with self._line() as (reader, writer):
            writer.write(b"GET /taxii2/ HTTP/1.1\r\nhost: a\r\n")
            n = 0
            with contextlib.suppress(OSError):
                while n < n_lines and not reader.at_eof():
                    writer.write(b"x-%d: y\r\n" % n)
                    await writer.drain()
                    n += 1
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1), every_s)
        return _told("a head without end", began, n_bytes=n)

    # --- lines ---------------------------------------------------------------------------------------------------

    async def crowd(self, n: int = 10_000, *, at_once: int = 100) -> Told:
        """So many lines, each kept for as long as the node lets it."""
        began = time.monotonic()
        gate, held = asyncio.Semaphore(at_once), []

        async def come() -> None:
            async with gate:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    held.append(await self._dial())

        await asyncio.gather(*(come() for _ in range(n)))
        n_open = await _settled(held)
        for _, writer in held:
            writer.transport.abort()
        return _told("a crowd", began, n_open=n_open)

    async def half_open(self, n: int = 10_000, *, at_once: int = 200) -> Told:
        """So many connections that never begin to speak."""
        began = time.monotonic()
        gate, held = asyncio.Semaphore(at_once), []

        async def come() -> None:
            async with gate:
                with contextlib.suppress(OSError, TimeoutError):
                    dialled = asyncio.open_connection(*self._address, local_addr=self._source)
                    held.append(await asyncio.wait_for(dialled, HANDSHAKE_S))

        await asyncio.gather(*(come() for _ in range(n)))
        n_open = await _settled(held)
        for _, writer in held:
            writer.transport.abort()
        return _told("a crowd that says nothing", began, n_open=n_open)

    # --- objects -------------------------------------------------------------------------------------------------

    async def say(self, falsehood: Falsehood) -> Told:
        """Its objects; what the node said of the last."""
        groups = [falsehood.objects] if falsehood.is_together else [(one,) for one in falsehood.objects]
        told = [await self.send(falsehood.name, group) for group in groups]
        return told[-1]

    async def send(self, name: str, objects: Sequence[Any]) -> Told:
        """One envelope."""
        return await self._whole(name, msgspec.json.encode({"objects": list(objects)}))

    async def show(self, false: FalseHead) -> Told:
        """A tree head. The answer says nothing of what is thought of it: the node's record and its alerts do."""
        return await self._whole(false.name, false.message, to=HEADS)

    # --- the wire ------------------------------------------------------------------------------------------------

    async def _whole(self, name: str, body: bytes, *headers: str, to: str = INBOX) -> Told:
        async def once() -> AsyncIterator[bytes]:
            for at in range(0, len(body), len(CHUNK)):
                yield body[at : at + len(CHUNK)]

        return await self._post(name, once(), f"content-length: {len(body)}", *headers, to=to)

    async def _post(self, name: str, body: AsyncIterator[bytes], *headers: str, to: str = INBOX) -> Told:
        head = (f"POST {to} HTTP/1.1", "host: node", f"accept: {TAXII}", f"content-type: {TAXII}", *headers, "", "")
        began, n_bytes = time.monotonic(), 0
        answer = b""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with self._line() as (reader, writer):
                answering = asyncio.create_task(_read_answer(reader))
                with contextlib.suppress(OSError):
                    writer.write("\r\n".join(head).encode())
                    async for chunk in body:
                        # A line that was cut takes everything and says nothing: look whether it stands.
                        await asyncio.sleep(0)
                        if answering.done() or reader.at_eof() or writer.transport.is_closing():
                            break
                        writer.write(chunk)
                        await writer.drain()
                        n_bytes += len(chunk)
                answer = await answering
        return _told(name, began, n_bytes=n_bytes, answer=answer)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.wait_for(
            asyncio.open_connection(
                *self._address, ssl=self._context, server_hostname="", local_addr=self._source, limit=ANSWER_BYTES
            ),
            HANDSHAKE_S,
        )

    @contextlib.asynccontextmanager
    async def _line(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await self._dial()
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


WIRE_LIES: Final[tuple[Callable[[LyingAlly], Any], ...]] = (
    LyingAlly.garbage,
    LyingAlly.deep,
    LyingAlly.brackets,
    LyingAlly.bomb,
    LyingAlly.announced_body,
    LyingAlly.huge_body,
    LyingAlly.slow_head,
    LyingAlly.trickle,
    LyingAlly.crowd,
    LyingAlly.half_open,
)


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    """Head and body, as far as the node says how long it is."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        return head + await reader.readexactly(min(length, ANSWER_BYTES))
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""


async def _settled(held: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> int:
    """How many lines still stand once their number falls no more: what the node cut last may not be known here yet."""
    n_open, n_same = len(held), 0
    for _ in range(SETTLES):
        await asyncio.sleep(SETTLE_S)
        n_now = sum(not reader.at_eof() for reader, _ in held)
        n_same = n_same + 1 if n_now == n_open else 0
        n_open = n_now
        if n_same >= 2:
            break
    return n_open


def _told(name: str, began: float, *, n_bytes: int = 0, n_open: int = 0, answer: bytes = b"") -> Told:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head[9:12]) if head[9:12].isdigit() else 0
    code, n_taken = _said(body)
    return Told(
        lie=name,
        status=status,
        code=code,
        n_bytes=n_bytes,
        elapsed_s=round(time.monotonic() - began, 3),
        n_open=n_open,
        n_taken=n_taken,
    )


def _said(body: bytes) -> tuple[str, int]:
    """The code of an error, or that of the last object that was refused; and how many were taken."""
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return "", 0
    failures = said.get("failures") or [{}]
    reason = str(failures[-1].get("message", ""))
    code = said.get("error_code") or reason.rpartition("[")[2].rstrip("]")
    return str(code), int(said.get("success_count", 0))


async def _spaces(n_bytes: int) -> AsyncIterator[bytes]:
    left = n_bytes
    while left > 0:
        yield CHUNK[:left]
        left -= len(CHUNK)


async def _chunked(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in body:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _gzip_of_zeros(n_bytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join([*(packer.compress(zeros) for _ in range(n_bytes >> 20)), packer.flush()])
