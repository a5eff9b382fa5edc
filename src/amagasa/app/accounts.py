"""People at a node: the one-time link, accounts, signing in and out, and who a session belongs to."""

import hashlib
import re
import threading
import unicodedata
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from amagasa.app.permissions import Act, Actor, Role, require
from amagasa.app.ports import Account, Passwords, Session, Store, Writing
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.instants import from_rfc3339, to_rfc3339

LINK_VALID: Final = timedelta(hours=24)
FIRST_STEPS_VALID: Final = timedelta(minutes=30)  # after the link: long enough to choose a name and a password
SESSION_VALID: Final = timedelta(hours=12)  # one shift
PASSWORD_MIN_CHARACTERS: Final = 12
PASSWORD_MAX_CHARACTERS: Final = 256
LANGUAGES: Final = ("en", "ja")
_NAME: Final = re.compile(r"\w[\w.@-]{0,63}")


class NotSignedInError(DeniedError):
    """Nobody is signed in, or name and password do not fit (HTTP 401)."""


class ThrottledError(DeniedError):
    """Too many failures; try again after `retry_after_s` seconds (HTTP 429)."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            "AMG-SIGNIN-THROTTLED",
            "too many failed sign-ins",
            expected="a pause after failures",
            then=f"try again in {retry_after_s} s",
        )


class NewAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person or an administrator asks for."""

    name: str
    password: str
    roles: tuple[Role, ...]
    lang: str = "en"


class AccountChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator changes; what is left out stays."""

    roles: tuple[Role, ...] | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET
    password: str | UnsetType = UNSET


class SignedIn(Struct, frozen=True, kw_only=True):
    """Who a session belongs to. `is_first`: it came from the one-time link and may create the first account only."""

    actor: Actor
    lang: str
    is_first: bool = False


class Throttle:
    """Counts failed sign-ins in memory, per name and in all; an attempt counts until it succeeds."""

    PER_NAME: Final = 5
    PER_NAME_S: Final = 300
    IN_ALL: Final = 30  # also the bound of threads busy with argon2id
    IN_ALL_S: Final = 60
    NAMES: Final = 1_000  # names remembered; an attacker may invent any number

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._all: deque[datetime] = deque()

    def attempt(self, name: str, *, now: datetime) -> None:
        """Count an attempt. Raises ThrottledError where there were too many; then it is not counted."""
        with self._lock:
            mine = self._names.setdefault(name, deque())
            self._names.move_to_end(name)
            while len(self._names) > self.NAMES:
                self._names.popitem(last=False)
            _wait_if_full(mine, self.PER_NAME, self.PER_NAME_S, now)
            _wait_if_full(self._all, self.IN_ALL, self.IN_ALL_S, now)
            mine.append(now)
            self._all.append(now)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name, and this attempt among all."""
        with self._lock:
            self._names.pop(name, None)
            if self._all:
                self._all.pop()


def _wait_if_full(instants: deque[datetime], limit: int, window_s: int, now: datetime) -> None:
    while instants and (now - instants[0]).total_seconds() >= window_s:
        instants.popleft()
    if len(instants) >= limit:
        raise ThrottledError(max(1, round(window_s - (now - instants[0]).total_seconds())))


def hash_of(token: str) -> str:
    """SHA-256 of a token, in hex: all that is kept of links and sessions (tokens are 256 random bits)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def offer_link(store: Store, token: str, *, now: datetime) -> None:
    """Keep the hash of a one-time sign-in link's token, drawn by the caller; it expires in 24 hours."""
    with store.write() as tx:
        tx.save_link(hash_of(token), expires_at=now + LINK_VALID)


class Accounts:
    """The use cases. Tokens are drawn by the caller: 256 random bits in base64url. Safe from any thread."""

    def __init__(self, store: Store, passwords: Passwords, *, decoy: str) -> None:
        """`decoy` is a random text nobody knows: an unknown name costs the same work as a known one."""
        self._store = store
        self._passwords = passwords
        self._decoy = passwords.hash(decoy)
        self._throttle = Throttle()

    def follow_link(self, link: str, *, token: str, now: datetime) -> SignedIn:
        """Spend a one-time link; the new session may create the first account and nothing else."""
        with self._store.write() as tx:
            if not tx.use_link(hash_of(link), now=now):
                raise NotSignedInError(
                    "AMG-SIGNIN-LINK",
                    "this link opens nothing any more",
                    expected="a link used once, within 24 hours",
                    then="ask for a new one on the node's own machine",
                )
            _refuse_second_first(tx)
            tx.save_session(_session(token, "", (), now=now, valid=FIRST_STEPS_VALID))
        return _FIRST

    def create_first(self, new: NewAccount, *, session: str, token: str, now: datetime) -> SignedIn:
        """Create the first account, an administrator among its roles, and sign in. `session` is the link's."""
        account = self._account(new, now=now)
        if Role.ADMINISTRATOR not in new.roles:
            raise BadInputError(
                "AMG-ACCOUNT-FIRST-ROLE",
                "the first account must be able to add others",
                expected="the role administrator among its roles",
                got=", ".join(new.roles),
            )
        with self._store.write() as tx:
            _refuse_second_first(tx)
            held = tx.session(hash_of(session))
            if held is None or held.account or held.expires_at <= now:
                raise NotSignedInError("AMG-SIGNIN-LINK", "this session did not come from a sign-in link")
            tx.save_account(account)
            tx.remove_session(held.token_hash)
            tx.save_session(_session(token, account.name, account.roles, now=now, valid=SESSION_VALID))
        return _signed_in(account)

    def add(self, actor: Actor, new: NewAccount, *, now: datetime) -> Account:
        """A further account, by an administrator."""
        require(actor, Act.ADMINISTER)
        account = self._account(new, now=now)
        with self._store.write() as tx:
            if tx.account(account.name):
                raise BadInputError(
                    "AMG-ACCOUNT-TAKEN", "there is an account of this name", expected="a new name", got=account.name
                )
            tx.save_account(account)
        return account

    def change(self, actor: Actor, name: str, change: AccountChange, *, now: datetime) -> Account:
        """Roles, whether it is enabled, or a new password; that one ends the person's sessions."""
        require(actor, Act.ADMINISTER)
        secret = UNSET if change.password is UNSET else self._secret(str(change.password))
        with self._store.write() as tx:
            account = _known(tx, name)
            if change.roles is not UNSET:
                account = replace(account, roles=_roles(change.roles))
            if change.is_enabled is not UNSET:
                account = replace(account, is_enabled=change.is_enabled)
            if secret is not UNSET:
                account = replace(account, secret=secret)
                tx.save_meta(_SINCE + account.name, to_rfc3339(now))
            tx.save_account(account)
            _refuse_no_administrator(tx)
        return account

    def change_password(self, actor: Actor, *, old: str, new: str, token: str, now: datetime) -> SignedIn:
        """One's own password. Every session of the person ends; a new one, of `token`, begins."""
        self._throttle.attempt(actor.name, now=now)
        with self._store.read() as reading:
            account = reading.account(actor.name)
        if account is None or not self._passwords.verify(account.secret, _normal(old)):
            raise BadInputError("AMG-ACCOUNT-OLD-PASSWORD", "the present password does not fit", then="nothing changed")
        self._throttle.succeeded(actor.name)
        secret = self._secret(new)
        with self._store.write() as tx:
            account = replace(_known(tx, actor.name), secret=secret)
            tx.save_account(account)
            tx.save_meta(_SINCE + account.name, to_rfc3339(now))
            tx.save_session(_session(token, account.name, account.roles, now=now, valid=SESSION_VALID))
        return _signed_in(account)

    def change_language(self, actor: Actor, lang: str) -> None:
        """One's own language."""
        with self._store.write() as tx:
            tx.save_account(replace(_known(tx, actor.name), lang=_lang(lang)))

    def sign_in(self, name: str, password: str, *, token: str, now: datetime) -> SignedIn:
        """Open a session. One refusal for an unknown name, a wrong password and a disabled account."""
        normal = _normal(name).casefold()[:64]
        self._throttle.attempt(normal, now=now)
        with self._store.read() as reading:
            account = reading.account(normal)
        fits = self._passwords.verify(account.secret if account else self._decoy, _normal(password))
        if account is None or not fits or not account.is_enabled:
            raise NotSignedInError(
                "AMG-SIGNIN-REFUSED",
                "name and password do not fit",
                expected="an enabled account and its password",
                then="try again, or ask an administrator of this node",
            )
        self._throttle.succeeded(normal)
        with self._store.write() as tx:
            tx.remove_expired(now=now)
            tx.save_session(_session(token, account.name, account.roles, now=now, valid=SESSION_VALID))
        return _signed_in(account)

    def sign_out(self, token: str) -> None:
        """End the session; nothing happens where there is none."""
        with self._store.write() as tx:
            tx.remove_session(hash_of(token))

    def who(self, token: str, *, now: datetime) -> SignedIn | None:
        """Who the session belongs to, with the roles of this instant; None where it is unknown, over or disabled."""
        with self._store.read() as reading:
            session = reading.session(hash_of(token))
            if session is None or session.expires_at <= now:
                return None
            if not session.account:
                return _FIRST
            account = reading.account(session.account)
            since = reading.meta(_SINCE + session.account)
        if account is None or not account.is_enabled:
            return None
        # The instant is kept in milliseconds: the session which begins with the change must not end with it.
        if since and session.created_at + timedelta(milliseconds=1) <= from_rfc3339(since):
            return None
        return _signed_in(account)

    def _account(self, new: NewAccount, *, now: datetime) -> Account:
        name = _normal(new.name).casefold()
        if not _NAME.fullmatch(name):
            raise BadInputError(
                "AMG-ACCOUNT-NAME",
                "this name cannot be used",
                expected="1 to 64 letters, digits, or . _ - @, a letter or digit first",
                got=new.name,
            )
        roles = _roles(new.roles)
        return Account(name=name, roles=roles, secret=self._secret(new.password), lang=_lang(new.lang), created_at=now)

    def _secret(self, password: str) -> str:
        normal = _normal(password)
        if not PASSWORD_MIN_CHARACTERS <= len(normal) <= PASSWORD_MAX_CHARACTERS:
            raise BadInputError(
                "AMG-ACCOUNT-PASSWORD",
                "this password cannot be used",
                expected=f"{PASSWORD_MIN_CHARACTERS} to {PASSWORD_MAX_CHARACTERS} characters",
                got=f"{len(normal)} characters",
            )
        return self._passwords.hash(normal)


_SINCE: Final = "sessions_since:"
_FIRST: Final = SignedIn(actor=Actor(name="one-time link", roles=frozenset()), lang="", is_first=True)


def _normal(text: str) -> str:
    # NFKC (NIST SP 800-63B 3.1.1.2): the same password from a Japanese and an English keyboard.
    return unicodedata.normalize("NFKC", text).encode("utf-8", "backslashreplace").decode()


def _lang(lang: str) -> str:
    if lang not in LANGUAGES:
        raise BadInputError("AMG-ACCOUNT-LANG", "this language is not spoken here", expected="en or ja", got=lang)
    return lang


def _roles(roles: tuple[Role, ...]) -> tuple[str, ...]:
    if not roles:
        raise BadInputError("AMG-ACCOUNT-ROLES", "an account needs a role", expected="one role or more")
    return tuple(role.value for role in Role if role in roles)


def _known(tx: Writing, name: str) -> Account:
    account = tx.account(name)
    if account is None:
        raise BadInputError("AMG-ACCOUNT-UNKNOWN", "there is no account of this name", got=name)
    return account


def _refuse_second_first(tx: Writing) -> None:
    if tx.accounts():
        raise DeniedError(
            "AMG-ACCOUNT-NOT-FIRST",
            "this node has accounts already",
            expected="the first account of a node",
            then="sign in, or ask an administrator of this node for an account",
        )


def _refuse_no_administrator(tx: Writing) -> None:
    if not any(account.is_enabled and Role.ADMINISTRATOR.value in account.roles for account in tx.accounts()):
        raise BadInputError(
            "AMG-ACCOUNT-LAST-ADMINISTRATOR",
            "this would leave nobody to administer the node",
            expected="one enabled administrator or more",
            then="nothing changed",
        )


def _session(token: str, account: str, roles: tuple[str, ...], *, now: datetime, valid: timedelta) -> Session:
    return Session(token_hash=hash_of(token), account=account, roles=roles, created_at=now, expires_at=now + valid)


def _signed_in(account: Account) -> SignedIn:
    known = {role.value for role in Role}
    roles = frozenset(Role(role) for role in account.roles if role in known)
    return SignedIn(actor=Actor(name=account.name, roles=roles), lang=account.lang)
