"""Writing a backup: a tar in Zstandard, there whole under its name or not at all."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import zstandard

from amagasa.adapters.archive.tar_blocks import BLOCK, header_of, padding_of
from amagasa.app.backup import LeftOut, Manifest, Member
from amagasa.vocab.errors import BadInputError, WorldError

MANIFEST: Final = "manifest.json"
SEALED: Final = "keys.sealed"
_STEP: Final = 1 << 20


class Packing:
    """An archive being written. Members are noted with their digests as they go in."""

    def __init__(self, stream: zstandard.ZstdCompressionWriter) -> None:
        self._stream = stream
        self.members: list[Member] = []
        self.left_out: list[LeftOut] = []

    def add(self, name: str, path: Path) -> None:
        """Put the file in as long as it is now: what is written behind that meanwhile is not missed, and not taken.

        One that cannot be taken is noted in `left_out`. Raises WorldError where it becomes shorter under our eyes.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # let go since the folder was listed: what replaces it is listed after it
        except OSError as problem:
            self.leave_out(name, problem.strerror or str(problem))
            return
        with os.fdopen(descriptor, "rb") as file:
            self.add_opened(name, file)

    def add_opened(self, name: str, file: BinaryIO) -> None:
        """Put in what was opened before, also where its name is gone by now."""
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            return  # a socket or a pipe: it is made anew when the node starts
        header = header_of(name, found.st_size) if _is_utf8(name) else None
        if header is None:
            self.leave_out(name, "its name is too long for an archive, or not UTF-8")
            return
        digest = self._copy(file, header, found.st_size, name)
        is_public = bool(found.st_mode & stat.S_IROTH)
        self.members.append(Member(name=name, n_bytes=found.st_size, sha256=digest, is_public=is_public))

    def leave_out(self, name: str, why: str) -> None:
        """Note a file that is not in the backup."""
        self.left_out.append(LeftOut(name=name.encode("utf-8", "replace").decode(), why=why))

    def close_with(self, manifest: Manifest) -> bytes:
        """Write the manifest; returns its bytes."""
        raw = msgspec.json.encode(manifest)
        self.put(MANIFEST, raw)
        return raw

    def put(self, name: str, data: bytes) -> None:
        """Write a member of ours that the manifest does not name."""
        self._stream.write((header_of(name, len(data)) or b"") + data + bytes(padding_of(len(data))))

    def _copy(self, file: BinaryIO, header: bytes, n_bytes: int, name: str) -> str:
        digest, left = hashlib.sha256(), n_bytes
        self._stream.write(header)
        while left:
            data = file.read(min(left, _STEP))
            if not data:
                raise WorldError(
                    "AMG-BACKUP-CHANGED",
                    f"{name} became shorter while it was read",
                    then="no backup was written; run it again",
                )
            digest.update(data)
            self._stream.write(data)
            left -= len(data)
        self._stream.write(bytes(padding_of(n_bytes)))
        return digest.hexdigest()


@contextmanager
def packing(target: Path) -> Iterator[Packing]:
    """An archive under `target`, mode 0600, when the block ends well; else nothing is there.

    Raises BadInputError (AMG-BACKUP-EXISTS), WorldError (AMG-BACKUP-WRITE).
    """
    if target.exists() or target.is_symlink():
        raise BadInputError("AMG-BACKUP-EXISTS", f"{target} is there already", then="nothing was written; name another")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                writer = zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(file, closefd=False)
                yield Packing(writer)
                writer.write(bytes(2 * BLOCK))
                writer.flush(zstandard.FLUSH_FRAME)
                file.flush()
                os.fsync(file.fileno())
            part.rename(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise WorldError(
            "AMG-BACKUP-WRITE",
            f"the backup cannot be written: {target}",
            expected="room for it, in a folder where you may write",
            got=problem.strerror or str(problem),
            then="nothing of it was left; the node is untouched",
        ) from problem


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
