"""An archive written, checked, and put back; and what somebody hostile makes of one."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.adapters.archive.passphrase import open_keys, seal_keys
from amagasa.adapters.archive.putting_back import put_back
from amagasa.adapters.archive.reading import Checked, check, is_plain
from amagasa.adapters.archive.tar_blocks import BLOCK, header_of, padding_of
from amagasa.adapters.archive.writing import packing
from amagasa.app.backup import FORMAT, KeysAre, Manifest, Member
from amagasa.vocab.errors import AmagasaError, BadInputError, WorldError

ROOM = 10_000_000
Files = dict[str, bytes]
GOOD: Files = {"node/node.toml": b"[node]\n", "node/state/a": b"x" * 1_000, "node/empty": b""}


def manifest_of(files: Files) -> Manifest:
    members = tuple(
        Member(name=name, n_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in files.items()
    )
    return Manifest(
        format=FORMAT, made_at="2026-11-27T00:00:00Z", made_with="0", party="identity--x", name="Tokyo",
        keys=KeysAre.CLEAR, with_lake=True, store_path="state/a", lake_path="state/lake", members=members,
    )  # fmt: skip


def tar_of(pairs: list[tuple[str, bytes]]) -> bytes:
    parts = [(header_of(name, len(data)) or b"") + data + bytes(padding_of(len(data))) for name, data in pairs]
    return b"".join(parts) + bytes(2 * BLOCK)


def archive_of(tmp_path: Path, pairs: list[tuple[str, bytes]]) -> Path:
    path = tmp_path / "hostile.tar.zst"
    path.write_bytes(zstandard.compress(tar_of(pairs)))
    return path


def with_manifest(files: Files) -> list[tuple[str, bytes]]:
    return [*files.items(), ("manifest.json", msgspec.json.encode(manifest_of(files)))]


def test_archive_written_is_checked_and_put_back_as_it_was(tmp_path: Path) -> None:
    for name, data in GOOD.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with packing(tmp_path / "b.tar.zst") as archive:
        for name in GOOD:
            archive.add(name, tmp_path / name)
        archive.close_with(msgspec.structs.replace(manifest_of({}), members=tuple(archive.members)))
    checked = check(tmp_path / "b.tar.zst", room_bytes=ROOM)
    put_back(tmp_path / "b.tar.zst", checked, {}, tmp_path / "back", room_bytes=ROOM)
    assert {name: (tmp_path / "back" / name.removeprefix("node/")).read_bytes() for name in GOOD} == GOOD
    assert (tmp_path / "b.tar.zst").stat().st_mode & 0o777 == 0o600


def test_archive_leaves_nothing_where_its_making_fails(tmp_path: Path) -> None:
    def fill() -> None:
        with packing(tmp_path / "b") as archive:
            archive.put("a", os.urandom(1_000_000))
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WorldError, match="AMG-BACKUP-WRITE"):
        fill()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["/etc/cron.d/x", "node/../../x", "node/..", "node", "node//x", "node/./x", "other/x", "outside", "node/a\nb", ""],
)
def test_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    assert not is_plain(name)
    path = archive_of(tmp_path, with_manifest({**GOOD, name: b"x"}))
    with pytest.raises(BadInputError, match="AMG-BACKUP-FORM"):
        check(path, room_bytes=ROOM)


def altered(pairs: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name, data.replace(b"x", b"y") if name == "node/state/a" else data) for name, data in pairs]


HOSTILE: dict[str, Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]] = {
    "altered": altered,
    "one less": lambda pairs: pairs[1:],
    "one more": lambda pairs: [("node/more", b""), *pairs],
    "one behind the manifest": lambda pairs: [*pairs, ("node/more", b"")],
    "no manifest": lambda pairs: pairs[:-1],
    "two manifests": lambda pairs: [*pairs, pairs[-1]],
    "keys that are not said": lambda pairs: [*pairs, ("keys.sealed", b"{}")],
    "keys before the manifest": lambda pairs: [("keys.sealed", b"{}"), *pairs],
    "manifest of something else": lambda pairs: [*pairs[:-1], ("manifest.json", b"[1]")],
}


@pytest.mark.parametrize("how", HOSTILE)
def test_archive_that_is_not_as_its_manifest_says_is_refused(tmp_path: Path, how: str) -> None:
    with pytest.raises(BadInputError, match="AMG-BACKUP-FORM"):
        check(archive_of(tmp_path, HOSTILE[how](with_manifest(GOOD))), room_bytes=ROOM)


@pytest.mark.parametrize("more", [{"node/state": b""}, {"node/node.toml/x": b""}])
def test_file_that_is_a_folder_too_is_refused(tmp_path: Path, more: Files) -> None:
    with pytest.raises(BadInputError, match="the same place"):
        check(archive_of(tmp_path, with_manifest({**GOOD, **more})), room_bytes=ROOM)


def test_bomb_is_refused_at_the_room_there_is(tmp_path: Path) -> None:
    path = archive_of(tmp_path, with_manifest({**GOOD, "node/bomb": bytes(50_000_000)}))
    assert path.stat().st_size < 100_000
    with pytest.raises(WorldError, match="AMG-BACKUP-ROOM"):
        check(path, room_bytes=ROOM)


def test_archive_changed_after_it_was_checked_leaves_no_folder(tmp_path: Path) -> None:
    path = archive_of(tmp_path, with_manifest(GOOD))
    checked = check(path, room_bytes=ROOM)
    archive_of(tmp_path, altered(with_manifest(GOOD)))
    with pytest.raises(BadInputError, match="changed since"):
        put_back(path, checked, {}, tmp_path / "back", room_bytes=ROOM)
    assert not (tmp_path / "back").exists()


WHOLE = zstandard.ZstdCompressor(write_checksum=True).compress(tar_of(with_manifest(GOOD)))


@given(st.data())
@settings(max_examples=200)
def test_torn_or_altered_archive_is_refused_or_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw = bytearray(WHOLE)
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    else:
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "torn"
    path.write_bytes(raw)
    try:
        found: Checked | None = check(path, room_bytes=ROOM)
    except AmagasaError:
        found = None
    assert found is None or found.manifest.members == manifest_of(GOOD).members


def test_sealed_keys_open_with_their_passphrase_and_their_manifest_alone() -> None:
    sealed = seal_keys({"node/keys/party.key": b"secret"}, "correct horse battery", b"manifest")
    assert b"secret" not in sealed
    assert open_keys(sealed, "correct horse battery", b"manifest") == {"node/keys/party.key": b"secret"}
    for passphrase, manifest in (("wrong horse battery", b"manifest"), ("correct horse battery", b"another")):
        with pytest.raises(BadInputError, match="AMG-BACKUP-PASSPHRASE"):
            open_keys(sealed, passphrase, manifest)
