"""MMS and GOOSE (IEC 61850), BACnet, PROFINET DCP, synchrophasors (IEEE C37.118), FINS, HART-IP, Fox."""

from collections.abc import Iterator
from typing import Final

from amagasa.event.ot.columns import Row
from amagasa.event.ot.message import Kind, Message, Operation, message_between

MMS_SERVICES: Final[dict[int, tuple[str, Operation]]] = {
    0: ("status", Operation.DIAGNOSE),
    1: ("get_name_list", Operation.IDENTIFY),
    2: ("identify", Operation.IDENTIFY),
    3: ("rename", Operation.CONFIGURE),
    4: ("read", Operation.READ),
    5: ("write", Operation.WRITE),
    6: ("get_variable_access_attributes", Operation.IDENTIFY),
    7: ("define_named_variable", Operation.CONFIGURE),
    10: ("delete_variable_access", Operation.CONFIGURE),
    11: ("define_named_variable_list", Operation.CONFIGURE),
    12: ("get_named_variable_list_attributes", Operation.IDENTIFY),
    13: ("delete_named_variable_list", Operation.CONFIGURE),
    19: ("take_control", Operation.ACCESS),
    20: ("relinquish_control", Operation.ACCESS),
    26: ("initiate_download_sequence", Operation.PROGRAM),
    27: ("download_segment", Operation.PROGRAM),
    28: ("terminate_download_sequence", Operation.PROGRAM),
    29: ("initiate_upload_sequence", Operation.UPLOAD),
    30: ("upload_segment", Operation.UPLOAD),
    31: ("terminate_upload_sequence", Operation.UPLOAD),
    32: ("request_domain_download", Operation.PROGRAM),
    33: ("request_domain_upload", Operation.UPLOAD),
    34: ("load_domain_content", Operation.PROGRAM),
    35: ("store_domain_content", Operation.PROGRAM),
    36: ("delete_domain", Operation.PROGRAM),
    38: ("create_program_invocation", Operation.PROGRAM),
    39: ("delete_program_invocation", Operation.PROGRAM),
    40: ("start", Operation.START),
    41: ("stop", Operation.STOP),
    42: ("resume", Operation.START),
    43: ("reset", Operation.RESTART),
    44: ("kill", Operation.STOP),
    46: ("obtain_file", Operation.FILE),
    72: ("file_open", Operation.FILE),
    73: ("file_read", Operation.FILE),
    74: ("file_close", Operation.FILE),
    75: ("file_rename", Operation.FILE),
    76: ("file_delete", Operation.FILE),
    77: ("file_directory", Operation.FILE),
}
MMS_PORT: Final = 102
_MMS_PDUS: Final = (
    ("mms.initiate_RequestPDU_element", "initiate", Kind.LINK, True),
    ("mms.initiate_ErrorPDU_element", "initiate_error", Kind.LINK, False),
    ("mms.initiate_ResponsePDU_element", "initiate_response", Kind.LINK, False),
    ("mms.conclude_RequestPDU_element", "conclude", Kind.LINK, True),
    ("mms.conclude_ErrorPDU_element", "conclude_error", Kind.LINK, False),
    ("mms.conclude_ResponsePDU_element", "conclude_response", Kind.LINK, False),
    ("mms.cancel_RequestPDU", "cancel", Kind.REQUEST, True),
    ("mms.cancel_ErrorPDU_element", "cancel_error", Kind.RESPONSE, False),
    ("mms.cancel_ResponsePDU", "cancel_response", Kind.RESPONSE, False),
    ("mms.rejectPDU_element", "reject", Kind.RESPONSE, False),
    ("mms.confirmed_ErrorPDU_element", "error", Kind.RESPONSE, False),
)
_BACNET: Final[dict[int, tuple[str, Operation]]] = {
    5: ("subscribe_cov", Operation.OTHER),
    6: ("atomic_read_file", Operation.FILE),
    7: ("atomic_write_file", Operation.FILE),
    8: ("add_list_element", Operation.CONFIGURE),
    9: ("remove_list_element", Operation.CONFIGURE),
    10: ("create_object", Operation.CONFIGURE),
    11: ("delete_object", Operation.CONFIGURE),
    12: ("read_property", Operation.READ),
    14: ("read_property_multiple", Operation.READ),
    15: ("write_property", Operation.WRITE),
    16: ("write_property_multiple", Operation.WRITE),
    17: ("device_communication_control", Operation.SILENCE),
    20: ("reinitialize_device", Operation.RESTART),
    26: ("read_range", Operation.READ),
}
_BACNET_OPEN: Final[dict[int, tuple[str, Operation]]] = {
    0: ("i_am", Operation.OTHER),
    1: ("i_have", Operation.OTHER),
    2: ("cov_notification", Operation.OTHER),
    6: ("time_synchronization", Operation.CLOCK),
    7: ("who_has", Operation.IDENTIFY),
    8: ("who_is", Operation.IDENTIFY),
    9: ("utc_time_synchronization", Operation.CLOCK),
}
_SYNPHASOR: Final[dict[int, tuple[str, Operation]]] = {
    1: ("turn_off_transmission", Operation.SILENCE),
    2: ("turn_on_transmission", Operation.LINK),
    3: ("send_header", Operation.IDENTIFY),
    4: ("send_configuration_1", Operation.READ),
    5: ("send_configuration_2", Operation.READ),
    8: ("extended_frame", Operation.OTHER),
}
_FINS: Final[dict[int, tuple[str, Operation]]] = {
    0x0101: ("memory_read", Operation.READ),
    0x0102: ("memory_write", Operation.WRITE),
    0x0103: ("memory_fill", Operation.WRITE),
    0x0306: ("program_read", Operation.UPLOAD),
    0x0307: ("program_write", Operation.PROGRAM),
    0x0308: ("program_clear", Operation.PROGRAM),
    0x0401: ("run", Operation.START),
    0x0402: ("stop", Operation.STOP),
    0x0501: ("controller_data_read", Operation.IDENTIFY),
    0x0601: ("controller_status_read", Operation.DIAGNOSE),
    0x0702: ("clock_write", Operation.CLOCK),
    0x2301: ("forced_set_reset", Operation.OPERATE),
}


def mms(row: Row, base: Message) -> Iterator[Message]:
    """The message of a packet: a service asked for or answered, a report, or what keeps the association."""
    message = message_between(base, "mms", is_request=base.dst_port == MMS_PORT)
    message.sequence = row.number("mms.invokeID")
    message.object = "/".join(part for part in (row.text("mms.domainId"), row.text("mms.itemId")) if part)[:200]
    code = row.number("mms.confirmedServiceRequest")
    answered = row.number("mms.confirmedServiceResponse")
    if code is not None:
        message.kind = Kind.REQUEST
        set_service(message, code)
    elif answered is not None:
        message.kind, message.response_to = Kind.RESPONSE, answered
    elif row.has("mms.unconfirmedService"):
        message.kind, message.function = Kind.UNSOLICITED, row.number("mms.unconfirmedService")
        message.function_name, message.operation = "report", Operation.OTHER.value
    else:
        for name, said, kind, is_asking in _MMS_PDUS:
            if row.has(name):
                message.kind, message.function_name = kind, said
                message.operation = Operation.LINK.value if is_asking else ""
                break
        else:
            return
    yield message


def set_service(message: Message, code: int) -> None:
    """Name and operation of a confirmed service of MMS (ISO 9506-2)."""
    name, operation = MMS_SERVICES.get(code, (f"service_{code}", Operation.OTHER))
    message.function, message.function_name, message.operation = code, name, operation.value


def goose(row: Row, base: Message) -> Iterator[Message]:
    """A publication: state number in `value`, sequence number in `sequence`."""
    message = message_between(base, "goose", is_request=True)
    message.kind, message.function_name, message.operation = Kind.PUBLISH, "publish", Operation.OTHER.value
    message.object, message.unit = row.text("goose.gocbRef")[:200], row.number("goose.appid")
    message.value, message.sequence = row.number("goose.stNum"), row.number("goose.sqNum")
    message.subfunction = row.number("goose.confRev")
    if row.number("goose.simulation"):
        message.detail = "simulation"
    message.outstation, message.master = message.src_ip, ""
    yield message


def bacnet(row: Row, base: Message) -> Iterator[Message]:
    """The service of a packet (ASHRAE 135, clause 21)."""
    kind = row.number("bacapp.type")
    message = message_between(base, "bacnet", is_request=kind in {0, 1})
    if kind == 0 and (code := row.number("bacapp.confirmed_service")) is not None:
        name, operation = _BACNET.get(code, (f"service_{code}", Operation.OTHER))
        message.function, message.function_name, message.operation = code, name, operation.value
    elif kind == 1 and (code := row.number("bacapp.unconfirmed_service")) is not None:
        name, operation = _BACNET_OPEN.get(code, (f"unconfirmed_{code}", Operation.OTHER))
        message.function, message.function_name, message.operation = code, name, operation.value
    elif kind is not None:
        message.response_to = row.number("bacapp.confirmed_service")
        message.status = kind if kind >= 5 else None
    kinds, places = row.numbers("bacapp.objectType"), row.numbers("bacapp.instance_number")
    if kinds and places:
        message.object, message.address = f"type{kinds[0]}", places[0]
    message.subfunction = row.number("bacapp.property_identifier")
    yield message


def pn_dcp(row: Row, base: Message) -> Iterator[Message]:
    """PROFINET's discovery and set-up of stations (IEC 61158-6-10)."""
    service, kind = row.number("pn_dcp.service_id"), row.number("pn_dcp.service_type")
    message = message_between(base, "profinet_dcp", is_request=kind == 0)
    options = row.numbers("pn_dcp.option")
    if kind == 0:
        message.function, message.object = service, f"option{options[0]}" if options else ""
        if service == 4:
            is_ip = row.has("pn_dcp.suboption_ip_ip") or 1 in options
            message.function_name = "set_address" if is_ip else "set_name" if 2 in options else "set_control"
            message.operation = Operation.CONFIGURE.value
            message.detail = row.text("pn_dcp.suboption_ip_ip") or row.text("pn_dcp.suboption_device_nameofstation")
        else:
            message.function_name = {3: "get", 5: "identify"}.get(service or 0, f"service_{service}")
            message.operation = Operation.IDENTIFY.value
    yield message


def synphasor(row: Row, base: Message) -> Iterator[Message]:
    """A command to a phasor measurement unit, or its frames."""
    message = message_between(base, "synphasor", is_request=True)
    message.unit = row.number("synphasor.idcode_stream_source")
    code = row.number("synphasor.command")
    if code is None:
        message.kind, message.function = Kind.PUBLISH, row.number("synphasor.frtype")
        message.function_name = {0: "data", 1: "header", 2: "configuration_1", 3: "configuration_2"}.get(
            message.function or 0, "frame"
        )
        message.operation, message.outstation, message.master = Operation.OTHER.value, base.src_ip, base.dst_ip
    else:
        name, operation = _SYNPHASOR.get(code, (f"command_{code}", Operation.OTHER))
        message.function, message.function_name, message.operation = code, name, operation.value
    yield message


def fins(row: Row, base: Message) -> Iterator[Message]:
    """Omron's FINS."""
    code = row.number("omron.command")
    if code is None:
        return
    message = message_between(base, "fins", is_request=base.dst_port == 9600)
    if message.kind is Kind.REQUEST:
        name, operation = _FINS.get(code, (f"command_{code:#06x}", Operation.OTHER))
        message.function, message.function_name, message.operation = code, name, operation.value
    else:
        message.response_to = code
    yield message


def hart(row: Row, base: Message) -> Iterator[Message]:
    """HART-IP: the pass-through commands of HART."""
    message = message_between(base, "hart_ip", is_request=row.number("hart_ip.message_type") == 0)
    code = row.number("hart_ip.pt.command")
    if message.kind is Kind.REQUEST:
        message.function, message.function_name = code, f"command_{code}" if code is not None else "session"
        is_write = code is not None and (code in {6, 17, 18, 19, 34, 35, 38, 42, 44} or 79 <= code <= 83)
        message.operation = (Operation.CONFIGURE if is_write else Operation.READ).value
    else:
        message.response_to, message.status = code, row.number("hart_ip.status") or None
    yield message


def fox(row: Row, base: Message) -> Iterator[Message]:
    """Niagara's Fox: the hello that asks a station for its name and version."""
    data = row.text("data.data")
    if not data.startswith("666f782061"):
        return
    message = message_between(base, "fox", is_request=base.dst_port in {1911, 4911})
    if message.kind is Kind.REQUEST:
        name = "hello" if "68656c6c6f" in data[:64] else "message"
        message.function_name = name
        message.operation = (Operation.IDENTIFY if name == "hello" else Operation.OTHER).value
    yield message
