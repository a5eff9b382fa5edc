"""Cursors: where a page ended, as text which means nothing to whoever hands it back."""

import base64
from typing import Any, Final

import msgspec

from amagasa.app.pages import Page
from amagasa.vocab.errors import BadInputError

MAX_LIMIT: Final = 500
_MAX_CURSOR: Final = 1_000


def limit_of(page: Page) -> int:
    """The page's limit. Raises BadInputError (AMG-STORE-LIMIT) outside 1..500."""
    if not 1 <= page.limit <= MAX_LIMIT:
        raise BadInputError(
            "AMG-STORE-LIMIT",
            "a page has no such size",
            expected=f"1 to {MAX_LIMIT} rows",
            got=str(page.limit),
            then="nothing was read",
        )
    return page.limit


def write_cursor(kind: str, *place: int | str) -> str:
    """`place` as URL-safe text; `kind` keeps a cursor of one list from being used in another."""
    raw = msgspec.msgpack.encode([kind, *place])
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def read_cursor(kind: str, page: Page, *types: type) -> tuple[Any, ...] | None:
    """The place after which the page begins, None for the first page. Raises BadInputError (AMG-STORE-CURSOR)."""
    if page.before is None:
        return None
    try:
        if len(page.before) > _MAX_CURSOR:
            raise _refused(page.before)
        raw = base64.urlsafe_b64decode(page.before.encode("ascii") + b"=" * (-len(page.before) % 4))
        found = msgspec.msgpack.decode(raw)
    except (ValueError, msgspec.MsgspecError) as error:
        raise _refused(page.before) from error
    fits = (
        isinstance(found, list)
        and len(found) == len(types) + 1
        and found[0] == kind
        and all(type(value) is wanted for value, wanted in zip(found[1:], types, strict=True))
        and all(abs(value) < 2**63 for value in found[1:] if isinstance(value, int))
    )
    if not fits:
        raise _refused(page.before)
    return tuple(found[1:])


def _refused(cursor: str) -> BadInputError:
    return BadInputError(
        "AMG-STORE-CURSOR",
        "this is no place in the list",
        expected="a cursor as the last page gave it",
        got=cursor,
        then="ask for the first page again",
    )
