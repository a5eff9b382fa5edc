r"""What a person hunts for, read: texts, and values of fields, all of which must hold.

mimikatz                      a word, anywhere in the record, letter case not counted
"net user"                    words in this order, with just this between them
10.1.2.3  evil.example        values as they stand between other characters than letters and digits
mimi*  *katz                  part of a word
Image=*\cmd.exe EventID=4688  fields as in Sigma: with wildcards, and modifiers (CommandLine|contains=sekurlsa)
field="two words"             a value with spaces
"""

import re
from typing import Any, Final

from msgspec import Struct

from amagasa.vocab.errors import BadInputError

MAX_TERMS: Final = 20
MAX_CHARACTERS: Final = 4_000
_SPACE: Final = re.compile(r"\s+")


class Query(Struct, frozen=True, kw_only=True):
    """`fields` are (name with modifiers, value) as a Sigma rule has them."""

    texts: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


def read_query(text: str) -> Query:
    """The terms of a query. Raises BadInputError (AMG-HUNT-QUERY)."""
    if len(text) > MAX_CHARACTERS:
        raise _bad(f"at most {MAX_CHARACTERS} characters", f"{len(text)} characters")
    texts: list[str] = []
    fields: list[tuple[str, str]] = []
    for term in _terms(text):
        name, sign, value = _split(term)
        if sign:
            fields.append((name, _unquoted(value)))
        else:
            texts.append(_unquoted(term))
    if not (texts or fields):
        raise _bad("words, or field=value", text)
    if len(texts) + len(fields) > MAX_TERMS:
        raise _bad(f"at most {MAX_TERMS} terms", f"{len(texts) + len(fields)} terms")
    for one in texts:
        if not any(character.isalnum() for character in one):
            raise _bad("a letter or a digit in each term", one)
    return Query(texts=tuple(texts), fields=tuple(fields))


def _terms(text: str) -> list[str]:
    """Cut at white space that stands in no quotes. Raises BadInputError."""
    terms: list[str] = []
    held, is_quoted = "", False
    for character in text.strip():
        if character == '"' and (is_quoted or not held or held.endswith("=")):
            is_quoted = not is_quoted
        if _SPACE.match(character) and not is_quoted:
            if held:
                terms.append(held)
            held = ""
        else:
            held += character
    if is_quoted:
        raise _bad('a " at the end of what is quoted', text)
    return [*terms, held] if held else terms


_FIELD: Final = re.compile(r"([A-Za-z_@][\w.@#-]*(?:\|[a-z0-9]+)*)(=)(.*)", re.DOTALL)


def _split(term: str) -> tuple[str, str, str]:
    found = _FIELD.fullmatch(term)
    return (found[1], found[2], found[3]) if found else ("", "", term)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def rule_of(fields: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """The Sigma document which looks for these values, all of them in one record."""
    selections = {f"s{at}": {name: value} for at, (name, value) in enumerate(fields)}
    return {
        "title": "hunt",
        "id": "00000000-0000-4000-8000-000000000000",
        "status": "test",
        "level": "informational",
        "logsource": {"category": "hunt"},
        "detection": selections | {"condition": " and ".join(selections)},
    }


def _bad(expected: str, got: str) -> BadInputError:
    return BadInputError(
        "AMG-HUNT-QUERY",
        "this cannot be hunted for",
        expected=expected,
        got=got,
        then="nothing was looked at; e.g. amagasa hunt 'mimikatz', \"net user\", Image=*\\cmd.exe, 10.1.2.3",
    )
