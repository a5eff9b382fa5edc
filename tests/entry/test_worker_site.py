"""The worker and the site's own files; and its very first start, before the rules were ever compiled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.entry.test_worker import attack, child_of
from tests.journeys.nodes import MARK_RULE, access_line, append

from amagasa.app.worker_messages import Batch, Begin, LeftOut, Ready, SourceSpec
from amagasa.detect.sigma.link import Wanted
from amagasa.vocab.severity import Level

RULE_ID = "6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10"
EXCLUSION = """\
[[exclude]]
rule = "6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10"
reason = "our scanner"
expires = "never"
detection = { ours = { c-ip = "203.0.113.1" } }
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = tmp_path / "content"
    content.mkdir()
    (content / "own.yml").write_text(MARK_RULE, encoding="utf-8")
    (tmp_path / "access.log").touch()
    return content


def begun(site: Path, **more: Any) -> Begin:
    source = SourceSpec(name="web", path=str(site.parent / "access.log"), format="access")
    begin = Begin(sources=(source,), is_builtin_wanted=False, rule_paths=(str(site),), site=str(site))
    return replace(begin, **more)


def titles(heard: Sequence[Any]) -> list[str]:
    return [one.title for batch in heard if isinstance(batch, Batch) for one in batch.detections]


def test_worker_counts_what_is_excluded_and_tells_it(site: Path) -> None:
    (site / "exclusions.toml").write_text(EXCLUSION, encoding="utf-8")
    log = site.parent / "access.log"
    with child_of(begun(site)) as child:
        first = child.hear_until(LeftOut)[-1]
        assert [(one.reason, one.n, one.n_rules) for one in first.excluded] == [("our scanner", 0, 1)]
        append(log, attack(1), attack(2))
        heard = child.hear_until(LeftOut)
    assert titles(heard) == ["Mark of the journey"]
    assert heard[-1].excluded[0].by_rule == {RULE_ID: 1}


def test_exclusions_take_effect_while_the_worker_runs_and_end_with_their_file(site: Path) -> None:
    log, file = site.parent / "access.log", site / "exclusions.toml"
    with child_of(begun(site)) as child:
        child.hear_until(Ready)
        file.write_text(EXCLUSION, encoding="utf-8")
        assert len(child.hear_until(LeftOut)[-1].excluded) == 1
        append(log, attack(1), attack(2))
        assert titles(child.hear_until(Batch)) == ["Mark of the journey"]
        file.unlink()
        assert child.hear_until(LeftOut)[-1].excluded == ()
        append(log, attack(1))
        assert titles(child.hear_until(Batch)) == ["Mark of the journey"]


def test_placeholders_take_effect_while_the_worker_runs(site: Path) -> None:
    rule = MARK_RULE.replace("cs-uri-stem|contains: /journey-mark", "c-ip|expand: '%Ours%'")
    (site / "own.yml").write_text(rule, encoding="utf-8")
    with child_of(begun(site)) as child:
        faulty = child.hear_until(Ready)[-1]
        assert (faulty.n_rules, faulty.faults[0].code) == (0, "AMG-RULE-014")
        (site / "placeholders.toml").write_text('Ours = "203.0.113.1"\n', encoding="utf-8")
        assert child.hear_until(Ready)[-1] == Ready(n_rules=1, faults=())
        assert [(one.name, one.n_values) for one in child.hear_until(LeftOut)[-1].placeholders] == [("Ours", 1)]
        append(site.parent / "access.log", attack(1), attack(2))
        assert titles(child.hear_until(Batch)) == ["Mark of the journey"]


def test_filter_takes_effect_while_the_worker_runs_and_on_rules_that_change_later(site: Path) -> None:
    log = site.parent / "access.log"
    text = (
        "title: f\nlogsource: {category: webserver}\nfilter: {rules: any, s: {c-ip: 203.0.113.1}, condition: not s}\n"
    )
    with child_of(begun(site)) as child:
        child.hear_until(Ready)
        (site / "filter.yml").write_text(text, encoding="utf-8")
        child.hear_until(Ready)
        append(log, attack(1), attack(2))
        assert titles(child.hear_until(Batch)) == ["Mark of the journey"]
        (site / "own.yml").write_text(MARK_RULE.replace("Mark of", "New mark of"), encoding="utf-8")
        child.hear_until(Ready)
        append(log, attack(1), attack(2))
        assert titles(child.hear_until(Batch)) == ["New mark of the journey"]


def test_worker_tells_which_rules_are_off(site: Path) -> None:
    (site / "low.yml").write_text(MARK_RULE.replace("level: high", "level: low"), encoding="utf-8")
    with child_of(begun(site, wanted=Wanted(min_level=Level.MEDIUM))) as child:
        told = child.hear_until(LeftOut)[-1]
    assert (told.off.n, told.off.by) == (1, {"level": 1})


def test_first_start_looks_with_the_built_in_rules_at_once_and_adds_the_others(site: Path) -> None:
    log = site.parent / "access.log"
    with child_of(begun(site, is_builtin_wanted=True)) as child:
        first = child.hear()
        assert isinstance(first, Ready)
        assert first.n_coming == 1
        assert first.n_rules > 100
        heard = child.hear_until(Ready)
        assert heard[-1] == Ready(n_rules=first.n_rules + 1, faults=())
        append(log, access_line("203.0.113.1", "/journey-mark"))
        assert titles(child.hear_until(Batch)) == ["Mark of the journey"]
    with child_of(begun(site, is_builtin_wanted=True)) as again:
        assert again.hear() == Ready(n_rules=first.n_rules + 1, faults=())


def test_start_behind_a_committed_position_waits_for_all_rules(site: Path) -> None:
    append(site.parent / "access.log", attack(1))
    with child_of(begun(site)) as child:
        token = child.hear_until(Batch)[-1].token
    source = SourceSpec(name="web", path=str(site.parent / "access.log"), format="access", token=token)
    with child_of(begun(site, is_builtin_wanted=True, sources=(source,))) as child:
        first = child.hear()
    assert isinstance(first, Ready)
    assert (first.n_coming, first.n_rules > 100) == (0, True)


def test_filter_of_the_site_counts_from_the_first_record_on(site: Path) -> None:
    text = (
        "title: f\nlogsource: {category: webserver}\nfilter: {rules: any, s: {c-ip: 203.0.113.1}, condition: not s}\n"
    )
    (site / "filter.yml").write_text(text, encoding="utf-8")
    log = site.parent / "access.log"
    append(log, access_line("203.0.113.1", "/?q=1%20union%20select%201,2"))
    append(log, access_line("203.0.113.2", "/?q=1%20union%20select%201,2"))
    with child_of(begun(site, is_builtin_wanted=True)) as child:
        batch = child.hear_until(Batch)[-1]
    assert {one.record for one in batch.detections} == {2}
