"""A process that hunts for the node, one at a time; on wish the next one waits with its program loaded."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from amagasa.app.ports import ContentItem, ContentKind

# It ends with the node: what it reads closes then.
_PROGRAM: Final = """
import json, sys
import amagasa.entry.cli.hunt
from amagasa.entry.cli.main import main
line = sys.stdin.readline()
if line:
    sys.argv[1:] = json.loads(line)
    main()
"""
_ID: Final = re.compile(r"""^id:\s*["']?([0-9A-Za-z-]{1,64})""", re.MULTILINE)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a hunt found: the first finding of each, what it says, and whose identifiers stand in the rules' texts."""

    firsts: list[dict[str, Any]]
    answer: dict[str, Any]
    ids: dict[str, str]


class PastChild:
    """Used from one thread; `kill` from any."""

    def __init__(self, node: Path, *, may_wait: Callable[[], bool] = lambda: False) -> None:
        self._node = node
        self._may_wait = may_wait
        self._child: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def get_ready(self) -> None:
        """Load the next one where it may wait."""
        if self._child is None and self._may_wait() and not self._is_killed:
            self._child = self._begun()

    def kill(self) -> None:
        """End what is under way, for good."""
        self._is_killed = True
        if (child := self._child) is not None:
            child.kill()

    def close(self) -> None:
        """Behind the last use."""
        if (child := self._child) is not None:
            child.kill()
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
        )

    def _hunt(self, *what: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """(the first findings, what the hunt says)."""
        options = ["hunt", "--node", str(self._node.absolute()), "--for-node", "--tally", *what]
        firsts: list[dict[str, Any]] = []
        answer: dict[str, Any] | None = None
        if self._child is None or self._child.poll() is not None:
            self._child = self._begun()
        child = self._child
        if self._is_killed:
            child.kill()
        with child:
            _tell(child, msgspec.json.encode(options) + b"\n")
            for line in child.stdout or ():
                told = msgspec.json.decode(line, type=dict[str, Any])
                if "first" in told:
                    firsts.append(told["first"])
                answer = told.get("answer", answer)
        self._child = None
        if answer is None:
            if child.returncode == 2:  # none of them can run, which is said at each of them
                return [], _nothing()
            message = f"the hunt ended with {child.returncode}"
            raise ValueError(message)
        return firsts, answer


def _tell(child: "subprocess.Popen[bytes]", line: bytes) -> None:
    if child.stdin is not None:
        child.stdin.write(line)
        child.stdin.close()


def _nothing() -> dict[str, Any]:
    fault = {"rule_id": "", "why": "it cannot run"}
    nothing: dict[str, Any] = {"by_content": {}, "spans": {}, "n_hosts": {}}
    return nothing | {"faults": [fault], "unlooked": [], "n_unlooked": 1, "n_rejected": 0}
