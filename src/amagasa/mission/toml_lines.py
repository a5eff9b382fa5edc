"""On which line of a TOML text each table and key stands: `tomllib` does not say.

The text is known to be sound TOML. Strings and comments are skipped, so that a header within them is not taken for
one; what stands within a value over several lines has the line of its key. Linear in the text.
"""

import re
from typing import Final

from msgspec import Struct

# Possessive: without a way back, a string of megabytes costs its own length and no stack.
_TOKENS: Final = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}|\'\'\'(?:[^\']++|\'{1,2}(?!\'))*+\'{3,5}'
    r'|"(?:[^"\\\n]++|\\.)*+"|\'[^\'\n]*+\'|#[^\n]*+|[\[{]|[\]}]|\n',
    re.DOTALL,
)
_HEADER: Final = re.compile(r"[ \t]*\[(\[?)([^\n]*)")
_BARE: Final = re.compile(r"[ \t]*([A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')((?:[ \t]*\.[^=\n]*)?)[ \t]*=")
_PART: Final = re.compile(r"[ \t]*(\"[^\"\n]*\"|'[^'\n]*'|[^.\s\"'\]]+)[ \t]*(\.?)")


class Header(Struct, frozen=True, kw_only=True):
    """A table's header: the keys of its path, whether it is `[[one of many]]`, its line, and the lines of its keys."""

    keys: tuple[str, ...]
    is_item: bool
    line: int
    lines: dict[str, int]


def headers_of(text: str) -> tuple[Header, ...]:
    """The headers in their order; the first, without keys, is the top of the file."""
    found = [Header(keys=(), is_item=False, line=1, lines={})]
    for line, start in _statements(text):
        header = _HEADER.match(text, start)
        if header is not None:
            keys = _keys(header[2])
            found.append(Header(keys=keys, is_item=bool(header[1]), line=line, lines={}))
            continue
        key = _BARE.match(text, start)
        if key is not None:
            found[-1].lines.setdefault(key[1].strip("\"'"), line)
    return tuple(found)


def _statements(text: str) -> list[tuple[int, int]]:
    """(line, offset) of each line that begins a statement: outside of strings and brackets."""
    starts = [(1, 0)]
    depth, line = 0, 1
    for token in _TOKENS.finditer(text):
        if token[0] in {"[", "{"}:
            depth += 1
        elif token[0] in {"]", "}"}:
            depth = max(depth - 1, 0)
        else:
            line += token[0].count("\n")
            if token[0] == "\n" and depth == 0:
                starts.append((line, token.end()))
    return starts


def _keys(text: str) -> tuple[str, ...]:
    keys, at = [], 0
    while (part := _PART.match(text, at)) is not None:
        keys.append(part[1].strip("\"'"))
        at = part.end()
        if not part[2]:
            break
    return tuple(keys)
