"""All logs of a folder, or of a pattern of paths, followed as one source: new ones are found, old ones are let go.

Each log is followed by a `FileFollower` of its own, over rotation and compression; the records of all are numbered in
one row. What has a name that is only the rotated form of another's (`access.log.1`, `access-20261127.log.gz`) belongs
to that one. A packed log is read whole where it was written after the source was first read and its plain form was
never seen: whole days may be packed while nobody looks. So is a rotated one whose log was never seen. Names that begin
with a dot are passed over, and a file under two names (a link to the newest) is one log.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.adapters.source.faults import world_fault
from amagasa.adapters.source.follow import LINGER_S, POLL_BYTES, FileFollower, FollowStep, Piece, Token
from amagasa.adapters.source.stream import MISSING
from amagasa.event.lines import BOM
from amagasa.event.mapping import LogMapping
from amagasa.event.record import Chunk, Format, SourceFault
from amagasa.vocab.text import show

TOO_MANY: Final = "AMG-SOURCE-012"
MAX_LOGS: Final = 500
MAX_NAMES: Final = 20_000  # of a folder, beyond which it is not looked through
LISTED_EVERY_S: Final = 2.0
# A log that was quiet so long is looked at less often.
QUIET_S: Final = 30.0
QUIET_EVERY_S: Final = 2.0
_SHOWN_FAULTS: Final = 3
_PACKED: Final = (".gz", ".zst", ".bz2", ".xz")
_MAGIC: Final = re.compile(r"[*?\[]")
_NUMBERED: Final = re.compile(
    r"\.[0-9]{1,4}\Z|[._-][0-9]{4}-?[0-9]{2}-?[0-9]{2}[0-9A-Za-z_.:+-]{0,24}?\Z|[._-][0-9]{10}\Z"
)
_DATED: Final = re.compile(r"[._-](?:[0-9]{4}-?[0-9]{2}-?[0-9]{2}[0-9A-Za-z_:+-]{0,16}|[0-9]{10})(?=\.[^.]+\Z)")


class _Seen(Struct, frozen=True):
    inode: int
    device: int
    mtime_ns: int


class _State(Struct, frozen=True, kw_only=True):
    """The token, typed. `since_ns`: when the source was first read. A log whose token is empty is not to be read."""

    n_records: int
    since_ns: int
    logs: dict[str, Token] = {}


class _Log:
    """One log and how it stands."""

    def __init__(self, follower: FileFollower, token: Token) -> None:
        self.follower = follower
        self.token = token
        self.n_records = int(token.get("n_records", 0))
        self.lag_bytes = 0
        self.faults: tuple[SourceFault, ...] = ()
        self.news_at: datetime | None = None
        self.polled_at: datetime | None = None
        self.gone_at: datetime | None = None
        self.is_whole = False  # nothing will be added, and its name may soon be another's


def is_many(path: str) -> bool:
    """Whether this names a folder, or a pattern of paths, and not one log."""
    return path.endswith("/") or Path(path).is_dir() or is_pattern(path)


def is_pattern(path: str) -> bool:
    """Whether this is a pattern of paths; a name with such signs that is there is a name."""
    return _MAGIC.search(path) is not None and not Path(path).exists()


def paths_of(path: str) -> list[Path]:
    """What lies in the folder, or fits the pattern, by name; of very many some MAX_NAMES + 1. Raises OSError."""
    if is_pattern(path):
        names = glob.iglob(path, recursive=True)  # noqa: PTH207 - a pattern of whole paths
        return sorted(Path(name) for name in islice(names, MAX_NAMES + 1))
    with os.scandir(path) as entries:
        return sorted(Path(entry.path) for entry in islice(entries, MAX_NAMES + 1))


class FolderFollower:
    """Follows what lies in the folder `path` (not deeper), or what fits the pattern `path` (`*`, `?`, `[a]`, `**`)."""

    def __init__(
        self, path: str, form: Format | None = None, *, mapping: LogMapping | None = None, poll_bytes: int = POLL_BYTES
    ) -> None:
        self._path = path
        self._shown = show(path, 4_096)
        self._form = form
        self._mapping = mapping
        self._poll_bytes = poll_bytes
        self._n_records = 0
        self._since_ns = 0
        self._logs: dict[str, _Log] = {}
        self._tokens: dict[str, Token] = {}
        self._is_resumed = False
        self._before: Token = {}  # of the one log that this source was
        self._listed_at: datetime | None = None
        self._faults: list[SourceFault] = []
        self._first = 0

    @classmethod
    def resume(
        cls,
        path: str,
        token: Token | None,
        form: Format | None = None,
        *,
        mapping: LogMapping | None = None,
        poll_bytes: int = POLL_BYTES,
    ) -> "FolderFollower":
        """Go on behind the committed `token`; see `FileFollower.resume`.

        Of a source that was one log before, the records are numbered on, and that log is gone on with.
        """
        follower = cls(path, form, mapping=mapping, poll_bytes=poll_bytes)
        if token and "logs" in token:
            state = msgspec.convert(token, _State)
            follower._n_records, follower._since_ns = state.n_records, state.since_ns
            follower._tokens = dict(state.logs)
            follower._is_resumed = True
            for name, own in state.logs.items():
                if own:
                    follower._logs[name] = follower._log(name, own)
        elif token:
            follower._n_records = int(token.get("n_records", 0))
            follower._before = token
        return follower

    def poll(self, now: datetime) -> FollowStep:
        """Read what is new, at most about `poll_bytes`. Never raises for what the world does to the files."""
        if self._listed_at is None or abs((now - self._listed_at).total_seconds()) >= LISTED_EVERY_S:
            self._listed_at = now
            self._list(now)
        pieces: list[Piece] = []
        notes: list[str] = []
        n_left = self._poll_bytes
        names = list(self._logs)
        for name in (*names[self._first :], *names[: self._first]):
            if self._is_quiet(self._logs[name], now):
                continue
            n_left -= self._read(name, now, pieces, notes)
            if n_left <= 0:
                self._first = (names.index(name) + 1) % len(names)  # the next one is first next time
                break
        return FollowStep(
            pieces=tuple(pieces),
            faults=tuple(self._said()),
            notes=tuple(notes),
            lag_bytes=sum(log.lag_bytes for log in self._logs.values()),
            has_more=n_left <= 0,
        )

    def token(self) -> Token:
        """The position now."""
        found: Token = msgspec.to_builtins(
            _State(n_records=self._n_records, since_ns=self._since_ns, logs=dict(self._tokens))
        )
        return found

    def close(self) -> None:
        """Close the files; the follower may be polled again and finds its places."""
        for log in self._logs.values():
            log.follower.close()

    def _log(self, name: str, token: Token) -> _Log:
        make = FileFollower.resume
        follower = make(name, token or None, self._form, mapping=self._mapping, poll_bytes=self._poll_bytes)
        follower.may_be_packed = name.endswith(_PACKED)
        return _Log(follower, token)

    def _read(self, name: str, now: datetime, pieces: list[Piece], notes: list[str]) -> int:
        log = self._logs[name]
        step = log.follower.poll(now)
        n_bytes = 0
        for piece in step.pieces:
            shift = self._n_records - log.n_records
            log.n_records = int(piece.token["n_records"])
            self._n_records = log.n_records + shift
            self._tokens[name] = piece.token
            n_bytes += len(piece.item.data) if isinstance(piece.item, Chunk) else 1
            pieces.append(Piece(item=_shifted(piece.item, shift), token=self.token()))
        log.polled_at = now
        if step.pieces or log.news_at is None:
            log.news_at = now
        log.lag_bytes = step.lag_bytes
        log.faults = tuple(fault for fault in step.faults if fault.code != MISSING)
        notes += [f"{Path(name).name}: {note}" for note in step.notes]
        if step.pieces or not self._tokens.get(name):
            self._tokens[name] = log.follower.token()
        if log.is_whole and not (step.lag_bytes or step.has_more or step.faults):
            log.follower.close()
            del self._logs[name]
            self._tokens[name] = {}
        return n_bytes

    def _is_quiet(self, log: _Log, now: datetime) -> bool:
        if log.news_at is None or log.polled_at is None or log.lag_bytes or log.faults:
            return False
        return (
            0 <= (now - log.news_at).total_seconds() > QUIET_S
            and 0 <= (now - log.polled_at).total_seconds() < QUIET_EVERY_S
        )

    def _said(self) -> Iterator[SourceFault]:
        yield from self._faults
        faults = [fault for log in self._logs.values() for fault in log.faults]
        for fault in faults[:_SHOWN_FAULTS]:
            yield SourceFault(path=fault.path, why=f"{fault.path}: {fault.why}", code=fault.code)
        if len(faults) > _SHOWN_FAULTS:
            rest = len(faults) - _SHOWN_FAULTS
            yield SourceFault(path=self._shown, why=f"and {rest} other logs in it", code=faults[_SHOWN_FAULTS].code)

    def _looked(self) -> dict[str, _Seen] | None:
        """The logs that are there; None, with a fault, where that cannot be known."""
        try:
            paths = paths_of(self._path)
        except OSError as error:
            self._faults.append(world_fault(self._path, error))
            return None
        if len(paths) > MAX_NAMES:
            # Which of them were listed is chance: none is new by that, and none is gone.
            why = f"it holds more than {MAX_NAMES} names; new logs are not looked for; name fewer by a pattern"
            self._faults.append(SourceFault(path=self._shown, why=why, code=TOO_MANY))
            return None
        if not (found := _found(paths)):
            why = "there is no log in it now; it is waited for"
            self._faults.append(SourceFault(path=self._shown, why=why, code=MISSING))
        return found

    def _list(self, now: datetime) -> None:
        """Find new logs, and let go what is gone."""
        self._faults = []
        found = self._looked()
        if found is None:
            return
        if not self._since_ns:
            self._since_ns = int(now.timestamp() * 1e9)
        if self._is_resumed:
            self._is_resumed = False
            self._find_whole(found)
        self._let_go(found, now)
        before = frozenset(self._tokens)
        known = {(seen.device, seen.inode) for name, seen in found.items() if name in self._tokens}
        known |= {key for log in self._logs.values() for key in log.follower.open_keys()}
        for name, seen in found.items():
            key = (seen.device, seen.inode)
            base = _base_of(name, found, before)
            is_read_by_base = base in before or seen.mtime_ns <= self._since_ns
            if name in self._tokens or (base is not None and is_read_by_base):
                continue
            if len(self._logs) >= MAX_LOGS:
                why = f"it has more than {MAX_LOGS} logs; the others are not read; name fewer by a pattern"
                self._faults.append(SourceFault(path=self._shown, why=why, code=TOO_MANY))
                break
            if key in known:
                self._tokens[name] = {}  # another name of a log that is followed
                continue
            known.add(key)
            if not self._is_to_read(name, seen):
                self._tokens[name] = {}
                continue
            is_before = any(place["inode"] == seen.inode for place in self._before.get("files", ()))
            self._logs[name] = self._log(name, self._before if is_before else {})
            self._logs[name].is_whole = base is not None or name.endswith(_PACKED)

    def _is_to_read(self, name: str, seen: _Seen) -> bool:
        if not name.endswith(_PACKED):
            return True
        return seen.mtime_ns > self._since_ns and Path(name).with_suffix("").as_posix() not in self._tokens

    def _let_go(self, found: dict[str, _Seen], now: datetime) -> None:
        """Logs whose name is gone, once nothing can come from them any more."""
        for name in [one for one in self._tokens if one not in found]:
            log = self._logs.get(name)
            if log is None:
                del self._tokens[name]
                continue
            log.gone_at = log.gone_at or now
            if not log.lag_bytes and abs((now - log.gone_at).total_seconds()) >= LINGER_S:
                self._hand_over(name, found)
                log.follower.close()
                # Its rotated forms were read as its own; without it they would look like logs of their own.
                self._tokens |= {one: {} for one in found if one not in self._tokens and _base_of(one, {name})}
                del self._logs[name], self._tokens[name]
        for name in found:
            if name in self._logs:
                self._logs[name].gone_at = None

    def _find_whole(self, found: dict[str, _Seen]) -> None:
        """After a restart: rotated logs that were being read whole, under whatever name each has now."""
        for name in list(self._logs):
            if not name.endswith(_PACKED) and _base_of(name, self._tokens) is None:
                continue
            token = self._tokens[name]
            inodes = {place["inode"] for place in token.get("files", ())}
            self._logs.pop(name).follower.close()
            self._tokens[name] = {}
            for one, seen in found.items():
                if seen.inode in inodes and one not in self._logs:
                    self._logs[one] = self._log(one, token)
                    self._logs[one].is_whole = True
                    self._tokens[one] = token
                    break

    def _hand_over(self, name: str, found: dict[str, _Seen]) -> None:
        """To the name that its file has now, where that is no rotated form: whoever writes to it may go on."""
        keys = set(self._logs[name].follower.open_keys())
        for one, seen in found.items():
            is_its = (seen.device, seen.inode) in keys and self._tokens.get(one) == {}
            if is_its and _base_of(one, found, self._tokens) is None:
                self._logs[one] = self._log(one, self._tokens[name])
                self._tokens[one] = self._tokens[name]
                return


def _found(paths: Iterable[Path]) -> dict[str, _Seen]:
    """Regular files by their paths, in the order given."""
    found: dict[str, _Seen] = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # gone meanwhile, or a link to nothing
        if path.is_file() and not path.name.startswith("."):
            found[path.as_posix()] = _Seen(status.st_ino, status.st_dev, status.st_mtime_ns)
    return found


def _base_of(name: str, *known: Any) -> str | None:
    """The log of which this is a rotated form by its name, where that is there or was; None where it is none."""
    path = Path(name)
    plain = path.with_suffix("") if name.endswith(_PACKED) else path
    candidates = []
    if (numbered := _NUMBERED.search(plain.name)) is not None:
        candidates.append(plain.name[: numbered.start()])
    if (dated := _DATED.search(plain.name)) is not None:
        candidates.append(plain.name[: dated.start()] + plain.name[dated.end() :])
    for one in candidates:
        base = path.with_name(one).as_posix() if one else ""
        if base and any(base in names for names in known):
            return base
    return None


def _shifted(item: Any, shift: int) -> Any:
    if isinstance(item, Chunk):
        if item.first_record == 1:
            item = msgspec.structs.replace(item, data=item.data.removeprefix(BOM))
        numbers = None if item.numbers is None else tuple(number + shift for number in item.numbers)
        return msgspec.structs.replace(item, first_record=item.first_record + shift, numbers=numbers)
    return msgspec.structs.replace(item, record=item.record + shift)
