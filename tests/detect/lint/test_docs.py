"""The page for rule writers says what the linter says."""

from pathlib import Path

from amagasa.detect.lint.codes import LINTS

ROOT = Path(__file__).resolve().parents[3]


def test_page_lists_every_finding_with_its_grade() -> None:
    page = (ROOT / "docs" / "content.md").read_text(encoding="utf-8")
    rows = [f"| `{code}` | {lint.grade.value} | {lint.about} |" for code, lint in LINTS.items()]
    assert [row for row in rows if row not in page] == []
    assert page.count("\n| `") == len(rows)


def test_every_finding_is_one_sentence() -> None:
    assert [code for code, lint in LINTS.items() if not lint.about.endswith(".")] == []
