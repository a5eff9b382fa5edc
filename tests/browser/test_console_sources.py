"""What each source shows: rhythm, clock, what waits, what could not be read; in both languages."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from amagasa.adapters.spool.rejects import RejectWriter
from amagasa.app.permissions import Role
from amagasa.app.ports import Position
from amagasa.app.reject_ports import REJECTS, RejectHead, reject_head_in
from amagasa.app.source_health import Health
from amagasa.detect.baseline.profile import Baseline, learn
from amagasa.detect.baseline.rhythm import Rhythm
from amagasa.event.ot.message import Kind, Message
from amagasa.event.skew import Sample
from tests.adapters.spool.test_rejects import reject
from tests.browser.conftest import Watched
from tests.browser.served import Served
from tests.browser.test_console import CONTRAST
from tests.browser.test_words import WORDS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
HOSTILE = b"<img src=x onerror=window.pwned=1> \xff\x1b[31m"


def health(now: datetime, *, n_silent: int = 0, ahead_s: float = -0.4, **changes: Any) -> str:
    minute = int(now.timestamp()) // 60
    rhythm = Rhythm()
    for one in range(minute - 30 * 60, minute):
        rhythm.take(one, has_records=one < minute - n_silent)
    samples = tuple(Sample(at=now - timedelta(minutes=10 - n), ahead_s=ahead_s) for n in range(10))
    return msgspec.json.encode(Health(rhythm=rhythm, samples=samples, **changes)).decode()


def rejects_of_web(folder: Path) -> RejectHead:
    writer = RejectWriter(folder / "rejects", "web", RejectHead(), quota_bytes=1 << 30)
    writer.add([reject(77, HOSTILE), reject(78, "読めない行".encode())])
    writer.close()
    return writer.head


def show_sources(node: Served) -> None:
    """`web` with rejects, `base` with a wrong clock, `dam` silent against its rhythm, `bus` without its broker."""
    now = datetime.now(UTC)
    token = {REJECTS: msgspec.to_builtins(rejects_of_web(node.desktop.folder))}
    with node.desktop.store.write() as tx:
        known = {position.source: position for position in tx.positions()}
        tx.save_position(replace(known["web"], token=token))
        tx.save_position(Position(source="dam", token={}, n_read=4_310, n_accepted=4_310, last_record_at=now))
        away = "the broker cannot be read: it refused [AMG-RECEIVE-004]"
        tx.save_position(Position(source="bus", token={}, n_read=7, n_accepted=7, last_record_at=now, fault=away))
        tx.save_meta("health:bus", health(now, n_behind=12_345))
        tx.save_meta("health:web", health(now, alarm_at=now + timedelta(minutes=6)))
        tx.save_meta("health:base", health(now, ahead_s=32_400.2, lag_bytes=3_500_000))
        tx.save_meta("health:dam", health(now, n_silent=120, is_told=True))


def row_of(page: Page, name: str) -> Any:
    return page.locator("table.sources > tbody > tr").filter(has_text=name).first


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_sources_show_rhythm_clock_and_what_waits(officer: Watched, node: Served, lang: str) -> None:
    show_sources(node)
    officer.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    page = officer.open("sources")
    words = WORDS[lang]
    expect(row_of(page, "dam").get_by_text(words["source.rhythm.silent"])).to_be_visible()
    expect(row_of(page, "base").get_by_text(words["source.clock.zone"].split("{")[0])).to_be_visible()
    expect(row_of(page, "base").get_by_text(words["source.unread"].replace("{size}", "3,418 kB"))).to_be_visible()
    expect(row_of(page, "web").get_by_text(words["source.rhythm.usual"].split("{at}")[-1].strip())).to_be_visible()
    expect(row_of(page, "bus").get_by_text(words["source.fault.AMG-RECEIVE-004"])).to_be_visible()
    expect(row_of(page, "bus").get_by_text("it refused")).to_be_visible()
    expect(row_of(page, "bus").get_by_text(words["source.behind"].replace("{n}", "12,345"))).to_be_visible()
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_sources_show_kept_rejects_as_they_came(officer: Watched, node: Served, lang: str) -> None:
    show_sources(node)
    officer.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    page = officer.open("sources")
    row_of(page, "web").get_by_role("button").click()
    expect(page.get_by_text("<img src=x onerror=window.pwned=1> \\xff\\x1b[31m")).to_be_visible()
    expect(page.get_by_text("読めない行")).to_be_visible()
    assert page.evaluate("window.pwned") is None
    assert page.evaluate(CONTRAST) == []


def test_sources_let_no_watch_officer_have_rejects_read_again(watched: Watched, node: Served) -> None:
    show_sources(node)
    token = node.desktop.session(Role.WATCH_OFFICER)
    watched.page.context.add_cookies([node.session_cookie(token)])  # type: ignore[list-item]
    page = watched.open("sources")
    row_of(page, "web").get_by_role("button").click()
    expect(page.get_by_text("読めない行")).to_be_visible()
    expect(page.get_by_role("button", name=WORDS["en"]["source.replay"])).to_have_count(0)


def test_sources_let_an_administrator_have_rejects_read_again(officer: Watched, node: Served) -> None:
    show_sources(node)
    page = officer.open("sources")
    row_of(page, "web").get_by_role("button").click()
    page.get_by_role("button", name=WORDS["en"]["source.replay"]).click()
    expect(page.get_by_role("button", name=WORDS["en"]["source.feeding"])).to_be_disabled()
    with node.desktop.store.read() as reading:
        web = next(one for one in reading.positions() if one.source == "web")
    assert reject_head_in(web.token).until is not None
    assert ("feed-again", {"source": "web"}) in node.desktop.published


def learnt(n: int) -> Baseline:
    """A master that reads from `n` devices and writes to the first, as its name says hostile."""
    baseline = Baseline()
    for number in range(n):
        for at, function in (
            (0, "read_holding_registers"),
            (2, "read_holding_registers"),
            (4, "write_single_register"),
        ):
            if number and at == 4:
                continue
            one = Message(
                ot="modbus",
                timestamp=f"2026-11-23T03:00:0{at}Z",
                packet=1,
                kind=Kind.REQUEST,
                master="192.0.2.1",
                outstation=f"192.0.2.{number + 10}" if number else HOSTILE.decode("utf-8", "replace"),
                unit=1,
                function_name=function,
                operation="write" if function.startswith("write") else "read",
                address=100,
                count=3,
                value=7 if function.startswith("write") else None,
            )
            learn(baseline, [one])
    return baseline


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_plant_is_shown_and_frozen_by_a_person_who_was_asked_twice(officer: Watched, node: Served, lang: str) -> None:
    node.desktop.baseline = learnt(60)
    officer.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    page = officer.open("sources")
    words = WORDS[lang]
    plant = page.locator("section.plant")
    expect(plant.get_by_text(words["plant.learning"])).to_be_visible()
    expect(plant.get_by_text("100–102").first).to_be_visible()
    plant.get_by_role("button", name=words["plant.freeze"]).click()
    plant.get_by_role("button", name=words["plant.yes"]).click()
    expect(plant.get_by_text(words["plant.frozen"].replace("{by}", "tanaka"))).to_be_visible()
    n_before = plant.locator("tbody tr").count()
    plant.get_by_role("button", name=words["plant.more"]).click()
    expect(plant.locator("tbody tr")).not_to_have_count(n_before)
    assert page.evaluate("window.pwned") is None
    assert page.evaluate(CONTRAST) == []


def test_plant_that_learnt_nothing_is_not_shown(officer: Watched, node: Served) -> None:
    page = officer.open("sources")
    expect(page.locator("table.sources")).to_be_visible()
    expect(page.locator("section.plant")).to_have_count(0)
