"""A rule tried on the past says how often it would have fired, and never "never" of what it did not see."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from amagasa.adapters.lake import blocks, places
from amagasa.app.permissions import NODE
from amagasa.app.trial import try_on_the_past
from amagasa.entry.wiring_hunt import query_looker
from tests.adapters.lake.world import SOURCE, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    for word in (b"one", b"two"):
        made.write(10, word=word)
        made.wait(hours=25)
    made.commit()
    yield made
    made.writer.close()
    made.packer.close()


def test_trial_counts_and_shows_examples(world: World) -> None:
    trial = try_on_the_past(world.lake, NODE, query_looker("two").seeker, now=world.now)
    assert (trial.n, len(trial.examples), trial.is_whole, trial.is_never_seen) == (0, 0, True, True)
    back = timedelta(days=30)
    wide = try_on_the_past(world.lake, NODE, query_looker("two").seeker, now=world.now, back=back)
    assert (wide.n, len(wide.examples), wide.is_never_seen) == (10, 5, False)


def test_trial_over_what_is_gone_is_not_never(world: World) -> None:
    (places.folder_of(world.folder, SOURCE) / blocks.segment_name(2)).unlink()
    trial = try_on_the_past(world.lake, NODE, query_looker("nothing").seeker, now=world.now)
    assert (trial.n, trial.is_whole, trial.is_never_seen) == (0, False, False)
    assert trial.not_looked_at
