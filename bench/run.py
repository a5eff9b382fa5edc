"""Run the benches one after another, each in a process of its own, and write what they gave to bench/README.md.

    python bench/run.py [--only NAME]... [--short] [--data FOLDER] [--peer NAME=PATH]...

The figures are kept in bench/figures.json as well; with `--only` those of the other benches stay as they were. Benches
over real logs need a folder of these (default: ../shared/data beside the checkout); where it is not there they are
listed as not run. A peer (`stix2-matcher=SITE_PACKAGES`) is measured where it is given.
Exit 3 where a bench failed. Nothing here asserts a figure.
"""

import argparse
import glob
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from machine import machine
from msgspec import Struct
from page import (
    as_it_came,
    page,
    table_of_content,
    table_of_correlate,
    table_of_detect,
    table_of_mission,
    table_of_normalise,
    table_of_stix,
    table_of_store,
    table_of_triage,
    table_of_umbrella,
)
from page_console import table_of_console
from page_hunt import table_of_hunt
from page_indicators import plots_of_indicators, table_of_indicators
from page_ingest import table_of_chaos, table_of_ingest
from page_link import table_of_link
from page_whole import plots_of_growth, plots_of_whole, table_of_growth, table_of_peers, table_of_whole

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "bench" / "figures.json"
README = ROOT / "bench" / "README.md"
TIMEOUT_S = 1800


class Bench(Struct, frozen=True, kw_only=True):
    """A bench: its command (DATA stands for the folder of real logs, patterns are filled in) and how it is shown."""

    name: str
    title: str
    command: str
    short: str
    what: str
    show: Callable[[str], str]
    plots: Callable[[str, Path], str] | None = None


BENCHES = (
    Bench(
        name="umbrella",
        title="From a line in one log to detection in a third country",
        command="bench/umbrella_latency.py --json",
        short="bench/umbrella_latency.py --json --attacks 200",
        what="Three nodes with their own processes, stores and certificates under two signed agreements. 1,000 lines a "
        "second are appended to Japan's web log; 20 of them are attacks, each from an address of its own. Every delay "
        "counts from the return of the write() of the attack's line. *Seen*: a reader in another process saw the "
        "commit (it looks every 5 ms), an upper bound. *Noted*: the instants which the nodes note themselves; alert "
        "and sighting just before their commit, the indicator after Australia's detection process said that it looks "
        "with it.",
        show=table_of_umbrella,
    ),
    Bench(
        name="content-change",
        title="Rules changed in a running node",
        command="bench/content_change.py --json --rules DATA/rules/sigma-rules.tar.gz",
        short="bench/content_change.py --json --singles 5",
        what="One node under load: 1,000 lines a second of a web log, 20 of them attacks, and 50 process creations a "
        "second of Windows. Rules are added, replaced and removed one by one, a hundred at once, and the whole public "
        "set at once. *Active after* counts from the return of the request to the instant, noted by the node, from "
        "which the rule is looked with. The second table is the delay of attacks, from write() to the alert seen in "
        "the store, while that goes on.",
        show=table_of_content,
    ),
    Bench(
        name="whole",
        title="Detection in files, whole processes",
        command="bench/whole.py --rules DATA/rules/sigma-rules.tar.gz --windows PATTERN:DATA/windows/compound/*.zst "
        "PATTERN:DATA/windows/atomic/*.zst --web PATTERN:DATA/web/semicomplete*.gz PATTERN:DATA/web/secrepo*.gz "
        "PATTERN:DATA/web/scan_w3af*.gz",
        short="bench/whole.py --rules DATA/rules/sigma-rules.tar.gz --windows "
        "PATTERN:DATA/windows/compound/*comsvcs*.zst --hard 5000 --repeat 1",
        what="`amagasa detect` as a user runs it, with a warm cache and the whole public rule set: CPU seconds of the "
        "process from its start to its end, beside a process that gives the same lines to orjson.loads and does "
        "nothing else; they ran in turn, the median of three is told. Ratio 1 would be detection at the speed "
        "of parsing JSON.",
        show=table_of_whole,
        plots=plots_of_whole,
    ),
    Bench(
        name="rules",
        title="Detection with ever more rules",
        command="bench/whole.py --rules DATA/rules/sigma-rules.tar.gz --times 1 3 10 --hard 400000 --windows "
        "PATTERN:DATA/windows/compound/*.zst PATTERN:DATA/windows/atomic/*.zst",
        short="bench/whole.py --rules DATA/rules/sigma-rules.tar.gz --times 1 2 --hard 5000 --repeat 1",
        what="The same, with copies of the rule set that look for other words (bench/more_rules.py makes them).",
        show=table_of_growth,
        plots=plots_of_growth,
    ),
    Bench(
        name="peers",
        title="Beside Chainsaw, Zircolite and Hayabusa",
        command="bench/peers.py --rules DATA/rules/sigma-rules.tar.gz --evtx DATA/evtx/evtx_attack_samples.tar.gz "
        "NAMED:chainsaw NAMED:zircolite NAMED:hayabusa",
        short="bench/peers.py --rules DATA/rules/sigma-rules.tar.gz --evtx DATA/evtx/evtx_attack_samples.tar.gz "
        "NAMED:chainsaw NAMED:zircolite NAMED:hayabusa",
        what="The public Sigma rules for Windows over 222 EVTX files of attacks (5,172 events), each program one "
        "process, in one run. Hayabusa looks with the rules that it ships: the same, converted by its authors, and its "
        "own. What is found is compared by rule and file; the rules in which they differ most are named.",
        show=table_of_peers,
    ),
    Bench(
        name="indicators",
        title="Indicators by the hundred thousand",
        command="bench/indicators.py --json --rules DATA/rules/sigma-rules.tar.gz "
        "--indicators DATA/cti/indicators/indicators.csv.zst --windows PATTERN:DATA/windows/compound/metasploit_*.zst "
        "--web PATTERN:DATA/web/semicomplete*.gz PATTERN:DATA/web/secrepo*.gz PATTERN:DATA/web/scan_w3af*.gz",
        short="bench/indicators.py --json --rules DATA/rules/sigma-rules.tar.gz "
        "--indicators DATA/cti/indicators/indicators.csv.zst --windows PATTERN:DATA/windows/compound/*comsvcs*.zst "
        "--web PATTERN:DATA/web/semicomplete*.gz --web-lines 60000 --sizes 10000 --repeat 1 --singles 5",
        what="Block lists drawn by lot from a public one, beside the whole public rule set. *First start*: the list is "
        "read and made a table; *next starts* map the table. *Times the CPU of none*: `amagasa detect` over the same "
        "logs in turn with and without indicators, the median of three pairs. A record that an indicator names must be "
        "weighed, and told or counted as aged; the last row of the web logs is the list less every value that these "
        "logs show, which is what looking costs where nothing is found.",
        show=table_of_indicators,
        plots=plots_of_indicators,
    ),
    Bench(
        name="detect-lab",
        title="Sigma rules over real Windows events",
        command="bench/detect.py --rules DATA/rules/sigma-rules.tar.gz DATA/windows/compound/metasploit_*.zst",
        short="bench/detect.py --rules DATA/rules/sigma-rules.tar.gz DATA/windows/compound/*comsvcs*.zst",
        what="The public rule set over five campaigns of staged credential theft among ordinary events. CPU seconds "
        "of one process, beside those which orjson.loads needs for the same lines: ratio 1 would be detection at the "
        "speed of parsing JSON and nothing else. The second pass finds the memo of the first.",
        show=table_of_detect,
    ),
    Bench(
        name="detect-hard",
        title="Sigma rules over events made to be hard",
        command="bench/detect.py --rules DATA/rules/sigma-rules.tar.gz --hard 60000",
        short="bench/detect.py --rules DATA/rules/sigma-rules.tar.gz --hard 5000",
        what="Process creations whose command lines are all different, so that no memo helps.",
        show=table_of_detect,
    ),
    Bench(
        name="detect-builtin",
        title="Built-in rules over events made to be hard",
        command="bench/detect.py --hard 60000",
        short="bench/detect.py --hard 5000",
        what="The same events with the rules that every node has; needs no real logs.",
        show=table_of_detect,
    ),
    Bench(
        name="normalise",
        title="Reading and normalising",
        command="bench/normalise.py DATA/web/semicomplete*.gz DATA/syslog/elastic_auth.log.gz "
        "DATA/ot/suricata/eve.ndjson.zst DATA/windows/compound/*comsvcs*.zst",
        short="bench/normalise.py DATA/web/semicomplete*.gz DATA/syslog/elastic_auth.log.gz",
        what="Unpacking, cutting into records, and turning records into rows of the fields that rules want. CPU "
        "seconds of one process.",
        show=table_of_normalise,
    ),
    Bench(
        name="stix",
        title="STIX patterns over observed-data",
        command="bench/stix.py --json PEER:stix2-matcher",
        short="bench/stix.py --json --observations 20 PEER:stix2-matcher",
        what="Milliseconds of CPU to match a pattern against observations, one a second, parsing included; beside the "
        "OASIS reference matcher (stix2-matcher, Python as well) with the same patterns and observations, each in a "
        "process of its own. It looks at all bindings, so that some patterns over many observations do not end.",
        show=table_of_stix,
    ),
    Bench(
        name="correlate",
        title="Correlations, with ten thousand groups open",
        command="bench/correlate.py --hits 200000 --json",
        short="bench/correlate.py --hits 5000 --groups 500 --json",
        what="What rules found, by the kind of correlation that looks at it: hits a CPU second of one process. "
        "*Files*: in order, as `amagasa detect` does it. *Node*: a hundred at a time, told at once and kept for late "
        "ones, without the store. *Late*: the same, a tenth of them up to the lateness behind.",
        show=table_of_correlate,
    ),
    Bench(
        name="triage",
        title="From events to what a person reads",
        command="bench/triage.py --json --data DATA",
        short="bench/triage.py --json --data DATA --alerts 2000",
        what="Each data set read as a node reads it, from an empty store, with the built-in rules: *to read* are the "
        "incidents left. Precision and recall are of what the last column says. Below it the hunt of `secrepo` (395 "
        "sources, 256 of them with one request) split among three parties, whose incidents cross under a clause that "
        "hides addresses behind stand-ins: *sources* counts each once, *heard of* as often as a party named it.",
        show=table_of_triage,
    ),
    Bench(
        name="hunt",
        title="The past searched",
        command="bench/hunt.py --windows DATA/windows/compound/*.zst DATA/windows/atomic/*.zst --gb 10 --rules "
        "DATA/rules/sigma-rules.tar.gz --json",
        short="bench/hunt.py --windows DATA/windows/compound/*comsvcs*.zst --gb 0.2 --json",
        what="Windows records, repeated with other host names and numbers, in a lake; a value put into three places. "
        "Seconds on one core, beside zstdgrep over one file of the same level and duckdb over that file with one "
        "thread. A word that filters know passes by nearly all blocks; part of a word, a rule and a list of a million "
        "addresses look at every record.",
        show=table_of_hunt,
    ),
    Bench(
        name="ingest",
        title="Records into a node, end to end",
        command="-m bench.ingest --json NAMED:rsyslogd NAMED:crowdsec",
        short="-m bench.ingest --json --records 20000 --rounds 1 NAMED:rsyslogd NAMED:crowdsec",
        what="The same lines of a web log come to an idle node with the built-in rules: from the first byte to the "
        "commit of the last record, looked at and, but for one row, kept in the lake. rsyslog (Debian), where it is "
        "given, tails the same file and copies it into another: it neither looks nor commits. CrowdSec (Debian), where "
        "it is given, reads the first 20,000 lines of it with its parser and scenarios for web logs and keeps neither "
        "lines nor positions; it opens a bucket for each address, and these lines have many.",
        show=table_of_ingest,
    ),
    Bench(
        name="chaos",
        title="Killed at random, and nothing lost",
        command="-m bench.chaos --json --kills 200 --minutes 22 --seed 44",
        short="-m bench.chaos --json --kills 5",
        what="Sources of every kind send without pause while the node, or one of its processes, is killed (SIGKILL), "
        "the disk fills, another connection locks the store, the broker is killed and the clock jumps up to two days. "
        "Each record is accounted for. What was not confirmed is *sent again*, over HTTP and NATS under the same key, "
        "over syslog as another record.",
        show=table_of_chaos,
    ),
    Bench(
        name="link",
        title="The line between two nodes",
        command="-m bench.link PEER:medallion",
        short="-m bench.link PEER:medallion --seconds 3 --bulk 3000 --limit 5",
        what="Two processes, real stores, mutual TLS with pinned certificates: from the transaction that releases an "
        "object to the ally's answer that it holds it, one at a time; then many at once.",
        show=table_of_link,
    ),
    Bench(
        name="console",
        title="The console with a million alerts",
        command="-m bench.console",
        short="-m bench.console --alerts 20000 --watchers 10 --seconds 10",
        what="The queue and other answers of the server over loopback, for one person and for many who are told of "
        "each change at once; and the page in headless Chromium, from its address to the first row of the queue. "
        "Answers that are the same for everyone are made once a second or once a change; *made anew* is the queue "
        "without that.",
        show=table_of_console,
    ),
    Bench(
        name="mission",
        title="Missions of ten thousand nodes",
        command="bench/mission.py --json",
        short="bench/mission.py --json --nodes 500",
        what="A made-up model: 50 missions on five layers of services on assets, two to four feeders a node. What each "
        "method takes for the whole model, what 200 incidents do to it, which assets hurt most, what to restore first.",
        show=table_of_mission,
    ),
    Bench(
        name="agree",
        title="The engine beside a plain reference, on every event",
        command="-m tests.detect.engine.corpora --processes 2 --rules DATA/rules/sigma-rules.tar.gz --web "
        "DATA/web/*.gz --windows DATA/windows/compound/*.zst DATA/windows/atomic/*.zst",
        short="-m tests.detect.engine.corpora --rules DATA/rules/sigma-rules.tar.gz --hard 50 --windows "
        "DATA/windows/compound/GoldenSAML*.zst",
        what="Not how fast, but whether right: every event of the bench corpus and of the web logs, and some of the "
        "hard one, against every rule whose log source it has. The reference is a walk over pySigma's tree without any "
        "code of the engine. An answer depends on the values of a rule's fields alone, so the reference is asked once "
        "for each different tuple of them. The engine answers twice: as it is, and behind the sieve. Reading the "
        "records is shared, and therefore not compared here.",
        show=as_it_came,
    ),
    Bench(
        name="store",
        title="The store",
        command="bench/store.py --alerts 200000",
        short="bench/store.py --alerts 20000",
        what="The transaction of the ingest, fsync included, and pages of a long queue. The last column says how much "
        "dearer a page is than in a store of a hundredth of the alerts: 1 means that length costs nothing.",
        show=table_of_store,
    ),
)


def fill_in(command: str, data: Path, peers: dict[str, str]) -> list[str] | None:
    """The arguments with DATA and patterns filled in; None where the data are not there.

    `PEER:name` becomes `--peer PATH` where a path to it is given, and nothing otherwise; `NAMED:name` likewise
    `--peer name=PATH`. `PATTERN:...` stays a pattern.
    """
    arguments: list[str] = []
    for word in command.split():
        if word.startswith("PEER:"):
            path = peers.get(word.removeprefix("PEER:"))
            arguments += ["--peer", path] if path else []
            continue
        if word.startswith("NAMED:"):
            name = word.removeprefix("NAMED:")
            arguments += ["--peer", f"{name}={peers[name]}"] if name in peers else []
            continue
        if word.startswith("PATTERN:"):
            pattern = word.removeprefix("PATTERN:").replace("DATA", str(data))
            if not glob.glob(pattern):  # noqa: PTH207 - a pattern over several folders
                return None
            arguments.append(pattern)
            continue
        if "DATA" not in word:
            arguments.append(word)
            continue
        found = sorted(glob.glob(word.replace("DATA", str(data))))  # noqa: PTH207 - a pattern over several folders
        if not found:
            return None
        arguments += found
    return arguments


def run(command: str, data: Path, peers: dict[str, str]) -> dict[str, Any]:
    """Run one; what came of it as JSON values."""
    shown_command = (
        re.sub(r"(PEER|NAMED):(\S+)", r"--peer \2" if peers else "", command).replace("PATTERN:", "").strip()
    )
    kept: dict[str, Any] = {"command": f"python {shown_command}", "machine": machine()}
    arguments = fill_in(command, data, peers)
    if arguments is None:
        return kept | {"not_run": "it needs the folder of real logs (DATA), which is not part of the project"}
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return kept | {"failed": f"it took longer than {TIMEOUT_S} s"}
    kept["elapsed_s"] = round(time.monotonic() - began, 1)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return kept | {"failed": f"exit code {done.returncode}"}
    output = done.stdout.replace(f"{data}/", "DATA/").replace(f"{ROOT}/", "")
    return kept | {"output": output}


def main() -> int:
    """Run, keep, write, say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[bench.name for bench in BENCHES], default=[])
    parser.add_argument("--short", action="store_true", help="small runs, to see that all of it works; nothing is kept")
    parser.add_argument("--data", type=Path, default=ROOT / ".." / "shared" / "data")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=PATH", help="another program to compare with"
    )
    asked = parser.parse_args()
    peers = dict(peer.split("=", 1) for peer in asked.peer)
    kept = msgspec.json.decode(FIGURES.read_bytes()) if FIGURES.is_file() else {}
    has_failed = False
    for bench in BENCHES:
        if asked.only and bench.name not in asked.only:
            continue
        print(f"{bench.name}: {bench.title} ...", file=sys.stderr, flush=True)
        result = run(bench.short if asked.short else bench.command, asked.data.resolve(), peers)
        has_failed |= "failed" in result
        kept[bench.name] = result
        print(f"\n## {bench.title}\n\n{shown(bench, result)}\n", flush=True)
    if not asked.short:
        FIGURES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        sections = [
            (bench.title, bench.what, shown(bench, kept[bench.name], FIGURES.parent))
            for bench in BENCHES
            if bench.name in kept
        ]
        README.write_text(page(machine(), sections), encoding="utf-8")
        print(f"written: {README.relative_to(ROOT)}", file=sys.stderr)
    return 3 if has_failed else 0


def shown(bench: Bench, result: dict[str, Any], folder: Path | None = None) -> str:
    """A bench's command and its figures, or why there are none; its plots, written to the folder."""
    head = f"`{result['command']}`"
    if "not_run" in result:
        return f"{head}\n\nNot run: {result['not_run']}."
    if "failed" in result:
        return f"{head}\n\nFailed: {result['failed']}."
    at = result["machine"]
    foot = f"Taken {at['taken_at']}; load average before the run {at['load']}; it took {result['elapsed_s']:.0f} s."
    plots = f"{bench.plots(result['output'], folder)}\n\n" if bench.plots and folder else ""
    return f"{head}\n\n{bench.show(result['output'])}\n\n{plots}{foot}"


if __name__ == "__main__":
    sys.exit(main())
