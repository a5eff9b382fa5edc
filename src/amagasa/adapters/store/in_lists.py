"""Values for IN lists, in parts that one query can hold."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

# Values in one IN list; SQLite's own limit is 32,766 variables, and a short list is planned better.
IN_LIST: Final = 400

_T = TypeVar("_T")


def in_lists(values: Iterable[_T]) -> Iterator[list[_T]]:
    """`values`, each once, in lists short enough for one query."""
    rest = iter(dict.fromkeys(values))
    while part := list(islice(rest, IN_LIST)):
        yield part
