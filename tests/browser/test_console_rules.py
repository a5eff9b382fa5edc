"""The card of the rules on this machine: what comes, what cannot run, what the site leaves out; in both languages."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.served import Served
from tests.browser.test_console import CONTRAST
from tests.browser.test_words import WORDS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SINCE = "2026-11-23T03:00:00Z"
HOSTILE = "<img src=x onerror=alert(1)>"


def exclusion(number: int, **more: Any) -> dict[str, Any]:
    made = {"exclusion": f"content/exclusions.toml#{number}", "reason": f"reason {number}", "expires": "2027-03-31"}
    return made | {"is_expired": False, "n_rules": 2, "n": 7, "by_rule": {}} | more


def note(node: Served, **more: Any) -> None:
    noted = {"n_rules": 183, "since": [{"n_rules": 183, "since": SINCE}], "n_faults": 0, "faults": []} | more
    with node.desktop.store.write() as tx:
        tx.save_meta("rules", json.dumps(noted))
    node.desktop.signals.publish("rules", {})


def everything(node: Served) -> None:
    note(
        node,
        n_faults=2,
        faults=[
            {"rule_id": "a", "path": "content/broken.yml", "why": "no such modifier", "code": "AMG-RULE-003"},
            {"rule_id": "b", "path": "content/wait.yml", "why": "no values of %JumpHosts%", "code": "AMG-RULE-014"},
        ],
        n_off=3,
        n_off_by={"level": 2, "replaced": 1},
        replaced=[{"rule_id": "c", "title": "The older one", "path": "p", "why": "w", "instead": HOSTILE}],
        placeholders=[{"name": "Admins", "n_values": 4}],
        excluded=[exclusion(1), exclusion(2, is_expired=True, n=0), exclusion(3, n_rules=0, n=0, expires=None)],
    )


def opened(officer: Watched, lang: str) -> Page:
    officer.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    page = officer.open("content")
    page.get_by_role("heading", name=WORDS[lang]["rules"]).wait_for()
    card = page.locator("section.card")
    card.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    return page


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_rules_say_what_is_left_out_and_what_waits(officer: Watched, node: Served, lang: str) -> None:
    everything(node)
    page = opened(officer, lang)
    words = WORDS[lang]
    card = page.locator("section.card").filter(has=page.get_by_role("heading", name=words["rules"]))
    for said in (
        words["rules.faults"].replace("{n}", "1"),
        words["rules.off"].replace("{n}", "3"),
        words["rules.off.level"].replace("{n}", "2"),
        words["rules.off.by"].replace("{rule}", HOSTILE),
        words["rules.placeholders"].replace("{n}", "1"),
        words["rules.placeholders.waiting"].replace("{n}", "1"),
        words["rules.placeholders.hint"],
        "%Admins%",
        words["rules.excluded"].replace("{n}", "7"),
        words["rules.excluded.odd"].replace("{n}", "2"),
        words["rules.excluded.until"].replace("{day}", "2027-03-31"),
        words["rules.excluded.expired"].replace("{day}", "2027-03-31"),
        words["rules.excluded.none"],
    ):
        expect(card.get_by_text(said, exact=False).first).to_be_visible()
    assert page.evaluate(CONTRAST) == []


def test_rules_to_come_are_followed_without_a_reload(officer: Watched, node: Served) -> None:
    note(node, n_coming=3_000, n_compiled=750)
    page = opened(officer, "en")
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("max", "3000")
    assert bar.evaluate("(bar) => bar.position") == 0.25
    expect(page.get_by_text("750 of 3,000 files compiled")).to_be_visible()
    note(node, n_rules=3_937)
    expect(page.get_by_text("3,937 rules are looked with")).to_be_visible()
    expect(bar).to_have_count(0)
