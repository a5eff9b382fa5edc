"""Whole corpora through the engine and through the reference: every event, every rule, compared one by one.

python -m tests.detect.engine.corpora --rules TAR_GZ [--processes N] [--hard N] [--windows FILE...] [--web FILE...]

What the two share is the reading of the records (`event.normalise`: fields and route). What is compared is the whole
of the rest: which rules apply to a log source, every condition, and the sieve in front of the engine. An answer depends
on nothing but the values of the fields that a rule reads, so the reference is asked once for each rule and each
distinct tuple of these values; rules with keywords are asked of every record.
"""

import argparse
import gzip
import json
import multiprocessing
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import zstandard
from bench import hard_corpus
from msgspec import Struct
from sigma.conditions import ConditionFieldEqualsValueExpression, ConditionValueExpression
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.types import SigmaExpansion, SigmaFieldReference

from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.engine.sieve import Sieve, key_bytes, sieve_of
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.normalise import normalise
from amagasa.event.record import MISSING, Chunk, EventBatch, Format, Route
from tests.detect.engine.reference import conditions_of, holds

CHUNK_BYTES: Final = 8 * 1_048_576
READ_AT: Final = datetime(2026, 1, 2, tzinfo=UTC)
# What these categories mean beside the event identifier that they share (Sysmon 12).
FOREIGN: Final = {"registry_add": frozenset({"deletekey", "deletevalue"}), "registry_delete": frozenset({"createkey"})}
Answer = tuple[int, str]  # number of the record, id of the rule


class Plain(Struct, frozen=True):
    """A rule as pySigma has it: its log source, its conditions, and what it reads."""

    id: str
    source: tuple[str | None, str | None, str | None]
    conditions: tuple[Any, ...]
    fields: tuple[str, ...]
    has_keywords: bool


class Told(Struct):
    """What came of one part."""

    n_events: int = 0
    n_pairs: int = 0
    n_asked: int = 0
    n_matches: int = 0
    disagreements: list[tuple[str, int, str, str]] = []

    def add(self, other: "Told") -> None:
        self.n_events += other.n_events
        self.n_pairs += other.n_pairs
        self.n_asked += other.n_asked
        self.n_matches += other.n_matches
        self.disagreements.extend(other.disagreements)


def plain_rule(text: str) -> Plain | None:
    """The rule; None where it is none (a correlation, a filter). Raises SigmaError."""
    rule = SigmaRule.from_yaml(text)
    conditions = conditions_of(rule)
    fields: set[str] = set()
    keywords = [one for condition in conditions for one in _leaves(condition, fields)]
    source = rule.logsource
    fields |= {"EventType"} if source.category in FOREIGN else set()
    return Plain(
        str(rule.id),
        (source.category, source.product, source.service),
        conditions,
        tuple(sorted(fields)),
        any(keywords),
    )


def _leaves(node: Any, fields: set[str]) -> Iterator[bool]:
    """Whether each leaf is a keyword; the fields that are read are put into `fields`."""
    if isinstance(node, ConditionFieldEqualsValueExpression):
        fields.add(node.field)
        values = node.value.values if isinstance(node.value, SigmaExpansion) else [node.value]
        fields.update(value.field for value in values if isinstance(value, SigmaFieldReference))
        yield False
    elif isinstance(node, ConditionValueExpression):
        yield True
    else:
        for part in node.args:
            yield from _leaves(part, fields)


class Reference:
    """The plain evaluator, asked once for what it was asked before."""

    def __init__(self, rules: Sequence[Plain]) -> None:
        self._rules = rules
        self._of_route: dict[str, tuple[Plain, ...]] = {}
        self._answers: dict[str, dict[tuple[Any, ...], bool]] = {}
        self._rows: dict[str, dict[tuple[Any, ...], tuple[str, ...]]] = {}
        self.n_asked = 0

    def rules_of(self, route: Route) -> tuple[Plain, ...]:
        """Those whose log source gives nothing that no source of the route gives."""
        made = self._of_route.get(route.name)
        if made is None:
            sources = [(one.category, one.product, one.service) for one in route.sources]
            made = self._of_route[route.name] = tuple(
                rule
                for rule in self._rules
                if any(all(a in {None, b} for a, b in zip(rule.source, one, strict=True)) for one in sources)
            )
        return made

    def wanted(self, route: Route) -> tuple[str, ...]:
        """Every field that one of these rules reads."""
        known = {name for name, _ in route.known}
        return tuple(sorted({field for rule in self.rules_of(route) for field in rule.fields} - known))

    def answers(self, batch: EventBatch) -> set[Answer]:
        """What holds in the batch."""
        rules, known = self.rules_of(batch.route), dict(batch.route.known)
        by_field = [rule for rule in rules if not rule.has_keywords]
        by_keyword = [rule for rule in rules if rule.has_keywords]
        rows = self._rows.setdefault(batch.route.name, {})
        found: set[Answer] = set()
        for row, record, line in zip(batch.rows, batch.records, batch.lines, strict=True):
            values = tuple(row)
            ids = rows.get(values)
            if ids is None:
                fields = known | dict(zip(batch.fields, values, strict=True))
                ids = rows[values] = tuple(rule.id for rule in by_field if self._holds(rule, fields))
            found.update((record, one) for one in ids)
            if by_keyword:
                fields = known | dict(zip(batch.fields, values, strict=True))
                found.update((record, one) for one in self._by_keyword(by_keyword, fields, _whole(batch.format, line)))
        return found

    def _holds(self, rule: Plain, fields: dict[str, Any]) -> bool:
        values = tuple(fields.get(field, MISSING) for field in rule.fields)
        answers = self._answers.setdefault(rule.id, {})
        answer = answers.get(values)
        if answer is None:
            self.n_asked += 1
            given = _given(rule.fields, values)
            is_foreign = str(given.get("EventType")).lower() in FOREIGN.get(rule.source[0] or "", ())
            answer = answers[values] = not is_foreign and holds(rule.conditions, given)
        return answer

    def _by_keyword(self, rules: list[Plain], fields: dict[str, Any], text: str) -> Iterator[str]:
        for rule in rules:
            self.n_asked += 1
            given = _given(rule.fields, tuple(fields.get(field, MISSING) for field in rule.fields))
            if holds(rule.conditions, given, text):
                yield rule.id


def _given(fields: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return {
        field: list(value) if isinstance(value, tuple) else value
        for field, value in zip(fields, values, strict=True)
        if value is not MISSING
    }


def _whole(kind: Format, line: bytes) -> str:
    """What keywords are looked for in: the line, or every value of a JSON record."""
    text = line.decode("utf-8", "replace")
    return text if kind in {Format.ACCESS, Format.SYSLOG} else "\n".join(_texts(json.loads(text)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif value is not None:
        yield str(value).lower() if isinstance(value, bool) else str(value)


class Engine:
    """As a node has it: the sieve, and what it lets through evaluated for its suspects; and without the sieve."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._exact, self._behind = Memo(plan), Memo(plan)
        self._sieve: Sieve | None = sieve_of([plan], b"\x5a" * key_bytes())

    def answers(self, chunk: Chunk) -> tuple[set[Answer], set[Answer]]:
        """Without the sieve, and behind it."""
        exact = {
            (one.record, one.rule_id or "")
            for batch in normalise(chunk, self.plan.wanted).batches
            for one in evaluate(batch, self.plan, self._exact).detections
        }
        if self._sieve is None:
            return exact, exact
        rest = self._sieve.rest_of(chunk)
        behind = {
            (one.record, one.rule_id or "")
            for batch in normalise(rest.chunk, self.plan.wanted).batches
            for one in evaluate(batch, self.plan, self._behind, suspects=rest.suspects[0]).detections
        }
        return exact, behind


class Comparison:
    """Engine and reference on the rules that both could read."""

    def __init__(self, rules: Path) -> None:
        documents = _documents(rules)
        compiled, faults = compile_rules(documents)
        faulted = {fault.path for fault in faults}
        self.faults = [f"{fault.path}: {fault.why}" for fault in faults]
        plain: dict[str, Plain] = {}
        for path, text in documents:
            try:
                rule = None if path in faulted else plain_rule(text)
            except SigmaError as error:
                self.faults.append(f"{path}: the reference refuses it: {error}")
                continue
            if rule is not None:
                plain[rule.id] = rule
        both = [rule for rule in compiled if rule.id in plain]
        self.n_rules = len(both)
        self.engine = Engine(plan_of(both))
        self.reference = Reference([plain[rule.id or ""] for rule in both])

    def compare(self, chunk: Chunk) -> Told:
        asked = self.reference.n_asked
        told = Told()
        wanted: set[Answer] = set()
        for batch in normalise(chunk, self.reference.wanted).batches:
            told.n_events += len(batch.rows)
            told.n_pairs += len(batch.rows) * len(self.reference.rules_of(batch.route))
            wanted |= self.reference.answers(batch)
        exact, behind = self.engine.answers(chunk)
        told.n_matches = len(wanted)
        for name, found in (("engine", exact), ("engine behind the sieve", behind)):
            told.disagreements += [
                (chunk.path, record, rule, f"{name}: {(record, rule) in found}, reference: {(record, rule) in wanted}")
                for record, rule in sorted(found ^ wanted)
            ]
        told.n_asked = self.reference.n_asked - asked
        return told


def _documents(path: Path) -> list[tuple[str, str]]:
    with tarfile.open(path) as archive:
        return [
            (member.name, file.read().decode())
            for member in archive
            if member.isfile() and member.name.endswith((".yml", ".yaml")) and (file := archive.extractfile(member))
        ]


def chunks_of(path: Path, kind: Format) -> Iterator[Chunk]:
    """The file in chunks of whole lines."""
    number = 1
    for data in _pieces(path):
        yield Chunk(path=path.name, format=kind, first_record=number, data=data, read_at=READ_AT)
        number += data.count(b"\n")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as raw:
        stream: Any = raw
        if path.suffix == ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(raw)
        elif path.suffix == ".gz":
            stream = gzip.open(raw)  # noqa: SIM115 - closed with the file under it
        held = b""
        while data := stream.read(CHUNK_BYTES):
            whole, end, held = (held + data).rpartition(b"\n")
            if end:
                yield whole + end
        if held:
            yield held + b"\n"


def hard_chunks(n_events: int) -> Iterator[Chunk]:
    """The hard corpus: every command line another."""
    data = b"".join(line + b"\n" for line in hard_corpus.lines(n_events))
    yield Chunk(path="hard", format=Format.WINDOWS, first_record=1, data=data, read_at=READ_AT)


_MADE: list[Comparison] = []


def _one(part: tuple[str, str, int]) -> tuple[str, Told]:
    """In a process of a pool, which inherits the rules."""
    kind, path, n = part
    chunks = hard_chunks(n) if kind == "hard" else chunks_of(Path(path), Format(kind))
    told = Told()
    for chunk in chunks:
        told.add(_MADE[0].compare(chunk))
    return ("hard corpus" if kind == "hard" else f"{kind} files"), told


def main() -> None:
    """Compare, and say what was compared; exit 1 where they disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=Path, nargs="*", default=[])
    parser.add_argument("--web", type=Path, nargs="*", default=[])
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--hard", type=int, default=5_000)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    _MADE.append(Comparison(given.rules))
    parts = [("windows", str(path), 0) for path in sorted(given.windows, key=lambda one: -one.stat().st_size)]
    parts += [("access", str(path), 0) for path in given.web] + ([("hard", "", given.hard)] if given.hard else [])
    sums: dict[str, Told] = {}
    with multiprocessing.get_context("fork").Pool(given.processes) as pool:
        for at, (name, told) in enumerate(pool.imap_unordered(_one, parts), 1):
            sums.setdefault(name, Told()).add(told)
            print(f"{at}/{len(parts)}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
    _say(_MADE[0], sums)
    sys.exit(any(told.disagreements for told in sums.values()))


def _say(made: Comparison, sums: dict[str, Told]) -> None:
    print(f"{made.n_rules:,} rules on both sides; {len(made.faults)} that one of them refuses")  # noqa: T201
    for fault in made.faults[:20]:
        print(f"  {fault}")  # noqa: T201
    for name, told in sums.items():
        print(  # noqa: T201
            f"{name}: {told.n_events:,} events, {told.n_pairs:,} pairs of an event and a rule that applies, "
            f"{told.n_asked:,} different ones asked of the reference, {told.n_matches:,} matches, "
            f"{len(told.disagreements):,} disagreements"
        )
        for rule, n in Counter(one[2] for one in told.disagreements).most_common(20):
            example = next(one for one in told.disagreements if one[2] == rule)
            print(f"  {n} of rule {rule}: {example}")  # noqa: T201


if __name__ == "__main__":
    main()
