"""What alerts and incidents are found by: words made of titles, entities, techniques and notes, and of what is asked.

Words are folded (NFKC, then case), so a half-width kana or a full-width letter finds its twin. Between spaces and
punctuation stands one word, and again what remains of it behind each dot, slash, dash, colon, at sign and underscore:
`dc01.corp.example` is found by the beginning of `dc01`, `corp` and `example`. An address stays whole. Japanese,
Chinese and Korean have no spaces: each two characters that follow one another are a word, and what is asked must follow
in the same order. Bounded whatever a log holds; linear in its length.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from amagasa.incident.alert import Alert, Incident

MAX_CHARACTERS: Final = 2_000  # of one text
MAX_PIECE: Final = 120
MAX_REMAINS: Final = 12
MAX_OF_ALERT: Final = 200
MAX_OF_INCIDENT: Final = 1_000
MAX_OF_NOTES: Final = 5_000
MAX_ASKED: Final = 12

_CJK: Final = (
    r"\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u9fff"
    r"\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_KEPT: Final = r"!#$%&*+\-./:?@\\^_~"
_PIECE: Final = re.compile(f"(?P<cjk>[{_CJK}]+)|(?P<plain>(?:[{_KEPT}]|(?![{_CJK}\ud800-\udfff])\\w)+)")
_BEHIND: Final = re.compile(r"[./\\:@_$#-]+(?=[^./\\:@_$#-])")
_ADDRESS: Final = re.compile(r"[0-9.]+|[0-9a-f]*:[0-9a-f:.]*")
_EDGES: Final = r"!#$%&*+-./:?@\^_~"


class Sought(Struct, frozen=True):
    """One thing asked for: these words in a row, the last whole or, where `is_begun`, only its beginning."""

    words: tuple[str, ...]
    is_begun: bool


def words_of(text: str) -> Iterator[str]:
    """What this text is found by, in its order; what is shown twice comes twice."""
    for is_cjk, piece in _pieces(text):
        if is_cjk:
            yield from (piece[at : at + 2] for at in range(len(piece)))
            continue
        yield piece
        if not _ADDRESS.fullmatch(piece):
            yield from (piece[found.end() :] for found in islice(_BEHIND.finditer(piece, 1), MAX_REMAINS))


def sought_of(text: str) -> tuple[Sought, ...]:
    """What somebody asks for; everything of it must be there. () where it holds no word."""
    return tuple(islice((_sought(piece, is_cjk=is_cjk) for is_cjk, piece in _pieces(text)), MAX_ASKED))


def found_by_of_alert(alert: Alert) -> str:
    """Title, who and what it speaks of, and its source."""
    texts = (alert.title, *(entity.value for entity in alert.entities), alert.source)
    return _row(texts, MAX_OF_ALERT)


def found_by_of_incident(incident: Incident) -> str:
    """Title, who and what it speaks of, who works on it, and why it was closed."""
    texts = (incident.title, incident.owner, incident.closed_why, *(entity.value for entity in incident.entities))
    return _row(texts, MAX_OF_INCIDENT)


def found_by_of_notes(notes: Iterable[str]) -> str:
    """What people wrote, the newest first: beyond the limit the oldest is not found."""
    return _row(notes, MAX_OF_NOTES)


def found_by_of_techniques(techniques: Iterable[str]) -> str:
    """Each technique, and of a sub-technique the one it belongs to."""
    each = dict.fromkeys(name for one in techniques for name in (one.casefold(), one.casefold().split(".")[0]))
    return " ".join(islice((name for name in each if re.fullmatch(r"[\w.]{1,20}", name)), MAX_OF_ALERT))


def _row(texts: Iterable[str], most: int) -> str:
    return " ".join(islice((word for text in texts for word in words_of(text)), most))


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold())
    for found in _PIECE.finditer(folded):
        if (run := found["cjk"]) is not None:
            yield True, run
        elif piece := found["plain"][:MAX_PIECE].strip(_EDGES):
            yield False, piece


def _sought(piece: str, *, is_cjk: bool) -> Sought:
    if not is_cjk:
        return Sought((piece,), is_begun=True)
    pairs = tuple(piece[at : at + 2] for at in range(max(1, len(piece) - 1)))
    return Sought(pairs, is_begun=len(piece) == 1)
