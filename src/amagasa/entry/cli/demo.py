"""`amagasa demo`: two nodes under a signed agreement, on loopback, fed by a rehearsal."""

import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from amagasa.app import agreements
from amagasa.app.rehearsal import scenario_of
from amagasa.entry.cli.client import NodeClient, connected
from amagasa.entry.cli.output import err, say, write_json
from amagasa.entry.demo.missions import load_maps, standings, with_services
from amagasa.entry.demo.nodes import PORTS_TRIED, DemoNode, RunningNode, free_ports
from amagasa.entry.demo.play import Feeder, Watch
from amagasa.entry.demo.story import MILESTONES, Shown
from amagasa.entry.node.new_node import NewNode, make_node, sign_in_address
from amagasa.entry.people.application import mount_locally
from amagasa.entry.wiring import CARD_FILE, agreement_files
from amagasa.vocab.errors import EXIT_DONE, EXIT_FINDINGS, EXIT_INTERRUPTED, WorldError

FIRST_PORT: Final = 8480
PORT_TRIES: Final = 3
UNTIL_STOPPED_S: Final = 12 * 3600.0
WITHOUT_TERMINAL_S: Final = 60.0  # nobody is there to press Ctrl-C
SEED: Final = 2015
SUPPORTED: Final = ("Japan", "JP", "ja")
SUPPORTING: Final = ("United States", "US", "en")


def demo_command(
    *,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds", min=1, help="Stop after so long; else at Ctrl-C, or after 60 where no terminal is there."
        ),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="For scripts: exit 0 only if everything happened.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON document on stdout.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep the two nodes here; else they are removed.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which of the rehearsals.")] = SEED,
) -> None:
    """Two nodes, Japan (supported) and the United States (supporting), on this machine alone.

    Japan's node is fed a rehearsal: attacks on a government website among ordinary visitors, and an intrusion on a
    base's hosts. Nothing real is touched and nothing leaves this machine. Exit 0 when all of it was seen, 1 when not.
    """
    asked_to_stop = _stop_on_signal()
    if seconds is None and not headless and not sys.stdin.isatty():
        seconds = WITHOUT_TERMINAL_S
    with ExitStack() as stack:
        home = stack.enter_context(_home(folder))
        scenario = scenario_of(
            resources.files("amagasa").joinpath("content/scenarios/ministry.toml").read_text("utf-8")
        )
        say("making two nodes and the agreement between them, and signing it on both sides ...")
        japan, america = _started(home, stack)
        ours, allys = (stack.enter_context(connected(node.folder, mount_locally)) for node in (japan, america))
        load_maps(ours, allys)
        if not headless:
            _say_where({japan: ours, america: allys})
        watch = Watch(ours, allys, scenario, _tell)
        _wait_until_looking((ours, allys), asked_to_stop)
        feeder = Feeder(scenario, _files(home), seed=seed)
        stack.callback(feeder.stop)
        _play(watch, feeder, seconds=seconds, asked_to_stop=asked_to_stop, ends_early=headless and seconds is None)
        summary = watch.story.as_document() | {"n_lines": feeder.n_lines, "seed": seed} | watch.counts()
        summary |= standings(ours, allys)
    _finish(summary, as_json=as_json, is_stopped=asked_to_stop.is_set() and headless)


def _play(
    watch: Watch, feeder: Feeder, *, seconds: float | None, asked_to_stop: threading.Event, ends_early: bool
) -> None:
    watch.story.begin()
    feeder.start()
    give_up_at = time.monotonic() + (seconds or UNTIL_STOPPED_S)
    watch.until(give_up_at, is_over=lambda: asked_to_stop.is_set() or (ends_early and watch.story.is_complete))


def _finish(summary: dict[str, Any], *, as_json: bool, is_stopped: bool) -> None:
    if as_json:
        write_json(summary)
    elif summary["ok"]:
        say(f"everything was seen; {summary['n_lines']:,} lines were read")
        for name, span in summary["missions"]["supported"]["operability"].items():
            say(f"mission {name}: {span['likely']:g} of 100 ({span['worst']:g} to {span['best']:g})")
    for name in summary["missing"]:
        say(f"not seen: {MILESTONES[name]}")
    if is_stopped and not summary["ok"]:
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(EXIT_DONE if summary["ok"] else EXIT_FINDINGS)


def _started(home: Path, stack: ExitStack) -> tuple[DemoNode, DemoNode]:
    """Both nodes, made and running until `stack` is left. Where another took a port meanwhile, with other ports."""
    for n_tries in range(1, PORT_TRIES + 1):
        with ExitStack() as tried:
            nodes = _make_nodes(home, FIRST_PORT + (n_tries - 1) * PORTS_TRIED)
            running = [tried.enter_context(_running(node)) for node in nodes]
            try:
                for one in running:
                    tried.callback(one.ask_to_stop)  # both at once, before either is waited for
                    one.wait_until_ready()
            except WorldError as problem:
                if "AMG-PORT" not in problem.got or n_tries == PORT_TRIES:
                    raise
            else:
                stack.push(tried.pop_all())
                return nodes
        _take_away(home)
    raise AssertionError  # the last try returns or raises


def _take_away(home: Path) -> None:
    """What a try that found its ports taken has made."""
    for country in (SUPPORTED[1], SUPPORTING[1]):
        shutil.rmtree(home / country.lower())
    for made in home.glob("agreement.*"):
        made.unlink()


def _make_nodes(home: Path, first_port: int) -> tuple[DemoNode, DemoNode]:
    """Two nodes as `init` makes them, and an agreement drafted, signed by both, and installed in both."""
    now = datetime.now(UTC)
    for file in _files(home).values():
        file.touch()
    ports = free_ports(first_port, 4)
    nodes = []
    for (name, country, lang), console_port, ally_port in zip(
        (SUPPORTED, SUPPORTING), ports[:2], ports[2:], strict=True
    ):
        node = DemoNode(name=name, folder=home / country.lower(), console_port=console_port, ally_port=ally_port)
        sources = tuple(_files(home).items()) if country == "JP" else ()
        new = NewNode(
            folder=node.folder,
            name=name,
            country=country,
            lang=lang,
            console_port=console_port,
            ally_port=ally_port,
            sources=sources,
        )
        make_node(new, now=now)
        nodes.append(node)
    _sign(home, nodes[0], nodes[1], now)
    return nodes[0], nodes[1]


def _sign(home: Path, japan: DemoNode, america: DemoNode, now: datetime) -> None:
    files = agreement_files()
    cards = (japan.folder / CARD_FILE, america.folder / CARD_FILE)
    draft = home / "agreement.toml"
    begin = now - timedelta(minutes=1)
    text = agreements.draft(files, *cards, valid_from_at=begin, valid_until_at=begin + timedelta(days=365))
    draft.write_text(with_services(text), encoding="utf-8")
    signed = agreements.sign(files, japan.folder, agreements.prepare(files, japan.folder, draft, now=now), now=now)
    for node in (america, japan):
        agreements.sign(files, node.folder, agreements.prepare(files, node.folder, signed.target, now=now), now=now)


def _files(home: Path) -> dict[str, Path]:
    return {"web": home / "web-access.log", "base": home / "base-sysmon.ndjson"}


def _wait_until_looking(clients: Sequence[NodeClient], asked_to_stop: threading.Event) -> None:
    """Return when both nodes have loaded their rules, so that the first line is seen at once; or when asked to stop."""
    give_up_at = time.monotonic() + 120
    while time.monotonic() < give_up_at and not all(client.get("/api/rules")["n_rules"] for client in clients):
        if asked_to_stop.wait(0.1):
            return


@contextmanager
def _running(node: DemoNode) -> Iterator[RunningNode]:
    process = RunningNode(node)
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def _home(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise WorldError(
                "AMG-DEMO-FOLDER",
                "the folder for the demo's nodes cannot be made",
                expected="a place where you may write",
                got=f"{folder}: {problem.strerror}",
                then="nothing was started",
            ) from None
        yield folder
        return
    made = Path(tempfile.mkdtemp(prefix="amagasa-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _stop_on_signal() -> threading.Event:
    asked = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return asked


def _say_where(nodes: dict[DemoNode, NodeClient]) -> None:
    console = err()
    console.print("\n[bold]Look here[/] (each link signs in once):")
    for node, client in nodes.items():
        link = sign_in_address(node.console_port, client.post("/api/links", {})["token"])
        console.print(f"  {node.name:<14} {escape(link)}")
    console.print("Ctrl-C ends the demo.\n" if sys.stdin.isatty() else "It ends by itself.\n")


def _tell(shown: Shown) -> None:
    console = err()
    console.print(f"[dim]{shown.at_s:6.1f} s[/]  [bold]{MILESTONES[shown.name]}[/]: {escape(shown.what)}")
