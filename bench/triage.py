"""From events to what a person reads, over a real store: how many incidents, how right, how fast.

    .venv/bin/python bench/triage.py [--data ../shared/data] [--only NAME]... [--alerts 20000] [--json]

Each data set is read as a node reads it (built-in rules, correlations, one commit a chunk), from an empty store.
*Events* and *to read* (incidents, swarms counted as one) give the reduction. *Precision* and *recall* are of sources or
of records against what is known of the set; `facts` says of what. The hunt of `secrepo` is also split among three
parties, whose incidents cross under an agreement that hides addresses behind stand-ins, and put together as campaigns.

Without the folder of real logs only the rates are measured: alerts a CPU second folded, grouped, linked, over
`--alerts` made-up detections of a tenth as many sources, and the memory that the open incidents take.
"""

import argparse
import csv
import json
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.active_content import as_held
from amagasa.app.campaigns import allys_member, own_member
from amagasa.app.open_windows import OpenWindows
from amagasa.app.pages import Page
from amagasa.app.path import look
from amagasa.app.ports import Store, StoredObject
from amagasa.app.watch import record_batch, record_time
from amagasa.app.worker_messages import Batch
from amagasa.detect.correlation.windows import Manner
from amagasa.detect.report import Detection
from amagasa.entry.wiring_detect import ContentFiles, Loaded, load_content, open_all
from amagasa.event.entity import Entity, EntityKind
from amagasa.event.record import Chunk
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.fold import fold
from amagasa.incident.group import group
from amagasa.incident.link import Campaign, Member, link
from amagasa.incident.links import kind_of, values_of
from amagasa.incident.tokens import token_of
from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.describe import describe_incident
from amagasa.share.release import release
from amagasa.share.terms import Coarse, Generalise, Role
from amagasa.share.verdict import Released
from amagasa.vocab.severity import Level, Severity
from amagasa.vocab.tlp import Tlp

LATER = datetime(2035, 1, 1, tzinfo=UTC)  # every group of a correlation is silent by then
LSASS = "windows/compound/metasploit_{}_lsass_memory_dump.ndjson.zst"
SOURCE = EntityKind.SOURCE_ADDRESS


class Read(Struct, frozen=True, kw_only=True):
    """What came of one data set."""

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]


def told(read: Read, sources: set[str], *, least: Severity = Severity.LOW) -> dict[str, Any]:
    """Precision and recall of the sources that incidents of at least this severity name."""
    named = {source for one in read.incidents if one.severity >= least for source in sources_of(one)}
    return quality(named, sources)


def quality(found: set[str], truth: set[str]) -> dict[str, Any]:
    """Precision and recall of one set against another."""
    hits = len(found & truth)
    return {
        "precision": round(hits / len(found), 4) if found else None,
        "recall": round(hits / len(truth), 4) if truth else None,
    }


def sources_of(incident: Incident) -> set[str]:
    """Its source addresses."""
    return {values_of(one)[0] for one in incident.links if kind_of(one) == SOURCE.value}


def netsparker(read: Read, _: Path) -> dict[str, Any]:
    """One source, one scan, one incident."""
    return {"facts": "source of the scan", **told(read, {"192.168.4.164"})}


def w3af(read: Read, _: Path) -> dict[str, Any]:
    """Three sources; one of them sends 20 requests as an ordinary browser."""
    return {"facts": "sources of the scan", **told(read, {"192.168.4.163", "192.168.1.20", "192.168.4.25"})}


def ordinary(read: Read, _: Path) -> dict[str, Any]:
    """Nothing to read."""
    return {"facts": f"ordinary traffic: {len(read.incidents)} incidents, none expected"}


def theft(read: Read, _: Path) -> dict[str, Any]:
    """The theft is in one of at most three incidents, with the steps around it."""
    holding = [one for one in read.incidents if "T1003.001" in one.techniques]
    inside = sum(alert.incident_id is not None for alert in read.alerts)
    share = round(inside / len(read.alerts), 4) if read.alerts else None
    return {"facts": f"theft in {len(holding)} of {len(read.incidents)} incidents", "recall": share, "precision": None}


def break_in(read: Read, _: Path) -> dict[str, Any]:
    """The one address that guessed right, with its failures in the same incident."""
    his = [incident for incident in read.incidents if "24.151.103.17" in sources_of(incident)]
    one = max(his, key=lambda incident: incident.severity)  # days before he looked at the server, one of many
    n = sum(a.n_detections for a in read.alerts if a.incident_id == one.id and "refused" in a.title)
    grave = [incident for incident in read.incidents if incident.severity >= Severity.HIGH]
    facts = f"break-in by 24.151.103.17 after {n} refused in its incident; {len(grave)} incident of high severity"
    return {"facts": facts, **told(read, {"24.151.103.17"}, least=Severity.HIGH)}


def no_break_in(read: Read, _: Path) -> dict[str, Any]:
    """The accepted sign-in from 119.137.62.142 is nobody's attack; the worst guesser is an incident of its own."""
    wrong = [one for one in read.incidents if "119.137.62.142" in sources_of(one)]
    own = [one for one in read.incidents if sources_of(one) == {"183.62.140.253"}]
    facts = f"ordinary sign-in in {len(wrong)} incidents; the worst guesser alone in {len(own)}"
    return {"facts": facts, "precision": None, "recall": None}


def hunt(read: Read, data: Path) -> dict[str, Any]:
    """The sources of the hunt, in the largest incident."""
    largest = max(read.incidents, key=lambda one: one.n_alerts)
    return {"facts": "sources of the hunt, in its one incident", **quality(sources_of(largest), hunters(data))}


def hunters(data: Path) -> set[str]:
    """As labelled."""
    with (data / "web/secrepo_2022-12-22.labels.csv").open() as lines:
        return {row["src_ip"] for row in csv.DictReader(lines) if row["label"] == "backup_file_hunt"}


SETS: dict[str, tuple[str, Callable[[Read, Path], dict[str, Any]]]] = {
    "Netsparker scan": ("web/scan_netsparker_dvwa.access.log.gz", netsparker),
    "w3af scan": ("web/scan_w3af_joomla.access.log.gz", w3af),
    "secrepo, one day": ("web/secrepo_2022-12-22.access.log.gz", hunt),
    "semicomplete": ("web/semicomplete_2015-05-17_19.access.log.gz", ordinary),
    "elastic auth.log": ("syslog/elastic_auth.log.gz", break_in),
    "OpenSSH": ("syslog/loghub_OpenSSH_2k.log.gz", no_break_in),
    **{
        f"LSASS, {name}": (LSASS.format(name), theft)
        for name in ("comsvcs", "logonpasswords", "out-minidump", "outflank-dumpert", "sharpdump")
    },
}


def run(store: Store, loaded: Loaded, path: Path, keep: list[Detection] | None = None) -> dict[str, Any]:
    """Read a log into the store as a node does."""
    sight = loaded.sight()
    windows = OpenWindows(store, Manner(links=loaded.links), lambda: datetime.now(UTC))
    windows.use(loaded.links)
    n_events = n_detections = 0
    spent = 0.0
    for item in open_all([str(path)], None):
        if isinstance(item, Chunk):
            now = datetime.now(UTC)
            seen = look(item, sight, now=now)
            detections = tuple(map(as_held, seen.report.detections))
            n_events, n_detections = n_events + seen.n_read, n_detections + len(detections)
            if keep is not None:
                keep += detections
            began = time.process_time()
            record_batch(store, batch_of(detections, hits=seen.hits), nobody, now=now, windows=windows)
            spent += time.process_time() - began
    record_time(store, windows, nobody, now=LATER)
    return {"events": n_events, "detections": n_detections, "triage_cpu_s": round(spent, 3)}


def batch_of(detections: Sequence[Detection], hits: Any = ()) -> Batch:
    """One chunk's worth."""
    n = len(detections)
    return Batch(
        source="log",
        token={},
        n_read=n,
        n_accepted=n,
        n_rejected=0,
        rejects=(),
        detections=tuple(detections),
        faults=(),
        last_record_at=None,
        lag_bytes=0,
        hits=hits,
    )


def nobody(*_: Any) -> tuple[()]:
    """Tells no ally."""
    return ()


def read_back(store: Store) -> Read:
    """All alerts and all incidents that are not part of others."""
    alerts: list[Alert] = []
    incidents: list[Incident] = []
    with store.read() as reading:
        cursor = None
        while True:
            some, cursor = reading.alerts(Page(limit=500, before=cursor))
            alerts += some
            if cursor is None:
                break
        while True:
            found, cursor = reading.incidents(Page(limit=500, before=cursor))
            incidents += found
            if cursor is None:
                break
    return Read(alerts=tuple(alerts), incidents=tuple(one for one in incidents if one.merged_into is None))


def row_of(name: str, loaded: Loaded, data: Path) -> dict[str, Any]:
    """One data set."""
    place, judge = SETS[name]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "state.sqlite")
        counts = run(store, loaded, data / place)
        read = read_back(store)
        store.close()
    to_read = len(read.incidents)
    return {
        "set": name,
        **counts,
        "alerts": len(read.alerts),
        "to_read": to_read,
        "events_a_read": round(counts["events"] / to_read) if to_read else None,
        **judge(read, data),
    }


def campaign_of(loaded: Loaded, data: Path, *, by_source: bool) -> dict[str, Any]:
    """The hunt split among three parties, put together by what crosses."""
    detections: list[Detection] = []
    shares: list[list[Detection]] = [[], [], []]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "whole.sqlite")
        run(store, loaded, data / SETS["secrepo, one day"][0], detections)
        store.close()
        for one in detections:
            source = next(entity.value for entity in one.entities if entity.kind is SOURCE)
            shares[(sum(map(ord, source)) if by_source else one.record) % 3].append(one)
        members: list[Member] = []
        for number, share in enumerate(shares):
            members += members_of(number, share, Path(folder))
    found = [one for one in link(members) if one.n_sources > 10]
    known = set[str]().union(*(member.sources for one in found for member in one.members))
    truth = {token for source in hunters(data) if (token := token_of(source)) is not None}
    return {
        "split": "by source" if by_source else "by line",
        "incidents": len(members),
        "campaigns": len(found),
        "parties": len(found[0].parties) if found else 0,
        "sources": sum(one.n_sources for one in found),
        "heard_of": sum(len(member.sources) for one in found for member in one.members),
        **quality(known, truth),
    }


def members_of(number: int, share: Sequence[Detection], folder: Path) -> list[Member]:
    """A party's incidents as the others may know them; the first party looks at its own."""
    store = open_store(folder / f"party{number}.sqlite")
    record_batch(store, batch_of(share), nobody, now=datetime.now(UTC))
    incidents = [one for one in read_back(store).incidents if one.status is Status.OPEN]
    store.close()
    if not number:
        return [own_member(one) for one in incidents]
    members = [allys_member(crossed(number, one)) for one in incidents]
    return [one for one in members if one is not None]


def crossed(number: int, incident: Incident) -> StoredObject:
    """The bytes which leave under a clause that hides addresses behind stand-ins."""
    own, other = (party(n, role) for n, role in ((number, Role.SUPPORTED), (9, Role.SUPPORTING)))
    clause = Clause(
        id="incidents",
        giver=own.id,
        objects=("incident",),
        ceiling=Tlp.AMBER,
        consent=Consent.AUTOMATIC,
        generalise=(Generalise(path="extensions.*.source_addresses", to=Coarse.STAND_IN),),
    )
    now = datetime.now(UTC)
    agreement = Agreement(
        id="agreement--1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
        title="Umbrella",
        version=1,
        parties=(own, other),
        valid_from_at=now - timedelta(days=1),
        valid_until_at=now + timedelta(days=1),
        clauses=(clause,),
    )
    (obj,) = describe_incident(incident, party=own, marking=Tlp.AMBER, now=now)
    verdict = release(obj, other, agreement, now=now, secret=bytes(32))
    if not isinstance(verdict, Released):
        raise TypeError(verdict)
    version = str(msgspec.json.decode(verdict.content)["modified"])
    return StoredObject(
        id=verdict.object_id, version=version, type="incident", origin=own.id, body=verdict.content, added_at=now
    )


def party(number: int, role: Role) -> Party:
    """A party of the bench."""
    return Party(
        id=f"identity--{number:08x}-6d0e-4b1c-8a6a-2d5a1a7c9b01",
        name=f"party {number}",
        country="JP",
        role=role,
        key="A" * 43,
        certificate="none",
        address="https://party.example:8443/",
    )


def rates(n: int) -> dict[str, Any]:
    """Alerts a CPU second through each step, in memory, and what the open incidents take."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    detections = made_up(n, now)
    began = time.process_time()
    alerts = fold(detections, [], source="web", now=now)
    folded = time.process_time() - began
    tracemalloc.start()
    incidents: dict[str, Incident] = {}
    began = time.process_time()
    for start in range(0, len(alerts), 100):
        some = alerts[start : start + 100]
        for one in group(
            some, list(incidents.values()) if len(incidents) < 200 else near(incidents, some), now=now
        ).incidents:
            incidents[one.id] = one
    grouped = time.process_time() - began
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    members = [replace(own_member(one), party=str(place % 3)) for place, one in enumerate(incidents.values())]
    began = time.process_time()
    found: tuple[Campaign, ...] = link(members[:3000])
    linked = time.process_time() - began
    return {
        "detections": n,
        "alerts": len(alerts),
        "incidents": len([one for one in incidents.values() if one.status is Status.OPEN]),
        "folded_per_s": round(n / folded),
        "grouped_per_s": round(len(alerts) / grouped),
        "linked_per_s": round(len(members[:3000]) / linked),
        "campaigns": len(found),
        "open_incidents_mb": round(held / 1e6, 1),
    }


def near(incidents: dict[str, Incident], alerts: Sequence[Alert]) -> list[Incident]:
    """Those which share an entity with the alerts, as the store's index finds them."""
    wanted = {entity for alert in alerts for entity in alert.entities}
    return [one for one in incidents.values() if not wanted.isdisjoint(one.entities)]


def made_up(n: int, now: datetime) -> list[Detection]:
    """A day of attacks by a tenth as many sources, some of which three parties share."""
    draw = random.Random(1)
    return [
        Detection(
            rule_id=f"rule-{draw.randrange(30)}",
            title="SQL injection",
            level=Level.HIGH,
            path="/var/log/access.log",
            record=number + 1,
            event_at=now - timedelta(seconds=draw.randrange(86_400)),
            techniques=("T1190",),
            tactics=("initial-access",),
            fields={"cs-uri-query": "id=1%27"},
            event={},
            entities=(Entity(kind=SOURCE, value=f"198.18.{source >> 8}.{source & 255}"),),
        )
        for number in range(n)
        for source in (draw.randrange(max(1, n // 10)),)
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--alerts", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    told_of: dict[str, Any] = {"rates": rates(wanted.alerts), "sets": [], "campaigns": []}
    if (wanted.data / "web").is_dir():
        loaded = load_content(ContentFiles())
        names = [name for name in SETS if not wanted.only or any(one in name for one in wanted.only)]
        told_of["sets"] = [row_of(name, loaded, wanted.data) for name in names]
        if not wanted.only:
            told_of["campaigns"] = [campaign_of(loaded, wanted.data, by_source=each) for each in (False, True)]
    if wanted.json:
        json.dump(told_of, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    for name, rows in told_of.items():
        sys.stdout.write(f"{name}\n")
        for row in rows if isinstance(rows, list) else [rows]:
            sys.stdout.write("  " + ", ".join(f"{key} {value}" for key, value in row.items()) + "\n")


if __name__ == "__main__":
    main()
