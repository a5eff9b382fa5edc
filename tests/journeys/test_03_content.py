"""Content of a running node, changed under load: each change counts at once, and no line is lost or seen twice."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.journeys.load import Load, assert_all_seen_once, attack, attacker, count_of, seen_by
from tests.journeys.nodes import MARK_RULE, JourneyNode, access_line, append, eventually

N_RULES = 130


def rule(number: int, mark: str, *, title: str = "Own rule") -> str:
    text = MARK_RULE.replace("6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10", rule_id(number))
    return text.replace("/journey-mark", mark).replace("Mark of the journey", f"{title} {number}")


def rule_id(number: int) -> str:
    return f"7f6a1c1e-3f0e-4b44-9d3c-{number:012}"


def rules_in(folder: Path, numbers: Sequence[int], mark: str = "/own-{}-mark") -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / f"{number}.yml").write_text(rule(number, mark.format(number)), encoding="utf-8")
    return folder


def are_active(node: JourneyNode, n: int) -> bool:
    return sum(1 for one in node.get("/api/content") if one["activated_at"]) == n


def test_whole_set_added_changed_and_removed_under_load_loses_and_doubles_nothing(
    node: JourneyNode, log: Path, tmp_path: Path
) -> None:
    node.start()
    folder = rules_in(tmp_path / "own", range(N_RULES))
    with Load(log) as load:
        eventually(node.alerts, about="it is at work")
        added = node.command("content", "add", folder, "--json")
        assert (added.code, len(added.json()["added"])) == (0, N_RULES)
        single = node.command("content", "add", *[rules_in(tmp_path / "one", [500]) / "500.yml"])
        assert "looks with it now" in single.err
        eventually(lambda: are_active(node, N_RULES + 1), about="all are active")
        rules_in(folder, range(30), mark="/changed-{}-mark")
        assert node.command("content", "add", folder).code == 0
        os.kill(node.worker(), signal.SIGKILL)
        assert node.command("content", "remove", *[rule_id(n) for n in range(40, N_RULES)]).code == 0
        eventually(lambda: are_active(node, 41), about="what is left is active")
    assert_all_seen_once(node, load)
    before = len(node.alerts())
    lines = [access_line("192.0.2.200", f"/{kind}-{n}-mark") for kind in ("own", "changed") for n in (3, 35, 60)]
    append(log, *lines, attack(1_000_000))
    eventually(lambda: attacker(1_000_000) in {one["subject"] for one in node.alerts()}, about="the last line is seen")
    new = {(one["content_id"], one["n_detections"]) for one in node.alerts() if one["subject"] == "192.0.2.200"}
    assert new == {(rule_id(3), 1), (rule_id(35), 1)}
    assert len(node.alerts()) == before + 3
    assert node.terminate() == 0


def test_rule_replaced_again_and_again_under_load_sees_every_line_once(
    node: JourneyNode, log: Path, tmp_path: Path
) -> None:
    (node.folder / "content" / "own.yml").unlink()
    path = tmp_path / "own.yml"
    path.write_text(rule(1, "/journey-mark"), encoding="utf-8")
    assert node.command("content", "add", path).code == 0
    node.start()
    with Load(log) as load:
        eventually(node.alerts, about="it is at work")
        for number in range(5):
            path.write_text(rule(1, "/journey-mark", title=f"Version {number} of rule"), encoding="utf-8")
            assert "looks with it now" in node.command("content", "add", path).err
    assert_all_seen_once(node, load)
    assert node.terminate() == 0


def test_rule_added_under_load_sees_every_line_from_then_on(node: JourneyNode, log: Path, tmp_path: Path) -> None:
    (node.folder / "content" / "own.yml").unlink()
    node.start()
    path = tmp_path / "own.yml"
    path.write_text(rule(1, "/journey-mark"), encoding="utf-8")
    with Load(log) as load:
        eventually(lambda: load.n_lines > 400, about="lines are written")
        assert "looks with it now" in node.command("content", "add", path).err
        seen_before = dict(load.wanted)
        eventually(lambda: len(load.wanted) > len(seen_before) + 50, about="more is written")
    eventually(lambda: count_of(node)[0] == load.n_lines, about="all is read")
    seen = seen_by(node)
    first = next(place for place, subject in enumerate(load.wanted) if subject in seen)
    after = dict(list(load.wanted.items())[first + 1 :])
    assert {subject: n for subject, n in seen.items() if subject in after} == after
    assert len(after) >= 50


def rules_and_faults(node: JourneyNode) -> tuple[int, int]:
    rules = node.get("/api/rules")
    return rules["n_rules"], rules["n_faults"]


def test_rules_on_disk_of_a_running_node_are_looked_with_once_they_are_saved(node: JourneyNode, log: Path) -> None:
    node.start()
    later = node.folder / "content" / "later.yml"
    later.write_text(rule(2, "/later-mark"), encoding="utf-8")
    eventually(lambda: node.get("/api/rules")["n_rules"] == 2, about="the new file counts")
    append(log, access_line("192.0.2.60", "/later-mark"))
    eventually(lambda: "192.0.2.60" in seen_by(node), about="it sees")
    later.write_text("title: [", encoding="utf-8")
    eventually(lambda: node.get("/api/rules")["n_faults"] == 1, about="the broken file is said")
    append(log, access_line("192.0.2.61", "/later-mark"))
    eventually(lambda: "192.0.2.61" in seen_by(node), about="what it held before sees on")
    later.unlink()
    eventually(lambda: rules_and_faults(node) == (1, 0), about="it is gone")
    append(log, access_line("192.0.2.62", "/later-mark"), attack(1))
    eventually(lambda: attacker(1) in seen_by(node), about="the other rule sees on")
    assert "192.0.2.62" not in seen_by(node)


def test_content_held_is_looked_with_again_from_the_first_line_after_a_start(
    node: JourneyNode, log: Path, tmp_path: Path
) -> None:
    node.start()
    assert node.command("content", "add", rules_in(tmp_path / "own", range(N_RULES))).code == 0
    eventually(lambda: are_active(node, N_RULES), about="all are active")
    node.kill()
    append(log, *(access_line(f"192.0.2.{n}", f"/own-{n}-mark") for n in range(10, 20)))
    node.start()
    eventually(lambda: count_of(node)[0] == 10, about="all is read")
    assert len(node.alerts()) == 10


def test_content_add_says_which_of_many_are_refused(node: JourneyNode, tmp_path: Path) -> None:
    folder = rules_in(tmp_path / "own", [1, 2])
    (folder / "broken.yml").write_text("title: [", encoding="utf-8")
    (folder / "two.yml").write_text(f"{rule(3, '/a-mark')}---\n{rule(4, '/b-mark')}", encoding="utf-8")
    added = node.command("content", "add", folder)
    assert added.code == 1
    assert "added 4 rules" in added.err
    assert "broken.yml" in added.err
    assert "AMG-CONTENT-RULE" in added.err
    (folder / "broken.yml").unlink()
    removed = node.command("content", "remove", folder)
    assert (removed.code, "removed 4" in removed.err) == (0, True)
    assert node.command("content", "remove", rule_id(1), rule_id(2)).code == 1


def test_hangup_leaves_a_node_running(node: JourneyNode) -> None:
    node.start()
    process = node.process
    assert process is not None
    process.send_signal(signal.SIGHUP)
    eventually(lambda: "are watched" in node.told(), about="it says what it does about it")
    assert process.poll() is None
    assert node.terminate() == 0
