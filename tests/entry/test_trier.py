"""What an ally sent is tried on a real lake by a process of its own before it is looked with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.entry.test_retro import LINE, RULE, item, node_with, stix

from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.app.sharing import SignedAgreements
from amagasa.app.signals import Signals
from amagasa.app.trial_ports import Stage, Tried
from amagasa.entry.node.clock import SystemClock
from amagasa.entry.node.trier import Trier
from amagasa.share.terms import Otherwise

ALLY = "identity--00000000-0000-4000-8000-000000000001"
SIGMA_ID = "33333333-3333-4333-8333-333333333333"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Path, Store]]:
    """Whose twenty lines are of the last hours."""
    day = f"{datetime.now(UTC) - timedelta(hours=2):%b %e %H}".encode()
    with node_with(tmp_path, [(LINE % n).replace(b"May  1 10", day) for n in range(20)]) as made:
        yield made


def on_trial(made: ContentItem, *, noisy_an_hour: int = 1_000, wait_s: float = 600) -> ContentItem:
    tried = Tried(
        stage=Stage.WAITING,
        until=datetime.now(UTC) + timedelta(seconds=wait_s),
        otherwise=Otherwise.HOLD,
        noisy_an_hour=noisy_an_hour,
    )
    return replace(made, origin=ALLY, is_active=False, activated_at=None, tried=tried)


@contextmanager
def tried_in(folder: Path, store: Store, items: list[ContentItem]) -> Iterator[None]:
    """Until none of these waits."""
    done = threading.Event()
    signals = Signals()

    def heard(topic: str, payload: dict[str, Any]) -> None:
        del payload
        with store.read() as reading:
            if topic == "content" and not reading.content_on_trial(limit=1):
                done.set()

    with store.write() as tx:
        for one in items:
            tx.save_content(one)
    signals.subscribe(heard)
    book = SignedAgreements("identity--00000000-0000-4000-8000-000000000002", list)
    trier = Trier(folder, store, SystemClock(), signals, book=book, may_come=lambda: True)
    trier.start()
    try:
        assert done.wait(60)
        yield
    finally:
        trier.stop()


def held(store: Store, content_id: str) -> ContentItem:
    with store.read() as reading:
        (one,) = reading.content_items([content_id])
        return one


def test_rules_and_indicators_are_tried_and_what_is_quiet_is_used(node: tuple[Path, Store]) -> None:
    folder, store = node
    texts = [stix(1, "198.51.100.7"), stix(2, "198.51.100.8")]
    ids = [str(msgspec.json.decode(text)["id"]) for text in texts]
    items = [on_trial(item(one, ContentKind.STIX, text)) for one, text in zip(ids, texts, strict=True)]
    items.append(on_trial(item(SIGMA_ID, ContentKind.SIGMA, RULE)))
    with tried_in(folder, store, items):
        found = {}
        for one in items:
            tried = held(store, one.id).tried
            assert tried is not None
            found[one.id] = (tried.stage, tried.n, tried.n_hosts, tried.is_whole)
        assert found == {
            ids[0]: (Stage.PASSED, 20, 1, True),
            ids[1]: (Stage.PASSED, 0, 0, True),
            SIGMA_ID: (Stage.PASSED, 20, 1, True),
        }
        assert all(held(store, one.id).is_active for one in items)


def test_rule_that_fires_on_everything_is_put_aside_before_it_was_used(node: tuple[Path, Store]) -> None:
    folder, store = node
    with tried_in(folder, store, [on_trial(item(SIGMA_ID, ContentKind.SIGMA, RULE), noisy_an_hour=20)]):
        one = held(store, SIGMA_ID)
    assert (one.is_active, one.activated_at) == (False, None)
    assert "it would have found 20 in 24 h on 1 host;" in one.fault


def test_rule_that_cannot_run_is_left_to_the_clause(node: tuple[Path, Store]) -> None:
    folder, store = node
    broken = RULE.replace("'Failed password'", "''").replace("condition: k", "condition: nothing")
    with tried_in(folder, store, [on_trial(item(SIGMA_ID, ContentKind.SIGMA, broken))]):
        one = held(store, SIGMA_ID)
    assert (one.is_active, one.tried is not None and one.tried.stage) == (False, Stage.HELD)


def test_clock_that_ended_while_the_node_was_down_counts_at_the_start(node: tuple[Path, Store]) -> None:
    folder, store = node
    late = on_trial(item(SIGMA_ID, ContentKind.SIGMA, RULE), wait_s=-1)
    with tried_in(folder, store, [late]):
        assert held(store, SIGMA_ID).is_active
