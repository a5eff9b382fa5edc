"""A log of a kind that nobody knew, read by a mapping: tried, looked at, and followed by a node."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.journeys.nodes import AMAGASA, environment

from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_USAGE

MAPPING = """name = "acme-proxy"
kind = "csv"
columns = ["time", "client", "url", "agent"]

[logsource]
category = "proxy"

[time]
field = "time"
format = "%d/%m/%Y %H:%M:%S"
zone = "Asia/Tokyo"

[fields]
c-ip = "client"
c-uri = "url"
c-useragent = "agent"
"""
RULE = """title: A tool that asks
id: 5f9cfa0a-92c3-4a3f-8f0b-0a9a3a6a3a11
logsource: {category: proxy}
detection:
    selection:
        c-useragent|startswith: "evil/"
    condition: selection
level: high
"""
LOG = "time,client,url,agent\n26/11/2026 09:15:00,192.0.2.7,/a,evil/1.0\nshort\n26/11/2026 09:15:01,192.0.2.8,/b,mild\n"


def invoke(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*AMAGASA, *words], env=environment(), capture_output=True, text=True, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, text in (("acme.toml", MAPPING), ("rule.yml", RULE), ("proxy.csv", LOG)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_source_test_shows_what_becomes_of_the_first_records(site: Path) -> None:
    done = invoke("source", "test", str(site / "proxy.csv"), "--mapping", str(site / "acme.toml"), "--json")
    report = json.loads(done.stdout)
    assert done.returncode == EXIT_COULD_NOT
    assert (report["format"], report["n_read"], report["n_rejected"]) == ("mapping acme-proxy", 3, 1)
    assert "record 3: expected 4 cells" in report["first_rejects"][0]
    first = report["first_events"][0]
    assert (first["record"], first["event_at"], first["log_source"]) == (
        2,
        "2026-11-26T00:15:00.000Z",
        "category=proxy",
    )
    assert first["fields"]["c-ip"] == "192.0.2.7"


def test_source_test_writes_what_a_terminal_would_obey_as_escapes(site: Path) -> None:
    (site / "proxy.csv").write_text("26/11/2026 09:15:00,192.0.2.7,/a,\x1b[31mred\u202e\n", encoding="utf-8")
    done = invoke("source", "test", str(site / "proxy.csv"), "--mapping", str(site / "acme.toml"))
    assert done.returncode == EXIT_DONE
    assert "\\u001b[31mred\\u202e" in done.stdout
    assert "\x1b" not in done.stdout


def test_source_test_of_a_broken_mapping_reads_nothing_and_says_where(site: Path) -> None:
    (site / "acme.toml").write_text(MAPPING.replace('"client"\n', '"clinet"\n'), encoding="utf-8")
    done = invoke("source", "test", str(site / "proxy.csv"), "--mapping", str(site / "acme.toml"))
    assert done.returncode == EXIT_USAGE
    assert "line 14: the record has no clinet" in done.stderr
    assert "AMG-MAPPING" in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_detect_finds_by_a_rule_for_the_log_source_of_the_mapping(site: Path, processes: str) -> None:
    options = ["--rules", str(site / "rule.yml"), "--mapping", str(site / "acme.toml"), "--processes", processes]
    done = invoke("detect", str(site / "proxy.csv"), *options, "--ndjson")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == EXIT_COULD_NOT  # one line was rejected
    assert [(one["record"], one["event_at"], one["fields"]) for one in found] == [
        (2, "2026-11-26T00:15:00.000Z", {"c-useragent": "evil/1.0"})
    ]


def test_a_mapping_that_is_not_there_is_said_before_anything_is_read(site: Path) -> None:
    done = invoke("detect", str(site / "proxy.csv"), "--mapping", str(site / "none.toml"))
    assert done.returncode == EXIT_USAGE
    assert "No such file" in done.stderr
