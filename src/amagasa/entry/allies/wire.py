"""TAXII 2.1 on the wire: media types, bodies within limits, answers and error messages (OASIS, June 2021)."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from amagasa.vocab.errors import AmagasaError
from amagasa.vocab.instants import from_rfc3339

TAXII: Final = "application/taxii+json;version=2.1"
STIX: Final = "application/stix+json;version=2.1"
CONTENT_BYTES: Final = 10 * 1024 * 1024
ENVELOPE_OBJECTS: Final = 2_000
# `{`, `[` and `,` of a body bound what it can become in memory: 1 M of them some 100 MB. 2,000 indicators have 60,000.
MARKS: Final = 1_000_000
# What is read and thrown away of a body beyond the limit, so that its sender gets to read the answer.
DRAINED_BYTES: Final = 2 * CONTENT_BYTES
NEXT_CHARACTERS: Final = 200
PAGE: Final = 100
FILTERS: Final = 100  # values in one match[...]

_TAXII_TYPE: Final = re.compile(r"application/taxii\+json", re.IGNORECASE)
_QUALITY_ZERO: Final = re.compile(r"0(?:\.0{0,3})?")


class TaxiiError(AmagasaError):
    """An answer other than success: HTTP status, and what the TAXII error message says (TAXII 2.1 section 3.6.1)."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *,
        got: str = "",
        then: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, title, got=got, then=then)
        self.status = status
        self.headers = dict(headers or {})


def answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A TAXII resource as the body."""
    return Response(msgspec.json.encode(value), status_code=status, media_type=TAXII, headers=dict(headers or {}))


def error_answer(error: AmagasaError, status: int, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """The TAXII error message. Its texts are escaped and cut."""
    parts = {
        "title": error.what,
        "description": error.then or None,
        "error_code": error.code,
        "http_status": str(status),
    }
    details = {"got": error.got} if error.got else None
    body = {name: value for name, value in {**parts, "details": details}.items() if value is not None}
    return answer(body, status=status, headers=headers)


def require_accept(request: Request[Any, Any, Any]) -> None:
    """Raise 406 unless the client takes TAXII 2.1 by name (section 1.6.8): a wildcard is no client of TAXII."""
    header = request.headers.get("accept", "")
    if not any(_accepts(part) for part in header.split(",")):
        raise TaxiiError(406, "AMG-TAXII-ACCEPT", f"the Accept header must name {TAXII}", got=header)


def require_content_type(request: Request[Any, Any, Any]) -> None:
    """Raise 415 unless the body says that it is TAXII 2.1, and not compressed: what is small must not become large."""
    header = request.headers.get("content-type", "")
    if not _accepts(header) or ";q=" in header.replace(" ", "").lower():
        raise TaxiiError(415, "AMG-TAXII-TYPE", f"the Content-Type must be {TAXII}", got=header)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise TaxiiError(415, "AMG-TAXII-ENCODING", "a body must not be compressed", got=encoding)


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """The body; 413 as soon as more than CONTENT_BYTES are announced or have come. Never keeps more than the limit."""
    announced = request.headers.get("content-length", "0")
    n_announced = int(announced) if announced.isascii() and announced.isdigit() and len(announced) < 20 else 0
    chunks: list[bytes] = []
    n_bytes = 0
    if n_announced > DRAINED_BYTES:
        raise _too_large(n_announced)
    async for chunk in request.stream():
        n_bytes += len(chunk)
        if n_bytes > DRAINED_BYTES:
            break
        if max(n_bytes, n_announced) <= CONTENT_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
    if max(n_bytes, n_announced) > CONTENT_BYTES:
        raise _too_large(max(n_bytes, n_announced))
    return b"".join(chunks)


def _too_large(n_bytes: int) -> TaxiiError:
    return TaxiiError(
        413,
        "AMG-TAXII-LARGE",
        f"a body holds at most {CONTENT_BYTES} bytes",
        got=f"{n_bytes} bytes or more",
        then="send fewer objects at a time",
        headers={"connection": "close"},
    )


def parse_envelope(body: bytes, *, requires_objects: bool = False) -> list[Any]:
    """The objects of a TAXII envelope (section 3.7); each may still be anything. Raises TaxiiError 400 or 422."""
    if sum(body.count(mark) for mark in (b"{", b"[", b",")) > MARKS:
        raise TaxiiError(422, "AMG-TAXII-COUNT", f"a body holds at most {MARKS} brackets and commas")
    try:
        envelope = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TaxiiError(400, "AMG-TAXII-JSON", "the body is not JSON that can be read", got=str(error)) from error
    none: list[Any] | None = None if requires_objects else []
    objects = envelope.get("objects", none) if isinstance(envelope, dict) else None
    if not isinstance(objects, list):
        raise TaxiiError(422, "AMG-TAXII-ENVELOPE", "the body is no TAXII envelope: an object with a list of objects")
    if len(objects) > ENVELOPE_OBJECTS:
        raise TaxiiError(
            422,
            "AMG-TAXII-COUNT",
            f"an envelope holds at most {ENVELOPE_OBJECTS} objects",
            got=f"{len(objects)} objects",
            then="send fewer objects at a time",
        )
    return objects


def to_date_added(instant: datetime) -> str:
    """RFC 3339 in UTC with microseconds: the store's own precision, so that paging neither skips nor repeats."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def write_next(added_at: datetime, number: int) -> str:
    """Where a page ended, as text which means nothing to the client."""
    return urlsafe_b64encode(f"{to_date_added(added_at)} {number}".encode()).decode().rstrip("=")


def read_next(token: str) -> tuple[datetime, int]:
    """The inverse of `write_next`. Raises TaxiiError 400."""
    try:
        raw = urlsafe_b64decode(token[:NEXT_CHARACTERS].encode("ascii") + b"=" * (-len(token) % 4)).decode("ascii")
    except ValueError:
        raw = ""
    added_at, _, number = raw.partition(" ")
    if re.fullmatch(r"[0-9]{1,18}", number) is None:
        raise TaxiiError(400, "AMG-TAXII-QUERY", "this `next` was not given by this server", got=token)
    return read_instant(added_at, "next"), int(number)


def read_instant(text: str, name: str) -> datetime:
    """An RFC 3339 instant from the query. Raises TaxiiError 400."""
    try:
        # A plus sign which the client forgot to encode arrives as a space.
        return from_rfc3339(text.replace(" ", "+"))
    except (ValueError, OverflowError) as error:
        raise TaxiiError(400, "AMG-TAXII-QUERY", f"{name} is not an RFC 3339 instant", got=text) from error


def limit_of(query: Mapping[str, str], *, most: int) -> int:
    """How many objects a page holds (section 3.4). Raises TaxiiError 400."""
    text = query.get("limit")
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise TaxiiError(400, "AMG-TAXII-QUERY", "limit is a whole number above 0", got=text)
    return min(int(text), most)


def values_of(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The values of a filter, which commas part. Raises TaxiiError 400."""
    values = tuple(value for value in query.get(name, "").split(",") if value)
    if len(values) > FILTERS:
        raise TaxiiError(400, "AMG-TAXII-QUERY", f"{name} holds at most {FILTERS} values", got=f"{len(values)} values")
    return values


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses, in TAXII's words."""
    titles = {404: "there is nothing at this address", 405: "this address does not take this method"}
    title = titles.get(error.status_code, "the request cannot be answered")
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return error_answer(TaxiiError(error.status_code, "AMG-TAXII-HTTP", title), error.status_code, headers)


def _accepts(part: str) -> bool:
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    if _TAXII_TYPE.fullmatch(kind) is None:
        return False
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "version" and value != "2.1":
            return False
        if name == "q" and _QUALITY_ZERO.fullmatch(value):
            return False
        if name not in {"version", "q", "charset"}:
            return False
    return True
