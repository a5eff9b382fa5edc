"""What one list says, below the alerts; and lists among the content; in both languages."""

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import expect

from amagasa.app.kept_file import Kept
from amagasa.app.ports import ContentItem, ContentKind
from amagasa.detect.report import Standing
from tests.browser.conftest import Watched
from tests.browser.seed import NOW
from tests.browser.served import Served
from tests.browser.test_console import CONTRAST
from tests.browser.test_words import WORDS
from tests.contracts.store_samples import alert, detection

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
HOSTILE = "<img src=x onerror=alert(1)>"


def heard(node: Served, number: int, title: str) -> None:
    one = replace(detection(), rule_id=None, indicator_id="indicator--l", standing=Standing.ALONE)
    with node.desktop.store.write() as tx:
        tx.leads.save([alert(number, is_indicator=True, title=title, examples=(one,))])
    node.desktop.signals.publish("lead", {})


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_watch_shows_leads_below_the_alerts_as_they_come(officer: Watched, node: Served, lang: str) -> None:
    officer.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    page = officer.open("")
    page.locator("table.alerts").first.wait_for()
    expect(page.locator("section.leads")).to_have_count(0)
    heard(node, 901, f"198.51.100.7, on the list {HOSTILE}")
    leads = page.locator("section.leads")
    expect(leads.get_by_role("heading", name=WORDS[lang]["leads"])).to_be_visible()
    expect(leads.get_by_text(WORDS[lang]["leads.hint"])).to_be_visible()
    expect(leads.locator("tbody tr")).to_have_count(1)
    expect(leads.get_by_text(HOSTILE, exact=False)).to_be_visible()
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_content_counts_what_is_in_a_list(officer: Watched, node: Served, lang: str) -> None:
    counts = {"n_indicators": 1_424_365, "ipv4-addr:value": 1_090_000, "n_rejected": 3}
    kept = Kept(file="0123456789abcdef/list.csv", name="list.csv", counts=counts)
    item = ContentItem(
        id="list--00000000-0000-4000-8000-000000000001",
        kind=ContentKind.LIST,
        title="list.csv",
        origin="",
        text=msgspec.json.encode(kept).decode(),
        is_active=True,
        added_at=NOW,
        added_by="tanaka",
        activated_at=NOW,
    )
    with node.desktop.store.write() as tx:
        tx.save_content(item)
    officer.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    page = officer.open("content")
    row = page.locator("details.content").filter(has_text="list.csv")
    expect(row.get_by_text(WORDS[lang]["kind.list"])).to_be_visible()
    expect(row.get_by_text("1,424,365")).to_be_visible()
    row.locator("summary").click()
    expect(row.get_by_text("1,090,000", exact=True)).to_be_visible()
    expect(row.get_by_text(WORDS[lang]["content.unusable"])).to_be_visible()
