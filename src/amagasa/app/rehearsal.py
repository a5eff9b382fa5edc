"""A rehearsal: log lines of an invented ministry and base, ordinary ones and attacks, each at its time.

Nothing here touches a real system: a scenario is data, a step is a line of text. The same seed and start give the same
lines. The first attack comes within two seconds, all kinds within fifteen; then they come again in other forms, without
end, so take as many steps as are wanted.
"""

import base64
import heapq
import ipaddress
import json
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any, Final, TypeAlias

from msgspec import Struct, convert

from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import to_rfc3339

_JAPAN: Final = timezone(timedelta(hours=9))
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SYSMON: Final = "Microsoft-Windows-Sysmon"
_LOOPS: Final = "while(1){{try{{$t={word};Start-Sleep {digit}}}catch{{}}}}"  # harmless, as every word here


class Reply(Struct, frozen=True, kw_only=True):
    """What the ally's analyst answers with, and the ordinary looking lines which only that answer finds."""

    address: str
    title: str
    user_agent: str
    every_s: float
    pages: tuple[str, ...]
    rule_every_s: float
    rule_pages: tuple[str, ...]
    rule_agent: str
    rule_addresses: tuple[str, ...]
    sigma_rule: str


class Attacker(Struct, frozen=True, kw_only=True):
    """Requests in bursts: `burst` of them over `spread_s`, every `every_s`. A request is `METHOD URI STATUS`."""

    first_at_s: float
    every_s: float
    burst: int
    spread_s: float
    addresses: tuple[str, ...]
    agents: tuple[str, ...]
    requests: tuple[str, ...]


class Web(Struct, frozen=True, kw_only=True):
    """The website: its visitors (first address and number of each block) and its attackers."""

    host: str
    visits_per_s: float
    page_bytes: tuple[int, int]
    agents: tuple[str, ...]
    visitors: tuple[tuple[str, int], ...]
    pages: tuple[str, ...]
    scanner: Attacker
    brute_force: Attacker
    sql_injection: Attacker


class Intrusion(Struct, frozen=True, kw_only=True):
    """Stages follow each other by `step_s`; after `pause_s` the next intrusion starts, elsewhere."""

    first_at_s: float
    step_s: float
    pause_s: float
    stages: tuple[dict[str, Any], ...]


class Base(Struct, frozen=True, kw_only=True):
    """The base's Windows hosts. An ordinary process is `image|parent|command line`."""

    domain: str
    dns_domain: str
    events_per_s: float
    hosts: tuple[str, ...]
    users: tuple[str, ...]
    ordinary: tuple[str, ...]
    intrusion: Intrusion


class Scenario(Struct, frozen=True, kw_only=True):
    """A rehearsal as data."""

    name: str
    reply: Reply
    web: Web
    base: Base

    @property
    def address(self) -> str:
        """The address which the ally's indicator names."""
        return self.reply.address

    @property
    def address_title(self) -> str:
        """The title of the ally's indicator."""
        return self.reply.title

    @property
    def sigma_rule(self) -> str:
        """The ally's Sigma rule, as text."""
        return self.reply.sigma_rule.strip() + "\n"

    def indicator(self, *, created_by: str, now: datetime) -> dict[str, Any]:
        """The ally's STIX 2.1 indicator for `address`."""
        kind = "ipv6-addr" if ":" in self.address else "ipv4-addr"
        return {
            "type": "indicator",
            "spec_version": "2.1",
            "id": stable_id("indicator", created_by, self.address),
            "created_by_ref": created_by,
            "created": to_rfc3339(now),
            "modified": to_rfc3339(now),
            "name": self.address_title,
            "indicator_types": ["malicious-activity"],
            "pattern": f"[{kind}:value = '{self.address}']",
            "pattern_type": "stix",
            "pattern_version": "2.1",
            "valid_from": to_rfc3339(now),
            "confidence": 90,
        }


class Step(Struct, frozen=True, kw_only=True):
    """A line to write to `source` (`web` or `base`) `at_s` seconds after the start.

    `kind` says what it plays: `visit`, `process`, `scanner`, `brute-force`, `sql-injection`, `intrusion`, or
    `known-to-ally` and `rule-of-ally` for lines which only the ally's answer finds.
    """

    at_s: float
    source: str
    kind: str
    line: str


def scenario_of(document: str) -> Scenario:
    """A scenario from TOML. Raises ValueError (also msgspec.ValidationError) for anything else."""
    return convert(tomllib.loads(document), Scenario)


# One kind of line: writes what is due now and says in how many seconds it is due again.
_Play: TypeAlias = Callable[[float], tuple[list[Step], float]]


def steps(scenario: Scenario, *, seed: int, started_at: datetime) -> Iterator[Step]:
    """Lines in the order of their time, without end. `started_at` dates the first of them."""
    scenes = _Scenes(scenario, seed, started_at)
    order = count()  # of two plays due at once the older comes first
    due: list[tuple[float, int, _Play]] = [(at_s, next(order), play) for at_s, play in scenes.plays()]
    ready: list[tuple[float, int, Step]] = []
    heapq.heapify(due)
    while True:
        at_s, _, play = heapq.heappop(due)
        while ready and ready[0][0] <= at_s:
            yield heapq.heappop(ready)[2]
        made, wait_s = play(at_s)
        for step in made:
            heapq.heappush(ready, (step.at_s, next(order), step))
        heapq.heappush(due, (at_s + wait_s, next(order), play))


class _Scenes:
    """The plays of one rehearsal, each with dice of its own, so that changing one leaves the others as they were."""

    def __init__(self, scenario: Scenario, seed: int, started_at: datetime) -> None:
        self._scenario = scenario
        self._seed = seed
        self._started_at = started_at

    def plays(self) -> list[tuple[float, _Play]]:
        web, reply, base = self._scenario.web, self._scenario.reply, self._scenario.base
        attackers = (("scanner", web.scanner), ("brute-force", web.brute_force), ("sql-injection", web.sql_injection))
        return [
            (0.0, self._visits(self._dice("visits"))),
            (0.1, self._processes(self._dice("processes"))),
            *((one.first_at_s, self._burst(name, one, self._dice(name))) for name, one in attackers),
            (base.intrusion.first_at_s, self._intrusion(self._dice("intrusion"))),
            (reply.every_s, self._known_to_ally(self._dice("known-to-ally"))),
            (reply.rule_every_s, self._rule_of_ally(self._dice("rule-of-ally"))),
        ]

    def _dice(self, name: str) -> random.Random:
        return random.Random(f"{self._seed} {name}")  # noqa: S311 - a play, not a secret

    def _visits(self, dice: random.Random) -> _Play:
        web = self._scenario.web

        def play(at_s: float) -> tuple[list[Step], float]:
            first, number = dice.choice(web.visitors)
            address = str(ipaddress.ip_address(first) + dice.randrange(number))
            status = dice.choices(("200", "304", "301", "404"), (88, 8, 2, 1))[0]
            uri = "/ja/old/index.html" if status == "404" else dice.choice(web.pages)
            referer = dice.choice(("-", f"https://{web.host}/ja/", "https://search.example/"))
            request = f"GET {uri} {status}"
            made = self._request(at_s, "visit", (address, dice.choice(web.agents), referer), request, dice=dice)
            return [made], dice.expovariate(web.visits_per_s)

        return play

    def _burst(self, kind: str, attacker: Attacker, dice: random.Random) -> _Play:
        def play(at_s: float) -> tuple[list[Step], float]:
            client = (dice.choice(attacker.addresses), dice.choice(attacker.agents), "-")
            n = min(attacker.burst, len(attacker.requests)) if len(attacker.requests) > 1 else attacker.burst
            requests = dice.sample(attacker.requests, n) if len(attacker.requests) > 1 else attacker.requests * n
            every_s = attacker.spread_s / attacker.burst
            made = [
                self._request(at_s + index * every_s, kind, client, request, dice=dice)
                for index, request in enumerate(requests)
            ]
            return made, attacker.every_s * dice.uniform(0.8, 1.2)

        return play

    def _known_to_ally(self, dice: random.Random) -> _Play:
        reply = self._scenario.reply

        def play(at_s: float) -> tuple[list[Step], float]:
            client = (reply.address, reply.user_agent, "-")
            made = self._request(at_s, "known-to-ally", client, f"GET {dice.choice(reply.pages)} 200", dice=dice)
            return [made], reply.every_s * dice.uniform(0.8, 1.2)

        return play

    def _rule_of_ally(self, dice: random.Random) -> _Play:
        reply = self._scenario.reply

        def play(at_s: float) -> tuple[list[Step], float]:
            client = (dice.choice(reply.rule_addresses), reply.rule_agent, "-")
            made = self._request(at_s, "rule-of-ally", client, f"GET {dice.choice(reply.rule_pages)} 200", dice=dice)
            return [made], reply.rule_every_s * dice.uniform(0.8, 1.2)

        return play

    def _request(
        self, at_s: float, kind: str, client: tuple[str, str, str], request: str, *, dice: random.Random
    ) -> Step:
        moment = (self._started_at + timedelta(seconds=at_s)).astimezone(_JAPAN)
        address, agent, referer = client
        words = {
            "month": f"{moment.month:02d}",
            "number": str(dice.randrange(100, 1000)),
            "digit": str(dice.randrange(1, 10)),
            "stamp": f"{dice.randrange(1 << 40):010x}",
        }
        method, uri, status = request.format(**words).split(" ")
        low, high = self._scenario.web.page_bytes
        size = dice.randrange(low, high) if status == "200" else dice.randrange(180, 600)
        stamp = f"{moment:%d}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0900"
        quoted = f'"{method} {uri} HTTP/1.1" {status} {size} "{referer}" "{agent.format(**words)}"'
        return Step(at_s=at_s, source="web", kind=kind, line=f"{address} - - [{stamp}] {quoted}")

    def _processes(self, dice: random.Random) -> _Play:
        base = self._scenario.base

        def play(at_s: float) -> tuple[list[Step], float]:
            image, parent, command = dice.choice(base.ordinary).split("|")
            words = {
                "user": dice.choice(base.users),
                "number": str(dice.randrange(100, 1000)),
                "digit": str(dice.randrange(1, 10)),
            }
            fields = {"Image": image, "ParentImage": parent, "CommandLine": command.format(**words)}
            made = self._sysmon(
                at_s, "process", (dice.choice(base.hosts), words["user"]), {"event": 1, **fields}, dice=dice
            )
            return [made], dice.expovariate(base.events_per_s)

        return play

    def _intrusion(self, dice: random.Random) -> _Play:
        base = self._scenario.base

        def play(at_s: float) -> tuple[list[Step], float]:
            host, next_host = dice.sample(base.hosts, 2)
            words = {
                "user": dice.choice(base.users),
                "domain": base.domain,
                "host": host,
                "next_host": next_host,
                "digit": str(dice.randrange(1, 10)),
                "word": "".join(dice.choices("abcdefghiklmnoprstuvz", k=7)),
            }
            script = _LOOPS.format(**words)
            words["encoded"] = base64.b64encode(script.encode("utf-16-le")).decode()
            stages = base.intrusion.stages
            made = []
            for index, stage in enumerate(stages):
                at = at_s + index * base.intrusion.step_s
                place = (next_host if stage.get("on") == "next" else host, words["user"])
                filled = {
                    key: value.format(**words) if isinstance(value, str) else value for key, value in stage.items()
                }
                made.append(self._sysmon(at, "intrusion", place, filled, dice=dice))
            return made, len(stages) * base.intrusion.step_s + base.intrusion.pause_s * dice.uniform(0.8, 1.2)

        return play

    def _sysmon(
        self, at_s: float, kind: str, place: tuple[str, str], stage: Mapping[str, Any], *, dice: random.Random
    ) -> Step:
        base = self._scenario.base
        host, user = place
        moment = self._started_at + timedelta(seconds=at_s)
        given = {key: value for key, value in stage.items() if key[0].isupper()}
        common = {
            "TimeCreated": to_rfc3339(moment),
            "SourceName": _SYSMON,
            "Channel": f"{_SYSMON}/Operational",
            "Hostname": f"{host}.{base.dns_domain}",
            "EventID": stage["event"],
            "UtcTime": to_rfc3339(moment)[:-1].replace("T", " "),
            "ProcessId": str(dice.randrange(1000, 20000)),
            "User": f"{base.domain}\\{user}",
        }
        line = json.dumps(common | given, ensure_ascii=False, separators=(",", ":"))
        return Step(at_s=at_s, source="base", kind=kind, line=line)
