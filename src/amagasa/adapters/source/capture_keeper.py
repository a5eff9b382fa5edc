"""Keeps a capturing program alive as long as its parent is, and no longer: started as a program of its own.

The program may have rights of its own (file capabilities), and the kernel then forgets to end it with its parent. So
this waits for the end of its standard input, which comes whatever ends the parent, and asks the program to finish.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Final

FINISH_S: Final = 5.0


def main(command: list[str]) -> int:
    """Run the command until it ends or the standard input does; its exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # the parent ignores them, and so would the program
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_parent(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 4_096):
        pass
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(FINISH_S)
        return
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
