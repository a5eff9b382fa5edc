"""S7comm and S7comm-plus, Siemens' protocols of the S7 controllers; known from public analyses of the traffic."""

from collections.abc import Iterator
from typing import Final

from amagasa.event.ot.columns import Row, number_of
from amagasa.event.ot.message import Kind, Message, Operation, message_between

_JOBS: Final[dict[int, tuple[str, Operation]]] = {
    0x00: ("cpu_services", Operation.DIAGNOSE),
    0x04: ("read_variable", Operation.READ),
    0x05: ("write_variable", Operation.WRITE),
    0x1A: ("request_download", Operation.PROGRAM),
    0x1B: ("download_block", Operation.PROGRAM),
    0x1C: ("download_ended", Operation.PROGRAM),
    0x1D: ("start_upload", Operation.UPLOAD),
    0x1E: ("upload", Operation.UPLOAD),
    0x1F: ("end_upload", Operation.UPLOAD),
    0x28: ("plc_control", Operation.CONFIGURE),
    0x29: ("plc_stop", Operation.STOP),
    0xF0: ("setup_communication", Operation.LINK),
}
# Services which function 0x28 starts by name.
_SERVICES: Final[dict[str, tuple[str, Operation]]] = {
    "P_PROGRAM": ("plc_start", Operation.START),
    "_INSE": ("activate_block", Operation.PROGRAM),
    "_DELE": ("delete_block", Operation.PROGRAM),
    "_MODU": ("copy_ram_to_rom", Operation.CONFIGURE),
    "_GARB": ("compress_memory", Operation.CONFIGURE),
}
# (group, function) of user data.
_USERDATA: Final[dict[tuple[int, int], tuple[str, Operation]]] = {
    (1, 0x10): ("force_variable", Operation.OPERATE),
    (1, 0x09): ("erase_force", Operation.OPERATE),
    (1, 0x0F): ("force_job", Operation.OPERATE),
    (3, 1): ("list_blocks", Operation.IDENTIFY),
    (3, 2): ("list_blocks_of_type", Operation.IDENTIFY),
    (3, 3): ("block_information", Operation.IDENTIFY),
    (4, 1): ("read_szl", Operation.IDENTIFY),
    (4, 2): ("message_service", Operation.OTHER),
    (5, 1): ("password", Operation.ACCESS),
    (7, 1): ("read_clock", Operation.READ),
    (7, 2): ("set_clock", Operation.CLOCK),
    (7, 3): ("read_clock", Operation.READ),
    (7, 4): ("set_clock", Operation.CLOCK),
}
_PLUS: Final[dict[int, tuple[str, Operation]]] = {
    0x04BB: ("explore", Operation.IDENTIFY),
    0x04CA: ("create_object", Operation.ACCESS),
    0x04D4: ("delete_object", Operation.ACCESS),
    0x04F2: ("set_variable", Operation.WRITE),
    0x04FC: ("get_link", Operation.READ),
    0x0542: ("set_multiple_variables", Operation.WRITE),
    0x054C: ("get_multiple_variables", Operation.READ),
    0x0556: ("begin_sequence", Operation.PROGRAM),
    0x0560: ("end_sequence", Operation.PROGRAM),
    0x056B: ("invoke", Operation.OPERATE),
    0x0586: ("get_variable_substreamed", Operation.READ),
}


def s7comm(row: Row, base: Message) -> Iterator[Message]:
    """The message of a packet: jobs (1) and user data of type 4 ask, the others answer."""
    kind = row.number("s7comm.header.rosctr")
    user_type = row.number("s7comm.param.userdata.type")
    is_request = kind == 1 or (kind == 7 and user_type in {4, 12})
    is_push = kind == 7 and user_type == 0
    message = message_between(base, "s7comm", is_request=is_request)
    message.sequence = row.number("s7comm.header.pduref")
    code = row.number("s7comm.param.func")
    if is_push:
        message.kind = Kind.UNSOLICITED
    elif not is_request:
        message.response_to = code
        errors = (row.number("s7comm.header.errcls") or 0, row.number("s7comm.header.errcod") or 0)
        message.status = errors[0] << 8 | errors[1] if any(errors) else None
    elif kind == 7:
        _user_data(message, row)
    elif code is not None:
        _job(message, row, code)
    yield message


def _job(message: Message, row: Row, code: int) -> None:
    name, operation = _JOBS.get(code, (f"job_{code:#04x}", Operation.OTHER))
    message.function = code
    if service := row.text("s7comm.param.pistart.servicename"):
        message.detail = service[:200]
        if code == 0x28:
            name, operation = _SERVICES.get(service.strip("\0 "), (name, operation))
    message.function_name, message.operation = name, operation.value
    if file := row.text("s7comm.param.blockcontrol.filename"):
        message.detail = file[:200]
    areas, blocks = row.numbers("s7comm.param.item.area"), row.numbers("s7comm.param.item.db")
    if areas:
        message.object = f"DB{blocks[0]}" if areas[0] == 0x84 and blocks else f"area_{areas[0]:#04x}"
    message.address, message.count = row.number("s7comm.param.item.address"), row.number("s7comm.param.item.length")


def _user_data(message: Message, row: Row) -> None:
    group = row.number("s7comm.param.userdata.funcgroup") or 0
    sub = row.number("s7comm.param.userdata.subfunc") or 0
    name, operation = _USERDATA.get((group & 0x0F, sub), (f"userdata_{group & 0x0F}_{sub}", Operation.OTHER))
    message.function, message.subfunction = group & 0x0F, sub
    message.function_name, message.operation = name, operation.value
    message.detail = row.text("s7comm.data.userdata.szl_id")


def s7comm_plus(row: Row, base: Message) -> Iterator[Message]:
    """S7comm-plus, which Debian's dissector shows as bytes alone: version, length, opcode, function."""
    data = row.text("data.data")
    if not data.startswith("72") or len(data) < 18 or 102 not in {base.src_port, base.dst_port}:
        return
    opcode, code = number_of(f"0x{data[8:10]}"), number_of(f"0x{data[14:18]}")
    if len(data) >= 82 and opcode not in {0x31, 0x32, 0x33}:
        # Version 3 puts 33 bytes of integrity check before the opcode.
        opcode, code = number_of(f"0x{data[74:76]}"), number_of(f"0x{data[80:84]}")
    if opcode not in {0x31, 0x32, 0x33} or code is None:
        return
    message = message_between(base, "s7comm_plus", is_request=opcode == 0x31)
    if opcode == 0x31:
        name, operation = _PLUS.get(code, (f"function_{code:#06x}", Operation.OTHER))
        message.function, message.function_name, message.operation = code, name, operation.value
    elif opcode == 0x33:
        message.kind = Kind.UNSOLICITED
    else:
        message.response_to = code
    yield message
