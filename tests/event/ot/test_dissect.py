from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.ot.columns import AGGREGATOR, COLUMNS, SEPARATOR
from amagasa.event.ot.dissect import Dissection
from amagasa.event.ot.message import Message, line_of, message_of

BASE: Final = {
    "frame.number": "7",
    "frame.time_epoch": "1700000000.5",
    "ip.src": "192.0.2.1",
    "ip.dst": "192.0.2.9",
    "tcp.completeness": "31",
}


def row(**values: str) -> str:
    named = {name.replace("__", "."): text for name, text in values.items()}
    return SEPARATOR.join({**BASE, **named}.get(name, "") for name in COLUMNS)


def read(*rows: str) -> list[Message]:
    dissection = Dissection(COLUMNS)
    return [message for one in rows for message in dissection.messages(one)]


def modbus(**values: str) -> str:
    return row(tcp__srcport="40000", tcp__dstport="502", **values)


def dnp3(function: str, **values: str) -> str:
    given = {"dnp3__src": "1", "dnp3__dst": "10", "dnp3__ctl__dir": "1", "dnp3__al__func": function}
    return row(tcp__srcport="40000", tcp__dstport="20000", **given, **values)


def test_modbus_request_to_the_server_names_master_and_outstation() -> None:
    (message,) = read(modbus(modbus__func_code="6", modbus__reference_num="4", modbus__regval_uint16="99"))
    assert (message.master, message.outstation, message.function_name) == (
        "192.0.2.1",
        "192.0.2.9",
        "write_single_register",
    )
    assert (message.address, message.count, message.value) == (4, 1, 99)


def test_modbus_response_of_a_connection_seen_midway_still_names_the_server_as_outstation() -> None:
    text = row(tcp__srcport="502", tcp__dstport="40000", modbus__func_code="3", tcp__completeness="12")
    (message,) = read(text)
    assert (message.master, message.outstation, message.function) == ("192.0.2.9", "192.0.2.1", None)
    assert message.notes == ["midway"]


def test_modbus_packet_of_two_requests_deals_the_columns_to_their_owners() -> None:
    codes, places = AGGREGATOR.join(["8", "5"]), "12"
    first, second = read(modbus(modbus__func_code=codes, modbus__reference_num=places, modbus__diagnostic_code="4"))
    assert (first.detail, first.operation, first.address) == ("force_listen_only", "silence", None)
    assert (second.function_name, second.address) == ("write_single_coil", 12)


def test_dnp3_operate_after_a_select_of_the_same_point_is_not_noted() -> None:
    place = {"dnp3__al__obj": "0x0c01", "dnp3__al__point_index": "3"}
    assert read(dnp3("3", **place), dnp3("4", **place))[1].notes == []


def test_dnp3_operate_of_another_point_than_selected_is_noted() -> None:
    select = dnp3("3", dnp3__al__obj="0x0c01", dnp3__al__point_index="3")
    operate = dnp3("4", dnp3__al__obj="0x0c01", dnp3__al__point_index="5")
    assert read(select, operate)[1].notes == ["without_select"]


def test_dnp3_operate_long_after_its_select_is_noted() -> None:
    place = {"dnp3__al__obj": "0x0c01", "dnp3__al__point_index": "3"}
    late = dnp3("4", frame__time_epoch="1700000999", **place)
    assert read(dnp3("3", **place), late)[1].notes == ["without_select"]


def test_dnp3_write_of_the_clock_is_told_from_other_writes() -> None:
    assert read(dnp3("2", dnp3__al__obj="0x3201"))[0].operation == "clock"


def test_iec104_activation_from_the_side_that_listens_is_the_masters() -> None:
    text = row(
        tcp__srcport="2404",
        tcp__dstport="2404",
        iec60870_104__type="0x00",
        iec60870_asdu__typeid="59",
        iec60870_asdu__causetx="6",
        iec60870_asdu__ioa="4501",
        iec60870_asdu__dco__se="0",
    )
    (message,) = read(text)
    assert (message.kind, message.operation, message.address) == ("request", "operate", 4501)


def test_iec104_packet_of_two_asdus_gives_each_its_own_objects() -> None:
    text = row(
        tcp__srcport="2404",
        tcp__dstport="40000",
        iec60870_104__type="0x00",
        iec60870_asdu__typeid=AGGREGATOR.join(["1", "13"]),
        iec60870_asdu__numix=AGGREGATOR.join(["2", "1"]),
        iec60870_asdu__causetx=AGGREGATOR.join(["3", "3"]),
        iec60870_asdu__ioa=AGGREGATOR.join(["10", "11", "900"]),
    )
    first, second = read(text)
    assert (first.address, first.count, second.address, second.count) == (10, 2, 900, 1)


@pytest.mark.parametrize(
    ("service", "expected"), [("P_PROGRAM", ("plc_start", "start")), ("_DELE", ("delete_block", "program"))]
)
def test_s7_service_by_name_is_what_it_does(service: str, expected: tuple[str, str]) -> None:
    text = row(s7comm__header__rosctr="1", s7comm__param__func="0x28", s7comm__param__pistart__servicename=service)
    (message,) = read(text)
    assert (message.function_name, message.operation) == expected


def test_cip_service_means_what_its_class_says() -> None:
    text = row(enip__command="0x0070", cip__service="0x04", cip__class="0x8b", cip__instance="0x01")
    (message,) = read(text)
    assert (message.function_name, message.operation) == ("set_clock", "clock")


def test_s7_plus_is_read_from_its_bytes() -> None:
    data = "72020080310000054200000002000003c034"
    (message,) = read(row(tcp__srcport="50000", tcp__dstport="102", data__data=data))
    assert (message.ot, message.function_name) == ("s7comm_plus", "set_multiple_variables")


@given(st.lists(st.text(max_size=30), max_size=len(COLUMNS) + 3))
def test_any_row_is_read_without_an_exception(cells: list[str]) -> None:
    for message in Dissection(COLUMNS).messages(SEPARATOR.join(cells)):
        assert message_of(line_of(message)) == message


@given(
    st.dictionaries(
        st.sampled_from(COLUMNS),
        st.lists(st.sampled_from(["0", "1", "6", "0x29", "58", "-1", "999999999999999999999", "x", "0x"]), max_size=5),
        max_size=30,
    )
)
def test_any_numbers_in_any_columns_are_read_without_an_exception(values: dict[str, list[str]]) -> None:
    text = SEPARATOR.join(AGGREGATOR.join(values.get(name, ())) for name in COLUMNS)
    for message in Dissection(COLUMNS).messages(text):
        assert message.ot


def goose(state: int, number: int, name: str = "LD0/LLN0$GO$g") -> str:
    return row(goose__gocbRef=name, goose__appid="1", goose__stNum=str(state), goose__sqNum=str(number))


def notes_of(*numbers: tuple[int, int]) -> list[list[str]]:
    return [message.notes for message in read(*(goose(*one) for one in numbers))]


def test_goose_messages_sent_again_are_noted_once_a_series() -> None:
    assert notes_of((4, 0), (5, 0), (5, 1), (5, 2), (4, 7), (4, 8), (5, 3)) == [[]] * 4 + [["replayed"], [], []]


def test_goose_numbers_within_a_state_that_fall_back_are_noted() -> None:
    assert notes_of((5, 100), (5, 101), (5, 20), (5, 21)) == [[], [], ["replayed"], []]


@pytest.mark.parametrize(
    "numbers",
    [
        [(5, 9), (6, 0), (6, 1)],
        [(5, 9), (1, 1), (1, 2), (2, 0)],
        [(5, 9), (5, 9), (5, 10), (5, 10)],
        [(5, 9), (5, 10), (5, 8), (5, 11), (5, 12)],
        [(5, 4_294_967_295), (5, 1), (5, 2)],
    ],
)
def test_goose_of_an_ordinary_publisher_is_not_noted(numbers: list[tuple[int, int]]) -> None:
    assert notes_of(*numbers) == [[]] * len(numbers)


def test_goose_of_two_publishers_are_counted_apart() -> None:
    first, second = read(goose(9, 9, "A"), goose(2, 2, "B"))
    assert (first.notes, second.notes) == ([], [])
