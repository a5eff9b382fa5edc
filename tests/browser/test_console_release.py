"""The release officer's view: what would leave, what left by itself, and taking it back."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from amagasa.app.permissions import Role
from amagasa.app.ports import CrossingState, Direction
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp
from tests.browser import seed
from tests.browser.conftest import Watched, page_of
from tests.browser.served import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    with served() as node:
        yield node


@pytest.fixture
def page(chromium: Browser, shared: Served) -> Iterator[Page]:
    with page_of(chromium, shared, "release", Role.RELEASE_OFFICER) as page:
        yield page


def crossings(node: Served, state: CrossingState) -> int:
    with node.desktop.store.read() as reading:
        return reading.n_crossings().get((Direction.OUT, state), 0)


def test_release_says_what_would_leave_of_an_incident_and_lets_nothing_go(page: Page, shared: Served) -> None:
    before = crossings(shared, CrossingState.WANTING)
    page.goto(f"{shared.address}/#/incidents/{seed.incident_id('base')}")
    page.get_by_role("link", name="What would leave of it").click()
    tried = page.locator(".tried.wanting")
    expect(tried.first).to_contain_text("would wait for a yes before it leaves to United States")
    expect(tried.first.locator("table.fields")).to_contain_text("leaves as it is")
    tried.first.locator("details > summary").click()
    expect(tried.first.locator("pre.raw")).to_contain_text('"type":"incident"')
    assert crossings(shared, CrossingState.WANTING) == before


def test_release_tried_with_an_object_above_every_ceiling_says_by_which_clause_it_stays(page: Page) -> None:
    page.get_by_role("link", name="What would leave").click()
    obj = {
        "type": "incident",
        "spec_version": "2.1",
        "id": stable_id("incident", "tried"),
        "created": "2026-11-23T03:00:00.000Z",
        "modified": "2026-11-23T03:00:00.000Z",
        "created_by_ref": seed.JAPAN.id,
        "name": seed.HOSTILE,
        "object_marking_refs": [Tlp.RED.marking_id],
    }
    page.get_by_label("Identifier or address").fill(json.dumps({"type": "bundle", "objects": [obj]}))
    page.get_by_role("button", name="Show what would leave").click()
    expect(page.locator(".tried.withheld")).to_contain_text("would not leave to United States")
    expect(page.locator(".tried.withheld")).to_contain_text("incidents")


@pytest.mark.parametrize(("text", "said"), [("{nothing", "This is no JSON"), ("nowhere", "There is no such alert or")])
def test_release_tried_with_nonsense_says_what_is_wrong(page: Page, text: str, said: str) -> None:
    page.get_by_role("link", name="What would leave").click()
    page.get_by_label("Identifier or address").fill(text)
    page.get_by_role("button", name="Show what would leave").click()
    expect(page.locator(".refusal")).to_contain_text(said)


def test_release_that_went_by_itself_is_shown_after_the_fact_and_taken_back(page: Page, shared: Served) -> None:
    page.get_by_role("link", name="Left by itself").click()
    rows = page.locator("details.crossing.delivered")
    expect(rows).to_have_count(4)
    rows.first.locator("summary").first.click()
    rows.first.get_by_text("Take it back", exact=True).click()
    rows.first.get_by_label("Why").fill("seen wrong")
    rows.first.get_by_role("button", name="Take back").click()
    expect(rows.first.locator(".take-back .notice")).to_contain_text("the retraction goes to 1 allies")
    assert crossings(shared, CrossingState.PENDING) == 1


def test_release_taken_back_is_not_offered_to_others(chromium: Browser, shared: Served) -> None:
    context = chromium.new_context(locale="en-US")
    context.add_cookies([shared.session_cookie(shared.desktop.session(Role.AUDITOR))])  # type: ignore[list-item]
    page = Watched(context, shared.address).open("release/left")
    row = page.locator("details.crossing.delivered").last
    row.locator("summary").first.click()
    expect(row.locator("pre.raw, button").first).to_be_visible()
    expect(row.locator(".take-back")).to_have_count(0)
    context.close()


def test_release_views_fit_a_telephone_in_japanese(page: Page, shared: Served) -> None:
    page.get_by_role("button", name="日本語").click()
    page.set_viewport_size({"width": 390, "height": 800})
    for view, said in (("", "承認待ち"), ("/left", "自動で提供したもの"), ("/try", "提供される内容を確認")):
        page.goto(f"{shared.address}/#/release{view}")
        expect(page.locator(".views [aria-current]")).to_have_text(said)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("system", "chosen", "ground"), [
    ("light", "", "rgb(238, 241, 244)"),
    ("dark", "", "rgb(13, 19, 25)"),
    ("light", "dark", "rgb(13, 19, 25)"),
    ("dark", "light", "rgb(238, 241, 244)"),
])  # fmt: skip
def test_palette_is_the_systems_unless_the_reader_chose(page: Page, system: str, chosen: str, ground: str) -> None:
    page.emulate_media(color_scheme="dark" if system == "dark" else "light")
    page.evaluate("chosen => { if (chosen) document.documentElement.dataset.theme = chosen }", chosen)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
