"""One port, two applications: the console, and the library for other tools."""

from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from amagasa.app.taxii_document import RESERVED

_TAXII: Final = b"taxii+json"
_SCHEMES: Final = (b"basic ", b"bearer ")


def front(console: ASGIApp, library: ASGIApp) -> ASGIApp:
    """An application that hands each request to the one it is for."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await (library if is_for_library(scope) else console)(scope, receive, send)

    return call


def is_for_library(scope: Scope) -> bool:
    """Whether a request is TAXII's: by its address, its media types, or how it says who asks."""
    if scope["type"] != ScopeType.HTTP:
        return False
    first, _, rest = scope["path"].lstrip("/").partition("/")
    if first == "taxii2":
        return True
    if first in RESERVED:
        return False
    if rest.partition("/")[0] in {"collections", "status"}:
        return True
    return any(
        (name in {b"accept", b"content-type"} and _TAXII in value.lower())
        or (name == b"authorization" and value.lower().startswith(_SCHEMES))
        for name, value in scope["headers"]
    )
