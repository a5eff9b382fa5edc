"""EtherNet/IP with CIP (ODVA volumes 1 and 2), the Logix objects of Rockwell, and PCCC inside of CIP."""

from collections.abc import Iterator
from typing import Final

from amagasa.event.ot.columns import Row, at
from amagasa.event.ot.message import Message, Operation, message_between

_COMMANDS: Final[dict[int, tuple[str, Operation]]] = {
    0x0001: ("list_interfaces", Operation.IDENTIFY),
    0x0004: ("list_services", Operation.IDENTIFY),
    0x0063: ("list_identity", Operation.IDENTIFY),
    0x0064: ("list_interfaces", Operation.IDENTIFY),
    0x0065: ("register_session", Operation.LINK),
    0x0066: ("unregister_session", Operation.LINK),
}
_SERVICES: Final[dict[int, tuple[str, Operation]]] = {
    0x01: ("get_attributes_all", Operation.READ),
    0x02: ("set_attributes_all", Operation.CONFIGURE),
    0x03: ("get_attribute_list", Operation.READ),
    0x04: ("set_attribute_list", Operation.CONFIGURE),
    0x05: ("reset", Operation.RESTART),
    0x06: ("start", Operation.START),
    0x07: ("stop", Operation.STOP),
    0x08: ("create", Operation.CONFIGURE),
    0x09: ("delete", Operation.CONFIGURE),
    0x0A: ("multiple_service", Operation.OTHER),
    0x0D: ("apply_attributes", Operation.CONFIGURE),
    0x0E: ("get_attribute_single", Operation.READ),
    0x10: ("set_attribute_single", Operation.CONFIGURE),
    0x11: ("find_next", Operation.READ),
    0x15: ("restore", Operation.CONFIGURE),
    0x16: ("save", Operation.CONFIGURE),
    0x4B: ("service_4b", Operation.OTHER),
    0x4C: ("read_tag", Operation.READ),
    0x4D: ("write_tag", Operation.WRITE),
    0x4E: ("read_modify_write_tag", Operation.WRITE),
    0x4F: ("service_4f", Operation.OTHER),
    0x52: ("read_tag_fragmented", Operation.READ),
    0x53: ("write_tag_fragmented", Operation.WRITE),
    0x54: ("forward_open", Operation.LINK),
    0x55: ("get_instance_attribute_list", Operation.READ),
    0x5B: ("large_forward_open", Operation.LINK),
}
# What the service means for one class: (class, service).
_OF_CLASS: Final[dict[tuple[int, int], tuple[str, Operation]]] = {
    (0x06, 0x4E): ("forward_close", Operation.LINK),
    (0x06, 0x52): ("unconnected_send", Operation.LINK),
    (0x37, 0x4B): ("initiate_file_upload", Operation.FILE),
    (0x37, 0x4C): ("initiate_file_download", Operation.FILE),
    (0x37, 0x4E): ("clear_file", Operation.FILE),
    (0x67, 0x4B): ("execute_pccc", Operation.OTHER),
    (0x8B, 0x04): ("set_clock", Operation.CLOCK),
    (0x8B, 0x10): ("set_clock", Operation.CLOCK),
    (0x8E, 0x4B): ("lock_controller", Operation.ACCESS),
    (0x8E, 0x4C): ("unlock_controller", Operation.ACCESS),
    (0xA1, 0x4B): ("begin_firmware_update", Operation.PROGRAM),
    (0xA1, 0x4D): ("firmware_block", Operation.PROGRAM),
    (0xA1, 0x4F): ("end_firmware_update", Operation.PROGRAM),
    (0xA1, 0x51): ("end_firmware_update", Operation.PROGRAM),
    (0xF5, 0x10): ("set_network_address", Operation.CONFIGURE),
    (0xF5, 0x02): ("set_network_address", Operation.CONFIGURE),
    (0xF5, 0x04): ("set_network_address", Operation.CONFIGURE),
    # Logix: programs 0x68, routines 0x6D, symbols 0x6B, templates 0x6C, memory 0x6A, tasks 0x70.
    (0x64, 0x4B): ("begin_change", Operation.PROGRAM),
    (0x64, 0x4C): ("begin_change", Operation.PROGRAM),
    (0x68, 0x4F): ("transfer_program", Operation.UPLOAD),
    (0x6A, 0x4F): ("transfer_program", Operation.UPLOAD),
    (0x6D, 0x08): ("create_routine", Operation.PROGRAM),
    (0x68, 0x08): ("create_program", Operation.PROGRAM),
    (0x70, 0x08): ("create_task", Operation.PROGRAM),
    (0x68, 0x09): ("delete_program", Operation.PROGRAM),
}
_PCCC: Final[dict[int, tuple[str, Operation]]] = {
    0x07: ("pccc_disable_forces", Operation.CONFIGURE),
    0x3A: ("pccc_set_cpu_mode", Operation.STOP),
    0x80: ("pccc_change_mode", Operation.STOP),
    0x50: ("pccc_download_all", Operation.PROGRAM),
    0x52: ("pccc_download_completed", Operation.PROGRAM),
    0x53: ("pccc_upload_all", Operation.UPLOAD),
    0x57: ("pccc_initialise_memory", Operation.PROGRAM),
    0xA2: ("pccc_protected_read", Operation.READ),
    0xAA: ("pccc_protected_write", Operation.WRITE),
    0xAB: ("pccc_masked_write", Operation.WRITE),
}


def cip(row: Row, base: Message) -> Iterator[Message]:
    """The messages of a packet; each service of a multiple service packet is one of its own."""
    services = row.numbers("cip.service")
    if not services:
        yield from _encapsulation(row, base)
        return
    classes, instances = row.numbers("cip.class"), row.numbers("cip.instance")
    attributes, symbols = row.numbers("cip.attribute"), row.texts("cip.symbol")
    # A connected message names the connection's own path first; the paths of the services come last.
    shift = max(0, len(classes) - len(services))
    status = row.number("cip.genstat")
    for index, service in enumerate(services[:128]):
        is_request = service < 0x80
        message = message_between(base, "cip", is_request=is_request)
        if not is_request:
            message.response_to, message.status = service & 0x7F, status or None
            yield message
            continue
        klass = at(classes, index if len(services) == 1 else index + shift)
        name, operation = _meaning(klass, service, classes if len(services) == 1 else [])
        if name == "execute_pccc" and (code := _pccc(row)) is not None:
            name, operation = _PCCC.get(code, (f"pccc_{code:#04x}", Operation.OTHER))
        message.function, message.function_name, message.operation = service, name, operation.value
        message.object = (
            symbols[0][:120] if symbols and len(services) == 1 else "" if klass is None else f"{klass:#04x}"
        )
        message.address = at(instances, index if len(services) == 1 else index + shift)
        if len(services) == 1 and attributes:
            message.subfunction = attributes[0]
        yield message


def _meaning(klass: int | None, service: int, path: list[int]) -> tuple[str, Operation]:
    """Of one service; where its path names several classes, the one that gives it a meaning of its own."""
    for one in (*([klass] if klass is not None else []), *path):
        if (found := _OF_CLASS.get((one, service))) is not None:
            return found
    return _SERVICES.get(service, (f"service_{service:#04x}", Operation.OTHER))


def _pccc(row: Row) -> int | None:
    for name in ("cip.pccc.fnc.code_0f", "cip.pccc.fnc.code_06", "cip.pccc.fnc.code_07"):
        if (code := row.number(name)) is not None:
            return code
    return None


def _encapsulation(row: Row, base: Message) -> Iterator[Message]:
    for code in row.numbers("enip.command")[:32]:
        if code not in _COMMANDS:
            continue
        is_request = base.src_port != 44818 or base.dst_port == 44818
        message = message_between(base, "enip", is_request=is_request)
        if is_request:
            name, operation = _COMMANDS[code]
            message.function, message.function_name, message.operation = code, name, operation.value
        else:
            message.response_to, message.status = code, row.number("enip.status") or None
        yield message
