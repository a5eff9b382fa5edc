"""The Hunt view over a real lake, its hunts in real processes."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import expect

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.lake_ports import LAKE
from amagasa.app.ports import Position
from amagasa.app.signals import Signals
from amagasa.entry.node.hunts import HuntDesk
from tests.adapters.lake.world import World, chunk_of
from tests.browser.conftest import Watched
from tests.browser.served import Present, Served, served

SHOTS = os.environ.get("AMAGASA_SHOTS", "")
LINES = [
    b"May  1 10:00:%02d h1 sshd[7]: Failed password for <script>alert(1)</script> from 198.51.100.7" % n
    for n in range(20)
]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Served]:
    """A node's folder with a lake, and a console before it."""
    folder = tmp_path / "node"
    (folder / "state").mkdir(parents=True)
    (folder / "node.toml").write_text('[node]\nname = "N"\n')
    world = World(folder / "state" / "lake")
    world.writer.add(chunk_of(LINES, at=datetime.now(UTC)))
    world.writer.finish(datetime.now(UTC))
    world.commit()
    store = open_store(folder / "state" / "amagasa.sqlite")
    with store.write() as tx:
        tx.save_position(Position(source="web / 東京", token={LAKE: msgspec.to_builtins(world.committed)}))
    signals = Signals()
    desk = HuntDesk(folder, store, Present(), signals)
    with served(hunts=desk) as running:
        signals.subscribe(lambda topic, payload: running.desktop.signals.publish(topic, dict(payload)))
        yield running
    desk.stop()
    store.close()
    world.writer.close()
    world.packer.close()


WORDS = {"en": ("Seen 20 times", "Never seen."), "ja": ("20 件見つかりました", "一度も見つかっていません。")}


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_hunt_streams_what_it_finds_and_tells_never_seen(officer: Watched, node: Served, lang: str) -> None:
    page = officer.page
    page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    seen, never = WORDS[lang]
    _hunt(officer, "198.51.100.7")
    expect(page.locator(".answer")).to_contain_text(seen, timeout=30_000)
    expect(page.locator(".found tbody tr")).to_have_count(20)
    expect(page.locator(".found")).to_contain_text("<script>alert(1)</script>")
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/hunt-{lang}.png", full_page=True)
    _hunt(officer, "198.51.100.8")
    expect(page.locator(".answer")).to_contain_text(never, timeout=30_000)
    expect(page.locator(".hunts tbody tr")).to_have_count(1)


def _hunt(officer: Watched, text: str) -> None:
    officer.open("hunt")
    form = officer.page.locator("form.hunt")
    form.locator("input").fill(text)
    form.locator("select").first.select_option("")
    form.locator("button[type=submit]").click()
