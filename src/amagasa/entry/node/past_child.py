"""A process that hunts for the node, one at a time; on wish the next one waits with its program loaded."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from amagasa.app.ports import ContentItem, ContentKind

# It loads once and forks for each hunt, so that one begins at once; it ends with the node, when what it reads closes.
_PROGRAM: Final = """
import json, os, sys
import amagasa.entry.cli.hunt
from amagasa.entry.cli.main import main
while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        sys.argv[1:] = json.loads(line)
        code = 70
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.stdout.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.stdout.write(json.dumps({"ended": code}) + chr(10))
    sys.stdout.flush()
"""
EXIT_WRONG: Final = 2
_ID: Final = re.compile(r"""^id:\s*["']?([0-9A-Za-z-]{1,64})""", re.MULTILINE)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a hunt found: the first finding of each, what it says, and whose identifiers stand in the rules' texts."""

    firsts: list[dict[str, Any]]
    answer: dict[str, Any]
    ids: dict[str, str]


class PastChild:
    """Used from one thread; `kill` from any. With `may_wait` the program stays loaded between hunts."""

    def __init__(self, node: Path, *, may_wait: Callable[[], bool] = lambda: False) -> None:
        self._node = node
        self._may_wait = may_wait
        self._child: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def get_ready(self) -> None:
        """Load the program where it may wait; let go of it where it may not."""
        if not self._may_wait():
            self.close()
        elif self._child is None and not self._is_killed:
            self._child = self._begun()

    def kill(self) -> None:
        """End what is under way, for good."""
        self._is_killed = True
        if (child := self._child) is not None:
            _kill(child)

    def close(self) -> None:
        """Behind the last use."""
        if (child := self._child) is not None:
            _kill(child)
            child.communicate()
            self._child = None

    def look_for(self, items: Sequence[ContentItem], *more: str) -> Tally:
        """Hunt for items of one kind. Raises ValueError where the hunt says nothing."""
        ids: dict[str, str] = {}
        with tempfile.TemporaryDirectory(prefix="amagasa-past-") as name:
            folder = Path(name)
            if items[0].kind is ContentKind.SIGMA:
                for at, item in enumerate(items):
                    (folder / f"{at:06d}.yml").write_text(item.text, encoding="utf-8")
                    ids |= dict.fromkeys(_ID.findall(item.text), item.id)
                what = f"--rule={folder}"
            else:
                path = folder / "indicators.json"
                objects = [msgspec.Raw(item.text.encode()) for item in items]
                path.write_bytes(msgspec.json.encode({"type": "bundle", "objects": objects}))
                what = f"--indicator={path}"
            firsts, answer = self._hunt(what, *more)
        return Tally(firsts=firsts, answer=answer, ids=ids)

    def _begun(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _hunt(self, *what: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """(the first findings, what the hunt says)."""
        options = ["hunt", "--node", str(self._node.absolute()), "--for-node", "--tally", *what]
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = self._begun()
        if self._is_killed:
            _kill(self._child)
        try:
            firsts, answer, code = _asked(self._child, msgspec.json.encode(options) + b"\n")
        finally:
            if not self._may_wait():
                self.close()
        if answer is None:
            if code == EXIT_WRONG:  # none of them can run, which is said at each of them
                return [], _nothing()
            message = f"the hunt ended with {code}"
            raise ValueError(message)
        return firsts, answer


def _asked(
    child: "subprocess.Popen[bytes]", line: bytes
) -> tuple[list[dict[str, Any]], dict[str, Any] | None, int | None]:
    """(the first findings, the answer, how the hunt ended: None where the program ended with it)."""
    firsts: list[dict[str, Any]] = []
    answer: dict[str, Any] | None = None
    if child.stdin is None or child.stdout is None:
        return firsts, answer, None
    child.stdin.write(line)
    child.stdin.flush()
    for told_line in child.stdout:
        told = msgspec.json.decode(told_line, type=dict[str, Any])
        if "ended" in told:
            return firsts, answer, told["ended"]
        if "first" in told:
            firsts.append(told["first"])
        answer = told.get("answer", answer)
    return firsts, None, None


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """The program and the hunt that it forked."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _nothing() -> dict[str, Any]:
    fault = {"rule_id": "", "why": "it cannot run"}
    nothing: dict[str, Any] = {"by_content": {}, "spans": {}, "n_hosts": {}}
    return nothing | {"faults": [fault], "unlooked": [], "n_unlooked": 1, "n_rejected": 0}
