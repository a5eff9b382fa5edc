"""Reading node.toml: one frozen tree, or one clear sentence about what is wrong and where."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from amagasa.entry.settings.source import SourceSettings
from amagasa.entry.settings.source_check import check_ports, check_source, is_loopback
from amagasa.entry.settings.text import LISTS, Setting, settings_of, settings_reference
from amagasa.entry.settings.tree import TABLES, Settings
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

__all__ = ["Settings", "SourceSettings", "is_loopback", "load_settings", "read_settings", "settings_reference"]

PREFIX: Final = "AMAGASA_"
MAX_BYTES: Final = 1024 * 1024
_THEN: Final = "nothing was started"
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(r"\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*=")


class _Place(Struct, frozen=True):
    """Where a value came from: a file with its text, or an environment variable."""

    file: str
    text: str
    variables: Mapping[tuple[str, str], str]

    def of(self, table: str, key: str, number: int = 0) -> str:
        variable = self.variables.get((table, key))
        if variable is not None:
            return f"the environment variable {variable}"
        line = _line_of(self.text, table, key, number)
        return f"{self.file}, line {line}" if line else self.file


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in the file, `AMAGASA_...` of the environment (this process's own, where None) on top.

    Raises BadInputError: AMG-SETTINGS-MISSING, -TOML, -KEY, -VALUE, -EXPOSED, -ADDRESS, -NAME.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInputError(
            "AMG-SETTINGS-MISSING",
            f"the settings cannot be read: {show(str(path))}",
            got=error.strerror or str(error),
            then="is this the folder of a node? `amagasa init DIR --name NAME --country CC` makes one",
        ) from error
    return read_settings(raw, str(path), os.environ if environ is None else environ)


def read_settings(raw: bytes, file: str, environ: Mapping[str, str]) -> Settings:
    """The settings in these bytes; `file` is named in messages. Raises as `load_settings`."""
    file = show(file)
    document, text = _parsed(raw, file)
    variables = _from_environment(document, environ)
    place = _Place(file, text, variables)
    for table, content in document.items():
        _check_table(table, content, place)
    settings = msgspec.convert(document, Settings)
    _check_console(settings, place)
    _check_address(settings, place)
    _check_sources(settings, place)
    return settings


def _parsed(raw: bytes, file: str) -> tuple[dict[str, Any], str]:
    try:
        if len(raw) > MAX_BYTES:
            _refuse_toml(file, f"{len(raw)} bytes")
        text = raw.decode("utf-8-sig")
        return tomllib.loads(text), text
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        # str(UnicodeDecodeError) names the byte and its place; str(TOMLDecodeError) line and column.
        _refuse_toml(file, str(error))


def _refuse_toml(file: str, got: str) -> NoReturn:
    raise BadInputError("AMG-SETTINGS-TOML", f"{file} is not TOML", expected="TOML 1.0 in UTF-8", got=got, then=_THEN)


def _from_environment(document: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Puts `AMAGASA_TABLE__KEY` into the document; which variable gave what."""
    variables: dict[tuple[str, str], str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        table, _, key = name.removeprefix(PREFIX).lower().partition("__")
        known = settings_of(table) if table in TABLES and table not in LISTS else {}
        if key not in known:
            _refuse_key(f"{table}.{key}", f"the environment variable {show(name)}", _all_names())
        held = document.setdefault(table, {})
        if isinstance(held, dict):
            held[key] = _value_of(environ[name], known[key])
            variables[table, key] = name
    return variables


def _value_of(text: str, setting: Setting) -> Any:
    """As TOML where the setting is no text; a text stands bare."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return text if _fits(text, setting) else value


def _fits(value: Any, setting: Setting) -> bool:
    try:
        msgspec.convert(value, setting.hint)
    except msgspec.ValidationError:
        return False
    return True


def _check_table(table: str, content: Any, place: _Place) -> None:
    if table not in TABLES:
        near = [f"[{name}]" for name in TABLES] + _all_names()
        _refuse_key(table if not isinstance(content, dict) else f"[{table}]", place.of("", table), near)
    is_list = table in LISTS
    form = f"tables, each headed [[{table}]]" if is_list else f"a table headed [{table}]"
    tables = content if is_list else [content]
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        _refuse_value(table, place.of("", table), form, content)
    for number, one in enumerate(tables):
        known = settings_of(table)
        for key, value in one.items():
            where = place.of(table, key, number)
            if key not in known:
                _refuse_key(f"{table}.{key}", where, [f"{table}.{name}" for name in known], _all_names())
            if not _fits(value, known[key]):
                _refuse_value(f"{table}.{key}", where, known[key].form, value)
        for key, setting in known.items():
            if setting.default is msgspec.NODEFAULT and key not in one:
                _refuse_value(f"{table}.{key}", place.of("", table, number), setting.form, "nothing")


def _check_console(settings: Settings, place: _Place) -> None:
    console = settings.console
    if not console.tls and not is_loopback(console.host):
        raise BadInputError(
            "AMG-SETTINGS-EXPOSED",
            f"the console would be open to the network without encryption ({place.of('console', 'host')})",
            expected="console.tls = true, or a loopback address such as 127.0.0.1",
            got=console.host,
            then=_THEN,
        )


def _check_address(settings: Settings, place: _Place) -> None:
    address = settings.allies.address
    if not address:
        return
    try:
        parts = urlsplit(address)
        is_good = parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        is_good = is_good and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        is_good = False
    if not is_good or not address.isascii() or any(character <= " " for character in address):
        raise BadInputError(
            "AMG-SETTINGS-ADDRESS",
            f"allies.address is no address that an ally could use ({place.of('allies', 'address')})",
            expected="https://host:port, without user, query or fragment",
            got=address,
            then=_THEN,
        )


def _place_of(place: _Place, number: int, key: str) -> str:
    return place.of("source", key, number)


def _check_sources(settings: Settings, place: _Place) -> None:
    names: set[str] = set()
    for number, source in enumerate(settings.source):
        if source.name in names:
            raise BadInputError(
                "AMG-SETTINGS-NAME",
                f"two sources have one name ({place.of('source', 'name', number)})",
                expected="another name for each",
                got=source.name,
                then=_THEN,
            )
        names.add(source.name)
        check_source(source, partial(_place_of, place, number), then=_THEN)
    check_ports(settings.source, lambda number: place.of("source", "port", number), then=_THEN)
    if "\0" in settings.store.path:
        _refuse_value("store.path", place.of("store", "path", 0), "a path without NUL", settings.store.path)


def _refuse_key(name: str, where: str, *known: Iterable[str]) -> NoReturn:
    """Names the nearest in the first list, or in the second where the very key stands in another table."""
    lists = [list(names) for names in known]
    key = name.rpartition(".")[2]
    elsewhere = [one for names in lists[1:] for one in names if one.rpartition(".")[2] == key]
    near = elsewhere or difflib.get_close_matches(name, lists[0], n=1, cutoff=0.0)
    raise BadInputError(
        "AMG-SETTINGS-KEY",
        f"unknown setting in {where}",
        expected=f"perhaps {near[0]}" if near else "",
        got=name,
        then=f"{_THEN}; docs/settings.md lists every setting",
    )


def _refuse_value(name: str, where: str, form: str, value: Any) -> NoReturn:
    got = value if isinstance(value, str) else repr(value)
    raise BadInputError("AMG-SETTINGS-VALUE", f"{name} cannot be that ({where})", expected=form, got=got, then=_THEN)


def _all_names() -> list[str]:
    return [f"{table}.{key}" for table in TABLES for key in settings_of(table)]


def _line_of(text: str, table: str, key: str, number: int) -> int | None:
    """The line of `key` in the `number`th table of this name, or of the table's header where `table` is "".

    A guess good enough for a message: a key inside a text of several lines may be taken for it.
    """
    current, seen = "", -1
    for line_number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.fullmatch(line)
        if header is not None:
            current = header[2]
            seen += current == (table or key)
            if not table and current == key and seen == number:
                return line_number
            continue
        found = _KEY.match(line)
        if found is not None and found[1] == key and current == table and (not table or max(seen, 0) == number):
            return line_number
    return None
