"""A growing log, followed over rotation, truncation and restarts: every whole line once, in order.

The follower holds no thread and never waits: `poll` reads a bounded amount and tells the position behind each chunk.
Whoever commits chunk and position together can be killed at any instant and reads again exactly what was not
committed. Records are numbered from the first that the source ever gave, on over rotations, so a number never comes
twice.

What happens to the file, and what is done:
- renamed, and a new one made (logrotate `create`): the old one is read to its end and kept open for `LINGER_S`,
  because its writer may still hold it; the new one is read beside it;
- copied and cut (logrotate `copytruncate`): the rest is read from the copy, found by content;
- rotated, even packed, once or more often while nobody looked: found by inode, else by content, and read in order;
- gone: waited for; forbidden: said at each poll and tried again.
A log of rows under a header (W3C, Zeek's tables) gives objects; its header is kept with the position.
A line without its end is left until the end comes; at the end of a rotated file it counts as a line.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.adapters.source.faults import world_fault
from amagasa.adapters.source.followed_log import FollowedLog, Taken
from amagasa.adapters.source.followed_table import FollowedTable
from amagasa.adapters.source.log_bytes import Place, open_log
from amagasa.adapters.source.rotated import find, neighbour_of, neighbours
from amagasa.adapters.source.stream import MISSING, UNKNOWN, BrokenSourceError
from amagasa.adapters.source.table_file import is_table
from amagasa.event.lines import too_long
from amagasa.event.mapped import format_of
from amagasa.event.mapping import LogMapping
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.event.sniff import sniff
from amagasa.vocab.text import show

LOST: Final = "AMG-SOURCE-011"
# A web server that was told to reopen its logs finishes its requests first.
LINGER_S: Final = 60.0
# Back-pressure: a poll never brings more, so the caller decides how far it runs ahead of what is committed.
POLL_BYTES: Final = 8_388_608
_SNIFFED_BYTES: Final = 65_536
_ENOUGH_TO_TELL_BYTES: Final = 16_384

Token = dict[str, Any]


class Piece(Struct, frozen=True, kw_only=True):
    """One chunk (or one line too long to read), and the position to commit with it."""

    item: Chunk | Reject
    token: Token


class FollowStep(Struct, frozen=True, kw_only=True):
    """What one poll brought.

    `faults` are what could not be looked at now, said again at each poll while it lasts (a loss is said once); `notes`
    tell what happened to the file. `lag_bytes` is what
    lies in the files and was not read yet; `has_more` says that the next poll brings more at once.
    """

    pieces: tuple[Piece, ...] = ()
    faults: tuple[SourceFault, ...] = ()
    notes: tuple[str, ...] = ()
    lag_bytes: int = 0
    has_more: bool = False


class _State(Struct, frozen=True, kw_only=True):
    """The token, typed."""

    n_records: int
    form: Format | None
    files: tuple[Place, ...]
    is_table: bool = False


class FileFollower:
    """Follows the log at `path`. `form` None: told by the first lines, and kept in the token; or `mapping` says it."""

    def __init__(
        self, path: str, form: Format | None = None, *, mapping: LogMapping | None = None, poll_bytes: int = POLL_BYTES
    ) -> None:
        self._path = path
        self._mapping = mapping
        self._shown = show(path, 4_096)
        self._form = form
        self._poll_bytes = poll_bytes
        self._n_records = 0
        self._logs: list[FollowedLog] = []
        self._to_find: tuple[Place, ...] = ()
        self._notes: list[str] = []
        self._faults: list[SourceFault] = []
        self._is_table = False
        self._tables: dict[FollowedLog, FollowedTable] = {}
        self._header = ""  # of the file that was read last, should it be gone
        self.may_be_packed = False  # it is whole then, and read once

    @classmethod
    def resume(
        cls,
        path: str,
        token: Token | None,
        form: Format | None = None,
        *,
        mapping: LogMapping | None = None,
        poll_bytes: int = POLL_BYTES,
    ) -> "FileFollower":
        """Go on behind the committed `token` (None: from the start). Raises msgspec.ValidationError for a foreign.

        Of a source that came by a spool, or of all of its folder before, the records are numbered on.
        """
        if mapping is not None:
            form = format_of(mapping)
        follower = cls(path, form, mapping=mapping, poll_bytes=poll_bytes)
        if token and "logs" in token:  # of its folder
            token = {**token["logs"].get(path, {}), "n_records": token["n_records"]}
        if token and "files" not in token:
            follower._n_records = int(token["n_records"])
        elif token:
            state = msgspec.convert(token, _State)
            follower._n_records = state.n_records
            follower._form = form or state.form
            follower._is_table = state.is_table and form is None
            follower._to_find = state.files
            follower._header = next((place.header for place in reversed(state.files) if place.header), "")
        return follower

    def poll(self, now: datetime) -> FollowStep:
        """Read what is new, at most about `poll_bytes`. Never raises for what the world does to the files."""
        self._notes, self._faults = [], []
        pieces: list[Piece] = []
        try:
            self._look(now)
        except OSError as error:
            self._faults.append(world_fault(self._path, error))
        n_left = self._poll_bytes
        for log in tuple(self._logs):
            n_left -= self._read(log, now, n_left, pieces)
            if n_left <= 0:
                break
        return FollowStep(
            pieces=tuple(pieces),
            faults=tuple(self._faults),
            notes=tuple(self._notes),
            lag_bytes=sum(log.n_unread() for log in self._logs),
            has_more=n_left <= 0,
        )

    def token(self) -> Token:
        """The position now: the one to commit once all pieces so far are committed."""
        state = _State(
            n_records=self._n_records,
            form=self._form,
            files=tuple(log.place() for log in self._logs) or self._to_find,
            is_table=self._is_table,
        )
        found: Token = msgspec.to_builtins(state)
        return found

    def open_keys(self) -> Iterator[tuple[int, int]]:
        """Device and inode of each file that is open."""
        return (log.key for log in self._logs)

    def close(self) -> None:
        """Close the files; the follower may be polled again and finds its place."""
        self._to_find = tuple(log.place() for log in self._logs) or self._to_find
        for log in self._logs:
            log.close()
        self._logs, self._tables = [], {}

    def _look(self, now: datetime) -> None:
        """See what became of the files: find them again, notice rotation and truncation, open what is new."""
        if self._to_find:
            self._find_again(now)
        self._drop_ended(now)
        current = self._logs[-1] if self._logs and not self._logs[-1].is_rotated else None
        try:
            status = Path(self._path).stat()
            if current is not None and current.key == (status.st_dev, status.st_ino):
                if current.is_cut():
                    self._begin_again(current, now, current.key)
                return
            opened = open_log(self._path)
        except FileNotFoundError:
            why = "there is no such file now; it is waited for"
            self._faults.append(SourceFault(path=self._shown, why=why, code=MISSING))
            return
        if opened.is_packed and not self.may_be_packed:
            opened.close()
            why = (
                "a packed file, or one in UTF-16, cannot be followed; expected a growing log in UTF-8 (or, with a "
                "mapping, its encoding); name the log itself"
            )
            self._faults.append(SourceFault(path=self._shown, why=why, code=UNKNOWN))
            return
        log = FollowedLog(opened)
        if current is not None:
            current.rotate(now)
            if current.is_cut():
                self._begin_again(current, now, log.key)
            else:
                self._logs.extend(self._missed(*self._where(current), log.key, now))
        self._logs.append(log)

    def _find_again(self, now: datetime) -> None:
        """After a restart: open each file of the token wherever it is now, and those rotated since."""
        candidates = neighbours(self._path, {place.inode for place in self._to_find})
        current = neighbour_of(self._path)
        last: tuple[tuple[int, int], int] = ((0, 0), 0)
        for place in self._to_find:
            found = find(place, [*candidates, *([current] if current else [])])
            if found is None:
                self._say_lost(place, is_last=place is self._to_find[-1])
                last = ((0, 0), max(last[1], place.mtime_ns - (place.n_head == 0)))
                continue
            one, opened = found
            log = FollowedLog(opened, place)
            self._logs.append(log)
            if current is None or one.key != current.key:
                log.rotate(now, is_ended=one.key != (place.device, place.inode))
                last = (one.key, one.mtime_ns)
        self._to_find = ()
        if not self._logs or self._logs[-1].is_rotated:
            self._logs.extend(self._missed(*last, current.key if current else (0, 0), now))

    def _begin_again(self, cut: FollowedLog, now: datetime, current: tuple[int, int]) -> None:
        """A file was cut: read the rest from the copy that was made of it before, then the file from its start.

        `current` is the key of the file that has the name now, which may be another already.
        """
        place = cut.place()
        self._logs.remove(cut)
        self._tables.pop(cut, None)
        again = cut.again()
        here, mtime_ns = self._where(again)
        found = find(place, neighbours(self._path))
        if found is None:
            self._notes.append("the file was cut; it is read from its start")
            self._logs.extend([again, *self._missed(here, mtime_ns, current, now)])
            return
        one, opened = found
        copy = FollowedLog(opened, place)
        copy.rotate(now, is_ended=True)
        self._logs.append(copy)
        self._notes.append("the file was cut; the rest is read from its copy")
        missed = list(self._missed(one.key, one.mtime_ns, current, now))
        at = next((index for index, log in enumerate(missed) if log.key == here), None)
        if at is None:
            missed.append(again)
        else:
            missed[at].close()
            missed[at] = again
        self._logs.extend(missed)

    def _where(self, log: FollowedLog) -> tuple[tuple[int, int], int]:
        """Key and time of the file under which the content of `log` lies now: it may have been packed meanwhile."""
        found = find(log.whole(), neighbours(self._path))
        if found is None:
            return log.key, log.mtime_ns()
        one, opened = found
        opened.close()
        return one.key, one.mtime_ns

    def _missed(
        self, last: tuple[int, int], newest_ns: int, current: tuple[int, int], now: datetime
    ) -> Iterator[FollowedLog]:
        """Rotated files which nobody read: those after `last`, or where it is not among them, newer than it was."""
        candidates = neighbours(self._path)
        keys = [one.key for one in candidates]
        after = candidates[keys.index(last) + 1 :] if last in keys else candidates
        known = {log.key for log in self._logs} | {current}
        for one in after:
            if one.key in known or (last not in keys and one.mtime_ns <= newest_ns):
                continue
            try:
                log = FollowedLog(open_log(one.path))
            except OSError as error:
                self._faults.append(world_fault(one.path, error))
                continue
            log.rotate(now, is_ended=one.is_packed)
            yield log

    def _drop_ended(self, now: datetime) -> None:
        for log in tuple(self._logs):
            if log.is_over(now, LINGER_S):
                log.close()
                self._logs.remove(log)
                self._tables.pop(log, None)

    def _say_lost(self, place: Place, *, is_last: bool) -> None:
        if place.size > place.offset:
            why = (
                f"what was read up to byte {place.offset} is gone and no rotated file continues it; at least "
                f"{place.size - place.offset} bytes were not read; going on with what is there"
            )
            self._faults.append(SourceFault(path=self._shown, why=why, code=LOST))
        elif is_last:
            self._notes.append("the file read so far is gone; what was written to it since cannot be read")

    def _read(self, log: FollowedLog, now: datetime, n_left: int, pieces: list[Piece]) -> int:
        n_read = 0
        try:
            if self._form is None and not self._tell(log):
                return 0
            while n_read < n_left and (taken := log.take(now, LINGER_S)) is not None:
                n_read += taken.n_bytes
                if (item := self._item(taken, log, now)) is not None:
                    pieces.append(Piece(item=item, token=self.token()))
        except BrokenSourceError as error:
            log.give_up()
            self._faults.append(error.fault(self._shown))
        except OSError as error:
            self._faults.append(world_fault(self._path, error))
        return n_read

    def _tell(self, log: FollowedLog) -> bool:
        """Find the format by the first whole lines; say so where there is enough to tell and it cannot be told."""
        head = log.peek(_SNIFFED_BYTES)
        whole = head[: head.rfind(b"\n") + 1]
        self._is_table = is_table(whole)
        self._form = Format.JSON if self._is_table else sniff(whole, self._path) if whole else None
        if self._form is None and len(whole) >= _ENOUGH_TO_TELL_BYTES:
            why = (
                "it could not be told what kind of records these are; nothing was read; got text that begins with "
                f"{show(whole[:64], 80)}; name the format of the source"
            )
            self._faults.append(SourceFault(path=self._shown, why=why, code=UNKNOWN))
        return self._form is not None

    def _objects(self, data: bytes, log: FollowedLog) -> bytes:
        """Rows as objects; a file that has no header of its own goes on under that of the file before it."""
        if log not in self._tables:
            before = next((one.header for one in reversed(self._logs) if one is not log and one.header), self._header)
            self._tables[log] = FollowedTable(log.header or before)
        made = self._tables[log].objects(data)
        log.header = self._tables[log].header
        return made

    def _item(self, taken: Taken, log: FollowedLog, now: datetime) -> Chunk | Reject | None:
        first = self._n_records + 1
        if taken.reject_bytes:
            self._n_records += 1
            return too_long(self._shown, first, taken.reject_bytes)
        if not taken.data or self._form is None:
            return None
        self._n_records += taken.data.count(b"\n") + (not taken.data.endswith(b"\n"))
        return Chunk(
            path=self._shown,
            format=self._form,
            first_record=first,
            data=self._objects(taken.data, log) if self._is_table else taken.data,
            read_at=now,
            mapping=self._mapping,
        )
