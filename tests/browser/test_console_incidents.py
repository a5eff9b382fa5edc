"""What an officer does with incidents in the console."""

from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, expect

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.ports import Store
from tests.app.umbrella import crossed, take
from tests.browser.conftest import Watched
from tests.browser.seed import incident_id
from tests.browser.served import Served
from tests.incident.samples import address, found

ATTACK = [found(0, address("198.51.100.77"))]
BASE = "Intrusion on a base's Windows hosts"


def opened(officer: Watched, title: str = BASE) -> Page:
    page = officer.open("incidents")
    page.get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", name="Case file")).to_be_visible()
    return page


def test_queue_names_its_budget_and_what_becomes_of_each(officer: Watched) -> None:
    page = officer.open("incidents")
    rows = page.locator("table.queue tbody tr:not(.divider)")
    expect(rows).to_have_count(2)
    expect(page.get_by_text("2 open. This shift can read 60 (usual)")).to_be_visible()
    page.get_by_label("Incidents a shift can read").fill("1")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("This shift can read 1 (set)")).to_be_visible()
    expect(rows.nth(1)).to_contain_text("next shift")
    expect(page.get_by_text("1 wait for the next shift")).to_be_visible()
    page.get_by_role("button", name="Learn it").click()
    expect(rows.nth(1)).to_contain_text("read")


def test_case_file_is_written_and_taken_back(officer: Watched) -> None:
    page = opened(officer)
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_role("button", name="Let it go")).to_be_visible()
    page.get_by_label("Stage").select_option("containment")
    page.get_by_label("Note").fill("<img src=x onerror=alert(1)> seen before")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".case .notes")).to_contain_text("<img src=x onerror=alert(1)> seen before")
    page.get_by_role("button", name="Task", exact=True).click()
    page.get_by_role("textbox", name="Task").fill("block it")
    page.get_by_role("button", name="Add the task").click()
    page.get_by_role("button", name="Done", exact=True).click()
    expect(page.get_by_text("done by tanaka")).to_be_visible()
    page.get_by_text("History (").click()
    page.locator(".history li").filter(has_text="stage: containment").get_by_role("button", name="Undo").click()
    expect(page.locator(".history li").filter(has_text="stage: containment")).to_contain_text("undone")
    expect(page.get_by_label("Stage")).to_have_value("detected")


def test_alerts_are_split_off_and_come_back(officer: Watched) -> None:
    page = opened(officer)
    page.get_by_label("Choose Shadow copies deleted").check()
    page.locator("summary", has_text="Shape").click()
    page.get_by_role("button", name="Split them off").click()
    expect(page.locator("details.alert")).to_have_count(6)
    page.get_by_text("History (").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("details.alert")).to_have_count(7)


def test_score_follows_what_a_person_assesses(officer: Watched) -> None:
    page = opened(officer)
    page.locator("summary", has_text="Score").click()
    before = page.locator("table.score + p, details p strong").first.inner_text()
    page.get_by_label("Actor").select_option("apt-targeted")
    expect(page.locator("table.score tr").filter(has_text="Actor")).to_contain_text("a person")
    assert int(page.locator("details p strong").first.inner_text()) > int(before)


def test_graph_lights_what_a_chosen_node_touched(officer: Watched) -> None:
    page = opened(officer, "Attack on the government website")
    node = page.locator(".graph .node").first
    node.focus()
    page.keyboard.press("Enter")
    expect(node).to_have_attribute("aria-pressed", "true")


def test_campaign_across_parties_names_what_ties_them(officer: Watched, node: Served, tmp_path: Path) -> None:
    allys = crossed(1, store_of(tmp_path))
    take(node.desktop.store, ATTACK)
    with node.desktop.store.write() as tx:
        for one in allys:
            tx.save_object(one)
    page = officer.open("campaigns")
    expect(page.locator(".campaign li").filter(has_text="1 source addresses in common")).to_be_visible()
    expect(page.locator(".campaign table tbody tr")).to_have_count(2)
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_role("heading", name="作戦")).to_be_visible()


def test_campaigns_of_nobody_say_what_would_make_one(officer: Watched) -> None:
    page = officer.open("campaigns")
    expect(page.get_by_text("No campaign across parties.")).to_be_visible()


def store_of(folder: Path) -> Store:
    """An ally's store which met the same attacker."""
    store = open_store(folder / "ally.sqlite")
    take(store, ATTACK)
    return store


def test_incidents_are_merged_by_title_or_pasted_address_and_come_apart_again(officer: Watched) -> None:
    page = opened(officer)
    page.locator("summary", has_text="Shape").click()
    into = page.get_by_label("Make part of this one")
    into.fill("incident--no-such")
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no such incident here.")
    into.fill(f"{officer.address}/#/incidents/{quote(incident_id('web'))}")
    page.get_by_role("button", name="Merge").click()
    expect(page.locator("details.alert")).to_have_count(11)
    page.get_by_text("History (").click()
    page.get_by_role("button", name="Undo").first.click()
    expect(page.locator("details.alert")).to_have_count(7)


def test_alerts_are_moved_to_an_incident_chosen_by_its_title(officer: Watched) -> None:
    page = opened(officer)
    page.get_by_label("Choose Shadow copies deleted").check()
    page.locator("summary", has_text="Shape").click()
    label = page.locator("#incidents-open option").first.get_attribute("value")
    page.get_by_label("Move them to").fill(str(label))
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator("details.alert")).to_have_count(6)
