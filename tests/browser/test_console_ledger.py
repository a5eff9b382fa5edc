"""The record of an agreement as a person sees it: its leaves, its heads, what verifying says, and what is wrong."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import create_engine, text

from amagasa.app.permissions import Role
from amagasa.share.ledger import Fits, verify_lines
from amagasa.vocab.ids import stable_id
from tests.browser import records, seed
from tests.browser.conftest import Watched, page_of
from tests.browser.served import Served, served
from tests.browser.test_console import CONTRAST

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
EMPTY = replace(seed.agreement(), id="agreement--pilot-2026", title="Pilot with the grid company", version=1)


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """One node for the tests that only look."""
    with served(agreements=seed.Book(seed.agreement(), EMPTY)) as node:
        now = datetime.now(UTC)
        records.with_leaves(node.desktop.store, 450, now)
        records.with_heads(node.desktop.store, 300, now)
        records.with_heads(node.desktop.store, 440, now, n_theirs=20)
        records.with_fork(node.desktop.store, now)
        yield node


@pytest.fixture
def page(chromium: Browser, shared: Served) -> Iterator[Page]:
    with page_of(chromium, shared, "ledger", Role.AUDITOR) as page:
        yield page


def spoil(node: Served, statement: str) -> None:
    """As whoever has the disk."""
    engine = create_engine(f"sqlite:///{node.desktop.folder / 'node.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_ledger_tells_how_far_it_is_countersigned_and_with_which_keys(page: Page) -> None:
    card = page.locator(".card.ledger")
    expect(card).to_contain_text("the first 440, the newest 10 not yet")
    expect(card).to_contain_text("Of the ally's record we countersigned20 leaves")
    expect(card).to_contain_text(seed.JAPAN_KEYS.public_key)
    expect(card).to_contain_text(seed.STATES_KEYS.public_key)


def test_ledger_alarm_stands_first_with_its_proof_and_no_markup_of_the_ally(page: Page) -> None:
    alarm = page.locator(".alarm")
    expect(alarm).to_contain_text("the ally signed two different records of one length")
    expect(alarm).not_to_contain_text("\u202e")
    expect(page.locator("main img")).to_have_count(0)
    alarm.locator("summary").click()
    expect(alarm.locator("table.heads tbody tr")).to_have_count(2)
    assert page.evaluate(
        "!!(document.querySelector('.alarm').compareDocumentPosition(document.querySelector('.ledger')) & 4)"
    )


def test_ledger_verified_whole_says_what_was_proved(page: Page) -> None:
    page.get_by_role("button", name="Verify the whole record").click()
    proved = page.locator(".notice.proved")
    expect(proved).to_contain_text("All 450 leaves fit")
    expect(proved).to_contain_text("United States countersigned the first 440")
    expect(proved).to_contain_text(seed.STATES_KEYS.public_key)


def test_ledger_heads_verified_are_each_marked(page: Page) -> None:
    page.get_by_role("button", name="Verify the heads").click()
    expect(page.locator(".notice.proved")).to_contain_text("2 heads of our record bear our signature and the ally's")
    page.locator("details.heads > summary").click()
    expect(page.locator(".ledger-check table.heads").first.locator("td.ok")).to_have_count(2)


def test_leaf_opened_is_proved_in_the_countersigned_tree(page: Page) -> None:
    page.get_by_label("Search", exact=True).fill(stable_id("incident", "6"))
    page.get_by_role("button", name="Search").click()
    leaf = page.locator("details.leaf")
    expect(leaf).to_have_count(1)
    leaf.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(leaf.locator(".proved")).to_contain_text("stands in the tree of 440 leaves that we signed and United States")
    leaf.get_by_text("The proof, hash by hash").click()
    assert leaf.locator("ol.path li").count() > 5


def test_newest_leaf_is_only_our_own_word(page: Page) -> None:
    page.locator("details.leaf > summary").first.click()
    expect(page.locator("details.leaf").first).to_contain_text("only this node's own word")


def test_leaves_are_filtered_by_kind_and_paged(page: Page) -> None:
    expect(page.locator("details.leaf")).to_have_count(50)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("details.leaf")).to_have_count(100)
    page.get_by_label("Kind").select_option("refusal")
    expect(page.locator("details.leaf.act-refusal")).to_have_count(50)
    expect(page.locator("details.leaf:not(.act-refusal)")).to_have_count(0)
    page.get_by_label("Kind").select_option("courier")
    expect(page.locator(".empty")).to_contain_text("No leaf fits")


def test_ledger_of_an_agreement_without_acts_is_empty(page: Page) -> None:
    page.get_by_role("link", name=EMPTY.title).click()
    expect(page.locator(".empty")).to_contain_text("Nothing was recorded under this agreement yet")
    expect(page.locator(".card.ledger")).to_contain_text("only this node's own word stands for the record")


def test_ledger_copy_is_what_the_command_verifies(page: Page) -> None:
    page.get_by_text("A copy to check elsewhere").click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download the copy").click()
    lines = Path(downloading.value.path()).read_bytes().splitlines(keepends=True)
    found = verify_lines(lines)
    assert isinstance(found, Fits)
    assert (found.n_leaves, found.countersigned) == (450, 440)
    assert json.loads(lines[0])["agreement"] == seed.agreement().id


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_ledger_alarm_and_what_was_proved_are_readable(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.get_by_role("button", name="Verify the whole record").click()
    page.locator("details.leaf > summary").first.click()
    expect(page.locator(".notice.proved")).to_have_count(2)
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [1440, 390])
def test_ledger_fits_in_both_languages(page: Page, width: int) -> None:
    expect(page.locator(".ledger-check h2")).to_have_text("Verify")
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="日本語").click()
    expect(page.locator(".ledger-check h2")).to_have_text("検証")
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_ledger_that_was_altered_on_disk_says_which_leaf(officer: Watched, node: Served) -> None:
    now = datetime.now(UTC)
    records.with_leaves(node.desktop.store, 40, now)
    records.with_heads(node.desktop.store, 40, now)
    spoil(node, "UPDATE ledger_leaf SET body = replace(CAST(body AS TEXT), 'no clause', 'a clause') WHERE n = 10")
    spoil(node, "UPDATE ledger_leaf SET body = x'ff00' WHERE n = 30")
    page = officer.open("ledger")
    page.get_by_role("button", name="Verify the whole record").click()
    refusal = page.locator(".ledger-check .refusal")
    expect(refusal).to_contain_text("Leaf 11 does not fit: it does not follow from the leaves before it")
    broken = page.locator("details.leaf").filter(has_text="somebody changed the store")
    expect(broken).to_have_count(1)
    page.locator("details.leaf").filter(has_text="a clause").locator("summary").first.click()
    expect(page.locator("details.leaf .refusal")).to_contain_text("Not proved")


def test_ledger_without_an_agreement_says_how_to_make_one(chromium: Browser) -> None:
    with served(is_seeded=False, agreements=seed.Book()) as node:
        context = chromium.new_context(locale="en-US")
        context.add_cookies([node.session_cookie(node.desktop.session(Role.AUDITOR))])  # type: ignore[list-item]
        page = Watched(context, node.address).open("ledger")
        expect(page.locator(".empty")).to_contain_text("No agreement yet")
        context.close()
