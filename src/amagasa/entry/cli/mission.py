"""`amagasa mission`: what rests on what, what an attack takes from it, and what to restore first."""

from pathlib import Path
from typing import Annotated, Any

import typer

from amagasa.entry.cli.mission_files import health_of, print_problems, problem_row, sound_model, texts_of
from amagasa.entry.cli.options import AsJson
from amagasa.entry.cli.output import Output, say, write_json, write_rows
from amagasa.mission.model import Kind
from amagasa.mission.operability import Method, network_of
from amagasa.mission.read import read_model
from amagasa.mission.saying import sentence_of
from amagasa.mission.weighing import Standing, hurting, restore_order, stand, way_of_loss
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS

app = typer.Typer()
Files = Annotated[
    list[Path], typer.Option("--model", "-m", metavar="FILE", help="A model: one TOML, or one CSV or two.")
]
How = Annotated[Method, typer.Option("--method", help="How dependencies are reckoned.")]
TABLE = ("kind", "name", "operability", "before", "why")
LONG = 40


@app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="One TOML, or one CSV or two; - is stdin.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check a model without using it. Exit codes: 0 it can be used, 1 it has errors, 2 wrong usage, 3 unreadable."""
    read = read_model(texts_of(files))
    if as_json:
        write_json(
            {
                "n_errors": read.n_errors,
                "n_warnings": read.n_warnings,
                "problems": [problem_row(one) for one in read.problems],
            }
        )
    else:
        print_problems(read)
        if read.model is not None:
            counts = ", ".join(f"{kind.value}s: {len(read.model.of_kind(kind))}" for kind in Kind)
            say(f"this model can be used ({counts}, dependencies: {len(read.model.dependencies)})")
    raise typer.Exit(EXIT_DONE if read.model is not None else EXIT_FINDINGS)


@app.command("what-if")
def what_if(
    *,
    model: Files,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=OPERABILITY", help="The own health of a node, 0 to 100.")
    ] = None,
    method: How = Method.FDNA,
    as_json: AsJson = False,
) -> None:
    """Say how everything would stand if these nodes stood so. Needs no node, changes nothing."""
    sound = sound_model(model)
    network = network_of(sound)
    before = stand(sound, network, method=method)
    after = stand(sound, network, health_of(settings or [], network.number), method=method)
    if as_json:
        write_json({"operability": dict(zip(network.names, after.values, strict=True))})
    else:
        _print_standing(before, after)
        _print_order(after)
    if not after.is_settled:
        say("the rings of this model were still sinking after 2,000 rounds: figures in them are upper bounds")
        raise typer.Exit(EXIT_COULD_NOT)


@app.command("hurts")
def hurts(
    *,
    model: Files,
    method: How = Method.FDNA,
    services: Annotated[bool, typer.Option("--services", help="Rank services too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Rank the assets by what the failure of each alone would take from the missions."""
    sound = sound_model(model)
    kinds = (Kind.ASSET, Kind.SERVICE) if services else (Kind.ASSET,)
    found = hurting(stand(sound, network_of(sound), method=method), kinds=kinds)[:limit]
    rows = [
        {
            "name": one.name,
            "loss": one.loss,
            "worst_mission": one.worst,
            "worst_loss": one.worst_loss,
            "n_touched": one.n_touched,
        }
        for one in found
    ]
    columns = ("name", "loss", "worst_mission", "worst_loss", "n_touched")
    write_rows(rows, columns, Output.JSON if as_json else Output.TABLE, empty="there is no asset in this model")


def _print_standing(before: Standing, after: Standing) -> None:
    """What stands lower than in the model, missions first; everything where the model is small."""
    was = dict(zip(before.network.names, before.values, strict=True))
    rows: list[dict[str, Any]] = []
    for kind in Kind:
        for node in after.model.of_kind(kind):
            now = after.value(node.name)
            if kind is Kind.MISSION or now != was[node.name] or len(was) <= LONG:
                why = sentence_of(way_of_loss(after, node.name)[:2])
                rows.append(
                    {"kind": kind.value, "name": node.name, "operability": f"{now:g}", "before": f"{was[node.name]:g}"}
                    | {"why": why}
                )
    write_rows(rows[:500], TABLE, Output.TABLE, empty="this model holds nothing")


def _print_order(after: Standing) -> None:
    steps = restore_order(after)
    if steps:
        first = ", then ".join(f"{one.name} (+{one.gain:g})" for one in steps[:5])
        say(f"restore first: {first}")
