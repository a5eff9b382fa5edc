"""A watch officer's shift, start to end: two officers, a release officer, one node."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from amagasa.app.permissions import Role
from amagasa.app.ports import CrossingState
from tests.browser.conftest import Watched
from tests.browser.seed import PAGE, incident_id
from tests.browser.served import Served
from tests.browser.test_console import CONTRAST
from tests.browser.test_console_missions import load
from tests.entry.console import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
BASE, WEB = "Intrusion on a base's Windows hosts", "Attack on the government website"


class Staff:
    """People at their own screens."""

    def __init__(self, chromium: Browser, node: Served) -> None:
        self._chromium = chromium
        self._node = node
        self.screens: list[Watched] = []

    def screen(self, lang: str = "en") -> Watched:
        context = self._chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
        context.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
        self.screens.append(Watched(context, self._node.address))
        return self.screens[-1]

    def at(self, name: str, *roles: Role, lang: str = "en") -> Watched:
        """Somebody who is signed in already."""
        screen = self.screen(lang)
        token = self._node.desktop.session(*roles, name=name)
        screen.page.context.add_cookies([self._node.session_cookie(token)])  # type: ignore[list-item]
        return screen


@pytest.fixture
def staff(chromium: Browser, node: Served) -> Iterator[Staff]:
    load(node)
    people = Staff(chromium, node)
    yield people
    for screen in people.screens:
        screen.page.context.close()
    assert [complaint for screen in people.screens for complaint in screen.complaints] == []


def sign_in(screen: Watched, name: str) -> Page:
    page = screen.open()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Watch")).to_be_visible()
    return page


def test_shift_from_sign_in_to_a_hand_over_with_a_printed_brief(staff: Staff, node: Served, tmp_path: Path) -> None:
    node.desktop.session(Role.WATCH_OFFICER, name="sato")
    node.desktop.session(Role.WATCH_OFFICER, name="ito")
    page = sign_in(staff.screen(), "sato")
    work_through_the_queue(page)
    leave_the_watch(page, tmp_path)
    consent(staff, node)
    take_the_watch(staff)


def work_through_the_queue(page: Page) -> None:
    """Take the first, look at its evidence, decide, write it down; close the other with the reason."""
    page.keyboard.press("g")
    page.keyboard.press("i")
    first = page.locator("table.queue tbody tr").first
    expect(first).to_contain_text(BASE)
    expect(first).to_contain_text("Operations of the base −")
    page.get_by_role("button", name=f"Take {BASE}").click()
    expect(first).to_contain_text("sato")
    page.get_by_role("button", name="mine", exact=True).click()
    expect(page.locator("table.queue tbody tr")).to_have_count(1)
    page.get_by_role("link", name=BASE).click()
    page.get_by_role("button", name="Encoded PowerShell command line").click()
    expect(page.locator("details.alert[open] pre")).to_contain_text("SQBFAFgA")
    page.get_by_label("Stage").select_option("containment")
    page.get_by_label("Note").fill("dc-01 is cut off from the net")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".case .notes")).to_contain_text("dc-01 is cut off")
    page.get_by_role("link", name="Incidents").first.click()
    page.get_by_role("link", name=WEB).click()
    page.get_by_label("Why it is closed").fill("our own test")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("sato: our own test")).to_be_visible()
    page.get_by_role("link", name="Incidents").first.click()
    expect(page.get_by_text("1 closed so far")).to_be_visible()


def leave_the_watch(page: Page, folder: Path) -> None:
    """To a person, with words, and to the ally as the agreement says."""
    page.get_by_role("link", name="Hand over the watch").click()
    page.get_by_role("combobox", name="To").select_option("ito")
    page.get_by_label("Words for the next").fill("Ring the base at 0400.")
    expect(page.get_by_label(f"Hand over {BASE}")).to_be_checked()
    page.get_by_label(f"Tell the allies of {BASE}").check()
    page.get_by_role("button", name="Leave the watch with 1 incidents").click()
    expect(page.get_by_role("heading", name="Hand-over no. 1")).to_be_visible()
    row = page.locator("table tbody tr").filter(has_text=BASE)
    expect(row).to_contain_text("United States: wants consent")
    page.emulate_media(media="print")
    expect(page.get_by_text("printed by sato")).to_be_visible()
    expect(page.locator("nav#nav")).to_be_hidden()
    assert page.pdf(path=folder / "brief.pdf").startswith(b"%PDF")


def consent(staff: Staff, node: Served) -> None:
    """It is another person's."""
    release = staff.at("kato", Role.RELEASE_OFFICER).open("release")
    release.get_by_role("button", name="Approve").first.click()
    expect(release.get_by_text("Nothing waits for a decision.")).to_be_visible()
    with node.desktop.store.read() as reading:
        assert CrossingState.PENDING in {one.state for one in reading.crossings(PAGE)[0] if one.decided_by == "kato"}


def take_the_watch(staff: Staff) -> None:
    """The next officer reads Japanese."""
    following = staff.at("ito", Role.WATCH_OFFICER, lang="ja").open("incidents")
    expect(following.get_by_text("sato から当直の引き継ぎ(事案 1 件)が届いています。")).to_be_visible()
    following.get_by_role("link", name="読む").click()
    expect(following.get_by_text("Ring the base at 0400.")).to_be_visible()
    following.get_by_role("button", name="当直を受け取る").click()
    expect(following.get_by_text("ito", exact=True).first).to_be_visible()
    following.get_by_role("link", name=BASE).click()
    expect(following.locator(".case")).to_contain_text("ito")


@pytest.mark.parametrize(("lang", "theme"), [("en", "dark"), ("ja", "light")])
def test_hand_over_and_brief_are_readable(staff: Staff, lang: str, theme: str) -> None:
    screen = staff.at("sato", Role.WATCH_OFFICER, lang=lang)
    screen.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for path in ("incidents", "handover", "handover/7", f"brief/{incident_id('base')}"):
        page = screen.open(path)
        expect(page.locator("main h1")).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate(CONTRAST) == [], path


def test_queue_says_what_it_holds_back_and_stands_still_under_the_pointer(staff: Staff, node: Served) -> None:
    page = staff.at("sato", Role.WATCH_OFFICER).open("incidents")
    page.get_by_label("Incidents a shift can read").fill("1")
    page.get_by_role("button", name="Set", exact=True).click()
    divider = page.locator("tr.divider")
    expect(divider).to_have_text("Held back: beyond the 1 that this shift can still read")
    expect(page.locator("tr.held")).to_contain_text("it waits, and is never dropped")
    page.get_by_role("button", name="held back").click()
    expect(page.locator("table.queue tbody tr:not(.divider)")).to_have_count(1)
    page.get_by_role("button", name="everybody's").click()
    page.locator("table.queue").hover()
    with node.desktop.store.write() as tx:
        tx.cases.set_impacts([(_id(node, WEB), 90)])
    node.desktop.signals.publish("incident", {"id": ""})
    expect(page.get_by_role("status").filter(has_text="The order has changed")).to_be_visible()
    expect(page.locator("table.queue tbody tr").first).to_contain_text(BASE)
    page.mouse.move(5, 5)
    expect(page.locator("table.queue tbody tr").first).to_contain_text(WEB)


def _id(node: Served, title: str) -> str:
    with node.desktop.store.read() as reading:
        return next(one.id for one in reading.incidents(PAGE)[0] if one.title == title)
