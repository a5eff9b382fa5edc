"""How fast STIX patterns are matched against observed-data, beside the OASIS matcher where a path to it is given.

    python bench/stix.py [--peer SITE_PACKAGES] [--observations 20 --observations 1000] [--json]

Both match the same patterns against the same observations (STIX 2.0, one object each, one a second), reading of both
included, in CPU seconds of one process each; ours also with the observations read before. SITE_PACKAGES is a folder
from which `stix2matcher` and what it needs can be imported. The peer has 30 seconds for a pattern. Answers are
compared; nothing is asserted.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from amagasa.detect.binding.match import Matched, match
from amagasa.detect.binding.observed import read_observed

LIMIT_S = 30
LEAST_S = 0.3  # of each measurement: short ones are repeated
ANY, ONE, TWO = "[x-event:n >= 0]", "[x-event:kind = 'a']", "[x-event:kind = 'b']"
PATTERNS = {
    "one comparison": ONE,
    "one comparison, no match": "[x-event:kind = 'z']",
    "AND of three": f"{ONE} AND {TWO} AND [x-event:kind = 'c']",
    "FOLLOWEDBY within 5 s": f"({ONE} FOLLOWEDBY {TWO}) WITHIN 5 SECONDS",
    "FOLLOWEDBY, no match": "[x-event:n > 9] FOLLOWEDBY [x-event:n < 10]",
    "REPEATS 10 within 60 s": f"{ONE} REPEATS 10 TIMES WITHIN 60 SECONDS",
    "REPEATS 10 within 6 s, no match": f"{ANY} REPEATS 10 TIMES WITHIN 6 SECONDS",
    "REPEATS 10 AND 10 of the same": f"{ANY} REPEATS 10 TIMES AND {ANY} REPEATS 10 TIMES",
}


def observations(n: int) -> list[dict[str, Any]]:
    """One a second, of four kinds in turn."""
    return [
        {
            "type": "observed-data",
            "id": f"observed-data--{i}",
            "first_observed": stamp(i),
            "last_observed": stamp(i),
            "number_observed": 1,
            "objects": {"0": {"type": "x-event", "kind": "abcd"[i % 4], "n": i, "text": "nothing to see here"}},
        }
        for i in range(n)
    ]


def stamp(s: int) -> str:
    """Seconds into a day."""
    return f"2026-01-01T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z"


def ours(pattern: str, observed: list[Any]) -> bool:
    """Whether it matches, by us."""
    return isinstance(match(pattern, observed), Matched)


def peers(path: str) -> Callable[[str, list[Any]], bool]:
    """Whether it matches, by the OASIS matcher."""
    sys.path.append(path)
    from stix2matcher.matcher import match  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    return lambda pattern, observed: bool(match(pattern, observed))


def measured(matches: Callable[[str, list[Any]], bool], pattern: str, observed: list[Any]) -> dict[str, Any]:
    """Milliseconds of CPU for one matching, and the answer."""
    n_times, begin = 0, time.process_time()
    while True:
        answer = matches(pattern, observed)
        n_times += 1
        elapsed_s = time.process_time() - begin
        if elapsed_s >= LEAST_S:
            return {"ms": round(elapsed_s / n_times * 1000, 3), "answer": answer}


def in_child(path: str, pattern: str, n: int) -> dict[str, Any] | None:
    """The same by the peer, in a process of its own; None where it takes too long."""
    command = [sys.executable, __file__, "--peer", path, "--one", pattern, "--observations", str(n)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="SITE_PACKAGES")
    parser.add_argument("--observations", type=int, action="append")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", metavar="PATTERN", help="measure the peer with one pattern, and nothing else")
    asked = parser.parse_args()
    sizes = asked.observations or [20, 1000]
    if asked.one:
        print(json.dumps(measured(peers(asked.peer), asked.one, observations(sizes[0]))))
        return
    rows = []
    for n in sizes:
        observed = observations(n)
        read, _ = read_observed(observed)
        for name, pattern in PATTERNS.items():
            row = {"n": n, "name": name, "ours": measured(ours, pattern, observed)}
            row["ours_read"] = measured(ours, pattern, list(read))
            if asked.peer:
                row["peer"] = in_child(asked.peer, pattern, n)
            rows.append(row)
            if not asked.json:
                print(row, flush=True)
    if asked.json:
        print(json.dumps({"limit_s": LIMIT_S, "rows": rows}))


if __name__ == "__main__":
    main()
