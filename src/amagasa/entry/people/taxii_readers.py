"""Who asks the library: Basic authentication (RFC 7617) or a bearer token (RFC 6750), over TLS or from this machine."""

import contextlib
import hashlib
import hmac
import secrets
import threading
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from litestar import Request

from amagasa.app.accounts import Throttle, ThrottledError
from amagasa.app.ports import Passwords
from amagasa.app.taxii_library import Library, Reader
from amagasa.entry.allies.wire import TaxiiError

CHALLENGE: Final = {"www-authenticate": 'Basic realm="amagasa library", charset="UTF-8"'}
# A password is hashed slowly; what has been found to fit is known for so long, by a keyed digest.
KNOWN_FOR: Final = timedelta(minutes=10)
MAX_KNOWN: Final = 256
MAX_HEADER: Final = 2_000
_NO_FIT: Final = "name and password (or token) do not fit"


class Readers:
    """For several threads."""

    def __init__(self, library: Library, passwords: Passwords) -> None:
        self._library = library
        self._passwords = passwords
        self._throttle = Throttle()
        self._key = secrets.token_bytes(32)
        self._turns = _Turns()
        self._known: OrderedDict[bytes, datetime] = OrderedDict()
        self._decoy = passwords.hash(secrets.token_urlsafe(32))

    def of(self, request: Request[Any, Any, Any], *, now: datetime) -> Reader:
        """The account. Blocks: never on the event loop. Raises TaxiiError 401, 403 (no TLS) or 429."""
        name, secret = _credentials(request.headers.get("authorization", "")[:MAX_HEADER])
        if request.url.scheme != "https" and not _is_near(request):
            raise TaxiiError(403, "AMG-TAXII-PLAIN", "passwords and tokens travel over TLS alone", then="use https")
        with self._library.read() as reading:
            reader = reading.reader(name)
        digest = hmac.digest(self._key, f"{name}\n{reader.secret if reader else ''}\n{secret}".encode(), hashlib.sha256)
        if reader is not None and self._is_known(digest, now):
            return reader
        # A client begins with several requests at once: the first is looked at, the others wait for what came of it.
        with self._turns.of(digest):
            if reader is None or not self._is_known(digest, now):
                self._look(name, reader, secret, digest, now=now)
        if reader is None:
            raise _nobody(_NO_FIT)
        return reader

    def _is_known(self, digest: bytes, now: datetime) -> bool:
        return self._known.get(digest, now - KNOWN_FOR) > now - KNOWN_FOR

    def _look(self, name: str, reader: Reader | None, secret: str, digest: bytes, *, now: datetime) -> None:
        """Remember what fits. Raises TaxiiError 401 or 429."""
        try:
            self._throttle.attempt(name, now=now)
        except ThrottledError as error:
            headers = {"retry-after": str(error.retry_after_s)}
            raise TaxiiError(429, error.code, error.what, then=error.then, headers=headers) from None
        fits = self._passwords.verify(reader.secret if reader else self._decoy, secret)
        if reader is None or not fits:
            raise _nobody(_NO_FIT)
        self._throttle.succeeded(name)
        self._known[digest] = now
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


class _Turns:
    """A lock for each digest, as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[bytes, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def of(self, digest: bytes) -> Iterator[None]:
        with self._lock:
            turn, n_here = self._held.get(digest, (threading.Lock(), 0))
            self._held[digest] = turn, n_here + 1
        try:
            with turn:
                yield
        finally:
            with self._lock:
                turn, n_here = self._held.pop(digest)
                if n_here > 1:
                    self._held[digest] = turn, n_here - 1


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        name, _, secret = value.strip().partition(".")
    elif scheme.lower() == "basic":
        try:
            name, _, secret = b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
        except ValueError:
            name = secret = ""
    else:
        raise _nobody("this library is read with an account")
    if not name or not secret:
        raise _nobody("the Authorization header cannot be read")
    return name, secret


def _nobody(why: str) -> TaxiiError:
    return TaxiiError(
        401, "AMG-TAXII-WHO", why, then="send Basic authentication or a bearer token", headers=dict(CHALLENGE)
    )


def _is_near(request: Request[Any, Any, Any]) -> bool:
    """Whether the caller is on this machine (a Unix socket has no address)."""
    if request.client is None:
        return True
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
