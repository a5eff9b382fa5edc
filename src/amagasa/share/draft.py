"""An agreement as people write it: TOML, read with every mistake named by its place and the nearest right word."""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final, TypeVar, get_type_hints

import msgspec

from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.form import AGREEMENT_TERMS, CLAUSE_TERMS, MAX_AGREEMENT_BYTES, PlainAgreement, PlainClause
from amagasa.share.problem import Problem
from amagasa.share.terms import Role
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp, tlp_of_word

_Found = TypeVar("_Found")

_TOP_OPTIONAL: Final = ("clause", *AGREEMENT_TERMS)
_TOP: Final = ("id", "title", "version", "valid_from", "valid_until", "supported", "supporting", *_TOP_OPTIONAL)
_PARTY: Final = ("id", "name", "country", "key", "certificate", "address")
_CLAUSE_LISTS: Final = ("pattern_types", "strip", "pseudonymise")
_CLAUSE_OPTIONAL: Final = (*_CLAUSE_LISTS, *CLAUSE_TERMS)
_CLAUSE: Final = ("id", "giver", "objects", "ceiling", "consent", *_CLAUSE_OPTIONAL)
_ROLES: Final = (Role.SUPPORTED, Role.SUPPORTING)
_TYPES: Final = {form: get_type_hints(form, include_extras=True) for form in (PlainAgreement, PlainClause)}
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2200
_MIDNIGHT: Final = time(0, tzinfo=UTC)


def parse_draft(data: bytes) -> Agreement | tuple[Problem, ...]:
    """The agreement that a TOML draft states, or every mistake found in its form. What it says is for `share.check`.

    Dates without a time begin at midnight UTC. `giver` is "supported" or "supporting".
    """
    if len(data) > MAX_AGREEMENT_BYTES:
        return (Problem(code="AMG-AGREEMENT-SIZE", args=(str(MAX_AGREEMENT_BYTES),)),)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return (Problem(code="AMG-AGREEMENT-TEXT"),)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as fault:
        return (Problem(code="AMG-AGREEMENT-TOML", args=(show(str(fault)),)),)
    reader = _Reader()
    agreement = reader.agreement(document)
    return agreement if agreement is not None and not reader.problems else tuple(reader.problems)


class _Reader:
    """Reads a document and gathers what is wrong with it, so that one look shows all."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def agreement(self, document: Mapping[str, Any]) -> Agreement | None:
        self._keys(document, "", _TOP, optional=_TOP_OPTIONAL)
        parties = {role: self._party(document.get(role.value), role) for role in _ROLES}
        ids = {role.value: party.id for role, party in parties.items() if party is not None}
        clauses = [
            self._clause(table, f"clause[{number}]", ids)
            for number, table in enumerate(self._get(document, "clause", "", _tables) or ())
        ]
        identifier = self._get(document, "id", "", _text)
        title = self._get(document, "title", "", _text)
        version = self._get(document, "version", "", _integer)
        valid_from = self._get(document, "valid_from", "", _instant)
        valid_until = self._get(document, "valid_until", "", _instant)
        terms = self._terms(document, "", PlainAgreement, AGREEMENT_TERMS)
        supported, supporting = (parties[role] for role in _ROLES)
        if identifier is None or title is None or version is None or valid_from is None or valid_until is None:
            return None
        if supported is None or supporting is None:
            return None
        return Agreement(
            id=identifier,
            title=title,
            version=version,
            parties=(supported, supporting),
            valid_from_at=valid_from,
            valid_until_at=valid_until,
            clauses=tuple(clause for clause in clauses if clause is not None),
            **terms,
        )

    def _party(self, table: Any, role: Role) -> Party | None:
        place = role.value
        if table is None:
            return None
        if not isinstance(table, dict):
            self._add("AMG-AGREEMENT-TYPE", place, "a table", _kind_of(table))
            return None
        self._keys(table, place, _PARTY)
        values = {name: self._get(table, name, place, _text) for name in _PARTY}
        found = {name: value for name, value in values.items() if value is not None}
        return Party(role=role, **found) if len(found) == len(_PARTY) else None

    def _clause(self, table: Any, place: str, ids: Mapping[str, str]) -> Clause | None:
        if not isinstance(table, dict):
            self._add("AMG-AGREEMENT-TYPE", place, "a table", _kind_of(table))
            return None
        self._keys(table, place, _CLAUSE, optional=_CLAUSE_OPTIONAL)
        identifier = self._get(table, "id", place, _text)
        giver = self._word(table, "giver", place, {role.value: role.value for role in _ROLES})
        objects = self._get(table, "objects", place, _texts)
        ceiling = self._ceiling(table, place)
        consent = self._word(table, "consent", place, {one.value: one for one in Consent})
        lists: dict[str, Any] = {name: self._get(table, name, place, _texts) or () for name in _CLAUSE_LISTS}
        terms = self._terms(table, place, PlainClause, CLAUSE_TERMS)
        if identifier is None or giver is None or objects is None or ceiling is None or consent is None:
            return None
        return Clause(
            id=identifier,
            giver=ids.get(giver, giver),
            objects=objects,
            ceiling=ceiling,
            consent=consent,
            **lists,
            **terms,
        )

    def _terms(
        self, table: Mapping[str, Any], place: str, form: type[PlainAgreement | PlainClause], names: tuple[str, ...]
    ) -> dict[str, Any]:
        """The terms that stand in `table`, read as in a signed file; what is wrong with one is told with its place."""
        found: dict[str, Any] = {}
        for name in names:
            if name not in table:
                continue
            try:
                found[name] = msgspec.convert(table[name], type=_TYPES[form][name])
            except (msgspec.ValidationError, RecursionError, OverflowError) as fault:
                what, _, where = str(fault).partition(" - at `$")
                at = f"{place}.{name}{where.rstrip('`')}".lstrip(".")
                self._add("AMG-AGREEMENT-TERM", at, show(what))
        return found

    def _ceiling(self, table: Mapping[str, Any], place: str) -> Tlp | None:
        text = table.get("ceiling")
        known = tlp_of_word(text) if isinstance(text, str) else None
        return known if known is not None else self._word(table, "ceiling", place, {tlp.word: tlp for tlp in Tlp})

    def _keys(
        self, table: Mapping[str, Any], place: str, known: tuple[str, ...], *, optional: tuple[str, ...] = ()
    ) -> None:
        for name in table:
            if name not in known:
                self._add("AMG-AGREEMENT-KEY-UNKNOWN", place, show(name), _nearest(name, known))
        for name in known:
            if name not in table and name not in optional:
                self._add("AMG-AGREEMENT-KEY-MISSING", place, name)

    def _get(self, table: Mapping[str, Any], name: str, place: str, read: Callable[[Any], _Found | str | None]) -> Any:
        """The value read; None where it is missing (told elsewhere) or wrong (told here)."""
        if name not in table:
            return None
        value = read(table[name])
        if value is None:
            expected = _EXPECTED[read]
            self._add("AMG-AGREEMENT-TYPE", f"{place}.{name}".lstrip("."), expected, _kind_of(table[name]))
        return value

    def _word(self, table: Mapping[str, Any], name: str, place: str, words: Mapping[str, _Found]) -> _Found | None:
        text = self._get(table, name, place, _text)
        if text is None:
            return None
        if text not in words:
            self._add(
                "AMG-AGREEMENT-VALUE", f"{place}.{name}", show(text), ", ".join(words), _nearest(text, tuple(words))
            )
        return words.get(text)

    def _add(self, code: str, place: str, *args: str) -> None:
        self.problems.append(Problem(code=code, place=place, args=args))


def _nearest(word: str, known: tuple[str, ...]) -> str:
    """` -> "strip"?`, or "" where nothing is near: understood in either language."""
    near = difflib.get_close_matches(word[:80].lower(), known, n=1, cutoff=0.6)
    return f' -> "{near[0]}"?' if near else ""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def _tables(value: Any) -> tuple[Any, ...] | None:
    return tuple(value) if isinstance(value, list) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _instant(value: Any) -> datetime | None:
    """An instant to the second; a local one has no meaning between two countries."""
    if not isinstance(value, date) or not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0) if value.tzinfo is not None else None
    return datetime.combine(value, _MIDNIGHT)


_EXPECTED: Final[dict[Callable[[Any], Any], str]] = {
    _text: "text in quotes",
    _texts: "a list of texts",
    _tables: "tables [[clause]]",
    _integer: "a whole number",
    _instant: "a date, or a date and time with its offset (2026-12-01 or 2026-12-01T00:00:00Z)",
}


def _kind_of(value: Any) -> str:
    if isinstance(value, datetime):
        return "a date and time without offset" if value.tzinfo is None else "a date and time"
    names = {
        bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a table",
        date: "a date", time: "a time",
    }  # fmt: skip
    return names.get(type(value), "something else")
