"""The console in headless Chromium, on a real server and a real store."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from amagasa.app.accounts import hash_of
from amagasa.app.permissions import Role
from amagasa.app.ports import CrossingState
from tests.browser import seed
from tests.browser.conftest import Watched
from tests.browser.served import Served, served
from tests.browser.test_words import WORDS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PAGES = (
    "watch",
    "incidents",
    "campaigns",
    "missions",
    "attack",
    "allies",
    "crossings",
    "ledger",
    "release",
    "content",
    "sources",
    "settings",
    "keys",
)
HEADINGS = {"attack": "attack.title"}
PASSWORD = "correct horse battery"
# Contrast of text against what stands behind it, as WCAG 2.2 section 1.4.3 counts it.
CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2])
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n }
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]))
  const ground = (node) => {
    const layers = []
    for (let at = node; at; at = at.parentElement) layers.unshift(parse(getComputedStyle(at).backgroundColor))
    return layers.reduce((under, top) => over(top, under), [255, 255, 255])
  }
  const opacity = (node) => {
    let product = 1
    for (let at = node; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity)
    return product
  }
  const poor = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest(':disabled, .hidden')) continue
    const behind = ground(node)
    const colour = parse(getComputedStyle(node).color)
    const seen = over([...colour.slice(0, 3), colour[3] * opacity(node)], behind)
    const [high, low] = [light(seen), light(behind)].sort((a, b) => b - a)
    const ratio = (high + 0.05) / (low + 0.05)
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${node.className} ${walker.currentNode.data.trim().slice(0, 30)}`)
  }
  return [...new Set(poor)]
}"""


def publish(node: Served, *alerts: Any) -> None:
    with node.desktop.store.write() as tx:
        tx.save_alerts(alerts)
    node.desktop.signals.publish("alert", {"ids": [alert.id for alert in alerts]})


def fresh(number: int, title: str) -> Any:
    return seed.hostile_alert(datetime.now(UTC) + timedelta(seconds=1), number=number, title=title)


def titles(page: Page) -> list[str]:
    return page.locator("table.alerts .cover").all_inner_texts()


def test_first_visit_by_link_ends_on_the_watch(watched: Watched, node: Served) -> None:
    page = watched.page
    page.goto(node.link("one-time-token"))
    expect(page.get_by_role("heading", name="Create the first account")).to_be_visible()
    assert "one-time-token" not in page.url
    page.get_by_label("Name").fill("sato")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill("something else")
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create and sign in").click()
    expect(page.get_by_role("heading", name="Watch")).to_be_visible()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Name").fill("sato")
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Name and password do not fit.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Watch")).to_be_visible()


def test_link_that_was_used_says_so_in_the_language_chosen(watched: Watched) -> None:
    page = watched.open("link/used-up")
    expect(page.get_by_role("alert")).to_contain_text("This link opens nothing any more")
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_role("alert")).to_contain_text("このリンクはもう使えません")


def test_alert_appears_by_itself(officer: Watched, node: Served) -> None:
    page = officer.open()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    publish(node, fresh(1, "A new thing"))
    expect(page.locator("table.alerts tbody tr").first).to_contain_text("A new thing")


def test_alerts_stand_still_under_the_pointer_and_count_what_is_new(officer: Watched, node: Served) -> None:
    page = officer.open()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    page.locator("table.alerts tbody tr").nth(3).hover()
    expect(page.get_by_text("Frozen")).to_be_visible()
    before, place = titles(page), page.locator("table.alerts").bounding_box()
    publish(node, fresh(1, "First new thing"), fresh(2, "Second new thing"))
    expect(page.get_by_role("button", name="2 new")).to_be_enabled()
    assert titles(page) == before
    assert page.locator("table.alerts").bounding_box() == place
    page.get_by_role("button", name="2 new").click()
    expect(page.locator("table.alerts tbody tr")).to_have_count(14)
    publish(node, fresh(3, "Third new thing"))
    expect(page.locator("table.alerts tbody tr").first).to_contain_text("Third new thing")


def test_alerts_stand_still_while_one_has_the_focus(officer: Watched, node: Served) -> None:
    page = officer.open()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    page.keyboard.press("j")
    expect(page.get_by_text("Frozen")).to_be_visible()
    publish(node, fresh(1, "A new thing"))
    expect(page.get_by_role("button", name="1 new")).to_be_enabled()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)


def test_flood_of_alerts_repaints_at_most_three_times_a_second(officer: Watched, node: Served) -> None:
    page = officer.open()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/alerts?" in request.url else None)
    started = datetime.now(UTC)
    for number in range(300):
        publish(node, fresh(number, f"Flood {number}"))
    expect(page.get_by_text("Flood 299", exact=True)).to_be_visible()
    elapsed_s = (datetime.now(UTC) - started).total_seconds()
    assert len(asked) <= 3 * elapsed_s + 2


def test_incident_tells_its_story_with_evidence(officer: Watched) -> None:
    page = officer.open("incidents")
    page.get_by_role("link", name="Intrusion on a base's Windows hosts").click()
    expect(page.get_by_role("heading", name="Credential access")).to_be_visible()
    page.get_by_role("button", name="Encoded PowerShell command line").click()
    opened = page.locator("details.alert[open]")
    expect(opened).to_contain_text("What matched")
    expect(opened.locator("pre")).to_contain_text("SQBFAFgA")
    page.get_by_role("button", name="by time").click()
    assert page.locator(".timeline .link").first.inner_text() == "Office program starts a shell"


def test_alert_of_a_correlation_lists_the_records_it_put_together(officer: Watched) -> None:
    page = officer.open()
    page.get_by_role("link", name="Many failed sign-ins from one address").first.click()
    expect(page.get_by_text("96 records together")).to_be_visible()
    rows = page.locator("table.signs tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("Sign-in refused")
    expect(rows.last).to_contain_text("tanaka4")


def test_incident_is_closed_and_opened_again(officer: Watched) -> None:
    page = officer.open("incidents")
    page.get_by_role("link", name="Attack on the government website").click()
    page.get_by_label("Why it is closed").fill("a scan of our own")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("tanaka: a scan of our own")).to_be_visible()
    page.get_by_role("button", name="Open again").click()
    expect(page.get_by_role("button", name="Close")).to_be_visible()


def test_matrix_shows_techniques_under_their_tactics(officer: Watched) -> None:
    page = officer.open("attack")
    column = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Credential access"))
    expect(column).to_contain_text("T1003.001")
    expect(column).to_contain_text("LSASS Memory")
    expect(column).to_contain_text("96")
    page.get_by_role("button", name="Whole matrix").click()
    expect(page.get_by_role("heading", name="Exfiltration")).to_be_visible()


def test_allies_page_says_the_clauses_in_words(officer: Watched) -> None:
    page = officer.open("allies")
    clause = page.locator(".clauses li").filter(has_text="incident").first
    expect(clause).to_contain_text("We give United States")
    expect(clause).to_contain_text("TLP:AMBER+STRICT")
    expect(clause).to_contain_text("A release officer must say yes.")
    expect(clause).to_contain_text("description, external_references")
    tlp = clause.locator(".tlp")
    expect(tlp).to_have_css("color", "rgb(255, 192, 0)")
    expect(tlp).to_have_css("background-color", "rgb(0, 0, 0)")


def test_crossing_shows_its_exact_bytes_on_demand(officer: Watched) -> None:
    page = officer.open("crossings")
    page.locator("details.crossing.delivered summary").first.click()
    page.get_by_role("button", name="Show the content").click()
    page.get_by_role("button", name="Exact").click()
    raw = page.locator("pre.raw").inner_text()
    assert json.loads(raw)["type"] == "sighting"
    assert raw.startswith('{"count":')
    expect(page.locator("details.crossing.withheld").first).to_contain_text("above the ceiling")


def test_release_officer_says_yes_to_what_is_shown(officer: Watched, node: Served) -> None:
    page = officer.open("release")
    expect(page.locator("pre.raw")).to_contain_text("Intrusion on a base's Windows hosts")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Nothing waits for a decision.")).to_be_visible()
    with node.desktop.store.read() as reading:
        decided = [one for one in reading.crossings(seed.PAGE)[0] if one.decided_by == "tanaka"]
    assert [one.state for one in decided] == [CrossingState.PENDING]


def test_release_page_gives_no_button_to_others(watched: Watched, node: Served) -> None:
    token = node.desktop.session(Role.WATCH_OFFICER)
    watched.page.context.add_cookies([node.session_cookie(token)])  # type: ignore[list-item]
    page = watched.open("release")
    expect(page.get_by_text("A release officer decides.")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_address_is_added_and_offered(officer: Watched) -> None:
    page = officer.open("content")
    page.get_by_text("Add an address or a rule").click()
    page.get_by_label("IP address").fill("10.0.0.1")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("outside of our own network")
    page.get_by_label("IP address").fill("203.0.113.200")
    page.get_by_label("Offer it to the allies").check()
    page.get_by_role("button", name="Add and offer").click()
    expect(page.locator("details.content summary").first).to_contain_text("203.0.113.200")
    page.goto(f"{officer.address}/#/release")
    expect(page.locator("section.wanting")).to_have_count(2)


def test_faulted_rule_says_why_and_is_removed_when_sure(officer: Watched) -> None:
    page = officer.open("content")
    rule = page.locator("details.content.faulted")
    expect(rule).to_contain_text("%office_hours%")
    rule.locator("summary").click()
    rule.get_by_role("button", name="Remove").click()
    rule.get_by_role("button", name="Remove it").click()
    expect(rule).to_have_count(0)


def test_account_is_added_by_an_administrator(officer: Watched) -> None:
    page = officer.open("settings")
    page.get_by_text("Add an account").click()
    form = page.locator("details.add form")
    form.get_by_label("Name").fill("suzuki")
    form.get_by_label("Password", exact=True).fill(PASSWORD)
    form.get_by_label("Password again").fill(PASSWORD)
    form.get_by_role("button", name="Add").click()
    expect(page.locator("details.account").filter(has_text="suzuki")).to_contain_text("Watch officer")


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_is_readable_in_each_language_and_light(officer: Watched, lang: str, theme: str) -> None:
    officer.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    officer.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    for name in PAGES:
        page = officer.open(name)
        expect(page.locator("main h1")).to_have_text(WORDS[lang][HEADINGS.get(name, f"nav.{name}")])
        page.wait_for_load_state("networkidle")
        assert page.locator("html").get_attribute("lang") == lang
        assert page.evaluate(CONTRAST) == [], name


def test_page_fits_a_telephone(officer: Watched) -> None:
    officer.page.set_viewport_size({"width": 390, "height": 844})
    incident = seed.incident_id("base")
    for name in (*PAGES, f"incidents/{incident}", f"brief/{incident}", "handover", "missions/edit"):
        page = officer.open(name)
        expect(page.locator("main h1")).to_be_visible()
        page.wait_for_load_state("networkidle")
        for box in ("document.documentElement", "document.querySelector('main')"):
            assert page.evaluate(f"{box}.scrollWidth - {box}.clientWidth") <= 0, name
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Sources").click()
    expect(page.get_by_role("heading", name="Sources")).to_be_visible()
    expect(page.locator("nav#nav")).to_be_hidden()


def test_language_and_light_are_switched_and_kept(officer: Watched) -> None:
    page = officer.open("incidents")
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_role("heading", name="事案")).to_be_visible()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="暗い画面").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()
    expect(page.get_by_role("heading", name="事案")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "ja"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_console_works_by_keyboard_alone(officer: Watched) -> None:
    page = officer.open()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Shadow copies deleted")).to_be_focused()
    for key, heading in (("i", "Incidents"), ("a", "Allies"), ("c", "Crossings"), ("w", "Watch")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Shortcuts")).to_be_visible()


def test_everything_pressable_is_reached_by_tab(officer: Watched) -> None:
    page = officer.open("release")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    n_pressable = page.locator("a[href]:visible, button:visible:not([disabled]), pre[tabindex]").count()
    reached = set()
    for _ in range(n_pressable + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 300)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        if page.evaluate("document.activeElement !== document.body"):
            assert outline != "none"
    assert len(reached) >= n_pressable


def test_hostile_text_is_inert_everywhere(officer: Watched, node: Served) -> None:
    hostile = seed.hostile_alert(datetime.now(UTC))
    incident = seed.incidents([*seed.alerts()])[0]
    named = replace(incident, title=seed.HOSTILE)
    with node.desktop.store.write() as tx:
        tx.save_alerts([hostile, seed.hostile_alert(datetime.now(UTC), number=901, title="A" * 1_000_000)])
        tx.save_incidents([named])
    for path in ("watch", f"alerts/{hostile.id}", "incidents", f"incidents/{incident.id}"):
        page = officer.open(path)
        expect(page.locator("main")).to_contain_text("<img src=x")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.pwned === undefined && !document.querySelector('img, main script')")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_session_that_ended_leads_to_the_sign_in(officer: Watched, node: Served) -> None:
    page = officer.open()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    with node.desktop.store.write() as tx:
        tx.remove_session(hash_of("token of tanaka"))
    page.get_by_role("link", name="Incidents").click()
    expect(page.get_by_text("The session is over. Sign in again.")).to_be_visible()


def test_empty_node_says_what_to_do_next(chromium: Browser) -> None:
    with served(is_seeded=False, agreements=seed.Book()) as bare:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
        watched = Watched(context, bare.address)
        context.add_cookies([bare.session_cookie(bare.desktop.session(*Role, name="tanaka"))])  # type: ignore[list-item]
        page = watched.open()
        expect(page.get_by_text("All quiet: no alert yet.")).to_be_visible()
        page.get_by_role("link", name="Nothing is read yet: name a log to follow").click()
        expect(page.get_by_text("amagasa source add")).to_be_visible()
        for name in PAGES:
            expect(watched.open(name).locator("main h1")).to_be_visible()
            page.wait_for_load_state("networkidle")
        context.close()
        assert watched.complaints == []


def test_address_that_is_no_page_says_so(officer: Watched) -> None:
    page = officer.open("nowhere/at/all")
    expect(page.get_by_text("There is no such page.")).to_be_visible()


def test_matrix_keeps_a_technique_out_of_tactics_it_never_has(officer: Watched, node: Served) -> None:
    mixed = replace(
        fresh(1, "Two of each"), techniques=("T1190", "T1003.001"), tactics=("initial-access", "credential-access")
    )
    publish(node, mixed)
    page = officer.open("attack")
    columns = {
        name: page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name))
        for name in ("Initial access", "Credential access")
    }
    expect(columns["Credential access"]).to_contain_text("T1003.001")
    expect(columns["Credential access"]).not_to_contain_text("T1190")
    expect(columns["Initial access"]).not_to_contain_text("T1003.001")


def test_watch_shows_what_the_allies_told(officer: Watched) -> None:
    page = officer.open()
    expect(page.locator(".from-allies details.crossing")).to_have_count(1)
    expect(page.locator(".from-allies")).to_contain_text("Command server 203.0.113.77")


def test_object_to_decide_upon_does_not_move_under_the_pointer(officer: Watched, node: Served) -> None:
    page = officer.open("release")
    page.get_by_role("button", name="Approve").hover()
    before = page.get_by_role("button", name="Approve").bounding_box()
    other = next(one for one in seed.crossings(datetime.now(UTC)) if one.state is CrossingState.WANTING)
    with node.desktop.store.write() as tx:
        tx.add_crossing(replace(other, object_id="incident--another", created_at=datetime.now(UTC)))
    node.desktop.signals.publish("crossing", {"ids": [99]})
    expect(page.get_by_role("button", name="1 new")).to_be_enabled()
    assert page.get_by_role("button", name="Approve").bounding_box() == before


def test_contrast_check_sees_poor_contrast(officer: Watched) -> None:
    page = officer.open("keys")
    expect(page.locator("main h1")).to_be_visible()
    page.evaluate("document.querySelector('main h1').style.color = '#888'")
    assert len(page.evaluate(CONTRAST)) == 1


def test_watch_does_not_shift_while_it_loads_or_when_a_step_comes(officer: Watched, node: Served) -> None:
    officer.page.add_init_script(
        "window.shifted = 0; new PerformanceObserver((list) => list.getEntries().forEach("
        "(entry) => { window.shifted += entry.value })).observe({ type: 'layout-shift', buffered: true })"
    )
    page = officer.open()
    expect(page.locator("table.alerts tbody tr")).to_have_count(12)
    expect(page.locator(".steps a")).to_have_count(2)
    place = page.locator("table.alerts").bounding_box()
    with node.desktop.store.write() as tx:
        tx.save_position(replace(tx.positions()[0], fault="the file cannot be read"))
    node.desktop.signals.publish("source", {"id": "web"})
    expect(page.locator(".steps a")).to_have_count(3)
    assert page.locator("table.alerts").bounding_box() == place
    assert page.evaluate("window.shifted") < 0.05
