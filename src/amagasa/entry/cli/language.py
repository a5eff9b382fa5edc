"""The language of a command that belongs to no node: `--lang`, else that of the terminal (POSIX 8.2: LC_ALL first)."""

import os
from collections.abc import Mapping
from typing import Annotated

import typer

from amagasa.entry.settings.tree import Language

LangOption = Annotated[
    Language | None, typer.Option("--lang", help="Language of what is shown: en, ja. Else that of the terminal.")
]


def language(wanted: Language | None, environ: Mapping[str, str] | None = None) -> Language:
    """The one that was asked for, else the one that LC_ALL, LC_MESSAGES or LANG names, else English."""
    if wanted is not None:
        return wanted
    given = os.environ if environ is None else environ
    named = next((given[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if given.get(name)), "")
    return "ja" if named.lower().startswith("ja") else "en"
