"""`amagasa share export`: what a node knows in the form of another system."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from amagasa.app.feeds import Feed, with_feed
from amagasa.app.taxii_document import RESERVED
from amagasa.app.taxii_library import Collection, Document, Root, shelved
from amagasa.brief.forms import Form
from amagasa.entry.cli.client import NodeClient
from amagasa.entry.cli.export_file import Target, keep
from amagasa.entry.cli.options import HERE, AsJson, NodeFolder, client_of
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.node.feeder import FEEDS_FILE, read_feeds
from amagasa.entry.wiring import agreement_files, library_of
from amagasa.vocab.errors import EXIT_FINDINGS, BadInputError
from amagasa.vocab.ids import stable_id
from amagasa.vocab.text import show

SHOWN: Final = 5
MAX_CONTENT_BYTES: Final = 10_485_760
_NAME: Final = re.compile(r"[A-Za-z0-9][\w-]{0,63}", re.ASCII)
TAXII: Final = "application/taxii+json;version=2.1"


def export_command(  # noqa: PLR0913 - options of a command
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="Identifier of an alert, incident, campaign, item of content or agreement; or: content.",
        ),
    ],
    *,
    form: Annotated[Form, typer.Option("--format", help="What the other system reads.")] = Form.STIX,
    ally: Annotated[
        str, typer.Option("--for", metavar="ALLY", help="For this ally: only what its agreement releases.")
    ] = "",
    marking: Annotated[
        str, typer.Option("--marking", help="TLP that it bears at least; the node's own otherwise.")
    ] = "",
    output: Target = None,
    into: Annotated[
        str, typer.Option("--into", metavar="ROOT/COLLECTION", help="A collection of the library (`amagasa taxii`).")
    ] = "",
    is_kept: Annotated[
        bool | None,
        typer.Option("--keep/--no-keep", help="With --into: the collection follows from now on, or no longer."),
    ] = None,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Write what is known here as a STIX bundle, an event of MISP, a CSV, a plain list or a Navigator layer.

    With --for it is a release: put before that ally's agreement, in its record, and nothing that stays is in it.
    Exit 1 where nothing could be written.
    """
    if into and form is not Form.STIX:
        raise BadInputError("AMG-EXPORT-FORM", "a collection holds STIX", expected="--format stix", got=form.value)
    if is_kept is not None and not into:
        raise BadInputError("AMG-FEED-PLACE", "only a collection is kept current", expected="--into ROOT/COLLECTION")
    feeds = _feeds(node, Feed(what=what, ally=ally, marking=marking, root="", collection=""), into, is_kept=is_kept)
    with client_of(node) as client:
        told = _asked(client, {"what": what, "form": form.value, "ally": ally, "marking": marking})
    if into:
        told["n_added"] = _shelve(node, into, told["text"])
        if feeds is not None:
            agreement_files().write(node / FEEDS_FILE, msgspec.json.encode(feeds))
    elif output is not None:
        keep(output, told["text"].encode())
    if as_json:
        write_json(told)
    elif not into and output is None:
        sys.stdout.write(told["text"])
    if is_kept is not None:
        say(f"{into} follows from now on, while the node runs" if is_kept else f"{into} does not follow any longer")
    _say(told, to=into or (str(output) if output else ""))
    if not told["n_written"]:
        raise typer.Exit(EXIT_FINDINGS)


def _feeds(node: Path, feed: Feed, into: str, *, is_kept: bool | None) -> tuple[Feed, ...] | None:
    """What is kept current from now on; None where nothing changes."""
    if is_kept is None:
        return None
    root, _, name = into.partition("/")
    feed = msgspec.structs.replace(feed, root=root, collection=name)
    before = read_feeds(node / FEEDS_FILE)
    return with_feed(before, feed) if is_kept else tuple(one for one in before if one.place != feed.place)


def _asked(client: NodeClient, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.post("/api/exports", body)
    return found


def _say(told: dict[str, Any], *, to: str) -> None:
    where = f" to {to}" if to else ""
    whom = f" for {told['ally']['name']}" if told["ally"] else ""
    say(f"{told['n_written']:,} of {told['n_objects']:,} objects{whom}{where}, TLP:{told['marking'].upper()}")
    for one in told["left_out"][:SHOWN]:
        say(f"left out: {one['object_id']}: {one['why']}")
    if told["n_left_out"] > SHOWN:
        say(f"... and {told['n_left_out'] - SHOWN:,} more: --json lists them")


def _shelve(node: Path, into: str, text: str) -> int:
    """Put the objects into a collection, made where its API root is not there yet; how many versions it has."""
    root, _, name = into.partition("/")
    now = datetime.now(UTC)
    library = library_of(node)
    with library.write() as tx:
        if root not in {one.name for one in tx.roots()}:
            tx.put_server(_new(root, name))
        found = [one for one in tx.collections(root) if name in {one.id, one.alias}]
        if len(found) != 1:
            raise BadInputError(
                "AMG-TAXII-COLLECTION",
                "there is no such collection",
                expected="ROOT/COLLECTION as `amagasa taxii list` shows them, or an API root that is not there yet",
                got=into,
                then="nothing was added",
            )
        told = msgspec.json.decode(text)["objects"]
        kept = [shelved(one, content=msgspec.json.encode(one), now=now) for one in told]
        tx.add(root, found[0].id, [one for one in kept if not isinstance(one, str)])
        return tx.n_versions(root, found[0].id)


def _new(root: str, name: str) -> Document:
    """An API root with one collection, for reading alone."""
    if not (_NAME.fullmatch(root) and _NAME.fullmatch(name)) or root.lower() in RESERVED:
        raise BadInputError(
            "AMG-TAXII-COLLECTION",
            "no collection can be made of that name",
            expected="ROOT/COLLECTION: letters, digits, dashes and underscores",
            got=f"{root}/{name}",
            then="nothing was added",
        )
    collection = Collection(
        root=root,
        id=stable_id("collection", root, name).partition("--")[2],
        alias=name,
        title=show(name),
        can_read=True,
        can_write=False,
    )
    made = Root(name=root, title=show(root), versions=(TAXII,), max_content_length=MAX_CONTENT_BYTES)
    return Document(discovery=None, roots=(made,), collections=(collection,), objects=())
