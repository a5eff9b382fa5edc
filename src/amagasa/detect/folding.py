"""Letter case: the one folding by which rules and values are compared.

Every character folds to one character, so lengths and positions stay. ASCII letters fold among themselves only: the
Kelvin sign is no `k`, the long s no `s` and the dotted I no `i`, as in the file system of Windows; other letters fold
by their simple lower case. Final sigma does not depend on its place, unlike in `str.lower`.
"""

from typing import Final


def _table() -> dict[int, int]:
    found: dict[int, int] = {}
    for point in range(0x80, 0x20000):
        lower = chr(point).lower()
        if len(lower) == 1 and lower != chr(point) and not lower.isascii():
            found[point] = ord(lower)
    for point in range(0x41, 0x5B):
        found[point] = point + 0x20
    return found


_TABLE: Final = _table()
_ESCAPES: Final = {point: f"\\x{point:02x}" for point in range(0x80) if not chr(point).isalnum()}


def fold(text: str) -> str:
    """`text` in the case in which it is compared; of the same length."""
    return text.lower() if text.isascii() else text.translate(_TABLE)


def escaped(text: str) -> str:
    """`text` as a regular expression that matches it alone. A NUL is written out: some engines end patterns at it."""
    return text.translate(_ESCAPES)
