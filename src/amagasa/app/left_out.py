"""What a site makes of its rules, never silent: those switched off, matches that were excluded, placeholders."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct

from amagasa.detect.exclusion import Exclusion
from amagasa.detect.sigma.link import OffBy, OffRule
from amagasa.detect.sigma.rule import Rule
from amagasa.detect.sigma.text import Placeholders


class ExcludedBy(Struct, frozen=True, kw_only=True):
    """An exclusion and what it took out: `n` matches, by rule.

    `n_rules` it is for are loaded; with 0 it is misspelt, or the rule is gone. An exclusion which `is_expired` takes
    nothing out any more.
    """

    exclusion: str
    reason: str
    expires: str | None
    is_expired: bool
    n_rules: int
    n: int
    by_rule: dict[str, int]


class OffRules(Struct, frozen=True, kw_only=True):
    """Rules that could run and were switched off: how many, by what, and those which others replace."""

    n: int = 0
    by: dict[str, int] = {}
    replaced: tuple[OffRule, ...] = ()


class GivenPlaceholder(Struct, frozen=True, kw_only=True):
    """A placeholder that the site gave values."""

    name: str
    n_values: int


def given_placeholders(values: Placeholders) -> tuple[GivenPlaceholder, ...]:
    """By name."""
    return tuple(GivenPlaceholder(name=name, n_values=len(given)) for name, given in sorted(values.items()))


def off_rules(off: Sequence[OffRule]) -> OffRules:
    """Counted; those of another status or level than asked for may be thousands, and are not listed."""
    by = Counter(one.by.value for one in off)
    return OffRules(n=len(off), by=dict(by), replaced=tuple(one for one in off if one.by is OffBy.REPLACED))


def excluded_by(
    exclusions: Sequence[Exclusion], counts: Mapping[tuple[int, str], int], rules: Iterable[Rule], day: date
) -> tuple[ExcludedBy, ...]:
    """Every exclusion, in order, with what it did. `counts`: by (place of the exclusion, id of the rule)."""
    if not exclusions:
        return ()
    taken: dict[int, dict[str, int]] = {}
    for (number, rule_id), n in sorted(counts.items()):
        taken.setdefault(number, {})[rule_id] = n
    everything = tuple(rules)
    return tuple(
        ExcludedBy(
            exclusion=one.place,
            reason=one.reason,
            expires=one.expires_on.isoformat() if one.expires_on else None,
            is_expired=not one.counts_on(day),
            n_rules=sum(one.fits(rule) for rule in everything),
            n=sum(taken.get(number, {}).values()),
            by_rule=taken.get(number, {}),
        )
        for number, one in enumerate(exclusions)
    )
