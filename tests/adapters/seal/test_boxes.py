import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.seal.boxes import _montgomery, seal_to
from amagasa.vocab.errors import BadInputError
from tests.share.cards import keys


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_seal_is_opened_by_its_party_alone(plain: bytes, bound: bytes) -> None:
    japan, states = keys("japan"), keys("states")
    sealed = japan.seal(states.public_key, plain, bound_to=bound)
    assert states.unseal(sealed, bound_to=bound) == plain
    assert japan.unseal(sealed, bound_to=bound) is None
    assert states.unseal(sealed, bound_to=bound + b"x") is None


@given(st.binary(max_size=100))
def test_unseal_any_bytes_is_no_answer(data: bytes) -> None:
    assert keys("japan").unseal(data, bound_to=b"") is None


def test_seal_same_plain_twice_is_never_the_same() -> None:
    key = keys("states").public_key
    assert seal_to(key, b"x", bound_to=b"") != seal_to(key, b"x", bound_to=b"")


# The point 1 (y = 1) is neutral, and y = -1 of order two: nobody has a secret to either.
@pytest.mark.parametrize("key", ["", "x", "A" * 43, "AQ" + "A" * 41, "7P" + "_" * 39 + "38"])
def test_seal_to_what_no_secret_belongs_to_is_bad_input(key: str) -> None:
    with pytest.raises(BadInputError, match="AMG-SEAL-KEY"):
        seal_to(key, b"x", bound_to=b"")


def test_montgomery_of_the_base_point_is_that_of_x25519() -> None:
    """RFC 7748 section 4.1: y = 4/5 of edwards25519 is u = 9 of curve25519."""
    prime = 2**255 - 19
    y = 4 * pow(5, prime - 2, prime) % prime
    assert _montgomery(y.to_bytes(32, "little")) == (9).to_bytes(32, "little")
    assert len(X25519PrivateKey.generate().public_key().public_bytes_raw()) == 32
