"""How many indicators of a file speak today, and why the others do not."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import IPv4Address

from msgspec import Struct

from amagasa.detect.indicators.allowlist import Allowlist
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.joining import values_beside
from amagasa.detect.indicators.kinds import ADDRESS
from amagasa.detect.indicators.lookup import indicator_at
from amagasa.detect.indicators.policy import Named, Policy, word_of
from amagasa.detect.indicators.table import Table
from amagasa.detect.report import Silence

_FIRST_TABLE = 1 << 32


class Counted(Struct, frozen=True, kw_only=True):
    """Of indicators at one time how many are too old, past their end, before their begin, taken back, or known.

    `n_allowed` are silenced by what is known, `n_guarded` may not alert on it.
    """

    n_aged: int = 0
    n_ended: int = 0
    n_coming: int = 0
    n_revoked: int = 0
    n_allowed: int = 0
    n_guarded: int = 0


def counted(table: Table, policy: Policy, *, now: datetime) -> Counted:
    """Every row is counted; a row may be aged and allowed. Some 1.5 us a row, nearly all for the allowlist."""
    held = IndicatorSet(tables=(table,), born=(0,))
    silent: Counter[Silence] = Counter()
    for row, n in _alike(table):
        word = word_of(Named(indicator=indicator_at(held, _FIRST_TABLE | row)), now, now=now, ageing=policy.ageing)
        if isinstance(word, Silence):
            silent[word] += n
    allowed, guarded = _known(table, policy.allowlist, now)
    return Counted(
        n_aged=silent[Silence.AGED],
        n_ended=silent[Silence.NOT_IN_FORCE],
        n_allowed=allowed,
        n_guarded=guarded,
    )


def counted_beside(held: IndicatorSet, policy: Policy, *, now: datetime) -> Counted:
    """The same of the indicators that stand beside the tables: those of a bundle or an export.

    One with several values is allowed where each of them is.
    """
    silent: Counter[Silence] = Counter()
    n_coming = 0
    for position, one in enumerate(held.indicators):
        if position in held.dead:
            continue
        word = word_of(Named(indicator=one), now, now=now, ageing=policy.ageing)
        if word is Silence.NOT_IN_FORCE and one.valid_from is not None and now < one.valid_from:
            n_coming += 1
        elif isinstance(word, Silence):
            silent[word] += 1
    return Counted(
        n_aged=silent[Silence.AGED],
        n_ended=silent[Silence.NOT_IN_FORCE],
        n_coming=n_coming,
        n_revoked=held.n_revoked,
        n_allowed=_n_allowed(held, policy.allowlist, now),
    )


def _n_allowed(held: IndicatorSet, allowlist: Allowlist, now: datetime) -> int:
    are_allowed: dict[int, bool] = {}
    for where, text, positions in values_beside(held):
        is_allowed = any(one.holds(now) and not one.is_guard for one in allowlist.verdicts(where, text))
        for position in positions:
            are_allowed[position] = are_allowed.get(position, True) and is_allowed
    return sum(are_allowed[position] for position in are_allowed.keys() - held.dead)


def _alike(table: Table) -> Iterator[tuple[int, int]]:
    """One row of each group that says the same but for its value, and how many are in the group."""
    first: dict[tuple[int, int], int] = {}
    groups: Counter[tuple[int, int]] = Counter()
    for row, said in enumerate(table.sayings()):
        groups[said] += 1
        first.setdefault(said, row)
    return ((first[said], n) for said, n in groups.items())


def _known(table: Table, allowlist: Allowlist, now: datetime) -> tuple[int, int]:
    """Rows that the allowlist speaks of: silenced, guarded. Only addresses in prefixes and values named themselves."""
    ranges = list(_ranges(allowlist))
    firsts = [first for first, _ in ranges]
    n_allowed = n_guarded = 0
    for text in _suspects(table, firsts, ranges):
        verdicts = [one for one in allowlist.verdicts(ADDRESS, text) if one.holds(now)]
        n_allowed += any(not one.is_guard for one in verdicts)
        n_guarded += bool(verdicts) and all(one.is_guard for one in verdicts)
    return n_allowed, n_guarded


def _ranges(allowlist: Allowlist) -> Iterable[tuple[int, int]]:
    """The IPv4 addresses that the allowlist names, as disjoint ranges in order."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(allowlist.ranges()):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _suspects(table: Table, firsts: list[int], ranges: list[tuple[int, int]]) -> Iterator[str]:
    for text in table.every_text():
        if text.count(".") != 3 or not text[-1:].isdigit():
            continue
        try:
            number = int(IPv4Address(text))
        except ValueError:
            continue
        at = bisect_right(firsts, number) - 1
        if at >= 0 and number <= ranges[at][1]:
            yield text
