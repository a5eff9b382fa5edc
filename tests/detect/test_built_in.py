"""The built-in rules on real logs, and their catalogue."""

import gzip
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.report import Detection
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.entity import EntityKind
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format
from tests.detect.built_in import BUILT_IN
from tests.detect.catalogue import PAGE, catalogue

DATA: Final = Path(__file__).resolve().parents[3] / "shared" / "data"
READ_AT: Final = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def plan() -> Plan:
    rules, faults = compile_rules(BUILT_IN)
    assert faults == ()
    return plan_of(rules)


def detections(plan: Plan, name: str, form: Format) -> tuple[int, list[Detection]]:
    if not (DATA / name).exists():
        pytest.skip("the folder of real data is not beside the checkout")
    chunk = Chunk(
        path=name, format=form, first_record=1, data=gzip.decompress((DATA / name).read_bytes()), read_at=READ_AT
    )
    normalised = normalise(chunk, plan.wanted)
    memo = Memo(plan)
    reports = [evaluate(batch, plan, memo) for batch in normalised.batches]
    assert [fault for report in reports for fault in report.faults] == []
    return normalised.n_read, [detection for report in reports for detection in report.detections]


def sources(found: list[Detection]) -> set[str]:
    return {entity.value for one in found for entity in one.entities if entity.kind is EntityKind.SOURCE_ADDRESS}


def test_catalogue_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue(), "run: python -m tests.detect.catalogue"


@pytest.mark.data
def test_ordinary_visitors_hardly_alert(plan: Plan) -> None:
    n_read, found = detections(plan, "web/semicomplete_2015-05-17_19.access.log.gz", Format.ACCESS)
    assert len({one.record for one in found}) / n_read < 0.01


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web/scan_netsparker_dvwa.access.log.gz", {"192.168.4.164"}),
        ("web/scan_w3af_joomla.access.log.gz", {"192.168.4.163", "192.168.1.20", "192.168.4.25"}),
    ],
)
def test_scan_is_found_with_its_sources(plan: Plan, name: str, expected: set[str]) -> None:
    _, found = detections(plan, name, Format.ACCESS)
    assert sources(found) == expected


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "refused"),
    [("syslog/loghub_OpenSSH_2k.log.gz", 520), ("syslog/elastic_auth.log.gz", 713)],
)
def test_each_refused_ssh_password_is_found(plan: Plan, name: str, refused: int) -> None:
    _, found = detections(plan, name, Format.SYSLOG)
    assert Counter(one.title for one in found)["SSH password refused"] == refused


@pytest.mark.data
@pytest.mark.parametrize("name", ["Mac", "Thunderbird", "Apache"])
def test_logs_without_attacks_do_not_alert(plan: Plan, name: str) -> None:
    n_read, found = detections(plan, f"syslog/loghub_{name}_2k.log.gz", Format.SYSLOG)
    assert (n_read, found) == (2_000, [])
