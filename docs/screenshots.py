"""Make the pictures of the documentation: a console on a seeded store, seen by headless Chromium."""  # noqa: INP001

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from tests.browser.conftest import ARGUMENTS  # noqa: E402
from tests.browser.records import with_heads, with_leaves  # noqa: E402
from tests.browser.seed import incident_id  # noqa: E402
from tests.browser.served import Served, served  # noqa: E402

from amagasa.app.permissions import Role  # noqa: E402

IMAGES: Final = ROOT / "docs" / "images"
LARGEST_BYTES: Final = 150_000


class Picture(NamedTuple):
    """A page in a language and a light; `press` names a button to press first."""

    name: str
    page: str
    lang: str
    theme: str
    width: int = 1280
    height: int = 720
    press: str = ""


PICTURES: Final = (
    Picture("watch-en", "watch", "en", "light", height=660),
    Picture("watch-ja", "watch", "ja", "dark", height=620),
    Picture(
        "incident-en", f"incidents/{quote(incident_id('base'))}", "en", "dark", press="Encoded PowerShell command line"
    ),
    Picture("attack-ja", "attack", "ja", "light", height=520),
    Picture("allies-en", "allies", "en", "light", height=680),
    Picture("ledger-en", "ledger", "en", "light", width=1120, height=640, press="Verify the whole record"),
    Picture("ledger-ja", "ledger", "ja", "dark", width=1120, height=520, press="台帳全体を検証"),
    Picture("crossings-ja", "crossings", "ja", "light", height=600),
    Picture("release-en", "release", "en", "dark", height=600),
    Picture("watch-telephone-ja", "watch", "ja", "light", width=390, height=844),
)


def take(browser: Browser, node: Served, token: str, picture: Picture) -> Path:
    """One picture, as a PNG file in docs/images."""
    size = {"width": picture.width, "height": picture.height}
    context = browser.new_context(viewport=size, color_scheme=picture.theme, timezone_id="Asia/Tokyo")
    context.add_cookies([node.session_cookie(token)])
    page = context.new_page()
    page.add_init_script(f"localStorage.setItem('amagasa.lang', '{picture.lang}')")
    page.goto(f"{node.address}/#/{picture.page}")
    page.locator("main h1").wait_for()
    if picture.press:
        page.get_by_role("button", name=picture.press).click()
    page.wait_for_load_state("networkidle")
    target = IMAGES / f"{picture.name}.png"
    page.screenshot(path=target)
    context.close()
    return target


def main() -> int:
    """Make every picture; 1 where one is too large for the repository, 3 without Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("the pictures need Chromium: apt-get install chromium fonts-noto-cjk [AMG-SCREENSHOTS]\n")
        return 3
    IMAGES.mkdir(exist_ok=True)
    too_large = []
    with served() as node, sync_playwright() as playwright:
        now = datetime.now(UTC)
        with_leaves(node.desktop.store, 450, now)
        with_heads(node.desktop.store, 448, now, n_theirs=371)
        browser = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, "--disable-lcd-text"])
        token = node.desktop.session(*Role, name="tanaka")
        for picture in PICTURES:
            made = take(browser, node, token, picture)
            n_bytes = made.stat().st_size
            sys.stdout.write(f"{made.relative_to(ROOT)}  {n_bytes:,} bytes\n")
            if n_bytes > LARGEST_BYTES:
                too_large.append(made.name)
        browser.close()
    if too_large:
        sys.stderr.write(f"over {LARGEST_BYTES:,} bytes: {', '.join(too_large)} [AMG-SCREENSHOTS-SIZE]\n")
    return 1 if too_large else 0


if __name__ == "__main__":
    raise SystemExit(main())
