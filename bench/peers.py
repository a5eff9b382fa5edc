"""The same Sigma rules over the same EVTX files, by Amagasa and by other programs: what each costs and what each finds.

    python bench/peers.py --rules sigma-rules.tar.gz --evtx evtx_attack_samples.tar.gz [--peer NAME=COMMAND]...

A peer is `chainsaw`, `zircolite` or `hayabusa` with the command that starts it: a path, or an interpreter and a path
(`zircolite=python3 Zircolite/zircolite.py`; chainsaw's mapping and hayabusa's own converted rules are taken from beside
it). All get the rules for Windows, hayabusa those it ships. What is found is compared by rule title and file: a program
may count what it found in one file in another way.
"""

import argparse
import json
import shlex
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from machine import machine
from msgspec import Struct
from whole import AMAGASA, cost_of

Found = Counter[tuple[str, str]]


class Peer(Struct, frozen=True):
    """Its arguments after its command (program folder, rules, logs, output), and how its output is read."""

    arguments: Callable[[Path, Path, Path, Path], list[str]]
    read: Callable[[Path], Iterator[tuple[str, str]]]


def lines_of(output: Path) -> Iterator[Any]:
    """JSON lines; a carriage return is no end of a line."""
    for line in output.read_bytes().split(b"\n"):
        if line.strip():
            yield json.loads(line)


def of_amagasa(output: Path) -> Iterator[tuple[str, str]]:
    """A detection a line."""
    return ((one["rule_title"], Path(one["path"]).name) for one in lines_of(output))


def of_chainsaw(output: Path) -> Iterator[tuple[str, str]]:
    """Those of one event, and those of several (`documents`). With `-o` its last line may be cut: stdout it is."""
    for one in lines_of(output.with_suffix(".stdout")):
        for document in one.get("documents") or [one["document"]]:
            yield one["name"], Path(document["path"]).name


def of_zircolite(output: Path) -> Iterator[tuple[str, str]]:
    """One JSON document: rules, each with its matches."""
    for rule in json.loads(output.read_bytes()):
        for match in rule["matches"]:
            yield rule["title"], match["OriginalLogfile"]


def of_hayabusa(output: Path) -> Iterator[tuple[str, str]]:
    """A detection a line."""
    return ((one["RuleTitle"], Path(one["EvtxFile"]).name) for one in lines_of(output))


PEERS = {
    "chainsaw": Peer(
        lambda home, rules, logs, _output: [
            *("hunt", str(logs), "-s", str(rules), "--skip-errors", "-q", "--jsonl"),
            *("--mapping", str(next(home.rglob("sigma-event-logs-all.yml")))),
        ],
        of_chainsaw,
    ),
    "zircolite": Peer(
        lambda home, rules, logs, output: [
            *("-e", str(logs), "-r", str(rules), "-p", "sysmon", "-p", "windows-logsources", "-q"),
            *("-c", str(home / "config" / "config.yaml"), "-o", str(output), "-l", str(output.with_suffix(".log"))),
        ],
        of_zircolite,
    ),
    "hayabusa": Peer(
        lambda home, _rules, logs, output: [
            *(
                "dfir-timeline",
                "-d",
                str(logs),
                "-w",
                "-q",
                "-Q",
                "-N",
                "--threads",
                "1",
                "-t",
                "jsonl",
                "-p",
                "verbose",
            ),
            *("-r", str(home / "rules"), "-c", str(home / "rules" / "config"), "-n", "-u", "-o", str(output)),
        ],
        of_hayabusa,
    ),
}


def home_of(command: list[str]) -> Path:
    """The folder with a peer's own files: the nearest above its program that has rules or mappings."""
    for folder in Path(command[-1]).resolve().parents:
        if (folder / "mappings").is_dir() or (folder / "config").is_dir() or (folder / "rules" / "config").is_dir():
            return folder
    return Path(command[-1]).resolve().parent


def unpack(archive: Path, folder: Path, *, part: str) -> None:
    """The members whose path has this part, below the folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, [member for member in tar if part in f"/{member.name}"], filter="data")


def compared(ours: Found, theirs: Found, titles: set[str]) -> dict[str, Any]:
    """How many (rule, file) both found, and one alone; the rules in which they differ most."""
    ours_alone, theirs_alone = set(ours) - set(theirs), set(theirs) - set(ours)
    return {
        "n_both": len(set(ours) & set(theirs)),
        "n_ours_alone": len(ours_alone),
        "n_theirs_alone": len(theirs_alone),
        "ours_alone": Counter(title for title, _ in ours_alone).most_common(8),
        "theirs_alone": Counter(title for title, _ in theirs_alone if title in titles).most_common(8),
        "n_other_rules": sum(1 for title, _ in theirs_alone if title not in titles),
    }


def main() -> None:
    """Run all, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--evtx", type=Path, required=True)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rules, logs = folder / "rules", folder / "logs"
        unpack(asked.rules, rules, part="/windows/")
        unpack(asked.evtx, logs, part="")
        command = [*AMAGASA, "--rules", str(rules), str(logs), "-o"]
        cost_of([*command, str(folder / "first.ndjson")])  # the plan of these rules is cached from then on
        output = folder / "amagasa.ndjson"
        costs = {"amagasa": cost_of([*command, str(output)])}
        found = {"amagasa": Counter(of_amagasa(output))}
        for given in asked.peer:
            name, _, words = given.partition("=")
            program, peer = shlex.split(words), PEERS[name]
            output = folder / f"{name}.json"
            arguments = peer.arguments(home_of(program), rules, logs, output)
            costs[name] = cost_of([*program, *arguments], stdout=str(output.with_suffix(".stdout")))
            found[name] = Counter(peer.read(output))
        titles = {line.partition(":")[2].strip() for path in rules.rglob("*.yml") for line in titles_in(path)}
        told = {
            name: {
                "cpu_s": round(cost.cpu_s, 2),
                "rss_mb": cost.rss_mb,
                "n_found": found[name].total(),
                "n_pairs": len(found[name]),
                **(compared(found["amagasa"], found[name], titles) if name != "amagasa" else {}),
            }
            for name, cost in costs.items()
        }
    print(json.dumps({"machine": machine(), "programs": told}, indent=1))


def titles_in(path: Path) -> Iterator[str]:
    """The lines that give a rule its title."""
    return (line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("title:"))


if __name__ == "__main__":
    main()
