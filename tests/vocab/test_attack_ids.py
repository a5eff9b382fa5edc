"""The table of techniques against ATT&CK itself, where that is at hand."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from amagasa.vocab.attack_ids import techniques, withdrawn

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "cti" / "attack"
FILES = ("enterprise-attack.stix20.json.zst", "ics-attack-18.1.stix21.json.zst")


def test_techniques_in_use_and_withdrawn_ones_are_apart() -> None:
    assert {"T1003", "T1003.001", "T1003.008", "T0855"} <= techniques()
    assert not techniques() & withdrawn().keys()
    assert "T1003.009" not in techniques()


def test_what_takes_the_place_of_a_withdrawn_technique_is_in_use() -> None:
    assert {other for other in withdrawn().values() if other} <= techniques()
    assert withdrawn()["T1073"] == "T1574.001"


def objects() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in FILES:
        raw = zstandard.ZstdDecompressor().decompressobj().decompress((DATA / name).read_bytes())
        found += msgspec.json.decode(raw)["objects"]
    return found


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="the folder of real data is not beside the checkout")
def test_table_holds_exactly_what_attack_does() -> None:
    live: set[str] = set()
    gone: set[str] = set()
    for one in objects():
        if one["type"] == "attack-pattern":
            number = next(r["external_id"] for r in one["external_references"] if "attack" in r["source_name"])
            (gone if one.get("revoked") or one.get("x_mitre_deprecated") else live).add(number)
    assert techniques() == live
    assert withdrawn().keys() == gone
