"""A node's delivery that dies by SIGKILL at the instant after the ally's answer, before it can note it.

Run as a process: FOLDER NAME ALLY, where FOLDER holds `NAME/` as `link_world.Node` makes it and `agreement.json`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from tests.entry.link_world import StoppedClock

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.delivery import Delivery, DeliveryDeps
from amagasa.app.link_ports import Pushed
from amagasa.app.sharing import SignedAgreements
from amagasa.app.signals import Signals
from amagasa.entry.wiring import ally_line
from amagasa.share.agreement import Agreement
from amagasa.share.verdict import Released


class Fatal:
    """A line after whose first answer there is nobody left."""

    def __init__(self, line: Any) -> None:
        self._line = line

    async def push(self, objects: Sequence[Released]) -> Pushed:
        pushed: Pushed = await self._line.push(objects)
        if pushed.taken:
            os.kill(os.getpid(), signal.SIGKILL)
        return pushed


def main(folder: Path, name: str, party_id: str) -> None:
    """Deliver once, if one may call it that."""
    agreement = msgspec.json.decode((folder / "agreement.json").read_bytes(), type=Agreement)
    ally = agreement.ally_of(party_id)
    papers = folder / name
    line: Any = Fatal(ally_line(ally, certificate=papers / f"{name}.crt", key=papers / f"{name}.key"))
    deps = DeliveryDeps(
        store=open_store(papers / "store.sqlite"),
        book=SignedAgreements(party_id, lambda: [agreement]),
        clock=StoppedClock(),
        signals=Signals(),
        jitter=lambda: 0.0,
    )
    asyncio.run(Delivery(ally.id, line, deps).step())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
