"""What is usual at each device of a plant: who asks it, for what, where, with which values, and how often.

All of it is bounded: an attacker who invents devices or addresses fills his own share and no more, and what had no
room is counted. Two baselines of one plant can be put together (`merged`).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from amagasa.event.ot.message import CHANGING, Kind, Message

MAX_DEVICES: Final = 4_096
MAX_HABITS: Final = 512
# Ranges of addresses kept for one habit; beyond, the two nearest become one.
MAX_SPANS: Final = 32
VERSION: Final = 1
# The habit that counts every message between a device and a master: the rhythm of both together.
ANY: Final = "*"


class State(StrEnum):
    """A baseline learns until a person freezes it; only then does it alarm."""

    LEARNING = "learning"
    FROZEN = "frozen"


class Habit(Struct, kw_only=True):
    """One function on one object, by one master: `spans` are closed ranges of addresses, times are seconds (UTC)."""

    function: str
    object: str = ""
    is_changing: bool = False
    n: int = 0
    spans: list[tuple[int, int]] = []
    low: float | None = None
    high: float | None = None
    first_s: float = 0.0
    last_s: float = 0.0
    longest_gap_s: float = 0.0
    n_gaps: int = 0

    @property
    def mean_gap_s(self) -> float:
        """Seconds from one to the next, on average; 0 where there was but one."""
        return (self.last_s - self.first_s) / self.n_gaps if self.n_gaps > 0 else 0.0


class Device(Struct, kw_only=True):
    """One outstation (and unit) of one protocol, and the habits of each of its masters."""

    protocol: str
    masters: dict[str, dict[str, Habit]] = {}


class Baseline(Struct, kw_only=True):
    """What was learnt in the period `since` to `until`; `n_left_out` messages found no room."""

    version: int = VERSION
    state: State = State.LEARNING
    since: datetime | None = None
    until: datetime | None = None
    n_messages: int = 0
    n_left_out: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None
    devices: dict[str, Device] = {}


def device_of(message: Message) -> str:
    """The name of the device that a message is about: `modbus 192.0.2.9 unit 3`."""
    unit = "" if message.unit is None else f" unit {message.unit}"
    return f"{message.ot} {message.outstation}{unit}"


def is_telling(message: Message) -> bool:
    """Whether a message says something about habits: responses repeat what was asked, links say nothing."""
    return message.kind in {Kind.REQUEST, Kind.UNSOLICITED, Kind.PUBLISH} and bool(message.function_name)


def habit_key(message: Message) -> str:
    """What makes two messages the same habit."""
    sub = f"/{message.subfunction}" if message.subfunction is not None and message.ot in {"modbus", "s7comm"} else ""
    return f"{message.function_name}{sub} {message.object}".rstrip()


def seconds_of(message: Message) -> float | None:
    """The instant of a message as seconds since 1970."""
    try:
        return datetime.fromisoformat(message.timestamp).timestamp()
    except (ValueError, OverflowError):
        return None


def span_of(message: Message) -> tuple[int, int] | None:
    """The addresses that a message touches."""
    if message.address is None:
        return None
    return message.address, message.address + max(message.count or 1, 1) - 1


def number_of(message: Message) -> float | None:
    """The value that a message sets, where it is a number."""
    return float(message.value) if isinstance(message.value, int | float) and message.kind is Kind.REQUEST else None


def learn(baseline: Baseline, messages: Iterable[Message]) -> None:
    """Take in what is usual. Only while it is learning: raises ValueError on a frozen one."""
    if baseline.state is State.FROZEN:
        message = "a frozen baseline does not learn"
        raise ValueError(message)
    for one in messages:
        at_s = seconds_of(one)
        if not is_telling(one) or at_s is None:
            continue
        baseline.n_messages += 1
        habit = _habit(baseline, one)
        if habit is None:
            baseline.n_left_out += 1
            continue
        _take(habit, one, at_s)
        habits = baseline.devices[device_of(one)].masters[one.master]
        _take_time(habits.setdefault(ANY, Habit(function="any message")), at_s)
        at = datetime.fromtimestamp(at_s, UTC)
        baseline.since = at if baseline.since is None else min(at, baseline.since)
        baseline.until = at if baseline.until is None else max(at, baseline.until)


def _habit(baseline: Baseline, message: Message) -> Habit | None:
    name = device_of(message)
    device = baseline.devices.get(name)
    if device is None:
        if len(baseline.devices) >= MAX_DEVICES:
            return None
        device = baseline.devices[name] = Device(protocol=message.ot)
    key = habit_key(message)
    habits = device.masters.get(message.master)
    if habits is not None and (found := habits.get(key)) is not None:
        return found
    if sum(map(len, device.masters.values())) >= MAX_HABITS:
        return None
    habit = Habit(function=message.function_name, object=message.object, is_changing=message.operation in CHANGING)
    device.masters.setdefault(message.master, {})[key] = habit
    return habit


def _take_time(habit: Habit, at_s: float) -> None:
    if habit.n:
        gap = at_s - habit.last_s
        if gap > 0:
            habit.longest_gap_s = max(habit.longest_gap_s, gap)
        habit.n_gaps += 1
    else:
        habit.first_s = at_s
    habit.n += 1
    habit.last_s = max(habit.last_s, at_s)


def _take(habit: Habit, message: Message, at_s: float) -> None:
    _take_time(habit, at_s)
    if (span := span_of(message)) is not None:
        habit.spans = joined([*habit.spans, span])
    if (number := number_of(message)) is not None:
        habit.low = number if habit.low is None else min(habit.low, number)
        habit.high = number if habit.high is None else max(habit.high, number)


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same addresses in order, touching ranges as one, at most `MAX_SPANS` (then with some between them)."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    while len(found) > MAX_SPANS:
        place = min(range(len(found) - 1), key=lambda one: found[one + 1][0] - found[one][1])
        found[place : place + 2] = [(found[place][0], found[place + 1][1])]
    return found


def merged(one: Baseline, other: Baseline) -> Baseline:
    """Both as one, still learning; of what was learnt at both, the wider."""
    result = Baseline(
        since=min((at for at in (one.since, other.since) if at), default=None),
        until=max((at for at in (one.until, other.until) if at), default=None),
        n_messages=one.n_messages + other.n_messages,
        n_left_out=one.n_left_out + other.n_left_out,
    )
    for baseline in (one, other):
        for name, device in baseline.devices.items():
            target = result.devices.setdefault(name, Device(protocol=device.protocol))
            for master, habits in device.masters.items():
                mine = target.masters.setdefault(master, {})
                for key, habit in habits.items():
                    mine[key] = _wider(mine[key], habit) if key in mine else habit
    return result


def _wider(one: Habit, other: Habit) -> Habit:
    lows = [low for low in (one.low, other.low) if low is not None]
    highs = [high for high in (one.high, other.high) if high is not None]
    return Habit(
        function=one.function,
        object=one.object,
        is_changing=one.is_changing,
        n=one.n + other.n,
        spans=joined([*one.spans, *other.spans]),
        low=min(lows, default=None),
        high=max(highs, default=None),
        first_s=min(one.first_s, other.first_s),
        last_s=max(one.last_s, other.last_s),
        longest_gap_s=max(one.longest_gap_s, other.longest_gap_s),
        n_gaps=one.n_gaps + other.n_gaps,
    )
