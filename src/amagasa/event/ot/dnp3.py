"""DNP3 (IEEE 1815-2012): functions of the application layer and of the link layer."""

from collections.abc import Iterator
from typing import Final

from amagasa.event.ot.columns import Row, number_of
from amagasa.event.ot.message import Kind, Message, Operation, message_between

FUNCTIONS: Final[dict[int, tuple[str, Operation]]] = {
    0: ("confirm", Operation.LINK),
    1: ("read", Operation.READ),
    2: ("write", Operation.WRITE),
    3: ("select", Operation.SELECT),
    4: ("operate", Operation.OPERATE),
    5: ("direct_operate", Operation.OPERATE),
    6: ("direct_operate_no_response", Operation.OPERATE),
    7: ("immediate_freeze", Operation.CONFIGURE),
    8: ("immediate_freeze_no_response", Operation.CONFIGURE),
    9: ("freeze_clear", Operation.CONFIGURE),
    10: ("freeze_clear_no_response", Operation.CONFIGURE),
    11: ("freeze_at_time", Operation.CONFIGURE),
    12: ("freeze_at_time_no_response", Operation.CONFIGURE),
    13: ("cold_restart", Operation.RESTART),
    14: ("warm_restart", Operation.RESTART),
    15: ("initialise_data", Operation.CONFIGURE),
    16: ("initialise_application", Operation.CONFIGURE),
    17: ("start_application", Operation.START),
    18: ("stop_application", Operation.STOP),
    19: ("save_configuration", Operation.CONFIGURE),
    20: ("enable_unsolicited", Operation.CONFIGURE),
    21: ("disable_unsolicited", Operation.SILENCE),
    22: ("assign_class", Operation.CONFIGURE),
    23: ("delay_measurement", Operation.DIAGNOSE),
    24: ("record_current_time", Operation.CLOCK),
    25: ("open_file", Operation.FILE),
    26: ("close_file", Operation.FILE),
    27: ("delete_file", Operation.FILE),
    28: ("get_file_information", Operation.FILE),
    29: ("authenticate_file", Operation.FILE),
    30: ("abort_file", Operation.FILE),
    31: ("activate_configuration", Operation.CONFIGURE),
    32: ("authentication_request", Operation.ACCESS),
    33: ("authentication_request_no_response", Operation.ACCESS),
}
_RESPONSES: Final = {129: "response", 130: "unsolicited_response", 131: "authentication_response"}
_REFUSALS: Final = ("dnp3.al.iin.fcni", "dnp3.al.iin.obju", "dnp3.al.iin.pioor")
_OPERATIONS: Final = {0: "nul", 1: "pulse_on", 2: "pulse_off", 3: "latch_on", 4: "latch_off"}


def dnp3(row: Row, base: Message) -> Iterator[Message]:
    """The messages of a packet. The direction is the DIR bit of the link layer (IEEE 1815 section 9.2.4.1.3.1)."""
    functions = row.numbers("dnp3.al.func")
    directions = row.numbers("dnp3.ctl.dir")
    if not functions:
        yield _link(row, base, is_master=bool(directions and directions[0]))
        return
    for code in functions[:64]:
        message = _blank(row, base, is_master=code < 129)
        describe(message, code)
        _objects(message, row)
        if message.kind is Kind.RESPONSE and any(row.number(name) for name in _REFUSALS):
            message.status = next(n for n, name in enumerate(_REFUSALS, start=1) if row.number(name))
        if row.number("dnp3.al.iin.rst"):
            message.detail = "device_restarted"
        yield message


def describe(message: Message, code: int) -> None:
    """Kind, name and operation of a function code of the application layer."""
    if code >= 129:
        message.kind = Kind.UNSOLICITED if code == 130 else Kind.RESPONSE
        message.response_to = None
        message.function_name = _RESPONSES.get(code, f"function_{code}") if code == 130 else ""
        message.function = code if code == 130 else None
        return
    name, operation = FUNCTIONS.get(code, (f"function_{code}", Operation.OTHER))
    message.function, message.function_name, message.operation = code, name, operation.value


def set_objects(message: Message, objects: list[tuple[int, int]]) -> None:
    """Group and variation of each object header; a write of the clock is told from other writes."""
    message.objects = list(dict.fromkeys(f"g{group}v{variation}" for group, variation in objects))[:32]
    message.object = message.objects[0] if message.objects else ""
    if message.function == 2 and any(group == 50 for group, _ in objects):
        message.operation = Operation.CLOCK.value
    elif message.function == 2 and objects and all(group == 80 for group, _ in objects):
        message.operation = Operation.CONFIGURE.value


def _objects(message: Message, row: Row) -> None:
    numbers = row.numbers("dnp3.al.obj")
    set_objects(message, [(number >> 8, number & 0xFF) for number in numbers[:64]])
    points = row.numbers("dnp3.al.point_index") or row.numbers("dnp3.al.range.start")
    if points:
        stops = row.numbers("dnp3.al.range.stop")
        message.address = min(points)
        message.count = max(*points, *stops, message.address) - message.address + 1
    if message.function in {3, 4, 5, 6}:
        operation = row.number("dnp3.ctl.op")
        setting = row.text("dnp3.al.anaout.int") or row.text("dnp3.al.anaout.float")
        message.value = number_of(setting) if setting else None
        if operation is not None:
            message.detail = _OPERATIONS.get(operation & 0x0F, f"operation_{operation}")
    if name := row.text("dnp3.al.file_name"):
        message.detail = name[:200]
    if message.function == 25:
        message.subfunction = {0: "delete", 1: "read", 2: "write", 3: "append"}.get(
            row.number("dnp3.al.file.mode") or 0
        )


def _blank(row: Row, base: Message, *, is_master: bool) -> Message:
    message = message_between(base, "dnp3", is_request=is_master)
    message.unit = row.number("dnp3.dst" if is_master else "dnp3.src")
    message.sequence = row.number("dnp3.al.seq")
    return message


def _link(row: Row, base: Message, *, is_master: bool) -> Message:
    message = _blank(row, base, is_master=is_master)
    message.kind, message.operation = Kind.LINK, Operation.LINK.value
    message.function = row.number("dnp3.ctl.prifunc")
    message.function_name = {0: "reset_link", 1: "reset_user_process", 9: "request_link_status"}.get(
        -1 if message.function is None else message.function, "link"
    )
    return message
