from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.detect.report import Detection, Together
from amagasa.incident.alert import Alert
from amagasa.incident.fold import FOLD_WINDOW, fold, key_of, seen_at
from amagasa.vocab.severity import Level, Severity
from tests.incident.samples import DETECTIONS, NOW, address, at, found, host, user

SCANNER = address("203.0.113.9")


def folded(detections: list[Detection], recent: tuple[Alert, ...] = (), now: datetime = NOW) -> tuple[Alert, ...]:
    return fold(detections, recent, source="web", now=now)


def merged(held: tuple[Alert, ...], changed: tuple[Alert, ...]) -> tuple[Alert, ...]:
    """What a store holds after the change."""
    return tuple(({one.id: one for one in held} | {one.id: one for one in changed}).values())


def test_detections_of_one_rule_and_one_address_are_one_alert() -> None:
    (alert,) = folded([found(n, SCANNER, level=Level.LOW) for n in range(10)] + [found(4, SCANNER)])
    assert alert.n_detections == 11
    assert (alert.first_seen_at, alert.last_seen_at) == (at(0), at(9))
    assert alert.severity is Severity.HIGH
    assert [one.event_at for one in alert.examples] == [at(0), at(1), at(2), at(3), at(4)]
    assert alert.created_at == alert.updated_at == NOW
    assert alert.confidence == 70
    assert alert.source == "web"
    assert alert.entities == (SCANNER,)
    assert alert.incident_id is None


def test_detections_further_apart_than_the_window_are_two_alerts() -> None:
    alerts = folded([found(0, SCANNER), found(15, SCANNER), found(31, SCANNER)])
    assert [one.n_detections for one in alerts] == [2, 1]


def test_alert_grows_while_its_subject_goes_on_and_keeps_its_id() -> None:
    first = folded([found(0, SCANNER)])
    grown = folded([found(14, SCANNER, techniques=("T1595",))], first, now=NOW + FOLD_WINDOW)
    assert [one.id for one in grown] == [first[0].id]
    assert grown[0].n_detections == 2
    assert grown[0].techniques == ("T1190", "T1595")
    assert (grown[0].created_at, grown[0].updated_at) == (NOW, NOW + FOLD_WINDOW)
    assert folded([], grown) == ()


def test_alert_which_does_not_grow_does_not_come_back() -> None:
    first = folded([found(0, SCANNER)])
    assert [one.content_id for one in folded([found(0, SCANNER, rule="r2")], first)] == ["r2"]


@pytest.mark.parametrize(
    ("entities", "same"),
    [
        ((SCANNER, host("a"), user("b")), (SCANNER, host("other"), user("other"))),
        ((host("a"), user("b")), (host("a"), user("b"))),
        ((host("a"),), (host("a"),)),
        ((), ()),
    ],
)
def test_subject_is_the_attacker_else_the_account_else_the_host_else_the_path(
    entities: tuple[object, ...], same: tuple[object, ...]
) -> None:
    assert key_of(found(0, *entities), "web") == key_of(found(9, *same), "web")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        found(0, SCANNER, rule="r2"),
        found(0, SCANNER, origin="identity--us"),
        found(0, address("203.0.113.10")),
        found(0, host("203.0.113.9")),
        found(0, host("203.0.113.9"), user("x")),
        found(0),
    ],
)
def test_key_differs_where_content_party_or_subject_differ(other: Detection) -> None:
    assert key_of(other, "web") != key_of(found(0, SCANNER), "web")


def test_key_of_a_path_differs_between_sources() -> None:
    assert key_of(found(0), "web") != key_of(found(0), "mail")
    assert key_of(found(0, SCANNER), "web") == key_of(found(0, SCANNER), "mail")


def test_key_of_hostile_text_is_short_and_plain() -> None:
    key = key_of(found(0, host("\ud800\x00\u202e" * 1000), user("\x1f")), "web")
    assert key.isascii()
    assert len(key) < 60


def test_accounts_whose_parts_run_together_have_different_keys() -> None:
    assert key_of(found(0, host("a"), user("bc")), "web") != key_of(found(0, host("ab"), user("c")), "web")


def test_event_without_an_instant_or_from_the_future_happened_now() -> None:
    assert seen_at(found(0, event_at=None), NOW) == NOW
    assert seen_at(found(0, event_at=NOW + timedelta(days=30_000)), NOW) == NOW
    assert seen_at(found(4), NOW) == at(4)
    assert seen_at(found(0, event_at=datetime(1, 1, 1, tzinfo=UTC)), NOW) == NOW
    assert seen_at(found(0, event_at=datetime(1970, 1, 1, tzinfo=UTC)), NOW) == datetime(1970, 1, 1, tzinfo=UTC)
    assert seen_at(found(-60 * 24 * 365), NOW) == at(-60 * 24 * 365)


def test_alert_of_an_old_log_keeps_the_time_of_its_events() -> None:
    old = folded([found(n - 500_000, SCANNER) for n in range(30)])
    assert [one.n_detections for one in old] == [30]
    assert old[0].last_seen_at == at(-499_971)
    assert old[0].updated_at == NOW


def test_confidence_is_the_indicators_own_or_said_to_be_half() -> None:
    plain = found(0, SCANNER, rule_id=None, indicator_id="indicator--1")
    (alert,) = folded([plain])
    assert (alert.confidence, alert.is_indicator, alert.content_id) == (50, True, "indicator--1")
    assert folded([replace(plain, confidence=93)])[0].confidence == 93
    assert folded([replace(plain, confidence=3)])[0].confidence == 3


def test_alert_of_a_rotated_log_has_an_id_of_its_own() -> None:
    first, second = folded([found(0, SCANNER, record=12), found(600, SCANNER, record=12)])
    assert first.id != second.id


def test_entities_of_an_alert_are_bounded_and_keep_the_attacker() -> None:
    (alert,) = folded([found(0, SCANNER, host(f"h{n}"), user(f"u{n}"), record=n) for n in range(500)])
    assert len(alert.entities) == 65
    assert SCANNER in alert.entities


def test_title_with_controls_is_escaped() -> None:
    assert folded([found(0, title="a\x1b[31m\u202e")])[0].title == "a\\x1b[31m\\u202e"


@given(st.lists(DETECTIONS, max_size=30), st.randoms(use_true_random=False))
def test_fold_in_any_order_gives_the_same_alerts(detections: list[Detection], random: object) -> None:
    shuffled = list(detections)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = folded(detections), folded(shuffled)
    # Detections of one record and rule which differ otherwise are a fiction of this test; only examples show them.
    assert [replace(a, examples=(), entities=()) for a in one] == [replace(b, examples=(), entities=()) for b in other]


@given(st.lists(DETECTIONS, max_size=40), st.integers(1, 7))
def test_fold_chunk_by_chunk_in_time_is_fold_at_once(detections: list[Detection], size: int) -> None:
    detections = sorted(detections, key=lambda one: (seen_at(one, NOW), one.path, one.record))
    held: tuple[Alert, ...] = ()
    for start in range(0, len(detections), size):
        held = merged(held, folded(detections[start : start + size], held))
    at_once = folded(detections)
    assert sorted(held, key=lambda one: one.id) == sorted(at_once, key=lambda one: one.id)


@given(st.lists(DETECTIONS, max_size=40), st.integers(1, 7))
def test_fold_counts_every_detection_once_whatever_the_order_and_the_chunks(
    detections: list[Detection], size: int
) -> None:
    held: tuple[Alert, ...] = ()
    for start in range(0, len(detections), size):
        held = merged(held, folded(detections[start : start + size], held))
    counts: Counter[str] = Counter()
    for alert in held:
        counts[alert.key] += alert.n_detections
        assert alert.first_seen_at <= alert.last_seen_at
        assert len(alert.examples) == min(5, alert.n_detections)
    assert counts == Counter(key_of(detection, "web") for detection in detections)
    assert len({alert.id for alert in held}) == len(held)


@given(st.lists(DETECTIONS, max_size=20))
def test_fold_of_the_same_input_gives_the_same_ids(detections: list[Detection]) -> None:
    assert folded(detections) == folded(detections)
    later = folded(detections, now=NOW + FOLD_WINDOW)
    if all(one.event_at is not None for one in detections):
        assert {one.id for one in later} == {one.id for one in folded(detections)}


def episode(trigger: float, last: float, *, n: int = 5, replaced: int = 0, group: str = "203.0.113.9") -> Detection:
    """What a correlation over ten minutes says of one address."""
    together = Together(
        n_events=n,
        first_at=at(trigger - 1),
        last_at=at(last),
        timespan_s=600,
        group=(("c-ip", group),),
        n_replaced=replaced,
    )
    return found(trigger, address(group), rule="many", together=together)


def test_fold_of_an_episode_told_again_is_one_detection_with_its_latest_word() -> None:
    (first,) = fold([episode(0, 0)], [], source="web", now=NOW)
    (again,) = fold([episode(0, 300, n=40, replaced=1)], [first], source="web", now=NOW)
    assert (again.id, again.n_detections) == (first.id, 1)
    assert [one.together.n_events for one in again.examples if one.together] == [40]
    assert (again.first_seen_at, again.last_seen_at) == (at(-1), at(300))


def test_fold_of_two_episodes_that_became_one_counts_one_less() -> None:
    (both,) = fold([episode(0, 0), episode(14, 14)], [], source="web", now=NOW)
    assert (both.n_detections, len(both.examples)) == (2, 2)
    (joined,) = fold([episode(0, 14, n=12, replaced=2)], [both], source="web", now=NOW)
    assert joined.n_detections == 1
    assert [one.together.n_events for one in joined.examples if one.together] == [12]


def test_fold_keeps_the_latest_word_of_more_episodes_than_it_shows() -> None:
    episodes = [episode(14 * number, 14 * number, n=number) for number in range(9)]
    (alert,) = fold(episodes, [], source="web", now=NOW)
    assert alert.n_detections == 9
    assert [one.together.n_events for one in alert.examples if one.together] == [0, 1, 2, 3, 8]


def test_fold_of_correlations_without_an_address_goes_by_their_group() -> None:
    def of(user: str) -> Detection:
        one = episode(0, 0, group=user)
        return replace(one, entities=(host("web01"),))

    alerts = fold([of("eve"), of("Eve"), of("bob")], [], source="web", now=NOW)
    assert sorted(one.n_detections for one in alerts) == [1, 2]
