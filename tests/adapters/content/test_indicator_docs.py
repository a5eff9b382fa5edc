"""The page about indicators says what the node reads and does."""

import re
from pathlib import Path

import pytest

from amagasa.adapters.content.policies import load_policy
from amagasa.detect.indicators.ageing import FLOOR, KINDS, LIST_FALLS, REPORT_FALLS

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ("indicators.md", "indicators.ja.md")
_EXAMPLE = re.compile(r"```toml (\w+)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_examples_on_the_page_can_be_used(page: str, tmp_path: Path) -> None:
    examples = dict(_EXAMPLE.findall((DOCS / page).read_text(encoding="utf-8")))
    for name, text in examples.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    ageing = tmp_path / "ageing" if "ageing" in examples else None
    policy = load_policy(allowlists=[tmp_path / "allowlist"], ageing=ageing)
    assert policy.allowlist.n_values > load_policy().allowlist.n_values


def test_page_tells_the_half_lives_and_the_kinds() -> None:
    page = (DOCS / "indicators.md").read_text(encoding="utf-8")
    rows = {"address": "ip-addr", "link": "url", "domain, mail address": "domain-name", "file name": "file-name"}
    for words, kind in rows.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {words} |"))
        report = REPORT_FALLS.get(kind)
        of_report = f"{report.half_life_days} days, after a year" if report else "never"
        assert row == f"| {words} | {LIST_FALLS[kind].half_life_days} days | {of_report} |"
    assert f"the floor ({FLOOR} of 100)" in page
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []
