"""The WebSocket, over a real socket."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser.served import Served, served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from amagasa.app.permissions import Role
from amagasa.entry.people.live import IDS_KEPT, TOPICS_KEPT, Mailbox


@pytest.fixture(scope="module")
def node() -> Iterator[Served]:
    with served(is_seeded=False) as running:
        yield running


def live(node: Served, token: str, origin: str = "") -> ClientConnection:
    return connect(
        node.address.replace("http", "ws") + "/api/live",
        additional_headers={"Cookie": f"{node.desktop.cookie}={token}", "Origin": origin or node.address},
        open_timeout=5,
    )


def told(line: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(line.recv(timeout=5))["changed"])


def test_live_line_tells_what_changed(node: Served) -> None:
    with live(node, node.desktop.session(Role.WATCH_OFFICER)) as line:
        assert told(line) == {}
        node.desktop.signals.publish("alert", {"ids": ["alert--1", "alert--2"]})
        assert told(line) == {"alert": {"n": 2, "ids": ["alert--1", "alert--2"]}}


def test_live_line_folds_a_flood_into_counts(node: Served) -> None:
    with live(node, node.desktop.session(Role.WATCH_OFFICER)) as line:
        told(line)
        for number in range(5000):
            node.desktop.signals.publish("alert", {"id": f"alert--{number}"})
        n, messages, longest = 0, 0, 0
        while n < 5000:
            changed = told(line)["alert"]
            n, messages, longest = n + changed["n"], messages + 1, max(longest, len(changed["ids"]))
        assert n == 5000
        assert messages < 20
        assert longest <= IDS_KEPT


@pytest.mark.parametrize(("token", "origin"), [("", ""), ("made up", ""), (None, "http://evil.example")])
def test_live_line_for_strangers_and_other_sites_does_not_open(node: Served, token: str | None, origin: str) -> None:
    given = node.desktop.session(Role.WATCH_OFFICER) if token is None else token
    with pytest.raises((InvalidStatus, ConnectionClosed)), live(node, given, origin) as line:
        line.recv(timeout=5)


def test_live_line_that_leaves_is_forgotten(node: Served) -> None:
    with live(node, node.desktop.session(Role.WATCH_OFFICER)) as line:
        told(line)
        n_before = len(node.desktop.signals._subscribers)
    gone = threading.Event()
    for _ in range(200):
        if len(node.desktop.signals._subscribers) < n_before:
            gone.set()
            break
        gone.wait(0.02)
    assert gone.is_set()


def test_mailbox_stays_small_whatever_is_published() -> None:
    async def filled() -> dict[str, Any]:
        mailbox = Mailbox(asyncio.get_running_loop())
        for topic in range(10 * TOPICS_KEPT):
            for number in range(IDS_KEPT * 2):
                mailbox.put(f"topic{topic}", {"id": str(number)})
        return dict(await mailbox.take(1))

    taken = asyncio.run(filled())
    assert len(taken) == TOPICS_KEPT
    assert all(len(changed.ids) == IDS_KEPT for changed in taken.values())
    assert taken["topic0"].n == 2 * IDS_KEPT


def test_mailbox_with_nothing_in_it_answers_after_the_wait() -> None:
    async def empty() -> dict[str, Any]:
        return dict(await Mailbox(asyncio.get_running_loop()).take(0.01))

    assert asyncio.run(empty()) == {}


@pytest.mark.parametrize("payload", [{}, {"ids": None}, {"ids": 7}, {"id": None}, {"ids": []}])
def test_mailbox_with_an_odd_payload_counts_one(payload: dict[str, Any]) -> None:
    async def one() -> dict[str, Any]:
        mailbox = Mailbox(asyncio.get_running_loop())
        mailbox.put("alert", payload)
        return dict(await mailbox.take(1))

    assert asyncio.run(one())["alert"].n == 1


def test_mailbox_of_a_closed_loop_is_left_alone() -> None:
    loop = asyncio.new_event_loop()
    mailbox = Mailbox(loop)
    loop.close()
    mailbox.put("alert", {"id": "x"})
