"""`amagasa ledger` as it is typed: exported by one party, checked and countersigned by the other, checked offline."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(typed: Run) -> Run:
    """Two nodes under a signed agreement, and an indicator that Tokyo released."""
    typed("init", "tokyo", "--name", "Japan", "--country", "JP")
    typed("init", "usa", "--name", "States", "--country", "US")
    cards = ("--supported", "tokyo/party.json", "--supporting", "usa/party.json")
    typed("agreement", "draft", *cards, "-o", "a.toml")
    for node, file in (("tokyo", "a.toml"), ("usa", "a.signed.json"), ("tokyo", "a.signed.json")):
        assert typed("agreement", "sign", node, file, "--yes")[0] == 0
    assert typed("content", "add", "198.51.100.7", "--share", "--node", "tokyo")[0] == 0
    return typed


def answer(told: tuple[int, str, str]) -> dict[str, Any]:
    assert told[0] == 0, told[2]
    return dict(json.loads(told[1]))


def test_record_is_exported_countersigned_and_verified_offline(run: Run) -> None:
    cards = ("--card", "tokyo/party.json", "--card", "usa/party.json")
    assert run("ledger", "export", "--node", "tokyo", "-o", "one.ndjson")[0] == 0
    first = answer(run("ledger", "verify", "one.ndjson", *cards))
    assert (first["n_leaves"], first["countersigned"]) == (2, 0)
    assert run("ledger", "countersign", "one.ndjson", "--node", "usa")[0] == 0
    assert run("ledger", "accept", "one.ndjson.head.json", "--node", "tokyo")[0] == 0
    run("content", "add", "198.51.100.8", "--share", "--node", "tokyo")
    assert run("ledger", "export", "--node", "tokyo", "-o", "two.ndjson")[0] == 0
    second = answer(run("ledger", "verify", "two.ndjson", *cards))
    assert (second["n_leaves"], second["countersigned"]) == (3, 2)
    assert answer(run("ledger", "verify", "--node", "tokyo"))["root"] == second["root"]


def test_altered_record_ends_with_one_and_the_leaf(run: Run, tmp_path: Path) -> None:
    run("ledger", "export", "--node", "tokyo", "-o", "one.ndjson")
    text = (tmp_path / "one.ndjson").read_text().replace('"act":"release"', '"act":"offer"')
    (tmp_path / "bad.ndjson").write_text(text)
    code, out, _ = run("ledger", "verify", "bad.ndjson")
    assert (code, json.loads(out)["leaf"]) == (1, 1)


def test_record_of_a_party_that_rewrote_it_is_not_countersigned_again(run: Run, tmp_path: Path) -> None:
    run("ledger", "export", "--node", "tokyo", "-o", "one.ndjson")
    run("ledger", "countersign", "one.ndjson", "--node", "usa")
    for path in (tmp_path / "tokyo" / "state").iterdir():
        path.unlink()
    run("content", "add", "198.51.100.99", "--share", "--node", "tokyo")
    run("content", "add", "198.51.100.98", "--share", "--node", "tokyo")
    assert run("ledger", "export", "--node", "tokyo", "-o", "new.ndjson")[0] == 0
    code, _, err = run("ledger", "countersign", "new.ndjson", "--node", "usa")
    assert code == 2
    assert "AMG-LEDGER-MISFIT" in err


def test_record_that_is_none_is_wrong_usage_and_junk_is_a_misfit(run: Run, tmp_path: Path) -> None:
    assert run("ledger", "verify", "nothing.ndjson")[0] == 2
    (tmp_path / "junk").write_bytes(b"\xff\x00junk\n" * 5)
    assert run("ledger", "verify", "junk")[0] == 1
    assert run("ledger", "countersign", "junk", "--node", "usa")[0] == 2
    assert run("ledger", "export", "--node", "usa", "--agreement", "other")[0] == 2
