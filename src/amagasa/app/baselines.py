"""Baselines of devices over files: learn what is usual, freeze it by a person's word, find what differs."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict

from amagasa.app.detect_files import Item
from amagasa.detect.baseline.profile import Baseline, State, learn
from amagasa.detect.baseline.watch import MEANINGS, Finding, Watch, What
from amagasa.detect.report import Detection
from amagasa.event.entities import entities_of
from amagasa.event.jsonline import object_of
from amagasa.event.ot.message import Message, line_of, message_of
from amagasa.event.ot.sensor import sensor_message
from amagasa.event.products import route_of_record
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Level

_MARK = b'"ot":'


def messages_of(chunk: Chunk) -> Iterator[Message]:
    """The messages in a chunk: of captures and flows as they are, of sensors' logs as they say them."""
    if chunk.format is not Format.JSON:
        return
    for line in chunk.data.splitlines():
        if _MARK in line[:8]:
            message = message_of(line)
        elif b'"modbus"' in line or b'"dnp3"' in line:
            record = object_of(line)
            message = sensor_message(route_of_record(record).name, record) if isinstance(record, dict) else None
        else:
            continue
        if message is not None:
            yield message


def learn_from(items: Iterable[Item], baseline: Baseline) -> list[Reject | SourceFault]:
    """Learn all messages of these; what of them could not be read comes back. Raises BadInputError on a frozen one."""
    if baseline.state is State.FROZEN:
        raise BadInputError(
            "AMG-BASELINE-FROZEN",
            "a frozen baseline does not learn",
            expected="a baseline that is learning",
            got=f"one that {baseline.changed_by or 'somebody'} froze",
            then="nothing was learnt; `amagasa baseline thaw` lets it learn again",
        )
    left: list[Reject | SourceFault] = []
    for item in items:
        if isinstance(item, Chunk):
            learn(baseline, messages_of(item))
        else:
            left.append(item)
    return left


def change_state(baseline: Baseline, state: State, *, by: str, now: datetime) -> None:
    """Freeze or thaw, by a named person. Raises BadInputError where there is nothing to freeze."""
    if state is State.FROZEN and not baseline.n_messages:
        raise BadInputError(
            "AMG-BASELINE-EMPTY",
            "the baseline has learnt nothing",
            expected="a baseline that learnt for a stated period",
            got="no messages",
            then="it stays as it is; frozen, it would call everything new",
        )
    baseline.state, baseline.changed_by, baseline.changed_at = state, by, now


class BaselineWatch:
    """A frozen baseline beside detection in files: taps what is read, and tells at the end."""

    def __init__(self, baseline: Baseline) -> None:
        if baseline.state is not State.FROZEN:
            raise BadInputError(
                "AMG-BASELINE-LEARNING",
                "a baseline alarms only once a person froze it",
                expected="a frozen baseline",
                got="one that is learning",
                then="nothing was looked at; `amagasa baseline freeze` freezes it",
            )
        self._watch = Watch(baseline)
        self._places: dict[str, str] = {}
        self._found: list[Detection] = []

    def tap(self, streams: Iterable[Iterable[Item]]) -> Iterator[Iterator[Item]]:
        """The same streams; what passes is compared."""
        for stream in streams:
            yield self._tapped(stream)

    def finish(self) -> Iterator[Detection]:
        """What differed, in the order of time of each file."""
        yield from self._found

    def _tapped(self, stream: Iterable[Item]) -> Iterator[Item]:
        path = ""
        for item in stream:
            if isinstance(item, Chunk):
                path = item.path
                self._watch.see(messages_of(item))
                self._take(self._watch.told(), path)
            yield item
        self._take(self._watch.finish(), path)
        self._watch.rest()

    def _take(self, findings: Iterable[Finding], path: str) -> None:
        self._found.extend(detection_of(finding, path) for finding in findings)


def detection_of(finding: Finding, path: str) -> Detection:
    """A finding as a detection: its fields say what differs, from what, and how often."""
    meaning, example = MEANINGS[finding.what], finding.example
    fields: dict[str, Any] = {
        "device": finding.device,
        "master": finding.master,
        "seen": finding.details,
        "usual": finding.expected,
        "n_messages": finding.n,
        "first_at": _instant(finding.first_s),
        "last_at": _instant(finding.last_s),
    }
    event = {name: value for name, value in asdict(example).items() if value not in (None, "", [], 0)}
    level = meaning.level
    if finding.what is What.NEW_FUNCTION and finding.is_changing:
        level = Level.HIGH
    return Detection(
        rule_id=f"baseline-{finding.what.value.replace('_', '-')}",
        title=meaning.title,
        level=level,
        path=path,
        record=example.packet,
        event_at=datetime.fromtimestamp(finding.first_s, UTC),
        techniques=meaning.techniques,
        tactics=meaning.tactics,
        fields=fields,
        event=event | fields,
        entities=entities_of(event),
        raw=line_of(example).decode("utf-8", "backslashreplace")[:4_096],
    )


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
