"""What found something goes at once; what found nothing goes together, and nothing of it is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.app.worker_messages import Batch
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.report import RuleFault
from amagasa.entry.node.pacing import MAX_HITS, QUIET_S, Pace
from amagasa.event.record import Reject

FAULT = RuleFault(rule_id="r", path="", why="it cannot run", code="AMG-RULE")
REJECT = Reject(path="log", record=1, why="no access line")


class Ticks:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def batch(number: int, source: str = "web", **found: Any) -> Batch:
    given = {"rejects": (), "detections": (), "faults": (), "last_record_at": None, "lag_bytes": 0} | found
    n_rejected = len(given["rejects"])
    return Batch(
        source=source, token={"n": number}, n_read=10, n_accepted=10 - n_rejected, n_rejected=n_rejected, **given
    )


def test_pace_of_a_first_quiet_batch_lets_it_go_and_holds_the_next() -> None:
    ticks = Ticks()
    pace = Pace(ticks)
    assert pace.offer(batch(1)) == batch(1)
    assert pace.offer(batch(2)) is None
    assert pace.due() == []
    ticks.now += QUIET_S
    assert pace.due() == [batch(2)]
    assert pace.rest() == []


@pytest.mark.parametrize("found", [{"faults": (FAULT,)}, {"rejects": (REJECT,)}])
def test_pace_of_a_batch_that_found_something_lets_it_go_with_what_was_held(found: dict[str, Any]) -> None:
    pace = Pace(Ticks())
    pace.offer(batch(1))
    pace.offer(batch(2))
    let = pace.offer(batch(3, **found))
    assert let is not None
    assert (let.token, let.n_read) == ({"n": 3}, 20)
    assert (let.rejects, let.faults) == (found.get("rejects", ()), found.get("faults", ()))
    assert pace.rest() == []


def test_pace_keeps_sources_apart() -> None:
    pace = Pace(Ticks())
    for source in ("web", "base"):
        pace.offer(batch(1, source))
        pace.offer(batch(2, source))
    assert pace.rest("base") == [batch(2, "base")]
    assert pace.rest() == [batch(2)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["web", "base"]), st.sampled_from([{}, {"rejects": (REJECT,)}]), st.floats(0.0, 1.0))
    )
)
def test_pace_whatever_is_offered_counts_add_up_and_positions_rise(
    offers: list[tuple[str, dict[str, Any], float]],
) -> None:
    ticks = Ticks()
    pace = Pace(ticks)
    let: list[Batch] = []
    for number, (source, found, waited_s) in enumerate(offers):
        ticks.now += waited_s
        let += [one for one in (pace.offer(batch(number, source, **found)), *pace.due()) if one is not None]
    let += pace.rest()
    for source in ("web", "base"):
        mine = [one for one in let if one.source == source]
        offered = [(number, found) for number, (name, found, _) in enumerate(offers) if name == source]
        assert sum(one.n_read for one in mine) == 10 * len(offered)
        assert sum(one.n_rejected for one in mine) == sum(len(found) for _, found in offered)
        assert all(one.n_accepted + one.n_rejected == one.n_read for one in mine)
        numbers = [one.token["n"] for one in mine]
        assert numbers == sorted(numbers)
        assert not offered or numbers[-1] == offered[-1][0]


def hits(*records: int) -> tuple[Hit, ...]:
    return tuple(Hit(0, "r", "log", record, "", {}, "", "") for record in records)


def test_pace_of_what_correlations_alone_look_at_holds_it_and_loses_none() -> None:
    pace = Pace(Ticks())
    pace.offer(batch(1))
    assert pace.offer(batch(2, hits=hits(1, 2))) is None
    assert pace.offer(batch(3, hits=hits(3))) is None
    let = pace.offer(batch(4, faults=(FAULT,), hits=hits(4)))
    assert let is not None
    assert (let.hits, let.n_read) == (hits(1, 2, 3, 4), 30)


def test_pace_of_very_many_hits_lets_them_go() -> None:
    pace = Pace(Ticks())
    pace.offer(batch(1))
    assert pace.offer(batch(2, hits=hits(*range(MAX_HITS)))) is not None
