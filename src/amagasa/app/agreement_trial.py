"""What an agreement that is not signed yet would have let go of the days before: a dry run over what the node keeps.

Alerts and incidents are put into STIX once more and before the draft; nothing is kept, nothing leaves.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Reading, Store
from amagasa.app.provenance import Source, learnt_of
from amagasa.share.agreement import Agreement, Party
from amagasa.share.describe import describe_alert, describe_incident
from amagasa.share.known import Known
from amagasa.share.release import release
from amagasa.share.verdict import Released, Wanting, Withheld
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

MAX_LOOKED_AT: Final = 20_000
EXAMPLES: Final = 3
_PAGE: Final = 500


class TrialRow(Struct, frozen=True, kw_only=True):
    """What became of the objects of one type under one clause, or why they stayed (`code`, `why`).

    `outcome`: released, wanting or withheld. `examples` are the bytes of the first three, as they would leave.
    """

    outcome: str
    object_type: str
    clause: str
    code: str
    why: str
    n: int
    n_bytes: int
    examples: tuple[str, ...]


class Trial(Struct, frozen=True, kw_only=True):
    """`is_cut`: more was kept of these days than was looked at, the newest."""

    since: datetime
    until: datetime
    n_alerts: int
    n_incidents: int
    n_objects: int
    is_cut: bool
    rows: tuple[TrialRow, ...]


class Voice(Struct, frozen=True, kw_only=True):
    """How this node tells: under which marking, from which severity on, with which key for stand-ins."""

    party: Party
    marking: Tlp
    min_severity: Severity
    secret: bytes


def try_agreement(  # noqa: PLR0913 - the terms, our voice, and over which days: none of them can be left out
    store: Store,
    actor: Actor,
    agreement: Agreement,
    voice: Voice,
    *,
    book: AgreementBook,
    now: datetime,
    days: int = 30,
) -> Trial:
    """What would have left in the last `days`. Raises BadInputError (AMG-AGREEMENT-OTHERS) where we are no party.

    The draft is taken to have been in force all the time. At most 20,000 alerts and incidents, the newest.
    """
    require(actor, Act.READ)
    if voice.party.id not in {party.id for party in agreement.parties}:
        raise BadInputError("AMG-AGREEMENT-OTHERS", "this node is no party of the agreement", then="nothing was tried")
    since = now - timedelta(days=days)
    sums = _Sums(agreement, voice)
    with store.read() as reading:
        alerts = list(_alerts(reading, since))
        incidents = list(_incidents(reading, since))
        for alert in alerts:
            if alert.severity >= voice.min_severity:
                sources = [Source(party=alert.origin, item=alert.content_id)] if alert.origin else []
                known = Known(learnt=learnt_of(reading, sources, book))
                told = describe_alert(alert, party=voice.party, marking=voice.marking, now=now)
                sums.add(told, known)
        for incident in incidents:
            if incident.severity >= voice.min_severity:
                told = describe_incident(incident, party=voice.party, marking=voice.marking, now=now)
                sums.add(told, Known())
    return Trial(
        since=since,
        until=now,
        n_alerts=len(alerts),
        n_incidents=len(incidents),
        n_objects=sums.n_objects,
        is_cut=max(len(alerts), len(incidents)) >= MAX_LOOKED_AT,
        rows=sums.rows(),
    )


class _Sums:
    """Counts what becomes of each object; of several versions of one the last counts."""

    def __init__(self, agreement: Agreement, voice: Voice) -> None:
        self._agreement = agreement
        self._voice = voice
        self._seen: set[str] = set()
        self._stayed: set[str] = set()
        self._n: Counter[tuple[str, str, str, str, str]] = Counter()
        self._n_bytes: Counter[tuple[str, str, str, str, str]] = Counter()
        self._examples: dict[tuple[str, str, str, str, str], list[str]] = {}

    @property
    def n_objects(self) -> int:
        return len(self._seen)

    def add(self, objects: Sequence[Mapping[str, Any]], known: Known) -> None:
        ally = self._agreement.ally_of(self._voice.party.id)
        for obj in objects:
            if obj["id"] in self._seen:
                continue
            self._seen.add(obj["id"])
            verdict = release(
                obj,
                ally,
                self._agreement,
                now=self._agreement.valid_from_at,
                secret=self._voice.secret,
                known=replace(known, withheld=frozenset(self._stayed.intersection(_texts(obj)))),
            )
            match verdict:
                case Withheld():
                    self._stayed.add(obj["id"])
                    self._count(("withheld", str(obj["type"]), "", verdict.code, verdict.why), b"")
                case Wanting(released=released):
                    self._count(("wanting", released.object_type, released.clause, "", ""), released.content)
                case Released():
                    self._count(("released", verdict.object_type, verdict.clause, "", ""), verdict.content)

    def rows(self) -> tuple[TrialRow, ...]:
        return tuple(
            TrialRow(
                outcome=outcome,
                object_type=kind,
                clause=show(clause),
                code=code,
                why=show(why),
                n=n,
                n_bytes=self._n_bytes[outcome, kind, clause, code, why],
                examples=tuple(self._examples.get((outcome, kind, clause, code, why), ())),
            )
            for (outcome, kind, clause, code, why), n in sorted(self._n.items())
        )

    def _count(self, key: tuple[str, str, str, str, str], content: bytes) -> None:
        self._n[key] += 1
        self._n_bytes[key] += len(content)
        examples = self._examples.setdefault(key, [])
        if content and len(examples) < EXAMPLES:
            examples.append(show(content, 4_000))


def _texts(obj: Mapping[str, Any]) -> list[str]:
    """The references that our own objects make: each in a property of its own, or in a list there."""
    found: list[str] = []
    for value in obj.values():
        found += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return found


def _alerts(reading: Reading, since: datetime) -> Iterator[Any]:
    before = None
    for _ in range(MAX_LOOKED_AT // _PAGE):
        rows, before = reading.alerts(Page(limit=_PAGE, before=before))
        yield from (row for row in rows if row.updated_at >= since)
        if before is None or (rows and rows[-1].updated_at < since):
            return


def _incidents(reading: Reading, since: datetime) -> Iterator[Any]:
    before = None
    for _ in range(MAX_LOOKED_AT // _PAGE):
        rows, before = reading.incidents(Page(limit=_PAGE, before=before))
        yield from (row for row in rows if row.updated_at >= since)
        if before is None or (rows and rows[-1].updated_at < since):
            return
