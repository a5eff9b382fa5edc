"""Collections of Sigma 1, taken apart as the compiler takes them apart (`detect.sigma.document`), places kept."""

from collections.abc import Iterator, Sequence

from amagasa.detect.lint.tree import Entry, Map, Node, Scalar


def taken_apart(trees: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    """Each document that is to be a rule, filter or correlation: as it stands there, and as it is meant.

    `action: global` goes over every rule behind it until `action: reset`; `action: repeat` is the rule before it with
    changes.
    """
    shared = last = Map((), trees[0].place) if trees else None
    for tree in trees:
        if not isinstance(tree, Map) or shared is None or last is None:
            yield tree, tree
            continue
        match _action(tree):
            case "global":
                shared = last = tree
            case "reset":
                shared = Map((), tree.place)
            case "repeat":
                last = _over(last, tree)
                yield tree, last
            case _ if tree.get("correlation") is None and tree.get("filter") is None:
                last = _over(shared, tree)
                yield tree, last
            case _:
                yield tree, tree


def _action(tree: Map) -> str:
    value = tree.get("action")
    return value.text if isinstance(value, Scalar) else ""


def _over(base: Map, changes: Map) -> Map:
    """`base` with the entries of `changes`, mappings within mappings likewise."""
    names = {entry.key.text for entry in changes.entries} | {"action"}
    kept = tuple(entry for entry in base.entries if entry.key.text not in names)
    return Map((*kept, *(_merged(base, entry) for entry in changes.entries)), changes.place)


def _merged(base: Map, entry: Entry) -> Entry:
    below = base.get(entry.key.text)
    both = isinstance(below, Map) and isinstance(entry.value, Map)
    return Entry(entry.key, _over(below, entry.value)) if both else entry  # type: ignore[arg-type]
