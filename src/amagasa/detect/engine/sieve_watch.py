"""Single values that a sieve watches for, beside the rules: who is asked about them, and what is known since.

A value that somebody looks for is hot: records that have it are named. Where nothing would be said of it on the day of
the record, it is silent: a record that has nothing else is counted and falls through. A client that a block list named
years ago may well write most of a web server's log.
"""

from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from amagasa.detect.engine.sieve_library import BitsOfTable, Scan
from amagasa.detect.engine.sieve_program import Known
from amagasa.detect.report import Silence
from amagasa.detect.watching import Day, Listed, Telling, Watcher
from amagasa.event.access_places import access_value
from amagasa.event.jsonline import object_of
from amagasa.event.lines import text_of
from amagasa.event.places import Layout
from amagasa.event.record import Route, Value
from amagasa.event.stamps import from_clf

MAX_FRESH: Final = 512  # of one record
MAX_SILENCES: Final = 64  # ways in which values are silent: how many indicators, for which reasons
_WORDS_OF_FRESH: Final = 6
_HAS_ESCAPE: Final = 256
_IS_DAY: Final = 512
_INTEGER: Final = 3
_NO_STAMP: Final = 0xFFFFFFFF
_STAMP_BYTES: Final = 26
_EVER: Final = datetime.max.replace(tzinfo=UTC)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
# Watched of a route where every event must be looked at: a column that nothing is known of.
_EVERYTHING: Final = {False: {"Channel": Telling()}, True: {"_raw": Telling()}}


class Watching:
    """What one sieve watches for. `numbers` are those of the watched columns by route and field."""

    def __init__(self, native: Any, handle: int) -> None:
        self._native = native
        self._handle = handle
        self.watcher: Watcher | None = None
        self._round = 0
        self._fields: dict[int, tuple[str, ...]] = {}
        self._told: dict[int, Mapping[str, Telling]] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._fresh = array("I", bytes(_WORDS_OF_FRESH * 4 * MAX_FRESH))
        self._silences: dict[tuple[tuple[Silence, int], ...], int] = {}
        self._n_silent = array("I", bytes(4 * MAX_SILENCES))
        self._listed: Listed | None = None
        self._now, self._since, self._until = _NEVER, _NEVER, _EVER

    def look_for(self, watcher: Watcher | None, now: datetime) -> None:
        """Watch for single values from now on, or no longer."""
        if watcher is not self.watcher:
            self.watcher = watcher
            self._round += 1
            self._native.sieve_watch_anew(self._handle, self._round if watcher is not None else 0)
            self._list(watcher.listed() if watcher is not None else None)
            self._speak()
        elif not self._since <= now < self._until:
            self._speak()
        self._now = now

    def asked_of(self, number: int, route: Route, *, is_access: bool) -> Mapping[str, tuple[int, Telling]] | None:
        """Fields to watch on the route of this number: the number of each, and what a value needs; None where known."""
        fields = self.watcher.watched(route) if self.watcher is not None else {}
        if fields is None:
            fields = _EVERYTHING[is_access]
        if self._told.get(number) == fields:
            return None
        # A value is known for its route alone: the watcher may pass by on one what it names on another.
        for field in fields:
            self._numbers.setdefault((route.name, field), len(self._numbers))
        return {field: (self._numbers[route.name, field], telling) for field, telling in fields.items()}

    def watches(self, number: int, fields: Mapping[str, tuple[int, Telling]]) -> None:
        """The sieve watches them on that route."""
        self._fields[number] = tuple(fields)
        self._told[number] = {field: telling for field, (_, telling) in fields.items()}

    def begin(self, task: Scan) -> None:
        """Lend a scan what it fills."""
        task.fresh, task.max_fresh = self._fresh.buffer_info()[0], MAX_FRESH
        self._n_silent = array("I", bytes(4 * MAX_SILENCES))
        task.n_silent, task.max_silent = self._n_silent.buffer_info()[0], MAX_SILENCES

    def ask(self, data: bytes, count: int, known: Sequence[Known]) -> None:
        """Ask the watcher about new values and days, and tell the sieve what it looks for."""
        if self.watcher is None:
            return
        for at in range(0, count * _WORDS_OF_FRESH, _WORDS_OF_FRESH):
            start, end, number, column, kind, stamp = self._fresh[at : at + _WORDS_OF_FRESH]
            route = known[number].route
            field, written = self._fields[number][column], data[start:end]
            value = _value_of(written, kind)
            if known[number].layout is Layout.ACCESS and isinstance(value, str):
                value = access_value(field, text_of(written))
            column_number = self._numbers[route.name, field]
            if not kind & _IS_DAY:
                if not self.watcher.may_name(route, field, value):
                    continue
                self._native.sieve_heat(self._handle, column_number, kind, written, len(written))
            day = data[stamp : stamp + _STAMP_BYTES] if stamp != _NO_STAMP else b""
            silence = self._silence(route, field, value, day) if day else None
            if silence is not None:
                given = (column_number, kind, written, len(written), day, len(day), silence)
                self._native.sieve_silence(self._handle, *given)

    def silenced(self) -> dict[Silence, int]:
        """Of the last scan what records that fell through count for."""
        found: dict[Silence, int] = {}
        for counts, number in self._silences.items():
            if n := self._n_silent[number]:
                for why, each in counts:
                    found[why] = found.get(why, 0) + n * each
        return found

    def _list(self, listed: Listed | None) -> None:
        self._listed = listed  # the native half reads the bits where they are
        if listed is not None:
            tables = (BitsOfTable * len(listed.tables))(
                *(BitsOfTable(one.bits, len(one.bits), one.seed, one.shift) for one in listed.tables)
            )
            sixteens = listed.sixteens
            self._native.sieve_listed(self._handle, sixteens, len(sixteens), tables, len(tables))

    def _silence(self, route: Route, field: str, value: Value, stamp: bytes) -> int | None:
        """The number of the silence of a value on the day of a stamp; None where something may be said."""
        day = _day_of(stamp)
        if day is None or self.watcher is None:
            return None
        found = self.watcher.silent_on(route, field, value=value, day=day, now=self._now)
        if found is None or (found.counts not in self._silences and len(self._silences) >= MAX_SILENCES):
            return None
        self._since = max(self._since, self._now)
        if found.until is not None:
            self._until = min(self._until, found.until)
        return self._silences.setdefault(found.counts, len(self._silences))

    def _speak(self) -> None:
        """No silence counts any longer."""
        self._native.sieve_speak(self._handle)
        self._since, self._until = _NEVER, _EVER


def _day_of(stamp: bytes) -> Day | None:
    """`22/Dec/2026:10:00:00 +0900`, which was found to be so formed."""
    text = stamp.decode("ascii", "replace")
    first_at, last_at = (from_clf(text[:12] + time + text[20:]) for time in ("00:00:00", "23:59:59"))
    return None if first_at is None or last_at is None else Day(first_at, last_at)


def _value_of(written: bytes, kind: int) -> Value:
    """A watched value as rows hold it."""
    if kind & ~_IS_DAY == _INTEGER:
        return int(written)
    if not kind & _HAS_ESCAPE and written.isascii():
        return written.decode()
    record = object_of(b'{"value":"' + written + b'"}')
    return record["value"] if isinstance(record, dict) else None
