"""A console on a real store, asked in this process."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import httpx
from litestar import Litestar
from msgspec.structs import replace
from tests.browser.seed import JAPAN, NOW, Book, agreement

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.accounts import hash_of
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Account, CrossingState, Session, Store, Writing
from amagasa.app.signals import Signals
from amagasa.entry.api import build_console
from amagasa.entry.api_deps import ConsoleDeps
from amagasa.entry.security import cookie_name
from amagasa.vocab.ids import stable_id
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


class Desk:
    """Keeps what was released; decides as asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.released: list[dict[str, Any]] = []

    def rule_object(self, text: str, *, rule_id: str, title: str, marking: Tlp, now: datetime) -> dict[str, Any]:
        del now
        return {"type": "indicator", "id": f"indicator--{rule_id}", "name": title, "pattern": text, "tlp": marking.word}

    def address_object(self, address: str, *, title: str, marking: Tlp, now: datetime) -> dict[str, Any]:
        del now
        return {"type": "indicator", "id": stable_id("indicator", address), "name": title, "tlp": marking.word}

    def release(self, tx: Writing, objects: Sequence[dict[str, Any]], *, now: datetime) -> None:
        del tx, now
        self.released.extend(objects)

    def decide(self, actor: Actor, crossing_id: int, *, approve: bool, version: str, now: datetime) -> None:
        del version, now
        with self._store.write() as tx:
            crossing = tx.crossing(crossing_id)
            assert crossing is not None
            state = CrossingState.PENDING if approve else CrossingState.REFUSED
            tx.update_crossing(replace(crossing, state=state, decided_by=actor.name))


class Desktop:
    """A store, a console on it and what they share."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.store = open_store(folder / "node.sqlite")
        self.clock = changes.pop("clock", None) or Clock()
        self.signals = Signals()
        self.desk = Desk(self.store)
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.signals.subscribe(lambda topic, payload: self.published.append((topic, payload)))
        given: dict[str, Any] = {
            "store": self.store,
            "clock": self.clock,
            "signals": self.signals,
            "passwords": QuickPasswords(),
            "party": JAPAN,
            "agreements": Book(agreement()),
            "sharing": self.desk,
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
