"""Rows of the dissector -> messages, with what only their order tells: selects, replays, connections seen midway."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from amagasa.event.ot.cip import cip
from amagasa.event.ot.columns import SEPARATOR, Row
from amagasa.event.ot.dnp3 import dnp3
from amagasa.event.ot.iec104 import iec104
from amagasa.event.ot.message import MALFORMED, MIDWAY, REPLAYED, WITHOUT_SELECT, Kind, Message, Operation
from amagasa.event.ot.modbus import modbus
from amagasa.event.ot.others import bacnet, fins, fox, goose, hart, mms, pn_dcp, synphasor
from amagasa.event.ot.s7 import s7comm, s7comm_plus

# An operate after a select older than this is refused by most outstations; IEEE 1815 leaves the time to them.
SELECT_S: Final = 60.0
# Selects remembered; the oldest go first, so an attacker who floods them hides only that a select came before.
MAX_SELECTS: Final = 4_096
# Publishers remembered, in the same manner.
MAX_PUBLISHERS: Final = 4_096
# Two networks that carry the same messages (IEC 62439-3), or a mirror of two ports, show them twice and a few late.
LATE_MESSAGES: Final = 3
_READERS: Final = (
    ("modbus.func_code", modbus),
    ("dnp3.src", dnp3),
    ("iec60870_104.type", iec104),
    ("s7comm.header.rosctr", s7comm),
    ("enip.command", cip),
    ("cip.service", cip),
    ("bacapp.type", bacnet),
    ("goose.gocbRef", goose),
    ("pn_dcp.service_id", pn_dcp),
    ("synphasor.frtype", synphasor),
    ("omron.command", fins),
    ("hart_ip.message_type", hart),
)


class Dissection:
    """One capture, packet after packet. `n_lost` counts places at which the capture lacks packets of a connection."""

    def __init__(self, columns: Sequence[str], first_packet: int = 0) -> None:
        self._places = {name: place for place, name in enumerate(columns)}
        self._first = first_packet
        self._selects: OrderedDict[tuple[object, ...], float] = OrderedDict()
        self._published: OrderedDict[tuple[object, ...], tuple[int, int]] = OrderedDict()
        self.n_lost = 0

    def messages(self, text: str) -> Iterator[Message]:
        """The messages of one packet, as the dissector printed it on a line. Never raises."""
        row = Row(self._places, text.split(SEPARATOR))
        if row.has("tcp.analysis.lost_segment") or row.has("tcp.analysis.ack_lost_segment"):
            self.n_lost += 1
        base, epoch = self._base(row)
        for column, read in _READERS:
            if row.has(column):
                for message in read(row, base):
                    self._select(message, epoch)
                    self._replay(message)
                    yield message
                return
        protocols = row.text("frame.protocols").split(":")
        if "mms" in protocols:
            yield from mms(row, base)
        elif row.has("data.data"):
            yield from s7comm_plus(row, base)
            yield from fox(row, base)

    def _base(self, row: Row) -> tuple[Message, float]:
        try:
            epoch = float(row.text("frame.time_epoch"))
            stamp = datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            epoch, stamp = 0.0, ""
        is_udp = row.has("udp.srcport")
        notes = [MALFORMED] if row.has("_ws.malformed") else []
        completeness = row.number("tcp.completeness")
        if completeness is not None and not completeness & 1:
            notes.append(MIDWAY)
        kind = "udp" if is_udp else "tcp"
        base = Message(
            ot="",
            timestamp=stamp,
            packet=self._first + (row.number("frame.number") or 0),
            src_ip=row.text("ip.src") or row.text("ipv6.src") or row.text("eth.src"),
            dst_ip=row.text("ip.dst") or row.text("ipv6.dst") or row.text("eth.dst"),
            src_port=row.number(f"{kind}.srcport") or 0,
            dst_port=row.number(f"{kind}.dstport") or 0,
            notes=notes,
        )
        return base, epoch

    def _select(self, message: Message, epoch: float) -> None:
        """An operate (DNP3 function 4) of what nobody selected; IEC 104 selects only where the station wants it."""
        if message.kind is not Kind.REQUEST or message.ot != "dnp3":
            return
        key = (message.master, message.outstation, message.unit, message.object, message.address)
        if message.operation == Operation.SELECT:
            self._selects[key] = epoch
            self._selects.move_to_end(key)
            if len(self._selects) > MAX_SELECTS:
                self._selects.popitem(last=False)
        elif message.function == 4:
            selected = self._selects.pop(key, None)
            if selected is None or not 0 <= epoch - selected <= SELECT_S:
                message.notes.append(WITHOUT_SELECT)

    def _replay(self, message: Message) -> None:
        """A GOOSE message whose numbers fall below those seen before (IEC 61850-8-1, 18.1.2: they only count up).

        A publisher that starts begins at 1. Numbers are then followed from where they went, so that one series that is
        sent again is told once and not for each of its messages.
        """
        state, number = message.value, message.sequence
        if message.ot != "goose" or not isinstance(state, int) or number is None:
            return
        key = (message.object, message.unit)
        last = self._published.get(key)
        self._published[key] = (state, number)
        self._published.move_to_end(key)
        if len(self._published) > MAX_PUBLISHERS:
            self._published.popitem(last=False)
        if last is None or (state <= 1 and number <= 1):
            return
        went_back = state < last[0] or (state == last[0] and 1 < number < last[1] - LATE_MESSAGES)
        if went_back:
            message.notes.append(REPLAYED)
        elif state == last[0]:
            self._published[key] = (state, max(number, last[1]) if number > 1 else number)
