"""What a node notes of its rules on disk."""

from datetime import UTC, datetime

from amagasa.app.left_out import GivenPlaceholder, OffRules
from amagasa.app.worker_messages import Compiling, LeftOut, Ready
from amagasa.detect.report import RuleFault
from amagasa.entry.node.rules_noted import KEPT, RulesNoted

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_rules_to_come_are_noted_until_they_look() -> None:
    rules = RulesNoted()
    rules.heard(Ready(n_rules=183, faults=(), n_coming=3_754), now=NOW)
    rules.compiling(Compiling(n_compiled=400, n_all=3_000))
    noted = rules.noted(())
    assert (noted["n_rules"], noted["n_coming"], noted["n_compiled"]) == (183, 3_000, 400)
    rules.heard(Ready(n_rules=3_937, faults=()), now=NOW)
    noted = rules.noted(())
    assert (noted["n_rules"], noted["n_coming"], noted["n_compiled"]) == (3_937, 0, 0)
    assert [step["n_rules"] for step in noted["since"]] == [183, 3_937]


def test_faults_beyond_those_kept_are_counted() -> None:
    fault = RuleFault(rule_id="x", path="p", why="w", code="AMG-RULE-014")
    noted = RulesNoted().noted([fault] * (KEPT + 1))
    assert (noted["n_faults"], len(noted["faults"])) == (KEPT + 1, KEPT)
    assert noted["faults"][0] == {"rule_id": "x", "path": "p", "why": "w", "code": "AMG-RULE-014"}


def test_placeholders_are_noted_by_name() -> None:
    rules = RulesNoted()
    given = (GivenPlaceholder(name="Admins", n_values=2),)
    rules.left_out = LeftOut(off=OffRules(), excluded=(), placeholders=given)
    assert rules.noted(())["placeholders"] == ({"name": "Admins", "n_values": 2},)
