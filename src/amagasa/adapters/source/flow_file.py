"""Files of exported flows (`event.ot.flows`) -> chunks of messages, one JSON object a line."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.numbered_rows import objects_of_rows
from amagasa.adapters.source.stream import Stream
from amagasa.event.ot.flows import Flows, is_flow_header
from amagasa.event.ot.message import line_of

_NOT_A_FLOW: Final = "AMG-EVENT-020"


def is_flows(head: bytes) -> bool:
    """Whether a file with this head holds flows."""
    return is_flow_header(head[:2_048].partition(b"\n")[0].decode("utf-8", "replace"))


def flows_of(path: str, stream: Stream, read_at: datetime) -> Iterator[Item]:
    """Chunks with the numbers of their lines (the header is line 1), rejects between them; last what broke it off."""
    flows: Flows | None = None

    def take(text: str, number: int) -> bytes | str | None:
        nonlocal flows
        if flows is None:
            flows = Flows(text, read_at)
            return None
        message = flows.message(text, number) if text.strip() else None
        return message if message is None or isinstance(message, str) else line_of(message)

    return objects_of_rows(path, stream, read_at, take, code=_NOT_A_FLOW)
