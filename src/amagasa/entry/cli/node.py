"""`amagasa init` and `amagasa account`."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.node.new_node import NewNode, make_node, sign_in_address
from amagasa.entry.settings.load import load_settings
from amagasa.entry.wiring import CARD_FILE, SETTINGS_FILE

account_app = typer.Typer()


class Lang(StrEnum):
    """Languages of the console."""

    EN = "en"
    JA = "ja"


def init_command(  # noqa: PLR0913 - one parameter an option of the command line
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The node's folder.")],
    *,
    name: Annotated[str, typer.Option("--name", help="The party's name, as allies read it.")],
    country: Annotated[str, typer.Option("--country", help="Two letters, ISO 3166-1.")],
    lang: Annotated[Lang, typer.Option("--lang", help="The console's first language.")] = Lang.EN,
    console_port: Annotated[int, typer.Option("--console-port", min=1, max=65_535)] = 8480,
    ally_port: Annotated[int, typer.Option("--ally-port", min=1, max=65_535)] = 8490,
    ally_address: Annotated[str, typer.Option("--ally-address", help="URL by which allies reach this node.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a node: keys, certificate, node.toml, store. Refuses a folder that is not empty."""
    new = NewNode(
        folder=folder,
        name=name,
        country=country.upper(),
        lang=lang.value,
        console_port=console_port,
        ally_port=ally_port,
        ally_address=ally_address,
    )
    link = make_node(new, now=datetime.now(UTC))
    if as_json:
        write_json({"folder": str(folder), "card": str(folder / CARD_FILE), "sign_in": link})
        return
    say(f"made the node {name} in {folder}")
    say(f"its public card, for allies:   {folder / CARD_FILE}")
    say(f"its settings:                  {folder / SETTINGS_FILE}")
    say(f"sign in once, within 24 hours: {link}")
    say(f"next: name what it is to read in {SETTINGS_FILE}, then run: amagasa serve {folder}")


@account_app.command("link")
def new_link(*, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """A new one-time link for the first sign-in; once there is an account it opens nothing."""
    with client_of(node) as client:
        token = client.post("/api/links", {})["token"]
    console = load_settings(node / SETTINGS_FILE).console
    address = sign_in_address(console.port, token, is_tls=console.tls, host=console.host)
    if as_json:
        write_json({"sign_in": address})
    else:
        say(f"sign in once, within 24 hours: {address}")


@account_app.command("list")
def list_accounts(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """Who can sign in, and as what."""
    with client_of(node) as client:
        found = client.get("/api/accounts")
    columns = ("name", "roles", "lang", "is_enabled", "created_at")
    show_list(found, columns, form=(as_json, as_ndjson), empty="no accounts: `amagasa account link` lets one be made")


@account_app.command("password")
def set_password(
    name: Annotated[str, typer.Argument(help="Whose.")],
    *,
    password: Annotated[str, typer.Option("--password", prompt=True, hide_input=True, confirmation_prompt=True)],
    node: NodeFolder = HERE,
) -> None:
    """Set a person's password anew (12 characters or more); their sessions end."""
    with client_of(node) as client:
        client.post(f"/api/accounts/{quote(name, safe='')}", {"password": password})
    say(f"the password of {name} is set; their sessions have ended")
