from datetime import UTC, datetime, timedelta

from amagasa.workforce.budget import (
    LEAST,
    USUAL,
    BudgetSource,
    Fate,
    Shifts,
    budget_of,
    fate_of,
    held_of,
    shift_began_at,
)

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)


def test_budget_set_by_a_person_counts_before_what_was_learnt() -> None:
    assert budget_of(7, [NOW], now=NOW).n_per_shift == 7


def test_budget_is_the_usual_until_enough_shifts_have_shown_theirs() -> None:
    budget = budget_of(None, [NOW - timedelta(hours=8)] * 90, now=NOW)
    assert (budget.n_per_shift, budget.source) == (USUAL, BudgetSource.USUAL)


def test_budget_learnt_is_the_median_of_shifts_before_this_one() -> None:
    closed = [NOW - timedelta(hours=8 * shift) for shift, n in enumerate((500, 30, 40, 50, 60, 70)) for _ in range(n)]
    budget = budget_of(None, closed, now=NOW)
    assert (budget.n_per_shift, budget.source, budget.n_shifts) == (50, BudgetSource.LEARNT, 5)


def test_budget_learnt_of_quiet_shifts_is_not_less_than_a_person_can_read() -> None:
    closed = [NOW - timedelta(hours=8 * shift) for shift in range(1, 10)]
    assert budget_of(None, closed, now=NOW).n_per_shift == LEAST


def test_what_was_closed_in_this_shift_is_read_already() -> None:
    budget = budget_of(10, (), now=NOW)
    held = held_of(budget, [NOW, NOW - timedelta(hours=2), NOW - timedelta(hours=9)], now=NOW)
    assert (held.n_done, held.n_left) == (2, 8)
    assert held_of(budget, [NOW] * 40, now=NOW).n_left == 0
    assert shift_began_at(NOW) == datetime(2026, 11, 22, 16, tzinfo=UTC)


def test_what_is_above_the_budget_is_deferred_or_offered_and_never_dropped() -> None:
    held = held_of(budget_of(2, (), now=NOW), (), now=NOW)
    assert [fate_of(place, 50, held, has_ally=True) for place in (1, 2, 3)] == [Fate.READ, Fate.READ, Fate.DEFERRED]
    assert fate_of(3, 80, held, has_ally=True) is Fate.OFFERED
    assert fate_of(3, 80, held, has_ally=False) is Fate.DEFERRED


def test_shifts_begin_when_the_party_says() -> None:
    twelve = Shifts(hours=12, begins_at_utc=23)
    assert shift_began_at(NOW, twelve) == datetime(2026, 11, 22, 11, tzinfo=UTC)
    assert shift_began_at(NOW.replace(hour=23), twelve) == datetime(2026, 11, 22, 23, tzinfo=UTC)
    held = held_of(budget_of(5, (), now=NOW), [NOW - timedelta(hours=7)], now=NOW, shifts=twelve)
    assert held.n_done == 1


def test_limits_of_the_budget_are_those_of_the_party() -> None:
    ours = Shifts(usual=5, least=2, offer_from=40)
    assert budget_of(None, (), now=NOW, shifts=ours).n_per_shift == 5
    closed = [NOW - timedelta(hours=8 * shift) for shift in range(1, 10)]
    assert budget_of(None, closed, now=NOW, shifts=ours).n_per_shift == 2
    held = held_of(budget_of(1, (), now=NOW), (), now=NOW)
    assert fate_of(2, 50, held, has_ally=True, shifts=ours) is Fate.OFFERED
