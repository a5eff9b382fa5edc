"""Many pairs of a rule and an event by chance, on which the engine and the reference must agree.

python -m tests.detect.engine.pairs [PAIRS] [SEED]      (100,000 pairs in half a minute)
"""

import random
import sys
from typing import Any, Final

from msgspec import Struct
from sigma.rule import SigmaRule

from amagasa.detect.engine.plan import plan_of
from amagasa.detect.sigma.compile import compile_rules
from tests.detect.cases import found, process_line, rule_text
from tests.detect.engine.reference import matches
from tests.detect.sigma.generate import Detection, detection, event

ALWAYS: Final = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational"}
RULES: Final = 25
EVENTS: Final = 40


class Disagreement(Struct, frozen=True):
    """A pair on which they do not agree."""

    rule: Detection
    event: dict[str, Any]
    does_engine_match: bool


class Compared(Struct, frozen=True):
    """How many pairs were compared, on how many both found a match, and where they disagree."""

    n_pairs: int
    n_matches: int
    disagreements: tuple[Disagreement, ...]


def compare(n_pairs: int, seed: int) -> Compared:
    """At least `n_pairs`, in plans of 25 rules over 40 events."""
    chance = random.Random(seed)
    compared = Compared(0, 0, ())
    while compared.n_pairs < n_pairs:
        rules = [detection(chance) for _ in range(RULES)]
        events = [event(chance) for _ in range(EVENTS)]
        more = _compare(rules, events)
        compared = Compared(
            compared.n_pairs + more.n_pairs,
            compared.n_matches + more.n_matches,
            compared.disagreements + more.disagreements,
        )
    return compared


def _compare(rules: list[Detection], events: list[dict[str, Any]]) -> Compared:
    texts = [rule_text(rule, id=f"00000000-0000-4000-8000-{place:012d}") for place, rule in enumerate(rules)]
    compiled, faults = compile_rules([(str(place), text) for place, text in enumerate(texts)])
    assert faults == ()
    lines = [process_line(**one) for one in events]
    engine = {(int((one.rule_id or "")[-12:]), one.record - 1) for one in found(plan_of(compiled), lines)}
    parsed = [SigmaRule.from_yaml(text) for text in texts]
    reference = {
        (place, record)
        for place, rule in enumerate(parsed)
        for record, one in enumerate(events)
        if matches(rule, ALWAYS | one)
    }
    wrong = tuple(Disagreement(rules[place], events[at], (place, at) in engine) for place, at in engine ^ reference)
    return Compared(len(rules) * len(events), len(engine & reference), wrong)


def main() -> None:
    """Compare and say what came of it; exit 1 where they disagree."""
    n_pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    compared = compare(n_pairs, seed)
    for one in compared.disagreements[:20]:
        print(one)  # noqa: T201 - the output of this module when it is run
    print(f"{compared.n_pairs:,} pairs, {compared.n_matches:,} matches, {len(compared.disagreements):,} disagreements")  # noqa: T201
    sys.exit(bool(compared.disagreements))


if __name__ == "__main__":
    main()
