"""The agreements and the release officer's desk in a browser, in both languages."""

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from amagasa.app.pages import Page as Rows
from amagasa.app.ports import CrossingState, Direction
from amagasa.vocab.tlp import Tlp
from tests.browser import seed
from tests.browser.conftest import Watched
from tests.browser.served import Served

OBJECT = "incident--5b408962-a142-4f50-8eae-619e5eb0df05"


@pytest.fixture
def waiting(node: Served) -> int:
    """An incident that waits for a yes; its crossing's number."""
    obj = {
        "type": "incident",
        "spec_version": "2.1",
        "id": OBJECT,
        "created_by_ref": seed.JAPAN.id,
        "created": "2026-11-23T10:00:00.000Z",
        "modified": "2026-11-23T10:00:00.000Z",
        "name": "SQL injection on the ministry",
        "x_note": "between ourselves",
        "object_marking_refs": [Tlp.AMBER.marking_id],
    }
    with node.desktop.store.write() as tx:
        node.desktop.deps.sharing.release(tx, [obj], now=datetime.now(UTC))
    with node.desktop.store.read() as reading:
        rows, _ = reading.crossings(Rows(limit=10), direction=Direction.OUT, state=CrossingState.WANTING)
    return next(row.id for row in rows if row.object_id == OBJECT)


def test_agreement_stands_in_both_languages_side_by_side(officer: Watched) -> None:
    page = officer.open("agreements")
    row = page.locator("table.articles tr", has_text="Parties").first
    expect(row).to_contain_text("当事者")
    assert len(page.locator("dd.mono").first.inner_text()) == 64


def test_draft_that_is_none_is_told_what_is_wrong(officer: Watched) -> None:
    page = officer.open("agreements")
    page.locator("textarea").fill("this is no agreement")
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("status")).to_contain_text("AMG-AGREEMENT-TOML")


def test_officer_takes_a_field_out_and_it_does_not_leave(officer: Watched, node: Served, waiting: int) -> None:
    page = officer.open("release")
    card = page.locator("section.card", has_text="SQL injection on the ministry")
    row = card.locator("tr", has_text="x_note")
    expect(row).to_contain_text("between ourselves")
    row.get_by_role("checkbox").check()
    card.get_by_role("button", name="Edit down").click()
    expect(card.locator("tr.stripped, tr.kept", has_text="between ourselves")).to_have_count(0)
    with node.desktop.store.read() as reading:
        edited = reading.crossing(waiting)
    assert edited is not None
    assert b"between ourselves" not in edited.content
    assert edited.state is CrossingState.WANTING


def test_officer_reads_in_japanese_whose_yes_is_wanted(officer: Watched, waiting: int) -> None:
    assert waiting
    page = officer.open("release")
    page.get_by_role("button", name="日本語").click()
    expect(page.locator("section.card", has_text="SQL injection").locator(".consent")).to_contain_text("開示担当官")


def test_incident_is_downloaded_as_an_event_of_misp(officer: Watched) -> None:
    page = officer.open(f"incidents/{quote(seed.incident_id('web'))}")
    page.locator("details.exports summary").click()
    with page.expect_download() as told:
        page.get_by_role("link", name="MISP event").click()
    event = json.loads(Path(told.value.path()).read_text(encoding="utf-8"))["Event"]
    assert told.value.suggested_filename.endswith(".misp.json")
    assert {"name": "tlp:amber"} in event["Tag"]
