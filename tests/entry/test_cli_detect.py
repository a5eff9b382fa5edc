"""`amagasa detect` as it is typed: what it promises, and what it does with everything that is not as it should be."""

import gzip
import io
import os
import re
import signal
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from tests.detect.stix.records import indicator
from tests.journeys.nodes import AMAGASA, MARK_RULE, access_line, answer_of, environment, eventually, run

SUMMARY_KEYS = {
    "n_read",
    "n_accepted",
    "n_rejected",
    "rejects",
    "n_rules",
    "n_rules_faulted",
    "faults",
    "n_detections",
    "detections_by_rule",
    "n_indicators",
    "elapsed_s",
    "cpu_s",
    "bytes",
}
DETECTION_KEYS = {"rule_id", "rule_title", "level", "path", "record", "event_at", "techniques", "fields"}
RULE_ID = "6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10"
LINES = [
    access_line("203.0.113.5", "/journey-mark/1"),
    access_line("192.0.2.1", "/"),
    access_line("203.0.113.6", "/journey-mark/2", second=1),
]
TEXT = "".join(line + "\n" for line in LINES).encode()
BROKEN_RULE = "title: broken\nid: 11111111-1111-4111-8111-111111111111\ndetection: {a: {b: c}, condition: a and}\n"


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rules" / "mark.yml"
    path.parent.mkdir()
    path.write_text(MARK_RULE, encoding="utf-8")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "access.log"
    path.parent.mkdir()
    path.write_bytes(TEXT)
    return path


def counted(found: dict[str, Any]) -> tuple[int, int, int]:
    """(read, rejected, detections); accepted and rejected make what was read."""
    assert found["n_accepted"] + found["n_rejected"] == found["n_read"]
    return found["n_read"], found["n_rejected"], found["n_detections"]


def test_detect_output_has_the_promised_fields_and_no_other(log: Path, rule: Path, tmp_path: Path) -> None:
    done = run("detect", log, "--rules", rule, "--output", tmp_path / "out.ndjson", "--summary", tmp_path / "s.json")
    assert done.code == 0, done.err
    written = [*map(decoded, (tmp_path / "out.ndjson").read_bytes().splitlines())]
    assert [one.keys() for one in written] == [DETECTION_KEYS] * 2
    first = written[0]
    assert (first["rule_id"], first["level"], first["record"]) == (RULE_ID, "high", 1)
    assert (first["path"], first["techniques"]) == (str(log), ["T1190"])
    assert first["fields"] == {"cs-uri-stem": "/journey-mark/1"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", first["event_at"])
    assert [one["record"] for one in written] == [1, 3]


def decoded(line: bytes) -> dict[str, Any]:
    return dict(answer_of(0, line, b"").json())


def test_detect_writes_ocsf_as_each_finding_and_its_event(log: Path, rule: Path, tmp_path: Path) -> None:
    done = run("detect", log, "--rules", rule, "--ocsf", tmp_path / "ocsf.ndjson")
    assert done.code == 0, done.err
    written = [*map(decoded, (tmp_path / "ocsf.ndjson").read_bytes().splitlines())]
    assert [one["class_uid"] for one in written] == [2004, 4002] * 2
    assert written[0]["finding_info"]["related_events"][0]["uid"] == written[1]["metadata"]["uid"]
    assert written[1]["http_request"]["url"]["path"] == "/journey-mark/1"


def test_detect_refuses_one_file_for_two_outputs(log: Path, tmp_path: Path) -> None:
    done = run("detect", log, "--output", tmp_path / "x", "--ocsf", tmp_path / "x")
    assert done.code == 2
    assert "AMG-OUT-TWICE" in done.err
    assert not (tmp_path / "x").exists()


def test_detect_summary_has_the_promised_keys_and_adds_up(log: Path, rule: Path, tmp_path: Path) -> None:
    with log.open("ab") as stream:
        stream.write(b"not an access line\n")
    done = run("detect", log, "--rules", rule, "--summary", tmp_path / "s.json")
    assert done.code == 3
    summary = decoded((tmp_path / "s.json").read_bytes())
    assert summary.keys() >= SUMMARY_KEYS
    assert counted(summary) == (4, 1, 2)
    assert summary["rejects"][0].keys() >= {"path", "record", "why"}
    assert (summary["rejects"][0]["path"], summary["rejects"][0]["record"]) == (str(log), 4)
    assert summary["detections_by_rule"] == {RULE_ID: 2}
    assert (summary["n_rules"], summary["n_rules_faulted"], summary["faults"]) == (1, 0, [])
    assert summary["bytes"] == log.stat().st_size


def test_detect_json_and_ndjson_say_the_same(log: Path, rule: Path) -> None:
    whole = run("detect", log, "--rules", rule, "--json")
    lines = run("detect", log, "--rules", rule, "--ndjson")
    assert whole.json()["detections"] == lines.rows()
    assert counted(whole.json()) == (3, 0, 2)


def test_detect_without_rules_uses_those_built_in(log: Path) -> None:
    log.write_text(access_line("203.0.113.5", "/../../../etc/passwd") + "\n", encoding="utf-8")
    found = run("detect", log, "--json").json()
    assert found["n_rules"] > 100
    assert found["n_rules_faulted"] == 0
    assert "T1190" in found["detections"][0]["techniques"]


@pytest.mark.parametrize(("level", "code"), [("critical", 0), ("high", 1), ("medium", 1), ("informational", 1)])
def test_detect_told_to_fail_on_a_level_does(log: Path, rule: Path, level: str, code: int) -> None:
    assert run("detect", log, "--rules", rule, "--fail-on", level).code == code


def test_detect_of_nothing_found_is_done(log: Path, rule: Path) -> None:
    log.write_text(access_line("192.0.2.1") + "\n", encoding="utf-8")
    done = run("detect", log, "--rules", rule, "--fail-on", "low")
    assert (done.code, done.raw) == (0, b"")


def test_detect_of_an_empty_file_reads_nothing_and_says_so(log: Path, rule: Path) -> None:
    log.write_bytes(b"")
    done = run("detect", log, "--rules", rule, "--json")
    assert counted(done.json()) == (0, 0, 0)
    assert done.code == 0


def test_detect_from_standard_input(rule: Path) -> None:
    done = run("detect", "-", "--rules", rule, "--json", given=TEXT)
    assert counted(done.json()) == (3, 0, 2)
    assert done.code == 0


def test_detect_with_format_given_believes_it(tmp_path: Path, rule: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(TEXT)
    as_json = run("detect", path, "--rules", rule, "--format", "json", "--json")
    assert counted(as_json.json()) == (3, 3, 0)
    assert as_json.code == 3
    assert counted(run("detect", path, "--rules", rule, "--format", "access", "--json").json()) == (3, 0, 2)
    assert run("detect", path, "--rules", rule, "--format", "nonsense").code == 2


def packed(kind: str) -> bytes:
    held = io.BytesIO()
    if kind == "gz":
        return gzip.compress(TEXT)
    if kind == "zst":
        return zstandard.compress(TEXT)
    if kind == "zip":
        with zipfile.ZipFile(held, "w") as archive:
            archive.writestr("deep/access.log", TEXT)
        return held.getvalue()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        member = tarfile.TarInfo("deep/access.log")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT))
    return held.getvalue()


@pytest.mark.parametrize("kind", ["gz", "zst", "zip", "tar.gz"])
def test_detect_in_packed_files(tmp_path: Path, rule: Path, kind: str) -> None:
    path = tmp_path / f"access.log.{kind}"
    path.write_bytes(packed(kind))
    done = run("detect", path, "--rules", rule, "--json")
    assert (counted(done.json()), done.code) == ((3, 0, 2), 0)
    assert [one["record"] for one in done.json()["detections"]] == [1, 3]


def test_detect_in_a_folder_reads_every_file(tmp_path: Path, log: Path, rule: Path) -> None:
    (log.parent / "older").mkdir()
    (log.parent / "older" / "access.log.1.gz").write_bytes(packed("gz"))
    done = run("detect", log.parent, "--rules", rule.parent, "--json")
    assert counted(done.json()) == (6, 0, 4)


def test_detect_in_a_truncated_archive_gives_what_was_before(tmp_path: Path, rule: Path) -> None:
    path = tmp_path / "access.log.gz"
    lines = b"".join(
        access_line(f"10.0.{n >> 8}.{n & 255}", f"/journey-mark/{n * 7919}").encode() + b"\n" for n in range(9_000)
    )
    whole = gzip.compress(lines)
    path.write_bytes(whole[: len(whole) // 2])
    done = run("detect", path, "--rules", rule, "--json")
    assert done.code == 3
    n_read, _, n_detections = counted(done.json())
    assert n_detections > 1_000
    assert n_read >= n_detections
    assert done.json()["not_looked_at"][0]["path"] == str(path)


def test_detect_in_binary_junk_looks_at_nothing_and_says_so(tmp_path: Path, rule: Path) -> None:
    path = tmp_path / "junk.bin"
    path.write_bytes(bytes(range(256)) * 400)
    done = run("detect", path, "--rules", rule, "--json")
    assert done.code == 3
    assert done.json()["not_looked_at"] or done.json()["n_rejected"]
    assert "junk.bin" in done.err


def test_detect_of_a_path_that_is_not_there_does_nothing(log: Path, rule: Path, tmp_path: Path) -> None:
    done = run("detect", log, tmp_path / "absent.log", "--rules", rule, "--output", tmp_path / "out.ndjson")
    assert done.code == 2
    assert "AMG-PATH" in done.err
    assert not (tmp_path / "out.ndjson").exists()


def test_detect_of_a_link_to_nowhere_could_not_look(tmp_path: Path, rule: Path) -> None:
    (tmp_path / "link.log").symlink_to(tmp_path / "nowhere")
    assert run("detect", tmp_path / "link.log", "--rules", rule).code in {2, 3}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_detect_in_a_folder_that_may_not_be_read_could_not_look(log: Path, rule: Path) -> None:
    log.parent.chmod(0)
    done = run("detect", log.parent, "--rules", rule, "--json")
    log.parent.chmod(0o700)
    assert done.code == 3
    assert done.json()["not_looked_at"]


def test_detect_with_a_broken_rule_among_good_ones_lists_it(log: Path, rule: Path, tmp_path: Path) -> None:
    (rule.parent / "broken.yml").write_text(BROKEN_RULE, encoding="utf-8")
    (rule.parent / "torn.yml").write_bytes(b"\x00\xff: [")
    done = run("detect", log, "--rules", rule.parent, "--summary", tmp_path / "s.json")
    assert done.code == 3
    summary = decoded((tmp_path / "s.json").read_bytes())
    assert (summary["n_rules"], summary["n_rules_faulted"], summary["n_detections"]) == (1, 2, 2)
    assert all(one.keys() >= {"rule_id", "path", "why"} and one["why"] for one in summary["faults"])
    assert "did not run" in done.err


def test_detect_with_broken_rules_only_does_nothing(log: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.yml").write_text(BROKEN_RULE, encoding="utf-8")
    done = run("detect", log, "--rules", tmp_path / "broken.yml")
    assert done.code == 2
    assert "AMG-RULES-NONE" in done.err


def test_detect_with_rules_that_are_not_there_does_nothing(log: Path, tmp_path: Path) -> None:
    assert run("detect", log, "--rules", tmp_path / "absent").code == 2


def test_detect_with_indicators_names_them_instead_of_a_rule(log: Path, rule: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("203.0.113.6\n# a comment\n", encoding="utf-8")
    done = run("detect", log, "--rules", rule, "--indicators", tmp_path / "bad.txt", "--json")
    found = done.json()
    by_indicator = [one for one in found["detections"] if "indicator_id" in one]
    assert (found["n_indicators"], len(by_indicator)) == (1, 1)
    assert by_indicator[0].keys() == DETECTION_KEYS - {"rule_id"} | {"indicator_id"}
    assert by_indicator[0]["record"] == 3


@pytest.mark.parametrize("processes", ["1", "2"])
def test_detect_with_a_pattern_over_records_finds_them_in_several_files(
    rule: Path, tmp_path: Path, processes: str
) -> None:
    pattern = "([url:value LIKE '/login%'] REPEATS 2 TIMES FOLLOWEDBY [url:value = '/admin']) WITHIN 60 SECONDS"
    (tmp_path / "bad.json").write_text(msgspec.json.encode(indicator(pattern)).decode(), encoding="utf-8")
    later, earlier = tmp_path / "a.log", tmp_path / "b.log"
    later.write_text("\n".join(access_line("203.0.113.6", "/admin", second=n) for n in (1, 9)) + "\n", encoding="utf-8")
    earlier.write_text(
        "\n".join(access_line("203.0.113.6", "/login", second=n) for n in (2, 4, 30)) + "\n", encoding="utf-8"
    )
    given = ("--rules", rule, "--indicators", tmp_path / "bad.json", "--processes", processes, "--json")
    done = run("detect", later, earlier, *given)
    (found,) = done.json()["detections"]
    assert (found["indicator_id"], found["record"], Path(found["path"]).name) == (indicator(pattern)["id"], 2, "a.log")
    assert found["fields"] == {"count": 3, "cs-uri": "/admin"}
    assert [Path(one["path"]).name for one in found["correlation"]["events"]] == ["b.log", "b.log", "a.log"]
    assert (done.code, done.json()["faults"]) == (0, [])


@pytest.mark.parametrize("text", ["", "\n\n", '{"type": "bundle", "id": "bundle--0", "objects": []}'])
def test_detect_with_indicators_that_hold_none_says_so(log: Path, rule: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "none.json").write_text(text, encoding="utf-8")
    done = run("detect", log, "--rules", rule, "--indicators", tmp_path / "none.json", "--json")
    assert done.code == 3
    assert (done.json()["n_indicators"], done.json()["n_rules_faulted"]) == (0, 1)
    assert "did not run" in done.err
    assert "none.json" in done.err


def test_detect_in_several_processes_finds_the_same_in_the_same_order(rule: Path, tmp_path: Path) -> None:
    for number in range(6):
        lines = [
            access_line(f"10.0.0.{n % 250}", f"/journey-mark/{number}" if n % 40 == number else "/")
            for n in range(12_000)
        ]
        (tmp_path / f"{number}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    logs = sorted(tmp_path.glob("*.log"))
    alone = run("detect", *logs, "--rules", rule, "--ndjson")
    both = run("detect", *logs, "--rules", rule, "--ndjson", "--processes", "2")
    assert len(alone.rows()) == 1_800
    assert both.raw == alone.raw
    assert both.code == 0


def test_detect_into_a_pipe_prints_no_escape_codes(log: Path, rule: Path) -> None:
    for env in ({"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM": "xterm-256color"}):
        done = run("detect", log, "--rules", rule, env=env)
        assert b"\x1b" not in done.raw
        assert "\x1b" not in done.err


HOSTILE = b"\x1b]0;owned\x07\x1b[2J\xe2\x80\xae\xc2\x9b31m\r\x00"


def test_detect_never_shows_hostile_bytes_of_a_log_as_they_are(tmp_path: Path, rule: Path) -> None:
    path = tmp_path / os.fsdecode(b"evil\x1b[2J\xff.log")
    line = access_line("203.0.113.5", "/journey-mark/@").encode()
    path.write_bytes(line.replace(b"@", HOSTILE.replace(b"\r\x00", b"")) + b"\n" + HOSTILE + b"\n" + TEXT)
    for form in ((), ("--json",), ("--ndjson",)):
        done = run("detect", path, "--rules", rule, *form)
        assert done.code == 3
        for shown in (done.raw, done.err.encode()):
            assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", shown), shown
        assert "\u202e" not in done.out + done.err


def test_detect_of_a_rule_with_a_hostile_title_shows_it_plain(log: Path, rule: Path) -> None:
    title = MARK_RULE.replace("title: Mark of the journey", 'title: "[red]\\e[2J\\u202e markup"')
    rule.write_text(title, encoding="utf-8")
    done = run("detect", log, "--rules", rule)
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert "[red]" in done.out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("option", ["--output", "--summary"])
def test_detect_onto_a_full_disk_is_said(log: Path, rule: Path, option: str) -> None:
    done = run("detect", log, "--rules", rule, option, "/dev/full")
    assert done.code == 3
    assert "AMG-OUT" in done.err


def test_detect_output_in_no_folder_is_said(log: Path, rule: Path, tmp_path: Path) -> None:
    done = run("detect", log, "--rules", rule, "--output", tmp_path / "no" / "out")
    assert done.code in {2, 3}
    assert "AMG-OUT" in done.err


@pytest.mark.parametrize("option", ["--output", "--summary"])
def test_detect_onto_a_file_that_is_read_replaces_nothing(log: Path, rule: Path, option: str, tmp_path: Path) -> None:
    before = log.read_bytes()
    (tmp_path / "link").symlink_to(log)
    for place in (log, tmp_path / "link", rule):
        done = run("detect", log, "--rules", rule, option, place)
        assert done.code == 2
        assert "AMG-OUT-INPUT" in done.err
    assert log.read_bytes() == before
    assert rule.stat().st_size > 0


def test_detect_with_one_file_for_both_outputs_is_refused_unless_it_keeps_nothing(
    log: Path, rule: Path, tmp_path: Path
) -> None:
    for place, code in ((tmp_path / "both", 2), (Path(os.devnull), 0)):
        assert run("detect", log, "--rules", rule, "--output", place, "--summary", place).code == code
    assert not (tmp_path / "both").exists()


def test_detect_summary_without_a_place_is_said_before_anything_is_read(log: Path, rule: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "no" / "summary"):
        done = run("detect", log, "--rules", rule, "--output", tmp_path / "out", "--summary", place)
        assert done.code in {2, 3}
        assert "nothing was read" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("form", [("--ndjson",), ("--json",), ()])
def test_detect_with_standard_output_full_is_said(log: Path, rule: Path, form: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*AMAGASA, "detect", str(log), "--rules", str(rule), *form],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
            timeout=60,
        )
    told = answer_of(done.returncode, b"", done.stderr)
    assert told.code == 3, told.err
    assert "AMG-OUT" in told.err


def test_detect_whose_reader_leaves_is_quiet(rule: Path, tmp_path: Path) -> None:
    path = tmp_path / "many.log"
    path.write_text((LINES[0] + "\n") * 40_000, encoding="utf-8")
    command = subprocess.Popen(
        [*AMAGASA, "detect", str(path), "--rules", str(rule), "--ndjson"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert command.stdout is not None
    assert command.stderr is not None
    assert command.stdout.readline()
    command.stdout.close()
    told = command.stderr.read().decode()
    command.stderr.close()
    command.wait(60)
    assert "rror" not in told, told


@pytest.mark.parametrize("processes", ["1", "2"])
def test_detect_interrupted_ends_with_130(rule: Path, tmp_path: Path, processes: str) -> None:
    output = tmp_path / "out.ndjson"
    reading, writing = os.pipe()
    command = subprocess.Popen(
        [*AMAGASA, "detect", "-", "--rules", str(rule), "--output", str(output), "--processes", processes],
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    os.close(reading)
    try:
        os.write(writing, TEXT)
        eventually(output.exists, about="it is at work")
        time.sleep(0.2)
        command.send_signal(signal.SIGINT)
        out, told = command.communicate(timeout=60)
    finally:
        os.close(writing)
    assert answer_of(command.returncode, out, told).code == 130


def test_detect_without_paths_is_wrong_usage() -> None:
    assert run("detect").code == 2
    assert run("detect", "--processes", "0", "x").code == 2


def test_source_test_says_what_would_be_read(log: Path, tmp_path: Path) -> None:
    tested = run("source", "test", log, "--json")
    assert tested.code == 0
    assert (tested.json()["format"], tested.json()["n_read"]) == ("access", 3)
    assert run("source", "test", tmp_path / "absent").code in {2, 3}
    (tmp_path / "junk").write_bytes(bytes(range(256)) * 100)
    assert run("source", "test", tmp_path / "junk").code == 3
