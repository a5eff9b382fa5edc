r"""Sigma's way of writing text: `*` and `?` are wildcards, a backslash before them or before another makes them plain.

Any other backslash stands for itself (specification 2.1, "Escaping"), so `\a` are two characters and `\\` is one.
"""

from typing import Final

from msgspec import Struct

WILDCARDS: Final = "*?"


class Pattern(Struct, frozen=True):
    """A text taken apart. `plain` are its pieces between wildcards, the first and last perhaps "".

    `starts`, `ends`: whether it begins, ends with `*`. `escaped` are places of wildcards made plain by a backslash.
    """

    plain: tuple[str, ...]
    starts: bool
    ends: bool
    escaped: tuple[int, ...]

    @property
    def has_wildcard(self) -> bool:
        """Whether any `*` or `?` counts as such."""
        return len(self.plain) > 1

    @property
    def is_any(self) -> bool:
        """Whether it is nothing but stars."""
        return self.starts and not any(self.plain)


def pattern_of(text: str) -> Pattern:
    """`text` as Sigma reads it."""
    pieces: list[str] = [""]
    escaped: list[int] = []
    wildcards: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        following = text[at + 1 : at + 2]
        if character == "\\" and following and following in "*?\\":
            pieces[-1] += following
            if following != "\\":
                escaped.append(at)
            at += 2
            continue
        if character in WILDCARDS:
            pieces.append("")
            wildcards.append(character)
        else:
            pieces[-1] += character
        at += 1
    starts = bool(wildcards) and not pieces[0] and wildcards[0] == "*"
    ends = bool(wildcards) and not pieces[-1] and wildcards[-1] == "*"
    return Pattern(tuple(pieces), starts, ends, tuple(escaped))
