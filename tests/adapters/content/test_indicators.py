"""Indicators from files: every form, every packing, and each fault with its place."""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.content.indicators import MAX_FAULTS, load_indicators
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Level

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "cti"
ONE = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": stable_id("indicator", "one"),
    "pattern": "[ipv4-addr:value = '198.51.100.23']",
    "pattern_type": "stix",
    "valid_from": "2026-01-01T00:00:00Z",
}
BUNDLE = {"type": "bundle", "id": stable_id("bundle", "one"), "objects": [ONE, {"type": "malware", "id": "malware--x"}]}
LIST = """# known bad
198.51.100.23   # seen twice
203.0.113.0/24
2001:db8::5
bad.example
hxxp://evil[.]example/x?a='b'
boss@bad.example
; remark of another style
%s
""" % ("ab" * 32)
CSV = "type,value,confidence,source\nipv4-addr,198.51.100.23,90,a\ndomain-name,bad.example,,b\n"


def patterns(path: Path) -> list[str]:
    loaded = load_indicators([path])
    assert loaded.faults == ()
    return [one["pattern"] for one in loaded.objects if one["type"] == "indicator"]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.json", bytes),
        ("a.json.gz", gzip.compress),
        ("a.json.zst", zstandard.ZstdCompressor().compress),
        ("a.txt", lambda data: b"\xef\xbb\xbf" + data),
    ],
)
def test_load_bundle_in_every_packing(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    path = written(tmp_path, name, pack(json.dumps(BUNDLE).encode()))
    loaded = load_indicators([path])
    assert [one["type"] for one in loaded.objects] == ["indicator", "malware"]
    assert loaded.places == {ONE["id"]: str(path)}


@pytest.mark.parametrize(
    "content", [json.dumps(ONE), json.dumps([ONE, ONE]), json.dumps(ONE) + "\n\n" + json.dumps(ONE)]
)
def test_load_single_object_array_and_lines(tmp_path: Path, content: str) -> None:
    assert set(patterns(written(tmp_path, "a", content))) == {ONE["pattern"]}


def test_load_plain_list_knows_each_kind(tmp_path: Path) -> None:
    found = patterns(written(tmp_path, "list.txt", LIST))
    assert found == [
        "[ipv4-addr:value = '198.51.100.23']",
        "[ipv4-addr:value = '203.0.113.0/24']",
        "[ipv6-addr:value = '2001:db8::5']",
        "[domain-name:value = 'bad.example']",
        "[url:value = 'http://evil.example/x?a=\\'b\\'']",
        "[email-addr:value = 'boss@bad.example']",
        f"[file:hashes.'SHA-256' = '{'ab' * 32}']",
    ]


def test_load_plain_list_compiles_and_is_of_low_level(tmp_path: Path) -> None:
    loaded = load_indicators([written(tmp_path, "list.txt", LIST.replace("boss@bad.example\n", ""))])
    indicators, faults = compile_indicators(loaded.objects, places=loaded.places)
    assert faults == ()
    assert {one.level for one in indicators.indicators} == {Level.LOW}


def test_load_csv_takes_value_and_confidence(tmp_path: Path) -> None:
    loaded = load_indicators([written(tmp_path, "a.csv", CSV)])
    assert [(one["name"], one["confidence"]) for one in loaded.objects] == [("198.51.100.23", 90), ("bad.example", 30)]


def test_load_folder_takes_all_but_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep", "b.txt", "bad.example\n")
    written(tmp_path, "a.json", json.dumps(BUNDLE))
    written(tmp_path, ".hidden", "worse.example\n")
    assert len(load_indicators([tmp_path]).objects) == 3


def test_load_missing_path_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="AMG-INDICATOR-003"):
        load_indicators([tmp_path / "no"])


@pytest.mark.parametrize(
    ("content", "place", "named"),
    [
        ("bad.example\nnot an indicator!\n", "a:2", "expected an address"),
        ("type,value\nipv4-addr\n", "a:2", "columns"),
        ('{"type": "bundle", "objects": [', "a", "no JSON"),
        (json.dumps(ONE) + "\n{broken\n", "a:2", "no JSON object"),
        ('{"discovery": {"title": "x"}}', "a", "no STIX object"),
        ('{"objects": ["x"]}', "a", "no STIX object"),
        (b"\xff\xfe\x00\x01", "a", "UTF-8"),
        (gzip.compress(b"bad.example\n" * 1000, mtime=0)[:40], "a", "cannot be read"),
        (b"\x28\xb5\x2f\xfd" + b"\x00" * 9, "a", "cannot be read"),
        (zstandard.ZstdCompressor().compress(b"bad.example\n" * 1000)[:-3], "a", "cannot be read"),
        ("[" * 100_000, "a", "JSON"),
    ],
)
def test_load_broken_file_is_a_fault_by_place(tmp_path: Path, content: str | bytes, place: str, named: str) -> None:
    loaded = load_indicators([written(tmp_path, "a", content)])
    assert [fault.path.removeprefix(f"{tmp_path}/") for fault in loaded.faults] == [place]
    assert named in loaded.faults[0].why


def test_load_file_of_another_kind_stops_after_many_faults(tmp_path: Path) -> None:
    loaded = load_indicators([written(tmp_path, "a", "this is prose\n" * (MAX_FAULTS + 50))])
    assert len(loaded.faults) == MAX_FAULTS + 1
    assert "not read" in loaded.faults[-1].why


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_load_whatever_the_file_holds_gives_objects_or_faults(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("any"), "a", content)
    loaded = load_indicators([path])
    compile_indicators(loaded.objects, places=loaded.places)
    assert all(fault.why for fault in loaded.faults)


def data(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip("the folder of real data is not beside the checkout")
    return DATA / name


@pytest.mark.data
def test_load_public_bundles_all_but_other_objects_compile() -> None:
    loaded = load_indicators([data("stix")])
    indicators, faults = compile_indicators(loaded.objects, places=loaded.places)
    assert loaded.faults == ()
    assert len(indicators.indicators) + len(faults) == 4_097
    assert len(faults) == 11
    assert all("app:" in fault.why or "android-" in fault.why or "configuration-" in fault.why for fault in faults)


@pytest.mark.data
def test_compile_hundred_thousand_indicators_in_a_few_seconds() -> None:
    loaded: list[Any] = []
    with data("indicators/indicators.csv.zst").open("rb") as raw:
        text = zstandard.ZstdDecompressor().stream_reader(raw).read(10_000_000)
    lines = text.decode().splitlines()[1:100_001]
    for line in lines:
        kind, value = line.split(",")[:2]
        where = "file:hashes.'SHA-256'" if kind == "sha256" else f"{kind}:value"
        loaded.append({"type": "indicator", "id": stable_id("indicator", value), "pattern": f"[{where} = '{value}']"})
    started = time.process_time()
    indicators, faults = compile_indicators(loaded)
    assert time.process_time() - started < 10
    assert len(indicators.indicators) + len(faults) == 100_000
