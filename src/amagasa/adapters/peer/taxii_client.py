"""The line to one ally: TAXII 2.1 over mutual TLS, one kept-alive HTTP client (app.ports.AllyLine).

Works with any TAXII 2.1 server: it is asked which API root and collection we may write, and how much it takes.
"""

import ssl
from collections.abc import Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
from msgspec import Struct

from amagasa.app.link_ports import Polled, Pushed
from amagasa.share.verdict import Released
from amagasa.vocab.errors import WorldError
from amagasa.vocab.text import show

MEDIA_TYPE: Final = "application/taxii+json;version=2.1"
ANSWER_BYTES: Final = 16 * 1024 * 1024
ENVELOPE_OBJECTS: Final = 500
MOST_REQUESTS: Final = 64  # for one push: an ally that refuses every envelope is not searched for the one it means
# Longer than our own door keeps an idle line (75 s) would make each push after a pause fail once.
IDLE_S: Final = 60.0
TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_OPEN: Final = b'{"objects":['
_CLOSE: Final = b"]}"

_T = TypeVar("_T")


class _Discovery(Struct):
    api_roots: list[str] = []
    default: str = ""


class _ApiRoot(Struct):
    max_content_length: int


class _Collection(Struct):
    id: str
    can_read: bool
    can_write: bool


class _Collections(Struct):
    collections: list[_Collection] = []


class _Detail(Struct):
    id: str
    message: str = ""


class _Status(Struct):
    status: str
    successes: list[_Detail] = []
    failures: list[_Detail] = []


class _Envelope(Struct):
    more: bool = False
    objects: list[Any] = []


class _Error(Struct):
    title: str = ""
    description: str = ""


class _Doors(Struct, frozen=True):
    """Where objects go and come from at this ally."""

    inbox: str
    outbox: str
    heads: str
    beat: str
    waiting: str
    envelope_bytes: int


class TaxiiLine:
    """See `app.ports.AllyLine`. `address` is the discovery URL (https); `context` is from `ally_client_context`.

    Raises WorldError: AMG-LINK-DOWN (not reached), AMG-LINK-TLS (one of the certificates was refused),
    AMG-LINK-TIMEOUT, AMG-LINK-BROKEN (cut in the middle), AMG-LINK-DENIED (401, 403), AMG-LINK-ANSWER (anything else
    that is no answer of a TAXII server).
    """

    def __init__(self, name: str, address: str, context: ssl.SSLContext) -> None:
        self._name = name
        self._address = address
        self._doors: _Doors | None = None
        self._client = httpx.AsyncClient(
            verify=context,
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            headers={"accept": MEDIA_TYPE, "accept-encoding": "identity", "user-agent": "amagasa"},
            limits=httpx.Limits(max_connections=2, max_keepalive_connections=2, keepalive_expiry=IDLE_S),
        )

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def greet(self) -> None:
        """Discovery, anew each time; the line is warm afterwards, so that the first push is as fast as any."""
        self._doors = None
        await self._open()

    async def push(self, objects: Sequence[Released]) -> Pushed:
        """In as many envelopes as the ally's limit asks for. An object that is too large alone counts as refused."""
        doors = await self._open()
        taken: list[str] = []
        refused: list[tuple[str, str]] = []
        waiting = _envelopes(objects, doors.envelope_bytes)
        n_requests = 0
        while waiting:
            envelope = waiting.pop(0)
            size = len(_OPEN) + len(_CLOSE) + sum(len(one.content) + 1 for one in envelope)
            if size > doors.envelope_bytes:
                refused += [
                    (one.object_id, f"larger than the {doors.envelope_bytes} bytes it takes") for one in envelope
                ]
                continue
            n_requests += 1
            body = _OPEN + b",".join(one.content for one in envelope) + _CLOSE
            status, content = await self._ask("POST", doors.inbox, body)
            if status in {400, 413, 422} and n_requests <= MOST_REQUESTS:
                # One object spoils the envelope: halve until it stands alone.
                if len(envelope) == 1:
                    refused.append((envelope[0].object_id, _words(content) or f"HTTP {status}"))
                else:
                    middle = len(envelope) // 2
                    waiting[:0] = [envelope[:middle], envelope[middle:]]
                continue
            answer = self._decode(status, content, _Status)
            taken += [one.id for one in answer.successes]
            refused += [(one.id, one.message or "no reason given") for one in answer.failures]
        return Pushed(taken=tuple(taken), refused=tuple(refused))

    async def poll(self, *, added_after: str, limit: int) -> Polled:
        """One page, oldest first."""
        doors = await self._open()
        query = {"limit": str(limit), "match[version]": "all"} | ({"added_after": added_after} if added_after else {})
        url = str(httpx.URL(doors.outbox).copy_merge_params(query))
        headers: dict[str, str] = {}
        status, content = await self._ask("GET", url, headers=headers)
        page = self._decode(status, content, _Envelope)
        last = headers.get("x-taxii-date-added-last", "")
        return Polled(objects=tuple(page.objects), added_last=last[:64], has_more=page.more)

    async def exchange_heads(self, question: bytes) -> bytes | None:
        """See `app.link_ports.AllyLine`."""
        return await self._exchange((await self._open()).heads, question)

    async def exchange_beats(self, beat: bytes) -> bytes | None:
        """See `app.link_ports.AllyLine`."""
        return await self._exchange((await self._open()).beat, beat)

    async def _exchange(self, url: str, question: bytes) -> bytes | None:
        status, content = await self._ask("POST", url, question)
        if status in {404, 405}:
            return None
        if status != 200:
            raise self._no_answer("200", f"HTTP {status} {_words(content)}")
        return content

    async def fetch_waiting(self) -> bytes | None:
        """See `app.link_ports.AllyLine`."""
        status, content = await self._ask("GET", (await self._open()).waiting)
        if status in {404, 405}:
            return None
        self._decode(status, b"{}", dict)
        return content

    async def tell_fates(self, fates: bytes) -> None:
        """See `app.link_ports.AllyLine`."""
        status, content = await self._ask("POST", (await self._open()).waiting, fates)
        self._decode(status, content, dict)

    async def _open(self) -> _Doors:
        """Find the collections: discovery, API root, collections. Asked once, and again after a failure."""
        if self._doors is not None:
            return self._doors
        found = await self._get(self._address, _Discovery)
        root = self._near(found.default or next(iter(found.api_roots), ""))
        limit = (await self._get(root, _ApiRoot)).max_content_length
        collections = (await self._get(urljoin(root, "collections/"), _Collections)).collections
        writable = next((one.id for one in collections if one.can_write), None)
        readable = next((one.id for one in collections if one.can_read and not one.can_write), None)
        if writable is None or limit <= 0:
            raise self._no_answer("a collection which we may write", f"{len(collections)} collections")
        self._doors = _Doors(
            inbox=self._near(urljoin(root, f"collections/{writable}/objects/")),
            outbox=self._near(urljoin(root, f"collections/{readable or writable}/objects/")),
            heads=self._near(urljoin(root, "heads/")),
            beat=self._near(urljoin(root, "beat/")),
            waiting=self._near(urljoin(root, "waiting/")),
            envelope_bytes=limit,
        )
        return self._doors

    async def _get(self, url: str, kind: type[_T]) -> _T:
        status, content = await self._ask("GET", url)
        return self._decode(status, content, kind)

    def _near(self, url: str) -> str:
        """`url` as an absolute one. An ally's server does not send us to another: that would not be pinned."""
        absolute = urljoin(self._address, url)
        here, there = urlsplit(self._address), urlsplit(absolute)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise self._no_answer(f"an address at {here.netloc}", absolute)
        return absolute if absolute.endswith("/") else absolute + "/"

    async def _ask(
        self, method: str, url: str, body: bytes | None = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the answer; `headers` is filled with its headers where given."""
        sent = {"content-type": MEDIA_TYPE} if body is not None else {}
        try:
            async with self._client.stream(method, url, content=body, headers=sent) as response:
                content = bytearray()
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > ANSWER_BYTES:
                        raise self._no_answer(f"at most {ANSWER_BYTES} bytes", "a longer answer")
                if headers is not None:
                    headers.update(response.headers)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            self._doors = None
            raise self._lost(error) from error
        if response.status_code >= 400 and response.status_code not in {400, 413, 422}:
            self._doors = None
        return response.status_code, bytes(content)

    def _decode(self, status: int, content: bytes, kind: type[_T]) -> _T:
        if status in {401, 403}:
            raise WorldError(
                "AMG-LINK-DENIED",
                f"{self._name} refuses what comes from this node",
                expected="an agreement which is in force on both sides",
                got=_words(content) or f"HTTP {status}",
                then="nothing is lost; it will be tried again",
            )
        if status not in {200, 202}:
            raise self._no_answer("200 or 202", f"HTTP {status} {_words(content)}")
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._no_answer("a TAXII 2.1 resource", str(error)) from error

    def _lost(self, error: Exception) -> WorldError:
        refused = _tls_fault(error)
        if refused is not None:
            code, what = "AMG-LINK-TLS", f"no TLS with {self._name}: one side refused the other's certificate"
        elif isinstance(error, httpx.TimeoutException):
            code, what = "AMG-LINK-TIMEOUT", f"{self._name} did not answer in time"
        elif isinstance(error, httpx.ConnectError):
            code, what = "AMG-LINK-DOWN", f"{self._name} cannot be reached"
        else:
            code, what = "AMG-LINK-BROKEN", f"the line to {self._name} broke"
        then = "nothing is lost; it will be tried again"
        if code == "AMG-LINK-BROKEN":
            # In TLS 1.3 a server refuses our certificate after we think we are in; its alert may be lost with the line.
            then += "; where it goes on, ask the ally whether its agreement names our certificate"
        return WorldError(code, what, got=refused or str(error) or type(error).__name__, then=then)

    def _no_answer(self, expected: str, got: str) -> WorldError:
        self._doors = None
        return WorldError(
            "AMG-LINK-ANSWER",
            f"{self._name} gave no answer that fits",
            expected=expected,
            got=got,
            then="nothing is lost; it will be tried again",
        )


def _envelopes(objects: Sequence[Released], limit_bytes: int) -> list[list[Released]]:
    envelopes: list[list[Released]] = []
    n_bytes = 0
    for one in objects:
        n_bytes += len(one.content) + 1
        is_full = n_bytes + len(_OPEN) + len(_CLOSE) > limit_bytes
        if not envelopes or is_full or len(envelopes[-1]) == ENVELOPE_OBJECTS:
            envelopes.append([])
            n_bytes = len(one.content) + 1
        envelopes[-1].append(one)
    return envelopes


def _words(content: bytes) -> str:
    """What a TAXII error message says; "" where it is none."""
    try:
        said = msgspec.json.decode(content, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return show(": ".join(part for part in (said.title, said.description) if part))


def _tls_fault(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error.reason or str(error)
        error = error.__cause__ or error.__context__
    return None
