"""What sensors log of industrial protocols (Suricata's EVE, Zeek) -> the same fields as the messages of captures.

Sources: Suricata's documentation of EVE, Zeek's of `modbus.log` and `dnp3.log`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from amagasa.event.ot import dnp3, modbus
from amagasa.event.ot.message import Kind, Message
from amagasa.event.stamps import from_value

_Record = Mapping[str, Any]


def sensor_fields(route: str, record: _Record) -> dict[str, Any]:
    """The fields of the message in a sensor's record, by our names; {} where it says none."""
    message = sensor_message(route, record)
    return {} if message is None else msgspec.to_builtins(message)


def sensor_message(route: str, record: _Record) -> Message | None:
    """The request that a record speaks of, or a response that stands alone."""
    read = SENSORS.get(route)
    return None if read is None else read(record)


def _modbus(record: _Record) -> Message | None:
    request = _inner(record, "modbus", "request")
    message = _base(record, "modbus")
    code = _number(request.get("function_raw"))
    if code is None:
        # Suricata names the codes it knows; of a response alone it takes either side for the server.
        code = _MODBUS_NAMES.get(str(request.get("function_code")))
    if code is None:
        return None
    message.unit, message.sequence = _number(request.get("unit_id")), _number(request.get("transaction_id"))
    modbus.describe(message, code)
    if (sub := _number(_inner(request, "diagnostic").get("raw"))) is not None:
        modbus.set_diagnostic(message, sub)
    place = next((_inner(request, key) for key in ("write", "read") if key in request), {})
    message.address, message.value = _number(place.get("address")), _number(place.get("data"))
    message.count = _number(place.get("quantity"))
    return message


_MODBUS_NAMES: Final = {
    "RdCoils": 1,
    "RdDiscreteInputs": 2,
    "RdHoldRegs": 3,
    "RdInputRegs": 4,
    "WrSingleCoil": 5,
    "WrSingleReg": 6,
    "RdExcStatus": 7,
    "Diagnostic": 8,
    "WrMultCoils": 15,
    "WrMultRegs": 16,
    "ReportServerID": 17,
    "RdFileRec": 20,
    "WrFileRec": 21,
    "MaskWrReg": 22,
    "RdWrMultRegs": 23,
    "RdFIFOQueue": 24,
    "MEI": 43,
}


def _dnp3(record: _Record) -> Message | None:
    said = _inner(record, "dnp3")
    application = _inner(said, "application")
    code = _number(application.get("function_code"))
    if code is None:
        return None
    message = _base(record, "dnp3", is_turned=code >= 129)
    message.unit = _number(said.get("src" if code >= 129 else "dst"))
    message.sequence = _number(_inner(application, "control").get("sequence"))
    dnp3.describe(message, code)
    objects = application.get("objects")
    pairs = [
        (group, variation)
        for one in (objects[:64] if isinstance(objects, list) else [])
        if isinstance(one, dict)
        and (group := _number(one.get("group"))) is not None
        and (variation := _number(one.get("variation"))) is not None
    ]
    dnp3.set_objects(message, pairs)
    return message


def _base(record: _Record, protocol: str, *, is_turned: bool = False) -> Message:
    """Suricata names the client as the source of a transaction; of a DNP3 response too."""
    source, target = _text(record.get("src_ip")), _text(record.get("dest_ip"))
    return Message(
        ot=protocol,
        timestamp=_text(record.get("timestamp")),
        src_ip=source,
        src_port=_number(record.get("src_port")) or 0,
        dst_ip=target,
        dst_port=_number(record.get("dest_port")) or 0,
        kind=Kind.RESPONSE if is_turned else Kind.REQUEST,
        master=source,
        outstation=target,
    )


def _inner(record: _Record, *path: str) -> _Record:
    found: Any = record
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_ZEEK_MODBUS: Final = {name.upper(): code for code, (name, _, _) in modbus.FUNCTIONS.items()} | {
    "REPORT_SLAVE_ID": 17,
    "ENCAP_INTERFACE_TRANSPORT": 43,
}
# By number, from 0.
_ZEEK_DNP3: Final = (
    *("CONFIRM", "READ", "WRITE", "SELECT", "OPERATE", "DIRECT_OPERATE", "DIRECT_OPERATE_NR", "IMMED_FREEZE"),
    *("IMMED_FREEZE_NR", "FREEZE_CLEAR", "FREEZE_CLEAR_NR", "FREEZE_AT_TIME", "FREEZE_AT_TIME_NR", "COLD_RESTART"),
    *("WARM_RESTART", "INITIALIZE_DATA", "INITIALIZE_APPL", "START_APPL", "STOP_APPL", "SAVE_CONFIG"),
    *("ENABLE_UNSOLICITED", "DISABLE_UNSOLICITED", "ASSIGN_CLASS", "DELAY_MEASURE", "RECORD_CURRENT_TIME"),
    *("OPEN_FILE", "CLOSE_FILE", "DELETE_FILE", "GET_FILE_INFO", "AUTHENTICATE_FILE", "ABORT_FILE"),
    *("ACTIVATE_CONFIG", "AUTHENTICATE_REQ", "AUTHENTICATE_ERR"),
)


def _zeek_modbus(record: _Record) -> Message | None:
    code = _ZEEK_MODBUS.get(_text(record.get("func")).upper())
    if code is None or _text(record.get("pdu_type")) == "RESP":
        return None
    message = _zeek_base(record, "modbus")
    modbus.describe(message, code)
    message.unit, message.sequence = _number(record.get("unit")), _number(record.get("tid"))
    return message


def _zeek_dnp3(record: _Record) -> Message | None:
    name = _text(record.get("fc_request")).upper()
    if name not in _ZEEK_DNP3:
        return None
    message = _zeek_base(record, "dnp3")
    dnp3.describe(message, _ZEEK_DNP3.index(name))
    return message


def _zeek_base(record: _Record, protocol: str) -> Message:
    """Zeek names the originator of the connection, which asks; times are seconds or text."""
    stamp = from_value(record.get("ts"))
    source = _text(record.get("id.orig_h", record.get("id_orig_h")))
    target = _text(record.get("id.resp_h", record.get("id_resp_h")))
    return Message(
        ot=protocol,
        kind=Kind.REQUEST,
        timestamp="" if stamp is None else stamp.isoformat(),
        src_ip=source,
        dst_ip=target,
        master=source,
        outstation=target,
    )


SENSORS: Final[dict[str, Callable[[_Record], Message | None]]] = {
    "suricata/modbus": _modbus,
    "suricata/dnp3": _dnp3,
    "zeek/modbus": _zeek_modbus,
    "zeek/dnp3": _zeek_dnp3,
}
