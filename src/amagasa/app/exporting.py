"""Use case: what a node knows, in the form of another system: for oneself, or for an ally through the release gate.

An export for an ally is a release. What is in it was put before the agreement in the same transaction, as everything
that leaves: it stands in the share log and the ledger, spends the budget, waits for consent, and can be taken back.
Only what has been released is written, with the bytes of the release. An export for oneself bears its marking.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from amagasa.app.agreement_trial import Voice
from amagasa.app.campaigns import campaign
from amagasa.app.export_gathering import ALL_CONTENT, Gathered, Gatherer
from amagasa.app.kept_file import IndicatorFiles
from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Reading, Store, Writing
from amagasa.app.provenance import Source
from amagasa.app.queries import MissingError
from amagasa.app.sharing import in_force, is_retraction, last_sent
from amagasa.app.views import Named
from amagasa.brief.forms import Form, write
from amagasa.brief.written import About, LeftOut, Written, left_out
from amagasa.share.agreement import Party
from amagasa.share.terms import Handling
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import folder_name, show
from amagasa.vocab.tlp import Tlp, tlp_of_word

LEFT_OUT_SHOWN: Final = 500
MAX_CROSSINGS: Final = 100_000
_PAGE: Final = 500
_STAYED: Final = {
    CrossingState.WANTING: "it waits for consent",
    CrossingState.WITHHELD: "it is withheld",
    CrossingState.REFUSED: "a release officer refused it",
    CrossingState.FAILED: "it could not be delivered",
}


class ExportAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What, in which form, for whom.

    `what`: the identifier of an alert, an incident, a campaign, an item of content or an agreement; `content` is all
    content. `ally`: name or identity, "" is for oneself. `marking`: what the export bears at least, and what is
    unmarked counts as; "" is the node's own.
    """

    what: str
    form: Form = Form.STIX
    ally: str = ""
    marking: str = ""


class Exported(Struct, frozen=True, kw_only=True):
    """An export: n_objects = n_written + n_left_out + n_beside (what only explains others). `file` is a name for it."""

    title: str
    form: str
    ally: Named | None
    file: str
    media_type: str
    marking: str
    n_objects: int
    n_written: int
    n_left_out: int
    n_beside: int
    left_out: list[LeftOut]
    text: str


class Letting(Protocol):
    """How objects are put before one ally's agreement, in a transaction. Carried out by app.telling."""

    def __call__(
        self,
        tx: Writing,
        objects: Sequence[Mapping[str, Any]],
        sources: Mapping[str, frozenset[Source]],
        *,
        ally: str,
        now: datetime,
    ) -> tuple[Crossing, ...]:
        """The crossings that are new or changed."""


class Exporting:
    """Exports of one node."""

    def __init__(
        self, store: Store, voice: Voice, *, book: AgreementBook, files: IndicatorFiles | None, let: Letting
    ) -> None:
        self._store = store
        self._voice = voice
        self._book = book
        self._files = files
        self._let = let

    def export(self, actor: Actor, asked: ExportAsked, *, now: datetime) -> tuple[Exported, tuple[Crossing, ...]]:
        """The export, and crossings which are to be announced after it. An export for an ally wants `Act.RELEASE`."""
        require(actor, Act.RELEASE if asked.ally else Act.READ)
        least = tlp_of_word(asked.marking) if asked.marking else self._voice.marking
        if least is None:
            raise BadInputError("AMG-SHARE-TLP", "this is no TLP marking", expected="clear ... red", got=asked.marking)
        if not asked.ally:
            with self._store.read() as reading:
                found = self._gathered(reading, actor, asked.what, now)
            return self._told(found, asked, self._about(found, least, now)), ()
        bond = self._bond(asked.ally, now)
        with self._store.write() as tx:
            found = self._gathered(tx, actor, asked.what, now, bond=bond)
            crossings: tuple[Crossing, ...] = ()
            released, clauses = found, found.clauses
            if asked.what != bond.agreement.id:  # what left already is not put before the agreement once more
                crossings = self._let(tx, found.objects, found.sources, ally=bond.ally.id, now=now)
                released, clauses = self._released(tx, found, bond, now)
            tags = self._tags(bond, clauses)
        about = msgspec.structs.replace(self._about(released, least, now), tags=tags)
        return self._told(released, asked, about, bond.ally), crossings

    def _about(self, found: Gathered, least: Tlp, now: datetime) -> About:
        party = self._voice.party
        return About(title=found.title, author_id=party.id, author=party.name, at=now, least=least)

    def _bond(self, ally: str, now: datetime) -> Bond:
        bonds = in_force(self._book, now)
        found = [one for one in bonds if ally in {one.ally.id, one.ally.name}]
        if len(found) != 1:
            names = ", ".join(show(one.ally.name, 80) for one in bonds)
            raise BadInputError(
                "AMG-EXPORT-ALLY",
                "no agreement is in force with an ally of that name",
                expected=names or "an agreement in force",
                got=ally,
                then="nothing was exported",
            )
        return found[0]

    def _gathered(
        self, reading: Reading, actor: Actor, what: str, now: datetime, *, bond: Bond | None = None
    ) -> Gathered:
        gatherer = Gatherer(reading, self._voice, files=self._files, now=now)
        if what == ALL_CONTENT:
            for item in reading.content():
                gatherer.content(item)
            return gatherer.gathered("content")
        if what.startswith("agreement--"):
            return self._of_agreement(reading, gatherer, what, bond=bond, now=now)
        if what.startswith("campaign--"):
            view = campaign(self._store, actor, {}, what)
            for incident in reading.incidents_by_id([member.id for member in view.members if member.is_ours]):
                gatherer.incident(incident)
            gatherer.held([member.id for member in view.members if not member.is_ours])
            return gatherer.gathered(view.title)
        if (one := reading.incident(what)) is not None:
            gatherer.incident(one)
            return gatherer.gathered(one.title)
        if (alert := reading.alert(what)) is not None:
            gatherer.alert(alert)
            return gatherer.gathered(alert.title)
        items = reading.content_items([what])
        if not items:
            raise MissingError(
                "AMG-EXPORT-UNKNOWN",
                "there is nothing here of that name",
                expected="an alert, an incident, a campaign, an item of content, an agreement, or the word content",
                got=what,
                then="nothing was exported",
            )
        gatherer.content(items[0])
        return gatherer.gathered(items[0].title)

    def _of_agreement(
        self, reading: Reading, gatherer: Gatherer, what: str, *, bond: Bond | None, now: datetime
    ) -> Gathered:
        """What crossed under it; for an ally what it was given."""
        known = next((one for one in self._book.bonds() if one.agreement.id == what), None)
        if known is None or (bond is not None and bond.agreement.id != what):
            raise MissingError(
                "AMG-EXPORT-UNKNOWN",
                "there is no such agreement with this ally" if bond else "there is no such agreement",
                got=what,
                then="nothing was exported",
            )
        direction = None if bond is None else Direction.OUT
        crossed: list[Crossing] = []
        cursor = None
        while len(crossed) < MAX_CROSSINGS:
            page = Page(limit=_PAGE, before=cursor)
            some, cursor = reading.crossings(page, ally=known.ally.id, direction=direction)
            crossed += [one for one in some if one.agreement == what]
            if cursor is None:
                break
        gatherer.agreement(crossed, now)
        return gatherer.gathered(known.agreement.title)

    def _released(
        self, reading: Reading, found: Gathered, bond: Bond, now: datetime
    ) -> tuple[Gathered, dict[str, str]]:
        """The bytes that left or leave now, and by which clause each did; the rest with the reason why it stays."""
        ids = [str(obj["id"]) for obj in found.objects]
        sent = last_sent(reading, bond, ids, secret=self._voice.secret, now=now)
        clauses: dict[str, str] = {}
        objects: list[dict[str, Any]] = []
        left = list(found.left_out)
        for obj in found.objects:
            crossing = sent.get(str(obj["id"]))
            why = _why_it_stays(crossing, now)
            if crossing is None or why:
                left.append(left_out(obj, why))
                continue
            objects.append(msgspec.json.decode(crossing.content))
            clauses[crossing.object_id] = crossing.clause
        # A title of ours passed no gate: the agreement's stands for it.
        return Gathered(title=show(bond.agreement.title), objects=tuple(objects), left_out=tuple(left)), clauses

    @staticmethod
    def _tags(bond: Bond, clauses: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """The terms under which each object left, by its identifier."""
        terms = {clause.id: _terms(clause.handling) for clause in bond.agreement.clauses}
        return {identifier: terms.get(clause, ()) for identifier, clause in clauses.items()}

    def _told(self, found: Gathered, asked: ExportAsked, about: About, ally: Party | None = None) -> Exported:
        written: Written = write(found.objects, asked.form, about)
        left = [*found.left_out, *written.left_out]
        name = f"amagasa-{folder_name(asked.what)}" if ally is None else f"amagasa-for-{folder_name(ally.name)}"
        return Exported(
            title=show(found.title),
            form=asked.form.value,
            ally=None if ally is None else Named(id=ally.id, name=show(ally.name, 80)),
            file=f"{name}{written.suffix}",
            media_type=written.media_type,
            marking=written.marking.word,
            n_objects=len(found.objects) + len(found.left_out),
            n_written=written.n_written,
            n_left_out=len(left),
            n_beside=written.n_beside,
            left_out=left[:LEFT_OUT_SHOWN],
            text=written.text,
        )


def _why_it_stays(crossing: Crossing | None, now: datetime) -> str:
    """Empty for what left or leaves now."""
    if crossing is None:
        return "it was taken back, or a later version of it has left"
    if is_retraction(crossing):
        return "it was taken back"
    if crossing.state in _STAYED:
        return show(f"{_STAYED[crossing.state]}: {crossing.why}" if crossing.why else _STAYED[crossing.state])
    return "it is held until its hour has come" if crossing.created_at > now else ""


def _terms(handling: Handling) -> tuple[str, ...]:
    """The clause's terms as tags of MISP's taxonomy of FIRST IEP 2.0."""
    said = {
        "permitted_actions": handling.use.value,
        "affected_party_notifications": handling.notify_affected.value,
        "attribution": handling.attribution.value,
        "unmodified_resale": handling.resale.value,
    }
    return tuple(f'iep2-policy:{name}="{value}"' for name, value in said.items())
