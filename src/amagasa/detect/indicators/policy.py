"""How much an indicator that was met may say: by whom it is named, how old that is, and what it names.

A flat list says neither who nor why, so one word of it is never an alert: it is a detection of level low at most, which
stands alone until another list or a rule speaks of the same. Two lists together may raise an alert of level low, three
one of level medium: with c the confidence in each list, that in all is 1 less the product of the (1 - c), as if each
erred by itself. Each list ages by its own dates first, and one that has fallen below the floor is none: what was listed
years ago confirms nothing, and takes nothing from a list that says it today.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import prod
from typing import Final

from msgspec import Struct

from amagasa.detect.indicators.ageing import DEFAULT, Ageing, aged
from amagasa.detect.indicators.allowlist import Allowlist, Verdict, is_guarded
from amagasa.detect.indicators.indicator import Indicator
from amagasa.detect.indicators.lookup import level_of_confidence
from amagasa.detect.indicators.table import Where
from amagasa.detect.report import Silence, Standing
from amagasa.vocab.severity import Level

LISTS_FOR_MEDIUM: Final = 60  # of 100: three fresh lists of ordinary confidence give 66
_EMPTY: Final = Allowlist()


class Policy(Struct, frozen=True, kw_only=True):
    """How confidence ages, and what is known to be harmless."""

    ageing: Ageing = DEFAULT
    allowlist: Allowlist = _EMPTY


class Named(Struct, frozen=True, kw_only=True):
    """An indicator which a value met. `allowed` silence it, `guards` take from lists the power to alert.

    Where several lists hold it, `entries` are those of each: they differ in their sources, dates and ends.
    """

    indicator: Indicator
    entries: tuple[Indicator, ...] = ()
    allowed: tuple[Verdict, ...] = ()
    guards: tuple[Verdict, ...] = ()


class Word(Struct, frozen=True, kw_only=True):
    """What an indicator says of an event: how loud, how sure (None where its author states nothing), and on what.

    `title` names the lists that still say it.
    """

    level: Level
    confidence: int | None
    standing: Standing
    title: str
    guard: str = ""


def named(met: Sequence[tuple[Indicator, Where, str]], allowlist: Allowlist) -> Named:
    """One indicator, met in these places by these texts, perhaps in several lists."""
    verdicts = [allowlist.verdicts(where, text) for _, where, text in met]
    own = [Verdict(name="", is_guard=True)] if all(is_guarded(where, text) for _, where, text in met) else []
    # Silent only where each text is allowed: of two addresses in a line the other may be the attacker's.
    allowed = [one for of_text in verdicts for one in of_text if not one.is_guard]
    guards = [one for of_text in verdicts for one in of_text if one.is_guard]
    entries = tuple(dict.fromkeys(indicator for indicator, _, _ in met))
    return Named(
        indicator=entries[0],
        entries=entries,
        allowed=tuple(allowed) if all(any(not one.is_guard for one in of_text) for of_text in verdicts) else (),
        guards=(*(guards if all(any(one.is_guard for one in of_text) for of_text in verdicts) else ()), *own),
    )


def also_named(one: Named, other: Named) -> Named:
    """The same indicator met by another value of the same record: known only where both are."""
    return Named(
        indicator=one.indicator,
        entries=tuple(dict.fromkeys((*one.entries, *other.entries))),
        allowed=(*one.allowed, *other.allowed) if one.allowed and other.allowed else (),
        guards=(*one.guards, *other.guards) if one.guards and other.guards else (),
    )


def word_of(met: Named, at: datetime, *, now: datetime, ageing: Ageing) -> Word | Silence:
    """What is said of an event of `at`, looked at `now`; or why nothing is."""
    in_force = [one for one in met.entries or (met.indicator,) if one.is_in_force(now)]
    if not in_force:
        return Silence.NOT_IN_FORCE
    if any(verdict.holds(now) for verdict in met.allowed):
        return Silence.ALLOWED
    left = [(one, aged(one, at, ageing)) for one in in_force]
    speaking = [(one, least) for one, least in left if least >= ageing.floor or least >= one.weight]
    if not speaking:
        return Silence.AGED
    if not met.indicator.is_listed:
        return _reported(*speaking[0])
    guard = next((verdict for verdict in met.guards if verdict.holds(now)), None)
    return _listed(speaking, guard)


def changes_of(met: Named) -> Iterator[datetime]:
    """The instants of looking at which what is said of an event may become another."""
    for one in met.entries or (met.indicator,):
        yield from (at for at in (one.valid_from, one.valid_until) if at is not None)
    yield from (verdict.until for verdict in (*met.allowed, *met.guards) if verdict.until is not None)


def _listed(speaking: Sequence[tuple[Indicator, float]], guard: Verdict | None) -> Word:
    """What the lists say together; one that holds it twice is one."""
    by_list: dict[str, float] = {}
    for one, left in speaking:
        for source in one.sources or ("",):
            by_list[source] = max(left, by_list.get(source, 0.0))
    together = next(iter(by_list.values())) if len(by_list) == 1 else _together(by_list.values())
    confidence, title = round(together), _title([one for one, _ in speaking])
    if guard is not None:
        level, standing = Level.INFORMATIONAL, Standing.GUARDED
        return Word(level=level, confidence=confidence, standing=standing, title=title, guard=guard.name)
    is_medium = len(by_list) > 1 and together >= LISTS_FOR_MEDIUM
    level = _lower(Level.MEDIUM if is_medium else Level.LOW, level_of_confidence(together))
    standing = Standing.FULL if len(by_list) > 1 else Standing.ALONE
    return Word(level=level, confidence=confidence, standing=standing, title=title)


def _together(confidences: Iterable[float]) -> float:
    return 100.0 * (1.0 - prod(1.0 - one / 100.0 for one in confidences))


def _title(entries: Sequence[Indicator]) -> str:
    titles = {one.sources: one.title for one in entries}.values()
    return "; ".join(title.partition(", ")[2] if number else title for number, title in enumerate(titles))


def _reported(indicator: Indicator, left: float) -> Word:
    level, confidence = indicator.level, indicator.confidence
    if left < indicator.weight:
        level = _lower(level, level_of_confidence(left))
        confidence = None if confidence is None else round(left)
    return Word(level=level, confidence=confidence, standing=Standing.FULL, title=indicator.title)


def _lower(one: Level, other: Level) -> Level:
    return min(one, other, key=lambda level: level.severity)
