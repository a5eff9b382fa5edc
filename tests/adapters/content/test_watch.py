"""Rules on disk, watched: what changed since the last look, and nothing else."""

import os
import zipfile
from pathlib import Path

import pytest

from amagasa.adapters.content.load import RuleFiles
from amagasa.adapters.content.watch import DiskChange, RuleWatch
from amagasa.detect.sigma.link import Wanted
from amagasa.vocab.severity import Level
from tests.detect.lint.rules import GOOD, changed

OTHER = changed("Certutil fetches", "Another").replace("a1c0001", "a1c0002")


class Folder:
    """A folder of rules and its watch; files are written as if a while ago."""

    def __init__(self, path: Path, *, min_level: Level = Level.INFORMATIONAL) -> None:
        self.path = path / "rules"
        self.path.mkdir()
        self._second = 1_700_000_000
        self.write("a.yml", GOOD)
        self.write("b.yml", OTHER)
        self._cache = path / "cache"
        self._min_level = min_level
        self.watch = self.watching(self.path)
        self.held = frozenset(str(self.path / name) for name in ("a.yml", "b.yml"))

    def watching(self, *paths: Path) -> RuleWatch:
        return RuleWatch(RuleFiles(paths=paths, wanted=Wanted(min_level=self._min_level)), cache=self._cache)

    def write(self, name: str, text: str, *, is_old: bool = True) -> Path:
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if is_old:
            self.age(file)
        return file

    def age(self, file: Path) -> None:
        self._second += 1
        os.utime(file, (self._second, self._second))

    def look(self) -> DiskChange:
        change = self.watch.look(self.held)
        assert change is not None
        return change

    def names(self, change: DiskChange) -> tuple[list[str], list[str]]:
        return sorted(Path(path).name for path in change.rules), sorted(Path(path).name for path in change.removed)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_watch_of_what_stands_still_finds_nothing(folder: Folder) -> None:
    assert folder.watch.look(folder.held) is None


def test_watch_finds_what_changed_and_what_is_new_once(folder: Folder) -> None:
    folder.write("a.yml", changed("urlcache", "verifyctl"))
    folder.write("deep/c.yaml", OTHER.replace("a1c0002", "a1c0003"))
    change = folder.look()
    assert folder.names(change) == (["a.yml", "c.yaml"], [])
    assert {one.value for one in change.rules[str(folder.path / "a.yml")][0].atoms} == {"\\certutil.exe", "verifyctl"}
    assert folder.watch.look(folder.held) is None


def test_watch_finds_what_is_gone(folder: Folder) -> None:
    (folder.path / "b.yml").unlink()
    assert folder.names(folder.look()) == ([], ["b.yml"])


def test_watch_of_a_file_that_cannot_be_compiled_leaves_the_old_rules(folder: Folder) -> None:
    folder.write("a.yml", GOOD[:200] + "\n  : [")
    change = folder.look()
    assert folder.names(change) == ([], [])
    assert [Path(one.path).name for one in change.faults] == ["a.yml"]
    folder.write("a.yml", GOOD)
    assert folder.names(folder.look()) == (["a.yml"], [])


def test_watch_waits_for_a_file_that_is_written_this_moment(folder: Folder) -> None:
    file = folder.write("c.yml", OTHER, is_old=False)
    assert folder.watch.look(folder.held) is None
    folder.age(file)
    assert folder.names(folder.look()) == (["c.yml"], [])


def test_watch_below_the_least_level_gives_no_rule(tmp_path: Path) -> None:
    folder = Folder(tmp_path, min_level=Level.HIGH)
    folder.write("a.yml", changed("level: high", "level: low"))
    assert folder.look().rules == {str(folder.path / "a.yml"): ()}


def test_watch_of_tests_and_other_files_finds_no_rules(folder: Folder) -> None:
    folder.write("notes.txt", "x")
    assert folder.watch.look(folder.held) is None
    folder.write("a.test.yml", "cases: []")
    change = folder.watch.look(folder.held)
    assert change is None or not (change.rules or change.removed or change.faults)


def test_watch_of_an_archive_finds_its_members(folder: Folder) -> None:
    archive = folder.path.parent / "own.zip"

    def pack(*names: str) -> None:
        with zipfile.ZipFile(archive, "w") as packed:
            for name in names:
                packed.writestr(name, GOOD)
        folder.age(archive)

    pack("one.yml", "two.yml")
    watch = folder.watching(archive)
    pack("two.yml", "three.yml")
    change = watch.look(frozenset({f"{archive}:one.yml", f"{archive}:two.yml"}))
    assert change is not None
    assert sorted(change.rules) == [f"{archive}:three.yml", f"{archive}:two.yml"]
    assert change.removed == {f"{archive}:one.yml"}


def test_watch_of_a_single_file_that_comes_and_goes(folder: Folder) -> None:
    file = folder.path / "a.yml"
    watch = folder.watching(file)
    file.unlink()
    change = watch.look(frozenset({str(file)}))
    assert change is not None
    assert change.removed == {str(file)}
    folder.write("a.yml", GOOD)
    change = watch.look(frozenset())
    assert change is not None
    assert list(change.rules) == [str(file)]


def test_watch_of_a_filter_says_that_it_reaches_out(folder: Folder) -> None:
    text = "title: f\nlogsource: {category: webserver}\nfilter: {rules: any, a: {cs-uri: x}, condition: not a}\n"
    folder.write("f.yml", text)
    assert folder.look().is_reaching


def test_watch_counts_documents_while_they_are_compiled(folder: Folder) -> None:
    steps: list[tuple[int, int]] = []
    folder.watch.progress = lambda done, total: steps.append((done, total))
    folder.write("a.yml", GOOD.replace("title: ", "title: New "))
    folder.write("c.yml", GOOD.replace("title: ", "title: Newer "))
    folder.look()
    assert steps[-1] == (2, 2)
