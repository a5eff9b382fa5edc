"""The courier: what waits for an ally goes on a stick where the line is cut, and what came on one is taken in.

A part carries the same objects that a push would; they are judged by the same `receive`, so what comes by both arrives
once. The reader's answer is a part of its own, which tells the sender what became of each object.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.delivery import LONGEST_WAIT_S, batch_of
from amagasa.app.fetching import Fate, Waiting, fates_for, page_items, settle
from amagasa.app.hearts import HeartDesk
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Bond, Crossing, Reading, Store, Writing
from amagasa.app.receiving import PassOn, receive, would_receive
from amagasa.app.recording import record
from amagasa.app.sharing import in_force, may_still_leave
from amagasa.app.signals import Signals
from amagasa.share.courier import (
    MAX_PART_BYTES,
    CourierFault,
    Head,
    Part,
    bound_to,
    is_true,
    line_of,
    part_bytes,
    part_of,
    signed_bytes,
)
from amagasa.share.harm import OwnGround
from amagasa.share.heartbeat import SignedBeat
from amagasa.share.ledger import Act as Deed
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

PART_OBJECTS: Final = 1_900  # with what explains them fewer than one envelope may hold (`share.admit`)
MARKS: Final = 1_000_000  # as the ally door has it: they bound what JSON becomes in memory
REMEMBERED: Final = 50  # couriers of an ally whose parts are told apart
SHOWN: Final = 100


class Box(Protocol):
    """The party's key: signs, encrypts to others, decrypts what is for us."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""

    def seal(self, key: str, plain: bytes, *, bound_to: bytes) -> bytes:
        """Encrypt to the party of this public key. Raises BadInputError (AMG-SEAL-KEY)."""

    def unseal(self, sealed: bytes, *, bound_to: bytes) -> bytes | None:
        """None where it was not encrypted to us, or is bound to something else."""


class Load(Struct, frozen=True, kw_only=True):
    """What is in a part: objects for the receiver, what became of the receiver's own, and a heartbeat."""

    waiting: tuple[Waiting, ...] = ()
    fates: tuple[Fate, ...] = ()
    beat: SignedBeat | None = None


class Written(Struct, frozen=True, kw_only=True):
    """A part to put on the stick. `after` is where the next begins; `content` is b"" where nothing waits."""

    courier: str
    part: int
    after: int
    n_objects: int
    is_last: bool
    content: bytes


class ReadPart(Struct, frozen=True, kw_only=True):
    """What a part brought. `n_new` objects were not held before; `n_settled` of ours are now known to have arrived.

    `missing` are parts of the same courier that have not been read, as far as the last one is known. `answer` is a part
    for the sender, b"" where nothing is owed.
    """

    ally: str
    courier: str
    part: int
    is_last: bool
    n_objects: int
    n_new: int
    n_settled: int
    refused: tuple[tuple[str, str], ...]
    missing: tuple[int, ...]
    answer: bytes


class Looked(Struct, frozen=True, kw_only=True):
    """What a part would bring, before it is taken in. `kinds` are types of objects and how many; `n_new` not held yet.

    `n_fates` of ours it says what became of. `is_known`: this part was read before.
    """

    ally: str
    agreement: str
    courier: str
    part: int
    is_last: bool
    made_at: str
    kinds: tuple[tuple[str, int], ...]
    n_admitted: int
    n_new: int
    n_fates: int
    refused: tuple[tuple[str, str], ...]
    is_known: bool


class SeenCourier(Struct, frozen=True, kw_only=True):
    """Parts of one courier that were read; `last` is 0 until the last one was."""

    courier: str
    parts: tuple[int, ...]
    last: int = 0

    @property
    def missing(self) -> tuple[int, ...]:
        """Parts that have not been read, as far as the last one is known; at most SHOWN."""
        have, last = set(self.parts), max(self.last, *self.parts, 0)
        return tuple(islice((number for number in range(1, last + 1) if number not in have), SHOWN))


class CourierDesk(Struct, frozen=True, kw_only=True):
    """What the courier needs of the node. `party` is our identity; every method blocks."""

    store: Store
    signals: Signals
    book: AgreementBook
    party: str
    box: Box
    pass_on: PassOn | None = None
    own: Callable[[], OwnGround] = OwnGround
    hearts: HeartDesk | None = None
    draw_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def write(self, actor: Actor, ally: str, *, courier: str, part: int, after: int, now: datetime) -> Written:
        """The next part for this ally (its identity or name), from behind `after`; a leaf for each object in it.

        `courier` "" begins one. What is written goes on waiting: the line takes it too, should it come back, and the
        ally's answer settles it. Raises DeniedError, BadInputError (AMG-COURIER-ALLY).
        """
        require(actor, Act.RELEASE)
        bond = self._bond(ally, now)
        with self.store.write() as tx:
            batch, reached, has_more = _next_part(tx, bond, after=after, now=now)
            written = [replace(one, why=f"carried by courier {now:%Y-%m-%d %H:%M}Z") for one in batch]
            for crossing in written:
                tx.update_crossing(crossing)
            record(tx, bond, [replace(one, decided_by=actor.name) for one in written], now=now, act=Deed.COURIER)
        head = self._head(bond, courier or self.draw_id(), part, is_last=not has_more, now=now)
        is_wanted = bool(batch) or (part > 1 and not has_more)  # the last of several says so, though it be empty
        content = self._seal(bond, head, {"waiting": page_items(batch, bond)}, now=now) if is_wanted else b""
        if batch:
            self.signals.publish("crossing", {"ids": [one.id for one in batch]})
        return Written(
            courier=head.courier,
            part=part,
            after=reached,
            n_objects=len(batch),
            is_last=not has_more,
            content=content,
        )

    def look(self, actor: Actor, data: bytes, *, now: datetime) -> Looked:
        """What a part would bring; nothing is kept. Raises as `read`."""
        require(actor, Act.RELEASE)
        part, bond = self._judged(data, now)
        load = self._unsealed(part)
        objects = [one.object for one in load.waiting]
        admission, n_new = would_receive(self.store, bond.ally.id, objects, book=self.book, now=now, own=self.own())
        with self.store.read() as reading:
            seen = {one.courier: one.parts for one in seen_of(reading, bond.ally.id)}
        kinds = Counter(show(str(one.get("type", "")), 60) if isinstance(one, dict) else "" for one in objects)
        return Looked(
            ally=show(bond.ally.name),
            agreement=show(bond.agreement.title),
            courier=part.head.courier,
            part=part.head.part,
            is_last=part.head.is_last,
            made_at=show(part.head.made_at, 40),
            kinds=tuple(kinds.most_common(SHOWN)),
            n_admitted=len(admission.admitted),
            n_new=n_new,
            n_fates=len(load.fates),
            refused=tuple((one.object_id, f"{one.why} [{one.code}]") for one in admission.refused[:SHOWN]),
            is_known=part.head.part in seen.get(part.head.courier, ()),
        )

    def read(self, actor: Actor, data: bytes, *, now: datetime) -> ReadPart:
        """Take in one part. Read again it changes nothing.

        Raises DeniedError, and BadInputError where nothing of it was looked at: AMG-COURIER-SIZE, -FORM (no part of a
        courier), -OTHER (not for this node), -STRANGER (no agreement with the sender in force), -SIGNATURE (the sender
        did not make it), -SEALED (it was not encrypted to this node).
        """
        require(actor, Act.RELEASE)
        part, bond = self._judged(data, now)
        load = self._unsealed(part)
        if load.beat is not None and self.hearts is not None:
            self.hearts.carried(bond, load.beat, now=now)
        n_settled = settle(self.store, self.signals, bond, load.fates, now=now, how="carried by courier")
        received = receive(
            self.store,
            self.signals,
            bond.ally.id,
            [one.object for one in load.waiting],
            book=self.book,
            now=now,
            pass_on=self.pass_on,
            own=self.own(),
        )
        with self.store.write() as tx:
            missing = _note(tx, bond.ally.id, part.head)
        fates = fates_for(load.waiting, received)
        head = self._head(bond, self.draw_id(), 1, is_last=True, now=now)
        return ReadPart(
            ally=show(bond.ally.name),
            courier=part.head.courier,
            part=part.head.part,
            is_last=part.head.is_last,
            n_objects=sum(1 for one in load.waiting if one.token),
            n_new=received.n_new,
            n_settled=n_settled,
            refused=tuple((one.object_id, one.why) for one in received.refused[:SHOWN]),
            missing=missing,
            answer=self._seal(bond, head, {"fates": fates}, now=now) if fates else b"",
        )

    def _bond(self, ally: str, now: datetime) -> Bond:
        bonds = in_force(self.book, now)
        found = [bond for bond in bonds if ally in {bond.ally.id, bond.ally.name}]
        if len(found) != 1:
            raise BadInputError(
                "AMG-COURIER-ALLY",
                "there is no such ally with an agreement in force",
                expected=", ".join(show(bond.ally.name) for bond in bonds) or "an agreement in force",
                got=show(ally),
                then="nothing was written",
            )
        return found[0]

    def _head(self, bond: Bond, courier: str, part: int, *, is_last: bool, now: datetime) -> Head:
        return Head(
            agreement=bond.agreement.id,
            courier=courier,
            is_last=is_last,
            made_at=to_rfc3339(now),
            part=part,
            receiver=bond.ally.id,
            sender=self.party,
        )

    def _seal(self, bond: Bond, head: Head, load: dict[str, Any], *, now: datetime) -> bytes:
        line = line_of(head)
        if self.hearts is not None:
            load = load | {"beat": self.hearts.signed(bond, now=now)}
        sealed = self.box.seal(bond.ally.key, msgspec.json.encode(load), bound_to=bound_to(line))
        return part_bytes(line, self.box.sign(signed_bytes(line, sealed)), sealed)

    def _judged(self, data: bytes, now: datetime) -> tuple[Part, Bond]:
        part = part_of(data)
        if isinstance(part, CourierFault):
            expected = f"a part of a courier, of at most {MAX_PART_BYTES} bytes"
            raise _no(part.value, "this is no part of a courier", expected=expected, got=f"{len(data)} bytes")
        if part.head.receiver != self.party:
            raise _no("AMG-COURIER-OTHER", "this part is for another party", got=part.head.receiver)
        bond = next((bond for bond in in_force(self.book, now) if bond.ally.id == part.head.sender), None)
        if bond is None:
            raise _no("AMG-COURIER-STRANGER", "no agreement with the sender is in force", got=part.head.sender)
        if not is_true(part, bond.ally.key):
            raise _no(
                "AMG-COURIER-SIGNATURE",
                "the sender did not sign this part as it stands",
                expected=f"the signature of {show(bond.ally.name)}",
                got=f"part {part.head.part} of {part.head.courier}",
            )
        return part, bond

    def _unsealed(self, part: Part) -> Load:
        plain = self.box.unseal(part.sealed, bound_to=bound_to(part.line))
        if plain is None:
            raise _no("AMG-COURIER-SEALED", "this part cannot be decrypted with this node's key")
        if sum(plain.count(mark) for mark in (b"{", b"[", b",")) > MARKS:
            raise _no(CourierFault.SIZE.value, f"a part holds at most {MARKS} brackets and commas")
        try:
            return msgspec.json.decode(plain, type=Load)
        except (ValueError, RecursionError) as error:
            raise _no(CourierFault.FORM.value, "what this part holds cannot be read", got=str(error)) from error


def _no(code: str, what: str, *, expected: str = "", got: str = "") -> BadInputError:
    return BadInputError(code, what, expected=expected, got=show(got), then="nothing of it was taken in")


def _next_part(reading: Reading, bond: Bond, *, after: int, now: datetime) -> tuple[list[Crossing], int, bool]:
    """What goes into it, where the next begins, and whether there is more."""
    horizon = now + timedelta(seconds=LONGEST_WAIT_S)
    found = reading.due(bond.ally.id, now=horizon, limit=PART_OBJECTS + 1, after_id=after)
    due = found[:PART_OBJECTS]
    leaving = [one for one in due if one.created_at <= now and may_still_leave(one, bond)]
    batch = batch_of(leaving)
    if len(batch) < len(leaving):
        return batch, batch[-1].id, True
    return batch, due[-1].id if due else after, len(found) > len(due)


def _note(tx: Writing, ally: str, head: Head) -> tuple[int, ...]:
    """Remember that this part was read; which of the courier's are missing."""
    seen = {one.courier: one for one in seen_of(tx, ally)}
    known = seen.pop(head.courier, SeenCourier(courier=head.courier, parts=()))
    parts = tuple(sorted({*known.parts, head.part}))
    now_known = SeenCourier(courier=head.courier, parts=parts, last=head.part if head.is_last else known.last)
    kept: Sequence[SeenCourier] = [*seen.values(), now_known][-REMEMBERED:]
    tx.save_meta(_key(ally), msgspec.json.encode(kept).decode())
    return now_known.missing


def seen_of(reading: Reading, ally: str) -> list[SeenCourier]:
    """Couriers of this ally of which parts were read, the newest last."""
    told = reading.meta(_key(ally))
    return msgspec.json.decode(told, type=list[SeenCourier]) if told else []


def _key(ally: str) -> str:
    return f"courier-in:{ally}"
