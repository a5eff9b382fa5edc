"""The agreements as people read them: articles in two languages, what an amendment changed, how the clocks stand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from amagasa.app.budgets import budget_of, spent_of
from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Bond, CrossingState, Direction, Reading, Store
from amagasa.app.views import Named
from amagasa.share.agreement import Agreement
from amagasa.share.form import digest
from amagasa.share.rendering import difference, render
from amagasa.vocab.text import show

MEASURED: Final = 200  # the newest crossings, for a clock


class Told(Struct, frozen=True, kw_only=True):
    """One line in both languages; `sign` is "+" or "-" where it is part of a difference."""

    en: str
    ja: str
    sign: str = ""


class ArticleView(Struct, frozen=True, kw_only=True):
    """One article."""

    number: int
    title: Told
    lines: list[Told]


class ClockView(Struct, frozen=True, kw_only=True):
    """A time limit and how it is kept: the worst of `n` measured, and how many were late. `worst_s`: None of none."""

    name: str
    limit_s: float
    worst_s: float | None
    n: int
    n_late: int


class SpentView(Struct, frozen=True, kw_only=True):
    """What is spent of today's budget; a limit of None is none."""

    n_objects: int
    n_bytes: int
    max_objects: int | None
    max_bytes: int | None


class AgreementText(Struct, frozen=True, kw_only=True):
    """A signed agreement to be read. `ended` is "", "amended" or "revoked", `why` what the revoking party said.

    `renew_at` is when renewal is due; None where no clock says.
    """

    id: str
    title: str
    version: int
    digest: str
    ally: Named
    valid_from_at: datetime
    valid_until_at: datetime
    is_in_force: bool
    ended: str
    why: str
    renew_at: datetime | None
    articles: list[ArticleView]
    changes: list[Told]
    clocks: list[ClockView]
    budget: SpentView | None


def agreement_texts(store: Store, actor: Actor, book: AgreementBook, *, now: datetime) -> list[AgreementText]:
    """All that are signed, those in force first, then the newest."""
    require(actor, Act.READ)
    bonds = sorted(book.bonds(), key=lambda one: (one.agreement.is_in_force(now), one.agreement.version), reverse=True)
    with store.read() as reading:
        return [_text(reading, bond, bonds, now) for bond in bonds]


def articles_of(agreement: Agreement) -> list[ArticleView]:
    """The articles, each line in both languages."""
    return [
        ArticleView(
            number=article.number,
            title=Told(en=article.title[0], ja=article.title[1]),
            lines=[Told(en=english, ja=japanese) for english, japanese in article.lines],
        )
        for article in render(agreement)
    ]


def changes_of(before: Agreement, after: Agreement) -> list[Told]:
    """What an amendment takes away and puts in."""
    return [Told(en=line[0], ja=line[1], sign=sign) for sign, line in difference(before, after)]


def _text(reading: Reading, bond: Bond, bonds: Sequence[Bond], now: datetime) -> AgreementText:
    agreement = bond.agreement
    before = next((one.agreement for one in bonds if agreement.amends and one.digest == agreement.amends), None)
    renew_by_days = agreement.clocks.renew_by_days
    return AgreementText(
        id=show(agreement.id),
        title=show(agreement.title),
        version=agreement.version,
        digest=bond.digest or digest(agreement),
        ally=Named(id=bond.ally.id, name=show(bond.ally.name, 80)),
        valid_from_at=agreement.valid_from_at,
        valid_until_at=agreement.valid_until_at,
        is_in_force=agreement.is_in_force(now),
        ended=bond.ended,
        why=show(bond.why, 500),
        renew_at=agreement.valid_until_at - timedelta(days=renew_by_days) if renew_by_days else None,
        articles=articles_of(agreement),
        changes=[] if before is None else changes_of(before, agreement),
        clocks=_clocks(reading, bond, now),
        budget=_budget(reading, bond, now),
    )


def _clocks(reading: Reading, bond: Bond, now: datetime) -> list[ClockView]:
    """How the clock of sharing is kept: of what left from its release, and of what waits still, until now."""
    limit_s = bond.agreement.clocks.share_within_s
    if limit_s is None:
        return []
    page = Page(limit=MEASURED)
    took: list[float] = []
    for state in (CrossingState.DELIVERED, CrossingState.PENDING):
        rows, _ = reading.crossings(page, ally=bond.ally.id, direction=Direction.OUT, state=state)
        ours = [row for row in rows if row.agreement == bond.agreement.id and row.created_at <= now]
        took += [((row.delivered_at or now) - row.created_at).total_seconds() for row in ours]
    n_late = sum(one > limit_s for one in took)
    return [
        ClockView(name="share", limit_s=limit_s, worst_s=max(took, default=None), n=len(took), n_late=n_late),
    ]


def _budget(reading: Reading, bond: Bond, now: datetime) -> SpentView | None:
    budget = budget_of(bond)
    if budget is None:
        return None
    spent = spent_of(reading, bond.agreement.id, now)
    return SpentView(
        n_objects=spent.n_objects,
        n_bytes=spent.n_bytes,
        max_objects=budget.n_objects_a_day,
        max_bytes=budget.n_bytes_a_day,
    )
