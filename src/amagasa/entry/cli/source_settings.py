"""The sources in node.toml, changed by command: every other line of the file stays as it is."""

import contextlib
import os
import tomllib
from pathlib import Path

from amagasa.entry.settings.load import load_settings
from amagasa.vocab.errors import WorldError


def without_source(text: str, name: str) -> str:
    """The TOML without the `[[source]]` table of this name; every other line stays as it is, comments too."""
    kept: list[str] = []
    table: list[str] = []
    for line in [*text.splitlines(keepends=True), "[end]"]:
        if not line.lstrip().startswith("["):
            table.append(line)
            continue
        kept += _unless_named(table, name)
        table = [line]
    return "".join(kept)


def _unless_named(table: list[str], name: str) -> list[str]:
    if not table or table[0].strip().split("#")[0].strip() != "[[source]]":
        return table
    found = tomllib.loads("".join(table))["source"][0]
    return [] if found.get("name") == name else table


def replace_settings(path: Path, text: str) -> None:
    """Put `text` in the place of the settings once it can be read as such: the old or the new file, never half of one.

    Raises BadInputError where it cannot be read, WorldError (AMG-SETTINGS-WRITE) where it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        load_settings(new)
        new.replace(path)
    except OSError as problem:
        raise WorldError(
            "AMG-SETTINGS-WRITE",
            "the settings cannot be written",
            expected="a folder that you may write, and room on its disk",
            got=f"{path}: {problem.strerror}",
            then="nothing changed",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
