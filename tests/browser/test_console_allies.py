"""An ally as a person sees it: line, heart, what came and why not, what is not acknowledged, and files to carry."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.consulting import Talk, talks_of
from amagasa.app.courier import CourierDesk
from amagasa.app.delivery import LineState, meta_key
from amagasa.app.hearts import Heart
from amagasa.app.permissions import NODE, Role
from amagasa.app.ports import Crossing, CrossingState, Direction
from amagasa.app.quarantine import CODE
from amagasa.app.receipt_ports import TakenBack, Way
from amagasa.app.signals import Signals
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp
from tests.browser import seed
from tests.browser.conftest import Watched, page_of
from tests.browser.served import Served, served
from tests.browser.test_console import CONTRAST

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
NOW = datetime.now(UTC)


def indicator(number: int, marking: str) -> bytes:
    obj: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": stable_id("indicator", "carried", str(number)),
        "created": "2026-11-23T03:00:00.000Z",
        "modified": "2026-11-23T03:00:00.000Z",
        "created_by_ref": seed.STATES.id,
        "name": f"Scanner {number}",
        "pattern": f"[ipv4-addr:value = '203.0.113.{number}']",
        "pattern_type": "stix",
        "valid_from": "2026-11-23T03:00:00.000Z",
        "object_marking_refs": [marking],
    }
    return json.dumps(obj, sort_keys=True, separators=(",", ":")).encode()


def waiting(object_id: str, content: bytes, ally: str, clause: str) -> Crossing:
    return Crossing(
        ally=ally,
        agreement=seed.agreement().id,
        direction=Direction.OUT,
        state=CrossingState.PENDING,
        object_id=object_id,
        object_type="indicator",
        version="2026-11-23T03:00:00.000Z",
        clause=clause,
        marking="amber",
        content=content,
        created_at=NOW - timedelta(hours=3),
        next_try_at=NOW,
    )


TALKS = (
    Talk(object_id=stable_id("incident", "theirs"), is_ours=True, since=NOW - timedelta(hours=1)),
    Talk(object_id=stable_id("incident", "ours"), is_ours=False, since=NOW - timedelta(hours=2)),
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """One node whose line is down, with something of everything."""
    with served() as node:
        line = LineState(
            ally=seed.STATES.id,
            is_up=False,
            since_at=NOW - timedelta(hours=2),
            n_failures=41,
            why="no route [AMG-LINE]",
        )
        awaited = TakenBack(
            agreement=seed.agreement().id,
            way=Way.AWAITED,
            object_id=stable_id("indicator", "mistaken"),
            version="1",
            cause="c",
            asked_at=NOW - timedelta(days=1),
        )
        with node.desktop.store.write() as tx:
            tx.save_meta(meta_key(seed.STATES.id), msgspec.json.encode(line).decode())
            tx.receipts.save(awaited)
            tx.save_meta(f"consultations:{seed.agreement().id}", msgspec.json.encode(TALKS).decode())
            item = seed.content()[0]
            tx.save_content(
                replace(
                    item, origin=seed.STATES.id, is_active=False, activated_at=None, fault=f"put aside: noise [{CODE}]"
                )
            )
        yield node


@pytest.fixture
def page(chromium: Browser, shared: Served) -> Iterator[Page]:
    with page_of(chromium, shared, "allies", Role.RELEASE_OFFICER) as page:
        yield page


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the ally carried to us: one indicator that its clause lets in, and one above the ceiling."""
    folder = tmp_path_factory.mktemp("stick")
    store = open_store(folder / "states.sqlite")
    book = seed.Book(seed.agreement(), party=seed.STATES)
    desk = CourierDesk(store=store, signals=Signals(), book=book, party=seed.STATES.id, box=seed.STATES_KEYS)
    with store.write() as tx:
        tx.add_crossings(
            [
                waiting(
                    stable_id("indicator", "carried", str(number)),
                    indicator(number, marking.marking_id),
                    seed.JAPAN.id,
                    "indicators",
                )
                for number, marking in enumerate((Tlp.AMBER, Tlp.RED))
            ]
        )
    made = desk.write(NODE, seed.JAPAN.id, courier="", part=1, after=0, now=NOW)
    store.close()
    assert made.n_objects == 2
    (folder / "0001.courier").write_bytes(made.content)
    (folder / "altered.courier").write_bytes(made.content[:-1] + bytes([made.content[-1] ^ 1]))
    (folder / "none.courier").write_bytes(b"x" * 100)
    return folder


def test_ally_line_heart_and_papers_are_told(page: Page) -> None:
    card = page.locator(".ally-card")
    expect(card).to_contain_text("Line down since")
    expect(card).to_contain_text("Failed tries since41")
    expect(card.locator(".heart")).to_contain_text("nothing said yet")
    card.locator(".papers summary").click()
    expect(card.locator(".papers")).to_contain_text("Pinned certificate (SHA-256)")
    expect(card.locator(".papers")).to_contain_text(seed.STATES_KEYS.public_key)


def test_ally_what_came_and_why_it_was_refused_is_told(page: Page) -> None:
    card = page.locator(".ally-card")
    expect(card.locator(".reasons")).to_contain_text("no clause lets this party give a malware")
    expect(card.locator(".awaited")).to_contain_text("Overdue since")
    card.locator(".aside summary").click()
    expect(card.locator(".aside")).to_contain_text("put aside: noise")


def test_ally_who_was_never_heard_is_not_called_silent(page: Page) -> None:
    expect(page.locator(".ally-card .facts").first).to_be_visible()
    expect(page.locator(".silent")).to_have_count(0)


def test_ally_that_fell_silent_is_an_alarm_at_the_top(officer: Watched, node: Served) -> None:
    heart = Heart(
        heard_at=NOW - timedelta(hours=3),
        silent_at=NOW - timedelta(hours=2),
        incident=seed.incident_id("base"),
        fault=f"forged {seed.HOSTILE} [AMG-BEAT-FORGED]",
    )
    with node.desktop.store.write() as tx:
        tx.save_meta(f"heart:{seed.STATES.id}", msgspec.json.encode(heart).decode())
    page = officer.open("allies")
    silent = page.locator(".ally-card .silent")
    expect(silent).to_contain_text("Silent for longer than the 60 min of the agreement")
    expect(page.locator(".ally-card")).to_contain_text("AMG-BEAT-FORGED")
    expect(page.locator("main img")).to_have_count(0)
    silent.get_by_role("link", name="The alarm").click()
    expect(page.locator("main h1")).to_contain_text("Intrusion")


def test_ally_that_waits_for_the_first_word_is_given_it(chromium: Browser, shared: Served) -> None:
    context = chromium.new_context(locale="en-US")
    token = shared.desktop.session(Role.WATCH_OFFICER, name="mori")
    context.add_cookies([shared.session_cookie(token)])  # type: ignore[list-item]
    page = Watched(context, shared.address).open("allies")
    talks = page.locator("table.talks tbody tr")
    expect(talks.filter(has_text="we wait for United States")).to_have_count(1)
    talks.filter(has_text="waits for ours").get_by_role("button", name="Working on it").click()
    expect(talks.filter(has_text="Working on it")).to_have_count(1)
    expect(talks.get_by_role("button")).to_have_count(0)
    with shared.desktop.store.read() as reading:
        said = [one.word.answer.value for one in talks_of(reading, seed.agreement().id) if one.word is not None]
    assert said == ["working"]
    context.close()


def test_courier_of_nothing_says_that_nothing_waits(page: Page) -> None:
    page.get_by_text("Carry to United States by file").click()
    page.get_by_role("button", name="Make files of what waits").click()
    expect(page.locator(".courier-out .notice")).to_contain_text("Nothing waits for this ally")


def test_courier_shows_what_it_would_bring_before_it_is_taken_in(page: Page, stick: Path, shared: Served) -> None:
    files = [stick / "0001.courier", stick / "altered.courier", stick / "none.courier"]
    page.get_by_label("Files (.courier)").set_input_files(files)
    parts = page.locator(".courier-in .part")
    expect(parts.first).to_contain_text("From United States, part 1")
    expect(parts.first).to_contain_text("1 would be refused")
    expect(parts.nth(1)).to_contain_text("it was changed, or somebody else made it")
    expect(parts.nth(2)).to_contain_text("This is no part of a courier")
    with shared.desktop.store.read() as reading:
        assert not [one for one in reading.content() if one.id == stable_id("indicator", "carried", "0")]
    page.get_by_role("button", name="Take in (1)").click()
    expect(parts.first.locator(".notice")).to_contain_text("Taken in:")
    with page.expect_download() as downloading:
        parts.first.get_by_role("link", name="answer-0001.courier").click()
    assert Path(downloading.value.path()).read_bytes().startswith(b"amagasa-courier-1\n")
    with shared.desktop.store.read() as reading:
        assert [one for one in reading.content() if one.id == stable_id("indicator", "carried", "0")]


def test_courier_of_what_waits_is_a_file_for_the_ally_alone(page: Page, shared: Served) -> None:
    with shared.desktop.store.write() as tx:
        content = indicator(9, Tlp.AMBER.marking_id)
        tx.add_crossings([waiting(stable_id("indicator", "ours"), content, seed.STATES.id, "our-indicators")])
    page.reload()
    page.get_by_role("button", name="Make files of what waits (1)").click()
    expect(page.locator(".courier-out .notice")).to_contain_text("1 objects in 1 files")
    with page.expect_download() as downloading:
        page.locator(".courier-out .files a").click()
    data = Path(downloading.value.path()).read_bytes()
    assert data.startswith(b"amagasa-courier-1\n")
    assert b"203.0.113.9" not in data


def test_courier_is_not_offered_to_whoever_may_not_release(chromium: Browser, shared: Served) -> None:
    context = chromium.new_context(locale="en-US")
    context.add_cookies([shared.session_cookie(shared.desktop.session(Role.AUDITOR))])  # type: ignore[list-item]
    page = Watched(context, shared.address).open("allies")
    expect(page.locator(".reasons")).to_be_visible()
    expect(page.locator(".courier-in, .courier-out")).to_have_count(0)
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_allies_page_fits_in_both_languages(page: Page, width: int) -> None:
    expect(page.locator(".reasons")).to_be_visible()
    for name in ("EN", "日本語"):
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("button", name=name).click()
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CONTRAST) == []
    expect(page.locator(".courier-in h2")).to_have_text("運搬ファイルを受け入れる")
