"""`amagasa mission`: what rests on what, what an attack takes from it, and what to restore first."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from amagasa.entry.cli.mission_files import health_of, print_problems, problem_row, refused, sound_model, texts_of
from amagasa.entry.cli.options import HERE, AsJson, NodeFolder, client_of
from amagasa.entry.cli.output import Output, say, write_json, write_rows
from amagasa.mission.model import Kind, Model
from amagasa.mission.operability import Method, network_of
from amagasa.mission.read import Text, read_model
from amagasa.mission.saying import sentence_of
from amagasa.mission.weighing import Standing, hurting, restore_order, stand, way_of_loss
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS, BadInputError
from amagasa.vocab.text import show

app = typer.Typer()
Files = Annotated[
    list[Path] | None,
    typer.Option("--model", "-m", metavar="FILE", help="A model: one TOML, or one CSV or two; else the node's."),
]
How = Annotated[Method, typer.Option("--method", help="How dependencies are reckoned.")]
TABLE = ("kind", "name", "operability", "before", "why")
LONG = 40
LINE = 4_000


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


@app.command("load")
def load(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="One TOML, or one CSV or two; - is stdin.")],
    *,
    node: NodeFolder = HERE,
) -> None:
    """Check a model and let the node use it from now on, in the place of the one it has."""
    texts = texts_of(files)
    read = read_model(texts)
    print_problems(read)
    if read.model is None:
        raise refused(read.n_errors)
    body = {"texts": [{"path": Path(one.path).name, "content": one.content.decode("utf-8-sig")} for one in texts]}
    with client_of(node) as client:
        kept = client.put("/api/mission", body)
    say(f"loaded as version {kept['version']} (missions: {kept['n_missions']}, assets: {kept['n_assets']})")


@app.command("undo")
def undo(*, node: NodeFolder = HERE) -> None:
    """Bring back the model that the node had before the present one."""
    with client_of(node) as client:
        kept = client.post("/api/mission/undo", {})
    say(f"back, as version {kept['version']} (missions: {kept['n_missions']}, assets: {kept['n_assets']})")


@app.command("show")
def show_model(
    *,
    text: Annotated[bool, typer.Option("--text", help="The model itself, as it was loaded.")] = False,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show which model the node holds, and how each mission stands now."""
    with client_of(node) as client:
        held = client.get("/api/mission")
        impact = client.get("/api/mission/impact")
    if not held["version"]:
        say("this node holds no model of missions: amagasa mission load FILE (docs/missions.md)")
    elif as_json:
        write_json(held | {"missions": impact["missions"]})
        return
    elif text:
        for one in held["texts"]:
            sys.stdout.write("\n".join(show(line, LINE) for line in one["content"].splitlines()) + "\n")
    else:
        _print_missions(impact)
    if as_json:
        write_json(held | {"missions": []})


@app.command("impact")
def impact_of_now(
    *,
    method: How = Method.FDNA,
    over_time: Annotated[
        bool, typer.Option("--forecast", help="How each mission comes back as repairs end, hour by hour.")
    ] = False,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Say what open incidents take from each mission, by which way, and what to restore first.

    Exit codes: 0 reckoned, 2 wrong usage or no model, 3 figures that did not settle, or more incidents than looked at.
    """
    with client_of(node) as client:
        found = client.get(f"/api/mission/impact?method={method.value}")
    if not found["has_model"]:
        raise BadInputError(
            "AMG-MISSION-NONE-HELD",
            "this node holds no model of missions",
            expected="a model (docs/missions.md)",
            then="amagasa mission load FILE",
        )
    if as_json:
        write_json(found)
    else:
        _print_missions(found)
        _print_impact(found)
        if over_time:
            _print_forecast(found)
    if found["is_cut"] or not found["is_settled"]:
        say("not all could be reckoned: " + ("too many open incidents" if found["is_cut"] else "rings did not settle"))
        raise typer.Exit(EXIT_COULD_NOT)


@app.command("what-if")
def what_if(
    *,
    model: Files = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=OPERABILITY", help="The own health of a node, 0 to 100.")
    ] = None,
    method: How = Method.FDNA,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Say how everything would stand if these nodes stood so. With --model it needs no node; it changes nothing."""
    sound = sound_model(model) if model else _model_of(node)
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
    model: Files = None,
    method: How = Method.FDNA,
    services: Annotated[bool, typer.Option("--services", help="Rank services too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Rank the assets by what the failure of each alone would take from the missions."""
    sound = sound_model(model) if model else _model_of(node)
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


def _model_of(node: Path) -> Model:
    """The model that the node holds. Raises BadInputError where it holds none."""
    with client_of(node) as client:
        held = client.get("/api/mission")
    if not held["version"]:
        raise BadInputError(
            "AMG-MISSION-NONE-HELD",
            "this node holds no model of missions",
            expected="--model FILE, or a node with a model (docs/missions.md)",
            then="amagasa mission load FILE",
        )
    read = read_model([Text(path=one["path"], content=one["content"].encode()) for one in held["texts"]])
    if read.model is None:
        print_problems(read)
        raise refused(read.n_errors)
    return read.model


def _print_missions(impact: dict[str, Any]) -> None:
    rows = [
        {
            "mission": one["name"],
            "operability": f"{one['operability']['likely']:g}",
            "range": f"{one['operability']['worst']:g} to {one['operability']['best']:g}",
            "way": " < ".join(step["name"] for step in one["way"]),
            "why": one["why"],
        }
        for one in impact["missions"]
    ]
    write_rows(rows, ("mission", "operability", "range", "way", "why"), Output.TABLE, empty="the model has no mission")


def _print_forecast(impact: dict[str, Any]) -> None:
    names = [one["name"] for one in impact["missions"]][:8]
    rows = [
        {"after": f"{one['after_h']:g} h"}
        | {
            name: f"{span['likely']:g} ({span['worst']:g} to {span['best']:g})"
            for name, span in one["missions"].items()
        }
        for one in impact["forecast"]
    ]
    write_rows(rows, ("after", *names), Output.TABLE, empty="nothing is damaged")


def _print_impact(impact: dict[str, Any]) -> None:
    rows = [
        {
            "incident": one["title"],
            "loss": f"{one['loss']['likely']:g}",
            "range": f"{one['loss']['best']:g} to {one['loss']['worst']:g}",
            "assets": one["assets"][:5],
            "id": one["incident_id"],
        }
        for one in impact["incidents"]
    ]
    write_rows(rows, ("incident", "loss", "range", "assets", "id"), Output.TABLE, empty="no open incident touches it")
    if impact["restore"]:
        first = ", then ".join(f"{one['name']} (+{one['gain']:g})" for one in impact["restore"][:5])
        say(f"restore first: {first}")
    for one in impact["heard"]:
        told = "never heard" if one["heard_at"] is None else f"{one['operability']['likely']:g}"
        say(f"by the word of {one['ally']}: {one['name']}: {told}{' (stale)' if one['is_stale'] else ''}")
    if impact["n_unmatched"]:
        say(f"open incidents that touch nothing in the model: {impact['n_unmatched']}; what they cost is not known")


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
