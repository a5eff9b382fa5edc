"""The site's own files: placeholders and exclusions, as people write them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.content.exclusions import load_exclusions
from amagasa.adapters.content.load import RuleFiles, load_plan
from amagasa.adapters.content.placeholders import placeholders_of
from amagasa.detect.report import RuleFault
from amagasa.vocab.errors import BadInputError
from tests.detect.cases import rule_text

WITH_SERVERS = rule_text({"s": {"A|expand": "%Servers%"}, "condition": "s"})
SOUND = '[[exclude]]\nrule = "x"\nreason = "r"\nexpires = 2030-01-01\n'


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_placeholders_come_from_the_folder_of_rules_and_named_files_of_which_the_last_counts(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    written(rules / "placeholders.toml", 'Servers = ["a", "b"]\nPort = 443\n"Two words" = "x"\n')
    named = written(tmp_path / "site.toml", '\ufeffServers = "c*"\n')
    found = placeholders_of([rules], [named])
    assert (dict(found.values), found.faults) == ({"Servers": ("c*",), "Port": ("443",), "Two words": ("x",)}, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Servers = [", "cannot be read"),
        ("Servers = []", "must be text"),
        ("Servers = [[1]]", "must be text"),
        ("Servers = true", "must be text"),
        ("[Servers]\nx = 1", "must be text"),
        ("Servers = ['a', {}]", "must be text"),
    ],
)
def test_placeholders_that_cannot_be_used_are_a_fault_with_their_file(tmp_path: Path, text: str, why: str) -> None:
    found = placeholders_of([], [written(tmp_path / "p.toml", text)])
    assert [(fault.path, why in fault.why) for fault in found.faults] == [(str(tmp_path / "p.toml"), True)]
    assert found.values == {}


def test_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="AMG-PLACEHOLDER-MISSING"):
        placeholders_of([], [tmp_path / "none.toml"])
    with pytest.raises(BadInputError, match="AMG-EXCLUSION-MISSING"):
        load_exclusions([tmp_path / "none.toml"], {})


def test_placeholder_without_values_is_a_fault_that_says_where_to_give_them(tmp_path: Path) -> None:
    rules = written(tmp_path / "rules" / "a.yml", WITH_SERVERS).parent
    written(rules / "placeholders.toml", 'Server = "a"\n')
    (fault,) = load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache").faults
    assert "%Servers%" in fault.why
    assert "%Server%" in fault.why
    assert "placeholders.toml" in fault.why


def test_compiled_rules_follow_the_placeholders(tmp_path: Path) -> None:
    rules = written(tmp_path / "rules" / "a.yml", WITH_SERVERS).parent
    values = []
    for text in ('Servers = "a"', 'Servers = ["b", "c"]', 'Servers = "a"'):
        written(rules / "placeholders.toml", text)
        plan = load_plan(RuleFiles(paths=(rules,)), cache=tmp_path / "cache").plan
        values.append([atom.value for atom in plan.rules[0].atoms])
    assert values == [["a"], ["b", "c"], ["a"]]


def test_exclusions_are_read_in_order_with_their_places(tmp_path: Path) -> None:
    path = written(tmp_path / "e.toml", SOUND + SOUND.replace('"x"', '"y"'))
    found, faults = load_exclusions([path], {})
    assert [(one.rule, one.place) for one in found] == [("x", f"{path}#1"), ("y", f"{path}#2")]
    assert faults == ()


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[[exclude]", "e.toml", "cannot be read"),
        ("[exclude]\nrule = 'x'", "e.toml", "expected tables [[exclude]]"),
        ("[[exclusion]]\nrule = 'x'", "e.toml", "got exclusion"),
        ("exclude = [1]", "e.toml#1", "a table"),
        (SOUND + SOUND.replace("reason", "raeson"), "e.toml#2", "the nearest is reason"),
        (SOUND.replace("2030-01-01", "'x'"), "e.toml#1", "expires must be"),
    ],
)
def test_exclusions_that_cannot_be_used_are_faults_with_their_place(
    tmp_path: Path, text: str, place: str, why: str
) -> None:
    _, faults = load_exclusions([written(tmp_path / "e.toml", text)], {})
    assert [fault.path for fault in faults] == [str(tmp_path / place)]
    assert why in faults[0].why


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda body: body.decode("latin-1")))
def test_any_text_is_read_or_a_fault(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("site") / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found, faults = load_exclusions([path], {})
    assert all(isinstance(one, RuleFault) for one in (*faults, *placeholders_of([], [path]).faults))
    assert found == () or faults == ()
