"""Drawings in the console: lines of time, campaigns, the matrices, and what is kept of them as files."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from amagasa.adapters.store.sqlite import open_store
from amagasa.incident.alert import Alert
from amagasa.incident.case import Deed, DeedKind
from tests.app.umbrella import crossed, take
from tests.browser.conftest import Watched
from tests.browser.seed import HOSTILE, NOW, incident_id
from tests.browser.served import Served
from tests.browser.test_console import CONTRAST, fresh, publish
from tests.browser.test_console_missions import load
from tests.incident.samples import address, found

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ATTACK = [found(0, address("198.51.100.77"))]


def kept(page: Page, button: str, within: str = "main") -> bytes:
    with page.expect_download() as waiting:
        page.locator(within).get_by_role("button", name=button, exact=True).first.click()
    return Path(waiting.value.path()).read_bytes()


def test_line_of_time_leads_to_the_alert(officer: Watched) -> None:
    page = officer.open(f"incidents/{incident_id('base')}")
    page.get_by_role("button", name="on a line of time").click()
    bar = page.get_by_role("button", name=re.compile(r"^Execution: Encoded PowerShell command line\. High\."))
    bar.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.alert[open]")).to_contain_text("Encoded PowerShell command line")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_drawing_is_a_file_that_stands_by_itself(officer: Watched, theme: str) -> None:
    officer.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page = officer.open(f"incidents/{incident_id('base')}")
    page.get_by_role("button", name="on a line of time").click()
    svg = kept(page, "SVG").decode()
    assert "Memory of LSASS read" in svg
    assert "var(" not in svg
    assert re.search(r'<rect [^>]*fill="rgb\(\d+, \d+, \d+\)"', svg)
    assert kept(page, "PNG").startswith(b"\x89PNG")


def test_whole_matrix_has_enterprise_and_ics(officer: Watched, node: Served) -> None:
    publish(node, fresh_ics())
    page = officer.open("attack")
    page.get_by_role("button", name="ICS").click()
    cell = page.locator(".cell").filter(has_text="T0855")
    expect(cell).to_contain_text("Unauthorized Command Message")
    page.get_by_role("button", name="Whole matrix").click()
    expect(page.locator(".matrix > section")).to_have_count(12)
    expect(page.get_by_text("1 of 83 techniques")).to_be_visible()
    assert page.evaluate(CONTRAST) == []
    page.get_by_role("button", name="Enterprise").click()
    expect(page.get_by_text("of 691 techniques")).to_be_visible()
    expect(page.locator(".cell")).to_have_count(page.locator(".cell .id").count())
    assert "Unauthorized Command Message" not in kept(page, "SVG").decode()


def test_cell_of_the_matrix_leads_to_its_alerts_and_back(officer: Watched) -> None:
    page = officer.open("attack")
    page.locator(".cell").filter(has_text="T1003").locator("a.name").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("T1003 OS Credential Dumping")
    expect(page.locator("table.alerts tbody tr")).to_have_count(1)
    expect(page.locator("table.alerts")).to_contain_text("Memory of LSASS read")
    page.get_by_label("Where you are").get_by_role("link", name="ATT&CK").click()
    expect(page.locator(".matrix")).to_be_visible()


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_search_finds_by_host_and_by_note_in_any_language(officer: Watched, node: Served, lang: str) -> None:
    note = Deed(incident_id=incident_id("base"), kind=DeedKind.NOTE, at=NOW, by="mori", text="営業所に電話で確認した")
    with node.desktop.store.write() as tx:
        tx.cases.add(note)
    page = officer.page
    page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    officer.open("incidents")
    page.locator("#nav").wait_for()
    page.keyboard.press("/")
    box = page.get_by_role("search").get_by_role("textbox")
    expect(box).to_be_focused()
    box.fill("電話で確認")
    page.keyboard.press("Enter")
    expect(page.locator("table.incidents tbody tr")).to_have_count(1)
    box = page.get_by_role("search").get_by_role("textbox")
    box.fill("lsass")
    page.keyboard.press("Enter")
    expect(page.locator("table.alerts tbody tr")).to_have_count(1)
    box.fill("nobody has this")
    page.keyboard.press("Enter")
    expect(page.locator("main p.quiet")).to_have_count(2)
    assert page.evaluate(CONTRAST) == []


def test_campaign_is_drawn_by_party_with_what_ties_it(officer: Watched, node: Served, tmp_path: Path) -> None:
    ally = open_store(tmp_path / "ally.sqlite")
    take(ally, ATTACK)
    take(node.desktop.store, ATTACK)
    with node.desktop.store.write() as tx:
        for one in crossed(1, ally):
            tx.save_object(one)
    ally.close()
    page = officer.open("campaigns")
    expect(page.locator(".lanes .bar")).to_have_count(2)
    expect(page.locator(".lanes .tie title")).to_have_text("1 source addresses in common; techniques T1190")
    assert "this party" in kept(page, "SVG").decode()


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_is_printed_from_a_dark_screen_is_dark_on_white(officer: Watched, node: Served, lang: str) -> None:
    load(node)
    page = officer.page
    page.add_init_script(
        f"localStorage.setItem('amagasa.lang', '{lang}'); localStorage.setItem('amagasa.theme', 'dark')"
    )
    for path in ("incidents", "missions", "handover", f"brief/{incident_id('base')}", "attack"):
        page.emulate_media(media="screen")
        officer.open(path)
        page.wait_for_load_state("networkidle")
        page.emulate_media(media="print")
        expect(page.locator(".made")).to_be_visible()
        assert page.evaluate(CONTRAST) == [], path
        assert page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor") == "rgb(255, 255, 255)"
    officer.open("missions")
    assert page.locator(".map svg > rect").get_attribute("fill") == "#ffffff"
    expect(page.locator("table.missions").get_by_role("button").first).to_be_visible()


def test_hostile_titles_are_inert_in_drawings(officer: Watched, node: Served) -> None:
    hostile = replace(fresh(1, HOSTILE), incident_id=incident_id("web"))
    publish(node, hostile)
    page = officer.open(f"incidents/{incident_id('web')}")
    page.get_by_role("button", name="on a line of time").click()
    expect(page.locator(".lanes .bar")).to_have_count(5)
    expect(page.locator(".lanes .bar > text").filter(has_text="<img src=x")).to_be_visible()
    assert "<script" not in kept(page, "SVG").decode()
    assert page.evaluate("window.pwned === undefined")


def fresh_ics() -> Alert:
    made: Alert = replace(fresh(7, "Command from nowhere"), techniques=("T0855",), tactics=("impair-process-control",))
    return made
