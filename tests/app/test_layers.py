"""Layers against the plain thing: whatever changes, in whatever order, what is found is what the rules held say."""

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from amagasa.app.layers import MAX_LAYERS, SMALL, Layer, Layers, Rules, Task, disk_key, items_on_disk, path_of
from amagasa.app.path import look
from amagasa.app.sight import Sight
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import plan_of
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.sigma.compile import compile_rules
from tests.detect.cases import READ_AT, chunk_of, process_line, rule_text

NUMBERS = range(12)
# One line for each number and version: exactly one version of one rule finds it.
LINES = [process_line(CommandLine=f"mark-{n}-{version}-") for n in NUMBERS for version in range(3)]
CHUNK = chunk_of(LINES)


def rules_for(number: int, version: int) -> Rules:
    detection = {"s": {"CommandLine|contains": f"mark-{number}-{version}-"}, "condition": "s"}
    (made,), _ = compile_rules([("", rule_text(detection, id=f"00000000-0000-4000-8000-{number:012}"))])
    return (made,)


RULES = {(number, version): rules_for(number, version) for number in NUMBERS for version in range(3)}


def layer_of(items: Mapping[str, Rules]) -> Layer:
    plan = plan_of([one for rules in items.values() for one in rules])
    return Layer(items, plan, Memo(plan))


def found_by(layers: Layers) -> list[tuple[str | None, int]]:
    seen = look(CHUNK, Sight(layers.plans, IndicatorSet(), hidden=layers.hidden), now=READ_AT)
    return sorted((one.rule_id, one.record) for one in seen.report.detections)


def expected(held: Mapping[int, int]) -> list[tuple[str, int]]:
    ids = ((f"00000000-0000-4000-8000-{number:012}", number * 3 + version + 1) for number, version in held.items())
    return sorted(ids)


class Changing(RuleBasedStateMachine):
    """Changes and merges in any order, a merge perhaps finished long after it was begun."""

    @initialize(numbers=st.sets(st.sampled_from(NUMBERS), max_size=4))
    def begin(self, numbers: set[int]) -> None:
        self.held: dict[int, int] = dict.fromkeys(numbers, 0)
        self.layers = Layers(layer_of({str(number): RULES[number, 0] for number in numbers}))
        self.merging: list[Task] = []

    @rule(numbers=st.sets(st.sampled_from(NUMBERS), min_size=1, max_size=4), version=st.integers(0, 2))
    def add(self, numbers: set[int], version: int) -> None:
        added = {str(number): RULES[number, version] for number in numbers}
        task = self.layers.task_for(added)
        self.layers.bring(task, layer_of(task.items))
        self.held |= dict.fromkeys(numbers, version)

    @rule(numbers=st.sets(st.sampled_from(NUMBERS), min_size=1, max_size=4), version=st.integers(0, 2))
    def add_large(self, numbers: set[int], version: int) -> None:
        """As a layer of its own, however small: as if it were too large for the one before."""
        items = {str(number): RULES[number, version] for number in numbers}
        self.layers.bring(Task(items=items, replaces=(), keys=frozenset(items)), layer_of(items))
        self.held |= dict.fromkeys(numbers, version)

    @rule(numbers=st.sets(st.sampled_from(NUMBERS), min_size=1, max_size=4))
    def remove(self, numbers: set[int]) -> None:
        self.layers.remove(map(str, numbers))
        for number in numbers:
            self.held.pop(number, None)

    @rule()
    def begin_merge(self) -> None:
        task = self.layers.task_to_merge()
        if task is not None:
            self.merging.append(task)

    @rule()
    def end_merge(self) -> None:
        if self.merging:
            task = self.merging.pop(0)
            self.layers.bring(task, layer_of(task.items))

    @invariant()
    def finds_exactly_what_is_held(self) -> None:
        if hasattr(self, "layers"):
            assert found_by(self.layers) == expected(self.held)
            assert self.layers.keys == frozenset(map(str, self.held))


def test_layers_find_exactly_what_is_held_whatever_happens() -> None:
    run_state_machine_as_test(Changing, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))


def many(start: int, n: int) -> dict[str, Rules]:
    return {str(number): RULES[number % len(NUMBERS), 0] for number in range(start, start + n)}


def brought(layers: Layers, *sizes: int) -> None:
    start = 1_000 * len(layers.plans)
    for size in sizes:
        task = layers.task_for(many(start, size))
        layers.bring(task, layer_of(task.items))
        start += 10_000


def test_small_changes_share_a_layer_until_it_is_full() -> None:
    layers = Layers(layer_of({}))
    brought(layers, 1, 1, 1)
    assert len(layers.plans) == 2
    brought(layers, SMALL)
    assert len(layers.plans) == 3


def test_layers_are_merged_before_they_are_many() -> None:
    layers = Layers(layer_of({}))
    for number in range(40):
        task = layers.task_for(many(1_000 * number, SMALL + 1))
        layers.bring(task, layer_of(task.items))
        while (merge := layers.task_to_merge()) is not None:
            layers.bring(merge, layer_of(merge.items))
        assert len(layers.plans) <= MAX_LAYERS + 1
    assert len(layers.keys) == 40 * (SMALL + 1)


def test_layer_of_which_much_is_hidden_is_made_anew() -> None:
    layers = Layers(layer_of(many(0, 200)))
    layers.remove(str(number) for number in range(100))
    task = layers.task_to_merge()
    assert task is not None
    layers.bring(task, layer_of(task.items))
    assert (layers.task_to_merge(), layers.hidden, len(layers.keys)) == (None, (frozenset(),), 100)


@given(st.lists(st.sampled_from(["a.yml", "b.yml", "x.zip:c.yml"]), max_size=6))
def test_rules_on_disk_are_kept_by_their_file(paths: Sequence[str]) -> None:
    (one,) = RULES[0, 0]
    items = items_on_disk(
        [type(one)(**{name: getattr(one, name) for name in one.__struct_fields__} | {"path": path}) for path in paths]
    )
    assert {path_of(key): len(rules) for key, rules in items.items()} == {path: paths.count(path) for path in paths}
    assert path_of("11111111-1111-4111-8111-111111111111") is None
    assert disk_key("a.yml") in items or "a.yml" not in paths
