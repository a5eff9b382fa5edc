"""`amagasa init`: a node's folder, made whole or not at all."""

import os
import re
import secrets
import shutil
import uuid
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from amagasa.app.accounts import offer_link
from amagasa.entry.settings.load import load_settings
from amagasa.entry.settings.text import settings_reference
from amagasa.entry.wiring import CARD_FILE, SETTINGS_FILE, make_node_keys, make_store
from amagasa.share.agreement import Card
from amagasa.share.form import card_bytes
from amagasa.vocab.errors import BadInputError, WorldError
from amagasa.vocab.text import show

FOLDERS = ("agreements", "content", "state", "run")


class NewNode(Struct, frozen=True, kw_only=True):
    """What `init` is told. `ally_address` is the URL by which allies reach the node; made of the port where empty."""

    folder: Path
    name: str
    country: str
    lang: str = "en"
    console_port: int = 8480
    ally_port: int = 8490
    ally_address: str = ""
    sources: tuple[tuple[str, Path], ...] = ()


def make_node(new: NewNode, *, now: datetime) -> str:
    """Make the folder; returns the address of the one-time sign-in link. Raises BadInputError, WorldError.

    Nothing is left behind where a step fails; a folder that holds anything is refused and not touched.
    """
    if not re.fullmatch("[A-Z]{2}", new.country):
        raise BadInputError(
            "AMG-INIT-COUNTRY",
            "this is no country code",
            expected="two capital letters (ISO 3166-1), e.g. JP",
            got=new.country,
            then="nothing was made",
        )
    if not new.name.strip() or show(new.name) != new.name:
        raise BadInputError(
            "AMG-INIT-NAME",
            "this is no name that allies could read",
            expected="1 to 100 characters, none of them control or invisible",
            got=show(new.name),
            then="nothing was made",
        )
    made = _claim(new.folder)
    try:
        return _fill(new, now)
    except BaseException:
        _empty(new.folder, made)
        raise


def sign_in_address(port: int, token: str, *, is_tls: bool = False, host: str = "127.0.0.1") -> str:
    """Where a one-time link leads; the token stands behind the #, so no log on the way sees it."""
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if is_tls else 'http'}://{shown}:{port}/#/link/{token}"


def _claim(folder: Path) -> list[Path]:
    """Have the folder; returns it and those above it which had to be made, the innermost first."""
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            return []
        made = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise BadInputError(
            "AMG-INIT-TAKEN",
            "the folder is not empty" if folder.is_dir() else "there is a file of this name",
            expected="a folder that is empty or not there yet",
            got=show(str(folder)),
            then="nothing was changed; name another folder",
        ) from None
    except OSError as problem:
        raise WorldError(
            "AMG-INIT-DISK",
            "the folder cannot be made",
            expected="a place where you may write",
            got=f"{folder}: {problem.strerror}",
            then="nothing was changed",
        ) from None
    return made


def _fill(new: NewNode, now: datetime) -> str:
    folder = new.folder
    folder.chmod(0o700)
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o700)
    address = new.ally_address or f"https://127.0.0.1:{new.ally_port}/taxii2/"
    party_id = f"identity--{uuid.uuid4()}"
    _write_settings(new, address, party_id)
    keys = make_node_keys(folder, name=new.name, hosts=_hosts(address), now=now)
    card = Card(
        id=party_id,
        name=new.name,
        country=new.country,
        key=keys.public_key,
        certificate=keys.certificate,
        address=address,
    )
    (folder / CARD_FILE).write_bytes(card_bytes(card))
    store = make_store(folder / load_settings(folder / SETTINGS_FILE, {}).store.path)
    try:
        token = secrets.token_urlsafe(32)
        offer_link(store, token, now=now)
    finally:
        store.close()
    return sign_in_address(new.console_port, token)


def _write_settings(new: NewNode, address: str, party_id: str) -> None:
    text = settings_reference(
        lang=new.lang,
        values={
            "node.name": new.name,
            "node.country": new.country,
            "node.lang": new.lang,
            "node.id": party_id,
            "console.port": new.console_port,
            "allies.port": new.ally_port,
            "allies.address": address,
        },
    )
    for name, path in new.sources:
        text += f"\n[[source]]\nname = {_quoted(name)}\npath = {_quoted(str(path))}\n"
    descriptor = os.open(new.folder / SETTINGS_FILE, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    load_settings(new.folder / SETTINGS_FILE, {})  # what init writes, serve must read


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _hosts(address: str) -> list[str]:
    host = urlsplit(address).hostname
    if not host:
        raise BadInputError(
            "AMG-INIT-ADDRESS",
            "this is no address for allies",
            expected="an https URL, e.g. https://umbrella.example:8490/taxii2/",
            got=address,
            then="nothing was made",
        )
    return [host]


def _empty(folder: Path, made: list[Path]) -> None:
    """Take back what was made: nobody else's, since the folder was empty."""
    for inside in folder.iterdir():
        shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
    for one in made:
        one.rmdir()
