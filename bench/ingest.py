"""How fast records come into a node, end to end: looked at by all built-in rules, committed, and kept in the lake.

    python -m bench.ingest [--records N] [--rounds N] [--peer rsyslogd=PATH] [--peer crowdsec=ROOT] [--json]

The same lines of a web log come to a node that runs and is idle: appended to a followed file at once, over syslog (UDP
at a pace, TCP, TLS), pushed over HTTP in parts of 2,000 (gzip), and out of NATS in messages of as many. Time counts
from the first byte to the commit of the last record; CPU seconds are those of all of the node's processes. The file is
done with and without the lake, in turn. Peers which tail the same file (bench/ingest_peers.py) are measured where they
are given.
"""

import argparse
import asyncio
import gzip
import hashlib
import json
import socket
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import nats
from bench.ingest_peers import cpu_of, crowdsec, rsyslog
from bench.machine import machine
from tests.journeys.broker import NATS, Server
from tests.journeys.nodes import JourneyNode, eventually, free_port, node_in

TOKEN = "bench-token"  # noqa: S105 - of a node that lives for a minute
PART = 2_000
DEADLINE_S = 300.0
STEADY_LOOKS = 60  # some seconds
UDP_PAUSE_S = 0.004  # after each hundred datagrams: UDP cannot be slowed, so its sender keeps to a pace
# CrowdSec opens a bucket in memory for each address that comes, which many addresses make slow: it gets fewer lines.
LINES_OF_CROWDSEC = 20_000
KINDS = ("file", "file without lake", "syslog udp", "syslog tcp", "syslog tls", "http", "nats")

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
            for kind in KINDS:
                if kind == "nats" and not NATS.exists():
                    continue
                folder = Path(home) / f"{kind.replace(' ', '-')}-{number}"
                folder.mkdir()
                rounds.setdefault(kind, []).append(measured(folder, kind, lines))
            for peer, path in peers.items():
                folder = Path(home) / f"{peer}-{number}"
                folder.mkdir()
                if peer == "rsyslogd":
                    rounds.setdefault("rsyslog, file to file", []).append(rsyslog(folder, path, lines))
                if peer == "crowdsec":
                    some = crowdsec(folder, path, lines[:LINES_OF_CROWDSEC])
                    rounds.setdefault("CrowdSec, file", []).append(some)
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
    return middle | {"per_s": round(middle["n"] / middle["s"]), "per_cpu_s": round(middle["n"] / middle["cpu_s"])}


def measured(home: Path, kind: str, lines: list[bytes]) -> dict[str, float]:
    """One round of a kind: seconds, and CPU seconds of the node's processes."""
    log, ports = home / "access.log", (free_port(), free_port())
    log.touch()
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    tables = {
        "file": f'path = "{log}"',
        "file without lake": f'path = "{log}"',
        "syslog udp": f'kind = "syslog"\ntransport = "udp"\nport = {ports[0]}',
        "syslog tcp": f'kind = "syslog"\nport = {ports[0]}',
        "syslog tls": f'kind = "syslog"\ntransport = "tls"\nport = {ports[0]}',
        "http": f'kind = "http"\nport = {ports[1]}\ntoken_sha256 = "{token}"',
    }
    send = {
        "syslog udp": to_udp(ports[0]),
        "syslog tcp": to_tcp(ports[0]),
        "syslog tls": to_tls(ports[0]),
        "http": to_http(ports[1]),
    }.get(kind, to_file(log))
    with node_in(home / "node") as node, ExitStack() as stack:
        if kind == "nats":
            broker = Server(home)
            stack.callback(broker.kill)
            broker.start()
            asyncio.run(broker.publish(1, 0))
            tables[kind] = f'kind = "nats"\nstream = "logs"\nservers = ["{broker.address}"]'
            send = to_nats(broker)
        node.set_settings(lambda text: f'{text}\n[[source]]\nname = "it"\nformat = "access"\n{tables[kind]}\n')
        node.start(**({"AMAGASA_LAKE__ENABLED": "false"} if "without" in kind else {}))
        eventually(lambda: '"files_to_come": 0' in node.told(), about="all rules are looked with")
        time.sleep(3.0)  # what follows a start, such as the sieve, is no part of it
        pid = node.process.pid if node.process is not None else 0
        cpu_s = cpu_of(pid)
        began = time.monotonic()
        send(lines)
        n_read = read_by(node, len(lines), may_lose=kind == "syslog udp")
        elapsed_s = time.monotonic() - began
        return {"n": n_read, "n_lost": len(lines) - n_read, "s": elapsed_s, "cpu_s": cpu_of(pid) - cpu_s}


def read_by(node: JourneyNode, n: int, *, may_lose: bool) -> int:
    """How many it read: all, or, where some may be lost on the way, as many as it has once no more come."""
    looks: list[int] = []

    def is_over() -> bool:
        looks.append(int(node.source("it")["n_read"]))
        return looks[-1] >= n or (may_lose and len(looks) > STEADY_LOOKS and looks[-STEADY_LOOKS] == looks[-1] > 0)

    eventually(is_over, about="all is read", deadline_s=DEADLINE_S)
    return looks[-1]


def to_file(log: Path) -> Send:
    """All at once."""

    def send(lines: list[bytes]) -> None:
        with log.open("ab") as stream:
            stream.writelines(lines)

    return send


def to_udp(port: int) -> Send:
    """A datagram a line, at a pace."""

    def send(lines: list[bytes]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.connect(("127.0.0.1", port))
            for number, one in enumerate(lines):
                line.send(one)
                if number % 100 == 0:
                    time.sleep(UDP_PAUSE_S)

    return send


def to_tls(port: int) -> Send:
    """One connection; the certificate is the node's own and is not looked at."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def send(lines: list[bytes]) -> None:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port))) as line:
            line.sendall(b"".join(lines))
            line.unwrap()  # without it what the receiver has not read yet is thrown away

    return send


def to_nats(broker: Server) -> Send:
    """A message for each part, over one connection, each confirmed by the broker before it is the next one's turn."""

    async def publish(lines: list[bytes]) -> None:
        client = await nats.connect(broker.address)
        for start in range(0, len(lines), PART):
            await client.jetstream().publish("logs.web", b"".join(lines[start : start + PART]))
        await client.close()

    return lambda lines: asyncio.run(publish(lines))


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


if __name__ == "__main__":
    main()
