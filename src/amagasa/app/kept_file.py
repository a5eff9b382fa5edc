"""Files of indicators as the use cases see them: a small Protocol, carried out by an adapter."""

from typing import Any, Final, Protocol

from msgspec import Struct

FILE_PREFIX: Final = "list--"  # of the identifiers of such content


class Kept(Struct, frozen=True, kw_only=True):
    """A file in the node's folder. `file` is its place there, `name` what it is called; `counts` by name and by kind.

    `faults` are the first of its lines or objects that cannot be used.
    """

    file: str
    name: str
    counts: dict[str, int]
    faults: tuple[str, ...] = ()


class ReadBack(Struct, frozen=True, kw_only=True):
    """The STIX objects of a file as they stand in it, and how many lines of a flat list it has instead."""

    objects: tuple[dict[str, Any], ...]
    n_lines: int


class IndicatorFiles(Protocol):
    """The files which the node keeps."""

    def describe(self, file: str) -> Kept:
        """Raises BadInputError (AMG-CONTENT-NO-FILE) where there is none of that name."""

    def remove(self, file: str) -> None:
        """Forget it; nothing where there is none."""

    def objects(self, file: str) -> ReadBack:
        """What is in it; nothing where it is not there any more."""
