"""Letter case: the one folding by which rules and values are compared.

Every character folds to one character, so lengths and positions stay. ASCII letters fold among themselves only: the
Kelvin sign is no `k`, the long s no `s` and the dotted I no `i`, as in the file system of Windows; other letters fold
by their simple lower case. Final sigma does not depend on its place, unlike in `str.lower`.
"""

from typing import Final

# Beyond the Basic Multilingual Plane folds are looked up anew, so that no text can fill memory.
_KEPT_BELOW: Final = 0x10000


class _Table(dict[int, int]):
    """Folds by code point, made as they are asked for: a whole table would cost 40 ms at every start."""

    def __missing__(self, point: int) -> int:
        lower = chr(point).lower()
        is_letter = len(lower) == 1 and (point < 0x80 or not lower.isascii())
        folded = ord(lower) if is_letter else point
        if point < _KEPT_BELOW:
            self[point] = folded
        return folded


_TABLE: Final = _Table()
_ESCAPES: Final = {point: f"\\x{point:02x}" for point in range(0x80) if not chr(point).isalnum()}


def fold(text: str) -> str:
    """`text` in the case in which it is compared; of the same length."""
    return text.lower() if text.isascii() else text.translate(_TABLE)


def escaped(text: str) -> str:
    """`text` as a regular expression that matches it alone. A NUL is written out: some engines end patterns at it."""
    return text.translate(_ESCAPES)
