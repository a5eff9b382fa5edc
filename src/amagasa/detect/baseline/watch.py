"""What differs from a frozen baseline: one finding a device, master, kind and ten minutes, however many packets."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from amagasa.detect.baseline.profile import (
    ANY,
    Baseline,
    Device,
    Habit,
    device_of,
    habit_key,
    is_telling,
    number_of,
    seconds_of,
    span_of,
)
from amagasa.event.ot.message import CHANGING, Message
from amagasa.vocab.severity import Level

WINDOW_S: Final = 600.0
# Findings kept open; beyond, the oldest are told early.
MAX_OPEN: Final = 4_096
# More unknown devices than this (units behind a gateway too) that one station asks within a window are one finding.
SINGLE_DEVICES: Final = 4
# Stations of which unknown devices are remembered; the oldest go first.
MAX_SWEEPERS: Final = 1_024
# Rhythm is judged only where it was learnt over so many polls, in a period many times the longest gap.
MIN_POLLS: Final = 10
MIN_LONGEST: Final = 20.0
# A poll is lost after so many times the longest gap ever learnt.
LOST_AFTER: Final = 1.5


class What(StrEnum):
    """How a message differs."""

    NEW_DEVICE = "new_device"
    SWEEP = "sweep"
    NEW_MASTER = "new_master"
    NEW_WRITER = "new_writer"
    NEW_FUNCTION = "new_function"
    NEW_OBJECT = "new_object"
    VALUE = "value_out_of_range"
    LOST_POLL = "lost_poll"


class Meaning(Struct, frozen=True, kw_only=True):
    """How a person is told."""

    title: str
    level: Level
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]


MEANINGS: Final[dict[What, Meaning]] = {
    What.NEW_DEVICE: Meaning(
        title="Device that the baseline does not know",
        level=Level.LOW,
        techniques=("T0848",),
        tactics=("initial-access",),
    ),
    What.SWEEP: Meaning(
        title="Station that asks for one unknown device after the other",
        level=Level.MEDIUM,
        techniques=("T0846",),
        tactics=("discovery",),
    ),
    What.NEW_MASTER: Meaning(
        title="Station that never asked this device before",
        level=Level.MEDIUM,
        techniques=("T0848",),
        tactics=("initial-access",),
    ),
    What.NEW_WRITER: Meaning(
        title="Station that never changed this device before",
        level=Level.HIGH,
        techniques=("T0855", "T0848"),
        tactics=("impair-process-control",),
    ),
    What.NEW_FUNCTION: Meaning(
        title="Function that this master never used on this device",
        level=Level.MEDIUM,
        techniques=("T0855",),
        tactics=("impair-process-control",),
    ),
    What.NEW_OBJECT: Meaning(
        title="Addresses that this master never touched on this device",
        level=Level.MEDIUM,
        techniques=("T0861",),
        tactics=("collection",),
    ),
    What.VALUE: Meaning(
        title="Value outside of what was ever set on this device",
        level=Level.HIGH,
        techniques=("T0836",),
        tactics=("impair-process-control",),
    ),
    What.LOST_POLL: Meaning(
        title="Polling of a device stopped",
        level=Level.MEDIUM,
        techniques=("T0815",),
        tactics=("impact",),
    ),
}


class Finding(Struct, kw_only=True):
    """`n` messages of one window that differ alike, with the first of them; `expected` is what was learnt."""

    what: What
    device: str
    master: str
    details: list[str]
    expected: str
    n: int
    first_s: float
    last_s: float
    example: Message
    is_changing: bool = False


class Watch:
    """A frozen baseline, and what was seen since: bounded by it, since only known habits have a rhythm."""

    def __init__(self, baseline: Baseline) -> None:
        self._devices = baseline.devices
        self._open: dict[tuple[str, str, What], Finding] = {}
        self._closed: list[Finding] = []
        self._fresh: list[Finding] = []
        self._last: dict[tuple[str, str, str], float] = {}
        self._examples: dict[tuple[str, str, str], Message] = {}
        self._unknown: dict[str, dict[str, float]] = {}
        self._now_s = 0.0
        self._looked_s = 0.0

    def see(self, messages: Iterable[Message]) -> None:
        """Compare; what differs is folded into findings."""
        for message in messages:
            at_s = seconds_of(message)
            if at_s is None or not is_telling(message):
                continue
            self._now_s = max(self._now_s, at_s)
            for what, detail, expected in self._differences(message, at_s):
                if what is What.NEW_DEVICE and self._is_sweep(message, at_s):
                    self._fold(What.SWEEP, message, at_s, (detail, "no such devices"))
                else:
                    self._fold(what, message, at_s, (detail, expected))

    def told(self) -> list[Finding]:
        """The findings whose window is over; `finish` has the rest."""
        self._close_over()
        found, self._closed, self._fresh = self._closed, [], []
        return found

    def fresh(self) -> list[Finding]:
        """The findings that began since the last call, as they are now: for who must know at once.

        What else comes in their windows is not told again; windows that are over are let go.
        """
        self._close_over()
        self._closed = []
        found, self._fresh = self._fresh, []
        return found

    def pass_time(self, now_s: float, *, live_s: float) -> bool:
        """Where the last message is not older than `live_s` and a poll is overdue now: fold that. Whether there is any.

        Where nothing at all was seen for longer, the line itself is silent, which is another matter.
        """
        if not self._now_s <= now_s <= self._now_s + live_s or now_s < self._looked_s + 1:
            return False
        self._looked_s = now_s
        for name, master, key in list(self._last):
            if self._lost(self._devices[name].masters[master][key], (name, master, key), now_s, None):
                del self._last[name, master, key]  # it is told once, until it speaks again
        return bool(self._fresh)

    def finish(self) -> list[Finding]:
        """All that is left, and the polls that were lost at the end."""
        for name, master, key in list(self._last):
            habit = self._devices[name].masters[master][key]
            self._lost(habit, (name, master, key), self._now_s, None)
        self._closed.extend(self._open.values())
        self._open = {}
        found, self._closed, self._fresh = self._closed, [], []
        return sorted(found, key=lambda one: one.first_s)

    def rest(self) -> None:
        """Forget when polls were last seen: what comes next is another recording."""
        self._last, self._examples, self._unknown, self._now_s = {}, {}, {}, 0.0

    def _close_over(self) -> None:
        for key, finding in list(self._open.items()):
            if self._now_s - finding.first_s > WINDOW_S:
                self._closed.append(self._open.pop(key))

    def _differences(self, message: Message, at_s: float) -> Iterator[tuple[What, str, str]]:
        name = device_of(message)
        device = self._devices.get(name)
        is_changing = message.operation in CHANGING
        if device is None:
            yield What.NEW_DEVICE, name, "no such device"
            return
        habits = device.masters.get(message.master)
        if habits is not None and ANY in habits:
            self._lost(habits[ANY], (name, message.master, ANY), at_s, message)
        if is_changing and not _changes(habits):
            yield What.NEW_WRITER, _said(message), f"changed by {_writers(device)}"
        elif habits is None:
            yield What.NEW_MASTER, _said(message), f"asked by {', '.join(sorted(device.masters)[:5])}"
        elif (habit := habits.get(habit_key(message))) is None:
            yield What.NEW_FUNCTION, _said(message), ", ".join(sorted(habits.keys() - {ANY})[:8])
        else:
            yield from _places(habit, message)
            self._lost(habit, (name, message.master, habit_key(message)), at_s, message)

    def _is_sweep(self, message: Message, at_s: float) -> bool:
        """Whether this station has asked too many unknown devices in this window for each to be told by itself."""
        asked = self._unknown.get(message.master)
        if asked is None:
            if len(self._unknown) >= MAX_SWEEPERS:
                del self._unknown[next(iter(self._unknown))]
            asked = self._unknown[message.master] = {}
        name = device_of(message)
        if name not in asked and len(asked) >= SINGLE_DEVICES:
            for old in [old for old, seen_s in asked.items() if at_s - seen_s > WINDOW_S]:
                del asked[old]
        if name in asked or len(asked) < SINGLE_DEVICES:
            asked[name] = at_s
            return False
        asked.update(dict.fromkeys(asked, at_s))  # it goes on
        return True

    def _lost(self, habit: Habit, key: tuple[str, str, str], at_s: float, message: Message | None) -> bool:
        """Whether it was lost."""
        last = self._last.get(key)
        if message is not None:
            self._last[key] = max(at_s, last or 0.0)
            self._examples[key] = message
        is_even = habit.n_gaps >= MIN_POLLS and habit.last_s - habit.first_s >= MIN_LONGEST * habit.longest_gap_s
        if last is None or not is_even or at_s - last <= LOST_AFTER * habit.longest_gap_s:
            return False
        example = message or self._examples[key]
        detail = f"{'any message' if key[2] == ANY else key[2]}: nothing for {at_s - last:.0f} s"
        self._fold(What.LOST_POLL, example, last, (detail, f"at most {habit.longest_gap_s:.0f} s"))
        return True

    def _fold(self, what: What, message: Message, at_s: float, said: tuple[str, str]) -> None:
        name = f"{message.ot} devices" if what is What.SWEEP else device_of(message)
        key = (name, message.master, what)
        finding = self._open.get(key)
        if finding is not None and at_s - finding.first_s > WINDOW_S:
            self._closed.append(self._open.pop(key))
            finding = None
        if finding is None:
            if len(self._open) >= MAX_OPEN:
                self._closed.append(self._open.pop(next(iter(self._open))))
            finding = self._open[key] = Finding(
                what=what,
                device=key[0],
                master=message.master,
                details=[],
                expected=said[1],
                n=0,
                first_s=at_s,
                last_s=at_s,
                example=message,
            )
            self._fresh.append(finding)
        finding.n += 1
        finding.last_s = max(finding.last_s, at_s)
        finding.is_changing = finding.is_changing or message.operation in CHANGING
        if len(finding.details) < 5 and said[0] not in finding.details:
            finding.details.append(said[0])


def _changes(habits: dict[str, Habit] | None) -> bool:
    return habits is not None and any(habit.is_changing for habit in habits.values())


def _writers(device: Device) -> str:
    found = sorted(master for master, habits in device.masters.items() if _changes(habits))
    return ", ".join(found[:5]) or "nobody"


def _said(message: Message) -> str:
    span = span_of(message)
    place = "" if span is None else f" {span[0]}" if span[0] == span[1] else f" {span[0]}-{span[1]}"
    return f"{habit_key(message)}{place}"


def _places(habit: Habit, message: Message) -> Iterator[tuple[What, str, str]]:
    span = span_of(message)
    if span is not None and habit.spans and not any(low <= span[0] and span[1] <= high for low, high in habit.spans):
        ranges = ", ".join(f"{low}-{high}" for low, high in habit.spans[:6])
        yield What.NEW_OBJECT, _said(message), ranges
    number = number_of(message)
    if number is None or habit.low is None or habit.high is None:
        return
    if not habit.low <= number <= habit.high:
        yield What.VALUE, f"{_said(message)} = {number:g}", f"{habit.low:g} to {habit.high:g}"
