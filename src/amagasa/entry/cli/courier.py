"""`amagasa share courier`: what waits for an ally, on a stick; and what came on one."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec import Struct

from amagasa.entry.cli.client import NodeClient
from amagasa.entry.cli.options import HERE, AsJson, NodeFolder, client_of
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.wiring import agreement_files
from amagasa.share.courier import MAX_PART_BYTES
from amagasa.vocab.errors import EXIT_COULD_NOT, AmagasaError, BadInputError, WorldError
from amagasa.vocab.text import show

app = typer.Typer(no_args_is_help=True, help="What waits for an ally as files to carry, and what came as such.")
SUFFIX: Final = ".courier"
OTHER: Final = "AMG-COURIER-OTHER"
PLACE: Final = "unfinished.json"


class _Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far an unfinished courier is, beside its parts."""

    ally: str
    courier: str
    part: int
    after: int
    n_objects: int


@app.command("write")
def write(
    ally: Annotated[str, typer.Argument(metavar="ALLY", help="Its name or identity, as `ally list` shows it.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put the parts, e.g. the stick.")],
    *,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Write what waits for an ally as files: signed, encrypted to it, 4 MiB a part at most.

    Run it again with the same DIR to go on where it was interrupted. What is written goes on waiting until the ally's
    answer is read, or the line is back: the same object arrives once.
    """
    files = agreement_files()
    if not folder.is_dir():
        raise BadInputError("AMG-COURIER-DIR", f"{folder} is no folder", then="nothing was written")
    place, names = _begun(folder, ally), []
    with client_of(node) as client:
        while True:
            told = client.post(
                "/api/courier/parts",
                {"ally": ally, "courier": place.courier, "part": place.part, "after": place.after},
            )
            if told["content"]:
                name = f"{told['courier'][:8]}-{told['part']:04}{SUFFIX}"
                files.write(folder / name, base64.b64decode(told["content"]))
                names.append(name)
            place = _Place(
                ally=ally,
                courier=told["courier"],
                part=told["part"] + bool(told["content"]),
                after=told["after"],
                n_objects=place.n_objects + told["n_objects"],
            )
            if told["is_last"]:
                break
            files.write(folder / PLACE, msgspec.json.encode(place))
    (folder / PLACE).unlink(missing_ok=True)
    if as_json:
        write_json({"courier": place.courier, "n_objects": place.n_objects, "parts": names})
    elif place.part == 1:
        say("nothing waits for this ally: nothing was written")
    else:
        say(f"the courier {place.courier[:8]} is in {folder}: objects {place.n_objects}, parts {place.part - 1}")


@app.command("read")
def read(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Parts, or folders with parts.")],
    *,
    answer: Annotated[
        Path | None, typer.Option("--answer", metavar="DIR", help="Where to put the answer for the sender.")
    ] = None,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Take in parts which came from an ally, as if they had come over the line; in any order, and again.

    With --answer the sender learns by the same way what became of each object. Exit 3 where a part could not be read.
    """
    if answer is not None and not answer.is_dir():
        raise BadInputError("AMG-COURIER-DIR", f"{answer} is no folder", then="nothing was read")
    parts = list(_parts(paths))
    if not parts:
        raise BadInputError("AMG-COURIER-NONE", "there is no part of a courier", expected=f"files named *{SUFFIX}")
    with client_of(node) as client:
        rows = [_read_one(client, path, is_found=is_found, answer=answer) for path, is_found in parts]
    if as_json:
        write_json(rows)
    else:
        for row in rows:
            _say(row)
    if any("fault" in row for row in rows):
        raise typer.Exit(EXIT_COULD_NOT)


def _begun(folder: Path, ally: str) -> _Place:
    """Where an interrupted courier in this folder goes on, or the beginning of a new one."""
    if not (folder / PLACE).exists():
        return _Place(ally=ally, courier="", part=1, after=0, n_objects=0)
    data = agreement_files().read(folder / PLACE, what="the unfinished courier")
    try:
        place = msgspec.json.decode(data, type=_Place)
    except ValueError as error:
        raise BadInputError(
            "AMG-COURIER-PLACE", f"{folder / PLACE} cannot be read", got=str(error), then="remove it to begin anew"
        ) from error
    if place.ally != ally:
        raise BadInputError(
            "AMG-COURIER-PLACE",
            f"{folder} holds an unfinished courier for another ally",
            expected=show(place.ally),
            got=show(ally),
            then="finish that one, or choose another folder",
        )
    return place


def _parts(paths: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Each part, and whether it was found in a folder: there it may lie beside what is for others."""
    for path in paths:
        found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else (path,)
        yield from ((one, path.is_dir()) for one in found)


def _read_one(client: NodeClient, path: Path, *, is_found: bool, answer: Path | None) -> dict[str, Any]:
    """What a part brought; with `fault` why nothing of it was taken in. Another part may still be sound."""
    try:
        told = client.post("/api/courier/read", {"content": base64.b64encode(_content(path)).decode()})
        if answer is not None and told["answer"]:
            name = f"answer-{told['courier'][:8]}-{told['part']:04}{SUFFIX}"
            agreement_files().write(answer / name, base64.b64decode(told["answer"]))
    except AmagasaError as error:
        if is_found and error.code == OTHER:
            return {"path": str(path), "passed_over": error.what}
        return {"path": str(path), "fault": str(error)}
    return {"path": str(path)} | {key: value for key, value in told.items() if key != "answer"}


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PART_BYTES + 1)
    except OSError as error:
        raise WorldError("AMG-COURIER-FILE", f"{path} cannot be read", got=error.strerror or str(error)) from error
    if len(data) > MAX_PART_BYTES:
        raise BadInputError("AMG-COURIER-SIZE", f"{path} is no part of a courier", expected=f"{MAX_PART_BYTES} bytes")
    return data


def _say(row: dict[str, Any]) -> None:
    if "part" not in row:
        say(f"{row['path']}: {row.get('fault') or row['passed_over']}")
        return
    held = "" if row["n_new"] else ", all held before"
    parts = [f"{row['n_objects']} objects{held}"] if row["n_objects"] else []
    parts += [f"{row['n_settled']} of ours are now known to have arrived"] if row["n_settled"] else []
    parts += [f"{len(row['refused'])} refused, first: {row['refused'][0]['why']}"] if row["refused"] else []
    parts += [f"parts missing: {', '.join(map(str, row['missing']))}"] if row["missing"] else []
    say(f"{row['path']}: part {row['part']} from {row['ally']}: {'; '.join(parts) or 'nothing new'}")
