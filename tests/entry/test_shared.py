"""Answers made once for many."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from amagasa.app.signals import Signals
from amagasa.entry.people.shared import KEEP_S, MAX_KEPT, Shared


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class Counted:
    """How often it was made."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> int:
        self.n += 1
        return self.n


def test_answer_is_made_once_for_all_who_ask_at_once() -> None:
    shared, made = Shared(Signals(), clock=Clock()), Counted()
    gate = threading.Barrier(8)

    def ask() -> int:
        gate.wait()
        return shared.of("queue", made)

    with ThreadPoolExecutor(8) as pool:
        answers = [one.result() for one in [pool.submit(ask) for _ in range(8)]]
    assert answers == [1] * 8


def test_answer_is_made_anew_after_a_change_and_after_a_second() -> None:
    signals, clock, made = Signals(), Clock(), Counted()
    shared = Shared(signals, clock=clock)
    assert [shared.of("queue", made), shared.of("queue", made)] == [1, 1]
    signals.publish("incident", {"id": "x"})
    assert shared.of("queue", made) == 2
    clock.at = KEEP_S
    assert shared.of("queue", made) == 3


def test_change_while_an_answer_is_made_has_it_made_anew() -> None:
    signals, made = Signals(), Counted()
    shared = Shared(signals, clock=Clock())

    def meanwhile() -> int:
        signals.publish("incident", {"id": "x"})
        return made()

    shared.of("queue", meanwhile)
    assert shared.of("queue", made) == 2


def test_refusal_is_raised_and_not_kept() -> None:
    shared = Shared(Signals(), clock=Clock())
    with pytest.raises(ZeroDivisionError):
        shared.of("queue", lambda: 1 // 0)
    assert shared.of("queue", lambda: 5) == 5


def test_answers_kept_are_bounded() -> None:
    shared, made = Shared(Signals(), clock=Clock()), Counted()
    for number in range(MAX_KEPT + 1):
        shared.of(number, made)
    assert shared.of(0, made) == MAX_KEPT + 2
