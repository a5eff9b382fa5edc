"""What stands before every request: headers, who asks, same origin, and errors without a traceback."""

import hashlib
import traceback
from collections.abc import Callable
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope
from msgspec import Struct

from amagasa.app.accounts import SESSION_VALID, NotSignedInError, SignedIn, ThrottledError
from amagasa.app.permissions import Act, Actor
from amagasa.app.queries import MissingError
from amagasa.vocab.errors import AmagasaError, BadInputError, DeniedError
from amagasa.vocab.text import show

PUBLIC: Final = "amagasa_public"  # a handler's opt: anybody may call it
FIRST_STEPS: Final = "amagasa_first_steps"  # a handler's opt: a one-time link's session may call it too
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
)
PERMISSIONS_POLICY: Final = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), "
    "midi=(), payment=(), usb=()"
)
HEADERS: Final = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", PERMISSIONS_POLICY.encode()),
)
_LOG: Final = structlog.get_logger("amagasa.console")

Who = Callable[[str], SignedIn | None]
Asked = Request[Any, Any, Any]


class Refusal(Struct, frozen=True, kw_only=True):
    """The body of every error."""

    code: str
    what: str
    expected: str = ""
    got: str = ""
    then: str = ""


class Doorkeeper(Struct, frozen=True, kw_only=True):
    """How a request shows who asks. `local_actor` replaces it on the node's own socket (mode 0600)."""

    who: Who
    cookie: str
    is_tls: bool
    local_actor: Actor | None = None

    def signed_in(self, connection: ASGIConnection[Any, Any, Any, Any]) -> SignedIn:
        """Whose session came with the request. Blocks on the store. Raises NotSignedInError."""
        found = self.look(connection)
        if found is None:
            raise NotSignedInError(
                "AMG-SIGNIN-NEEDED",
                "nobody is signed in",
                expected="a session not older than 12 hours",
                then="sign in",
            )
        return found

    def look(self, connection: ASGIConnection[Any, Any, Any, Any]) -> SignedIn | None:
        """The same, None where nobody is signed in."""
        if self.local_actor is not None:
            return SignedIn(actor=self.local_actor, lang="")
        token = connection.cookies.get(self.cookie, "")
        return self.who(token) if token else None

    def session_cookie(self, token: str) -> Cookie:
        """The cookie that carries a session; an empty token takes it away."""
        return Cookie(
            key=self.cookie,
            value=token,
            max_age=int(SESSION_VALID.total_seconds()) if token else 0,
            path="/",
            httponly=True,
            secure=self.is_tls,
            samesite="strict",
        )


def cookie_name(party_id: str, *, is_tls: bool) -> str:
    """One name for each node: cookies know no ports, and two nodes may share a host."""
    mark = hashlib.sha256(party_id.encode()).hexdigest()[:12]
    return f"{'__Host-' if is_tls else ''}amagasa_{mark}"


def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route: same origin where something changes, then who asks (kept in the request's state)."""
    keeper: Doorkeeper = connection.app.state.keeper
    is_change = connection.scope["type"] == ScopeType.WEBSOCKET or connection.scope.get("method") not in SAFE_METHODS
    if is_change and keeper.local_actor is None:
        refuse_other_origin(connection)
    refuse_other_type(connection)
    if handler.opt.get(PUBLIC):
        return
    found = keeper.signed_in(connection)
    if found.is_first and not handler.opt.get(FIRST_STEPS):
        raise DeniedError(
            "AMG-ACCOUNT-FIRST-NEEDED",
            "this session may create the first account and nothing else",
            expected="an account",
            then="create it, then go on",
        )
    connection.scope["state"]["signed_in"] = found


def actor_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
    """Who asks, after `admit`."""
    found: SignedIn = connection.scope["state"]["signed_in"]
    return found.actor


def refuse_other_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise DeniedError unless the page that asks came from here (Fetch standard, `Origin`)."""
    scheme = {"ws": "http", "wss": "https"}.get(connection.scope["scheme"], connection.scope["scheme"])
    own = f"{scheme}://{connection.headers.get('host', '')}"
    origin = connection.headers.get("origin", "")
    if origin != own:
        raise DeniedError("AMG-ORIGIN", "another site asks", expected=f"Origin: {show(own)}", got=origin or "none")


def refuse_other_type(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise BadInputError for a body which is not JSON: a form of another site could send it."""
    if connection.scope.get("method") not in {"POST", "PUT", "PATCH"}:
        return
    media = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise BadInputError("AMG-API-TYPE", "the body has a wrong type", expected="application/json", got=media)


def require_act(actor: Actor, act: Act) -> None:
    """For doors without a use case (metrics, OpenAPI)."""
    if not actor.may(act):
        raise DeniedError("AMG-DENIED", "this is not yours to do", expected=f"a role that may {act.value}")


async def add_headers(message: Message, scope: Scope) -> None:
    """Put the security headers on every answer, errors included."""
    if message["type"] != "http.response.start":
        return
    headers = [*message.get("headers", []), *HEADERS]
    names = {name.lower() for name, _ in headers}
    if b"cache-control" not in names:
        headers.append((b"cache-control", b"no-store"))
    if scope.get("scheme") == "https":
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    message["headers"] = headers


def status_of(error: AmagasaError) -> int:
    """The HTTP status of a coded error."""
    known: tuple[tuple[type[AmagasaError], int], ...] = (
        (NotSignedInError, 401),
        (ThrottledError, 429),
        (MissingError, 404),
        (DeniedError, 403),
        (BadInputError, 422),
    )
    return next((status for kind, status in known if isinstance(error, kind)), 503)


def on_known(request: Asked, error: AmagasaError) -> Response[Refusal]:
    """A coded error, told in its own words."""
    refusal = Refusal(code=error.code, what=error.what, expected=error.expected, got=error.got, then=error.then)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, ThrottledError) else {}
    del request
    return Response(refusal, status_code=status_of(error), headers=headers)


_HTTP: Final = {
    400: ("AMG-API-INPUT", "the request cannot be read"),
    401: ("AMG-SIGNIN-NEEDED", "nobody is signed in"),
    403: ("AMG-DENIED", "this is not yours to do"),
    404: ("AMG-API-UNKNOWN", "there is nothing at this address"),
    405: ("AMG-API-METHOD", "this address does not do that"),
    413: ("AMG-API-SIZE", "the body is too large"),
    429: ("AMG-API-THROTTLED", "too many requests"),
}


def on_http(request: Asked, error: HTTPException) -> Response[Refusal]:
    """What the web framework refuses: an unknown address, a body that does not decode or is too large."""
    code, what = _HTTP.get(error.status_code, ("AMG-API-FAULT", "the request failed"))
    if error.status_code >= 500:
        return on_unknown(request, error)
    is_input = isinstance(error, ValidationException) or error.status_code == 400
    refusal = Refusal(code=code, what=what, got=_faults(error), then="nothing was done")
    return Response(refusal, status_code=422 if is_input else error.status_code, headers=error.headers or {})


def on_deep(request: Asked, error: RecursionError) -> Response[Refusal]:
    """A body nested deeper than the JSON decoder goes: the sender's doing, and nothing for the log."""
    if "deserializing" not in str(error):
        return on_unknown(request, error)
    code, what = _HTTP[400]
    return Response(Refusal(code=code, what=what, got="nested too deep", then="nothing was done"), status_code=422)


def on_unknown(request: Asked, error: Exception) -> Response[Refusal]:
    """Our mistake: told in the log with its place, and to the caller by its code alone."""
    # Without the local variables that some log formats add: a password may be among them.
    _LOG.error("request failed", path=show(request.scope["path"]), trace="".join(traceback.format_exception(error)))
    refusal = Refusal(
        code="AMG-INTERNAL", what="the node made a mistake", then="it is in the node's log; the node goes on"
    )
    return Response(refusal, status_code=500)


def _faults(error: HTTPException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    told = [f"{one.get('key', '')}: {one.get('message', '')}" for one in extra if isinstance(one, dict)]
    if error.status_code in {404, 405, 413}:
        return ""
    return show("; ".join(told) or error.detail)
