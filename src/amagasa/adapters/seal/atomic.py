"""Files that are there whole or not at all, also after a power cut, and readable by nobody else."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from amagasa.vocab.errors import BadInputError, WorldError

PRIVATE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644
FOLDER_MODE: Final = 0o700
# Keys, cards and agreements are small; anything larger is something else.
MAX_FILE_BYTES: Final = 1_048_576


def make_private_folder(folder: Path) -> None:
    """Make `folder` with mode 0700, its parents as they come. One that exists is set to 0700."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        folder.chmod(FOLDER_MODE)
    except OSError as error:
        raise WorldError(
            "AMG-SEAL-WRITE", f"the folder {folder} cannot be made", got=str(error), then="nothing was written"
        ) from error


def write_whole(path: Path, data: bytes, *, mode: int) -> None:
    """Put `data` at `path`, in one step: a reader sees the old file or the new one. Raises WorldError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise WorldError(
            "AMG-SEAL-WRITE", f"{path} cannot be written", got=str(error), then="what was there before is still there"
        ) from error


def read_small(path: Path, *, what: str) -> bytes:
    """The bytes of a small file. Raises BadInputError (AMG-FILE-...) where it is missing, no file, unreadable, huge.

    `what` names it for a person, e.g. "the agreement".
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BadInputError("AMG-FILE-KIND", f"{what} {path} is no file", expected="a file")
        if found.st_size > MAX_FILE_BYTES:
            raise BadInputError(
                "AMG-FILE-SIZE",
                f"{what} {path} is too large",
                expected=f"at most {MAX_FILE_BYTES} bytes",
                got=f"{found.st_size} bytes",
            )
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError as error:
        raise BadInputError("AMG-FILE-MISSING", f"{what} {path} is not there") from error
    except OSError as error:
        raise BadInputError("AMG-FILE-UNREADABLE", f"{what} {path} cannot be read", got=str(error)) from error


def read_private(path: Path, *, what: str) -> bytes:
    """The bytes of a file which only its owner may read. Raises WorldError (AMG-SEAL-MISSING, -OPEN, -READ)."""
    try:
        for place in (path.parent, path):
            mode = stat.S_IMODE(place.stat().st_mode)
            if mode & 0o077:
                wanted = FOLDER_MODE if place == path.parent else PRIVATE_MODE
                raise WorldError(
                    "AMG-SEAL-OPEN",
                    f"others than its owner may open {place}",
                    expected=f"mode {wanted:04o}",
                    got=f"mode {mode:04o}",
                    then=f"run chmod {wanted:o} {place}; if others may have read {what}, make new keys",
                )
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError as error:
        raise WorldError(
            "AMG-SEAL-MISSING",
            f"{what} is not there: {path}",
            then="restore it from a backup, or make a new node with amagasa init and sign the agreements anew",
        ) from error
    except OSError as error:
        raise WorldError("AMG-SEAL-READ", f"{what} cannot be read: {path}", got=str(error)) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
