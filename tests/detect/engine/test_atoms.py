import msgspec

from amagasa.detect.engine.atoms import Atoms, Index, index_of
from amagasa.detect.sigma.rule import FIELDREFS
from tests.detect.cases import plan_for

PLAN = plan_for(
    {"s": {"CommandLine|contains": ["evil", "worse"], "Image": "x.exe"}, "condition": "s"},
    {"s": {"CommandLine|contains": "evil"}, "f": {"Image|fieldref": "CommandLine"}, "condition": "s and not f"},
    {"k": ["mimikatz"], "condition": "k"},
)


def test_atoms_by_an_index_that_was_written_and_read_are_those_of_the_rules() -> None:
    index = msgspec.msgpack.decode(msgspec.msgpack.encode(index_of(PLAN.rules)), type=Index)
    atoms = Atoms(PLAN.rules, index)
    distinct = list(dict.fromkeys(atom for rule in PLAN.rules for atom in rule.atoms))
    assert list(atoms) == distinct == [atoms[number] for number in range(len(atoms))]
    assert atoms[1:3] == distinct[1:3]
    for place, rule in enumerate(PLAN.rules):
        assert tuple(atoms[number] for number in atoms.of_rule(place)) == rule.atoms


def test_atoms_of_a_field_are_all_of_it_but_references() -> None:
    atoms = Atoms(PLAN.rules, index_of(PLAN.rules))
    for field in ("CommandLine", "Image", "Other", ""):
        own = {n: atom for n, atom in enumerate(atoms) if atom.field == field and atom.predicate not in FIELDREFS}
        assert atoms.of_field(field) == own
    assert [atom.value for atom in atoms.keywords().values()] == ["mimikatz"]


def test_atoms_of_no_rules_are_none() -> None:
    assert list(Atoms((), index_of(()))) == []
