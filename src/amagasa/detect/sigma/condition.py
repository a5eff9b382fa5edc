"""A condition -> nodes over selections (specification 2.1, "Condition").

condition := and ("or" and)*        and := not ("and" not)*        not := "not" not | part
part := "(" condition ")" | ("1" | "any" | "all") "of" ("them" | pattern) | selection
"""

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from typing import Final

from amagasa.detect.sigma.problem import CANNOT_RUN, SigmaProblemError
from amagasa.detect.sigma.rule import Node, Op
from amagasa.vocab.text import show

MAX_DEPTH: Final = 50
MAX_CHARACTERS: Final = 65_536
_WORD_OR_BRACKET: Final = re.compile(r"[()]|[^\s()]+")
_SELECTION: Final = re.compile(r"[A-Za-z0-9_-]+")
_PATTERN: Final = re.compile(r"[A-Za-z0-9_*-]+")
_QUANTIFIERS: Final = {"1": Op.OR, "any": Op.OR, "all": Op.AND}
_WORDS: Final = frozenset({"and", "or", "not"})

Leaf = Callable[[str], Node]


def condition_node(text: str, selections: Collection[str], leaf: Leaf) -> Node:
    """The condition as a tree, with `leaf(name)` where a selection is named, in the order of the text.

    A pattern stands for the selections it fits, in the order of `selections`; those that begin with `_` are meant only
    where the pattern begins with it too. AND and OR of a single item are that item. Raises SigmaProblemError.
    """
    if "|" in text:
        message = "a pipe in the condition: Sigma 2 writes what is counted over several events as a correlation"
        raise SigmaProblemError(message, code=CANNOT_RUN)
    if len(text) > MAX_CHARACTERS:
        message = f"the condition has more than {MAX_CHARACTERS} characters"
        raise SigmaProblemError(message)
    reader = _Reader(_WORD_OR_BRACKET.findall(text), selections, leaf)
    node = reader.either(0)
    if reader.next:
        message = f"the condition goes on with {show(reader.next)} where `and`, `or` or its end was expected"
        raise SigmaProblemError(message)
    return node


class _Reader:
    """Reads words from the left; each method takes one phrase and gives its node."""

    def __init__(self, words: Sequence[str], selections: Collection[str], leaf: Leaf) -> None:
        self._words = words
        self._at = 0
        self._selections = selections
        self._leaf = leaf

    @property
    def next(self) -> str:
        """The word in front; "" at the end."""
        return self._words[self._at] if self._at < len(self._words) else ""

    def either(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            message = f"the condition is nested deeper than {MAX_DEPTH}"
            raise SigmaProblemError(message, code=CANNOT_RUN)
        items = [self._both(depth)]
        while self._takes("or"):
            items.append(self._both(depth))
        return joined(Op.OR, items)

    def _both(self, depth: int) -> Node:
        items = [self._negated(depth)]
        while self._takes("and"):
            items.append(self._negated(depth))
        return joined(Op.AND, items)

    def _negated(self, depth: int) -> Node:
        n_negations = 0
        while self._takes("not"):
            n_negations += 1
        if n_negations + depth > MAX_DEPTH:
            message = f"the condition is nested deeper than {MAX_DEPTH}"
            raise SigmaProblemError(message, code=CANNOT_RUN)
        node = self._part(depth)
        for _ in range(n_negations):
            node = Node(Op.NOT, items=(node,))
        return node

    def _part(self, depth: int) -> Node:
        word = self._take()
        if word == "(":
            node = self.either(depth + 1)
            if self._take() != ")":
                message = "the condition has a bracket that is not closed"
                raise SigmaProblemError(message)
            return node
        if word.lower() in _QUANTIFIERS and self.next.lower() == "of":
            self._take()
            return self._of(_QUANTIFIERS[word.lower()], self._take())
        return self._named(word)

    def _of(self, op: Op, pattern: str) -> Node:
        if not _PATTERN.fullmatch(pattern):
            message = f"`of` must be followed by `them` or a pattern of names, not by {show(pattern) or 'nothing'}"
            raise SigmaProblemError(message)
        wanted = "*" if pattern.lower() == "them" else pattern
        names = [
            name
            for name in self._selections
            if _fits(wanted, name) and (wanted.startswith("_") or not name.startswith("_"))
        ]
        if not names:
            message = f"no selection fits the pattern {show(pattern)} of the condition"
            raise SigmaProblemError(message)
        return joined(op, [self._leaf(name) for name in names])

    def _named(self, word: str) -> Node:
        if word in self._selections:
            return self._leaf(word)
        if not word or word == ")" or word.lower() in _WORDS or not _SELECTION.fullmatch(word):
            what = show(word) or "nothing"
            message = f"the condition has {what} where a selection was expected"
            raise SigmaProblemError(message)
        like = difflib.get_close_matches(word, self._selections, n=1)
        near = f"; the nearest name is {show(like[0])}" if like else ""
        message = f"the condition names {show(repr(word))}, which is no selection of the rule{near}"
        raise SigmaProblemError(message)

    def _takes(self, word: str) -> bool:
        """Take the word in front if it is this word, in any case, and no selection has it for its name."""
        is_word = self.next.lower() == word and self.next not in self._selections
        self._at += is_word
        return is_word

    def _take(self) -> str:
        word = self.next
        self._at += 1
        return word


def _fits(pattern: str, name: str) -> bool:
    """Whether the name is the pattern, whose stars stand for any text. Linear, unlike a regular expression."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == first
    *middle, last = rest
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def joined(op: Op, items: Sequence[Node]) -> Node:
    """The items under AND or OR; a single one as it is."""
    return items[0] if len(items) == 1 else Node(op, items=tuple(items))
