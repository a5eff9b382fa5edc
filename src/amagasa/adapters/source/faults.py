"""What the operating system says about a file, as a fault of that file."""

import errno
import stat
from typing import Final

from amagasa.adapters.source.stream import FORBIDDEN, LOOP, MISSING, SPECIAL, UNREADABLE
from amagasa.event.record import SourceFault
from amagasa.vocab.text import show

PATH_CHARACTERS: Final = 4_096
_KINDS: Final = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def world_fault(path: str, error: OSError | ValueError) -> SourceFault:
    """The fault for what the operating system said about `path`."""
    shown = show(path, PATH_CHARACTERS)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceFault(path=shown, why="there is no such file or folder", code=MISSING)
    if isinstance(error, IsADirectoryError):
        return SourceFault(path=shown, why="not a file; expected a file; got a folder, pipe or device", code=SPECIAL)
    if isinstance(error, PermissionError):
        why = "it may not be read; expected permission to read it for the user who runs this"
        return SourceFault(path=shown, why=why, code=FORBIDDEN)
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return SourceFault(path=shown, why="the link leads back to itself", code=LOOP)
    said = error.strerror if isinstance(error, OSError) else str(error)
    return SourceFault(path=shown, why=f"it could not be read: {show(str(said))}", code=UNREADABLE)


def special_fault(path: str, mode: int) -> SourceFault:
    """The fault for what is neither file nor folder: reading it could wait for ever, or never end."""
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
    why = f"not a file; expected a file or a folder; got {kind}; use - to read a stream"
    return SourceFault(path=show(path, PATH_CHARACTERS), why=why, code=SPECIAL)
