"""Accounts on a real store."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.adapters.seal.passwords import Argon2Passwords
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.accounts import (
    AccountChange,
    Accounts,
    NewAccount,
    NotSignedInError,
    Throttle,
    ThrottledError,
    hash_of,
    offer_link,
)
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Store
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.browser.seed import NOW
from tests.entry.console import PASSWORD, QuickPasswords

ADMIN = Actor(name="admin", roles=frozenset({Role.ADMINISTRATOR}))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "node.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def accounts(store: Store) -> Accounts:
    return Accounts(store, QuickPasswords(), decoy="nobody knows")


def new(**changes: Any) -> NewAccount:
    given: dict[str, Any] = {"name": "sato", "password": PASSWORD, "roles": (Role.ADMINISTRATOR, Role.ANALYST)}
    return NewAccount(**(given | changes))


def first(store: Store, accounts: Accounts, **changes: Any) -> None:
    offer_link(store, "link", now=NOW)
    accounts.follow_link("link", token="steps", now=NOW)
    accounts.create_first(new(**changes), session="steps", token="session", now=NOW)


def test_link_followed_once_opens_first_steps_only(store: Store, accounts: Accounts) -> None:
    offer_link(store, "link", now=NOW)
    found = accounts.follow_link("link", token="steps", now=NOW)
    assert found.is_first
    assert found.actor.roles == frozenset()
    held = accounts.who("steps", now=NOW)
    assert held is not None
    assert held.is_first


def test_link_followed_twice_is_refused(store: Store, accounts: Accounts) -> None:
    offer_link(store, "link", now=NOW)
    accounts.follow_link("link", token="steps", now=NOW)
    with pytest.raises(NotSignedInError, match="AMG-SIGNIN-LINK"):
        accounts.follow_link("link", token="again", now=NOW)
    assert accounts.who("again", now=NOW) is None


def test_link_after_a_day_is_refused(store: Store, accounts: Accounts) -> None:
    offer_link(store, "link", now=NOW)
    with pytest.raises(NotSignedInError, match="AMG-SIGNIN-LINK"):
        accounts.follow_link("link", token="steps", now=NOW + timedelta(hours=24))


def test_link_of_a_node_with_accounts_is_refused_and_not_spent(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    offer_link(store, "second", now=NOW)
    with pytest.raises(DeniedError, match="AMG-ACCOUNT-NOT-FIRST"):
        accounts.follow_link("second", token="steps2", now=NOW)
    assert accounts.who("steps2", now=NOW) is None


def test_link_store_keeps_no_token(store: Store, accounts: Accounts, tmp_path: Path) -> None:
    offer_link(store, "a-link-token", now=NOW)
    accounts.follow_link("a-link-token", token="a-session-token", now=NOW)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a-link-token" not in kept
    assert b"a-session-token" not in kept
    assert hash_of("a-session-token").encode() in kept


def test_first_account_without_administrator_is_refused(store: Store, accounts: Accounts) -> None:
    offer_link(store, "link", now=NOW)
    accounts.follow_link("link", token="steps", now=NOW)
    with pytest.raises(BadInputError, match="AMG-ACCOUNT-FIRST-ROLE"):
        accounts.create_first(new(roles=(Role.ANALYST,)), session="steps", token="s", now=NOW)
    accounts.create_first(new(), session="steps", token="s", now=NOW)


def test_first_account_ends_the_links_session(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    assert accounts.who("steps", now=NOW) is None
    found = accounts.who("session", now=NOW)
    assert found is not None
    assert found.actor == Actor(name="sato", roles=frozenset({Role.ADMINISTRATOR, Role.ANALYST}))


def test_first_account_from_another_session_is_refused(accounts: Accounts) -> None:
    with pytest.raises(NotSignedInError, match="AMG-SIGNIN-LINK"):
        accounts.create_first(new(), session="made up", token="s", now=NOW)


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 257, "\uff41" * 3])
def test_account_with_a_password_of_a_wrong_length_is_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(BadInputError, match="AMG-ACCOUNT-PASSWORD") as caught:
        accounts.add(ADMIN, new(password=password), now=NOW)
    assert password not in caught.value.got or not password


@pytest.mark.parametrize("name", ["", " ", "a b", "<b>", "-x", "x" * 65, "a\u202eb", "../x", "\ud800"])
def test_account_with_an_unusable_name_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(BadInputError, match="AMG-ACCOUNT-NAME"):
        accounts.add(ADMIN, new(name=name), now=NOW)


def test_account_of_a_name_in_use_is_refused_whatever_its_case(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    with pytest.raises(BadInputError, match="AMG-ACCOUNT-TAKEN"):
        accounts.add(ADMIN, new(name="SATO"), now=NOW)


def test_account_added_by_others_than_an_administrator_is_refused(accounts: Accounts) -> None:
    for role in set(Role) - {Role.ADMINISTRATOR}:
        with pytest.raises(DeniedError, match="AMG-DENIED"):
            accounts.add(Actor(name="x", roles=frozenset({role})), new(), now=NOW)


def test_sign_in_with_a_japanese_name_and_wide_letters_succeeds(accounts: Accounts) -> None:
    accounts.add(ADMIN, new(name="佐藤", password="correct horse battery"), now=NOW)
    found = accounts.sign_in("佐藤", "ｃｏｒｒｅｃｔ　ｈｏｒｓｅ　ｂａｔｔｅｒｙ", token="t", now=NOW)
    assert found.actor.name == "佐藤"


def test_sign_in_refusals_look_alike(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    accounts.add(ADMIN, new(name="gone"), now=NOW)
    accounts.change(ADMIN, "gone", AccountChange(is_enabled=False), now=NOW)
    told = set()
    for name, password in (("sato", "wrong password"), ("nobody", PASSWORD), ("gone", PASSWORD)):
        with pytest.raises(NotSignedInError) as caught:
            accounts.sign_in(name, password, token="t", now=NOW)
        told.add(str(caught.value))
    assert len(told) == 1


def test_sign_in_of_an_unknown_name_costs_a_verification(store: Store) -> None:
    asked: list[str] = []

    class Counting(QuickPasswords):
        def verify(self, secret: str, password: str) -> bool:
            asked.append(secret)
            return super().verify(secret, password)

    accounts = Accounts(store, Counting(), decoy="decoy")
    with pytest.raises(NotSignedInError):
        accounts.sign_in("nobody", "decoy", token="t", now=NOW)
    assert len(asked) == 1


def test_sign_in_with_argon2_succeeds(store: Store) -> None:
    accounts = Accounts(store, Argon2Passwords(), decoy="decoy")
    accounts.add(ADMIN, new(), now=NOW)
    with store.read() as reading:
        held = reading.account("sato")
    assert held is not None
    assert held.secret.startswith("$argon2id$")
    assert accounts.sign_in("Sato", PASSWORD, token="t", now=NOW).actor.name == "sato"
    with pytest.raises(NotSignedInError):
        accounts.sign_in("sato", PASSWORD + "x", token="t", now=NOW)


def test_sign_in_after_five_failures_waits(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    for _ in range(Throttle.PER_NAME):
        with pytest.raises(NotSignedInError):
            accounts.sign_in("sato", "wrong password", token="t", now=NOW)
    with pytest.raises(ThrottledError) as caught:
        accounts.sign_in("sato", PASSWORD, token="t", now=NOW + timedelta(seconds=60))
    assert caught.value.retry_after_s == 240
    assert accounts.sign_in("sato", PASSWORD, token="t", now=NOW + timedelta(seconds=300)).actor.name == "sato"


def test_sign_in_that_succeeds_forgets_the_failures(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    for _ in range(3):
        for _ in range(Throttle.PER_NAME - 1):
            with pytest.raises(NotSignedInError):
                accounts.sign_in("sato", "wrong password", token="t", now=NOW)
        accounts.sign_in("sato", PASSWORD, token="t", now=NOW)


def test_throttle_of_many_names_stops_them_all() -> None:
    throttle = Throttle()
    for number in range(Throttle.IN_ALL):
        throttle.attempt(f"name{number}", now=NOW)
    with pytest.raises(ThrottledError):
        throttle.attempt("another", now=NOW)
    throttle.attempt("another", now=NOW + timedelta(seconds=Throttle.IN_ALL_S))


def test_throttle_with_invented_names_stays_small() -> None:
    throttle = Throttle()
    for number in range(3 * Throttle.NAMES):
        throttle.attempt(f"name{number}", now=NOW + timedelta(seconds=3 * number))
    assert len(throttle._names) == Throttle.NAMES


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_throttle_lets_at_most_five_through_in_any_window(attempts: list[tuple[str, int]]) -> None:
    throttle = Throttle()
    let: list[tuple[str, int]] = []
    for name, second in sorted(attempts, key=lambda one: one[1]):
        try:
            throttle.attempt(name, now=NOW + timedelta(seconds=second))
        except ThrottledError:
            continue
        let.append((name, second))
    for name, second in let:
        same = [one for one in let if one[0] == name and second <= one[1] < second + Throttle.PER_NAME_S]
        assert len(same) <= Throttle.PER_NAME


def test_session_after_a_shift_is_over(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    assert accounts.who("session", now=NOW + timedelta(hours=12, seconds=-1)) is not None
    assert accounts.who("session", now=NOW + timedelta(hours=12)) is None


def test_session_signed_out_is_over(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    accounts.sign_out("session")
    accounts.sign_out("session")
    assert accounts.who("session", now=NOW) is None


def test_session_sees_changed_roles_at_once(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    accounts.add(ADMIN, new(name="tanaka", roles=(Role.ANALYST,)), now=NOW)
    accounts.sign_in("tanaka", PASSWORD, token="t", now=NOW)
    accounts.change(ADMIN, "tanaka", AccountChange(roles=(Role.AUDITOR,)), now=NOW)
    found = accounts.who("t", now=NOW)
    assert found is not None
    assert found.actor.roles == frozenset({Role.AUDITOR})


def test_session_of_a_disabled_account_is_over(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    accounts.add(ADMIN, new(name="tanaka"), now=NOW)
    accounts.sign_in("tanaka", PASSWORD, token="t", now=NOW)
    accounts.change(ADMIN, "tanaka", AccountChange(is_enabled=False), now=NOW)
    assert accounts.who("t", now=NOW) is None


def test_password_changed_ends_other_sessions_only(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    later = NOW + timedelta(minutes=5, microseconds=123)
    me = Actor(name="sato", roles=frozenset())
    with pytest.raises(BadInputError, match="AMG-ACCOUNT-OLD-PASSWORD"):
        accounts.change_password(me, old="wrong", new="another long password", token="t2", now=later)
    accounts.change_password(me, old=PASSWORD, new="another long password", token="t2", now=later)
    assert accounts.who("session", now=later) is None
    assert accounts.who("t2", now=later) is not None
    assert accounts.sign_in("sato", "another long password", token="t3", now=later).actor.name == "sato"


def test_password_reset_by_an_administrator_ends_the_persons_sessions(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    later = NOW + timedelta(minutes=5)
    accounts.change(ADMIN, "sato", AccountChange(password="another long password"), now=later)
    assert accounts.who("session", now=later) is None


@pytest.mark.parametrize("change", [AccountChange(is_enabled=False), AccountChange(roles=(Role.ANALYST,))])
def test_last_administrator_cannot_be_taken_away(store: Store, accounts: Accounts, change: AccountChange) -> None:
    first(store, accounts)
    with pytest.raises(BadInputError, match="AMG-ACCOUNT-LAST-ADMINISTRATOR"):
        accounts.change(ADMIN, "sato", change, now=NOW)
    found = accounts.who("session", now=NOW)
    assert found is not None
    assert Role.ADMINISTRATOR in found.actor.roles


def test_language_unknown_is_refused(store: Store, accounts: Accounts) -> None:
    first(store, accounts)
    me = Actor(name="sato", roles=frozenset())
    accounts.change_language(me, "ja")
    with pytest.raises(BadInputError, match="AMG-ACCOUNT-LANG"):
        accounts.change_language(me, "xx")
    found = accounts.who("session", now=NOW)
    assert found is not None
    assert found.lang == "ja"
