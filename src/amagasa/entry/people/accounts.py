"""The API's people: the one-time link, sign-in and sign-out, one's own settings, and accounts."""

from datetime import datetime

from litestar import Response, delete, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from amagasa.app.accounts import AccountChange, NewAccount, SignedIn
from amagasa.app.permissions import Act, Role, require
from amagasa.app.ports import Account
from amagasa.entry.people.deps import Console, console_of, draw_token, threaded
from amagasa.entry.people.security import FIRST_STEPS, PUBLIC, Asked, actor_of


class LinkFollowed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a one-time sign-in link."""

    token: str


class SignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name and password."""

    name: str
    password: str


class NewPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's present password and the one wanted."""

    old: str
    new: str


class Language(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`en` or `ja`."""

    lang: str


class Me(Struct, frozen=True, kw_only=True):
    """Who is signed in and what that person may do. `is_first`: create the first account now."""

    name: str
    roles: tuple[Role, ...]
    may: tuple[Act, ...]
    lang: str
    is_first: bool


class Greeting(Struct, frozen=True, kw_only=True):
    """What the console asks first: `me` is null where nobody is signed in; `lang` is the node's language."""

    lang: str
    me: Me | None


class AccountView(Struct, frozen=True, kw_only=True):
    """An account without its secret."""

    name: str
    roles: tuple[str, ...]
    lang: str
    is_enabled: bool
    created_at: datetime


@post("/api/session/link", opt={PUBLIC: True}, status_code=200, tags=["session"])
@threaded
def follow_link(request: Asked, data: JSONBody[LinkFollowed]) -> Response[Me]:
    """Spend the one-time sign-in link: the session that begins may create the first account."""
    console, token = console_of(request), draw_token()
    return _begun(console, console.accounts.follow_link(data.token, token=token, now=console.now()), token)


@post("/api/session", opt={PUBLIC: True}, status_code=200, tags=["session"])
@threaded
def sign_in(request: Asked, data: JSONBody[SignIn]) -> Response[Me]:
    """Sign in by name and password: a session of 12 hours, in a cookie."""
    console, token = console_of(request), draw_token()
    found = console.accounts.sign_in(data.name, data.password, token=token, now=console.now())
    return _begun(console, found, token)


@get("/api/session", opt={PUBLIC: True}, tags=["session"])
@threaded
def greeting(request: Asked) -> Greeting:
    """Who is signed in, without a refusal where nobody is."""
    console = console_of(request)
    found = console.keeper.look(request)
    return Greeting(lang=console.deps.lang, me=_me(console, found) if found else None)


@delete("/api/session", opt={PUBLIC: True}, status_code=204, tags=["session"])
@threaded
def sign_out(request: Asked) -> Response[None]:
    """End the session."""
    console = console_of(request)
    if token := request.cookies.get(console.keeper.cookie, ""):
        console.accounts.sign_out(token)
    return Response(None, status_code=204, cookies=[console.keeper.session_cookie("")])


@get("/api/me", opt={FIRST_STEPS: True}, sync_to_thread=False, tags=["session"])
def me(request: Asked) -> Me:
    """Who is signed in."""
    found: SignedIn = request.scope["state"]["signed_in"]
    return _me(console_of(request), found)


@post("/api/me/password", status_code=200, tags=["session"])
@threaded
def change_password(request: Asked, data: JSONBody[NewPassword]) -> Response[Me]:
    """Change one's own password; every other session of the person ends."""
    console, token = console_of(request), draw_token()
    found = console.accounts.change_password(
        actor_of(request), old=data.old, new=data.new, token=token, now=console.now()
    )
    return _begun(console, found, token)


@post("/api/me/language", status_code=204, tags=["session"])
@threaded
def change_language(request: Asked, data: JSONBody[Language]) -> None:
    """Change one's own language."""
    console_of(request).accounts.change_language(actor_of(request), data.lang)


@post("/api/accounts/first", opt={FIRST_STEPS: True}, status_code=201, tags=["accounts"])
@threaded
def create_first(request: Asked, data: JSONBody[NewAccount]) -> Response[Me]:
    """Create the first account, from a one-time link's session, and sign in."""
    console, token = console_of(request), draw_token()
    session = request.cookies.get(console.keeper.cookie, "")
    found = console.accounts.create_first(data, session=session, token=token, now=console.now())
    return _begun(console, found, token, status_code=201)


@get("/api/accounts", tags=["accounts"])
@threaded
def list_accounts(request: Asked) -> list[AccountView]:
    """Every account, by name."""
    console = console_of(request)
    require(actor_of(request), Act.ADMINISTER)
    with console.deps.store.read() as reading:
        return [_account(account) for account in sorted(reading.accounts(), key=lambda account: account.name)]


@post("/api/accounts", tags=["accounts"])
@threaded
def add_account(request: Asked, data: JSONBody[NewAccount]) -> AccountView:
    """Add an account."""
    console = console_of(request)
    return _account(console.accounts.add(actor_of(request), data, now=console.now()))


@post("/api/accounts/{name:str}", status_code=200, tags=["accounts"])
@threaded
def change_account(request: Asked, name: FromPath[str], data: JSONBody[AccountChange]) -> AccountView:
    """Change roles, enable or disable, or set a new password; what is left out stays."""
    console = console_of(request)
    return _account(console.accounts.change(actor_of(request), name, data, now=console.now()))


HANDLERS: tuple[BaseRouteHandler, ...] = (
    follow_link,
    sign_in,
    greeting,
    sign_out,
    me,
    change_password,
    change_language,
    create_first,
    list_accounts,
    add_account,
    change_account,
)


def _begun(console: Console, found: SignedIn, token: str, *, status_code: int = 200) -> Response[Me]:
    cookie = console.keeper.session_cookie(token)
    return Response(_me(console, found), status_code=status_code, cookies=[cookie])


def _me(console: Console, found: SignedIn) -> Me:
    return Me(
        name=found.actor.name,
        roles=tuple(role for role in Role if role in found.actor.roles),
        may=tuple(act for act in Act if found.actor.may(act)),
        lang=found.lang or console.deps.lang,
        is_first=found.is_first,
    )


def _account(account: Account) -> AccountView:
    return AccountView(
        name=account.name,
        roles=account.roles,
        lang=account.lang,
        is_enabled=account.is_enabled,
        created_at=account.created_at,
    )
