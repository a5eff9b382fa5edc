"""Files of indicators in a node's folder: kept, described, counted, forgotten."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from amagasa.adapters.content.kept_files import LISTS, KeptFiles
from amagasa.vocab.errors import BadInputError, WorldError

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def stix(number: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
        "pattern": f"[ipv4-addr:value = '198.51.100.{number}']",
        "pattern_type": "stix",
    } | more


def test_kept_list_is_described_as_it_was_told(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("198.51.100.1\nevil[.]example\nprose it is\n")
    files = KeptFiles(tmp_path / "node")
    kept = files.keep(tmp_path / "bad.txt")
    assert kept.counts["n_indicators"] == 2
    assert [fault.partition(":")[0] for fault in kept.faults] == ["line 3"]
    assert files.describe(kept.file) == kept


def test_kept_file_without_any_indicator_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("nothing of use here\n")
    with pytest.raises(BadInputError, match="AMG-CONTENT-INDICATORS"):
        KeptFiles(tmp_path / "node").keep(tmp_path / "prose.txt")
    assert list((tmp_path / "node" / LISTS).iterdir()) == []


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """As on a full disk: what is written beyond that fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_kept_file_for_which_there_is_no_room_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("".join(f"198.51.{n // 250}.{n % 250}\n" for n in range(5_000)))
    files = KeptFiles(tmp_path / "node")
    with files_of_at_most(20_000), pytest.raises(WorldError, match="AMG-CONTENT-DISK"):
        files.keep(tmp_path / "bad.txt")
    assert list((tmp_path / "node" / LISTS).iterdir()) == []


def test_kept_file_that_is_there_already_outlives_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("198.51.100.1\n" * 5_000)
    files = KeptFiles(tmp_path / "node")
    kept = files.keep(tmp_path / "bad.txt")
    with files_of_at_most(0), pytest.raises(WorldError, match="AMG-CONTENT-DISK"):
        files.keep(tmp_path / "bad.txt")
    assert len(files.load([kept.file]).tables) == 1


def test_removed_file_leaves_another_of_the_same_bytes_in_place(tmp_path: Path) -> None:
    for name in ("one.txt", "other.txt"):
        (tmp_path / name).write_text("198.51.100.1\n")
    files = KeptFiles(tmp_path / "node")
    one, other = (files.keep(tmp_path / name) for name in ("one.txt", "other.txt"))
    files.remove(one.file)
    assert files.describe(other.file) == other
    assert len(files.load([other.file]).tables) == 1


@pytest.mark.parametrize("file", ["0123456789abcdef/none.txt", "../../etc/passwd"])
def test_file_that_is_not_kept_cannot_be_described(tmp_path: Path, file: str) -> None:
    with pytest.raises(BadInputError, match="AMG-CONTENT-NO-FILE"):
        KeptFiles(tmp_path).describe(file)


def test_weighed_files_say_what_does_not_speak_today(tmp_path: Path) -> None:
    node = tmp_path / "node"
    (node / "content").mkdir(parents=True)
    (node / "content" / "allowlist.toml").write_text("[[allow]]\nname = 'ours'\nvalues = ['198.51.100.1']\n")
    objects = [stix(1), stix(2, revoked=True), stix(3, valid_until="2026-01-01T00:00:00Z")]
    (tmp_path / "bundle.json").write_bytes(msgspec.json.encode(objects))
    (tmp_path / "list.csv").write_text("type,value,last_seen\nip,198.51.100.1,2020-01-01\nip,198.51.100.9,2020-01-01\n")
    files = KeptFiles(node)
    names = [files.keep(tmp_path / name).file for name in ("bundle.json", "list.csv")]
    bundle, flat = (files.weighed(names, now=NOW)[name] for name in names)
    assert {name: n for name, n in bundle.items() if n} == {"n_allowed": 1, "n_revoked": 1, "n_ended": 1}
    assert {name: n for name, n in flat.items() if n} == {"n_allowed": 1, "n_aged": 2}


def test_weighed_file_is_counted_anew_when_the_allowlist_changes(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(msgspec.json.encode([stix(1)]))
    files = KeptFiles(tmp_path)
    name = files.keep(tmp_path / "bundle.json").file
    before = files.weighed([name], now=NOW)[name]["n_allowed"]
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "allowlist.toml").write_text("[[allow]]\nname = 'ours'\nvalues = ['198.51.100.1']\n")
    assert (before, files.weighed([name], now=NOW)[name]["n_allowed"]) == (0, 1)
