"""`amagasa backup` and `amagasa restore` as they are typed."""

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from amagasa.app.lake_ports import LAKE
from amagasa.app.ports import Position
from amagasa.entry.cli.main import main
from amagasa.entry.wiring import make_store
from amagasa.entry.wiring_lake import Keeping, heads_of, proofs_of
from amagasa.event.record import Chunk, Format

Run = Callable[..., tuple[int, str, str]]
PASSPHRASE = b"correct horse battery\n"
NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A node, and a passphrase in file descriptor N wherever FD stands in what is typed."""
    monkeypatch.chdir(tmp_path)

    def typed(*words: str, passphrase: bytes = PASSPHRASE) -> tuple[int, str, str]:
        reader, writer = os.pipe()
        os.write(writer, passphrase)
        os.close(writer)
        with pytest.raises(SystemExit) as ended:
            main([str(reader) if word == "FD" else word for word in words])
        os.close(reader)
        shown = capsys.readouterr()
        return (ended.value.code if isinstance(ended.value.code, int) else 0, shown.out, shown.err)

    typed("init", "tokyo", "--name", "Japan", "--country", "JP")
    return typed


def records_kept(node: Path, store_path: Path) -> int:
    """Put records into the lake of the node, one chunk packed and one still in a tail."""
    chunk = Chunk(path="a.log", format=Format.JSON, first_record=1, data=b'{"a": 1}\n' * 50, read_at=NOW)
    store = make_store(store_path)
    keeping = Keeping(node / "state/lake", {"web": None}, quota_bytes=1 << 30, keep=timedelta(days=1), now=NOW)
    head = keeping.add("web", chunk)
    keeping.close()
    with store.write() as writing:
        writing.save_position(Position(source="web", token={LAKE: json.loads(msgspec.json.encode(head))}, n_read=50))
    store.close()
    return 50


def test_backup_is_restored_with_keys_settings_store_and_records(run: Run, tmp_path: Path) -> None:
    n = records_kept(tmp_path / "tokyo", tmp_path / "tokyo/state/amagasa.sqlite")
    code, out, err = run("backup", "tokyo", "b.tar.zst", "--passphrase-fd", "FD", "--json")
    assert (code, json.loads(out)["keys"]) == (0, "sealed"), err
    assert stat.S_IMODE((tmp_path / "b.tar.zst").stat().st_mode) == 0o600
    code, out, err = run("restore", "b.tar.zst", "back", "--passphrase-fd", "FD", "--json")
    assert code == 0, err
    assert json.loads(out)["n_files"] == 6
    for name in ("keys/party.key", "keys/tls.key", "keys/pseudonym.key", "node.toml", "party.json", "tls.crt"):
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "tokyo" / name).read_bytes()
    assert stat.S_IMODE((tmp_path / "back/keys/party.key").stat().st_mode) == 0o600
    assert [(one.n_unchained, one.fault) for one in proofs_of(tmp_path / "back", tmp_path / "back/state/lake")] == [
        (n, "")
    ]


def test_backup_without_lake_begins_a_new_one(run: Run, tmp_path: Path) -> None:
    records_kept(tmp_path / "tokyo", tmp_path / "tokyo/state/amagasa.sqlite")
    assert run("backup", "tokyo", "b", "--keys-in-clear", "--without-lake")[0] == 0
    code, _, err = run("restore", "b", "back")
    assert (code, "a search back finds nothing" in err) == (0, True)
    store = make_store(tmp_path / "back/state/amagasa.sqlite")
    assert heads_of(store) == {}
    with store.read() as reading:
        assert [one.n_read for one in reading.positions()] == [50]
    store.close()


def test_restore_with_a_wrong_passphrase_makes_nothing(run: Run, tmp_path: Path) -> None:
    run("backup", "tokyo", "b", "--passphrase-fd", "FD")
    code, _, err = run("restore", "b", "back", "--passphrase-fd", "FD", passphrase=b"another one altogether\n")
    assert (code, "AMG-BACKUP-PASSPHRASE" in err, (tmp_path / "back").exists()) == (2, True, False)


def test_restore_into_a_folder_that_holds_anything_is_refused(run: Run, tmp_path: Path) -> None:
    run("backup", "tokyo", "b", "--keys-in-clear")
    code, _, err = run("restore", "b", "tokyo")
    assert (code, "AMG-RESTORE-TAKEN" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("tokyo", "b", "--passphrase-fd", "FD"), (2, "too short")),
        (("tokyo", "b"), (2, "nobody to ask")),
        (("tokyo", "tokyo/b", "--keys-in-clear"), (2, "AMG-BACKUP-INSIDE")),
        (("nowhere", "b", "--keys-in-clear"), (2, "AMG-NODE-DIR")),
        (("tokyo", "nowhere/b", "--keys-in-clear"), (3, "AMG-BACKUP-WRITE")),
        (("tokyo", "tokyo.tar", "--keys-in-clear"), (2, "AMG-BACKUP-EXISTS")),
    ],
)
def test_backup_that_cannot_be_says_why_and_leaves_nothing(
    run: Run, tmp_path: Path, words: tuple[str, ...], wanted: tuple[int, str]
) -> None:
    (tmp_path / "tokyo.tar").write_bytes(b"")
    before = sorted(tmp_path.iterdir())
    found, _, err = run("backup", *words, passphrase=b"short\n")
    assert (found, wanted[1] in err, sorted(tmp_path.iterdir())) == (wanted[0], True, before)


def test_link_in_the_folder_is_not_followed_and_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not of the node")
    (tmp_path / "tokyo/content/link").symlink_to(tmp_path / "secret")
    code, out, _ = run("backup", "tokyo", "b", "--keys-in-clear", "--json")
    assert (code, json.loads(out)["left_out"][0]["name"]) == (3, "node/content/link")


def test_words_of_a_japanese_node_are_japanese(run: Run) -> None:
    run("init", "osaka", "--name", "大阪", "--country", "JP", "--lang", "ja")
    assert "書き出しました" in run("backup", "osaka", "b", "--keys-in-clear")[2]
    assert "次に人がすること" in run("restore", "b", "back")[2]
