"""Before a node starts: one process a folder, and agreements that are as they were signed."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from amagasa.entry.wiring import World
from amagasa.share.words import sentence
from amagasa.vocab.errors import BadInputError, WorldError

LOCK_FILE: Final = "run/lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the node's lock. Raises BadInputError (AMG-NODE-RUNNING) where another process has it."""
    descriptor = _lock_file(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BadInputError(
            "AMG-NODE-RUNNING",
            "this node runs already",
            expected="one process a folder",
            got=str(folder),
            then="nothing was started; stop the other first, or go on using it",
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def _lock_file(folder: Path) -> int:
    try:
        (folder / "run").mkdir(mode=0o700, exist_ok=True)
        return os.open(folder / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise WorldError(
            "AMG-NODE-FOLDER",
            "the node's folder cannot be written",
            expected="a folder of the user who runs the node",
            got=f"{folder / LOCK_FILE}: {problem.strerror}",
            then="nothing was started",
        ) from None


def refuse_altered(world: World) -> None:
    """Raise BadInputError where an agreement on disk is not what was signed: somebody changed the node's folder."""
    faulty = world.book.book.faulty
    if not faulty:
        return
    first = faulty[0]
    raise BadInputError(
        first.problems[0].code,
        f"the agreement {first.name} cannot be relied on",
        expected="the file as both parties signed it",
        got="; ".join(sentence(problem, "en") for problem in first.problems),
        then="the node did not start; put the signed file back, or move it away to run with that line closed",
    )
