"""IEC 60870-5-104: type identifications and causes of transmission of IEC 60870-5-101 (7.2.1, 7.2.3)."""

from collections.abc import Iterator
from math import isfinite
from typing import Final

from amagasa.event.ot.columns import Row, at
from amagasa.event.ot.message import Kind, Message, Operation, message_between

PORTS: Final = frozenset({2404, 19998})
_COMMANDS: Final[dict[int, tuple[str, Operation]]] = {
    45: ("single_command", Operation.OPERATE),
    46: ("double_command", Operation.OPERATE),
    47: ("regulating_step", Operation.OPERATE),
    48: ("set_point_normalised", Operation.OPERATE),
    49: ("set_point_scaled", Operation.OPERATE),
    50: ("set_point_float", Operation.OPERATE),
    51: ("bitstring_command", Operation.OPERATE),
    58: ("single_command_timed", Operation.OPERATE),
    59: ("double_command_timed", Operation.OPERATE),
    60: ("regulating_step_timed", Operation.OPERATE),
    61: ("set_point_normalised_timed", Operation.OPERATE),
    62: ("set_point_scaled_timed", Operation.OPERATE),
    63: ("set_point_float_timed", Operation.OPERATE),
    64: ("bitstring_command_timed", Operation.OPERATE),
    100: ("general_interrogation", Operation.READ),
    101: ("counter_interrogation", Operation.READ),
    102: ("read_command", Operation.READ),
    103: ("clock_synchronisation", Operation.CLOCK),
    104: ("test_command", Operation.DIAGNOSE),
    105: ("reset_process", Operation.RESTART),
    106: ("delay_acquisition", Operation.DIAGNOSE),
    107: ("test_command_timed", Operation.DIAGNOSE),
    110: ("parameter_normalised", Operation.CONFIGURE),
    111: ("parameter_scaled", Operation.CONFIGURE),
    112: ("parameter_float", Operation.CONFIGURE),
    113: ("parameter_activation", Operation.CONFIGURE),
    120: ("file_ready", Operation.FILE),
    121: ("section_ready", Operation.FILE),
    122: ("select_file", Operation.FILE),
    123: ("last_section", Operation.FILE),
    124: ("acknowledge_file", Operation.FILE),
    125: ("file_segment", Operation.FILE),
    126: ("directory", Operation.FILE),
    127: ("query_log", Operation.FILE),
}
_LINKS: Final = {
    1: "startdt_act",
    2: "startdt_con",
    4: "stopdt_act",
    8: "stopdt_con",
    16: "testfr_act",
    32: "testfr_con",
}
ACTIVATION: Final = 6
DEACTIVATION: Final = 8
# Causes with which the controlled station answers or speaks; 5 (requested), 6 and 8 are the master's.
_FROM_MASTER: Final = frozenset({5, 6, 8})
_CONFIRMATIONS: Final = frozenset({7, 9, 10, 44, 45, 46, 47})


def iec104(row: Row, base: Message) -> Iterator[Message]:
    """The messages of a packet, each with its own objects.

    The direction is told by the port of the controlled station and, where both or neither has it, by type and cause:
    an activation (6) or deactivation (8) of a command comes from the master, whoever connected and whatever was missed
    of the connection.
    """
    types = row.numbers("iec60870_asdu.typeid")
    if not types:
        yield from _links(row, base)
        return
    counts, causes = row.numbers("iec60870_asdu.numix"), row.numbers("iec60870_asdu.causetx")
    negatives, units = row.numbers("iec60870_asdu.nega"), row.numbers("iec60870_asdu.addr")
    addresses = row.numbers("iec60870_asdu.ioa")
    selects = [number for name in ("sco", "dco", "rco", "qos") for number in row.numbers(f"iec60870_asdu.{name}.se")]
    used = 0
    for index, code in enumerate(types):
        cause = at(causes, index)
        message = asdu(base, code, cause)
        n_objects = at(counts, index) or 1
        mine = addresses[used : used + n_objects]
        used += n_objects
        message.unit = at(units, index)
        message.address, message.count = (min(mine), max(mine) - min(mine) + 1) if mine else (None, n_objects)
        if message.function is not None and message.operation == Operation.OPERATE and len(types) == 1:
            _command(message, row, is_select=bool(selects and selects[0]))
        if at(negatives, index):
            message.status = 1
        yield message


def asdu(base: Message, code: int, cause: int | None) -> Message:
    """One ASDU of a type and cause, with its direction; without objects."""
    is_command = code in _COMMANDS and not 120 <= code <= 127
    from_master = _is_from_master(base, code, cause)
    message = message_between(base, "iec104", is_request=from_master)
    message.cause, message.object = cause, f"type{code}"
    if not from_master and is_command:
        message.kind, message.response_to = Kind.RESPONSE, code
        return message
    name, operation = _COMMANDS.get(code, (f"monitor_{code}", Operation.OTHER))
    message.kind = Kind.REQUEST if from_master else Kind.UNSOLICITED
    message.function, message.function_name, message.operation = code, name, operation.value
    if cause == DEACTIVATION:
        message.detail = "deactivation"
    return message


def _is_from_master(base: Message, code: int, cause: int | None) -> bool:
    if code in _COMMANDS and cause in _FROM_MASTER and not 120 <= code <= 127:
        return True
    if code in _COMMANDS and cause in _CONFIRMATIONS and not 120 <= code <= 127:
        return False
    return base.dst_port in PORTS and base.src_port not in PORTS


def _command(message: Message, row: Row, *, is_select: bool) -> None:
    if is_select:
        message.operation = Operation.SELECT.value
    for name in ("sco.on", "dco.on", "rco.up", "normval", "scalval", "float"):
        if text := row.text(f"iec60870_asdu.{name}"):
            number = _decimal(text)
            message.value = text[:40] if number is None else number
            return


def _decimal(text: str) -> float | int | None:
    try:
        found = float(text)
    except ValueError:
        return {"True": 1, "False": 0}.get(text)
    if not isfinite(found):
        return None
    return int(found) if found.is_integer() and abs(found) < 1e15 else found


def _links(row: Row, base: Message) -> Iterator[Message]:
    for code in row.numbers("iec60870_104.utype")[:16]:
        from_master = base.dst_port in PORTS
        message = message_between(base, "iec104", is_request=from_master)
        message.kind, message.operation = Kind.LINK, Operation.LINK.value
        message.function_name = _LINKS.get(code, f"u_{code}")
        yield message
