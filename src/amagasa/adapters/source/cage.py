"""The cage in which a dissector runs: started as a program of its own, it shuts itself in and becomes the dissector.

Shut in means: no privileges and none to gain, no network (a name space of its own that holds none, or a filter that
refuses sockets where the kernel grants no name space), no file that can be written or grow, bounded memory,
processor time and open files, and death with its parent. What could not be had is said on the standard error in one
line that begins with `cage:`. A dissector with no network cage at all is not started (exit code 126).
"""

import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import Final

MEMORY_BYTES: Final = 2 * 1024**3
PROCESSOR_S: Final = 3_600
OPEN_FILES: Final = 64
REFUSED: Final = 126
_NOBODY: Final = 65_534
_NEW_USER: Final = 0x10000000
_NEW_NETWORK: Final = 0x40000000
_NEW_IPC: Final = 0x08000000
_SET_DEATH_SIGNAL: Final = 1
_SET_NO_NEW_PRIVILEGES: Final = 38
_SET_SECCOMP: Final = 22
_KILL: Final = 9
# Number of `socket` by machine, and how the kernel names the machine to a filter.
_SOCKET: Final = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}


class _Filter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("n", ctypes.c_uint16), ("filters", ctypes.POINTER(_Filter)))


def main(arguments: list[str]) -> None:
    """Shut in, then become the program of `arguments`; ends with an exit code where that failed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_DEATH_SIGNAL, _KILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    how = _leave_network(libc)
    if os.geteuid() == 0 and how != "user":
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    is_filtered = _refuse_sockets(libc)
    if not (how or is_filtered):
        sys.stderr.write("cage: neither a network name space nor a filter of sockets can be had here\n")
        sys.exit(REFUSED)
    if not how:
        sys.stderr.write("cage: no network name space; sockets are refused by a filter\n")
    sys.stderr.flush()
    os.execvpe(arguments[0], arguments, _environment())  # noqa: S606 - no shell is wanted


def _environment() -> dict[str, str]:
    """Nothing of the caller's: no settings, no plug-ins of a home folder."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent"}


def _leave_network(libc: ctypes.CDLL) -> str:
    if os.geteuid() == 0 and libc.unshare(_NEW_NETWORK | _NEW_IPC) == 0:
        return "root"
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_USER | _NEW_NETWORK | _NEW_IPC) != 0:
        return ""
    # Without a map the dissector would be nobody, which serves as well.
    try:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    except OSError:
        pass
    return "user"


def _refuse_sockets(libc: ctypes.CDLL) -> bool:
    """A filter in which `socket` gives EPERM; False where the machine or the kernel has none."""
    known = _SOCKET.get(os.uname().machine)
    if known is None:
        return False
    number, machine = known
    steps = (_Filter * 6)(
        _Filter(0x20, 0, 0, 4),  # the machine
        _Filter(0x15, 0, 3, machine),
        _Filter(0x20, 0, 0, 0),  # the call
        _Filter(0x15, 0, 1, number),
        _Filter(0x06, 0, 0, 0x00050001),  # EPERM
        _Filter(0x06, 0, 0, 0x7FFF0000),  # allowed
    )
    program = _Program(6, ctypes.cast(steps, ctypes.POINTER(_Filter)))
    return int(libc.prctl(_SET_SECCOMP, 2, ctypes.byref(program), 0, 0)) == 0


if __name__ == "__main__":
    main(sys.argv[1:])
