"""Password hashes with the real argon2id."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.adapters.seal.passwords import Argon2Passwords

PASSWORDS = Argon2Passwords()


def test_password_verifies_and_another_does_not() -> None:
    secret = PASSWORDS.hash("正しい馬 battery")
    assert secret.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORDS.verify(secret, "正しい馬 battery")
    assert not PASSWORDS.verify(secret, "正しい馬 Battery")


def test_same_password_has_a_fresh_salt_each_time() -> None:
    assert PASSWORDS.hash("one") != PASSWORDS.hash("one")


@pytest.mark.parametrize("secret", ["", "plain", "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$AAAA$BBBB", "\udc80", "é"])
def test_what_is_no_hash_verifies_nothing(secret: str) -> None:
    assert not PASSWORDS.verify(secret, "plain")


@settings(max_examples=5, deadline=None)
@given(st.text(max_size=30) | st.just("\ud800"))
def test_any_password_verifies_against_its_own_hash(password: str) -> None:
    assert PASSWORDS.verify(PASSWORDS.hash(password), password)
