"""`amagasa doctor` as it is typed: a sound node, and one for each thing that goes wrong."""

import json
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from amagasa.app.doctor import Finding, Kind
from amagasa.app.doctor_words import CODES, told
from amagasa.app.lake_ports import LAKE
from amagasa.app.ports import Position
from amagasa.entry.cli.main import main
from amagasa.entry.node.doctor import examine
from amagasa.entry.wiring import make_store
from amagasa.entry.wiring_lake import Keeping
from amagasa.event.record import Chunk, Format

Broken = Callable[[Path], object]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node under an agreement that reads one log and has kept records of it."""
    top = tmp_path_factory.mktemp("doctor")
    (top / "access.log").write_text("")
    for words in (
        ("init", str(top / "tokyo"), "--name", "Japan", "--country", "JP"),
        ("init", str(top / "usa"), "--name", "States", "--country", "US"),
        ("agreement", "draft", "--supported", str(top / "tokyo/party.json"), "--supporting",
         str(top / "usa/party.json"), "-o", str(top / "a.toml")),
        ("agreement", "sign", str(top / "tokyo"), str(top / "a.toml"), "--yes"),
        ("agreement", "sign", str(top / "usa"), str(top / "a.signed.json"), "--yes"),
        ("agreement", "sign", str(top / "tokyo"), str(top / "a.signed.json"), "--yes"),
        ("source", "add", "web", str(top / "access.log"), "--node", str(top / "tokyo")),
        ("content", "add", "198.51.100.7", "--share", "--node", str(top / "tokyo")),
    ):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        assert ended.value.code in {0, None}, words
    settings = top / "tokyo/node.toml"
    settings.write_text(settings.read_text().replace("port = 8480", "port = 0").replace("port = 8490", "port = 0"))
    _read_something(top / "tokyo")
    return top / "tokyo"


def _read_something(node: Path) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    keeping = Keeping(node / "state/lake", {"web": None}, quota_bytes=1 << 30, keep=timedelta(days=1), now=now)
    data = b"".join(b'{"a": %d}\n' % n for n in range(5_000))
    keeping.add("web", Chunk(path="a.log", format=Format.JSON, first_record=1, data=data, read_at=now))
    keeping.finish(now)
    head = msgspec.to_builtins(keeping.head("web"))
    keeping.close()
    _save(node, Position(source="web", token={LAKE: head}, n_read=5_000, last_record_at=now))


def _save(node: Path, position: Position) -> None:
    store = make_store(node / "state/amagasa.sqlite")
    with store.write() as writing:
        writing.save_position(position)
    store.close()


@pytest.fixture
def node(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "tokyo"))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *words])
    return (ended.value.code if isinstance(ended.value.code, int) else 0, capsys.readouterr().out)


def rows_of(capsys: pytest.CaptureFixture[str], node: Path) -> tuple[int, list[dict[str, Any]]]:
    code, out = run(capsys, str(node), "--json")
    return code, json.loads(out)


def test_sound_node_ends_with_zero_and_every_part(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, rows = rows_of(capsys, node)
    assert code == 0, [row for row in rows if row["kind"] != "sound"]
    assert {row["part"] for row in rows} >= {
        "keys",
        "store",
        "lake",
        "ledger",
        "agreements",
        "sources",
        "clock",
        "disk",
    }
    assert next(row["what"] for row in rows if row["part"] == "lake").startswith("5,000 records")


def _flip(path: Path, at: int = -20) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def _of_tomorrow(node: Path) -> None:
    _save(node, Position(source="web", token={}, last_record_at=datetime.now(UTC) + timedelta(days=1)))


def _torn(node: Path) -> None:
    path = node / "state/amagasa.sqlite"
    with path.open("r+b") as file:
        for page in range(8, 40):
            file.seek(page * 4_096)
            file.write(b"\xff" * 2_048)


BROKEN: dict[str, tuple[Broken, str, int]] = {
    "settings": (lambda node: (node / "node.toml").write_text("[nod]\n"), "settings:error", 1),
    "key open": (lambda node: (node / "keys/party.key").chmod(0o644), "folder:open", 1),
    "key gone": (lambda node: (node / "keys/party.key").unlink(), "keys:error", 1),
    "card": (lambda node: shutil.copy(node.parent / "other.json", node / "party.json"), "keys:card", 1),
    "store gone": (lambda node: (node / "state/amagasa.sqlite").unlink(), "store:store-missing", 1),
    "no store": (lambda node: (node / "state/amagasa.sqlite").write_bytes(b"x" * 9_000), "store:error", 1),
    "lake": (lambda node: _flip(next((node / "state/lake").glob("*/*.seg"))), "lake:lake-damaged", 1),
    "agreement": (lambda node: _flip(next((node / "agreements").glob("*.json"))), "agreements:agreement-faulty", 1),
    "log gone": (lambda node: _renamed(node, "access.log", "gone.log"), "sources:source-missing", 1),
    "clock": (_of_tomorrow, "clock:clock-behind", 1),
    "fault": (
        lambda node: _save(node, Position(source="web", token={}, fault="it is a folder")), "sources:source-fault", 1,
    ),
    "torn": (_torn, "store:", 1),
}  # fmt: skip


def _renamed(node: Path, before: str, after: str) -> None:
    path = node / "node.toml"
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_is_found_with_a_way_to_mend_it(
    sound: Path, node: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(sound.parent / "usa/party.json", node.parent / "other.json")
    breaking, wanted, code = BROKEN[what]
    breaking(node)
    found, rows = rows_of(capsys, node)
    wrong = [row for row in rows if row["kind"] == "wrong"]
    assert any(f"{row['part']}:{row['code']}".startswith(wanted) for row in wrong), rows
    assert found == code
    assert all(row["mend"] for row in wrong)


@pytest.mark.parametrize(
    ("after", "kind"), [(timedelta(days=720), "certificate-soon"), (timedelta(days=800), "certificate-over")]
)
def test_certificate_and_agreement_are_said_before_they_end(node: Path, after: timedelta, kind: str) -> None:
    found = {one.code for one in examine(node, now=datetime.now(UTC) + after)}
    assert found >= {kind, "agreement-over"}


def test_agreement_that_ends_soon_is_noted(node: Path) -> None:
    now = datetime.now(UTC)
    ends = [n for n in range(0, 800, 10) if _has(examine(node, now=now + timedelta(days=n)), "agreement-soon")]
    assert 1 <= len(ends) <= 4


def _has(findings: Iterator[Finding], code: str) -> bool:
    return any(one.code == code for one in findings)


def test_port_that_another_program_holds_is_named(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        path = node / "node.toml"
        path.write_text(path.read_text().replace("port = 0", f"port = {other.getsockname()[1]}", 1))
        code, rows = rows_of(capsys, node)
    assert (code, [row["part"] for row in rows if row["kind"] == "wrong"]) == (1, ["ports"])


def test_store_of_another_revision_is_not_changed_and_the_rest_not_looked_at(
    node: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = node / "state/amagasa.sqlite"
    path.unlink()
    path.write_bytes(b"")
    code, rows = rows_of(capsys, node)
    assert (code, path.stat().st_size) == (3, 0)
    assert {row["part"] for row in rows if row["kind"] == "unlooked"} >= {"lake", "ledger", "sources"}


def _held(node: Path) -> tuple[dict[str, bytes], list[str]]:
    """Every file, and of the store what stands in it: SQLite moves that from one file to another by itself."""
    files = {str(one): one.read_bytes() for one in node.rglob("*") if one.is_file() and ".sqlite" not in one.name}
    with closing(sqlite3.connect(node / "state/amagasa.sqlite")) as store:
        return files, list(store.iterdump())


def test_nothing_is_changed(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _held(node)
    run(capsys, str(node))
    assert _held(node) == before


def test_words_are_in_the_language_of_the_node(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _renamed(node, 'lang = "en"', 'lang = "ja"')
    code, out = run(capsys, str(node))
    assert (code, "正常  保存領域" in out) == (0, True)


def test_folder_that_is_no_node_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, str(tmp_path))[0] == 2


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_finding_has_words_and_all_that_is_wrong_a_mend(lang: str) -> None:
    for code in CODES:
        what, _ = told(Finding(part="store", kind=Kind.WRONG, code=code, args=("disk", "disk", "disk")), lang)
        assert what
