"""Rules on disk, watched: which files changed since the last look, and what they compile to.

A look costs a `stat` a file. A file that cannot be compiled any more leaves the rules it held before in use: a rule
writer who saves half a line must not switch a rule off.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from amagasa.adapters.content.cache import Cache, default_cache
from amagasa.adapters.content.children import Progress
from amagasa.adapters.content.exclusions import FILE as EXCLUSIONS
from amagasa.adapters.content.load import RuleFiles, outcomes_of
from amagasa.adapters.content.placeholders import FILE as PLACEHOLDERS
from amagasa.adapters.content.placeholders import placeholders_of
from amagasa.adapters.content.rules import Document, documents_of
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.link import link
from amagasa.detect.sigma.reach import reaching
from amagasa.detect.sigma.rule import Rule
from amagasa.vocab.errors import BadInputError

# A file written this short a time ago may be written still: it is looked at the next time.
SETTLED_S: Final = 0.1
MAX_DEPTH: Final = 64
# They say how rules are to be read, and what of their matches is to be told.
_SITE_FILES: Final = frozenset({PLACEHOLDERS, EXCLUSIONS})
_Mark = tuple[int, int, int]  # instant of the last change in ns, size, inode


class DiskChange(Struct, frozen=True, kw_only=True):
    """Rules by the path of their document; documents that are gone; and what cannot run of those that changed.

    `is_reaching`: some document changes what others mean, so that only loading everything anew is right.
    """

    rules: Mapping[str, tuple[Rule, ...]]
    removed: frozenset[str]
    faults: tuple[RuleFault, ...]
    is_reaching: bool = False


class RuleWatch:
    """For one thread. Remembers how the files stood when it was made, or at the last look."""

    def __init__(self, files: RuleFiles, *, cache: Path | None = None) -> None:
        self._files = files
        self._cache = Cache(cache or default_cache())
        # Whether some document in use acts on others (`sigma.link.Linked`); whoever loads them knows.
        self.is_acting = False
        # Counts documents while they are compiled.
        self.progress: Progress | None = None
        self._seen = self._marks()

    def look(self, held: frozenset[str]) -> DiskChange | None:
        """What changed since the last look; `held` are the documents in use. None where nothing did.

        Raises WorldError where the compiler cannot start: then the change is found again the next time.
        """
        marks = self._marks()
        changed = [path for path, mark in marks.items() if self._seen.get(path) != mark and _is_settled(mark)]
        gone = [path for path in self._seen if path not in marks]
        if not changed and not gone:
            return None
        rule_files = [path for path in changed if Path(path).name not in _SITE_FILES]
        found = [one for path in rule_files for one in _documents_in(Path(path))]
        documents = [one for one in found if isinstance(one, Document)]
        change = self._change(documents, _documents_of([*changed, *gone], held))
        faults = (*(one for one in found if isinstance(one, RuleFault)), *change.faults)
        self._seen = {path: marks[path] if path in changed else self._seen.get(path, (0, 0, 0)) for path in marks}
        is_reaching = change.is_reaching or self.is_acting or len(rule_files) < len(changed)
        is_reaching |= any(Path(path).name in _SITE_FILES for path in gone)
        return DiskChange(rules=change.rules, removed=change.removed, faults=faults, is_reaching=is_reaching)

    def _change(self, documents: Sequence[Document], before: frozenset[str]) -> DiskChange:
        rules: dict[str, tuple[Rule, ...]] = {}
        faults: list[RuleFault] = []
        has_quiet = False  # a correlation may look at what is not wanted
        placeholders = placeholders_of(self._files.paths, self._files.placeholders)
        outcomes = outcomes_of(documents, self._cache, placeholders, progress=self.progress)
        for one, compiled in zip(documents, outcomes, strict=True):
            linked = link(compiled, self._files.wanted)
            faults.extend(linked.faults)
            has_quiet |= bool(linked.off)
            if linked.rules or not linked.faults:
                rules[one.path] = linked.rules
        still = {one.path for one in documents}
        return DiskChange(
            rules=rules,
            removed=before - still,
            faults=tuple(faults),
            is_reaching=has_quiet or any(map(reaching, outcomes)),
        )

    def _marks(self) -> dict[str, _Mark]:
        return dict(
            mark for path in (*self._files.paths, *self._files.placeholders) for mark in _marks_below(str(path), 0)
        )


def _marks_below(path: str, depth: int) -> Iterator[tuple[str, _Mark]]:
    """Of every file that may hold rules below a folder, or of the one file."""
    try:
        with os.scandir(path) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except NotADirectoryError:
        listed = []
        try:
            status = Path(path).stat()
        except OSError:
            return
        yield path, (status.st_mtime_ns, status.st_size, status.st_ino)
    except OSError:
        return
    for entry in listed:
        try:
            if entry.is_dir(follow_symlinks=False) and depth < MAX_DEPTH:
                yield from _marks_below(entry.path, depth + 1)
            elif _may_matter(entry.name, depth) and entry.is_file():
                status = entry.stat()
                yield entry.path, (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            continue  # it was there a moment ago


def _may_matter(name: str, depth: int) -> bool:
    """Rules anywhere; the site's own files in the folder itself alone, where they are read."""
    return name.lower().endswith((".yml", ".yaml")) or (depth == 0 and name in _SITE_FILES)


def _is_settled(mark: _Mark) -> bool:
    return time.time_ns() - mark[0] > SETTLED_S * 1e9 or mark[0] > time.time_ns()


def _documents_in(path: Path) -> Iterator[Document | RuleFault]:
    try:
        yield from documents_of([path], is_builtin=False)
    except BadInputError:
        return  # it is gone again: the next look says so


def _documents_of(files: Sequence[str], held: frozenset[str]) -> frozenset[str]:
    """The documents in use which stand in these files: the file itself, or members of an archive."""
    named = set(files)
    archives = tuple(f"{path}:" for path in files if not path.lower().endswith((".yml", ".yaml")))
    return frozenset(path for path in held if path in named or (archives and path.startswith(archives)))
