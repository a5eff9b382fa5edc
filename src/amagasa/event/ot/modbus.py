"""Modbus/TCP. Sources: MODBUS Application Protocol Specification V1.1b3, Messaging on TCP/IP V1.0b."""

from collections.abc import Iterator
from typing import Final

from amagasa.event.ot.columns import Row, at, number_of
from amagasa.event.ot.message import Message, Operation, message_between

PORTS: Final = frozenset({502, 802})
FUNCTIONS: Final[dict[int, tuple[str, Operation, str]]] = {
    1: ("read_coils", Operation.READ, "coil"),
    2: ("read_discrete_inputs", Operation.READ, "discrete_input"),
    3: ("read_holding_registers", Operation.READ, "holding_register"),
    4: ("read_input_registers", Operation.READ, "input_register"),
    5: ("write_single_coil", Operation.WRITE, "coil"),
    6: ("write_single_register", Operation.WRITE, "holding_register"),
    7: ("read_exception_status", Operation.DIAGNOSE, ""),
    8: ("diagnostics", Operation.DIAGNOSE, ""),
    11: ("get_comm_event_counter", Operation.DIAGNOSE, ""),
    12: ("get_comm_event_log", Operation.DIAGNOSE, ""),
    15: ("write_multiple_coils", Operation.WRITE, "coil"),
    16: ("write_multiple_registers", Operation.WRITE, "holding_register"),
    17: ("report_server_id", Operation.IDENTIFY, ""),
    20: ("read_file_record", Operation.FILE, "file"),
    21: ("write_file_record", Operation.FILE, "file"),
    22: ("mask_write_register", Operation.WRITE, "holding_register"),
    23: ("read_write_multiple_registers", Operation.WRITE, "holding_register"),
    24: ("read_fifo_queue", Operation.READ, "fifo"),
    43: ("encapsulated_interface", Operation.IDENTIFY, ""),
    90: ("umas", Operation.PROGRAM, ""),
    125: ("firmware_replacement", Operation.PROGRAM, ""),
    126: ("program", Operation.PROGRAM, ""),
}
DIAGNOSTICS: Final[dict[int, str]] = {
    0: "return_query_data",
    1: "restart_communications",
    2: "return_diagnostic_register",
    3: "change_ascii_delimiter",
    4: "force_listen_only",
    10: "clear_counters",
    11: "return_bus_message_count",
    12: "return_bus_error_count",
    13: "return_bus_exception_count",
    14: "return_server_message_count",
    15: "return_server_no_response_count",
    16: "return_server_nak_count",
    17: "return_server_busy_count",
    18: "return_overrun_count",
    20: "clear_overrun_counter",
}
_DIAGNOSTIC_OPERATIONS: Final = {1: Operation.RESTART, 4: Operation.SILENCE, 10: Operation.CONFIGURE}
# UMAS is Schneider's protocol of the engineering station; its numbers are known from public analyses alone.
UMAS: Final[dict[int, tuple[str, Operation]]] = {
    0x01: ("init_communication", Operation.ACCESS),
    0x02: ("read_id", Operation.IDENTIFY),
    0x03: ("read_project_info", Operation.IDENTIFY),
    0x04: ("read_plc_info", Operation.IDENTIFY),
    0x06: ("read_card_info", Operation.IDENTIFY),
    0x0A: ("repeat", Operation.DIAGNOSE),
    0x10: ("take_reservation", Operation.ACCESS),
    0x11: ("release_reservation", Operation.ACCESS),
    0x12: ("keep_alive", Operation.LINK),
    0x20: ("read_memory_block", Operation.UPLOAD),
    0x21: ("write_memory_block", Operation.PROGRAM),
    0x22: ("read_variables", Operation.READ),
    0x23: ("write_variables", Operation.WRITE),
    0x24: ("read_coils_registers", Operation.READ),
    0x25: ("write_coils_registers", Operation.WRITE),
    0x30: ("initialise_upload", Operation.UPLOAD),
    0x31: ("upload_block", Operation.UPLOAD),
    0x32: ("end_upload", Operation.UPLOAD),
    0x33: ("initialise_download", Operation.PROGRAM),
    0x34: ("download_block", Operation.PROGRAM),
    0x35: ("end_download", Operation.PROGRAM),
    0x39: ("read_ethernet_master_data", Operation.READ),
    0x40: ("start_plc", Operation.START),
    0x41: ("stop_plc", Operation.STOP),
    0x50: ("monitor_plc", Operation.READ),
    0x58: ("check_plc", Operation.DIAGNOSE),
    0x70: ("read_io_object", Operation.READ),
    0x71: ("write_io_object", Operation.WRITE),
    0x73: ("get_status_module", Operation.DIAGNOSE),
}
_ADDRESSED: Final = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 22, 24})
_COUNTED_WORDS: Final = frozenset({3, 4, 16})
_COUNTED_BITS: Final = frozenset({1, 2, 15})


class _Taken:
    """The columns of a packet with several messages, dealt out in their order to those that have them."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._left: dict[str, list[int]] = {}

    def next(self, name: str) -> int | None:
        left = self._left.get(name)
        if left is None:
            left = self._left[name] = self._row.numbers(name)[::-1]
        return left.pop() if left else None


def modbus(row: Row, base: Message) -> Iterator[Message]:
    """The messages of a packet; who asks is told by the port of the server, not by who connected."""
    codes = row.numbers("modbus.func_code")
    ids, units = row.numbers("mbtcp.trans_id"), row.numbers("mbtcp.unit_id")
    exceptions, data = row.numbers("modbus.exception_code"), row.texts("modbus.data")
    is_request = base.dst_port in PORTS or base.src_port not in PORTS
    taken = _Taken(row)
    for index, code in enumerate(codes):
        message = message_between(base, "modbus", is_request=is_request)
        message.unit, message.sequence = at(units, index), at(ids, index)
        if not is_request:
            message.response_to = code & 0x7F
            if len(exceptions) == len(codes):
                message.status = exceptions[index]
            elif exceptions and index == len(codes) - 1:
                message.status = exceptions[-1]
            yield message
            continue
        describe(message, code)
        _place(message, code, taken)
        _diagnose(message, code, taken.next("modbus.diagnostic_code") if code == 8 else None)
        if code == 90:
            _umas(message, data[min(index, len(data) - 1)] if data else "")
        yield message


def describe(message: Message, code: int) -> None:
    """Name and operation of a function code; codes that the standard does not give are `function_N`."""
    name, operation, what = FUNCTIONS.get(code, (f"function_{code}", Operation.OTHER, ""))
    message.function, message.function_name, message.operation, message.object = code, name, operation.value, what


def _place(message: Message, code: int, taken: _Taken) -> None:
    if code in _ADDRESSED:
        message.address = taken.next("modbus.reference_num")
    elif code == 23:
        taken.next("modbus.read_reference_num")
        message.address = taken.next("modbus.write_reference_num")
    if code in _COUNTED_WORDS:
        message.count = taken.next("modbus.word_cnt")
    elif code in _COUNTED_BITS:
        message.count = taken.next("modbus.bit_cnt")
    elif code in {5, 6, 22}:
        message.count = 1
    if code == 6:
        message.value = taken.next("modbus.regval_uint16")
    elif code == 43:
        message.subfunction = taken.next("modbus.mei")
        if message.subfunction == 13:  # CANopen, not an identification
            message.operation = Operation.OTHER.value


def _diagnose(message: Message, code: int, sub: int | None) -> None:
    if code != 8 or sub is None:
        return
    set_diagnostic(message, sub)


def set_diagnostic(message: Message, sub: int) -> None:
    """The sub-function of function 8, with what it would do."""
    message.subfunction = sub
    message.detail = DIAGNOSTICS.get(sub, f"diagnostic_{sub}")
    message.operation = _DIAGNOSTIC_OPERATIONS.get(sub, Operation.DIAGNOSE).value


def _umas(message: Message, data: str) -> None:
    """`data` is the hexadecimal text after the function: a session, then the function of UMAS."""
    sub = number_of(f"0x{data[2:4]}") if len(data) >= 4 else None
    if sub is None:
        return
    name, operation = UMAS.get(sub, (f"umas_{sub:#04x}", Operation.OTHER))
    message.subfunction, message.detail, message.operation = sub, name, operation.value
