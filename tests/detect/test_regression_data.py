"""The public rules against the logs published with them: each case fires its own rule."""

import csv
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from evtx import PyEvtxParser

from amagasa.adapters.content.load import LoadedContent, RuleFiles, load_plan
from amagasa.detect.engine.evaluate import evaluate
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CASES = DATA / "sigma_regression" / "cases.tar.gz"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not CASES.exists(), reason="the folder of real logs is not beside the checkout"),
]
# Published as one match, though that many records of the log satisfy the rule as it is written.
SEVERAL = {
    "0b9ad457-2554-44c1-82c2-d56a99c42377": 3,
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393": 3,
    "c7dcacd0-cc59-4004-b0a4-1d6cdebe6f3e": 2,
}


def logs() -> dict[str, tuple[Format, bytes]]:
    found: dict[str, tuple[Format, bytes]] = {}
    with tarfile.open(CASES) as archive:
        for member in archive:
            name = Path(member.name)
            file = archive.extractfile(member)
            if file is None:
                continue
            if name.suffix == ".evtx":
                records = PyEvtxParser(io.BytesIO(file.read())).records_json()
                lines = [str(record["data"]).replace("\n", " ").encode() for record in records if record]
                found[name.stem] = (Format.WINDOWS, b"\n".join(lines))
            elif name.suffix == ".raw":
                found[name.stem] = (Format.SYSLOG, file.read())
    return found


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> LoadedContent:
    return load_plan(RuleFiles(paths=(DATA / "rules" / "sigma-rules.tar.gz",)), cache=tmp_path_factory.mktemp("cache"))


def test_each_regression_case_fires_its_own_rule(content: LoadedContent) -> None:
    memo = content.memo()
    by_rule = logs()
    wrong = []
    with (DATA / "sigma_regression" / "index.csv").open(encoding="utf-8") as file:
        cases = list(csv.DictReader(file))
    for case in cases:
        rule_id = case["rule_id"]
        kind, data = by_rule[rule_id]
        chunk = Chunk(path="log", format=kind, first_record=1, data=data, read_at=datetime(2026, 1, 1, tzinfo=UTC))
        batches = normalise(chunk, content.plan.wanted).batches
        ids = [one.rule_id for batch in batches for one in evaluate(batch, content.plan, memo).detections]
        expected = SEVERAL.get(rule_id) or int(case["expected_matches"] or 0)
        n_found = ids.count(rule_id)
        if n_found == 0 or (expected and n_found != expected):
            wrong.append((rule_id, case["title"], expected, n_found))
    assert wrong == []
    assert len(cases) == 142
    assert memo.faults == {}
