"""The demo: a rehearsal is written into the logs of one node, and everything else happens as it would on the day.

Only the feeder and the analyst are played. The feeder appends lines to two files which Japan's node follows; the
analyst watches the American node's API and, when the first sighting arrives, posts an indicator and a rule there, with
a click that any analyst could make. What is told is read back from the two nodes.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from amagasa.app.rehearsal import Scenario, steps
from amagasa.entry.cli.client import NodeClient
from amagasa.entry.demo.story import Shown, Story

LOOK_EVERY_S: Final = 0.1
Tell = Callable[[Shown], None]


class Feeder:
    """Appends the rehearsal's lines to the sources' files, each at its time, on a thread of its own."""

    def __init__(self, scenario: Scenario, files: dict[str, Path], *, seed: int) -> None:
        self._steps = steps(scenario, seed=seed, started_at=datetime.now(UTC))
        self._files = files
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self.n_lines = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        started = time.monotonic()
        streams = {name: path.open("ab", buffering=0) for name, path in self._files.items()}
        try:
            for step in self._steps:
                if self._stopping.wait(max(0.0, step.at_s - (time.monotonic() - started))):
                    return
                streams[step.source].write(step.line.encode() + b"\n")
                self.n_lines += 1
        finally:
            for stream in streams.values():
                stream.close()


class Watch:
    """Looks at both nodes as their people would, and notes what has happened."""

    def __init__(self, supported: NodeClient, supporting: NodeClient, scenario: Scenario, tell: Tell) -> None:
        self._ours = supported
        self._allys = supporting
        self._scenario = scenario
        self._tell = tell
        self._replies: dict[str, str] = {}
        self.story = Story()

    def until(self, give_up_at: float, *, is_over: Callable[[], bool]) -> None:
        """Look until `give_up_at` (monotonic) or until `is_over` says so."""
        while time.monotonic() < give_up_at and not is_over():
            self.look()
            time.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """One look at what has not happened yet."""
        if not self.story.has("detected") or not self.story.has("incident"):
            self._look_at_queue()
        if not self.story.has("left"):
            self._look_at_crossings()
        if not self.story.has("sighted"):
            self._look_at_ally()
        if self.story.has("sighted") and not self.story.has("replied"):
            self._reply()
        if self.story.has("replied") and not self.story.is_complete:
            self._look_at_reply()

    def counts(self) -> dict[str, Any]:
        """What the two nodes hold now, as they say themselves."""
        ours, allys = self._ours.get("/api/status"), self._allys.get("/api/status")
        return {
            "supported": {"name": ours["node"]["name"], **ours["counts"], "sources": ours["sources"]},
            "supporting": {"name": allys["node"]["name"], **allys["counts"]},
            "crossed_out": _by_type(self._ours.get("/api/crossings?direction=out&limit=500")["crossings"]),
            "crossed_in": _by_type(self._ours.get("/api/crossings?direction=in&limit=500")["crossings"]),
        }

    def _reach(self, name: str, what: str) -> None:
        shown = self.story.reach(name, what)
        if shown is not None:
            self._tell(shown)

    def _look_at_queue(self) -> None:
        for alert in self._ours.get("/api/alerts?limit=20")["alerts"][-1:]:
            self._reach("detected", f"{alert['title']}, from {alert['subject']}")
        for incident in self._ours.get("/api/incidents?limit=20")["incidents"][-1:]:
            self._reach("incident", f"{incident['title']} ({incident['n_alerts']} alerts)")

    def _look_at_crossings(self) -> None:
        for one in self._ours.get("/api/crossings?direction=out&state=delivered&limit=20")["crossings"][-1:]:
            marking = f"TLP:{one['marking'].upper()}"
            self._reach("left", f"{one['object_type']} to {one['ally']['name']}, clause {one['clause']}, {marking}")

    def _look_at_ally(self) -> None:
        crossed = self._allys.get("/api/crossings?direction=in&state=admitted&limit=100")["crossings"]
        for one in [one for one in crossed if one["object_type"] == "sighting"][-1:]:
            self._reach("sighted", f"from {one['ally']['name']}, under clause {one['clause']}")

    def _reply(self) -> None:
        address = self._allys.post(
            "/api/content/addresses",
            {"address": self._scenario.reply.address, "title": self._scenario.reply.title, "share": True},
        )
        rule = self._allys.post("/api/content/rules", {"text": self._scenario.reply.sigma_rule, "share": True})
        self._replies = {"indicator": address["id"], "rule": rule["id"]}
        self._reach("replied", f"{address['title']}; {rule['title']}")

    def _look_at_reply(self) -> None:
        held = {item["kind"]: item for item in self._ours.get("/api/content") if item["origin"]["id"]}
        for kind, name in (("stix", "indicator"), ("sigma", "rule")):
            item = held.get(kind)
            if item is not None and item["activated_at"]:
                self._reach(f"{name}_active", f"{item['title']}, from {item['origin']['name']}")
        for alert in self._ours.get("/api/alerts?limit=200")["alerts"]:
            if alert["origin"]["id"]:
                name = "indicator" if alert["is_indicator"] else "rule"
                self._reach(f"{name}_detected", f"{alert['title']}, from {alert['subject']}")


def _by_type(crossings: list[dict[str, Any]]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for one in crossings:
        key = f"{one['object_type']} {one['state']}"
        counted[key] = counted.get(key, 0) + 1
    return dict(sorted(counted.items()))
