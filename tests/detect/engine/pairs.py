"""Many pairs of a rule and an event by chance, on which the engine and the reference must agree.

Rules have every modifier, some have placeholders, and some have filters put to them.

python -m tests.detect.engine.pairs [PAIRS] [SEED]      (100,000 pairs in half a minute)
"""

import random
import sys
from typing import Any, Final

import yaml
from msgspec import Struct
from sigma.filters import SigmaFilter
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation
from sigma.rule import SigmaRule

from amagasa.detect.engine.plan import plan_of
from amagasa.detect.sigma.compile import compile_rules
from tests.detect.cases import found, process_line, rule_text
from tests.detect.engine.reference import matches
from tests.detect.sigma.generate import PLACEHOLDERS, Detection, detection, event, filter_, with_placeholder

ALWAYS: Final = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational"}
RULES: Final = 25
EVENTS: Final = 40
WITH_PLACEHOLDER: Final = 0.2


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
    """At least `n_pairs`, in plans of 25 rules and up to two filters over 40 events."""
    chance = random.Random(seed)
    compared = Compared(0, 0, ())
    while compared.n_pairs < n_pairs:
        rules = [_rule(chance) for _ in range(RULES)]
        filters = [_filter(chance) for _ in range(chance.randint(0, 2))]
        events = [event(chance) for _ in range(EVENTS)]
        more = _compare(rules, filters, events)
        compared = Compared(
            compared.n_pairs + more.n_pairs,
            compared.n_matches + more.n_matches,
            compared.disagreements + more.disagreements,
        )
    return compared


def _id(place: int) -> str:
    return f"00000000-0000-4000-8000-{place:012d}"


def _rule(chance: random.Random) -> Detection:
    made = detection(chance)
    return with_placeholder(chance, made) if chance.random() < WITH_PLACEHOLDER else made


def _filter(chance: random.Random) -> str:
    """A filter for some of the rules, or for any."""
    some = [_id(place) for place in chance.sample(range(RULES), chance.randint(1, RULES // 3))]
    source = {"product": "windows", "category": "process_creation"}
    made = filter_(chance) | {"rules": chance.choice(("any", some))}
    return yaml.safe_dump({"title": "A filter", "logsource": source, "filter": made}, sort_keys=False)


def _compare(rules: list[Detection], filters: list[str], events: list[dict[str, Any]]) -> Compared:
    texts = [rule_text(rule, id=_id(place)) for place, rule in enumerate(rules)]
    documents = [(str(place), text) for place, text in enumerate([*texts, *filters])]
    compiled, faults = compile_rules(documents, placeholders=PLACEHOLDERS)
    assert faults == ()
    lines = [process_line(**one) for one in events]
    engine = {(int((one.rule_id or "")[-12:]), one.record - 1) for one in found(plan_of(compiled), lines)}
    reference = {
        (place, record)
        for place, rule in enumerate(_as_pysigma_has_it(texts, filters))
        for record, one in enumerate(events)
        if matches(rule, ALWAYS | one)
    }
    wrong = tuple(Disagreement(rules[place], events[at], (place, at) in engine) for place, at in engine ^ reference)
    return Compared(len(rules) * len(events), len(engine & reference), wrong)


def _as_pysigma_has_it(texts: list[str], filters: list[str]) -> list[SigmaRule]:
    """Filters put to the rules, placeholders given their values."""
    parsed = []
    for text in texts:
        rule = SigmaRule.from_yaml(text)
        for one in filters:
            SigmaFilter.from_yaml(one).apply_on_rule(rule)
        items = [ProcessingItem(ValueListPlaceholderTransformation())]
        ProcessingPipeline(items=items, vars=dict(PLACEHOLDERS)).apply(rule)
        parsed.append(rule)
    return parsed


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
