import uuid

from hypothesis import given
from hypothesis import strategies as st

from amagasa.vocab.ids import is_stix_id, stable_id, type_of

PARTS = st.lists(
    st.text(alphabet=st.characters(), max_size=6) | st.sampled_from(["\x1f", "\ud800", "1:a", ":"]), max_size=4
)


@given(PARTS, PARTS)
def test_stable_id_is_equal_only_for_equal_parts(one: list[str], other: list[str]) -> None:
    assert (stable_id("alert", *one) == stable_id("alert", *other)) is (one == other)


def test_stable_id_keeps_its_value_for_ever() -> None:
    # Stored identifiers of running nodes depend on it.
    assert stable_id("alert", "a", "b") == "alert--" + str(
        uuid.UUID(
            bytes=uuid.uuid5(uuid.UUID("6f0b2d8e-54a5-5d0a-9a0e-3f1f0c1d7a55"), "alert\x1e1:a1:b").bytes, version=4
        )
    )


def test_stable_id_of_another_kind_is_another() -> None:
    assert stable_id("alert", "a").partition("--")[2] != stable_id("incident", "a").partition("--")[2]


@given(PARTS)
def test_stable_id_is_a_stix_id(parts: list[str]) -> None:
    made = stable_id("sighting", *parts)
    assert is_stix_id(made)
    assert type_of(made) == "sighting"
    assert uuid.UUID(made.partition("--")[2]).version == 4


def test_stix_id_of_another_form_is_none() -> None:
    good = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
    assert is_stix_id(good)
    for bad in (
        "",
        good.upper(),
        good + "\n",
        " " + good,
        good.replace("--", "-"),
        "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "in--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "indicator--8e2e2d2b-17d4-0cbf-938f-98ee46b3cd3f",
        "indicator--8e2e2d2b-17d4-4cbf-738f-98ee46b3cd3f",
        "indicator--00000000-0000-0000-0000-000000000000",
        "indicator--8e2e2d2b17d44cbf938f98ee46b3cd3f",
    ):
        assert not is_stix_id(bad)


def test_type_of_text_without_dashes_is_the_text() -> None:
    assert type_of("indicator") == "indicator"
    assert type_of("a--b--c") == "a"
