"""How much an indicator that was met may say: by whom it is named, how old that is, and what it names.

A flat list says neither who nor why, so one word of it is never an alert: it is a detection of level low at most, which
stands alone until another list or a rule speaks of the same. Two lists together may raise an alert of level low, three
one of level medium: with c the confidence in one list, that in n is 1 - (1 - c) ** n, as if each erred by itself.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.indicators.ageing import DEFAULT, Ageing, age_days, confidence_at
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
    """An indicator which a value met. `allowed` silence it, `guards` take from lists the power to alert."""

    indicator: Indicator
    allowed: tuple[Verdict, ...] = ()
    guards: tuple[Verdict, ...] = ()


class Word(Struct, frozen=True, kw_only=True):
    """What an indicator says of an event: how loud, how sure (None where its author states nothing), and on what."""

    level: Level
    confidence: int | None
    standing: Standing
    guard: str = ""


def named(met: Sequence[tuple[Indicator, Where, str]], allowlist: Allowlist) -> Named:
    """One indicator, met in these places by these texts, perhaps in several lists."""
    verdicts = [allowlist.verdicts(where, text) for _, where, text in met]
    own = [Verdict(name="", is_guard=True)] if all(is_guarded(where, text) for _, where, text in met) else []
    # Silent only where each text is allowed: of two addresses in a line the other may be the attacker's.
    allowed = [one for of_text in verdicts for one in of_text if not one.is_guard]
    guards = [one for of_text in verdicts for one in of_text if one.is_guard]
    return Named(
        indicator=reduce(_joined, (indicator for indicator, _, _ in met)),
        allowed=tuple(allowed) if all(any(not one.is_guard for one in of_text) for of_text in verdicts) else (),
        guards=(*(guards if all(any(one.is_guard for one in of_text) for of_text in verdicts) else ()), *own),
    )


def word_of(met: Named, at: datetime, *, now: datetime, ageing: Ageing) -> Word | Silence:
    """What is said of an event of `at`, looked at `now`; or why nothing is."""
    indicator = met.indicator
    if not indicator.is_in_force(now):
        return Silence.NOT_IN_FORCE
    if any(verdict.holds(now) for verdict in met.allowed):
        return Silence.ALLOWED
    weight = _combined(indicator)
    left = confidence_at(weight, age_days(indicator, at), ageing.fall(indicator))
    if left < ageing.floor and left < weight:
        return Silence.AGED
    if not indicator.is_listed:
        return _reported(indicator, left, weight)
    guard = next((verdict for verdict in met.guards if verdict.holds(now)), None)
    if guard is not None:
        return Word(level=Level.INFORMATIONAL, confidence=round(left), standing=Standing.GUARDED, guard=guard.name)
    if len(indicator.sources) > 1:
        level = Level.MEDIUM if left >= LISTS_FOR_MEDIUM else Level.LOW
        return Word(level=_lower(level, level_of_confidence(left)), confidence=round(left), standing=Standing.FULL)
    return Word(level=_lower(Level.LOW, level_of_confidence(left)), confidence=round(left), standing=Standing.ALONE)


def _reported(indicator: Indicator, left: float, weight: float) -> Word:
    if left >= weight:
        return Word(level=indicator.level, confidence=indicator.confidence, standing=Standing.FULL)
    stated = None if indicator.confidence is None else round(left)
    return Word(level=_lower(indicator.level, level_of_confidence(left)), confidence=stated, standing=Standing.FULL)


def _combined(indicator: Indicator) -> float:
    n_lists = len(indicator.sources) if indicator.is_listed else 1
    return 100.0 * (1.0 - (1.0 - indicator.weight / 100.0) ** n_lists) if n_lists > 1 else float(indicator.weight)


def _joined(one: Indicator, other: Indicator) -> Indicator:
    """The same indicator out of two lists: named by both, seen in the time of both, in force while one holds it so."""
    if not one.is_listed or one == other:
        return one
    firsts = [day for day in (one.first_day, other.first_day) if day]
    ends = (one.valid_until, other.valid_until)
    return replace(
        one,
        title=one.title if one.sources == other.sources else f"{one.title}; {other.title.partition(', ')[2]}",
        sources=tuple(dict.fromkeys((*one.sources, *other.sources))),
        weight=max(one.weight, other.weight),
        first_day=min(firsts, default=0),
        last_day=max(one.last_day, other.last_day),
        valid_until=None if None in ends else max(end for end in ends if end is not None),
    )


def _lower(one: Level, other: Level) -> Level:
    return min(one, other, key=lambda level: level.severity)
