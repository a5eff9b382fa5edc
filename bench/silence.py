"""How well the silence alarm tells: real rhythms, outages of known length put into them.

Each log of real records is played minute by minute as a node would have seen it. The first part is learnt; in the rest
(a) alarms on the log as it is are counted: each is false, since nothing is known to have stopped; (b) outages of
several lengths are put at random instants (all records in them are taken out) and it is looked whether the alarm
came before the outage ended, and after how long. `python -m bench.silence [--data FOLDER] [--json]`.
"""

import argparse
import json
import random
import re
import statistics
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from amagasa.adapters.source.records import open_streams
from amagasa.detect.baseline.rhythm import Rhythm
from amagasa.event.normalise import instant_of, normalise
from amagasa.event.record import Chunk, Format

LOGS: Final = (
    "syslog/elastic_auth.log.gz",
    "syslog/loghub_Linux_2k.log.gz",
    "syslog/loghub_Mac_2k.log.gz",
    "syslog/loghub_Apache_2k.log.gz",
    "web/secrepo_2022-12-22.access.log.gz",
    "web/semicomplete_2015-05-17_19.access.log.gz",
    "ot/flows/mega104-14-12-18.csv.gz",
)
OUTAGES_MINUTES: Final = (15, 60, 240, 720, 1_440, 4_320)
TRIES: Final = 40
LEARN_RATIO: Final = 0.5
LEAST_MINUTES: Final = 50  # with records; a rhythm of fewer cannot be told
_PROGRAM: Final = re.compile(rb" ([A-Za-z][\w./-]*)(?:\[\d+\])?: ")


def rhythms_of(path: Path) -> dict[str, list[int]]:
    """The minutes in which the log has records, ascending; of syslog also those of each program by itself."""
    found: dict[str, set[int]] = {}
    for stream in open_streams(str(path), None):
        for item in stream:
            if isinstance(item, Chunk):
                for batch in normalise(item, lambda _: ()).batches:
                    for index, line in enumerate(batch.lines):
                        at = instant_of(batch, index)
                        if at is None:
                            continue
                        names = [path.name]
                        if item.format is Format.SYSLOG and (program := _PROGRAM.search(line)) is not None:
                            names.append(f"{path.name} {program[1].decode(errors='replace')}")
                        for name in names:
                            found.setdefault(name, set()).add(int(at.timestamp()) // 60)
    return {name: _in_order(minutes) for name, minutes in found.items() if len(minutes) >= LEAST_MINUTES}


def _in_order(minutes: set[int]) -> list[int]:
    """Ascending. A log of one day's clock times that went over midnight begins behind its longest silence."""
    ordered = sorted(minutes)
    if ordered[-1] - ordered[0] >= 1_440:
        return ordered
    begin = max(range(1, len(ordered)), key=lambda at: ordered[at] - ordered[at - 1])
    is_over_midnight = ordered[begin] - ordered[begin - 1] > 240
    return ordered[begin:] + [one + 1_440 for one in ordered[:begin]] if is_over_midnight else ordered


def alarms_of(rhythm: Rhythm, active: set[int], minutes: Iterable[int]) -> Iterator[int]:
    """The minutes in which an alarm begins."""
    for minute in minutes:
        was = rhythm.is_alarmed
        rhythm.take(minute, has_records=minute in active)
        if rhythm.is_alarmed and not was:
            yield minute


def measure(name: str, active: list[int], *, seed: int) -> dict[str, Any]:
    """One rhythm."""
    first, last = active[0], active[-1]
    middle = first + int((last - first) * LEARN_RATIO)
    present = set(active)
    learnt = Rhythm()
    early = list(alarms_of(learnt, present, range(first, middle)))
    clean = list(alarms_of(deepcopy(learnt), present, range(middle, last + 1)))
    outages = {}
    draw = random.Random(seed)
    for length in OUTAGES_MINUTES:
        if length * 4 > last - middle:
            continue
        outages[length] = _tried(learnt, present, (middle, last), length=length, draw=draw)
    days = (last - first) / 1_440
    return {
        "log": name,
        "days": round(days, 2),
        "active_ratio": round(len(active) / (last - first + 1), 3),
        "false_while_learning_on": len(early),
        "false": len(clean),
        "tested_days": round((last - middle) / 1_440, 2),
        "outages": outages,
    }


def _tried(
    learnt: Rhythm, present: set[int], span: tuple[int, int], *, length: int, draw: random.Random
) -> dict[str, Any]:
    middle, last = span
    delays: list[int] = []
    for _ in range(TRIES):
        begin = draw.randrange(middle, last - length)
        # What came between learning and the outage is learnt on as well; its false alarms are counted above.
        left = {minute for minute in present if not begin <= minute < begin + length}
        found = [at for at in alarms_of(deepcopy(learnt), left, range(middle, begin + length)) if at >= begin]
        if found:
            delays.append(found[0] - begin)
    return {
        "recall": round(len(delays) / TRIES, 3),
        "median_delay_minutes": statistics.median(delays) if delays else None,
    }


def main() -> None:
    """Measure all and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    logs = [asked.data / name for name in LOGS if (asked.data / name).is_file()]
    rhythms = [one for log in logs for one in rhythms_of(log).items()]
    rows = [measure(name, minutes, seed=asked.seed) for name, minutes in rhythms]
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(
            f"{row['log']}: {row['days']} days, {row['active_ratio']:.1%} of minutes active, "
            f"false {row['false']} in {row['tested_days']} days (+{row['false_while_learning_on']} before)"
        )
        for length, found in row["outages"].items():
            print(f"   outage {length:>5} min: recall {found['recall']:.2f}, after {found['median_delay_minutes']} min")


if __name__ == "__main__":
    main()
