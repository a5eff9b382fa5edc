"""A node at work on growing logs: what is written is seen once, whatever happens to the node in between."""

import os
import random
import resource
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.load import Load, assert_all_seen_once, attack, attacker, count_of, seen_by
from tests.journeys.nodes import JourneyNode, access_line, append, assert_composed, eventually, free_port, run

ROUNDS = 4
IS_ROOT = os.geteuid() == 0
WITHOUT_ROOTS_EYES = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)
needs_setpriv = pytest.mark.skipif(
    IS_ROOT and shutil.which("setpriv") is None, reason="root reads everything, and there is no setpriv to prevent it"
)


def test_line_written_is_an_alert_with_its_evidence(node: JourneyNode, log: Path) -> None:
    append(log, attack(1))
    node.start()
    eventually(node.alerts, about="what was there before the start is seen")
    second = attack(2)
    append(log, second, access_line("192.0.2.9"))
    eventually(lambda: len(node.alerts()) == 2, about="what comes is seen")
    listed = node.command("alert", "list", "--json")
    assert {one["subject"] for one in listed.json()} == {attacker(1), attacker(2)}
    assert [one["id"] for one in node.command("alert", "list", "--ndjson").rows()] == [
        one["id"] for one in listed.json()
    ]
    assert attacker(2) in node.command("alert", "list").out
    shown = node.command("alert", "show", listed.json()[0]["id"]).json()
    assert shown["evidence"][0]["raw"] == second
    assert shown["evidence"][0]["record"] == 2
    assert node.command("alert", "show", "alert--none").code == 2
    incidents = node.command("incident", "list", "--json").json()
    assert sum(one["n_alerts"] for one in incidents) == 2


def test_line_that_cannot_be_read_is_rejected_and_counted(node: JourneyNode, log: Path) -> None:
    node.start()
    append(log, attack(1), "this is no line of an access log", "\x1b[2Jnor is this", attack(2))
    with log.open("ab") as stream:
        stream.write(b"\xff\xfe\x00\xf0\n")
    eventually(lambda: count_of(node) == (5, 2, 3), about="each is counted")
    assert len(node.alerts()) == 2
    rejects = node.get("/api/rejects")
    assert sorted(one["record"] for one in rejects) == [2, 3, 5]
    assert "\x1b" not in node.command("source", "list").out
    assert_composed(node.told())


def test_rejects_are_read_again_once_after_the_format_was_mended(node: JourneyNode, log: Path) -> None:
    settings = node.folder / "node.toml"
    right = settings.read_text(encoding="utf-8")
    settings.write_text(right.replace('format = "access"', 'format = "json"'), encoding="utf-8")
    node.start()
    append(log, attack(1), access_line("192.0.2.1"), "\x1b[2Jno line at all")
    eventually(lambda: count_of(node) == (3, 0, 3), about="each is rejected")
    kept = node.command("source", "rejects", "web", "--json").json()
    assert (kept["n_kept"], kept["rejects"][0]["raw"]) == (3, attack(1))
    assert "\x1b" not in node.command("source", "rejects", "web").out
    assert node.terminate() == 0
    settings.write_text(right, encoding="utf-8")
    assert node.command("source", "replay", "web").code == 3  # it does not run: kept as a wish
    node.start()
    eventually(lambda: count_of(node) == (3, 2, 1), about="two of them can be read now")
    assert list(seen_by(node)) == [attacker(1)]
    assert [one["record"] for one in node.get("/api/rejects")] == [3]
    again = node.command("source", "replay", "web", "--json")
    assert (again.code, again.json()["n_mended"], again.json()["n_kept"]) == (1, 0, 1)
    assert (count_of(node), len(node.alerts())) == ((3, 2, 1), 1)


def test_log_rotated_while_the_node_runs_is_read_to_its_end_and_on(node: JourneyNode, log: Path) -> None:
    node.start()
    for n in range(1, 5):
        append(log, attack(n))
        eventually(lambda n=n: attacker(n) in seen_by(node), about=f"attack {n} is seen")  # type: ignore[misc]
        old = log.rename(log.with_name(f"access.log.{n}"))
        append(old, attack(100 + n))
        append(log, access_line("192.0.2.1"))
    eventually(lambda: count_of(node) == (12, 12, 0), about="all is read")
    assert seen_by(node) == {attacker(n): 1 for n in (1, 2, 3, 4, 101, 102, 103, 104)}


def test_log_rotated_while_the_node_is_down_is_read_to_its_end_and_on(node: JourneyNode, log: Path) -> None:
    append(log, attack(1))
    node.start()
    eventually(node.alerts, about="the first is seen")
    assert node.terminate() == 0
    append(log, attack(2))
    log.rename(log.with_name("access.log.1"))
    append(log, attack(3))
    node.start()
    eventually(lambda: count_of(node)[0] == 3, about="all three are read")
    assert seen_by(node) == {attacker(n): 1 for n in (1, 2, 3)}


def test_node_asked_to_end_under_load_ends_by_itself_and_goes_on_without_loss(node: JourneyNode, log: Path) -> None:
    with Load(log) as load:
        for _ in range(2):
            node.start()
            eventually(node.alerts, about="it is at work")
            assert node.terminate() == 0
            assert not (node.folder / "run" / "node.sock").exists()
        node.start()
    assert_all_seen_once(node, load)
    assert node.terminate() == 0


def test_node_killed_at_any_instant_loses_and_doubles_nothing(node: JourneyNode, log: Path) -> None:
    """SIGKILL to the main process or to the worker, at random instants under load."""
    chance = random.Random(5)
    with Load(log) as load:
        node.start()
        for number in range(ROUNDS):
            time.sleep(chance.uniform(0.05, 0.9))
            node.kill()
            if number % 2:
                time.sleep(chance.uniform(0, 0.3))
            node.start()
            worker = eventually(node.worker, about="there is a worker")
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(worker, signal.SIGKILL)
        # Killed while it starts, too: before, while and after it takes up what was committed.
        for instant in (0.2, 0.7, 1.1):
            node.kill()
            node.begin()
            time.sleep(instant)
    node.kill()
    node.start()
    assert_all_seen_once(node, load)
    assert_composed(node.told())
    assert node.terminate() == 0


def test_worker_killed_is_replaced_and_said(node: JourneyNode, log: Path) -> None:
    node.start()
    first = eventually(node.worker, about="there is a worker")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: node.worker() not in {0, first}, about="there is another")
    append(log, attack(1))
    eventually(node.alerts, about="it sees")
    assert "ended unexpectedly" in node.told()


def test_disk_that_is_full_holds_everything_back_and_loses_nothing(node: JourneyNode, log: Path) -> None:
    """The file size limit stands in for the disk: every write beyond it fails, the log's included."""
    node.start()
    append(log, attack(1))
    eventually(node.alerts, about="it is at work")
    pid = node.process.pid if node.process else 0
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    limit = node.words.stat().st_size + 700
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, before[1]))
    append(log, *(attack(n) for n in range(2, 60)))
    eventually(lambda: "AMG-STORE" in node.told(), about="it says so")
    eventually(lambda: node.words.stat().st_size == limit, about="then it cannot even say so")
    assert len(node.alerts()) == 1
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    eventually(lambda: count_of(node) == (59, 59, 0), about="it goes on")
    assert seen_by(node) == {attacker(n): 1 for n in range(1, 60)}
    assert node.terminate() == 0


@needs_setpriv
def test_folder_that_may_not_be_written_is_said_and_not_harmed(node: JourneyNode, log: Path) -> None:
    eyes = WITHOUT_ROOTS_EYES if IS_ROOT else ()
    before = (node.folder / "node.toml").read_bytes()
    (node.folder / "run" / "lock").unlink(missing_ok=True)
    for folder in (node.folder / "run", node.folder):
        folder.chmod(0o500)
    refused = run("serve", node.folder, before=eyes)
    assert (refused.code, "AMG-NODE-FOLDER" in refused.err) == (3, True), refused.err
    added = run("source", "add", "late", log, "--node", node.folder, before=eyes)
    assert (added.code, "AMG-SETTINGS-WRITE" in added.err) == (3, True), added.err
    for folder in (node.folder, node.folder / "run"):
        folder.chmod(0o700)
    assert (node.folder / "node.toml").read_bytes() == before


def test_source_that_cannot_be_one_changes_nothing(node: JourneyNode, log: Path) -> None:
    before = (node.folder / "node.toml").read_bytes()
    assert run("source", "add", "web", log, "--node", node.folder).code == 2
    assert run("source", "add", "x" * 5_000, log, "--node", node.folder).code == 2
    assert (node.folder / "node.toml").read_bytes() == before
    assert [path.name for path in node.folder.iterdir() if path.name.startswith(".")] == []


def test_port_in_use_is_said_by_its_code(node: JourneyNode) -> None:
    with socket.create_server(("127.0.0.1", node.console_port)):
        node.begin()
        assert node.ended() == 3
    assert "AMG-PORT" in node.told()
    assert_composed(node.told())


def test_port_for_allies_in_use_is_said_by_its_code(node: JourneyNode) -> None:
    with socket.create_server(("127.0.0.1", node.ally_port)):
        node.begin()
        assert node.ended() == 3
    assert "AMG-PORT" in node.told()
    assert_composed(node.told())


def test_node_that_runs_already_is_left_alone(node: JourneyNode) -> None:
    node.start()
    second = run("serve", node.folder)
    assert second.code == 2
    assert "AMG-NODE-RUNNING" in second.err
    assert node.get("/api/status")["node"]["name"] == "Japan"


def test_store_that_is_damaged_is_said_by_its_code(node: JourneyNode) -> None:
    store = node.folder / "state" / "amagasa.sqlite"
    store.write_bytes(b"this is no store, " * 1_000)
    refused = run("serve", node.folder)
    assert refused.code == 3
    assert "AMG-STORE-CORRUPT" in refused.err
    listed = node.command("alert", "list")
    assert listed.code == 3
    assert "AMG-STORE-CORRUPT" in listed.err


def test_setting_taken_back_half_way_names_its_line(node: JourneyNode) -> None:
    node.set_settings(lambda text: text + "\n[[source]\n")
    refused = run("serve", node.folder)
    assert refused.code == 2
    assert "line" in refused.err
    assert node.command("source", "list").code == 2


def test_source_that_is_missing_shows_and_the_others_go_on(node: JourneyNode, log: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.log"
    node.follow("late", late, form="access")
    node.start()
    fault = eventually(lambda: node.source("late")["fault"], about="the fault shows")
    assert "waited for" in fault
    append(log, attack(1))
    eventually(node.alerts, about="the other goes on")
    assert "late" in node.command("source", "list").out
    append(late, attack(2))
    eventually(lambda: len(node.alerts()) == 2, about="it is read once it is there")
    assert node.source("late")["fault"] == ""


@needs_setpriv
def test_log_that_may_not_be_read_shows_and_the_others_go_on(node: JourneyNode, log: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.log"
    secret.write_text(attack(7) + "\n", encoding="utf-8")
    secret.chmod(0)
    if IS_ROOT:
        os.chown(secret, 65534, 65534)
    node.follow("secret", secret, form="access")
    node.start(before=WITHOUT_ROOTS_EYES if IS_ROOT else ())
    fault = eventually(lambda: node.source("secret")["fault"], about="the fault shows")
    assert "AMG-SOURCE" in fault
    append(log, attack(1))
    eventually(node.alerts, about="the other goes on")
    secret.chmod(0o644)
    eventually(lambda: len(node.alerts()) == 2, about="it is read once that is allowed")
    assert node.terminate() == 0


def test_rule_added_to_a_running_node_is_looked_with_at_once(node: JourneyNode, log: Path, tmp_path: Path) -> None:
    node.start()
    rule = tmp_path / "late.yml"
    text = (node.folder / "content" / "own.yml").read_text(encoding="utf-8")
    rule.write_text(text.replace("journey-mark", "late-mark").replace("6f6a1c1e", "7f6a1c1e"), encoding="utf-8")
    assert node.command("content", "add", rule).code == 0
    assert node.command("content", "add", "198.51.100.7", "--title", "a scanner").code == 0
    held: list[dict[str, Any]] = eventually(
        lambda: [one for one in node.get("/api/content") if one["activated_at"]], about="they are active"
    )
    eventually(lambda: len([one for one in node.get("/api/content") if one["activated_at"]]) == 2, about="both are")
    assert held
    append(log, access_line("192.0.2.50", "/late-mark"), access_line("198.51.100.7"))
    eventually(lambda: len(node.alerts()) == 2, about="both see")
    broken = run("content", "add", "-", "--node", node.folder, given=b"title: [")
    assert broken.code == 2
    assert "AMG-" in broken.err
    for wrong in ("10.0.0.0/8", "absent.yml"):
        assert "AMG-CONTENT-FILE" in node.command("content", "add", wrong).err
    assert run("content", "add", "-", "--node", node.folder, given=b"\xff\xfe").code == 2
    for item in node.command("content", "list", "--json").json():
        assert node.command("content", "remove", item["id"]).code == 0
    assert node.command("content", "remove", "nothing").code == 2


def test_setting_of_the_environment_outranks_the_file(node: JourneyNode) -> None:
    port = free_port()
    node.console_port = port
    node.start(AMAGASA_CONSOLE__PORT=str(port))
    assert str(port) in node.told()
