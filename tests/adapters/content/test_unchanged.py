"""What is remembered of files: only while they are certainly the same."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from amagasa.adapters.content import unchanged
from amagasa.adapters.content.unchanged import MAX_KEPT, SUFFIX, Unchanged


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "SETTLED_S", 0)


def remembered(kept: Unchanged, file: Path, found: str = "found") -> None:
    with file.open("rb") as stream:
        beginning = kept.begun(stream.fileno())
        kept.remember(file.name, stream.fileno(), beginning, found)


def known(kept: Unchanged, file: Path) -> str | None:
    with file.open("rb") as stream:
        return kept.known(file.name, stream.fileno())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text("198.51.100.7\n")
    return path


def test_unchanged_file_is_known_to_the_next_process(tmp_path: Path, file: Path) -> None:
    remembered(Unchanged(tmp_path / "cache"), file)
    assert known(Unchanged(tmp_path / "cache"), file) == "found"


def _longer(file: Path) -> None:
    file.write_text("198.51.100.70\n")


def _rewritten(file: Path) -> None:
    file.write_text("198.51.100.8\n")
    os.utime(file, ns=(1, 1))


def _replaced(file: Path) -> None:
    file.with_name("new").write_text("198.51.100.8\n")
    status = file.stat()
    os.utime(file.with_name("new"), ns=(status.st_atime_ns, status.st_mtime_ns))
    file.with_name("new").replace(file)


@pytest.mark.parametrize("change", [_longer, _rewritten, _replaced])
def test_unchanged_file_that_was_changed_is_not_known(
    tmp_path: Path, file: Path, change: Callable[[Path], None]
) -> None:
    kept = Unchanged(tmp_path / "cache")
    remembered(kept, file)
    change(file)
    assert known(kept, file) is None


def test_unchanged_file_changed_a_moment_ago_is_not_remembered(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "SETTLED_S", 3_600)
    kept = Unchanged(tmp_path / "cache")
    remembered(kept, file)
    assert known(kept, file) is None


def test_unchanged_file_changed_while_it_was_read_is_not_remembered(tmp_path: Path, file: Path) -> None:
    kept = Unchanged(tmp_path / "cache")
    with file.open("rb") as stream:
        beginning = kept.begun(stream.fileno())
        _longer(file)
        kept.remember(file.name, stream.fileno(), beginning, "found")
    assert known(kept, file) is None


def test_unchanged_file_after_the_next_boot_is_not_known(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Unchanged(tmp_path / "cache")
    remembered(kept, file)
    monkeypatch.setattr(unchanged, "_boot", lambda: "another boot")
    assert known(kept, file) is None


def test_unchanged_without_a_name_of_the_boot_remembers_nothing(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "_boot", lambda: "")
    kept = Unchanged(tmp_path / "cache")
    remembered(kept, file)
    assert known(kept, file) is None


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 100])
def test_unchanged_with_a_damaged_memory_knows_nothing(tmp_path: Path, file: Path, damage: bytes) -> None:
    kept = Unchanged(tmp_path / "cache")
    remembered(kept, file)
    (stored,) = (tmp_path / "cache").glob("*" + SUFFIX)
    stored.write_bytes(damage)
    assert known(kept, file) is None


def test_unchanged_in_a_folder_that_cannot_be_remembers_nothing(tmp_path: Path, file: Path) -> None:
    kept = Unchanged(file / "cache")
    remembered(kept, file)
    assert known(kept, file) is None


def test_unchanged_of_ever_new_names_stays_small(tmp_path: Path, file: Path) -> None:
    kept = Unchanged(tmp_path / "cache")
    with file.open("rb") as stream:
        for number in range(MAX_KEPT + 10):
            kept.remember(str(number), stream.fileno(), kept.begun(stream.fileno()), "")
    assert len(list((tmp_path / "cache").glob("*" + SUFFIX))) <= MAX_KEPT
