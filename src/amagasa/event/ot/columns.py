"""What is asked of the dissector: names of Wireshark's fields, one column each, and how a row of them is read.

Values of one column that occur more than once in a packet are joined by `AGGREGATOR`.
"""

from typing import Final

AGGREGATOR: Final = "\x1f"
SEPARATOR: Final = "\t"
_FRAME: Final = (
    "frame.number frame.time_epoch eth.src eth.dst ip.src ip.dst ipv6.src ipv6.dst tcp.srcport tcp.dstport "
    "udp.srcport udp.dstport tcp.stream tcp.completeness tcp.analysis.lost_segment tcp.analysis.ack_lost_segment "
    "frame.protocols _ws.malformed"
)
_MODBUS: Final = (
    "mbtcp.trans_id mbtcp.unit_id modbus.func_code modbus.exception_code modbus.diagnostic_code modbus.reference_num "
    "modbus.read_reference_num modbus.write_reference_num modbus.word_cnt modbus.bit_cnt modbus.read_word_cnt "
    "modbus.write_word_cnt modbus.mei modbus.data modbus.regval_uint16 modbus.bitval"
)
_DNP3: Final = (
    "dnp3.src dnp3.dst dnp3.ctl.dir dnp3.ctl.prifunc dnp3.al.func dnp3.al.seq dnp3.al.uns dnp3.al.obj "
    "dnp3.al.point_index dnp3.al.range.start dnp3.al.range.stop dnp3.al.range.quantity dnp3.ctl.op dnp3.al.iin.rst "
    "dnp3.al.iin.fcni dnp3.al.iin.obju dnp3.al.iin.pioor dnp3.al.iin.cc dnp3.al.file_name dnp3.al.file.mode "
    "dnp3.al.anaout.int dnp3.al.anaout.float dnp3.al.ctrlstatus"
)
_IEC104: Final = (
    "iec60870_104.type iec60870_104.utype iec60870_asdu.typeid iec60870_asdu.numix iec60870_asdu.causetx "
    "iec60870_asdu.nega iec60870_asdu.test iec60870_asdu.addr iec60870_asdu.ioa iec60870_asdu.sco.on "
    "iec60870_asdu.sco.se iec60870_asdu.dco.on iec60870_asdu.dco.se iec60870_asdu.rco.up iec60870_asdu.rco.se "
    "iec60870_asdu.qos.se iec60870_asdu.float iec60870_asdu.normval iec60870_asdu.scalval iec60870_asdu.cp56time "
    "iec60870_asdu.qrp iec60870_asdu.sq"
)
_S7: Final = (
    "s7comm.header.rosctr s7comm.header.pduref s7comm.header.errcls s7comm.header.errcod s7comm.param.func "
    "s7comm.param.item.area s7comm.param.item.db s7comm.param.item.address s7comm.param.item.length "
    "s7comm.param.userdata.type s7comm.param.userdata.funcgroup s7comm.param.userdata.subfunc "
    "s7comm.param.pistart.servicename s7comm.param.pistart.argument s7comm.data.blockcontrol.block_type "
    "s7comm.data.blockcontrol.block_number s7comm.param.blockcontrol.filename s7comm.data.userdata.szl_id"
)
_CIP: Final = (
    "enip.command enip.status cip.service cip.class cip.instance cip.attribute cip.genstat cip.symbol "
    "cip.pccc.cmd.code cip.pccc.fnc.code_06 cip.pccc.fnc.code_07 cip.pccc.fnc.code_0f"
)
_MMS: Final = (
    "mms.confirmedServiceRequest mms.confirmedServiceResponse mms.unconfirmedService mms.invokeID mms.domainId "
    "mms.itemId mms.confirmed_RequestPDU_element mms.confirmed_ResponsePDU_element mms.confirmed_ErrorPDU_element "
    "mms.unconfirmed_PDU_element mms.rejectPDU_element mms.cancel_RequestPDU mms.cancel_ResponsePDU "
    "mms.cancel_ErrorPDU_element mms.initiate_RequestPDU_element mms.initiate_ResponsePDU_element "
    "mms.initiate_ErrorPDU_element mms.conclude_RequestPDU_element mms.conclude_ResponsePDU_element "
    "mms.conclude_ErrorPDU_element"
)
_OTHERS: Final = (
    "bacapp.type bacapp.confirmed_service bacapp.unconfirmed_service bacapp.objectType bacapp.instance_number "
    "bacapp.property_identifier goose.appid goose.gocbRef goose.stNum goose.sqNum goose.simulation goose.confRev "
    "goose.timeAllowedtoLive pn_dcp.service_id pn_dcp.service_type pn_dcp.option pn_dcp.suboption_ip "
    "pn_dcp.suboption_ip_ip pn_dcp.suboption_device pn_dcp.suboption_control pn_dcp.suboption_device_nameofstation "
    "synphasor.frtype synphasor.command synphasor.idcode_stream_source synphasor.idcode_data_source omron.command "
    "hart_ip.message_type hart_ip.message_id hart_ip.pt.command hart_ip.status cotp.type data.data"
)
COLUMNS: Final[tuple[str, ...]] = tuple(f"{_FRAME} {_MODBUS} {_DNP3} {_IEC104} {_S7} {_CIP} {_MMS} {_OTHERS}".split())
# Of a capture only these packets are asked for, and those at which the capture itself lacks something.
FILTER: Final = (
    "modbus or dnp3 or iec60870_104 or s7comm or enip or cip or mms or bacapp or goose or pn_dcp or synphasor "
    "or omron or hart_ip or (data and (tcp.port == 102 or tcp.port == 502 or tcp.port == 1911 or tcp.port == 4911 "
    "or tcp.port == 9600 or udp.port == 9600)) or tcp.analysis.lost_segment or tcp.analysis.ack_lost_segment"
)


class Row:
    """One packet: its columns by name. `texts` may have been asked without some that the dissector does not know."""

    __slots__ = ("_places", "_texts")

    def __init__(self, places: dict[str, int], texts: list[str]) -> None:
        self._places = places
        self._texts = texts

    def text(self, name: str) -> str:
        """The first value of a column, "" where the packet has none."""
        place = self._places.get(name, -1)
        return self._texts[place].partition(AGGREGATOR)[0] if 0 <= place < len(self._texts) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a column, in the order of the packet."""
        place = self._places.get(name, -1)
        found = self._texts[place] if 0 <= place < len(self._texts) else ""
        return found.split(AGGREGATOR) if found else []

    def number(self, name: str) -> int | None:
        """The first value as a number."""
        return number_of(self.text(name))

    def numbers(self, name: str) -> list[int]:
        """All values that are numbers."""
        return [number for text in self.texts(name) if (number := number_of(text)) is not None]

    def has(self, name: str) -> bool:
        """Whether the packet has the column at all."""
        place = self._places.get(name, -1)
        return 0 <= place < len(self._texts) and bool(self._texts[place])


def number_of(text: str) -> int | None:
    """`0x29`, `41`, and how booleans are printed; None for anything else."""
    if text.isascii() and text.isdigit():
        return int(text[:20])
    if text[:2].lower() == "0x" and len(text) <= 18:
        try:
            return int(text, 16)
        except ValueError:
            return None
    if text[:1] == "-" and text[1:].isascii() and text[1:].isdigit():
        return int(text[:20])
    return {"true": 1, "True": 1, "false": 0, "False": 0}.get(text)


def at(numbers: list[int], index: int) -> int | None:
    """The value at a place; None beyond the end."""
    return numbers[index] if index < len(numbers) else None
