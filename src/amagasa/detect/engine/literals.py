r"""What a text must hold for a regular expression to match it, as a condition over literal parts.

`foo.*(bar|baz+)\d?` needs "foo" and ("bar" or "baz"). It is used to leave out texts that cannot match.
"""

from typing import Final, TypeAlias, Union

from msgspec import Struct

from amagasa.detect.engine.expression import Choice, Letter, Repeat, Row, Tree, tree_of

# One letter stands in most texts; these signs in few.
MIN_CHARACTERS: Final = 2
RARE: Final = frozenset("`{}^+<>|&;$~!@#")


class AllOf(Struct, frozen=True):
    """Every part; of none: nothing is needed."""

    parts: "tuple[Need, ...]" = ()


class OneOf(Struct, frozen=True):
    """One part at least."""

    parts: "tuple[Need, ...]"


# A literal in small letters of ASCII, or a condition over such.
Need: TypeAlias = Union[str, AllOf, OneOf]  # noqa: UP007 - a forward reference
NOTHING: Final = AllOf()


def need_of(expression: str) -> Need:
    """What every text that the expression matches must hold, its ASCII letters made small; `NOTHING` where unknown."""
    tree = tree_of(expression)
    return NOTHING if tree is None else _all(_needs(tree))


def _needs(tree: Tree) -> list[Need]:
    """Conditions which all must be met; runs of single characters come as texts."""
    match tree:
        case Letter():
            return [_text(tree)]
        case Row():
            return _row_needs(tree)
        case Choice():
            parts = [_all(_needs(part)) for part in tree.parts]
            return [] if NOTHING in parts else [OneOf(tuple(dict.fromkeys(parts)))]
        case Repeat() if tree.least:
            return _needs(tree.part)
        case _:
            return []


def _row_needs(row: Row) -> list[Need]:
    needs: list[Need] = []
    run = ""
    for part in row.parts:
        if isinstance(part, Letter) and (text := _text(part)):
            run += text
            continue
        if isinstance(part, Repeat) and part.least and isinstance(part.part, Letter):
            run += _text(part.part)
        needs.append(run)
        run = ""
        needs.extend(_needs(part))
    return [*needs, run]


def _text(letter: Letter) -> str:
    """The character, where it can be one only."""
    return chr(letter.mask.bit_length() - 1) if letter.mask.bit_count() == 1 else ""


def _all(needs: list[Need]) -> Need:
    kept: list[Need] = []
    for need in needs:
        if isinstance(need, AllOf):
            kept.extend(need.parts)
        elif not isinstance(need, str) or len(need) >= MIN_CHARACTERS or need in RARE:
            kept.append(need)
    kept = list(dict.fromkeys(kept))
    return kept[0] if len(kept) == 1 else AllOf(tuple(kept))
