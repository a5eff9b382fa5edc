"""Wiring of `content check`: rule files and their reviews, test cases and logs beside them. Without a node."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from amagasa.adapters.content.children import Progress
from amagasa.adapters.content.placeholders import placeholders_of
from amagasa.adapters.content.review import read_rule_files, review_documents
from amagasa.adapters.content.review_indicators import indicator_files, review_indicators
from amagasa.adapters.content.rules import Document, documents_of, kind_of
from amagasa.adapters.source.records import open_records
from amagasa.app.check_content import Checked, check_content, with_indicators
from amagasa.detect.lint.cases import is_case_file
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.regression import is_info
from amagasa.detect.report import RuleFault
from amagasa.event.record import Chunk
from amagasa.vocab.errors import BadInputError

_MAX_UP: Final = 12  # folders above a rule in which its regression data is looked for
_MAX_TEXT_BYTES: Final = 1_048_576
_RULE_SUFFIXES: Final = (".yml", ".yaml", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_ACTION: Final = re.compile(r"^action\s*:", re.MULTILINE)
_DIVIDER: Final = re.compile(r"^---(?:[ \t]*(?:#.*)?)$\r?\n?", re.MULTILINE)
_NOTHING: Final = re.compile(r"(?:\s*(?:#[^\n]*)?\n?)*+")


def check_paths(
    paths: Sequence[Path], placeholders: Sequence[Path] = (), *, now: datetime, progress: Progress | None = None
) -> Checked:
    """Look over every rule under the paths, the built-in ones where there are none.

    Placeholders have the values which the folders among the paths, and the files named, give them. Raises BadInputError
    for a path that is not there or of no known kind, and (AMG-RULES-NONE) where no rule is.
    """
    given = placeholders_of([path for path in paths if path.is_dir()], placeholders)
    of_rules = [path for path in paths if path.is_dir() or path.name.lower().endswith(_RULE_SUFFIXES)]
    for path in paths:
        if not path.exists():
            kind_of(path)  # raises
    documents, faults = read_rule_files(of_rules, is_builtin=not paths)
    infos = {one.path: one.text for one in documents if is_info(one.text)}
    cases = {one.path: one.text for one in documents if one.path not in infos and is_case_file(one.path, one.text)}
    rules = [one for one in documents if one.path not in infos and one.path not in cases]
    indicators = list(_indicators(paths, of_rules, now))
    if not indicators:
        _refuse_nothing(paths, rules, faults)
    files = review_documents(rules, given, progress=progress)
    checked = check_content(files, cases, [*given.faults, *faults], BesideRules(paths, infos), now=now)
    return with_indicators(checked, indicators)


def _indicators(
    paths: Sequence[Path], of_rules: Sequence[Path], now: datetime
) -> Iterator[tuple[int, Sequence[Finding]]]:
    """What is said of files of indicators: those named, and those in folders which hold any."""
    for path in paths:
        for file in indicator_files(path) if path.is_dir() else [] if path in of_rules else [path]:
            found = review_indicators(file, is_named=file is path, now=now)
            if found is not None:
                yield found
            elif file is path:
                raise BadInputError(
                    "AMG-RULE-007",
                    "this is neither a file of rules nor one of indicators",
                    expected=".yml, .yaml, an archive of them; STIX, MISP; a list, a line each or CSV with a header",
                    got=str(path),
                    then="nothing was checked",
                )


def rule_texts(paths: Sequence[Path]) -> tuple[list[tuple[str, str]], list[RuleFault]]:
    """(place, text) of every rule document under the paths, a file of several taken apart; and what cannot be read.

    Raises BadInputError for a path that is not there or of no known kind.
    """
    found = list(documents_of(paths, is_builtin=False))
    texts = [
        (f"{one.path}" if number == 0 else f"{one.path}, document {number + 1}", text)
        for one in found
        if isinstance(one, Document)
        for number, text in enumerate(documents_within(one.text))
    ]
    return texts, [one for one in found if isinstance(one, RuleFault)]


def documents_within(text: str) -> list[str]:
    """The documents of a YAML stream as texts. A collection, whose parts lean on each other, stays whole."""
    if _ACTION.search(text):
        return [text]
    parts = [part for part in _DIVIDER.split(text) if not _NOTHING.fullmatch(part)]
    return parts or [text]


def _refuse_nothing(paths: Sequence[Path], rules: Sequence[Document], faults: Sequence[RuleFault]) -> None:
    if rules or faults:
        return
    raise BadInputError(
        "AMG-RULES-NONE",
        "there is no rule at these paths",
        expected="Sigma rules: .yml or .yaml, a folder, .zip, .tar or .tar.gz of them",
        got=", ".join(str(path) for path in paths[:5]),
        then="nothing was checked; check the path",
    )


class BesideRules:
    """Regression data (app.check_content.Logs): in a folder above the rule, in one of the paths, or in an archive."""

    def __init__(self, paths: Sequence[Path], infos: dict[str, str]) -> None:
        self._roots = [path for path in paths if path.is_dir()]
        self._archives = [
            path for path in paths if (path.is_file() and ".tar" in path.name) or path.suffix in {".tgz", ".zip"}
        ]
        self._infos = infos
        self._members: dict[str, list[Chunk]] | None = None

    def text(self, rule_path: str, path: str) -> str | None:
        """The text of an `info.yml`."""
        inside = next((text for place, text in self._infos.items() if _is_below(place, path)), None)
        if inside is not None:
            return inside
        file = self._file(rule_path, path)
        if file is None:
            return None
        try:
            with file.open("rb") as stream:
                return stream.read(_MAX_TEXT_BYTES).decode()
        except (OSError, UnicodeDecodeError):
            return None

    def chunks(self, rule_path: str, path: str) -> Sequence[Chunk] | None:
        """The records of a log on disk or in an archive."""
        file = self._file(rule_path, path)
        if file is not None:
            return [one for one in open_records(file) if isinstance(one, Chunk)] or None
        return next((chunks for place, chunks in self._held().items() if _is_below(place, path)), None)

    def _file(self, rule_path: str, path: str) -> Path | None:
        """A rule's text is hostile: it names nothing outside the folders above it."""
        named = PurePosixPath(path)
        if named.is_absolute() or ".." in named.parts:
            return None
        above = Path(rule_path.split(":", 1)[0]).absolute().parents
        for folder in (*self._roots, *list(above)[:_MAX_UP]):
            if (folder / named).is_file():
                return folder / named
        return None

    def _held(self) -> dict[str, list[Chunk]]:
        if self._members is None:
            self._members = {}
            for archive in self._archives:
                for one in open_records(archive):
                    if isinstance(one, Chunk):
                        self._members.setdefault(one.path, []).append(one)
        return self._members


def _is_below(place: str, path: str) -> bool:
    wanted = PurePosixPath(path).parts
    return bool(wanted) and PurePosixPath(place.replace("!", "/").replace(":", "/")).parts[-len(wanted) :] == wanted
