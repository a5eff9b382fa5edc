import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.share.heartbeat import MAX_SKEW_MS, Beat, BeatFault, SignedBeat, beat_bytes, fault_of
from tests.share.cards import keys
from tests.share.samples import JAPAN_ID, STATES_ID

NOW_MS = 1_795_000_000_000
BEAT = Beat(agreement="a", at_ms=NOW_MS, freshest_s=1, n_sources=3, n_watching=2, party=JAPAN_ID, stalest_s=None)


def signed(beat: Beat = BEAT, by: str = "japan") -> SignedBeat:
    value = base64.urlsafe_b64encode(keys(by).sign(beat_bytes(beat))).decode().rstrip("=")
    return SignedBeat(beat=beat, signature=value)


def fault(one: SignedBeat, *, last_ms: int = 0, party: str = JAPAN_ID) -> BeatFault | None:
    return fault_of(one, agreement="a", party=party, key=keys("japan").public_key, last_ms=last_ms, now_ms=NOW_MS)


def test_fault_of_true_and_later_is_none() -> None:
    assert fault(signed()) is None
    assert fault(signed(), last_ms=NOW_MS - 1) is None


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (signed(replace(BEAT, agreement="b")), BeatFault.OTHER),
        (signed(replace(BEAT, party=STATES_ID)), BeatFault.OTHER),
        (signed(by="states"), BeatFault.FORGED),
        (SignedBeat(beat=BEAT, signature=""), BeatFault.FORGED),
        (SignedBeat(beat=replace(BEAT, n_watching=3), signature=signed().signature), BeatFault.FORGED),
        (signed(replace(BEAT, at_ms=NOW_MS + MAX_SKEW_MS + 1)), BeatFault.AHEAD),
    ],
)
def test_fault_of_what_is_no_news_is_named(one: SignedBeat, why: BeatFault) -> None:
    assert fault(one) is why


def test_fault_of_the_same_or_an_older_one_is_old() -> None:
    assert fault(signed(), last_ms=NOW_MS) is BeatFault.OLD
    assert fault(signed(), last_ms=NOW_MS + 1) is BeatFault.OLD


@given(
    st.recursive(st.none() | st.integers() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_signed_beat_of_any_values_is_refused(value: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"beat": value, "signature": ""}, SignedBeat)
