"""What ties incidents of several parties."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from amagasa.incident.link import CROWD, MAX_CROWDS, Member, link
from amagasa.vocab.severity import Severity
from tests.incident.samples import NOW


def crowd(number: int, party: str, *, minutes: float = 0, span: float = 60) -> Member:
    first = NOW + timedelta(minutes=minutes)
    return Member(
        id=f"incident--{party}{number:05d}",
        party=party,
        title="Hunt for backups",
        severity=Severity.MEDIUM,
        score=20,
        techniques=frozenset({"T1595"}),
        tactics=("reconnaissance",),
        first_seen_at=first,
        last_seen_at=first + timedelta(minutes=span),
        n_alerts=CROWD,
        n_detections=CROWD,
        n_sources=CROWD,
    )


CROWDS = st.builds(
    crowd,
    st.integers(0, 9999),
    st.sampled_from(["", "us", "au"]),
    minutes=st.integers(0, 300),
    span=st.integers(0, 200),
)


@given(st.lists(CROWDS, max_size=12, unique_by=lambda one: one.id))
def test_crowds_are_tied_exactly_where_they_lie_over_half_of_the_shorter(members: list[Member]) -> None:
    def is_tied(one: Member, other: Member) -> bool:
        both = min(one.last_seen_at, other.last_seen_at) - max(one.first_seen_at, other.first_seen_at)
        shorter = min(one.last_seen_at - one.first_seen_at, other.last_seen_at - other.first_seen_at)
        return both > timedelta() and both >= shorter / 2

    pairs = {(one.id, other.id) for one in members for other in members if one.id < other.id and is_tied(one, other)}
    found = link(members)
    ties = {(tie.first, tie.second) for campaign in found for tie in campaign.ties}
    assert ties <= pairs
    of_several = {one.id for campaign in found for one in campaign.members}
    assert {pair for pair in pairs if set(pair) <= of_several} == ties
    assert found == link(members[::-1])


def test_old_crowds_however_many_do_not_hide_a_new_one() -> None:
    old = [crowd(number, "liar", minutes=-100_000 - 100 * number) for number in range(MAX_CROWDS + 10)]
    new = [crowd(1, ""), crowd(1, "us", minutes=5)]
    (campaign,) = link([*old, *new])
    assert {one.id for one in campaign.members} == {one.id for one in new}
