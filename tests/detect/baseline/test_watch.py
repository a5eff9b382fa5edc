from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.baseline.profile import MAX_SPANS, Baseline, State, joined, learn, merged
from amagasa.detect.baseline.watch import Finding, Watch
from amagasa.event.ot.message import Kind, Message, Operation

START: Final = datetime(2026, 11, 27, 9, tzinfo=UTC)


def at(seconds: float, **values: Any) -> Message:
    given: dict[str, Any] = {
        "ot": "modbus",
        "kind": Kind.REQUEST,
        "timestamp": (START + timedelta(seconds=seconds)).isoformat(),
        "master": "192.0.2.1",
        "outstation": "192.0.2.9",
        "unit": 1,
        "function": 3,
        "function_name": "read_holding_registers",
        "operation": Operation.READ.value,
        "object": "holding_register",
        "address": 100,
        "count": 10,
    }
    return Message(**(given | values))


def write(seconds: float, value: int = 50, **values: Any) -> Message:
    named: dict[str, Any] = {
        "function": 6,
        "function_name": "write_single_register",
        "operation": Operation.WRITE.value,
    }
    return at(seconds, **(named | {"address": 4, "count": 1, "value": value} | values))


def usual(n: int = 100) -> list[Message]:
    """A poll each 10 s, and a set point of 40 to 60 each 100 s."""
    polls = [at(10.0 * one) for one in range(n)]
    return [*polls, *(write(100.0 * one, 40 + one % 21) for one in range(n // 10))]


def frozen(messages: list[Message]) -> Baseline:
    baseline = Baseline()
    learn(baseline, sorted(messages, key=lambda one: one.timestamp))
    baseline.state = State.FROZEN
    return baseline


def found(*messages: Message) -> list[Finding]:
    watch = Watch(frozen(usual()))
    watch.see(messages)
    return watch.finish()


def kinds(*messages: Message) -> list[str]:
    return [one.what.value for one in found(*messages)]


def test_watch_of_what_was_learnt_finds_nothing() -> None:
    assert found(*sorted(usual(), key=lambda one: one.timestamp)) == []


def test_watch_of_a_station_that_never_wrote_finds_a_new_writer() -> None:
    assert kinds(write(5, master="192.0.2.66")) == ["new_writer"]


def test_watch_of_a_station_that_never_asked_finds_a_new_master() -> None:
    assert kinds(at(5, master="192.0.2.66")) == ["new_master"]


def test_watch_of_a_function_never_used_finds_it() -> None:
    assert kinds(at(5, function=8, function_name="diagnostics", subfunction=4)) == ["new_function"]


def test_watch_of_a_value_out_of_range_finds_it_and_says_the_range() -> None:
    (one,) = found(write(5, 900))
    assert (one.what.value, one.expected) == ("value_out_of_range", "40 to 49")


def test_watch_of_addresses_never_touched_finds_them() -> None:
    assert kinds(at(5, address=105, count=20)) == ["new_object"]


def test_watch_of_a_device_never_seen_finds_it() -> None:
    assert kinds(at(5, outstation="192.0.2.77")) == ["new_device"]


def test_watch_of_a_poll_that_stops_and_comes_back_finds_the_gap() -> None:
    assert kinds(at(0), at(10), at(130), at(140)) == ["lost_poll"]


def test_watch_of_a_poll_that_never_comes_back_finds_it_at_the_end() -> None:
    assert kinds(at(0), at(10), write(100, 45)) == ["lost_poll"]


def test_watch_of_a_thousand_packets_that_differ_alike_gives_one_finding_a_window() -> None:
    (one,) = found(*(write(5 + n / 100, master="192.0.2.66") for n in range(1_000)))
    assert one.n == 1_000


def test_watch_tells_findings_whose_window_is_over() -> None:
    watch = Watch(frozen(usual()))
    watch.see([write(5, master="192.0.2.66"), write(700, master="192.0.2.67")])
    assert [one.master for one in watch.told()] == ["192.0.2.66"]


def test_learning_into_a_frozen_baseline_is_refused() -> None:
    with pytest.raises(ValueError, match="frozen"):
        learn(frozen([]), [at(0)])


def test_merged_baselines_know_what_either_learnt() -> None:
    one, other = Baseline(), Baseline()
    learn(one, usual()[:50])
    learn(other, [at(1, master="192.0.2.66")])
    both = merged(one, other)
    both.state = State.FROZEN
    watch = Watch(both)
    watch.see([at(5), at(6, master="192.0.2.66")])
    assert watch.finish() == []


@given(st.lists(st.tuples(st.integers(0, 70_000), st.integers(0, 100)), max_size=200))
def test_joined_spans_cover_all_in_order_and_are_bounded(pairs: list[tuple[int, int]]) -> None:
    spans = joined([(low, low + more) for low, more in pairs])
    assert len(spans) <= MAX_SPANS
    assert all(one[1] + 1 < other[0] for one, other in pairwise(spans))
    assert all(any(low <= start and start + more <= high for low, high in spans) for start, more in pairs)


def live() -> tuple[Watch, float]:
    """A watch, and the instant at which the last poll before was seen."""
    watch = Watch(frozen(usual()))
    watch.see([at(1_000.0)])
    return watch, (START + timedelta(seconds=1_000)).timestamp()


def test_watch_of_a_live_line_tells_at_once_and_once_a_window() -> None:
    watch, _ = live()
    strange = [write(1_001.0 + one, master="192.0.2.77") for one in range(500)]
    watch.see(strange[:1])
    (first,) = watch.fresh()
    watch.see(strange[1:])
    assert watch.fresh() == []
    assert (first.what.value, first.n) == ("new_writer", 500)
    watch.see([write(1_001.0 + 601, master="192.0.2.77")])
    assert len(watch.fresh()) == 1


def test_watch_of_a_live_line_misses_a_poll_as_time_passes_and_once() -> None:
    watch, last_s = live()
    assert not watch.pass_time(last_s + 11, live_s=60)
    assert watch.pass_time(last_s + 30, live_s=60)
    assert {finding.what.value for finding in watch.fresh()} == {"lost_poll"}
    assert not watch.pass_time(last_s + 40, live_s=60)


def test_watch_of_a_line_that_is_silent_altogether_calls_no_poll_lost() -> None:
    watch, last_s = live()
    assert not watch.pass_time(last_s + 3_600, live_s=60)
    assert watch.fresh() == []


def test_watch_of_a_station_that_tries_every_unit_finds_one_sweep() -> None:
    findings = found(*(at(float(unit), unit=unit, master="192.0.2.66") for unit in range(2, 248)))
    assert [(one.what.value, one.n) for one in findings] == [("new_device", 1)] * 4 + [("sweep", 242)]
    assert (findings[-1].master, findings[-1].device) == ("192.0.2.66", "modbus devices")


def test_watch_of_a_few_unknown_devices_finds_each() -> None:
    assert kinds(*(at(float(n), unit=2 + n % 4) for n in range(40))) == ["new_device"] * 4


def test_watch_of_unknown_devices_over_hours_finds_no_sweep() -> None:
    assert kinds(*(at(400.0 * n, unit=2 + n) for n in range(8))) == ["new_device"] * 8


def test_watch_of_unknown_devices_asked_by_many_stations_finds_no_sweep() -> None:
    asked = [at(float(n), unit=2 + n, master=f"192.0.2.{100 + n}") for n in range(8)]
    assert set(kinds(*asked)) == {"new_device"}
