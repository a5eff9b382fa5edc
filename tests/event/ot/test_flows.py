from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.source.records import open_records
from amagasa.event.ot.flows import Flows, is_flow_header
from amagasa.event.ot.message import Message
from amagasa.event.record import Chunk, Reject

MMS: Final = (
    "TimeStamp;Relative Time;srcIP;dstIP;srcPort;dstPort;ipLen;MMS Type;MMS Service;Invoke Id;Domain Id;Item Id;"
    "Object Class"
)
IEC: Final = "TimeStamp;Relative Time;srcIP;dstIP;srcPort;dstPort;ipLen;len;fmt;uType;asduType;numix;cot;oa;addr;ioa"
DAY: Final = datetime(2026, 11, 27, 9, tzinfo=UTC)


def mms(line: str) -> Message:
    message = Flows(MMS, DAY).message(line, 2)
    assert isinstance(message, Message)
    return message


def test_header_of_a_table_of_something_else_is_no_flow() -> None:
    assert not is_flow_header("TimeStamp;srcIP;dstIP;bytes\n")


def test_mms_request_names_service_and_master() -> None:
    message = mms("07:26:31.45;1.0;10.0.0.3;10.0.0.9;50225;102;90;0;5;33;;;")
    assert (message.kind, message.function_name, message.master) == ("request", "write", "10.0.0.3")
    assert message.timestamp == "2026-11-27T07:26:31.450000+00:00"


def test_mms_cancel_is_told_from_a_confirmed_request() -> None:
    assert mms("08:10:51.44;1.0;10.0.0.3;10.0.0.9;50225;102;90;5;1;33;;;").function_name == "cancel"


def test_iec104_activation_is_the_masters() -> None:
    row = "17:15:49.91;0.0;192.0.2.1;192.0.2.9;56693;2404;59;17;0x00000000;;45;1;6;0;65535;4500"
    message = Flows(IEC, DAY).message(row, 2)
    assert isinstance(message, Message)
    assert (message.operation, message.master, message.address) == ("operate", "192.0.2.1", 4500)


def test_iec104_row_that_keeps_the_connection_is_no_message() -> None:
    row = "08:23:17.05;0.2;192.0.2.1;192.0.2.9;46413;2404;46;4;0x00000003;0x00000010;;;;;;"
    assert Flows(IEC, DAY).message(row, 2) is None


def test_file_of_flows_is_told_by_its_header_and_a_bad_row_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "flows.csv"
    good = "07:26:31.45;1.0;10.0.0.3;10.0.0.9;50225;102;90;0;4;33;;;"
    path.write_text(f"{MMS}\n{good}\nnonsense\n{good}\n", encoding="ascii")
    items = list(open_records(path))
    assert [item.record for item in items if isinstance(item, Reject)] == [3]
    assert [item.numbers for item in items if isinstance(item, Chunk)] == [(2, 4)]


@given(st.sampled_from([MMS, IEC]), st.text(max_size=200))
def test_any_row_is_a_message_or_words(header: str, row: str) -> None:
    assert isinstance(Flows(header, DAY).message(row, 1), Message | str | None)
