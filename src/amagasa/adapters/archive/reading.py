"""Reading a backup as hostile bytes: names, sizes and digests are checked, all of it, before a file is written."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import zstandard
from msgspec import Struct

from amagasa.adapters.archive.tar_blocks import BLOCK, damaged, padding_of, read_header
from amagasa.adapters.archive.writing import MANIFEST, SEALED
from amagasa.app.backup import FORMAT, KeysAre, Manifest, Member
from amagasa.vocab.errors import BadInputError, WorldError

MAX_MEMBERS: Final = 1_000_000
MAX_MANIFEST_BYTES: Final = 256 * 1024 * 1024
MAX_SEALED_BYTES: Final = 1024 * 1024
# What `zstd -d` accepts without being told otherwise: 128 MiB of window.
_WINDOW_BYTES: Final = 2**27
_STEP: Final = 1 << 20
_PLAIN: Final = re.compile(r"(?:node|outside)(?:/[^/\x00-\x1f\x7f]+)+")


class Checked(Struct, frozen=True, kw_only=True):
    """A backup that is whole: every member is as its manifest says. `sealed` is empty where the keys stand in clear."""

    manifest: Manifest
    raw: bytes
    sealed: bytes
    n_bytes: int


Sink = Callable[[str, Iterator[bytes]], None]


class _Unpacked:
    """The bytes of the tar, counted: more than `limit` of them are refused, a bomb therefore too."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).stream_reader(file)
        self._left = limit

    def exactly(self, n_bytes: int) -> bytes:
        parts: list[bytes] = []
        while n_bytes:
            try:
                data = self._reader.read(n_bytes)
            except zstandard.ZstdError as error:
                raise damaged(str(error)) from None
            if not data:
                raise damaged("it ends too early")
            self._left -= len(data)
            if self._left < 0:
                raise WorldError(
                    "AMG-BACKUP-ROOM",
                    "the backup unpacked is larger than the room there is",
                    then="nothing was restored; make room, or name a folder on another disk",
                )
            parts.append(data)
            n_bytes -= len(data)
        return b"".join(parts)

    def end(self) -> None:
        """Nothing but empty blocks may come; and what came was as it was written, says the checksum of the packing."""
        try:
            rest = self._reader.read(_STEP)
            if any(rest) or self._reader.read(1):
                raise damaged("more stands behind its end")
        except zstandard.ZstdError as error:
            raise damaged(str(error)) from None

    def body(self, n_bytes: int) -> Iterator[bytes]:
        """In pieces, the padding passed over."""
        left = n_bytes
        while left:
            data = self.exactly(min(left, _STEP))
            left -= len(data)
            yield data
        if any(self.exactly(padding_of(n_bytes))):
            raise damaged("the padding of a member is not empty")


def check(path: Path, *, room_bytes: int) -> Checked:
    """Read all of it and write nothing. Raises BadInputError (AMG-BACKUP-...), WorldError (AMG-BACKUP-READ, -ROOM)."""
    found: list[Member] = []
    kept: dict[str, bytes] = {}
    n_bytes = 0
    with _opened(path) as file:
        tar = _Unpacked(file, room_bytes)
        for name, size in _headers(tar):
            if name in {MANIFEST, SEALED}:
                kept[name] = _small(tar, name, size, kept)
                continue
            if kept or not is_plain(name):
                raise damaged(f"a member stands where none may: {name}")
            digest = hashlib.sha256()
            for data in tar.body(size):
                digest.update(data)
            found.append(Member(name=name, n_bytes=size, sha256=digest.hexdigest()))
            n_bytes += size
        tar.end()
    return _agreed(found, kept, n_bytes)


def unpack(path: Path, checked: Checked, sink: Sink, *, room_bytes: int) -> None:
    """Hand each member to `sink`, its digest checked again: the file may have been changed since `check`."""
    members = iter(checked.manifest.members)
    with _opened(path) as file:
        tar = _Unpacked(file, room_bytes)
        for name, size in _headers(tar):
            if name in {MANIFEST, SEALED}:
                break
            wanted = next(members, None)
            if wanted is None or (wanted.name, wanted.n_bytes) != (name, size):
                raise damaged("it changed since it was checked")
            sink(name, _proved(tar.body(size), wanted))
    if next(members, None) is not None:
        raise damaged("it changed since it was checked")


def is_plain(name: str) -> bool:
    """Whether a member's name stays where it is put: relative, no `.` and `..`, no control characters."""
    return _PLAIN.fullmatch(name) is not None and not {".", ".."} & set(name.split("/"))


def room_at(folder: Path) -> int:
    """Bytes free where `folder` is, or will be. Raises WorldError."""
    place = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    try:
        return shutil.disk_usage(place).free
    except OSError as problem:
        raise WorldError("AMG-BACKUP-ROOM", f"{place} cannot be looked at", got=str(problem)) from problem


def _proved(body: Iterator[bytes], wanted: Member) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for data in body:
        digest.update(data)
        yield data
    if digest.hexdigest() != wanted.sha256:
        raise damaged("it changed since it was checked")


def _opened(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb")
    except FileNotFoundError:
        raise BadInputError("AMG-FILE-MISSING", f"the backup {path} is not there", then="nothing was done") from None
    except OSError as problem:
        raise WorldError("AMG-BACKUP-READ", f"the backup cannot be read: {path}", got=str(problem)) from problem


def _headers(tar: _Unpacked) -> Iterator[tuple[str, int]]:
    for _ in range(MAX_MEMBERS):
        header = read_header(tar.exactly(BLOCK))
        if header is None:
            return
        yield header
    raise damaged(f"more than {MAX_MEMBERS:,} members")


def _small(tar: _Unpacked, name: str, size: int, kept: dict[str, bytes]) -> bytes:
    limit = MAX_MANIFEST_BYTES if name == MANIFEST else MAX_SEALED_BYTES
    if name in kept or size > limit or (name == SEALED and MANIFEST not in kept):
        raise damaged(f"{name} is too large, or not where it belongs")
    return b"".join(tar.body(size))


def _agreed(found: list[Member], kept: dict[str, bytes], n_bytes: int) -> Checked:
    raw = kept.get(MANIFEST, b"")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise damaged(f"the manifest cannot be read: {error}") from None
    if manifest.format != FORMAT:
        raise damaged(f"a backup of another form: {manifest.format}")
    names = {member.name for member in found}
    folders = {"/".join(parts[:n]) for name in names for parts in [name.split("/")] for n in range(1, len(parts))}
    if len(names) != len(found) or names & folders:
        raise damaged("two members claim the same place")
    said = [(member.name, member.n_bytes, member.sha256) for member in manifest.members]
    for is_member, told in zip(found, said, strict=False):
        if (is_member.name, is_member.n_bytes, is_member.sha256) != told:
            raise damaged(f"a member is not as the manifest says: {is_member.name}")
    if len(found) != len(said):
        raise damaged("the manifest names other members than there are")
    if (manifest.keys is KeysAre.SEALED) != (SEALED in kept):
        raise damaged("the keys are not as the manifest says")
    if "node/node.toml" not in names:
        raise damaged("there is no node.toml in it")
    return Checked(manifest=manifest, raw=raw, sealed=kept.get(SEALED, b""), n_bytes=n_bytes)
