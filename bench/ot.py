"""What is found in captures of industrial protocols, in a sensor's log and in flows: precision and recall.

    python bench/ot.py OT [--out bench/OT.md]

OT is a folder with `index.csv` (columns file and label), the captures that it names, and, where they are there,
`suricata/eve.ndjson.zst` and `flows/gics-*.csv.gz`. A capture counts as told where a detection of level medium or
above names it. Told is right for the labels attack, attack-like and recon, and wrong for normal; of the other labels
(control, engineering, malformed, mixed) the same bytes are right or wrong by who sent them, so they are listed alone.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from amagasa.app.baselines import BaselineWatch, learn_from
from amagasa.app.detect_files import detect_files
from amagasa.app.path import understand
from amagasa.detect.baseline.profile import Baseline, State
from amagasa.detect.report import Detection
from amagasa.entry.node.pool import look_here
from amagasa.entry.wiring_detect import ContentFiles, file_correlation, load_content, open_all, streams_of
from amagasa.event.ot.message import message_of
from amagasa.event.record import Chunk
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.vocab.severity import Level

TOLD = {Level.MEDIUM, Level.HIGH, Level.CRITICAL}
RIGHT, WRONG = {"attack", "attack-like", "recon"}, {"normal"}


def detections(paths: list[str]) -> list[Detection]:
    """By the built-in rules and correlations."""
    loaded = load_content(ContentFiles())
    found: list[Detection] = []
    with file_correlation(loaded.links, now=datetime.now(UTC)) as correlate:
        detect_files(streams_of(paths, None), look_here(loaded.sight()), found.append, correlate=correlate)
    return found


def captures(folder: Path) -> Iterator[str]:
    """A line each, then precision and recall by protocol and in all."""
    with (folder / "index.csv").open(newline="") as file:
        index = list(csv.DictReader(file))
    titles: dict[str, Counter[str]] = {}
    low: Counter[str] = Counter()
    for one in detections([str(folder / "pcap")]):
        name = one.path.removeprefix(f"{folder}/")
        if one.level in TOLD:
            titles.setdefault(name, Counter())[one.title] += 1
        else:
            low[name] += 1
    yield "| capture | label | told (medium or above) | low |\n|---|---|---|---|"
    counts: Counter[tuple[str, str]] = Counter()
    for row in index:
        told = titles.get(row["file"], Counter())
        said = "; ".join(f"{title} ({n})" for title, n in told.most_common(4)) or "-"
        if not told and row["label"] in RIGHT and not has_message(folder / row["file"], row["protocol"]):
            said = "- (no message of its protocol in it)"
        yield f"| {row['file']} | {row['label']} | {said} | {low[row['file']] or ''} |"
        kind = "right" if row["label"] in RIGHT else "wrong" if row["label"] in WRONG else "other"
        for group in (row["protocol"], "all"):
            counts[group, f"{kind} told" if told else f"{kind} silent"] += 1
    yield "\n| protocol | attacks told | attacks silent | normal told | precision | recall |\n|---|---|---|---|---|---|"
    for group in dict.fromkeys([*(row["protocol"] for row in index), "all"]):
        hit, miss = counts[group, "right told"], counts[group, "right silent"]
        false = counts[group, "wrong told"]
        precision = f"{hit / (hit + false):.2f}" if hit + false else "-"
        recall = f"{hit / (hit + miss):.2f}" if hit + miss else "-"
        yield f"| {group} | {hit} | {miss} | {false} | {precision} | {recall} |"


def has_message(path: Path, protocol: str) -> bool:
    """Whether the dissector finds anything of this protocol in a capture."""
    names = {protocol, "cip"} if protocol == "enip" else {protocol}
    lines = (
        line
        for stream in streams_of([str(path)], None)
        for chunk in stream
        if isinstance(chunk, Chunk)
        for line in chunk.data.splitlines()
    )
    return any((message := message_of(line)) is not None and message.ot in names for line in lines)


def sensor(path: Path) -> str:
    """How many alerts of a sensor become how many of ours, and incidents."""
    found = detections([str(path)])
    grouped = understand(found, (), (), source="sensor", now=datetime.now(UTC))
    told = [one for one in grouped.alerts if one.severity >= Level.MEDIUM.severity]
    incidents = {one.incident_id for one in grouped.alerts if one.incident_id}
    return (
        f"{len(found)} detections, {len(grouped.alerts)} alerts ({len(told)} of level medium or above), "
        f"{len(incidents)} incidents, in captures of {_n_days(grouped.alerts)} days; at most "
        f"{_most_in_a_day(grouped.incidents)} of one day"
    )


def _n_days(alerts: Sequence[Alert]) -> int:
    return len({one.first_seen_at.date() for one in alerts})


def _most_in_a_day(incidents: Sequence[Incident]) -> int:
    found = Counter(one.first_seen_at.date() for one in incidents if one.status is Status.OPEN)
    return max(found.values(), default=0)


def flows(folder: Path) -> Iterator[str]:
    """Each flow file against a baseline learnt from the normal one."""
    baseline = Baseline()
    learn_from(open_all([str(folder / "gics-normal.csv.gz")], None), baseline)
    baseline.state = State.FROZEN
    yield "| flows | found |\n|---|---|"
    for path in sorted(folder.glob("gics-*.csv.gz")):
        watch = BaselineWatch(baseline)
        for stream in watch.tap(streams_of([str(path)], None)):
            for _ in stream:
                pass
        said = [
            f"{one.title} ({one.fields['n_messages']}, {one.fields['first_at'][11:19]}-{one.fields['last_at'][11:19]}: "
            f"{one.fields['seen'][0]})"
            for one in watch.finish()
        ]
        yield f"| {path.name} | {'; '.join(said) or 'nothing'} |"


def main() -> None:
    """Run all that the folder has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    lines = ["# Industrial control: what is found\n", "`python bench/ot.py OT --out bench/OT.md`\n"]
    lines += ["A capture is told where a detection of level medium or above names it.\n", *captures(given.folder)]
    if (eve := given.folder / "suricata" / "eve.ndjson.zst").is_file():
        lines.append(f"\n## A sensor's log\n\nSuricata's EVE of all captures: {sensor(eve)}.\n")
    if (given.folder / "flows" / "gics-normal.csv.gz").is_file():
        lines += ["\n## MMS flows against a baseline of the normal ones\n", *flows(given.folder / "flows")]
    text = "\n".join(lines) + "\n"
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
