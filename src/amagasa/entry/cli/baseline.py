"""`amagasa baseline`: what is usual at each device of a plant. `detect --baseline` tells what differs from it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from amagasa.app.baselines import change_state, learn_from
from amagasa.detect.baseline.profile import Baseline, Habit, State
from amagasa.entry.cli.options import AsJson, AsNdjson, client_of, show_list
from amagasa.entry.cli.output import say
from amagasa.entry.wiring_detect import baseline_of, keep_baseline, open_all
from amagasa.event.record import Reject
from amagasa.vocab.errors import EXIT_COULD_NOT
from amagasa.vocab.text import show

app = typer.Typer()
COLUMNS: Final = ("device", "master", "function", "changes", "addresses", "values", "every_s", "n")
EMPTY_NODE: Final = "the node has learnt nothing of a plant yet: it needs a source with messages of industry"
EMPTY: Final = "nothing was learnt yet: `amagasa baseline learn FILE CAPTURE...`"
File = Annotated[Path, typer.Argument(help="The baseline: a file of its own.", show_default=False)]
Kept = Annotated[Path, typer.Argument(help="The baseline: a file, or the folder of a node.", show_default=False)]
By = Annotated[str, typer.Option("--by", help="Who says so: written into the baseline.", show_default=False)]


@app.command("learn")
def learn_command(
    file: File,
    paths: Annotated[list[str], typer.Argument(help="Captures, flows, Suricata's EVE; - for stdin.")],
) -> None:
    """Learn from captures what is usual; a baseline that is there learns more."""
    baseline = baseline_of(file) if file.exists() else Baseline()
    left = learn_from(open_all(paths, None), baseline)
    keep_baseline(file, baseline)
    say(f"{_period(baseline)}; {baseline.n_messages} messages, {len(baseline.devices)} devices; it does not alarm yet")
    if baseline.n_left_out:
        say(f"no room for {baseline.n_left_out} messages of more devices or functions than a baseline holds")
    for one in left[:20]:
        say(f"{'not read' if isinstance(one, Reject) else 'not looked at'}: {one.path}: {one.why} [{one.code}]")
    if left:
        raise typer.Exit(EXIT_COULD_NOT)


@app.command("show")
def show_command(file: Kept, *, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """Who asks which device for what, where, with which values, how often."""
    if file.is_dir():
        _show_of_node(file, form=(as_json, as_ndjson))
        return
    baseline = baseline_of(file)
    rows = [
        _row(name, master, habit)
        for name, device in sorted(baseline.devices.items())
        for master, habits in sorted(device.masters.items())
        for habit in habits.values()
    ]
    show_list(rows, COLUMNS, form=(as_json, as_ndjson), empty=EMPTY)
    by = f" by {show(baseline.changed_by)}" if baseline.changed_by else ""
    say(f"{baseline.state.value}{by}; {_period(baseline)}; {baseline.n_messages} messages")


@app.command("freeze")
def freeze_command(file: Kept, *, by: By) -> None:
    """End learning: from now on `detect --baseline`, or the node, tells what differs."""
    _change(file, State.FROZEN, by)


@app.command("thaw")
def thaw_command(file: Kept, *, by: By) -> None:
    """Let it learn again: until it is frozen anew it does not alarm."""
    _change(file, State.LEARNING, by)


def _change(file: Path, state: State, by: str) -> None:
    if file.is_dir():
        with client_of(file) as client:
            client.post("/api/plant/state", {"state": state.value, "by": by})
        say(f"{state.value} by {show(by)}; a node that does not run does it at its start")
        return
    baseline = baseline_of(file)
    change_state(baseline, state, by=by, now=datetime.now(UTC))
    keep_baseline(file, baseline)
    say(f"{state.value} by {show(by)}; {_period(baseline)}; {len(baseline.devices)} devices")


def _show_of_node(node: Path, *, form: tuple[bool, bool]) -> None:
    rows: list[dict[str, Any]] = []
    with client_of(node) as client:
        found = client.get("/api/plant?limit=200")
        rows += found["habits"]
        while found["next"]:
            found = client.get(f"/api/plant?limit=200&after={quote(found['next'], safe='')}")
            rows += found["habits"]
    show_list([_row_of_node(one) for one in rows], COLUMNS, form=form, empty=EMPTY_NODE)
    by = f" by {show(found['changed_by'])}" if found["changed_by"] else ""
    say(f"{found['state']}{by}; learnt from {found['since']} to {found['until']}; {found['n_messages']} messages")


def _row_of_node(one: dict[str, Any]) -> dict[str, Any]:
    return one | {
        "changes": "yes" if one["is_changing"] else "",
        "addresses": ", ".join(f"{low}-{high}" if low != high else str(low) for low, high in one["addresses"]),
        "values": "" if one["low"] is None else f"{one['low']:g} to {one['high']:g}",
    }


def _period(baseline: Baseline) -> str:
    if baseline.since is None or baseline.until is None:
        return "nothing learnt"
    return f"learnt from {baseline.since:%Y-%m-%d %H:%M:%S} to {baseline.until:%Y-%m-%d %H:%M:%S} UTC"


def _row(device: str, master: str, habit: Habit) -> dict[str, Any]:
    is_valued = habit.low is not None and habit.high is not None
    return {
        "device": device,
        "master": master,
        "function": f"{habit.function} {habit.object}".rstrip(),
        "changes": "yes" if habit.is_changing else "",
        "addresses": ", ".join(f"{low}-{high}" if low != high else str(low) for low, high in habit.spans[:8]),
        "values": f"{habit.low:g} to {habit.high:g}" if is_valued else "",
        "every_s": round(habit.mean_gap_s, 2),
        "n": habit.n,
    }
