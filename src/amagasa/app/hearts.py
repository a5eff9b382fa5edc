"""Heartbeats with each ally: ours go out with each call, theirs come with each answer, and silence is an alarm here.

Either side's call exchanges both, so one way that is open suffices. When neither hears the other for longer than the
agreement's clock, each raises the alarm by itself; the first beat that comes ends it.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.agreements import Signer
from amagasa.app.alarms import Alarm, end_alarm, raise_alarm
from amagasa.app.ports import AgreementBook, Bond, Reading, Store
from amagasa.app.sharing import in_force
from amagasa.app.signals import Signals
from amagasa.share.heartbeat import Beat, BeatFault, SignedBeat, beat_bytes, fault_of
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

EVERY_S: Final = 30.0
# Where the agreement names no clock. One that is carried by courier alone wants its own.
USUAL_SILENCE_S: Final = 3_600
MESSAGE_BYTES: Final = 4_096
CODE: Final = "AMG-ALLY-SILENT"
_TITLE: Final = "An ally is silent"


class Heart(Struct, frozen=True, kw_only=True):
    """What is known of an ally's heartbeat. `heard_at` is when its last beat came, `told_at` when it took one of ours.

    `silent_at` is when the alarm was raised, None while there is none; `incident` is where it stands. `fault` is why
    the last that came did not count, "" where it did.
    """

    beat: SignedBeat | None = None
    heard_at: datetime | None = None
    told_at: datetime | None = None
    silent_at: datetime | None = None
    incident: str = ""
    fault: str = ""


class HeartDesk:
    """What the heartbeat needs of the node; every method but the constructor blocks on the store. Thread-safe.

    `sources` names those of ours that are to be read; what was read of them stands in the store. Silence counts from
    `began_at` at the earliest: a node that did not run was silent itself.
    """

    def __init__(  # noqa: PLR0913 - what it tells, to whom, and since when: one sentence
        self,
        store: Store,
        signals: Signals,
        *,
        book: AgreementBook,
        signer: Signer,
        party: str,
        sources: Callable[[], Sequence[str]],
        began_at: datetime,
    ) -> None:
        self._store = store
        self._signals = signals
        self._book = book
        self._signer = signer
        self._party = party
        self._sources = sources
        self._began_at = began_at

    def beat(self, bond: Bond, *, now: datetime) -> bytes:
        """Ours of this instant, as JSON of `SignedBeat`."""
        return msgspec.json.encode(self.signed(bond, now=now))

    def signed(self, bond: Bond, *, now: datetime) -> SignedBeat:
        """Ours of this instant."""
        wanted = frozenset(self._sources())
        with self._store.read() as reading:
            known = [one for one in reading.positions() if one.source in wanted]
        ages = [
            max(0, int((now - one.last_record_at).total_seconds())) for one in known if one.last_record_at is not None
        ]
        beat = Beat(
            agreement=bond.agreement.id,
            at_ms=_ms(now),
            freshest_s=min(ages, default=None),
            n_sources=len(wanted),
            n_watching=sum(1 for one in known if not one.fault),
            party=self._party,
            stalest_s=max(ages, default=None),
        )
        value = self._signer.sign(beat_bytes(beat))
        return SignedBeat(beat=beat, signature=base64.urlsafe_b64encode(value).decode().rstrip("="))

    def answer(self, bond: Bond, body: bytes, *, now: datetime) -> bytes:
        """Take the ally's beat, and give ours. Raises BadInputError (AMG-BEAT-FORM) where it sent none."""
        self.hear(bond, body, now=now)
        return self.beat(bond, now=now)

    def hear(self, bond: Bond, body: bytes, *, now: datetime) -> None:
        """What the ally sent over the line, or answered: it has ours now. Raises BadInputError (AMG-BEAT-FORM)."""
        try:
            signed = msgspec.json.decode(body, type=SignedBeat) if len(body) <= MESSAGE_BYTES else None
            why = f"{len(body)} bytes"
        except (ValueError, RecursionError) as error:
            signed, why = None, str(error)
        if signed is None:
            raise BadInputError("AMG-BEAT-FORM", "this is no heartbeat", expected="docs/link.md", got=show(why))
        self.take(bond, signed, came_at=now, told_at=now, now=now)

    def carried(self, bond: Bond, signed: SignedBeat, *, now: datetime) -> None:
        """What a courier brought: it tells of when it was written."""
        self.take(bond, signed, came_at=min(now, _instant(signed.beat.at_ms)), told_at=None, now=now)

    def take(
        self, bond: Bond, signed: SignedBeat, *, came_at: datetime, told_at: datetime | None, now: datetime
    ) -> BeatFault | None:
        """Keep a beat that is true and later than the last; the silence ends with it."""
        with self._store.write() as tx:
            heart = heart_of(tx, bond.ally.id)
            last_ms = heart.beat.beat.at_ms if heart.beat is not None else 0
            fault = fault_of(
                signed,
                agreement=bond.agreement.id,
                party=bond.ally.id,
                key=bond.ally.key,
                last_ms=last_ms,
                now_ms=_ms(now),
            )
            heart = replace(heart, told_at=told_at or heart.told_at)
            if fault is None:
                heart = replace(heart, beat=signed, heard_at=max(came_at, heart.heard_at or came_at), fault="")
            else:
                heart = replace(heart, fault=fault.value)
            tx.save_meta(_key(bond.ally.id), msgspec.json.encode(heart).decode())
        return fault

    def look(self, *, now: datetime) -> None:
        """Raise the alarm for each ally that is silent for too long, and end it for each that is heard again.

        Raises WorldError.
        """
        for bond in in_force(self._book, now):
            with self._store.read() as reading:
                heart = heart_of(reading, bond.ally.id)
            is_silent = self.silent_s(bond, heart, now=now) > silence_of(bond)
            if is_silent and heart.silent_at is None:
                self._alarm(bond, heart, now=now)
            elif not is_silent and heart.silent_at is not None:
                self._end(bond, heart, now=now)

    def silent_s(self, bond: Bond, heart: Heart, *, now: datetime) -> float:
        """For how long nothing was heard of it, in seconds."""
        since = max(filter(None, (heart.heard_at, self._began_at, bond.agreement.valid_from_at)))
        if heart.silent_at is not None and heart.heard_at is not None and heart.heard_at < heart.silent_at:
            since = heart.heard_at  # a restart of ours does not end it
        return (now - since).total_seconds()

    def _alarm(self, bond: Bond, heart: Heart, *, now: datetime) -> None:
        last = f"last heard {heart.heard_at:%Y-%m-%d %H:%M:%S}Z" if heart.heard_at is not None else "never heard so far"
        why = (
            f"no heartbeat for longer than the {silence_of(bond)} s of the agreement; {last}; what happens there, "
            "and whether what is sent arrives, is not known"
        )
        alarm = Alarm(code=CODE, title=_TITLE, ally=bond.ally.name, why=why, occasion=f"{now:%Y-%m-%d %H:%M:%S}Z")
        incidents = raise_alarm(self._store, self._signals, alarm, now=now)
        self._keep(bond, silent_at=now, incident=incidents[0] if incidents else "")

    def _end(self, bond: Bond, heart: Heart, *, now: datetime) -> None:
        end_alarm(
            self._store, self._signals, CODE, heart.incident, why=f"{show(bond.ally.name)} is heard again", now=now
        )
        self._keep(bond, silent_at=None, incident="")

    def _keep(self, bond: Bond, *, silent_at: datetime | None, incident: str) -> None:
        with self._store.write() as tx:
            heart = replace(heart_of(tx, bond.ally.id), silent_at=silent_at, incident=incident)
            tx.save_meta(_key(bond.ally.id), msgspec.json.encode(heart).decode())
        self._signals.publish("outbox", {"ally": bond.ally.id})


def silence_of(bond: Bond) -> int:
    """How long this ally may be silent, in seconds."""
    return bond.agreement.clocks.silence_s or USUAL_SILENCE_S


def heart_of(reading: Reading, ally: str) -> Heart:
    """What is kept of this ally's heartbeat."""
    told = reading.meta(_key(ally))
    return msgspec.json.decode(told, type=Heart) if told is not None else Heart()


def _key(ally: str) -> str:
    return f"heart:{ally}"


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)


def _instant(at_ms: int) -> datetime:
    """The year 9999 at the latest, whatever a stranger says."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(at_ms, 253_402_300_799_000))
