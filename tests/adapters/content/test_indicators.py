"""Indicators from files: every form, every packing, and each fault with its place."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.content.indicators import MAX_FAULTS, load_indicators
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.indicator import Indicator, IndicatorSet
from amagasa.detect.indicators.lookup import indicator_at
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import stable_id

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


def listed(path: Path, cache: Path) -> list[Indicator]:
    (table,) = load_indicators([path], cache=cache).tables
    held = IndicatorSet(tables=(table,))
    return [indicator_at(held, 1 << 32 | row) for row in range(table.plan.n_rows)]


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
    (table,) = load_indicators([written(tmp_path, "list.txt", LIST)], cache=tmp_path / "cache").tables
    assert [table.text(row) for row in range(table.plan.n_rows)] == [
        "198.51.100.23",
        "203.0.113.0/24",
        "2001:db8::5",
        "bad.example",
        "evil.example/x?a='b'",
        "boss@bad.example",
        "ab" * 32,
    ]
    assert table.plan.about.tally == {
        "n_read": 7,
        "n_accepted": 7,
        "n_rejected": 0,
        "n_never": 0,
        "n_indicators": 7,
        "ipv4-addr:value": 2,
        "ipv6-addr:value": 1,
        "domain-name:value": 1,
        "url:value": 1,
        "email-addr:value": 1,
        "file:hashes.'SHA-256'": 1,
    }


def test_load_csv_takes_value_confidence_and_source(tmp_path: Path) -> None:
    found = listed(written(tmp_path, "a.csv", CSV), tmp_path / "cache")
    assert [(one.id, one.confidence, one.sources) for one in found] == [
        (stable_id("indicator", "ipv4-addr:value", "198.51.100.23"), 90, ("a",)),
        (stable_id("indicator", "domain-name:value", "bad.example"), 30, ("b",)),
    ]


def test_load_folder_takes_all_but_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep", "b.txt", "bad.example\n")
    written(tmp_path, "a.json", json.dumps(BUNDLE))
    written(tmp_path, ".hidden", "worse.example\n")
    loaded = load_indicators([tmp_path], cache=tmp_path / ".cache")
    assert len(loaded.objects) == 2
    assert [table.plan.n_rows for table in loaded.tables] == [1]


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


def test_load_file_of_another_kind_lists_some_faults_and_counts_all(tmp_path: Path) -> None:
    loaded = load_indicators([written(tmp_path, "a", "this is prose\n" * (MAX_FAULTS + 50))], cache=tmp_path / "cache")
    assert len(loaded.faults) == MAX_FAULTS + 1
    assert loaded.faults[-1].why.startswith("50 more lines")
    assert loaded.tables[0].plan.about.tally["n_rejected"] == MAX_FAULTS + 50


def test_load_ndjson_of_another_kind_lists_some_faults_and_counts_all(tmp_path: Path) -> None:
    loaded = load_indicators([written(tmp_path, "a", '{"type": "x"}\n' + "{broken\n" * (MAX_FAULTS + 50))])
    assert len(loaded.faults) == MAX_FAULTS + 1
    assert loaded.faults[-1].why.startswith("50 more")


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
def test_load_attack_bundles_hold_no_indicator_and_no_fault() -> None:
    loaded = load_indicators([data("attack")])
    assert (loaded.faults, len(loaded.objects) > 25_000) == ((), True)
    assert compile_indicators(loaded.objects) == (IndicatorSet(), ())


@pytest.mark.data
def test_load_misp_exports_each_attribute_is_an_indicator_or_passed_over(tmp_path: Path) -> None:
    files = sorted(data("misp_eset").glob("*.json.gz"))
    loaded = load_indicators(files, cache=tmp_path)
    indicators, faults = compile_indicators(loaded.objects, places=loaded.places)
    assert (loaded.faults, faults) == ((), ())
    assert len(loaded.objects) + loaded.n_passed_over == 3_668
    assert len(indicators.indicators) > 2_000


@pytest.mark.data
def test_compile_hundred_thousand_indicators_gives_all_of_them() -> None:
    loaded: list[Any] = []
    with data("indicators/indicators.csv.zst").open("rb") as raw:
        text = zstandard.ZstdDecompressor().stream_reader(raw).read(10_000_000)
    lines = text.decode().splitlines()[1:100_001]
    for line in lines:
        kind, value = line.split(",")[:2]
        where = "file:hashes.'SHA-256'" if kind == "sha256" else f"{kind}:value"
        loaded.append({"type": "indicator", "id": stable_id("indicator", value), "pattern": f"[{where} = '{value}']"})
    indicators, faults = compile_indicators(loaded)
    assert len(indicators.indicators) + len(faults) == 100_000
