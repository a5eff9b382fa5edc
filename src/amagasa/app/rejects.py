"""Records that could not be read: looking at them as they came, and having them read again."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Position, Reading, Store
from amagasa.app.reject_ports import REJECTS, Mark, Rejected, RejectFiles, RejectHead, reject_head_in
from amagasa.app.signals import Signals
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

PAGE_BYTES: Final = 1_048_576
SHOWN_RAW: Final = 4_096
FEED_AGAIN: Final = "feed-again"  # the topic: the process that reads the source takes it up


class RejectedView(Struct, frozen=True, kw_only=True):
    """A record that could not be read: `raw` is its text as it came, escaped and cut."""

    path: str
    record: int
    why: str
    code: str
    at: datetime
    raw: str
    n_bytes: int


class RejectsView(Struct, frozen=True, kw_only=True):
    """What is kept of a source's rejects, oldest first, as of a committed position.

    `n_rejected` counts all that could not be read so far, kept or not. `next` is the cursor of the next page. With
    `is_feeding` they are being read again.
    """

    source: str
    n_rejected: int
    n_kept: int
    n_mended: int
    n_let_go: int
    n_unkept: int
    n_damaged: int
    is_feeding: bool
    rejects: list[RejectedView]
    next: str | None = None


class Rejects:
    """The use cases."""

    def __init__(self, store: Store, files: RejectFiles, signals: Signals) -> None:
        self._store, self._files, self._signals = store, files, signals

    def show(self, actor: Actor, source: str, *, after: str | None = None, limit: int = 100) -> RejectsView:
        """A page of them. Raises BadInputError (AMG-SOURCE-UNREAD, AMG-CURSOR) and WorldError (AMG-REJECTS-READ)."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            position = _position_of(reading, source)
        head = reject_head_in(position.token)
        rows: list[RejectedView] = []
        mark = head.start if after is None else max(_mark_of(after), head.start)
        while mark < head.end and len(rows) < limit:
            found = self._files.read(source, mark, head.end, max_bytes=PAGE_BYTES, limit=limit - len(rows))
            rows += map(_view, found.rejected)
            mark = found.behind
        return _view_of(position, head, rows, mark if mark < head.end else None)

    def feed_again(self, actor: Actor, source: str) -> RejectsView:
        """Have all that is kept read again, once; what cannot be read this time either is kept anew.

        The wish is committed: where the node does not run, or ends before it is done, it is done at its next start.
        """
        require(actor, Act.ADMINISTER)
        with self._store.write() as tx:
            position = _position_of(tx, source)
            head = reject_head_in(position.token)
            if head.start < head.end:
                head = replace(head, until=head.end)
                tx.save_position(replace(position, token=position.token | {REJECTS: msgspec.to_builtins(head)}))
        if head.until is not None:
            self._signals.publish(FEED_AGAIN, {"source": source})
        return _view_of(position, head, [], None)


def _position_of(reading: Reading, source: str) -> Position:
    known = {position.source: position for position in reading.positions()}
    if source not in known:
        raise BadInputError(
            "AMG-SOURCE-UNREAD",
            "nothing was ever read of a source of this name",
            expected="one of " + ", ".join(show(name, 40) for name in sorted(known)[:20]) if known else "a source",
            got=show(source),
            then="nothing changed; `amagasa source list` names them",
        )
    return known[source]


def _mark_of(cursor: str) -> Mark:
    part, _, offset = cursor.partition(":")
    if not (part.isdecimal() and offset.isdecimal() and len(cursor) <= 30 and cursor.isascii()):
        raise BadInputError(
            "AMG-CURSOR",
            "this is no cursor",
            expected="the `next` of the page before",
            got=show(cursor),
            then="nothing was looked up",
        )
    return Mark(part=int(part), offset=int(offset))


def _view(one: Rejected) -> RejectedView:
    return RejectedView(
        path=show(one.path, 300),
        record=one.record,
        why=show(one.why, 600),
        code=show(one.code),
        at=one.read_at,
        raw=show(one.raw, SHOWN_RAW),
        n_bytes=len(one.raw),
    )


def _view_of(position: Position, head: RejectHead, rows: list[RejectedView], following: Mark | None) -> RejectsView:
    return RejectsView(
        source=show(position.source),
        n_rejected=position.n_rejected,
        n_kept=head.n_kept,
        n_mended=head.n_mended,
        n_let_go=head.n_let_go,
        n_unkept=head.n_unkept,
        n_damaged=head.n_damaged,
        is_feeding=head.until is not None,
        rejects=rows,
        next=None if following is None else f"{following.part}:{following.offset}",
    )
