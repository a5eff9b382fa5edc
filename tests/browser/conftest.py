"""A headless Chromium of the machine's own; tests skip where there is none."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from amagasa.app.permissions import Role
from amagasa.entry.people.static_files import STATIC
from tests.browser.served import Served, served

CHROMIUM: Final = shutil.which("chromium") or ""
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Chromium writes a line of its own for each answer that is a refusal; those are asked for on purpose.
_REFUSAL: Final = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = "" if CHROMIUM else "Chromium is not installed: apt-get install chromium"
    why = why or ("" if (STATIC / "index.html").is_file() else "the console is not built: python hatch_build.py")
    for item in items if why else ():
        if "tests/browser/" in item.path.as_posix() and "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module, and gone after it: its event loop runs on this thread, where others need their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def node() -> Iterator[Served]:
    """A seeded node of its own for each test."""
    with served() as running:
        yield running


class Watched:
    """A page, and every complaint that its browser made: errors, refused resources, requests to elsewhere."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.complaints: list[str] = []
        self.address = address
        self.page: Page = context.new_page()
        self.page.set_default_timeout(8000)
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"
        )
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not _REFUSAL.match(message.text):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.complaints.append(f"elsewhere: {request.url}")

    def open(self, path: str = "") -> Page:
        self.page.goto(f"{self.address}/#/{path}")
        return self.page


@contextmanager
def page_of(chromium: Browser, node: Served, path: str, role: Role) -> Iterator[Page]:
    """A page of somebody who has signed in; at its end the browser has complained of nothing."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", color_scheme="light")
    context.add_cookies([node.session_cookie(node.desktop.session(role, name="sato"))])  # type: ignore[list-item]
    watched = Watched(context, node.address)
    yield watched.open(path)
    context.close()
    assert watched.complaints == []


@pytest.fixture
def watched(chromium: Browser, node: Served) -> Iterator[Watched]:
    """Nobody signed in. The test fails where the browser complained."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US", color_scheme="light")
    page = Watched(context, node.address)
    yield page
    context.close()
    assert page.complaints == []


@pytest.fixture
def officer(watched: Watched, node: Served) -> Watched:
    """Signed in, with every role."""
    token = node.desktop.session(*Role, name="tanaka")
    watched.page.context.add_cookies([node.session_cookie(token)])  # type: ignore[list-item]
    return watched
