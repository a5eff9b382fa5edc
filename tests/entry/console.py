"""A console on a real store, asked in this process."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import httpx
from litestar import Litestar
from tests.browser.seed import JAPAN, JAPAN_KEYS, NOW, Book, agreement

from amagasa.adapters.spool.rejects import FolderRejects
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.accounts import hash_of
from amagasa.app.courier import CourierDesk
from amagasa.app.ledger_export import Ours
from amagasa.app.permissions import Role
from amagasa.app.plant import Plant
from amagasa.app.ports import Account, Session
from amagasa.app.record_desk import RecordDesk
from amagasa.app.rejects import Rejects
from amagasa.app.signals import Signals
from amagasa.app.telling import Telling
from amagasa.detect.baseline.profile import Baseline
from amagasa.entry.people.api import build_console
from amagasa.entry.people.deps import ConsoleDeps
from amagasa.entry.people.security import cookie_name
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp

BASE: Final = "http://node.example:8080"
PASSWORD: Final = "correct horse battery"


class Clock:
    """Stands still until moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


class QuickPasswords:
    """Salted SHA-256: the tests of accounts make hundreds of them."""

    def hash(self, password: str) -> str:
        return hashlib.sha256(b"salt" + password.encode()).hexdigest()

    def verify(self, secret: str, password: str) -> bool:
        return self.hash(password) == secret


class Desktop:
    """A store, a console on it and what they share."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.baseline: Baseline | None = None
        self.store = open_store(folder / "node.sqlite")
        self.clock = changes.pop("clock", None) or Clock()
        self.signals = Signals()
        book = changes.get("agreements") or Book(agreement())
        sharing = Telling(
            store=self.store,
            signals=self.signals,
            party=JAPAN,
            book=book,
            secret=bytes(range(32)),
            marking=Tlp.AMBER,
            min_severity=Severity.MEDIUM,
        )
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.signals.subscribe(lambda topic, payload: self.published.append((topic, payload)))
        given: dict[str, Any] = {
            "store": self.store,
            "clock": self.clock,
            "signals": self.signals,
            "passwords": QuickPasswords(),
            "party": JAPAN,
            "agreements": book,
            "sharing": sharing,
            "plant": Plant(self.store, lambda: self.baseline, self.signals),
            "courier": CourierDesk(store=self.store, signals=self.signals, book=book, party=JAPAN.id, box=JAPAN_KEYS),
            "records": RecordDesk(
                store=self.store, book=book, ours=Ours(party=JAPAN.id, signer=JAPAN_KEYS), part_leaves=200
            ),
            "rejects": Rejects(self.store, FolderRejects(folder / "rejects"), self.signals),
        }
        self.deps = ConsoleDeps(**(given | changes))
        self.app: Litestar = build_console(self.deps)
        self.cookie = cookie_name(JAPAN.id, is_tls=self.deps.is_tls)

    def close(self) -> None:
        self.store.close()

    def session(self, *roles: Role, name: str = "") -> str:
        """A token of a session of a person with these roles."""
        who = name or "-".join(sorted(roles)) or "nobody"
        token = f"token of {who}"
        values = tuple(role.value for role in roles)
        with self.store.write() as tx:
            tx.save_account(
                Account(name=who, roles=values, secret=QuickPasswords().hash(PASSWORD), created_at=self.clock.now())
            )
            tx.save_session(
                Session(
                    token_hash=hash_of(token),
                    account=who,
                    roles=values,
                    created_at=self.clock.now(),
                    expires_at=self.clock.now() + timedelta(hours=12),
                )
            )
        return token

    @asynccontextmanager
    async def client(self, token: str = "") -> AsyncIterator[httpx.AsyncClient]:
        """A browser's client; the cookie is there from the start where `token` is given."""
        cookies = {self.cookie: token} if token else {}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=cast("Any", self.app), raise_app_exceptions=False),
            base_url=BASE,
            headers={"Origin": BASE},
            cookies=cookies,
        ) as client:
            yield client

    def ask(self, method: str, path: str, *, token: str = "", body: Any = None, **options: Any) -> httpx.Response:
        """One request, in an event loop of its own."""

        async def once() -> httpx.Response:
            async with self.client(token) as client:
                return await client.request(method, path, json=body, **options)

        return asyncio.run(once())
