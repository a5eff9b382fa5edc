"""Built-in rules over real captures and flows of plants: attacks are told, daily work is not."""

import json
from pathlib import Path

import pytest

from amagasa.adapters.source import tshark
from amagasa.entry.cli.main import main

OT = Path(__file__).resolve().parents[3] / "shared" / "data" / "ot"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not OT.exists(), reason="the folder of real captures is not beside the checkout"),
    pytest.mark.skipif(tshark.dissector() is None, reason="tshark is not installed"),
]
TOLD = {"medium", "high", "critical"}


def told(tmp_path: Path, *names: str) -> set[str]:
    output = tmp_path / "found.ndjson"
    with pytest.raises(SystemExit) as ended:
        main(["detect", *(str(OT / name) for name in names), "--output", str(output)])
    assert ended.value.code == 0
    found = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    return {one["rule_title"] for one in found if one["level"] in TOLD}


def test_daily_work_of_grids_and_plants_is_not_told(tmp_path: Path) -> None:
    captures = ("pcap/modbus/mb2.pcap", "pcap/modbus/ModbusTCP.pcap", "pcap/s7comm/wincc_s300_setup-alarm-read.pcapng")
    flows = ("flows/gics-normal.csv.gz", "flows/mega104-14-12-18.csv.gz", "flows/iec104-ioa.csv.gz")
    assert told(tmp_path, *captures, *flows) == set()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("pcap/modbus/modbus_test_data_part1.pcap", "Modbus device told to only listen"),
        ("pcap/dnp3/file_delete.pcap", "DNP3 file deleted"),
        ("pcap/dnp3/dnp3-flood.pcap", "Flood of DNP3 controls"),
        ("pcap/s7comm/snap7_s300_stop.pcapng", "S7 controller stopped"),
        ("pcap/enip/CL5000EIP-Change_Date_Attempt.pcap", "Clock of a CIP controller set"),
        ("flows/gics-modified.csv.gz", "MMS request cancelled or rejected"),
    ],
)
def test_attack_on_a_plant_is_told(tmp_path: Path, name: str, title: str) -> None:
    assert title in told(tmp_path, name)
