"""The compiler against pySigma: the same rule, atom for atom and node for node, wherever both understand it."""

import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.rule import Rule
from tests.detect.built_in import BUILT_IN
from tests.detect.cases import rule_text
from tests.detect.sigma import oracle
from tests.detect.sigma.generate import Detection, detections

PUBLIC = Path(__file__).resolve().parents[4] / "shared" / "data" / "rules" / "sigma-rules.tar.gz"


def bare(rule: Rule) -> Rule:
    """Without what the oracle does not read."""
    return replace(rule, references=(), status=None, tags=(), related=(), id=rule.id.lower())


def differing(documents: list[tuple[str, str]]) -> tuple[list[str], int]:
    """Paths of the rules that the two read differently, and how many they read alike."""
    rules, _ = compile_rules(documents)
    texts = dict(documents)
    found = [rule.path for rule in rules if bare(rule) != oracle.rule_of(rule.path, texts[rule.path])]
    return found, len(rules) - len(found)


def test_built_in_rules_are_those_of_pysigma() -> None:
    assert differing(BUILT_IN) == ([], len(BUILT_IN))


@pytest.mark.data
@pytest.mark.skipif(not PUBLIC.exists(), reason="the folder of real logs is not beside the checkout")
def test_public_rules_are_those_of_pysigma() -> None:
    with tarfile.open(PUBLIC) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive if member.name.endswith(".yml")]
        documents = [(name, file.read().decode()) for name, file in files if file is not None]
    assert differing(documents) == ([], 3752)


@settings(max_examples=300)
@given(detections())
def test_any_detection_is_read_as_pysigma_reads_it(detection: Detection) -> None:
    text = rule_text(detection, id="00000000-0000-4000-8000-000000000000")
    (rule,), _ = compile_rules([("x", text)])
    assert bare(rule) == oracle.rule_of("x", text)
