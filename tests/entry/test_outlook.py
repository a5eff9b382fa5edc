"""What the worker looks with while it changes: prepared aside by real threads, in order, and nothing twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.detect.cases import READ_AT, chunk_of, process_line, rule_text
from tests.journeys.nodes import eventually

from amagasa.app.layers import disk_key
from amagasa.app.path import look
from amagasa.app.worker_messages import Active, Content, MoreIndicators, RuleChange
from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.rule import Rule
from amagasa.entry.node.outlook import MAX_AT_ONCE, Outlook
from amagasa.entry.wiring_detect import ContentFiles, load_content

MANY = MAX_AT_ONCE + 5
INDICATOR = {
    "type": "indicator",
    "id": "indicator--5a5d8f3c-8a2e-4f34-9e0c-3c2f8f0a1b11",
    "pattern": "[file:name = 'x.exe']",
}


def rule_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def rules(*numbers: int, mark: str = "mark") -> tuple[Rule, ...]:
    texts = [
        rule_text({"s": {"CommandLine|contains": f"{mark}-{n}-"}, "condition": "s"}, id=rule_id(n)) for n in numbers
    ]
    made, faults = compile_rules([("", text) for text in texts])
    assert faults == ()
    return made


@pytest.fixture
def outlook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outlook]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "base.yml").write_text(
        rule_text({"s": {"CommandLine|contains": "base-0-"}, "condition": "s"}, id=rule_id(999)), encoding="utf-8"
    )
    made = Outlook(load_content(ContentFiles(rules=(tmp_path / "base.yml",))))
    yield made
    made.close()


def found(outlook: Outlook, *marks: str) -> list[str | None]:
    chunk = chunk_of([process_line(CommandLine=f"{mark}-") for mark in marks])
    seen = look(chunk, outlook.sight, now=READ_AT)
    return [one.rule_id for one in seen.report.detections]


def content(version: int, *given: Rule, indicators: tuple[dict[str, Any], ...] = ()) -> Content:
    return Content(version=version, rules=given, indicators=indicators, origins={})


def test_outlook_of_a_rule_finds_at_once_what_it_says(outlook: Outlook) -> None:
    assert outlook.take(RuleChange(version=1, rules=rules(1))) == [Active(version=1, faults=())]
    assert found(outlook, "mark-1", "base-0", "mark-2") == [rule_id(1), rule_id(999)]


def test_outlook_of_many_rules_looks_on_while_they_are_prepared(outlook: Outlook) -> None:
    outlook.take(RuleChange(version=1, rules=rules(1)))
    outlook.take(RuleChange(version=2, rules=rules(*range(2, MANY + 2))))
    assert found(outlook, "mark-1", "base-0") == [rule_id(1), rule_id(999)]
    assert [one.version for one in outlook.settle()] in ([2], [])
    assert found(outlook, "mark-1", f"mark-{MANY}", "base-0") == [rule_id(1), rule_id(MANY), rule_id(999)]


def test_outlook_brings_changes_into_force_in_their_order(outlook: Outlook) -> None:
    told = outlook.take(RuleChange(version=1, rules=rules(*range(MANY))))
    told += outlook.take(RuleChange(version=2, rules=rules(3, mark="new"), removed=(rule_id(3),)))
    told += outlook.take(RuleChange(version=3, rules=(), removed=(rule_id(4),)))
    told += outlook.settle()
    assert [one.version for one in told] == [1, 2, 3]
    assert found(outlook, "mark-3", "new-3", "mark-4", "mark-5") == [rule_id(3), rule_id(5)]


def test_outlook_of_a_replaced_rule_finds_by_the_old_until_the_new_is_ready_and_never_by_both(outlook: Outlook) -> None:
    outlook.take(RuleChange(version=1, rules=rules(1)))
    new = rules(*range(1, MANY + 1), mark="new")
    told = outlook.take(RuleChange(version=2, rules=new, removed=tuple(rule.id for rule in new)))
    while not told:
        assert len(found(outlook, "mark-1", "new-1")) == 1
        told = outlook.advance()
    assert found(outlook, "mark-1") == []
    assert found(outlook, "new-1") == [rule_id(1)]


def test_outlook_of_all_content_changes_what_differs(outlook: Outlook) -> None:
    outlook.take(RuleChange(version=1, rules=rules(1, 2, 3)))
    before = outlook.sight.plans
    outlook.take(content(2, *rules(1, 2)))
    outlook.settle()
    assert outlook.sight.plans == before  # nothing was compiled anew
    assert found(outlook, "mark-1", "mark-3", "base-0") == [rule_id(1), rule_id(999)]


def test_outlook_of_a_version_known_already_changes_nothing(outlook: Outlook) -> None:
    outlook.take(content(3, *rules(1)))
    assert outlook.take(content(2)) == []
    assert found(outlook, "mark-1") == [rule_id(1)]


def test_outlook_behind_a_gap_refuses(outlook: Outlook) -> None:
    with pytest.raises(ValueError, match="version 2"):
        outlook.take(RuleChange(version=2, rules=()))


def test_outlook_keeps_indicators_while_rules_change(outlook: Outlook) -> None:
    outlook.take(content(1, indicators=(INDICATOR,)))
    outlook.settle()
    looking = outlook.sight.looking
    outlook.take(RuleChange(version=2, rules=rules(1)))
    assert outlook.sight.looking is looking
    outlook.take(MoreIndicators(version=3, indicators=({**INDICATOR, "id": INDICATOR["id"][:-1] + "2"},), origins={}))
    assert len(outlook.sight.looking.indicators.indicators) == 2
    assert found(outlook, "mark-1") == [rule_id(1)]


def test_outlook_of_rules_on_disk_adds_replaces_and_removes_them(outlook: Outlook, tmp_path: Path) -> None:
    base = disk_key(str(tmp_path / "base.yml"))
    outlook.take_disk({base: rules(999, mark="new"), "disk:other": rules(5)}, frozenset())
    outlook.settle()
    assert found(outlook, "base-0", "new-999", "mark-5") == [rule_id(999), rule_id(5)]
    assert outlook.n_on_disk == 2
    outlook.take_disk({}, frozenset({base}))
    outlook.settle()
    assert found(outlook, "base-0", "new-999", "mark-5") == [rule_id(5)]
    assert outlook.paths_on_disk == {"other"}


def test_outlook_of_content_leaves_rules_on_disk_alone(outlook: Outlook) -> None:
    outlook.take_disk({"disk:other": rules(5)}, frozenset())
    outlook.take(content(1, *rules(1)))
    outlook.take(content(2))
    outlook.settle()
    assert found(outlook, "mark-1", "mark-5", "base-0") == [rule_id(5), rule_id(999)]


def test_outlook_of_a_whole_set_in_parts_merges_them_and_finds_each_once(outlook: Outlook) -> None:
    n_parts, size = 12, 70
    for part in range(n_parts):
        outlook.take(RuleChange(version=part + 1, rules=rules(*range(part * size, (part + 1) * size))))
    outlook.settle()
    eventually(lambda: outlook.advance() or len(outlook.sight.plans) <= 6, about="layers are merged")
    numbers = (0, 69, 70, n_parts * size - 1)
    assert found(outlook, *(f"mark-{n}" for n in numbers)) == [rule_id(n) for n in numbers]


def has_sieve(outlook: Outlook) -> bool:
    return outlook.sight.sieve is not None


def test_outlook_that_stands_still_gets_a_sieve_again(outlook: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_sieve(outlook):
        pytest.skip("the native library was not built")
    outlook.take(RuleChange(version=1, rules=rules(1)))
    assert not has_sieve(outlook)
    monkeypatch.setattr("amagasa.entry.node.outlook.QUIET_S", 0.0)
    eventually(lambda: outlook.advance() or has_sieve(outlook), about="a sieve")
    assert found(outlook, "mark-1", "base-0", "none") == [rule_id(1), rule_id(999)]


def test_outlook_of_a_change_that_cannot_be_prepared_says_so_and_goes_on(
    outlook: Outlook, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlook.take(RuleChange(version=1, rules=rules(1)))

    def broken(*_given: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(outlook, "_prepared", broken)
        (active,) = outlook.take(RuleChange(version=2, rules=rules(2)))
    assert [(one.rule_id, one.code) for one in active.faults] == [(rule_id(2), "AMG-RULE-021")]
    outlook.take(RuleChange(version=3, rules=rules(3)))
    assert found(outlook, "mark-1", "mark-2", "mark-3") == [rule_id(1), rule_id(3)]
