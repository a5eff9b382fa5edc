"""New content is looked for in the past by a process of its own, once, over a real lake."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.adapters.lake.world import SOURCE, World, chunk_of

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.lake_ports import LAKE
from amagasa.app.pages import Page
from amagasa.app.past import META, past_of, unasked
from amagasa.app.permissions import NODE
from amagasa.app.ports import ContentItem, ContentKind, Position, Store
from amagasa.app.signals import Signals
from amagasa.entry.node.clock import SystemClock
from amagasa.entry.node.retro import Retro
from amagasa.event.record import Format

RULE = """\
title: Failed password
id: 33333333-3333-4333-8333-333333333333
level: critical
logsource: {product: linux, service: sshd}
detection: {k: ['Failed password'], condition: k}
"""
LINE = b"May  1 10:00:%02d h1 sshd[7]: Failed password for root from 198.51.100.7 port 22 ssh2"


def stix(number: int, address: str) -> str:
    return msgspec.json.encode(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--00000000-0000-4000-8000-{number:012}",
            "created": "2026-01-01T00:00:00Z",
            "modified": "2026-01-01T00:00:00Z",
            "valid_from": "2026-01-01T00:00:00Z",
            "name": address,
            "pattern": f"[ipv4-addr:value = '{address}']",
            "pattern_type": "stix",
        }
    ).decode()


def item(content_id: str, kind: ContentKind, text: str) -> ContentItem:
    now = datetime.now(UTC)
    return ContentItem(
        id=content_id,
        kind=kind,
        title="t",
        origin="",
        text=text,
        is_active=True,
        added_at=now,
        added_by="a",
        activated_at=now,
    )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Path, Store]]:
    with node_with(tmp_path, [LINE % n for n in range(20)]) as made:
        yield made


@contextmanager
def node_with(tmp_path: Path, lines: list[bytes]) -> Iterator[tuple[Path, Store]]:
    """A node's folder whose lake holds these lines, with a rule and two indicators of its own."""
    (tmp_path / "state").mkdir()
    (tmp_path / "node.toml").write_text('[node]\nname = "N"\n')
    world = World(tmp_path / "state" / "lake")
    world.writer.add(chunk_of(lines, at=datetime.now(UTC), form=Format.SYSLOG))
    world.writer.finish(datetime.now(UTC))
    world.commit()
    store = open_store(tmp_path / "state" / "amagasa.sqlite")
    with store.write() as tx:
        tx.save_position(Position(source=SOURCE, token={LAKE: msgspec.to_builtins(world.committed)}))
        tx.save_content(item("33333333-3333-4333-8333-333333333333", ContentKind.SIGMA, RULE))
        for number, address in ((1, "198.51.100.7"), (2, "198.51.100.8")):
            text = stix(number, address)
            tx.save_content(item(msgspec.json.decode(text)["id"], ContentKind.STIX, text))
    yield tmp_path, store
    store.close()
    world.writer.close()
    world.packer.close()


def looked(folder: Path, store: Store) -> None:
    """Until nothing is left to be looked for."""
    done = threading.Event()
    signals = Signals()

    def heard(topic: str, payload: dict[str, Any]) -> None:
        if topic == "past" and not unasked(store):
            done.set()

    signals.subscribe(heard)
    retro = Retro(folder, store, SystemClock(), signals, tell=lambda *_: ())
    retro.start()
    try:
        assert done.wait(60)
    finally:
        retro.stop()


def test_new_content_is_looked_for_in_the_past_and_raises_low_alerts(node: tuple[Path, Store]) -> None:
    folder, store = node
    assert len(unasked(store)) == 3
    looked(folder, store)
    counts = {}
    for content_id in (
        "33333333-3333-4333-8333-333333333333",
        *(msgspec.json.decode(stix(n, ""))["id"] for n in (1, 2)),
    ):
        past = past_of(store, NODE, content_id)
        assert past is not None
        counts[content_id[-1]] = (past.n, past.is_whole)
    assert counts == {"3": (20, True), "1": (20, True), "2": (0, True)}
    with store.read() as reading:
        alerts, _ = reading.alerts(Page())
    assert {(alert.title, alert.severity.name) for alert in alerts} == {
        ("In the past: Failed password", "LOW"),
        ("In the past: 198.51.100.7", "LOW"),
    }


def test_answers_are_kept_and_changed_content_is_looked_for_anew(node: tuple[Path, Store]) -> None:
    folder, store = node
    looked(folder, store)
    assert unasked(store) == []
    with store.write() as tx:
        tx.save_content(item("33333333-3333-4333-8333-333333333333", ContentKind.SIGMA, RULE + "# changed\n"))
    assert [one.id[0] for one in unasked(store)] == ["3"]
    with store.read() as reading:
        assert reading.meta(META)
