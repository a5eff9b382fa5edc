"""Each built-in correlation against its cases: sequences of records with their times, through the whole path."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import yaml

from amagasa.adapters.spool.sorted_hits import SortedHits
from amagasa.app.correlating import FileCorrelation
from amagasa.app.path import look
from amagasa.app.sight import Sight
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import link
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import plan_of
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.report import Detection
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.record import Chunk, Format
from amagasa.vocab.attack import tactics_of, techniques_of
from tests.detect.built_in import BUILT_IN, CORRELATIONS
from tests.detect.correlation.samples import expected, replaced, run

CASES: Final = Path(__file__).resolve().parents[1] / "cases" / "correlation"
DATA: Final = Path(__file__).resolve().parents[3] / "shared" / "data"
START: Final = datetime(2026, 11, 20, 4, tzinfo=UTC)
NOW: Final = datetime(2026, 12, 31, tzinfo=UTC)
LEAST: Final = 12
STAMPS: Final = {
    "syslog": "%b %d %H:%M:%S",
    "access": "%d/%b/%Y:%H:%M:%S +0000",
    "windows": "%Y-%m-%dT%H:%M:%S.000Z",
    "json": "%Y-%m-%dT%H:%M:%S.%fZ",
}
TEXTS: Final = dict(CORRELATIONS)


def case_files() -> list[tuple[str, list[dict[str, Any]]]]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob("*.yml"))]
    return [(document["rule"], document["cases"]) for document in documents]


CASE_FILES: Final = case_files()


def main_of(rule: str) -> dict[str, Any]:
    """The document by which a file of a correlation goes: its first."""
    return dict(next(iter(yaml.safe_load_all(TEXTS[rule]))))


def chunk_of(case: dict[str, Any]) -> Chunk:
    """The records in the order of their times: {t} is the time as their format writes it, {n} counts from 1."""
    stamp = STAMPS[case["format"]]
    lines: list[tuple[float, str]] = []
    for event in case["events"]:
        record = event["record"]
        text = record if isinstance(record, str) else json.dumps(record)
        for number in range(event.get("times", 1)):
            at = event.get("at", 0) + number * event.get("every", 0)
            when = (START + timedelta(seconds=at)).strftime(stamp)
            lines.append((at, text.replace("{t}", when).replace("{n}", str(number + 1))))
    data = "".join(line + "\n" for _, line in sorted(lines, key=lambda one: one[0])).encode()
    return Chunk(path="case", format=Format(case["format"]), first_record=1, data=data, read_at=NOW)


@pytest.fixture(scope="module")
def sight() -> Sight:
    rules, faults = compile_rules([(f"builtin:{path}", text) for path, text in (*BUILT_IN, *CORRELATIONS)])
    assert faults == ()
    links, unlinked = link(rules)
    assert unlinked == ()
    plan = plan_of([rule for rule in rules if rule.correlation is None])
    return Sight([(plan, Memo(plan))], IndicatorSet(), links=links)


def hits_of(case: dict[str, Any], sight: Sight) -> tuple[Hit, ...]:
    seen = look(chunk_of(case), sight, now=NOW)
    assert seen.rejects == ()
    return seen.hits


def found(hits: Sequence[Hit], sight: Sight) -> Iterator[Detection]:
    with SortedHits() as spool:
        correlation = FileCorrelation(spool, sight.links, now=NOW)
        correlation.add(hits)
        for one in correlation.finish():
            assert isinstance(one, Detection), one
            yield one


@pytest.mark.parametrize(("rule", "cases"), CASE_FILES, ids=[rule for rule, _ in CASE_FILES])
def test_correlation_finds_what_its_cases_say(rule: str, cases: list[dict[str, Any]], sight: Sight) -> None:
    identity = main_of(rule)["id"]
    wrong = []
    for case in cases:
        n = Counter(one.rule_id for one in found(hits_of(case, sight), sight))[identity]
        if n != case["finds"]:
            wrong.append((case["name"], n))
    assert wrong == []


@pytest.mark.parametrize(("rule", "cases"), CASE_FILES, ids=[rule for rule, _ in CASE_FILES])
def test_correlation_finds_the_same_in_a_stream_and_by_the_reference(
    rule: str, cases: list[dict[str, Any]], sight: Sight
) -> None:
    for case in cases:
        hits = hits_of(case, sight)
        if len(hits) > 60:  # the reference takes quadratic time and more
            continue
        streamed = replaced(run(hits, sight.links, chunk=7)[0])
        assert [one[:-1] for one in streamed] == [one[:-1] for one in expected(hits, sight.links)], case["name"]


def test_every_built_in_correlation_has_cases_of_both_kinds() -> None:
    assert sorted(rule for rule, _ in CASE_FILES) == sorted(TEXTS)
    for rule, cases in CASE_FILES:
        assert len([case for case in cases if case["finds"]]) >= 2, rule
        assert len([case for case in cases if not case["finds"]]) >= 2, rule
    assert len(CASE_FILES) >= LEAST


@pytest.mark.parametrize("rule", sorted(TEXTS))
def test_built_in_correlation_is_complete(rule: str) -> None:
    document, *inside = yaml.safe_load_all(TEXTS[rule])
    for key in ("title", "id", "status", "description", "author", "date", "tags", "correlation", "level"):
        assert document[key], key
    assert document["author"] == "Amagasa"
    assert document["falsepositives"]
    assert techniques_of(document["tags"])
    assert tactics_of(document["tags"])
    for one in (document, *inside):
        assert UUID(one["id"]).version == 4
        assert one is document or one["name"] in TEXTS[rule]


def test_built_in_correlations_have_names_and_titles_of_their_own() -> None:
    texts = [text for _, text in (*BUILT_IN, *CORRELATIONS)]
    documents = [one for text in texts for one in yaml.safe_load_all(text)]
    assert len({one["id"] for one in documents}) == len(documents)
    assert len({one["title"] for one in documents}) == len(documents)
    names = [one["name"] for one in documents if "name" in one]
    assert len(set(names)) == len(names)


def correlated(name: str, form: Format, sight: Sight) -> list[Detection]:
    """What the built-in correlations find in a log of the folder of real data."""
    if not (DATA / name).exists():
        pytest.skip("the folder of real data is not beside the checkout")
    data = gzip.decompress((DATA / name).read_bytes())
    chunk = Chunk(path=name, format=form, first_record=1, data=data, read_at=NOW)
    return list(found(look(chunk, sight, now=NOW).hits, sight))


def told(detections: Sequence[Detection], title: str) -> dict[str, int]:
    """Records of the longest episode of each group."""
    counts: dict[str, int] = {}
    for one in detections:
        if one.title == title and one.together is not None:
            group = ", ".join(value for _, value in one.together.group)
            counts[group] = max(counts.get(group, 0), one.together.n_events)
    return counts


@pytest.mark.data
def test_address_that_guessed_passwords_and_was_let_in_is_found(sight: Sight) -> None:
    detections = correlated("syslog/elastic_auth.log.gz", Format.SYSLOG, sight)
    assert list(told(detections, "SSH password guessed right")) == ["24.151.103.17"]
    assert told(detections, "SSH passwords guessed from one address")["24.151.103.17"] == 147
    assert len(detections) < 20


@pytest.mark.data
def test_guessing_without_success_is_found_and_the_sign_in_of_another_is_none(sight: Sight) -> None:
    detections = correlated("syslog/loghub_OpenSSH_2k.log.gz", Format.SYSLOG, sight)
    assert told(detections, "SSH passwords guessed from one address")["183.62.140.253"] == 286
    assert told(detections, "SSH password guessed right") == {}
    assert len(detections) < 20


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "address", "title"),
    [
        ("scan_netsparker_dvwa", "192.168.4.164", "Web attacks of many kinds from one address"),
        ("scan_netsparker_dvwa", "192.168.4.164", "Web scan for what is not there"),
        ("scan_w3af_joomla", "192.168.4.163", "Web scan for what is not there"),
    ],
)
def test_web_scan_is_found_by_its_source_and_time(name: str, address: str, title: str, sight: Sight) -> None:
    detections = correlated(f"web/{name}.access.log.gz", Format.ACCESS, sight)
    assert list(told(detections, title)) == [address]
    assert len(detections) < 5


@pytest.mark.data
def test_hunt_of_many_addresses_is_one_detection(sight: Sight) -> None:
    (one,) = correlated("web/secrepo_2022-12-22.access.log.gz", Format.ACCESS, sight)
    assert one.title == "Backups hunted by many addresses together"
    assert one.together is not None
    assert one.together.n_events > 600


@pytest.mark.data
def test_ordinary_visitors_are_no_correlation(sight: Sight) -> None:
    assert correlated("web/semicomplete_2015-05-17_19.access.log.gz", Format.ACCESS, sight) == []


@pytest.mark.data
@pytest.mark.parametrize("name", ["Mac", "Thunderbird", "Apache", "Linux"])
def test_logs_without_attacks_on_ssh_are_no_correlation(name: str, sight: Sight) -> None:
    assert correlated(f"syslog/loghub_{name}_2k.log.gz", Format.SYSLOG, sight) == []
