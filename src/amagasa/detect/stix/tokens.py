"""A STIX pattern cut into tokens, as the grammar of the OASIS cuts it: the longest that fits, keywords in capitals."""

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Kind(StrEnum):
    """What a token is; the values name the groups of the expression below."""

    INSTANT = "instant"
    HEX = "hex"
    BASE64 = "base64"
    STRING = "string"
    FLOAT = "float"
    INTEGER = "integer"
    WORD = "word"
    KEYWORD = "keyword"
    MARK = "mark"
    UNKNOWN = "unknown"
    END = "end"


class Token(Struct, frozen=True):
    """`text` as it stands in the pattern from character `at` on."""

    kind: Kind
    text: str
    at: int


# LAST is one that no rule of the grammar uses: it can be no property all the same.
_KEYWORDS: Final = """
    AND OR NOT FOLLOWEDBY LIKE MATCHES ISSUPERSET ISSUBSET EXISTS LAST IN START STOP SECONDS true false WITHIN REPEATS
    TIMES"""
KEYWORDS: Final = frozenset(_KEYWORDS.split())
INSTANT: Final = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[012])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)"
    r"(?:\.[0-9]+)?Z"
)

_SPACE: Final = r"[ \t\r\n\x0b\x0c\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_LETTER: Final = "[A-Za-z0-9+/]"
# Linear: no part can match the same text in two ways, and an unclosed quote or remark ends the pattern.
_TOKEN: Final = re.compile(
    rf"""(?P<space>{_SPACE}+|//[^\r\n]*|/\*.*?\*/)
      | (?P<instant>t'{INSTANT.pattern}')
      | (?P<hex>h'(?:[0-9A-Fa-f]{{2}})*')
      | (?P<base64>b'(?:{_LETTER}{{4}})*(?:{_LETTER}{{4}}|{_LETTER}{{3}}=|{_LETTER}{{2}}==)')
      | (?P<string>'(?:[^'\\]|\\['\\])*')
      | (?P<float>[+-]?[0-9]*\.[0-9]+)
      | (?P<integer>[+-]?(?:0|[1-9][0-9]*))
      | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
      | (?P<mark><>|==|!=|<=|>=|[=<>\[\]():,.*])
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens_of(pattern: str) -> list[Token]:
    """The tokens, spaces and remarks left out, and last an END. Never raises; linear in the length of the text.

    The first character that fits nowhere is UNKNOWN, and nothing is read after it.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            return [*tokens, Token(Kind.UNKNOWN, pattern[at : at + 20], at), _end(pattern)]
        if match.lastgroup != "space":
            text = match[0]
            kind = Kind.KEYWORD if text in KEYWORDS else Kind(match.lastgroup or "")
            tokens.append(Token(kind, text, at))
        at = match.end()
    return [*tokens, _end(pattern)]


def _end(pattern: str) -> Token:
    return Token(Kind.END, "the end of the pattern", len(pattern))
