"""Flows of MMS and IEC 104 as probes export them (CSV with semicolons) -> the same messages.

The header tells which: `TimeStamp;...;MMS Type;MMS Service;...` or `...;uType;asduType;...`. Such flows carry a time of
day; the day is that of the reading, so that gaps and orders are right and dates are not known.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from amagasa.event.ot.columns import number_of
from amagasa.event.ot.iec104 import asdu
from amagasa.event.ot.message import Kind, Message, Operation
from amagasa.event.ot.others import MMS_PORT, set_service

SEPARATOR: Final = ";"
_MMS: Final = ("MMS Type", "MMS Service")
_IEC104: Final = ("asduType", "cot")
_MMS_TYPES: Final = {
    2: ("error", Kind.RESPONSE),
    3: ("report", Kind.UNSOLICITED),
    4: ("reject", Kind.RESPONSE),
    5: ("cancel", Kind.REQUEST),
    6: ("cancel_response", Kind.RESPONSE),
    7: ("cancel_error", Kind.RESPONSE),
    8: ("initiate", Kind.LINK),
    9: ("initiate_response", Kind.LINK),
    10: ("initiate_error", Kind.LINK),
    11: ("conclude", Kind.LINK),
    12: ("conclude_response", Kind.LINK),
    13: ("conclude_error", Kind.LINK),
}


def is_flow_header(line: str) -> bool:
    """Whether this is the first line of such a file."""
    names = line.strip("\ufeff\r\n ").split(SEPARATOR)
    return "srcIP" in names and "TimeStamp" in names and (set(_MMS) <= {*names} or set(_IEC104) <= {*names})


class Flows:
    """The rows of one file, by its header."""

    def __init__(self, header: str, read_at: datetime) -> None:
        names = header.strip("\ufeff\r\n ").split(SEPARATOR)
        self._places = {name: place for place, name in enumerate(names)}
        self._n_columns = len(names)
        self._day = read_at.replace(hour=0, minute=0, second=0, microsecond=0)
        self._is_mms = _MMS[0] in self._places

    def message(self, line: str, packet: int) -> Message | str | None:
        """The message of a row; None where it keeps a connection alone; in words what is wrong with it."""
        cells = line.rstrip("\r\n").split(SEPARATOR)
        if len(cells) > self._n_columns + 1:
            return f"expected {self._n_columns} columns; got {len(cells)}"
        base = self._base(cells, packet)
        if isinstance(base, str):
            return base
        return self._mms(cells, base) if self._is_mms else self._iec104(cells, base)

    def _base(self, cells: Sequence[str], packet: int) -> Message | str:
        at = _time_of_day(self._text(cells, "TimeStamp"))
        source, target = self._text(cells, "srcIP"), self._text(cells, "dstIP")
        if at is None or not source or not target:
            return "expected a time of day and two addresses"
        return Message(
            ot="",
            timestamp=(self._day + at).isoformat(),
            packet=packet,
            src_ip=source,
            dst_ip=target,
            src_port=self._number(cells, "srcPort") or 0,
            dst_port=self._number(cells, "dstPort") or 0,
        )

    def _mms(self, cells: Sequence[str], message: Message) -> Message | str:
        kind, service = self._number(cells, "MMS Type"), self._number(cells, "MMS Service")
        if kind is None:
            return "expected a number in the column MMS Type"
        message.ot = "mms"
        is_asking = message.dst_port == MMS_PORT
        message.master, message.outstation = (
            (message.src_ip, message.dst_ip) if is_asking else (message.dst_ip, message.src_ip)
        )
        message.sequence = self._number(cells, "Invoke Id")
        places = (self._text(cells, "Domain Id"), self._text(cells, "Item Id"))
        message.object = "/".join(part for part in places if part)[:200]
        if kind == 0:
            message.kind = Kind.REQUEST
            set_service(message, service if service is not None else -1)
        elif kind == 1:
            message.kind, message.response_to = Kind.RESPONSE, service
        else:
            message.function_name, message.kind = _MMS_TYPES.get(kind, (f"type_{kind}", Kind.REQUEST))
            message.operation = Operation.LINK.value if message.kind is Kind.LINK else Operation.OTHER.value
        return message

    def _iec104(self, cells: Sequence[str], base: Message) -> Message | None:
        code, cause = self._number(cells, "asduType"), self._number(cells, "cot")
        if code is None:
            return None
        message = asdu(base, code, cause)
        message.unit, message.address = self._number(cells, "addr"), self._number(cells, "ioa")
        message.count = self._number(cells, "numix") if message.address is not None else None
        return message

    def _text(self, cells: Sequence[str], name: str) -> str:
        place = self._places.get(name, -1)
        return cells[place].strip() if 0 <= place < len(cells) else ""

    def _number(self, cells: Sequence[str], name: str) -> int | None:
        return number_of(self._text(cells, name))


def _time_of_day(text: str) -> timedelta | None:
    parts = text.split(":")
    try:
        hours, minutes, seconds = int(parts[0]), int(parts[1]), float(parts[2])
    except (ValueError, IndexError):
        return None
    if len(parts) != 3 or not (0 <= hours < 48 and 0 <= minutes < 60 and 0 <= seconds < 61):
        return None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
