"""`amagasa serve`: alone, since it loads all of a node, which the other commands do not need."""

import asyncio
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from amagasa.app.accounts import offer_link
from amagasa.entry.cli.client import require_node
from amagasa.entry.cli.output import say
from amagasa.entry.node.beginning import locked, refuse_altered
from amagasa.entry.node.new_node import sign_in_address
from amagasa.entry.node.serve import Node
from amagasa.entry.wiring import CARD_FILE, SETTINGS_FILE, World, open_world


def serve_command(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The node's folder.")]) -> None:
    """Run a node until SIGTERM or Ctrl-C; what is in hand is finished first."""
    require_node(folder)
    with locked(folder):
        world = open_world(folder)
        refuse_altered(world)
        asyncio.run(_run(world))


async def _run(world: World) -> None:
    node = Node(world)
    await node.run(lambda address: _greet(world, address))


def _greet(world: World, address: Any) -> None:
    """Say where the node is, and how to get in where nobody can yet."""
    console = world.settings.console
    host, port = str(address[0]), int(address[1])
    scheme = "https" if console.tls else "http"
    say(f"{world.settings.node.name}: console at {scheme}://{host}:{port}/")
    with world.store.read() as reading:
        has_accounts = bool(reading.accounts())
    if not has_accounts:
        token = secrets.token_urlsafe(32)
        offer_link(world.store, token, now=datetime.now(UTC))
        link = sign_in_address(port, token, is_tls=console.tls, host=host)
        say(f"nobody can sign in yet; sign in once, within 24 hours: {link}")
    if others := _other_than_card(world):
        say(f"allies go by {CARD_FILE}, which has another {', '.join(others)} than {SETTINGS_FILE}; make them agree")
    if not world.settings.source:
        say(f"it reads nothing yet: add a [[source]] to {world.folder / SETTINGS_FILE}")


def _other_than_card(world: World) -> list[str]:
    """What the settings say of this party otherwise than its public card does."""
    ours, card = world.settings, world.party
    said = {"name": ours.node.name, "country": ours.node.country, "id": ours.node.id, "address": ours.allies.address}
    return [key for key, value in said.items() if value and value != getattr(card, key)]
