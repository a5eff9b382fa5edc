"""The baseline of a node's plant: looked at, frozen and thawed by people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.permissions import NODE, Actor, Role
from amagasa.app.plant import BASELINE, Plant, wish_in
from amagasa.app.ports import Store
from amagasa.app.signals import Signals
from amagasa.detect.baseline.profile import Baseline, State, learn
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.detect.baseline.test_watch import usual

NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_store(tmp_path / "node.sqlite")
    yield found
    found.close()


def plant_of(store: Store, baseline: Baseline | None, signals: Signals | None = None) -> Plant:
    return Plant(store, lambda: baseline, signals or Signals())


def learnt() -> Baseline:
    baseline = Baseline()
    learn(baseline, usual())
    return baseline


def test_plant_shows_what_was_learnt_device_by_device(store: Store) -> None:
    view = plant_of(store, learnt()).show(NODE)
    assert (view.state, view.n_devices, view.next) == (State.LEARNING, 1, None)
    assert {(one.function, one.is_changing) for one in view.habits} == {
        ("any message", False),
        ("read_holding_registers holding_register", False),
        ("write_single_register holding_register", True),
    }
    assert plant_of(store, learnt()).show(NODE, after=view.habits[-1].device).habits == []


def test_plant_frozen_by_a_person_is_so_before_the_worker_did_it(store: Store) -> None:
    heard: list[str] = []
    signals = Signals()
    signals.subscribe(lambda topic, _: heard.append(topic))
    view = plant_of(store, learnt(), signals).change(NODE, State.FROZEN, by="M. Sato", now=NOW)
    assert (view.state, view.changed_by, view.changed_at) == (State.FROZEN, "M. Sato (node)", NOW)
    wish = wish_in(store)
    assert wish is not None
    assert (wish.state, wish.at, heard) == (State.FROZEN, NOW, [BASELINE])


@pytest.mark.parametrize("baseline", [None, Baseline()])
def test_plant_that_learnt_nothing_is_not_frozen(store: Store, baseline: Baseline | None) -> None:
    with pytest.raises(BadInputError, match="AMG-BASELINE-EMPTY"):
        plant_of(store, baseline).change(NODE, State.FROZEN, now=NOW)
    assert wish_in(store) is None


def test_plant_is_not_a_watch_officers_to_freeze(store: Store) -> None:
    officer = Actor(name="tanaka", roles=frozenset({Role.WATCH_OFFICER}))
    with pytest.raises(DeniedError):
        plant_of(store, learnt()).change(officer, State.FROZEN, now=NOW)
