"""`amagasa source`: where a node's records come from."""

import time
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer

from amagasa.entry.cli.client import is_running
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.cli.source_add import add
from amagasa.entry.cli.source_settings import replace_settings, without_source
from amagasa.entry.cli.source_try import try_source
from amagasa.entry.settings.load import load_settings
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS, BadInputError
from amagasa.vocab.text import show

app = typer.Typer()
app.command("add")(add)
app.command("test")(try_source)
COLUMNS = ("name", "address", "n_read", "n_rejected", "last_record_at", "rate_per_s", "rhythm", "clock", "fault")
WAITING = ("lag_bytes", "n_behind")  # shown where there are any
EMPTY = "no sources: add one, e.g. amagasa source add web /var/log/nginx/access.log"
REJECT_COLUMNS = ("record", "at", "why", "raw")
TOLD = {
    "n_mended": "were read when fed again",
    "n_let_go": "let go for want of room",
    "n_unkept": "could not be kept",
    "n_damaged": "damaged on the disk",
}
LOOK_S = 0.2
REPLAY_S = 600.0  # 64 MiB take some seconds; beyond it something else is wrong
Name = Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")]


@app.command("list")
def list_sources(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """The sources, what was read of each and how fresh it is."""
    with client_of(node) as client:
        found = client.get("/api/status")["sources"]
    if not (as_json or as_ndjson):
        found = [source | {"clock": _clock_of(source)} for source in found]
    waiting = tuple(column for column in WAITING if any(source.get(column) for source in found))
    show_list(found, (*COLUMNS[:-1], *waiting, COLUMNS[-1]), form=(as_json, as_ndjson), empty=EMPTY)


@app.command("remove")
def remove(name: Name, *, node: NodeFolder = HERE) -> None:
    """Take a source out of node.toml; what was found in it stays, and so does its position."""
    settings_file = node / "node.toml"
    known = [source.name for source in load_settings(settings_file).source]
    if name not in known:
        raise BadInputError(
            "AMG-SOURCE-UNKNOWN",
            "there is no source of this name",
            expected="one of " + ", ".join(known) if known else "a source in node.toml",
            got=name,
            then="nothing changed",
        )
    replace_settings(settings_file, without_source(settings_file.read_text(encoding="utf-8"), name))
    say(f"removed {show(name)}; it is followed no more from the next start of the node")


@app.command("rejects")
def show_rejects(
    name: Name,
    *,
    node: NodeFolder = HERE,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, oldest first.")] = 100,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
) -> None:
    """Records of a source which could not be read, as they came, each with the reason."""
    rows: list[dict[str, Any]] = []
    after = ""
    with client_of(node) as client:
        while True:
            asked = f"limit={min(500, limit - len(rows))}" + (f"&after={after}" if after else "")
            found = client.get(f"/api/sources/{quote(name, safe='')}/rejects?{asked}")
            rows += found["rejects"]
            after = found["next"] or ""
            if not after or len(rows) >= limit:
                break
    if as_json:
        write_json(found | {"rejects": rows})
        return
    show_list(rows, REJECT_COLUMNS, form=(False, as_ndjson), empty=f"no rejects of {show(name)} are kept")
    say(_said_of(found))


@app.command("replay")
def replay(name: Name, *, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """Have the rejects of a source read again, each once, after its mapping or its format was mended.

    Exit 1 where some can still not be read: they stay among the rejects.
    """
    address = f"/api/sources/{quote(name, safe='')}"
    with client_of(node) as client:
        before = client.post(f"{address}/replay", {})
        if before["is_feeding"] and not is_running(node):
            say(f"{before['n_kept']} rejects of {show(name)} are read again when the node starts")
            raise typer.Exit(EXIT_COULD_NOT)
        after = before
        waited_s = 0.0
        while before["is_feeding"] and (after["is_feeding"] or after is before):
            if waited_s > REPLAY_S:
                say(f"the node still reads them: look again with `amagasa source rejects {show(name)}`")
                raise typer.Exit(EXIT_COULD_NOT)
            time.sleep(LOOK_S)
            waited_s += LOOK_S
            after = client.get(f"{address}/rejects?limit=1")
    n_mended = after["n_mended"] - before["n_mended"]
    answer = {"source": name, "n_fed": before["n_kept"], "n_mended": n_mended, "n_kept": after["n_kept"]}
    if as_json:
        write_json(answer)
    else:
        say(f"{answer['n_fed']} rejects read again: {n_mended} could be read; {after['n_kept']} are kept")
    raise typer.Exit(EXIT_FINDINGS if n_mended < answer["n_fed"] else EXIT_DONE)


def _clock_of(source: dict[str, Any]) -> str:
    """How far it is off, where it is; and whether that looks like a zone that was told wrongly."""
    if source["clock"] not in {"ahead", "behind"} or source["clock_ahead_s"] is None:
        return str(source["clock"])
    span = timedelta(seconds=abs(round(source["clock_ahead_s"])))
    return f"{span} {source['clock']}" + (": a wrong zone?" if source["is_zone"] else "")


def _said_of(found: dict[str, Any]) -> str:
    parts = [f"{found['n_kept']} kept of {found['n_rejected']} that cannot be read"]
    parts += [f"{found[key]} {words}" for key, words in TOLD.items() if found[key]]
    parts += ["they are being read again now"] if found["is_feeding"] else []
    return "; ".join(parts)
