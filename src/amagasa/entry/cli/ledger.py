"""`amagasa ledger`: the tamper-evident record of each agreement, exported, checked offline, countersigned."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amagasa.app.agreements import read_card
from amagasa.app.head_book import head_book
from amagasa.app.ledger_export import Ours, answer_of, countersign, export, keys_of
from amagasa.app.ports import Reading
from amagasa.entry.cli.client import require_node
from amagasa.entry.cli.ledger_restart import restart_command
from amagasa.entry.cli.options import HERE, AsJson, NodeFolder
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.node.kept_heads import FOLDER, kept_heads, read_head
from amagasa.entry.wiring import World, agreement_files, open_world
from amagasa.share.ledger import Fits, Header, Misfit, SignedHead, is_countersigned, is_signed, verify_lines
from amagasa.vocab.errors import EXIT_FINDINGS, BadInputError, WorldError

app = typer.Typer()
app.command("restart")(restart_command)
Cards = Annotated[
    list[Path] | None,
    typer.Option("--card", help="A party's card (party.json) whose key you trust; both parties'. Else the export's."),
]
Known = Annotated[
    list[Path] | None, typer.Option("--head", help="A head that you hold: the record must go through it.")
]


@app.command("export")
def export_command(
    *,
    agreement: Annotated[str, typer.Option("--agreement", help="Its identifier, where there are several.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
    node: NodeFolder = HERE,
) -> None:
    """Write the record as NDJSON with a signed head: enough to check it offline with the two public keys."""
    with _opened(node) as world, world.store.read() as reading:
        name = _chosen(agreement, reading.ledgers.names())
        heads = standing_heads(node, reading, name)
        lines = export(reading, name, _ours(world), book=world.book, heads=heads, now=world.clock.now())
        if output is None:
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            return
        try:
            with output.open("xb") as file:
                file.writelines(lines)
        except FileExistsError:
            raise BadInputError("AMG-FILE-EXISTS", f"{output} is there already", then="name another file") from None
        except OSError as error:
            raise WorldError("AMG-OUT", f"{output} cannot be written", got=str(error)) from error
    say(f"written: {output}; the ally checks and countersigns it: amagasa ledger countersign {output}")


@app.command("verify")
def verify_command(
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="An exported record; else the node's own.")
    ] = None,
    *,
    card: Cards = None,
    head: Known = None,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Check a record: exit 0 with its leaves, root and how many are countersigned, or exit 1 and the first misfit."""
    del as_json  # the answer is one JSON document either way
    known = [one for file in head or () for one in [read_head(file)]]
    if path is None:
        _verify_own(node, known)
        return
    keys = {one.id: one.key for one in (read_card(agreement_files(), file) for file in card)} if card else None
    _answer({}, verify_lines(_lines(path), keys=keys, known=known))


@app.command("countersign")
def countersign_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The record that the ally exported.")],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File for the head to hand back.")] = None,
    node: NodeFolder = HERE,
) -> None:
    """Check the ally's record against all that was countersigned before, and put this party's word to its head."""
    header, newest = _begin(path)
    with _opened(node) as world:
        keys = keys_of(world.book, header.agreement)
        with world.store.read() as reading:
            exchanged = head_book(reading, header.agreement).theirs
        known = [one for one in (*kept_heads(node), *exchanged) if one.head.party == header.party]
        known = [one for one in known if one.head.agreement == header.agreement]
        signed = countersign(_lines(path), newest, _ours(world), keys=keys, known=known)
    data = msgspec.json.encode(signed)
    name = f"{header.agreement}-{header.party.removeprefix('identity--')}-{signed.head.n_leaves}.json"
    _keep(node / FOLDER / name, data)
    target = output or path.with_name(f"{path.name}.head.json")
    _keep(target, data)
    say(f"countersigned {signed.head.n_leaves} leaves: {target}; the ally takes it in: amagasa ledger accept {target}")


@app.command("accept")
def accept_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The head that the ally countersigned.")],
    *,
    node: NodeFolder = HERE,
) -> None:
    """Keep the ally's countersignature: it stands in every export from now on."""
    signed = read_head(path)
    with _opened(node) as world:
        keys = keys_of(world.book, signed.head.agreement)
        is_ours = signed.head.party == world.party.id and is_signed(signed, keys.get(world.party.id, ""))
        if not is_ours or not is_countersigned(signed, signed.ally, keys.get(signed.ally, "")):
            raise BadInputError(
                "AMG-LEDGER-COUNTER",
                "this is no countersignature of an ally under this node's head",
                got=str(path),
                then="nothing was kept",
            )
    name = f"{signed.head.agreement}-{signed.head.party.removeprefix('identity--')}-{signed.head.n_leaves}.json"
    _keep(node / FOLDER / name, msgspec.json.encode(signed))
    say(f"{signed.head.n_leaves} leaves are countersigned")


def _verify_own(node: Path, known: list[SignedHead]) -> None:
    worst: Misfit | None = None
    with _opened(node) as world, world.store.read() as reading:
        for name in reading.ledgers.names():
            heads = [*standing_heads(node, reading, name), *known]
            keys = keys_of(world.book, name)
            if not keys:
                say(f"{name}: its agreement is not in this node, so no key is known")
                continue
            lines = export(reading, name, _ours(world), book=world.book, heads=heads, now=world.clock.now())
            found = verify_lines(lines, keys=keys)
            worst = worst or (found if isinstance(found, Misfit) else None)
            _print({"agreement": name}, found)
        if not reading.ledgers.names():
            say("nothing is recorded yet")
    if worst is not None:
        raise typer.Exit(EXIT_FINDINGS)


def _answer(about: dict[str, Any], found: Fits | Misfit) -> None:
    _print(about, found)
    if isinstance(found, Misfit):
        raise typer.Exit(EXIT_FINDINGS)


def _print(about: dict[str, Any], found: Fits | Misfit) -> None:
    if isinstance(found, Fits):
        write_json(about | answer_of(found))
    else:
        write_json(about | {"leaf": found.leaf, "why": found.why})


def _opened(node: Path) -> Any:
    require_node(node)
    return _World(node)


class _World:
    """The node's folder, opened for as long as a command looks."""

    def __init__(self, node: Path) -> None:
        self._node = node

    def __enter__(self) -> World:
        self._world = open_world(self._node)
        return self._world

    def __exit__(self, *_: object) -> None:
        self._world.store.close()


def _ours(world: World) -> Ours:
    return Ours(party=world.party.id, signer=world.keys)


def _chosen(agreement: str, names: list[str]) -> str:
    return names[0] if not agreement and len(names) == 1 else agreement


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(1 << 17):
                yield line
    except OSError as error:
        raise BadInputError("AMG-FILE-READ", f"{path} cannot be read", got=str(error)) from error


def _begin(path: Path) -> tuple[Header, SignedHead]:
    """The header, and the newest of the heads."""
    lines = _lines(path)
    newest: SignedHead | None = None
    try:
        header = msgspec.json.decode(next(lines, b""), type=Header)
        for line in lines:
            try:
                one = msgspec.json.decode(line, type=SignedHead)
            except msgspec.MsgspecError:
                break
            newest = one if newest is None or one.head.n_leaves >= newest.head.n_leaves else newest
    except msgspec.MsgspecError:
        newest = None
    if newest is None:
        raise BadInputError("AMG-LEDGER-FORM", f"{path} is no exported record", then="nothing was signed")
    return header, newest


def standing_heads(node: Path, reading: Reading, agreement: str) -> list[SignedHead]:
    """Heads of our record which the ally countersigned: by file, and by themselves over the link."""
    return [*kept_heads(node), *head_book(reading, agreement).ours]


def _keep(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise WorldError("AMG-OUT", f"{path.parent} cannot be made", got=str(error)) from error
    agreement_files().write(path, data)
