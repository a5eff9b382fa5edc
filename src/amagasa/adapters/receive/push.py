"""Records pushed over HTTP: `POST /records` with a bearer token; 202 once they are on the disk, all or none.

The body is NDJSON or one JSON array of objects, plain or gzip. The answers, each a small JSON object:
202 kept (or known already by its `Idempotency-Key`) · 400 no gzip, no JSON array · 401 no or a wrong token ·
403 a sender that is not let in · 404 and 405 another address or method · 408 too slow · 413 too much at once ·
415 another encoding · 429 too many requests at a time and 503 no room now, both with `Retry-After`.
"""

import asyncio
import hashlib
import hmac
import math
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import msgspec

from amagasa.adapters.receive.senders import Senders
from amagasa.app.spool_ports import Keeper, Kept, Tally

ADDRESS: Final = "/records"
MAX_BYTES: Final = 16 * 1_048_576  # of a body, packed or not
MAX_AT_A_TIME: Final = 8
TOO_SLOW_S: Final = 30.0
BUSY_S: Final = 1
FULL_S: Final = 5
_GZIP: Final = 31
_STEP_BYTES: Final = 1_048_576

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Sync = Callable[[], Awaitable[None]]


class _RefusedError(Exception):
    """The request is answered with this, and nothing of it is kept."""

    def __init__(self, status: int, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers


class PushDoor:
    """An ASGI application. `token_hash`: SHA-256 of the token, hex. `sync` as in `streams`."""

    def __init__(self, keeper: Keeper, senders: Senders, *, sync: Sync, token_hash: str) -> None:
        self._keeper = keeper
        self._senders = senders
        self._sync = sync
        self._token_hash = token_hash
        self._n_at_hand = 0
        self._full_at = -math.inf
        self.tally = Tally()

    def tick(self) -> None:
        """Senders wait by themselves; for those who look, whether some were told to lately."""
        self.tally.is_waiting = time.monotonic() - self._full_at < 2 * FULL_S
        self.tally.n_open = self._n_at_hand

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            status, answer, headers = 202, await self._taken(scope, receive), dict[str, str]()
        except _RefusedError as refused:
            status, answer, headers = refused.status, {"why": refused.why}, refused.headers
            self.tally.n_refused += status in {401, 403}
        body = msgspec.json.encode(answer)
        lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        if status != 202:
            lines["Connection"] = "close"  # what is left of the body is not waited for
        both = [(key.replace("_", "-").lower().encode(), value.encode()) for key, value in (lines | headers).items()]
        await send({"type": "http.response.start", "status": status, "headers": both})
        await send({"type": "http.response.body", "body": body})

    async def _taken(self, scope: Mapping[str, Any], receive: Receive) -> dict[str, Any]:
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        self._check(scope, headers)
        if self._n_at_hand >= MAX_AT_A_TIME:
            raise _RefusedError(429, f"at most {MAX_AT_A_TIME} requests at a time", Retry_After=str(BUSY_S))
        self._n_at_hand += 1
        try:
            async with asyncio.timeout(TOO_SLOW_S):
                body = await _body(receive, is_packed=headers.get("content-encoding", "") == "gzip")
        except TimeoutError:
            raise _RefusedError(408, f"the body did not come within {TOO_SLOW_S:.0f} s") from None
        else:
            return await self._kept(_lines(body), headers.get("idempotency-key", ""))
        finally:
            self._n_at_hand -= 1

    def _check(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        client = scope.get("client") or ("",)
        if not self._senders.may(client[0]):
            raise _RefusedError(403, "this sender is not let in")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        found = hashlib.sha256(token.strip().encode("latin-1")).hexdigest()
        if scheme.lower() != "bearer" or not hmac.compare_digest(found, self._token_hash):
            raise _RefusedError(401, "expected the bearer token of this source", WWW_Authenticate="Bearer")
        if scope["path"] != ADDRESS:
            raise _RefusedError(404, f"records go to {ADDRESS}")
        if scope["method"] != "POST":
            raise _RefusedError(405, "expected POST", Allow="POST")
        if headers.get("content-encoding", "") not in {"", "identity", "gzip"}:
            raise _RefusedError(415, "expected a body that is plain or gzip", Accept_Encoding="gzip")
        n_bytes = headers.get("content-length", "0")
        if n_bytes.isascii() and n_bytes.isdigit() and int(n_bytes[:20]) > MAX_BYTES:
            raise _too_much()

    async def _kept(self, payload: bytes, key: str) -> dict[str, Any]:
        n_records = payload.count(b"\n")
        if not n_records:
            return {"n_records": 0}
        identifier = hashlib.sha256(key.encode("latin-1")).digest()[:16] if key else bytes(16)
        kept = self._keeper.keep(payload, identifier)
        self.tally.why = self._keeper.why
        if kept in {Kept.FULL, Kept.BROKEN}:
            self._full_at = time.monotonic()
            raise _RefusedError(503, "there is no room for it now; send it again", Retry_After=str(FULL_S))
        try:
            await self._sync()
        except OSError as error:
            raise _RefusedError(503, f"the disk failed: {error.strerror}", Retry_After=str(FULL_S)) from None
        if kept is Kept.KNOWN:
            self.tally.n_again += 1
            return {"n_records": n_records, "known": True}
        self.tally.n_messages += n_records
        self.tally.n_bytes += len(payload)
        return {"n_records": n_records}


def _too_much() -> _RefusedError:
    return _RefusedError(413, f"at most {MAX_BYTES} bytes at once, packed or not; send it in parts")


async def _body(receive: Receive, *, is_packed: bool) -> bytes:
    parts: list[bytes] = []
    n_bytes = n_came = 0
    unpacker = zlib.decompressobj(_GZIP) if is_packed else None
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":
            raise _RefusedError(400, "the connection ended before the body did")
        has_more = bool(message.get("more_body"))
        came = bytes(message.get("body", b""))
        n_came += len(came)
        if n_came > MAX_BYTES:
            raise _too_much()
        while came:
            if unpacker is None:
                part, came = came, b""
            else:
                part, came, unpacker = _unpacked(unpacker, came)
            n_bytes += len(part)
            if n_bytes > MAX_BYTES:
                raise _too_much()
            parts.append(part)
    if unpacker is not None and n_came and not unpacker.eof:
        raise _RefusedError(400, "the gzip data end too early")
    return b"".join(parts)


def _unpacked(unpacker: Any, came: bytes) -> tuple[bytes, bytes, Any]:
    """(what came out, what is left, what unpacks it); a gzip file may hold several members."""
    if unpacker.eof:
        unpacker = zlib.decompressobj(_GZIP)
    try:
        part = unpacker.decompress(came, _STEP_BYTES)
    except zlib.error as error:
        raise _RefusedError(400, f"the body is no gzip: {error}") from None
    return part, unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail, unpacker


def _lines(body: bytes) -> bytes:
    """The body as whole lines, one a record: blank ones left out, an array taken apart."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if body.startswith(b"["):
        try:
            records = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _RefusedError(400, f"the body is no JSON array: {error}") from None
        # Between the parts of a JSON text a line feed is a space; inside of a string it cannot stand.
        return b"".join(bytes(one).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n" for one in records)
    return b"".join(line.removesuffix(b"\r") + b"\n" for line in body.split(b"\n") if line and not line.isspace())
