"""`amagasa taxii`: the library of collections that a node keeps for other tools."""

import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec.structs import replace

from amagasa.app.taxii_document import parse_document
from amagasa.app.taxii_library import Collection, Grant, Library, Reader, counted
from amagasa.entry.cli.client import require_node
from amagasa.entry.cli.options import HERE, AsJson, NodeFolder, show_list
from amagasa.entry.cli.output import say
from amagasa.entry.wiring import library_of, passwords_of
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, BadInputError
from amagasa.vocab.text import show

app = typer.Typer()
users_app = typer.Typer()
app.add_typer(users_app, name="user", help="Who may read and write the collections.", no_args_is_help=True)

MAX_BYTES: Final = 512 * 1024 * 1024
SHOWN_FAULTS: Final = 5
Places = Annotated[
    list[str] | None, typer.Option(metavar="ROOT/COLLECTION", help="A collection by identifier or alias; * is each.")
]


@app.command("load")
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Content of a TAXII server; - is stdin.")],
    *,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Fill collections from a document in the format of the OASIS reference server, with its users.

    An API root that the document names is replaced whole; others stay. Exit codes: 0 done, 2 no such document and
    nothing loaded, 3 loaded without the objects that are named.
    """
    require_node(node)
    document = parse_document(_bytes_of(file), now=datetime.now(UTC))
    passwords = passwords_of()
    with library_of(node).write() as tx:
        tx.put_server(document)
        for name, password in document.passwords:
            # A document's users have its own API roots and no others, whatever an account of that name had before.
            grants = tuple(Grant(root=root.name, may_read=True, may_write=True) for root in document.roots)
            tx.put_reader(Reader(name=_named(name), secret=passwords.hash(password), grants=grants))
    row = {
        "n_roots": len(document.roots),
        "n_collections": len(document.collections),
        "n_objects": counted(one for _, _, one in document.objects),
        "n_versions": len(document.objects),
        "n_users": len(document.passwords),
        "n_left_out": len(document.faults),
        "faults": list(document.faults),
    }
    for fault in document.faults[:SHOWN_FAULTS]:
        say(f"left out: {show(fault)}")
    if as_json:
        show_list([row], list(row), form=(True, False), empty="")
    else:
        say(
            f"loaded: {row['n_roots']} API roots, {row['n_collections']} collections, {row['n_objects']} objects "
            f"({row['n_versions']} versions), {row['n_users']} users; {row['n_left_out']} left out"
        )
        if not document.passwords:
            say("the document names no users: `amagasa taxii user add NAME` makes one")
    raise typer.Exit(EXIT_COULD_NOT if document.faults else EXIT_DONE)


@app.command("list")
def list_collections(*, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """Show the collections."""
    require_node(node)
    rows: list[dict[str, Any]] = []
    with library_of(node).read() as reading:
        for root in reading.roots():
            rows += [
                {
                    "root": root.name,
                    "id": one.id,
                    "alias": one.alias,
                    "title": one.title,
                    "can_read": one.can_read,
                    "can_write": one.can_write,
                    "n_versions": reading.n_versions(root.name, one.id),
                }
                for one in reading.collections(root.name)
            ]
    columns = ("root", "id", "title", "can_read", "can_write", "n_versions")
    show_list(rows, columns, form=(as_json, False), empty="no collections; amagasa taxii load FILE fills the library")


@users_app.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="Letters, digits, dashes.")],
    *,
    read: Places = None,
    write: Places = None,
    node: NodeFolder = HERE,
) -> None:
    """Make an account, or a new secret for one. Its secret is printed once, on stdout.

    It is the password of Basic authentication, and after the name and a dot the bearer token. Without --read and
    --write the account reads every collection.
    """
    require_node(node)
    library = library_of(node)
    given = [(place, False) for place in read or ()] + [(place, True) for place in write or ()]
    grants = tuple(_grant(library, place, is_write=is_write) for place, is_write in given) or (Grant(),)
    secret = secrets.token_urlsafe(32)
    with library.write() as tx:
        tx.put_reader(Reader(name=_named(name), secret=passwords_of().hash(secret), grants=grants))
    sys.stdout.write(f"{secret}\n")
    say(f"{name} can sign in with this password, or with the bearer token {name}.PASSWORD; it is not shown again")


@users_app.command("list")
def list_users(*, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """Show who may do what."""
    require_node(node)
    with library_of(node).read() as reading:
        rows = [
            {
                "name": one.name,
                "reads": [f"{grant.root}/{grant.collection}" for grant in one.grants if grant.may_read],
                "writes": [f"{grant.root}/{grant.collection}" for grant in one.grants if grant.may_write],
            }
            for one in reading.readers()
        ]
    show_list(
        rows, ("name", "reads", "writes"), form=(as_json, False), empty="no accounts; amagasa taxii user add NAME"
    )


@users_app.command("remove")
def remove_user(name: Annotated[str, typer.Argument()], *, node: NodeFolder = HERE) -> None:
    """Remove an account; from its next request on it is unknown."""
    require_node(node)
    with library_of(node).write() as tx:
        if not tx.drop_reader(name):
            raise BadInputError("AMG-TAXII-USER", "there is no such account", got=name, then="nothing was changed")
    say(f"removed: {show(name)}")


def _named(name: str) -> str:
    if not (0 < len(name) <= 64 and name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        raise BadInputError(
            "AMG-TAXII-USER",
            "this is no name for an account",
            expected="at most 64 letters, digits, dashes and underscores",
            got=name,
            then="nothing was changed",
        )
    return name


def _grant(library: Library, place: str, *, is_write: bool) -> Grant:
    root, _, name = place.partition("/")
    grant = Grant(root=root or "*", collection=name or "*", may_read=not is_write, may_write=is_write)
    with library.read() as reading:
        known: list[Collection] = [one for kept in reading.roots() for one in reading.collections(kept.name)]
    if not any(grant.covers(one) for one in known):
        raise BadInputError(
            "AMG-TAXII-USER",
            "there is no such collection",
            expected="ROOT/COLLECTION as `amagasa taxii list` shows them, or *",
            got=place,
            then="nothing was changed",
        )
    return replace(
        grant, collection=next((one.id for one in known if grant.covers(one) and name == one.alias), grant.collection)
    )


def _bytes_of(file: Path) -> bytes:
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise BadInputError(
            "AMG-TAXII-DOCUMENT",
            "the document cannot be read",
            expected="a JSON file",
            got=f"{file}: {problem.strerror or problem}",
            then="nothing was loaded",
        ) from None
    if len(data) > MAX_BYTES:
        raise BadInputError(
            "AMG-TAXII-DOCUMENT",
            "the document is too large",
            expected=f"at most {MAX_BYTES} bytes",
            then="nothing was loaded",
        )
    return data
