r"""Words of records as 64-bit hashes, and filters of them: what lets a search pass by parts of the lake.

A word is a run of ASCII letters and digits, at least two, letter case not counted; words joined by single dots count
as pairs, threes and fours too (`10.1.2.3`, `evil.example`), and so do neighbouring characters beyond ASCII. In JSON
the text counts, not its escapes. After `%` (and, outside JSON, `\x`) two hexadecimal digits may belong to the word or
not: both are kept.

`needed` turns a text into hashes which every record has that holds it between word boundaries. So a filter that lacks
one of them says for certain that the text is not there; one that has them all says little (`LINE_BITS`).

The native half (`native/words.zig`) gives the same hashes some hundred times faster.
"""

import ctypes
import re
from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from amagasa.event.native import library
from amagasa.event.record import Format

# A table larger than this is not filled: what has so many different words is searched without a filter.
MAX_WORDS: Final = 1 << 18
# Of a filter: bits a word, and bits of the line in which all six of a word stand. 1 in 90 asked in vain is let through.
BITS_A_WORD: Final = 10
LINE_BITS: Final = 512
_N_BITS: Final = 6
_BASIS: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_JOINER: Final = 0x9E3779B97F4A7C15
_MASK: Final = 0xFFFFFFFFFFFFFFFF
_NONE: Final = 0xFFFFFFFF
_MAX_LABELS: Final = 3
_RUN: Final = re.compile(rb"[0-9A-Za-z]+|(?:[\x80-\xff][\x80-\xbf]*)+|[^0-9A-Za-z\x80-\xff]")
_CHARACTER: Final = re.compile(rb"[\x80-\xff][\x80-\xbf]*")
_ESCAPE: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.|$)", re.DOTALL)
_HEX: Final = frozenset(b"0123456789abcdef")
_ESCAPED: Final = {Format.WINDOWS, Format.JSON}


def is_escaped(form: Format) -> bool:
    """Whether records of this format are JSON, in which a backslash begins an escape."""
    return form in _ESCAPED


class WordTable:
    """The different words of some data, up to `MAX_WORDS`."""

    def __init__(self, *, is_native: bool = True) -> None:
        self._native = _native() if is_native else None
        self._table: Any = (ctypes.c_uint64 * (2 * MAX_WORDS))() if self._native is not None else None
        self._n = 0
        self._words: set[int] = set()
        self.is_full = False

    def add(self, data: bytes, form: Format) -> None:
        """The words of whole records; of objects in lines of syslog also those that their escapes hide."""
        self._add(data, is_json=is_escaped(form))
        if not is_escaped(form) and b'{"' in data and b"\\" in data:
            self._add(data, is_json=True)

    def _add(self, data: bytes, *, is_json: bool) -> None:
        if self.is_full:
            return
        if self._native is not None:
            n_places = 2 * MAX_WORDS
            n = self._native.words_add(data, len(data), is_json, self._table, n_places, self._n)
            self.is_full = n == _NONE
            self._n = 0 if self.is_full else int(n)
            return
        self._words.update(hashes_of(data, is_json=is_json))
        self.is_full = len(self._words) > MAX_WORDS
        self._n = len(self._words)

    def __len__(self) -> int:
        return self._n

    def words(self) -> frozenset[int]:
        """All of them."""
        if self._native is not None:
            return frozenset(one for one in self._table if one)
        return frozenset(self._words)

    def filter(self) -> bytes:
        """The filter of the words; empty where they are too many, which says of nothing that it is not there."""
        if self.is_full:
            return b""
        n_lines = max(1, -(-self._n * BITS_A_WORD // LINE_BITS))
        lines = array("Q", bytes(n_lines * LINE_BITS // 8))
        if self._native is not None:
            place, n = lines.buffer_info()
            self._native.words_fill(self._table, 2 * MAX_WORDS, place, n)
        else:
            for word in self._words:
                line, bits = _places(word, n_lines)
                for bit in bits:
                    lines[line * 8 + (bit >> 6)] |= 1 << (bit & 63)
        return lines.tobytes()

    def clear(self) -> None:
        """Begin anew."""
        if self._native is not None:
            ctypes.memset(self._table, 0, ctypes.sizeof(self._table))
        self._words.clear()
        self._n = 0
        self.is_full = False


class Probe:
    """A word to ask filters for."""

    def __init__(self, word: int) -> None:
        self._high = word >> 32
        _, bits = _places(word, 1)
        self._mask = sum({1 << bit for bit in bits})

    def may_be_in(self, words: bytes | memoryview) -> bool:
        """False where the word is certainly not in the data of this filter."""
        n_lines = len(words) * 8 // LINE_BITS
        if not n_lines:
            return True
        at = (self._high * n_lines >> 32) * (LINE_BITS // 8)
        line = int.from_bytes(words[at : at + LINE_BITS // 8], "little")
        return line & self._mask == self._mask


def needed(text: str) -> frozenset[int]:
    """Hashes of words that a record has which holds `text` between word boundaries; empty where nothing is certain."""
    found: set[int] = set()
    # Beyond the basic plane an escape is two halves: such a character says nothing for certain.
    for part in re.split("[\U00010000-\U0010ffff\ud800-\udfff]", text):
        found.update(hashes_of(part.encode("utf-8", "replace"), is_json=True, has_forms=False))
    return frozenset(found)


def hashes_of(data: bytes, *, is_json: bool, has_forms: bool = True) -> Iterator[int]:
    """The hashes of all words, repeated ones too. Without `has_forms` each word is just what stands there."""
    if is_json and has_forms:
        data = _ESCAPE.sub(_unescaped, data)
    labels: list[tuple[int, ...]] = []
    before, was_word = b"", False
    for found in _RUN.finditer(data):
        run = found[0]
        if run[0] >= 0x80:
            labels, was_word = [], False
            yield from _pairs(run)
        elif run.isalnum():
            forms = _forms(run.lower(), before, is_json=is_json) if has_forms else (run.lower(),)
            yield from (_mixed(_hash(form)) for form in forms if len(form) >= 2)
            if not was_word and before != b".":
                labels = []
            labels = [*labels[-_MAX_LABELS:], tuple(map(_hash, forms))]
            yield from _joined(labels)
            was_word = True
        else:
            if not (was_word and run == b"."):
                labels = []
            was_word = False
        before = run
    # A word of one character that follows none is no word; nothing is left to say.


def _joined(labels: list[tuple[int, ...]]) -> Iterator[int]:
    """Every chain of labels that ends with the last."""
    for at in range(len(labels) - 1):
        for form in labels[at] if at == 0 else labels[at][:1]:
            chain = form
            for label in labels[at + 1 :]:
                chain = (chain * _JOINER & _MASK) ^ label[0]
            yield _mixed(chain)


def _pairs(run: bytes) -> Iterator[int]:
    characters = _CHARACTER.findall(run)
    for one, two in pairwise(characters):
        yield _mixed(_hash(one + two))


def _forms(word: bytes, before: bytes, *, is_json: bool) -> tuple[bytes, ...]:
    """The word as it stands; and what is left of it where an escape stands in front."""
    if before == b"%" and len(word) > 2 and _HEX.issuperset(word[:2]):
        return (word, word[2:])
    if not is_json and before == b"\\" and word[:1] == b"x" and len(word) > 3 and _HEX.issuperset(word[1:3]):
        return (word, word[3:])
    return (word,)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return b" "
    return chr(int(found[1], 16)).encode("utf-8", "surrogatepass")


def _hash(word: bytes) -> int:
    """FNV-1a."""
    found = _BASIS
    for byte in word:
        found = (found ^ byte) * _PRIME & _MASK
    return found


def _mixed(found: int) -> int:
    found ^= found >> 33
    found = found * 0xFF51AFD7ED558CCD & _MASK
    found ^= found >> 33
    found = found * 0xC4CEB9FE1A85EC53 & _MASK
    found ^= found >> 33
    return found or 1


def _places(word: int, n_lines: int) -> tuple[int, tuple[int, ...]]:
    """The line of a word and its bits there."""
    bits = word * _JOINER & _MASK
    bits ^= bits >> 32
    return (word >> 32) * n_lines >> 32, tuple(bits >> (9 * at) & (LINE_BITS - 1) for at in range(_N_BITS))


@lru_cache(maxsize=1)
def _native() -> Any:
    found = library()
    if found is None or not hasattr(found, "words_add"):
        return None
    found.words_add.restype = ctypes.c_uint32
    found.words_add.argtypes = (
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32),
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32),
    )
    found.words_fill.restype = None
    found.words_fill.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t)
    return found


def probes_of(text: str) -> tuple[Probe, ...]:
    """What to ask filters for, for this text."""
    return tuple(map(Probe, sorted(needed(text))))


def may_hold(words: bytes | memoryview, probes: Iterable[Probe]) -> bool:
    """Whether a filter has all that is asked for."""
    return all(probe.may_be_in(words) for probe in probes)
