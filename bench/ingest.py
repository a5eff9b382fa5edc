"""How fast records come into a node, end to end: looked at by all built-in rules, committed, and kept in the lake.

    python -m bench.ingest [--records N] [--rounds N] [--peer rsyslogd=PATH] [--json]

The same lines of a web log come to a node that runs and is idle: appended to a followed file at once, over syslog TCP,
and pushed over HTTP in parts of 2,000 (gzip). Time counts from the first byte to the commit of the last record; CPU
seconds are those of all of the node's processes. The file is done with and without the lake, in turn. A peer that tails
the same file (rsyslogd: imfile to omfile, which only copies the lines) is measured where it is given.
"""

import argparse
import gzip
import hashlib
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from bench.machine import machine
from tests.journeys.nodes import JourneyNode, children_of, eventually, free_port, node_in

TOKEN = "bench-token"  # noqa: S105 - of a node that lives for a minute
PART = 2_000
DEADLINE_S = 300.0
TICKS = os.sysconf("SC_CLK_TCK")
RSYSLOG = """
global(workDirectory="{home}")
module(load="imfile" mode="inotify")
input(type="imfile" File="{log}" Tag="web" reopenOnTruncate="on")
template(name="raw" type="string" string="%msg%\\n")
action(type="omfile" file="{out}" template="raw" asyncWriting="off" flushOnTXEnd="on")
"""

Send = Callable[[list[bytes]], None]


def main() -> None:
    """Measure, say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    lines = made_lines(arguments.records)
    rounds: dict[str, list[dict[str, float]]] = {}
    peers = dict(one.split("=", 1) for one in arguments.peer)
    with tempfile.TemporaryDirectory() as home:
        for number in range(arguments.rounds):
            for kind in ("file", "file without lake", "syslog tcp", "http"):
                folder = Path(home) / f"{kind.replace(' ', '-')}-{number}"
                folder.mkdir()
                rounds.setdefault(kind, []).append(measured(folder, kind, lines))
            if "rsyslogd" in peers:
                folder = Path(home) / f"rsyslog-{number}"
                folder.mkdir()
                rounds.setdefault("rsyslog, file to file", []).append(rsyslog(folder, peers["rsyslogd"], lines))
    found = {
        "n_records": len(lines),
        "n_bytes": sum(map(len, lines)),
        "n_rounds": arguments.rounds,
        "kinds": {kind: median_of(some) for kind, some in rounds.items()},
        "machine": machine(),
    }
    kinds = found["kinds"]
    found["lake_slower_by"] = {
        key: round(kinds["file"][key] / kinds["file without lake"][key] - 1, 3) for key in ("s", "cpu_s")
    }
    print(json.dumps(found, indent=None if arguments.json else 2))


def made_lines(n: int) -> list[bytes]:
    """Visits of a web site: many addresses, pages and agents, nothing of it an attack."""
    agents = [f"Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0" for v in range(80, 140)]
    day = time.strftime("%d/%b/%Y:%H", time.gmtime(time.time() - 7_200))
    return [
        f"10.{k % 7}.{k * 31 % 251}.{k * 17 % 253} - - [{day}:{k // 60 % 60:02}:{k % 60:02} +0000] "
        f'"GET /page/{k * 13 % 4_099}?item={k} HTTP/1.1" 200 {500 + k % 9_000} "-" "{agents[k % 60]}"\n'.encode()
        for k in range(n)
    ]


def median_of(some: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure; and the rate by the median time."""
    middle = {key: round(statistics.median(one[key] for one in some), 2) for key in some[0]}
    return middle | {"per_s": round(some[0]["n"] / middle["s"]), "per_cpu_s": round(some[0]["n"] / middle["cpu_s"])}


def measured(home: Path, kind: str, lines: list[bytes]) -> dict[str, float]:
    """One round of a kind: seconds, and CPU seconds of the node's processes."""
    log, ports = home / "access.log", (free_port(), free_port())
    log.touch()
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    tables = {
        "file": f'path = "{log}"',
        "file without lake": f'path = "{log}"',
        "syslog tcp": f'kind = "syslog"\nport = {ports[0]}',
        "http": f'kind = "http"\nport = {ports[1]}\ntoken_sha256 = "{token}"',
    }
    send = {"syslog tcp": to_tcp(ports[0]), "http": to_http(ports[1])}.get(kind, to_file(log))
    with node_in(home / "node") as node:
        node.set_settings(lambda text: f'{text}\n[[source]]\nname = "it"\nformat = "access"\n{tables[kind]}\n')
        node.start(**({"AMAGASA_LAKE__ENABLED": "false"} if "without" in kind else {}))
        eventually(lambda: '"files_to_come": 0' in node.told(), about="all rules are looked with")
        time.sleep(3.0)  # what follows a start, such as the sieve, is no part of it
        cpu_s = cpu_of(node)
        began = time.monotonic()
        send(lines)
        eventually(lambda: node.source("it")["n_read"] >= len(lines), about="all is read", deadline_s=DEADLINE_S)
        elapsed_s = time.monotonic() - began
        return {"n": len(lines), "s": elapsed_s, "cpu_s": cpu_of(node) - cpu_s}


def to_file(log: Path) -> Send:
    """All at once."""

    def send(lines: list[bytes]) -> None:
        with log.open("ab") as stream:
            stream.writelines(lines)

    return send


def to_tcp(port: int) -> Send:
    """One connection, confirmed at its end."""

    def send(lines: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(b"".join(lines))
            line.shutdown(socket.SHUT_WR)
            line.recv(1)

    return send


def to_http(port: int) -> Send:
    """In parts, one after another, each confirmed; told to wait, it waits."""

    def send(lines: list[bytes]) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip"}
        with httpx.Client(timeout=60) as client:
            for start in range(0, len(lines), PART):
                body = gzip.compress(b"".join(lines[start : start + PART]), 1)
                while client.post(f"http://127.0.0.1:{port}/records", content=body, headers=headers).status_code != 202:
                    time.sleep(0.1)

    return send


def cpu_of(node: JourneyNode) -> float:
    """CPU seconds of the node's processes so far."""
    pid = node.process.pid if node.process is not None else 0
    return sum(map(cpu_of_process, [pid, *children_of(pid)]))


def cpu_of_process(pid: int) -> float:
    """Of the process and the children that it waited for."""
    cells = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return sum(map(int, cells[11:15])) / TICKS


def rsyslog(home: Path, program: str, lines: list[bytes]) -> dict[str, float]:
    """The peer: it tails the file and writes what it read to another."""
    log, out, settings = home / "access.log", home / "out.log", home / "rsyslog.conf"
    log.touch()
    out.touch()
    settings.write_text(RSYSLOG.format(home=home, log=log, out=out), encoding="utf-8")
    command = [program, "-n", "-f", str(settings), "-i", str(home / "pid")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        time.sleep(2.0)
        cpu_s, began = cpu_of_process(child.pid), time.monotonic()
        to_file(log)(lines)
        wanted = sum(map(len, lines))
        eventually(lambda: out.stat().st_size >= wanted, about="the peer has all", deadline_s=DEADLINE_S)
        found = {"n": len(lines), "s": time.monotonic() - began, "cpu_s": cpu_of_process(child.pid) - cpu_s}
        child.terminate()
    return found


if __name__ == "__main__":
    main()
