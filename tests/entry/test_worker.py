"""The worker process and what keeps it alive: real processes, real logs, a store that fails when it is told to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.detect.stix.records import NOW, indicator
from tests.journeys.nodes import MARK_RULE, access_line, append, eventually

from amagasa.adapters.content.baseline_file import load_baseline
from amagasa.adapters.content.kept_files import KeptFiles
from amagasa.app.reject_ports import RejectHead, reject_head_in
from amagasa.app.worker_messages import (
    Ack,
    Active,
    BaselineWish,
    Batch,
    Begin,
    Compiling,
    Content,
    Correlating,
    FeedAgain,
    FromWorker,
    LeftOut,
    MoreIndicators,
    Part,
    Ready,
    RejectSpec,
    RuleChange,
    SourceSpec,
    SourceState,
    Stop,
    Stopped,
    ToWorker,
    Trouble,
    read_from_worker,
)
from amagasa.detect.baseline.profile import State
from amagasa.detect.correlation.correlate import correlate
from amagasa.detect.correlation.windows import Manner, Windows
from amagasa.detect.report import Standing
from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.rule import Rule
from amagasa.entry.node.frames import FrameReader, write_frame
from amagasa.entry.node.watcher import Listener, Watcher
from amagasa.entry.wiring_detect import begin_with
from amagasa.event.ot.message import Kind, Message, line_of
from amagasa.vocab.errors import WorldError

WAIT_S = 60.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.touch()
    return path


@pytest.fixture
def begin(tmp_path: Path, log: Path) -> Begin:
    rule = tmp_path / "mark.yml"
    rule.write_text(MARK_RULE, encoding="utf-8")
    source = SourceSpec(name="web", path=str(log), format="access")
    return Begin(sources=(source,), is_builtin_wanted=False, rule_paths=(str(rule),))


class Child:
    """A worker process spoken to by hand."""

    def __init__(self, begin: Begin) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "amagasa.entry.node.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin, self._reader = self.process.stdin, FrameReader(self.process.stdout.fileno())
        self.send(begin)

    def send(self, message: ToWorker) -> None:
        write_frame(self._stdin.fileno(), msgspec.msgpack.encode(message))

    def hear(self, timeout_s: float = WAIT_S) -> FromWorker | None:
        frame = self._reader.read(timeout_s)
        return None if frame is None else read_from_worker(frame)

    def hear_until(self, kind: type) -> list[Any]:
        """All messages up to the first of this kind."""
        heard: list[Any] = []
        while not heard or not isinstance(heard[-1], kind):
            message = self.hear()
            assert message is not None, heard
            heard.append(message)
        return heard

    def hang_up(self) -> int:
        self._stdin.close()
        return self.process.wait(WAIT_S)


@contextmanager
def child_of(begin: Begin) -> Iterator[Child]:
    child = Child(begin)
    try:
        yield child
    finally:
        child.process.kill()
        child.process.wait()
        for stream in (child.process.stdin, child.process.stdout):
            assert stream is not None
            stream.close()


def attack(n: int) -> str:
    return access_line(f"203.0.113.{n}", "/journey-mark")


def test_worker_says_ready_then_sends_what_is_new_with_the_position_behind_it(begin: Begin, log: Path) -> None:
    with child_of(begin) as child:
        ready = child.hear()
        assert ready == Ready(n_rules=1, faults=())
        append(log, attack(1), access_line("203.0.113.2"), "no access line at all")
        batch = child.hear_until(Batch)[-1]
    assert (batch.n_read, batch.n_accepted, batch.n_rejected) == (3, 2, 1)
    assert [one.title for one in batch.detections] == ["Mark of the journey"]
    assert batch.token["n_records"] == 3


def test_worker_begun_with_a_position_reads_on_from_there(begin: Begin, log: Path) -> None:
    append(log, attack(1))
    with child_of(begin) as child:
        token = child.hear_until(Batch)[-1].token
    append(log, attack(2))
    again = replace(begin, sources=(replace(begin.sources[0], token=token),))
    with child_of(again) as child:
        batch = child.hear_until(Batch)[-1]
    assert [one.record for one in batch.detections] == [2]


def rejects_kept(batch: Batch) -> RejectHead:
    return reject_head_in(batch.token)


def test_worker_feeds_rejects_again_once_in_the_format_that_is_named_now(
    begin: Begin, log: Path, tmp_path: Path
) -> None:
    begin = replace(begin, rejects=RejectSpec(folder=str(tmp_path / "rejects"), quota_bytes=1 << 30))
    as_json = replace(begin, sources=(replace(begin.sources[0], format="json"),))
    with child_of(as_json) as child:
        append(log, attack(1), access_line("203.0.113.2"), attack(3))
        batch = child.hear_until(Batch)[-1]
        assert (batch.n_rejected, rejects_kept(batch).n_kept) == (3, 3)
        token = batch.token
    mended = replace(begin, sources=(replace(begin.sources[0], token=token),))
    with child_of(mended) as child:
        child.hear_until(Ready)
        child.send(FeedAgain(source="web"))
        wish = child.hear_until(Batch)[-1]
        fed = child.hear_until(Batch)[-1]
        child.send(FeedAgain(source="web"))  # nothing is left
        child.send(Stop())
        rest = child.hear_until(Stopped)
    assert rejects_kept(wish).until is not None
    assert (fed.n_read, fed.n_accepted, fed.n_rejected, fed.again) == (0, 3, -3, (1, 2, 3))
    assert [one.record for one in fed.detections] == [1, 3]
    assert (rejects_kept(fed).n_kept, rejects_kept(fed).n_mended, rejects_kept(fed).until) == (0, 3, None)
    assert [one for one in rest if isinstance(one, Batch)] == []


def test_worker_killed_while_it_feeds_rejects_again_goes_on_from_what_was_committed(
    begin: Begin, log: Path, tmp_path: Path
) -> None:
    spec = RejectSpec(folder=str(tmp_path / "rejects"), quota_bytes=1 << 30)
    begin = replace(begin, rejects=spec, chunk_bytes=300, max_ahead=3)
    append(log, *[f"no line {n}" for n in range(20)])
    heard: list[Batch] = []
    with child_of(begin) as child:
        while not heard or heard[-1].token["n_records"] < 20:
            heard += [one for one in child.hear_until(Batch) if isinstance(one, Batch)]
            child.send(Ack(n=1))
        child.send(FeedAgain(source="web"))
        committed = [child.hear_until(Batch)[-1] for _ in range(3)]  # the wish and two parts; then it waits
    left = rejects_kept(committed[-1])
    again = replace(begin, sources=(replace(begin.sources[0], token=committed[-1].token),))
    with child_of(again) as child:
        while not committed[-1].again or rejects_kept(committed[-1]).until is not None:
            committed.append(child.hear_until(Batch)[-1])
            child.send(Ack(n=1))
    assert left.until is not None
    assert [record for batch in committed for record in batch.again] == list(range(1, 21))
    assert rejects_kept(committed[-1]).n_kept == 20  # none could be read: each is kept once more


def modbus_line(number: int, at: datetime, function: str, *, master: str = "192.0.2.1") -> str:
    message = Message(
        ot="modbus",
        timestamp=at.isoformat(),
        packet=number,
        kind=Kind.REQUEST,
        master=master,
        outstation="192.0.2.9",
        unit=1,
        function_name=function,
        operation="write" if function.startswith("write") else "read",
        address=4,
    )
    return line_of(message).decode()


def test_worker_learns_a_plant_and_once_it_is_frozen_tells_one_finding_a_window_over_a_restart(
    begin: Begin, log: Path, tmp_path: Path
) -> None:
    source = replace(begin.sources[0], format="json")
    begin = replace(begin, sources=(source,), baseline=str(tmp_path / "plant.baseline"))
    at = datetime(2026, 11, 27, 9, tzinfo=UTC)
    with child_of(begin) as child:
        child.hear_until(Ready)
        append(log, *[modbus_line(n, at + timedelta(seconds=n), "read_coils") for n in range(1, 21)])
        learnt = child.hear_until(Batch)[-1]
        child.send(BaselineWish(state=State.FROZEN, by="M. Sato", at=at))
        child.send(Stop())
        child.hear_until(Stopped)
    assert learnt.detections == ()
    assert load_baseline(tmp_path / "plant.baseline").state is State.FROZEN
    again = replace(begin, sources=(replace(source, token=learnt.token),))
    strange = [modbus_line(n, at + timedelta(seconds=n), "write_coil", master="192.0.2.7") for n in range(21, 60)]
    with child_of(again) as child:
        child.hear_until(Ready)
        append(log, *strange)
        batch = child.hear_until(Batch)[-1]
    assert [(one.rule_id, one.record) for one in batch.detections] == [("baseline-new-writer", 21)]


def test_worker_does_not_write_over_a_baseline_that_it_cannot_read(begin: Begin, log: Path, tmp_path: Path) -> None:
    path = tmp_path / "plant.baseline"
    path.write_text("{damaged", encoding="utf-8")
    source = replace(begin.sources[0], format="json")
    with child_of(replace(begin, sources=(source,), baseline=str(path))) as child:
        append(log, modbus_line(1, datetime(2026, 11, 27, 9, tzinfo=UTC), "read_coils"))
        told = child.hear_until(Trouble)[-1]
        child.send(Stop())
        child.hear_until(Stopped)
    assert "AMG-BASELINE" in told.what
    assert path.read_text(encoding="utf-8") == "{damaged"


def test_worker_without_acknowledgements_reads_no_further_ahead_than_it_may(begin: Begin, log: Path) -> None:
    append(log, *[attack(1)] * 60)
    with child_of(replace(begin, max_ahead=2, chunk_bytes=1)) as child:
        child.hear_until(Batch)
        append(log, attack(2))
        child.hear_until(Batch)
        append(log, attack(3))
        child.send(Stop())  # answered behind whatever it would still send
        rest = child.hear_until(Stopped)
    assert [one for one in rest if isinstance(one, Batch)] == []


def test_worker_acknowledged_goes_on(begin: Begin, log: Path) -> None:
    with child_of(replace(begin, max_ahead=1)) as child:
        for n in (1, 2, 3):
            append(log, attack(n))
            assert child.hear_until(Batch)[-1].n_read == 1
            child.send(Ack(n=1))


def test_worker_whose_main_process_is_gone_ends_quietly(begin: Begin) -> None:
    with child_of(begin) as child:
        child.hear_until(Ready)
        assert child.hang_up() == 0


def test_worker_asked_to_end_by_signal_leaves_that_to_the_main_process(begin: Begin, log: Path) -> None:
    with child_of(begin) as child:
        child.hear_until(Ready)
        child.process.send_signal(signal.SIGTERM)
        child.process.send_signal(signal.SIGINT)
        append(log, attack(1))
        assert child.hear_until(Batch)[-1].n_read == 1


def test_worker_given_content_confirms_it_and_ignores_an_older_version(begin: Begin, log: Path) -> None:
    named = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": "indicator--5a5d8f3c-8a2e-4f34-9e0c-3c2f8f0a1b11",
        "created": "2026-01-01T00:00:00Z",
        "modified": "2026-01-01T00:00:00Z",
        "pattern": "[ipv4-addr:value = '203.0.113.77']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
    }
    newer = Content(version=2, rules=(), indicators=(named,), origins={})
    with child_of(begin) as child:
        child.send(newer)
        child.send(Content(version=1, rules=(), indicators=(), origins={}))
        assert child.hear_until(Active)[-1] == Active(version=2, faults=())
        append(log, access_line("203.0.113.77"))
        heard = child.hear_until(Batch)
    assert not any(isinstance(one, Active) for one in heard)
    assert [one.indicator_id for one in heard[-1].detections] == [named["id"]]


def test_worker_given_a_pattern_over_records_sends_what_it_takes_to_put_them_together(begin: Begin, log: Path) -> None:
    pattern = "([url:value = '/a'] FOLLOWEDBY [url:value = '/b']) WITHIN 60 SECONDS"
    with child_of(begin) as child:
        child.send(Content(version=1, rules=(), indicators=(indicator(pattern),), origins={}))
        linked = [one for one in child.hear_until(Active) if isinstance(one, Correlating)][-1]
        append(log, access_line("203.0.113.7", "/a"), access_line("203.0.113.7", "/b", second=9))
        batch = child.hear_until(Batch)[-1]
    assert batch.detections == ()
    found = correlate(batch.hits, Windows(), Manner(links=linked.links), now=NOW)
    assert [(one.indicator_id, one.record) for one in found.detections] == [(indicator(pattern)["id"], 2)]


def test_worker_tells_a_source_that_is_missing_once_and_when_it_is_there(begin: Begin, log: Path) -> None:
    log.unlink()
    with child_of(begin) as child:
        state = child.hear_until(SourceState)[-1]
        assert "AMG-SOURCE" in state.fault
        append(log, attack(1))
        after = child.hear_until(Batch)
    assert [one.fault for one in after if isinstance(one, SourceState)] == [""]


class Main:
    """What a main process does, with a commit that fails as told."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self.committed: list[Batch] = []
        self.failures: list[Exception] = []
        self.n_tried = 0
        self.troubles: list[str] = []
        self.watcher = Watcher(
            Listener(
                begin=self.begin,
                content=lambda: None,
                record=self._record,
                tell=self.tell,
                trouble=self.troubles.append,
            )
        )

    def begin(self) -> Begin:
        if not self.committed:
            return self._begin
        source = replace(self._begin.sources[0], token=self.committed[-1].token)
        return replace(self._begin, sources=(source,))

    def tell(self, message: Ready | Compiling | LeftOut | Correlating | Active | SourceState | Trouble) -> None:
        """Nothing of it matters here."""

    def _record(self, batch: Batch) -> None:
        self.n_tried += 1
        if self.failures:
            raise self.failures.pop(0)
        self.committed.append(batch)

    def records(self) -> list[int]:
        return [one.record for batch in self.committed for one in batch.detections]


@contextmanager
def main_of(begin: Begin) -> Iterator[Main]:
    main = Main(begin)
    main.watcher.start()
    try:
        yield main
    finally:
        main.watcher.stop()


def test_watcher_whose_commit_fails_tries_the_same_batch_again(begin: Begin, log: Path) -> None:
    with main_of(begin) as main:
        main.failures = [WorldError("AMG-STORE-FULL", "the disk is full")] * 2
        append(log, attack(1))
        eventually(lambda: main.committed, about="the batch is committed")
        append(log, attack(2))
        eventually(lambda: main.records() == [1, 2], about="both are committed once")
    assert main.n_tried == 4
    assert main.watcher.n_starts == 1
    assert all("AMG-STORE-FULL" in trouble for trouble in main.troubles)


def test_watcher_met_by_a_mistake_of_ours_says_so_and_goes_on(begin: Begin, log: Path) -> None:
    with main_of(begin) as main:
        main.failures = [RuntimeError("ours")]
        append(log, attack(1))
        eventually(lambda: main.records() == [1], about="the next worker read it again")
    assert main.watcher.n_starts == 2
    assert any("RuntimeError" in trouble for trouble in main.troubles)


def test_watcher_whose_position_cannot_be_read_tries_again(begin: Begin, log: Path) -> None:
    main = Main(begin)
    refusals = [WorldError("AMG-STORE-LOCKED", "held")]
    told = main.begin

    def refusing() -> Begin:
        if refusals:
            raise refusals.pop()
        return told()

    main.watcher = Watcher(
        Listener(
            begin=refusing, content=lambda: None, record=main._record, tell=main.tell, trouble=main.troubles.append
        )
    )
    main.watcher.start()
    try:
        append(log, attack(1))
        eventually(lambda: main.records() == [1], about="read in the end")
    finally:
        main.watcher.stop()


def test_watcher_whose_worker_is_killed_loses_and_doubles_nothing(begin: Begin, log: Path) -> None:
    with main_of(begin) as main:
        for n in range(1, 5):
            append(log, attack(n))
            eventually(lambda n=n: main.records() == list(range(1, n + 1)), about=f"record {n}")  # type: ignore[misc]
            pid = main.watcher.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
    assert main.records() == [1, 2, 3, 4]
    assert main.watcher.n_starts >= 4


def test_watcher_whose_worker_a_fault_of_native_code_ended_goes_on_without_it(begin: Begin, log: Path) -> None:
    with main_of(begin) as main:
        append(log, attack(1))
        eventually(lambda: main.records() == [1], about="record 1")
        pid = main.watcher.pid
        assert pid is not None
        os.kill(pid, signal.SIGABRT)
        append(log, attack(2))
        eventually(lambda: main.records() == [1, 2], about="record 2")
    assert "exact engine alone" in main.troubles[0]


def test_begin_with_the_exact_engine_alone_makes_no_sieve(begin: Begin) -> None:
    assert begin_with(replace(begin, is_exact_alone=True)).sight().sieve is None
    assert begin_with(begin).sight().sieve is not None


def test_watcher_stopped_while_a_commit_fails_ends_without_it(begin: Begin, log: Path) -> None:
    with main_of(begin) as main:
        main.failures = [WorldError("AMG-STORE-FULL", "the disk is full")] * 1_000
        append(log, attack(1))
        eventually(lambda: main.troubles, about="the failure is told")
    assert main.committed == []
    assert main.watcher.pid is not None


def test_worker_given_more_indicators_looks_with_all_of_them(begin: Begin, log: Path) -> None:
    first, second, third = (
        {
            "type": "indicator",
            "id": f"indicator--5a5d8f3c-8a2e-4f34-9e0c-3c2f8f0a1b{number}",
            "pattern": f"[ipv4-addr:value = '203.0.113.{number}']",
        }
        for number in (77, 78, 79)
    )
    with child_of(begin) as child:
        child.send(Content(version=1, rules=(), indicators=(first,), origins={}))
        child.send(MoreIndicators(version=1, indicators=(first,), origins={}))
        child.send(MoreIndicators(version=2, indicators=(second, {**third, "pattern": "[a:b = "}), origins={}))
        assert child.hear_until(Active)[-1] == Active(version=1, faults=())
        answer = child.hear_until(Active)[-1]
        append(log, access_line("203.0.113.77"), access_line("203.0.113.78"), access_line("203.0.113.79"))
        batch = child.hear_until(Batch)[-1]
    assert (answer.version, [fault.rule_id for fault in answer.faults]) == (2, [third["id"]])
    assert [one.indicator_id for one in batch.detections] == [first["id"], second["id"]]


def test_worker_given_indicators_behind_a_gap_ends_rather_than_look_with_a_part(begin: Begin) -> None:
    with child_of(begin) as child:
        child.send(MoreIndicators(version=2, indicators=(), origins={}))
        with pytest.raises(EOFError):
            child.hear_until(Active)
        assert child.process.wait(WAIT_S) == 1


def own_rule(number: int) -> Rule:
    text = MARK_RULE.replace("3f7a10", f"3f7{number:03}").replace("/journey-mark", f"/own-{number}-mark")
    (rule,), faults = compile_rules([("", text)])
    assert faults == ()
    return rule


def test_worker_given_a_rule_looks_with_it_from_the_next_record_on(begin: Begin, log: Path) -> None:
    with child_of(begin) as child:
        child.send(RuleChange(version=1, rules=(own_rule(1),)))
        assert child.hear_until(Active)[-1] == Active(version=1, faults=())
        append(log, access_line("192.0.2.1", "/own-1-mark"), attack(1))
        batch = child.hear_until(Batch)[-1]
        assert [one.rule_id for one in batch.detections] == [own_rule(1).id, "6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10"]
        child.send(RuleChange(version=2, rules=(), removed=(own_rule(1).id,)))
        child.hear_until(Active)
        append(log, access_line("192.0.2.1", "/own-1-mark"), attack(2))
        assert [one.record for one in child.hear_until(Batch)[-1].detections] == [4]


def test_worker_that_awaits_content_reads_nothing_before_it(begin: Begin, log: Path) -> None:
    append(log, access_line("192.0.2.1", "/own-1-mark"))
    with child_of(replace(begin, awaits_content=True)) as child:
        assert isinstance(child.hear_until(Ready)[-1], Ready)
        assert child.hear(0.3) is None
        child.send(Content(version=1, rules=(own_rule(1),), indicators=(), origins={}))
        heard = child.hear_until(Batch)
    assert [one.rule_id for one in heard[-1].detections] == [own_rule(1).id]


def test_worker_that_awaits_content_can_be_stopped(begin: Begin) -> None:
    with child_of(replace(begin, awaits_content=True)) as child:
        child.hear_until(Ready)
        child.send(Stop())
        child.hear_until(Stopped)


def test_worker_whose_rules_on_disk_change_looks_with_the_new_ones_and_says_how_many(begin: Begin, log: Path) -> None:
    rule = Path(begin.rule_paths[0])
    with child_of(begin) as child:
        assert child.hear_until(Ready)[-1].n_rules == 1
        more = MARK_RULE.replace("3f7a10", "3f7002").replace("/journey-mark", "/own-2-mark")
        rule.write_text(f"{MARK_RULE}---\n{more}", encoding="utf-8")
        assert child.hear_until(Ready)[-1].n_rules == 2
        append(log, access_line("192.0.2.1", "/own-2-mark"), attack(1))
        assert len(child.hear_until(Batch)[-1].detections) == 2


def test_worker_whose_rule_on_disk_breaks_goes_on_with_the_old_one_and_says_so(begin: Begin, log: Path) -> None:
    rule = Path(begin.rule_paths[0])
    with child_of(begin) as child:
        child.hear_until(Ready)
        rule.write_text("title: [", encoding="utf-8")
        again = child.hear_until(Ready)[-1]
        assert (again.n_rules, [one.path for one in again.faults]) == (1, [str(rule)])
        append(log, attack(1))
        assert len(child.hear_until(Batch)[-1].detections) == 1
        rule.write_text(MARK_RULE.replace("level: high", "level: low"), encoding="utf-8")
        mended = child.hear_until(Ready)[-1]
    assert (mended.n_rules, mended.faults) == (1, ())


MANY = """\
title: Many marks
name: many
id: 0a4b7f6e-53a4-4c8e-9e0b-2f1d3c5b7a91
correlation: {type: event_count, rules: [6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10], group-by: [c-ip], timespan: 5m,
  condition: {gte: 5}}
"""


def test_worker_given_a_correlation_says_by_what_it_goes_and_sends_hits_from_then_on(begin: Begin, log: Path) -> None:
    rules, faults = compile_rules([("many", MANY)])
    assert faults == ()
    with child_of(begin) as child:
        child.hear_until(Ready)
        append(log, attack(1))
        loud = child.hear_until(Batch)[-1]
        child.send(Content(version=1, rules=rules, indicators=(), origins={}))
        *_, correlating, active = child.hear_until(Active)
        append(log, attack(2))
        silent = child.hear_until(Batch)[-1]
    assert (len(loud.detections), loud.hits) == (1, ())
    assert [linked.id for linked in correlating.links.correlations] == [rules[0].id]
    assert active == Active(version=1, faults=())
    assert silent.detections == ()
    assert [(hit.record, hit.fields) for hit in silent.hits] == [(2, {"c-ip": "203.0.113.2"})]


def test_worker_whose_correlation_lacks_its_rule_says_so_and_when_it_is_mended(begin: Begin) -> None:
    rules, _ = compile_rules([("many", MANY.replace("6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10", "base"))])
    base, _ = compile_rules([("base", MARK_RULE.replace("id: 6f6a1c1e", "name: base\nid: 7f6a1c1e"))])
    with child_of(begin) as child:
        child.send(Content(version=1, rules=rules, indicators=(), origins={}))
        lacking = child.hear_until(Active)[-1]
        child.send(RuleChange(version=2, rules=base))
        mended = child.hear_until(Active)[-1]
    assert [(fault.path, "refers to base" in fault.why) for fault in lacking.faults] == [("many", True)]
    assert (mended.faults, mended.mended) == ((), ("many",))


def stix(number: int) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": f"indicator--5a5d8f3c-8a2e-4f34-9e0c-3c2f8f0a1b{number:02d}",
        "pattern": f"[ipv4-addr:value = '203.0.113.{number}']",
    }


def test_worker_given_content_in_parts_confirms_it_when_all_is_there(begin: Begin, log: Path) -> None:
    one, two, three = stix(11), stix(12), stix(13)
    with child_of(begin) as child:
        child.send(Content(version=4, rules=(), indicators=(one,), origins={}, is_whole=False))
        child.send(Part(version=4, indicators=(two,), origins={}, is_last=False))
        child.send(Part(version=4, indicators=(three,), origins={two["id"]: "identity--x"}, is_last=True))
        assert child.hear_until(Active)[-1] == Active(version=4, faults=())
        append(log, *(access_line(f"203.0.113.{number}") for number in (11, 12, 13)))
        batch = child.hear_until(Batch)[-1]
    assert sorted(one.indicator_id or "" for one in batch.detections) == [one["id"], two["id"], three["id"]]


def test_worker_told_what_goes_and_what_is_new_looks_with_that(begin: Begin, log: Path) -> None:
    one, two = stix(11), stix(12)
    with child_of(begin) as child:
        child.send(Content(version=1, rules=(), indicators=(one, two), origins={}))
        moved = {**two, "pattern": "[ipv4-addr:value = '203.0.113.13']"}
        child.send(MoreIndicators(version=2, indicators=(moved,), origins={}, gone=(one["id"],)))
        assert child.hear_until(Active)[-1].version == 1
        assert child.hear_until(Active)[-1].version == 2
        append(log, *(access_line(f"203.0.113.{number}") for number in (11, 12, 13)))
        batch = child.hear_until(Batch)[-1]
    assert [(one.indicator_id, one.record) for one in batch.detections] == [(two["id"], 3)]


def test_worker_given_files_looks_with_them_until_they_go(begin: Begin, log: Path, tmp_path: Path) -> None:
    node = tmp_path / "node"
    (tmp_path / "bad.txt").write_text("203.0.113.11\n203.0.113.12\n")
    (tmp_path / "bundle.json").write_bytes(msgspec.json.encode([stix(13)]))
    files = tuple(KeptFiles(node).keep(tmp_path / name).file for name in ("bad.txt", "bundle.json"))
    lines = [access_line(f"203.0.113.{number}") for number in (11, 12, 13)]
    with child_of(replace(begin, node=str(node))) as child:
        child.send(Content(version=1, rules=(), indicators=(), origins={}, files=files))
        assert child.hear_until(Active)[-1] == Active(version=1, faults=())
        append(log, *lines)
        batch = child.hear_until(Batch)[-1]
        assert sorted(one.standing.value for one in batch.detections) == ["alone", "alone", "full"]
        child.send(Ack(n=1))
        child.send(MoreIndicators(version=2, indicators=(), origins={}, files=files[:1]))
        assert child.hear_until(Active)[-1].version == 2
        append(log, *lines)
        batch = child.hear_until(Batch)[-1]
    assert [one.standing for one in batch.detections] == [Standing.ALONE, Standing.ALONE]


def test_worker_with_an_allowlist_that_changes_follows_it_and_tells_of_a_wrong_one(
    begin: Begin, log: Path, tmp_path: Path
) -> None:
    allowlist = tmp_path / "content" / "allowlist.toml"
    allowlist.parent.mkdir()
    allowlist.write_text("[[allow]]\nname = 'ours'\nvalues = ['203.0.113.11']\n")
    with child_of(replace(begin, node=str(tmp_path))) as child:
        child.send(Content(version=1, rules=(), indicators=(stix(11),), origins={}))
        child.hear_until(Active)
        append(log, access_line("203.0.113.11"))
        assert child.hear_until(Batch)[-1].detections == ()
        allowlist.write_text("[[allow]]\nname = 'ours'\nvalues = ['prose it is']\n")
        assert "AMG-ALLOW-001" in child.hear_until(Trouble)[-1].what
        append(log, access_line("203.0.113.11"))
        assert child.hear_until(Batch)[-1].detections == ()
