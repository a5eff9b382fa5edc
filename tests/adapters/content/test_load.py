import subprocess
import sys
from pathlib import Path

import pytest

from amagasa.adapters.content import load as module
from amagasa.adapters.content.cache import Cache, default_cache
from amagasa.adapters.content.load import RuleFiles, load_plan
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import plan_of
from tests.detect.cases import found, process_line, rule_text

PUBLIC = Path(__file__).resolve().parents[4] / "shared" / "data" / "rules" / "sigma-rules.tar.gz"


def write_rules(folder: Path) -> Path:
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.yml").write_text(
            rule_text({"s": {"A|contains": f"evil-{name}"}, "condition": "s"}, title=name)
        )
    (folder / "broken.yml").write_text("a: [b")
    return folder


def refuse(*_: object, **__: object) -> None:
    message = "the compiler was started"
    raise AssertionError(message)


def test_second_load_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = write_rules(tmp_path / "rules")
    first = load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache")
    monkeypatch.setattr(module, "Compiler", refuse)
    second = load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache")
    assert (first.n_rules, len(first.faults)) == (second.n_rules, len(second.faults)) == (2, 1)
    assert first.plan.digest == second.plan.digest == plan_of(second.plan.rules).digest
    assert second.faults[0].path.endswith("broken.yml")


def test_rule_that_is_there_twice_is_one_in_the_plan_at_each_start(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules") / "a.yml"
    plans = [load_plan(RuleFiles(paths=(rules, rules)), cache=tmp_path / "cache").plan for _ in range(2)]
    assert [rule.title for plan in plans for rule in plan.rules] == ["a", "a"]
    assert plans[0].digest == plans[1].digest


def test_changed_rule_alone_is_compiled_again(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules")
    load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache")
    (rules / "a.yml").write_text(rule_text({"s": {"A": "changed"}, "condition": "s"}, title="changed"))
    asked: list[tuple[int, int]] = []
    again = load_plan(
        RuleFiles(paths=(rules,)), cache=tmp_path / "cache", progress=lambda done, total: asked.append((done, total))
    )
    assert asked == [(1, 1)]
    assert sorted(rule.title for rule in again.plan.rules) == ["b", "changed"]


def test_moved_rules_keep_their_outcome_and_take_the_new_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = write_rules(tmp_path / "rules")
    load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache")
    monkeypatch.setattr(module, "Compiler", refuse)
    moved = rules.rename(tmp_path / "moved")
    assert all(
        "moved" in rule.path for rule in load_plan(RuleFiles(paths=(moved,)), cache=tmp_path / "cache").plan.rules
    )


@pytest.mark.parametrize("damage", [b"", b"junk", b"\0" * 4096])
def test_damaged_cache_is_compiled_again(tmp_path: Path, damage: bytes) -> None:
    rules = write_rules(tmp_path / "rules")
    first = load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache")
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(damage)
    again = load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache")
    assert again.plan.digest == first.plan.digest


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules")
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert load_plan(RuleFiles(paths=(rules,)), cache=blocked / "cache").n_rules == 2


def test_matchers_are_kept_for_the_next_start(tmp_path: Path) -> None:
    rules = write_rules(tmp_path / "rules")
    content = load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache")
    memo = content.memo()
    assert len(found(content.plan, [process_line(A="EVIL-A")], memo=memo)) == 1
    assert memo.made
    content.keep(memo.made)
    again = content.memo()
    assert len(found(content.plan, [process_line(A="EVIL-A")], memo=again)) == 1
    assert again.made == {}
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_cache_drops_the_oldest_beyond_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    for number in range(10):
        assert cache.put(str(number), b"x" * 1000)
    monkeypatch.setattr("amagasa.adapters.content.cache.MAX_CACHE_BYTES", 5_000)
    cache.trim()
    assert 1 <= len(cache) <= 5


def test_default_cache_is_where_the_desktop_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "amagasa"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache() == Path.home() / ".cache" / "amagasa"


def test_loading_does_not_import_the_parser() -> None:
    code = "import sys, amagasa.adapters.content.load, amagasa.detect.engine.evaluate; sys.exit('sigma' in sys.modules)"
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode == 0


@pytest.mark.data
@pytest.mark.skipif(not PUBLIC.exists(), reason="the folder of real logs is not beside the checkout")
def test_every_public_rule_loads(tmp_path: Path) -> None:
    content = load_plan(RuleFiles(paths=(PUBLIC,)), cache=tmp_path)
    assert content.n_rules + len(content.faults) == 3754
    assert {fault.rule_id for fault in content.faults} == {
        rule_id for rule_id in (fault.rule_id for fault in content.faults) if rule_id
    }
    assert all("placeholder" in fault.why for fault in content.faults)
    assert len(content.faults) == 2
    assert Memo(content.plan).faults == {}
