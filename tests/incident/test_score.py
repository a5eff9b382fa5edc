from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.incident.group import group
from amagasa.incident.score import OPTIONS, WEIGHTS, Category, level_of, linked_score, score_of
from tests.incident.samples import NOW, address, alert, host

PLAIN = group([alert(0, address("203.0.113.9"))], [], now=NOW).incidents[0]
CHOICES = st.fixed_dictionaries({one.value: st.sampled_from(sorted(OPTIONS[one])) for one in Category})


def test_weights_are_those_of_nciss() -> None:
    assert sum(WEIGHTS.values()) == 34
    assert [WEIGHTS[one] for one in Category] == [6, 5, 4, 4, 2, 4, 3, 6]


def test_score_of_least_and_most_options_is_0_and_100() -> None:
    for pick, wanted in ((min, 0), (max, 100)):
        assessed = {one.value: pick(OPTIONS[one], key=OPTIONS[one].__getitem__) for one in Category}
        found = score_of(replace(PLAIN, assessed=assessed))
        assert (found.score, found.low, found.high) == (wanted, wanted, wanted)


def test_score_by_hand() -> None:
    assessed = {
        "functional-impact": "significant-to-critical",
        "observed-activity": "presence",
        "location": "business-network",
        "actor": "criminal",
        "information-impact": "proprietary",
        "recoverability": "supplemented",
        "cross-sector": "energy",
        "potential-impact": "high",
    }
    total = 6 * 70 + 5 * 80 + 4 * 40 + 4 * 40 + 2 * 50 + 4 * 40 + 3 * 100 + 6 * 75
    assert score_of(replace(PLAIN, assessed=assessed)).score == round(100 * (total - 325) / (3400 - 325))


def test_evidence_says_what_it_knows_and_the_rest_is_usual() -> None:
    theft = alert(0, host("ws-07"), tactics=("execution", "credential-access"))
    inside = group([theft], [], now=NOW).incidents[0]
    parts = {part.category: (part.option, part.source) for part in score_of(inside).parts}
    assert parts[Category.OBSERVED_ACTIVITY] == ("presence", "evidence")
    assert parts[Category.INFORMATION_IMPACT] == ("core-credentials", "evidence")
    assert parts[Category.ACTOR] == ("unknown", "usual")
    assert score_of(inside).score > score_of(PLAIN).score
    assert score_of(inside).low < score_of(inside).score < score_of(inside).high


def test_what_a_person_assessed_counts_before_the_evidence_and_nonsense_does_not() -> None:
    said = replace(PLAIN, assessed={"observed-activity": "effect", "actor": "martians"})
    parts = {part.category: (part.option, part.source) for part in score_of(said).parts}
    assert parts[Category.OBSERVED_ACTIVITY] == ("effect", "person")
    assert parts[Category.ACTOR] == ("unknown", "usual")


def test_levels_are_those_of_nciss() -> None:
    told = [level_of(score) for score in (0, 19, 20, 35, 50, 65, 80, 99, 100)]
    assert told[:4] == ["baseline-negligible", "baseline-negligible", "baseline-minor", "low"]
    assert told[4:] == ["medium", "high", "severe", "severe", "emergency"]


def test_linked_score_rises_with_each_party_and_never_leaves_the_scale() -> None:
    assert linked_score({"a": 40}, 1) == 40
    assert linked_score({"a": 40, "b": 20}, 2) == 49
    assert linked_score({"a": 40, "b": 20, "c": 10}, 3) > 49
    assert linked_score({str(n): 99 for n in range(500)}, 9) == 100
    assert linked_score({}, 0) == 0


@given(CHOICES, CHOICES)
def test_score_is_within_its_range_and_rises_with_each_option(one: dict[str, str], other: dict[str, str]) -> None:
    first = score_of(replace(PLAIN, assessed=one))
    assert 0 <= first.low <= first.score <= first.high <= 100
    worse = {
        name: max(one[name], other[name], key=lambda option, name=name: OPTIONS[Category(name)][option])  # type: ignore[misc]
        for name in one
    }
    assert score_of(replace(PLAIN, assessed=worse)).score >= first.score
