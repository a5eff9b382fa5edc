from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.ot.sensor import SENSORS, sensor_fields, sensor_message

EVE: Final = {
    "timestamp": "2026-11-27T09:00:00.0+0000",
    "src_ip": "192.0.2.1",
    "dest_ip": "192.0.2.9",
    "dest_port": 502,
}
ZEEK: Final = {"ts": 1_700_000_000.5, "id.orig_h": "192.0.2.1", "id.resp_h": "192.0.2.9"}


def eve_modbus(**request: Any) -> dict[str, Any]:
    return EVE | {"modbus": {"request": {"unit_id": 3} | request}}


def eve_dnp3(code: int, **application: Any) -> dict[str, Any]:
    return EVE | {"dnp3": {"src": 1, "dst": 10, "application": {"function_code": code} | application}}


def test_suricata_modbus_diagnostic_is_what_its_number_says() -> None:
    fields = sensor_fields("suricata/modbus", eve_modbus(function_raw=8, diagnostic={"raw": 4}))
    assert (fields["detail"], fields["operation"], fields["unit"]) == ("force_listen_only", "silence", 3)


def test_suricata_modbus_response_alone_is_no_request() -> None:
    record = EVE | {"modbus": {"response": {"function_raw": 5}}}
    assert sensor_fields("suricata/modbus", record) == {}


def test_suricata_dnp3_restart_is_a_restart_of_the_outstation() -> None:
    message = sensor_message("suricata/dnp3", eve_dnp3(13))
    assert message is not None
    assert (message.function_name, message.outstation, message.unit) == ("cold_restart", "192.0.2.9", 10)


def test_suricata_dnp3_write_of_the_clock_is_told_by_its_object() -> None:
    fields = sensor_fields("suricata/dnp3", eve_dnp3(2, objects=[{"group": 50, "variation": 1}]))
    assert fields["operation"] == "clock"


def test_suricata_dnp3_response_names_no_function() -> None:
    assert "function" not in sensor_fields("suricata/dnp3", eve_dnp3(129))


def test_zeek_modbus_request_is_named_like_a_captured_one() -> None:
    record = ZEEK | {"func": "WRITE_SINGLE_REGISTER", "unit": 3, "tid": 7, "pdu_type": "REQ"}
    fields = sensor_fields("zeek/modbus", record)
    assert (fields["function"], fields["function_name"], fields["master"]) == (6, "write_single_register", "192.0.2.1")


@pytest.mark.parametrize(("name", "function"), [("COLD_RESTART", 13), ("STOP_APPL", 18), ("DELETE_FILE", 27)])
def test_zeek_dnp3_function_has_its_number(name: str, function: int) -> None:
    assert sensor_fields("zeek/dnp3", ZEEK | {"fc_request": name})["function"] == function


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS: Final = st.sampled_from(
    ["modbus", "dnp3", "request", "application", "function_code", "function_raw", "objects", "func", "fc_request", "ts"]
)


@given(st.sampled_from(sorted(SENSORS)), st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=3)))
def test_any_record_of_a_sensor_is_read_without_an_exception(route: str, record: dict[str, Any]) -> None:
    assert isinstance(sensor_fields(route, record), dict)
