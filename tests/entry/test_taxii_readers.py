"""Who asks the library; several requests of one client at once."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast

import pytest
from litestar import Request
from litestar.testing import RequestFactory
from tests.entry.link_papers import NOW

from amagasa.app.taxii_library import Library, Reader
from amagasa.entry.allies.wire import TaxiiError
from amagasa.entry.people.taxii_readers import Readers

AT_ONCE = 20


class Slow:
    """Passwords that are their own hash; counts how often one was looked at."""

    def __init__(self) -> None:
        self.n_looks = 0
        self._lock = Lock()

    def hash(self, password: str) -> str:
        return password

    def verify(self, secret: str, password: str) -> bool:
        with self._lock:
            self.n_looks += 1
        return secret == password


class OneReader:
    """A library with one account."""

    @contextmanager
    def read(self) -> Iterator["OneReader"]:
        yield self

    def reader(self, name: str) -> Reader | None:
        return Reader(name="siem", secret="right", grants=()) if name == "siem" else None


def request(secret: str, name: str = "siem") -> Request[Any, Any, Any]:
    basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return RequestFactory(scheme="https").get("/", headers={"authorization": f"Basic {basic}"})


@pytest.fixture
def passwords() -> Slow:
    return Slow()


@pytest.fixture
def readers(passwords: Slow) -> Readers:
    return Readers(cast("Library", OneReader()), passwords)


def asked(readers: Readers, secret: str) -> list[int]:
    """What each of many requests at once was answered: 200, or the status of its refusal."""

    def one(each: Request[Any, Any, Any]) -> int:
        try:
            readers.of(each, now=NOW)
        except TaxiiError as error:
            return error.status
        return 200

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # Made here: what makes a request loads modules when first used, which threads must not do at once.
        return list(pool.map(one, [request(secret) for _ in range(AT_ONCE)]))


def test_readers_first_requests_at_once_are_all_let_in_and_hashed_once(readers: Readers, passwords: Slow) -> None:
    assert asked(readers, "right") == [200] * AT_ONCE
    assert passwords.n_looks == 1


def test_readers_wrong_password_at_once_is_throttled(readers: Readers) -> None:
    answers = asked(readers, "wrong")
    assert (answers.count(401), answers.count(429)) == (5, AT_ONCE - 5)


def test_readers_unknown_name_is_refused(readers: Readers) -> None:
    with pytest.raises(TaxiiError) as caught:
        readers.of(request("right", name="nobody"), now=NOW)
    assert caught.value.status == 401
