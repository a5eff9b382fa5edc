"""Wiring of a hunt: what a person names -> what looks."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from uuid import uuid4

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.adapters.content.rules import documents_of
from amagasa.app.hunt_query import read_query, rule_of
from amagasa.app.lake_ports import MayHold
from amagasa.app.ports import Store
from amagasa.app.seeking import Seeker, SightSeeker, Text, TextSeeker, question_of_fields, question_of_values
from amagasa.app.sight import Sight
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import plan_of
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Rule
from amagasa.entry.wiring_detect import ContentFiles, Loaded, load_content
from amagasa.event.record import LogSource
from amagasa.vocab.errors import BadInputError


class Looker(Struct, frozen=True, kw_only=True):
    """What a hunt looks with, and what of it cannot run."""

    seeker: Seeker
    faults: tuple[RuleFault, ...] = ()
    n_rules: int = 0
    n_indicators: int = 0


def query_looker(text: str) -> Looker:
    """Texts and values of fields. Raises BadInputError."""
    query = read_query(text)
    texts = TextSeeker([[Text(one)] for one in query.texts]) if query.texts else None
    if not query.fields:
        return Looker(seeker=texts or TextSeeker([]))
    with tempfile.TemporaryDirectory(prefix="amagasa-hunt-") as folder:
        path = Path(folder) / "hunt.yml"
        path.write_bytes(msgspec.json.encode(rule_of(query.fields)))
        try:
            loaded = load_content(ContentFiles(rules=(path,)))
        except BadInputError as problem:
            raise BadInputError(
                "AMG-HUNT-QUERY",
                "the values of fields cannot be hunted for",
                expected="field=value, with the modifiers of Sigma: CommandLine|contains=sekurlsa",
                got=problem.got.removeprefix(f"{path}: "),
                then="nothing was looked at",
            ) from None
    sight = _sight_of(loaded, is_anywhere=True)
    seeker = SightSeeker(sight, question_of_fields(query.fields), texts)
    return Looker(seeker=seeker, faults=loaded.faults)


def rule_looker(rule: str, store: Store | None, *, may_be_file: bool = True) -> Looker:
    """A rule's file, or the identifier of one which the node holds or which is built in. Raises BadInputError."""
    if may_be_file and _is_there(rule):
        return _rules_looker([Path(rule)])
    text = _held(rule, store) or _built_in(rule)
    if text is None:
        raise BadInputError(
            "AMG-HUNT-RULE",
            "there is no such rule",
            expected="a Sigma file, or the identifier of a rule that the node holds or that is built in",
            got=rule,
            then="nothing was looked at; `amagasa content list` names the node's own",
        )
    with tempfile.TemporaryDirectory(prefix="amagasa-hunt-") as folder:
        path = Path(folder) / "rule.yml"
        path.write_text(text, encoding="utf-8")
        return _rules_looker([path])


def _rules_looker(paths: Sequence[Path]) -> Looker:
    loaded = load_content(ContentFiles(rules=tuple(paths)))
    if loaded.content.correlations and not loaded.content.plan.rules:
        raise BadInputError(
            "AMG-HUNT-CORRELATION",
            "a correlation alone looks at no record",
            expected="the rules which it puts together, in the same file or folder",
            got=", ".join(map(str, paths)),
            then="nothing was looked at",
        )
    faults = tuple(map(_not_correlated, loaded.content.correlations))
    seeker = SightSeeker(_sight_of(loaded), None)
    return Looker(seeker=seeker, faults=(*loaded.faults, *faults), n_rules=loaded.n_rules)


def _not_correlated(rule: Rule) -> RuleFault:
    why = "a hunt looks at records one by one; they were not correlated"
    return RuleFault(rule_id=rule.id, path=rule.path, why=why, code="AMG-HUNT-CORRELATION")


def _sight_of(loaded: Loaded, *, is_anywhere: bool = False) -> Sight:
    """`is_anywhere`: its rules look at records of every log source."""
    if not is_anywhere:
        return loaded.sight()
    plan = plan_of([replace(rule, logsource=LogSource()) for rule in loaded.content.plan.rules])
    return Sight([(plan, Memo(plan, loaded.content.cache))], loaded.indicators, sieve=loaded.sieve_for([plan]))


def _held(rule_id: str, store: Store | None) -> str | None:
    if store is None:
        return None
    with store.read() as reading:
        items = reading.content_items([rule_id])
    return items[0].text if items else None


def _built_in(rule_id: str) -> str | None:
    for one in documents_of((), is_builtin=True):
        if not isinstance(one, RuleFault) and f"id: {rule_id}" in one.text:
            return one.text
    return None


def indicator_looker(named: str, *, may_be_file: bool = True) -> Looker:
    """A STIX pattern, a file or folder of indicators, or a value, looked for anywhere. Raises BadInputError."""
    if named.lstrip().startswith("["):
        return _stix_looker(named)
    if may_be_file and _is_there(named):
        return _indicators_looker([Path(named)])
    return Looker(seeker=TextSeeker([[Text(form) for form in _forms(named.strip())]]), n_indicators=1)


def _is_there(named: str) -> bool:
    try:
        return Path(named).exists()
    except (OSError, ValueError):
        return False  # longer than any name of a file may be


def _forms(value: str) -> list[str]:
    try:
        address = ip_address(value)
    except ValueError:
        return list(dict.fromkeys([read_query(f'"{value}"').texts[0]]))
    if isinstance(address, IPv6Address):
        return list(dict.fromkeys([value, address.compressed, address.exploded]))
    return [str(address)]


def _stix_looker(pattern: str) -> Looker:
    indicator = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid4()}",
        "name": "hunt",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created": "2026-01-01T00:00:00Z",
        "modified": "2026-01-01T00:00:00Z",
    }
    with tempfile.TemporaryDirectory(prefix="amagasa-hunt-") as folder:
        path = Path(folder) / "indicator.json"
        path.write_bytes(msgspec.json.encode(indicator))
        looker = _indicators_looker([path])
    if looker.faults:
        first = looker.faults[0]
        raise BadInputError(
            "AMG-HUNT-INDICATOR",
            "this pattern cannot be hunted for",
            expected="a STIX pattern, e.g. [ipv4-addr:value = '198.51.100.7']",
            got=first.why,
            then="nothing was looked at",
        )
    return looker


def _indicators_looker(paths: Sequence[Path]) -> Looker:
    with tempfile.TemporaryDirectory(prefix="amagasa-hunt-") as nothing:
        loaded = load_content(ContentFiles(rules=(Path(nothing),), indicators=tuple(paths), may_be_empty=True))
    if not loaded.n_indicators:
        why = loaded.faults[0].why if loaded.faults else "no indicator is in there"
        raise BadInputError(
            "AMG-HUNT-INDICATOR",
            "there is no indicator to hunt for",
            expected="STIX, MISP, CSV or a plain list of indicators",
            got=why,
            then="nothing was looked at",
        )
    return Looker(
        seeker=SightSeeker(loaded.sight(), _question(loaded.indicators)),
        faults=loaded.faults,
        n_indicators=loaded.n_indicators,
    )


def _question(held: IndicatorSet) -> MayHold | None:
    if held.tables or held.prefixes or held.others or held.series:
        return None
    return question_of_values(value for values in held.equal.values() for value in values)
