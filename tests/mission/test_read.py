"""Models as people write them: plain forms are understood, and each mistake is named with its file and line."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amagasa.mission.model import Dependency, Kind, Model
from amagasa.mission.problem import MAX_PROBLEMS
from amagasa.mission.read import ReadModel, Text, read_model

PLAIN = """
title = "A base"

[[mission]]
name = "flying"
weight = 3

[[service]]
name = "grid"

[[asset]]
name = "scada"
hosts = ["scada-*"]
addresses = ["192.0.2.0/28"]
repair_h = [4, 12]

[[dependency]]
from = "scada"
to = "grid"
strength = 0.9
criticality = 10

[[dependency]]
from = "grid"
to = "flying"
"""


def read(text: str, path: str = "base.toml") -> ReadModel:
    return read_model([Text(path=path, content=text.encode())])


def model_of(text: str, path: str = "base.toml") -> Model:
    found = read(text, path)
    assert found.model is not None, [str(one) for one in found.problems]
    return found.model


def said(text: str, path: str = "base.toml") -> list[str]:
    found = read(text, path)
    return [f"{one.place} {one.code}" for one in found.problems if one.grade == "error"]


def edges(model: Model) -> set[tuple[str, str, float, float]]:
    return {(one.feeder, one.receiver, one.strength, one.criticality) for one in model.dependencies}


def test_plain_model_is_read_whole() -> None:
    model = model_of(PLAIN)
    assert [(node.name, node.kind) for node in model.nodes] == [
        ("flying", Kind.MISSION),
        ("grid", Kind.SERVICE),
        ("scada", Kind.ASSET),
    ]
    assert (model.title, model.nodes[0].weight, model.nodes[2].hosts, model.nodes[2].repair_h) == (
        "A base",
        3,
        ("scada-*",),
        (4, 12),
    )
    assert model.dependencies == (
        Dependency(feeder="scada", receiver="grid", strength=0.9, criticality=10),
        Dependency(feeder="grid", receiver="flying", strength=1, criticality=0),
    )
    assert read(PLAIN).n_warnings == 0


@pytest.mark.parametrize(
    "text",
    [
        '[mission.m]\n[asset.a]\n[[dependency]]\nfrom = "a"\nto = "m"\nstrength = 0.9\ncriticality = 10',
        '[missions.m]\n[assets.a]\n[[dependencies]]\nfeeder = "a"\nreceiver = "m"\nalpha = 0.9\nbeta = 10',
        'assets = ["a"]\nmissions = ["m"]\n[dependencies]\n"a -> m" = { strength = 0.9, criticality = 10 }',
        'mission = [{ id = "m", depends_on = [["a", 0.9, 10]] }]\nasset = [{ id = "a" }]',
        '[[asset]]\nname = "a"\n[[mission]]\nname = "m"\ndepends_on = [{ on = "a", strength = 0.9, criticality = 10 }]',
        '[[asset]]\nname = "a"\n[[mission]]\nname = "m"\n[mission.needs]\na = { alpha = 0.9, beta = 10 }',
        '[[node]]\nname = "a"\nkind = "asset"\n[[nodes]]\nname = "m"\ntype = "mission"\nneeds = { a = [0.9, 10] }',
        '[[edge]]\nsource = "a"\ntarget = "m"\nα = 0.9\nβ = 10\n[[asset]]\nname = "a"\n[[mission]]\nname = "m"'.replace(
            "α", '"α"'
        ).replace("β", '"β"'),
    ],
)
def test_plain_forms_mean_the_same(text: str) -> None:
    assert edges(model_of(text)) == {("a", "m", 0.9, 10.0)}


def test_one_csv_holds_nodes_and_dependencies() -> None:
    text = (
        "kind,name,hosts,repair_least_h,repair_most_h,from,to,strength,criticality\n"
        "mission,m,,,,,,,\n"
        "asset,a,web-1;web-2,4,12,,,,\n"
        "dependency,,,,,a,m,0.9,10\n"
    )
    model = model_of(text, "one.csv")
    assert edges(model) == {("a", "m", 0.9, 10.0)}
    assert (model.nodes[1].hosts, model.nodes[1].repair_h) == (("web-1", "web-2"), (4, 12))


def test_two_csv_files_in_either_order_are_one_model() -> None:
    nodes = Text(path="nodes.csv", content="\ufeffkind;name\nmission;m\nasset;a\n".encode())
    ends = Text(path="ends.csv", content=b"from;to;strength;criticality\na;m;0.9;10\n")
    for texts in ([nodes, ends], [ends, nodes]):
        found = read_model(texts)
        assert found.model is not None
        assert edges(found.model) == {("a", "m", 0.9, 10.0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[asset]]\nname = "a"\n[[dependency]]\nfrom = "a"\nto = "b"', "base.toml:3 AMG-MISSION-UNKNOWN"),
        ('[[asset]]\nname = "a"\n\n[[asset]]\nname = "a"', "base.toml:4 AMG-MISSION-NAME"),
        ('[[asset]]\nname = "a"\nweight = 11', "base.toml:3 AMG-MISSION-RANGE"),
        ('[[asset]]\nname = "a"\nhots = ["x"]', "base.toml:3 AMG-MISSION-KEY"),
        ('[[asset]]\nname = "a"\naddresses = ["10.0.0.999"]', "base.toml:3 AMG-MISSION-ADDRESS"),
        ('[[asset]]\nname = "a"\nrepair_h = [9, 2]', "base.toml:3 AMG-MISSION-RANGE"),
        ('[[thing]]\nname = "a"', "base.toml:1 AMG-MISSION-KEY"),
        ('[[asset]]\nnote = """\n[[asset]]\n"""\n[[asset]]\nname = 7', "base.toml:6 AMG-MISSION-NAME"),
        ("a = [[[", "base.toml:1 AMG-MISSION-TOML"),
        ("", "base.toml AMG-MISSION-EMPTY"),
        ('[[asset]]\nname = "a"\noperability = nan', "base.toml:3 AMG-MISSION-RANGE"),
        ('[[asset]]\nname = "a"\n[[mission]]\nname = "m"\ndepends_on = [7]', "base.toml:5 AMG-MISSION-SHAPE"),
    ],
)
def test_mistake_is_named_with_file_and_line(text: str, expected: str) -> None:
    assert expected in said(text)


def test_strength_as_a_percentage_is_told_what_was_meant() -> None:
    (problem,) = read('[[asset]]\nname = "a"\n[[mission]]\nname = "m"\ndepends_on = [["a", 90, 10]]').problems
    assert problem.expected == "a number from 0 to 1, so 0.9"


def test_ring_is_refused_with_its_way_and_solved_where_the_model_says_so() -> None:
    ring = "".join(f'[[service]]\nname = "{a}"\ndepends_on = ["{b}"]\n' for a, b in ("ab", "bc", "ca"))
    found = read(ring)
    (problem,) = [one for one in found.problems if one.grade == "error"]
    assert problem.code == "AMG-MISSION-CYCLE"
    assert problem.place.line in {1, 4, 7}
    assert all(name in problem.what for name in "abc")
    assert read('cycles = "solve"\n' + ring).model is not None


def test_orphans_are_warned_of_and_do_not_refuse_the_model() -> None:
    found = read(PLAIN + '\n[[asset]]\nname = "forgotten"\n[[mission]]\nname = "bare"\n')
    assert found.model is not None
    assert [(one.code, one.place.line) for one in found.problems] == [
        ("AMG-MISSION-ORPHAN", 27),
        ("AMG-MISSION-BARE", 29),
    ]


def test_mistakes_in_csv_have_their_line_even_after_a_cell_of_several_lines() -> None:
    text = 'kind,name,title,weight\nmission,m,"two\nlines",1\nasset,a,,99\n'
    assert said(text, "one.csv") == ["one.csv:4 AMG-MISSION-RANGE"]


def test_thousands_of_mistakes_are_counted_and_the_first_are_kept() -> None:
    found = read("".join(f'[[asset]]\nname = "a{n}"\nweight = 99\n' for n in range(3 * MAX_PROBLEMS)))
    assert found.n_errors == 3 * MAX_PROBLEMS
    assert len(found.problems) == MAX_PROBLEMS


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"x = " + b"[" * 50_000,
        b'[[asset]]\nname = "\\u202e"',
        b'[[asset]]\nname = ""',
        b"asset = 3",
        b"asset.a.b.c = 3",
        b'[[asset]]\nname = ["a"]',
        b"model = 3",
        b"[[dependency]]",
        b'dependency = ["a"]',
        b"x = " + b"9" * 10_000,
    ],
)
def test_hostile_text_is_refused_with_a_reason(content: bytes) -> None:
    for path in ("m.toml", "m.csv"):
        found = read_model([Text(path=path, content=content)])
        assert found.model is None
        assert found.n_errors >= 1
        assert all("\u202e" not in str(one) and len(str(one)) < 2_000 for one in found.problems)


def test_huge_model_is_refused_before_it_is_read() -> None:
    found = read_model([Text(path="m.toml", content=b"#" * (9 * 1024 * 1024))])
    assert [one.code for one in found.problems] == ["AMG-MISSION-LARGE"]


PIECES = st.sampled_from(
    """[[asset]]~|[mission.m]~|name = "a"~|from = "a"~|x = [~|]~|'''|#|= {|kind,name~|asset,a~|~|depends_on = |["a"]~|
strength = 2~|"|,|;|\x00|from,to~|a,b~""".replace("\n", "")
    .replace("~", "\n")
    .split("|")
)


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(PIECES | st.text(max_size=6), max_size=12), path=st.sampled_from(["m.toml", "m.csv"]))
@example(parts=["[[asset]]\n", "x = [\n", "]\n"], path="m.toml")
def test_whatever_is_written_is_a_model_or_has_a_problem(parts: list[str], path: str) -> None:
    found = read_model([Text(path=path, content="".join(parts).encode("utf-8", "surrogatepass"))])
    assert (found.model is None) == (found.n_errors > 0)
    assert found.n_errors == 0 or any(one.grade == "error" for one in found.problems)
