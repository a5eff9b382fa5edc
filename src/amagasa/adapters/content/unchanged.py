"""What was found out about a file by reading all of it, remembered for as long as the file is certainly the same.

Hashing a list of 90 MB and the table that was made of it costs a tenth of a second, at each start. A file is the same
where the kernel says so: the same inode on the same device, the same size, and no change of its data or of what is
said of it since (`st_ctime`, which no program can set). Two doubts are left, and both are met by reading again. A clock
that ticks every few milliseconds does not tell two changes within one tick apart: what changed less than `SETTLED_S`
ago is not remembered. And a machine that lost its power may have kept a file's length and not its data: nothing that
was remembered outlives the boot.
"""

import hashlib
import os
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

SUFFIX: Final = ".same"
SETTLED_S: Final = 3  # FAT counts in steps of two
MAX_KEPT: Final = 512  # files remembered; beyond it the half that was used longest ago goes
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NS: Final = 1_000_000_000


class _Same(Struct, frozen=True):
    """The file as the kernel tells it, and what was found out."""

    boot: str
    device: int
    inode: int
    n_bytes: int
    modified_ns: int
    changed_ns: int
    found: str = ""


_SAME: Final = msgspec.msgpack.Decoder(_Same)


class Unchanged:
    """What is known of files by names of the caller's, kept below `folder`. Losing it loses nothing but time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self, name: str, descriptor: int) -> str | None:
        """What was found out about the open file, if it has not changed since; None else."""
        path = self._path(name)
        try:
            kept = _SAME.decode(path.read_bytes())
            if msgspec.structs.replace(kept, found="") != _told_of(descriptor):
                return None
            os.utime(path)
        except (OSError, msgspec.DecodeError):
            return None
        return kept.found

    def begun(self, descriptor: int) -> "Beginning":
        """To be asked for before the file is read."""
        return Beginning(_told_of(descriptor))

    def remember(self, name: str, descriptor: int, beginning: "Beginning", found: str) -> None:
        """Keep what reading the file gave, unless the file changed meanwhile or may still be changing."""
        same = _told_of(descriptor)
        if same is None or same != beginning.same or time.time_ns() - same.changed_ns < SETTLED_S * _NS:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, new = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.msgpack.encode(msgspec.structs.replace(same, found=found)))
            Path(new).replace(self._path(name))
        except OSError:
            return
        self._trim()

    def last_used_at(self, name: str) -> float:
        """When it was last asked for, in seconds since 1970; 0 where nothing is known."""
        try:
            return self._path(name).stat().st_mtime
        except OSError:
            return 0.0

    def forget(self, name: str) -> None:
        """Know nothing of it any more."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / (hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32] + SUFFIX)

    def _trim(self) -> None:
        paths = list(self._folder.glob("*" + SUFFIX))
        if len(paths) <= MAX_KEPT:
            return
        used: list[tuple[float, Path]] = []
        for path in paths:
            try:
                used.append((path.stat().st_mtime, path))
            except OSError:
                continue  # another process removed it
        for _, path in sorted(used)[: MAX_KEPT // 2]:
            path.unlink(missing_ok=True)


class Beginning(Struct, frozen=True):
    """A file before it was read."""

    same: _Same | None


def _told_of(descriptor: int) -> _Same | None:
    """What the kernel says of an open file; None where it does not say which boot this is."""
    boot = _boot()
    if not boot:
        return None
    status = os.fstat(descriptor)
    return _Same(boot, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=1)
def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
