"""The files of a checked backup put into an empty folder: node.toml last, so that half of it is never a node."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from amagasa.adapters.archive.reading import Checked, unpack
from amagasa.vocab.errors import BadInputError, WorldError

_STAGE: Final = ".restoring"
_LAST: Final = "node.toml"
FOLDERS: Final = ("agreements", "content", "state", "run", "keys")


def refuse_taken(folder: Path) -> None:
    """Raise BadInputError (AMG-RESTORE-TAKEN) where the folder holds anything, WorldError where nobody can look."""
    try:
        is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    except OSError as problem:
        raise WorldError("AMG-RESTORE-DISK", f"{folder} cannot be looked at", got=str(problem)) from problem
    if not is_free:
        raise BadInputError(
            "AMG-RESTORE-TAKEN",
            "the folder is not empty",
            expected="a folder that is empty or not there yet",
            got=str(folder),
            then="nothing was restored; name another folder, or move that one away",
        )


def put_back(path: Path, checked: Checked, keys: Mapping[str, bytes], folder: Path, *, room_bytes: int) -> None:
    """Fill `folder`. Where anything fails, all that was put there is taken away again. Raises WorldError."""
    is_new = not folder.exists()
    stage = folder / _STAGE
    public = {member.name for member in checked.manifest.members if member.is_public}

    def sink(name: str, body: Iterator[bytes]) -> None:
        _write(stage / name, body, mode=0o644 if name in public else 0o600)

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        stage.mkdir(mode=0o700)
        try:
            unpack(path, checked, sink, room_bytes=room_bytes)
            for name, data in keys.items():
                _write(stage / name, iter((data,)), mode=0o600)
            _settle(stage, folder)
        except BaseException:
            _empty(folder, is_new=is_new)
            raise
    except OSError as problem:
        raise WorldError(
            "AMG-RESTORE-DISK",
            f"the backup cannot be put into {folder}",
            expected="room for it, where you may write",
            got=problem.strerror or str(problem),
            then="what had been put there was taken away again",
        ) from problem


def _write(path: Path, body: Iterator[bytes], *, mode: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        for data in body:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(stage: Path, folder: Path) -> None:
    node = stage / "node"
    for name in FOLDERS:
        (node / name).mkdir(mode=0o700, exist_ok=True)
    for inside in node.iterdir():
        if inside.name != _LAST:
            inside.rename(folder / inside.name)
    if (stage / "outside").exists():
        (stage / "outside").rename(folder / "outside")
    (node / _LAST).rename(folder / _LAST)
    shutil.rmtree(stage)


def _empty(folder: Path, *, is_new: bool) -> None:
    for inside in folder.iterdir():
        shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
    if is_new:
        folder.rmdir()
