"""References of correlations: found over all documents, or a fault that names what is missing."""

import pytest
from msgspec.structs import replace

from amagasa.detect.correlation.definition import Alias, Kind
from amagasa.detect.correlation.link import link
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Rule
from amagasa.vocab.severity import Level
from tests.detect.correlation.samples import BASE, count, outer, rule


def only_fault(*rules: Rule) -> RuleFault:
    links, (fault,) = link(rules)
    assert links.correlations == ()
    return fault


@pytest.mark.parametrize("reference", ["a", "id-a"])
def test_reference_is_an_id_or_a_name_in_whatever_order(reference: str) -> None:
    made = outer("x", count(rules=(reference,)))
    for rules in ([made, *BASE], [*BASE, made]):
        links, faults = link(rules)
        assert faults == ()
        assert links.takers == {"id-a": ((0, 0),)}
        assert links.wanted == {"id-a": ("user",)}


def test_missing_rule_is_a_fault_that_names_it() -> None:
    fault = only_fault(*BASE, outer("x", count(rules=("nowhere",))))
    assert (fault.rule_id, fault.path) == ("id-x", "x.yml")
    assert fault.why == "it refers to nowhere, and no rule that runs has this id or name"


def test_what_rests_on_a_correlation_that_cannot_run_cannot_either() -> None:
    _, faults = link([*BASE, outer("x", count(rules=("nowhere",))), outer("y", count(rules=("x",)))])
    assert [(fault.rule_id, "cannot run" in fault.why) for fault in faults] == [("id-x", False), ("id-y", True)]


def test_circle_is_a_fault_of_each_in_it_and_of_no_other() -> None:
    made = [outer("x", count(rules=("y",))), outer("y", count(rules=("x",))), outer("z", count())]
    links, faults = link([*BASE, *made])
    assert {fault.rule_id for fault in faults} == {"id-x", "id-y"}
    assert all("itself" in fault.why for fault in faults)
    assert [linked.id for linked in links.correlations] == ["id-z"]


def test_name_in_the_own_document_comes_before_the_same_elsewhere() -> None:
    beside = rule("a", id="id-beside", path="x.yml", references=("id-beside", "a"))
    links, faults = link([*BASE, beside, outer("x", count())])
    assert faults == ()
    assert list(links.takers) == ["id-beside"]


def test_name_of_two_rules_elsewhere_is_a_fault() -> None:
    other = rule("a", id="id-other", path="other.yml", references=("id-other", "a"))
    fault = only_fault(*BASE, other, outer("x", count()))
    assert fault.why == "2 rules have the name a: refer to one by its id"


def test_two_correlations_of_one_id_are_a_fault_unless_they_are_the_same() -> None:
    made = outer("x", count())
    links, faults = link([*BASE, made, replace(made, path="copy.yml")])
    assert (len(links.correlations), faults) == (1, ())
    _, (fault,) = link([*BASE, made, outer("x", count(timespan_s=5), path="copy.yml")])
    assert "another correlation has this id" in fault.why


def test_rules_keep_silent_unless_a_correlation_says_generate() -> None:
    quiet, loud = outer("x", count()), outer("y", count(is_generating=True, timespan_s=5))
    assert link([*BASE, quiet])[0].silent == ("id-a",)
    assert link([*BASE, loud])[0].silent == ()
    assert link([*BASE, quiet, loud])[0].silent == ()


def test_correlation_inside_another_keeps_silent_too() -> None:
    links, _ = link([*BASE, outer("x", count()), outer("y", count(rules=("x",)))])
    assert links.silent == ("id-a", "id-x")


def test_ally_refers_to_its_own_and_the_built_in_rules_alone_and_silences_its_own() -> None:
    built_in = replace(BASE[1], path="builtin:linux/b.yml")
    allys = rule("c", origin="identity--ally", path="c.yml")
    made = outer("x", count(rules=("b", "c")), origin="identity--ally")
    links, faults = link([BASE[0], built_in, allys, made])
    assert faults == ()
    assert links.silent == ("id-c",)
    fault = only_fault(BASE[0], outer("x", count(rules=("a",)), origin="identity--ally"))
    assert "no rule that runs" in fault.why


def test_level_and_tags_come_from_the_rules_where_it_states_none() -> None:
    high = replace(BASE[1], level=Level.HIGH, techniques=("T1078",), tactics=("initial-access",))
    made = outer("x", count(rules=("a", "b")))
    (linked,) = link([BASE[0], high, made])[0].correlations
    assert (linked.level, linked.techniques) == (Level.HIGH, ("T1110", "T1078"))
    assert linked.tactics == ("credential-access", "initial-access")
    own = count(rules=("a", "b"), is_level_own=True, are_tags_own=True)
    (linked,) = link([BASE[0], high, outer("x", own, level=Level.CRITICAL)])[0].correlations
    assert (linked.level, linked.techniques) == (Level.CRITICAL, ())


def test_least_level_silences_what_is_below_but_keeps_it_for_others() -> None:
    low = outer("x", count(is_level_own=True), level=Level.LOW)
    links, _ = link(
        [*BASE, low, outer("y", count(rules=("x",), is_level_own=True), level=Level.HIGH)], least=Level.HIGH
    )
    assert [linked.id for linked in links.correlations] == ["id-x", "id-y"]
    assert "id-x" in links.silent
    assert "id-y" not in links.silent


def test_fields_asked_by_an_outer_correlation_are_carried_through_the_inner() -> None:
    inner = outer("inner", count(group_by=("host",)))
    alias = Alias("who", (("inner", "user"), ("b", "account")))
    made = outer("x", count(kind=Kind.TEMPORAL, rules=("inner", "b"), group_by=("who",), aliases=(alias,)))
    links, _ = link([*BASE, inner, made])
    assert links.wanted["id-a"] == ("host", "user")
    assert links.wanted["id-b"] == ("account",)


def test_digest_changes_with_the_meaning_alone() -> None:
    def digest(made: Rule) -> str:
        return link([*BASE, made])[0].correlations[0].digest

    plain = outer("x", count())
    assert digest(replace(plain, title="New", path="new.yml", level=Level.HIGH)) == digest(plain)
    assert digest(outer("x", count(is_generating=True))) == digest(plain)
    assert digest(outer("x", count(timespan_s=11))) != digest(plain)
    assert digest(outer("x", count(rules=("b",)))) != digest(plain)
    assert digest(outer("x", count(group_by=("host",)))) != digest(plain)
