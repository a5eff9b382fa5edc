"""`amagasa ledger restart`: a record that begins anew after a backup was put back, agreed by both."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from amagasa.app.ledger_export import Ours
from amagasa.app.restarting import agree, bond_of, checked, propose, take_in
from amagasa.entry.cli.client import require_node
from amagasa.entry.cli.options import HERE, NodeFolder
from amagasa.entry.cli.output import say
from amagasa.entry.wiring import World, agreement_files, open_world
from amagasa.share.restart import MAX_BYTES, SignedRestart, read_restart
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show


def restart_command(
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="The statement that the ally handed over, or handed back.")
    ] = None,
    *,
    agreement: Annotated[str, typer.Option("--agreement", help="Its identifier, where there are several.")] = "",
    why: Annotated[str, typer.Option("--why", help="What the ally is told: when and why a backup was put back.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to hand over.")] = None,
    is_yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked.")] = False,
    node: NodeFolder = HERE,
) -> None:
    """Let a record begin anew: the first side states it, the other agrees, the first takes that in."""
    require_node(node)
    world = open_world(node)
    try:
        if path is None:
            _propose(world, agreement, why, output)
            return
        signed = _read(path)
        if signed.restart.party == world.party.id:
            take_in(world.store, signed, _ours(world), book=world.book, now=world.clock.now())
            say(f"the record goes on behind leaf {signed.restart.n_kept:,}; heads are countersigned again")
        else:
            _agree(world, signed, output or path.with_name(f"{path.name}.agreed.json"), is_yes=is_yes)
    finally:
        world.store.close()


def _propose(world: World, agreement: str, why: str, output: Path | None) -> None:
    if not why.strip() or output is None:
        raise BadInputError(
            "AMG-RESTART-WHY",
            "a restart of the record is stated with its reason, into a file",
            expected='--why "the backup of Monday was put back" -o restart.json',
            got="no --output" if why.strip() else "no --why",
            then="nothing was signed",
        )
    with world.store.read() as reading:
        names = reading.ledgers.names()
        name = names[0] if not agreement and len(names) == 1 else agreement
        signed = propose(reading, name, _ours(world), book=world.book, why=why, now=world.clock.now())
    agreement_files().write(output, msgspec.json.encode(signed))
    _tell(world, signed)
    say(f"written: {output}; the ally looks at it and agrees: amagasa ledger restart {output}")


def _agree(world: World, signed: SignedRestart, output: Path, *, is_yes: bool) -> None:
    checked(signed, world.book)
    _tell(world, signed)
    say("Ask by voice whether this is so: whoever rewrites its record would say the same.")
    if not is_yes and not typer.confirm("Agree?"):
        say("nothing was signed")
        raise typer.Exit(1)
    agreed = agree(world.store, signed, _ours(world), book=world.book, now=world.clock.now())
    agreement_files().write(output, msgspec.json.encode(agreed))
    say(f"agreed: {output}; the ally takes it in: amagasa ledger restart {output}")


def _tell(world: World, signed: SignedRestart) -> None:
    one = signed.restart
    names = {party.id: party.name for party in bond_of(world.book, one.agreement).agreement.parties}
    n_lost = one.lost.head.n_leaves - one.n_kept
    say(f"{show(names.get(one.party, one.party))} states at {show(one.at)}: {show(one.why)}")
    say(f"its record goes on behind leaf {one.n_kept:,}; {n_lost:,} that were countersigned are not in it any more")


def _read(path: Path) -> SignedRestart:
    try:
        with path.open("rb") as file:
            signed = read_restart(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise BadInputError("AMG-FILE-READ", f"{path} cannot be read", got=str(error)) from error
    if signed is None:
        raise BadInputError("AMG-RESTART-FORM", f"{path} is no restart of a record", then="nothing was done")
    return signed


def _ours(world: World) -> Ours:
    return Ours(party=world.party.id, signer=world.keys)
