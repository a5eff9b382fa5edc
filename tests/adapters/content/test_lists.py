"""Flat lists on disk: headers of public lists, quotes, hostile lines, and tables that are made once."""

import gzip
import os
from pathlib import Path

import pytest
import zstandard
from hypothesis import assume, given
from hypothesis import strategies as st

from amagasa.adapters.content.lists import MAX_LINE_BYTES, key_of, name_of, table_of
from amagasa.adapters.content.tables import SUFFIX, Tables
from amagasa.adapters.content.unchanged import Unchanged
from amagasa.detect.indicators.table import Table

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "cti" / "indicators" / "indicators.csv.zst"


def table(folder: Path, content: str | bytes, name: str = "list.csv") -> Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    return table_of(path, Tables(folder / "cache"))


def texts(found: Table) -> list[str]:
    return [found.text(row) for row in range(found.plan.n_rows)]


@pytest.mark.parametrize(
    "content",
    [
        "type,value,first_seen\nip,198.51.100.7,2026-01-01\ndomain,bad.example,\n",
        "Type;Value\r\nip;198.51.100.7\r\ndomain;bad.example\r\n",
        "type\tvalue\nip\t198.51.100.7\ndomain\tbad.example",
        '"value","type"\n"198.51.100.7","ip"\n"bad.example","domain"\n',
        '# Exported for you\n# "id","ioc_value","ioc_type"\n"1", "198.51.100.7", "ip"\n'.replace(", ", ",")
        + '"2","bad.example","domain"\n',
        "\n\n# a remark\nip_address\n198.51.100.7\n" + "",
        "198.51.100.7\nbad.example\n",
        "198.51.100.7 bad\nbad.example worse\n",
        "\ufefftype,value\nip,198.51.100.7\ndomain,bad.example\n",
    ],
)
def test_table_of_headers_as_publishers_write_them(tmp_path: Path, content: str) -> None:
    found = table(tmp_path, content)
    assert found.plan.about.faults == ()
    assert texts(found)[0] == "198.51.100.7"
    assert texts(found)[1:] in ([], ["bad.example"])


def test_table_of_quoted_fields_reads_marks_and_ends_of_lines_in_them(tmp_path: Path) -> None:
    found = table(tmp_path, 'value,description\nbad.example,"one, two\nthree ""four"""\nworse.example,five\n')
    assert texts(found) == ["bad.example", "worse.example"]
    assert b"three" in found.note(0)


def test_table_of_a_line_that_is_no_text_faults_that_line_alone(tmp_path: Path) -> None:
    found = table(tmp_path, b"bad.example\n\xff\xfe\xfd.example\nworse.example\n")
    assert texts(found) == ["bad.example", "worse.example"]
    assert [line for line, _ in found.plan.about.faults] == [2]


def test_table_of_a_line_of_megabytes_faults_that_line_alone(tmp_path: Path) -> None:
    found = table(tmp_path, b"bad.example\n" + b"a" * 5_000_000 + b"\nworse.example\n" + b"b" * (MAX_LINE_BYTES + 1))
    assert texts(found) == ["bad.example", "worse.example"]
    assert [line for line, _ in found.plan.about.faults] == [2, 4]
    assert found.plan.about.tally["n_read"] == 4


def test_table_of_a_quote_without_end_accounts_for_what_it_swallows(tmp_path: Path) -> None:
    found = table(tmp_path, 'value,description\nbad.example,"never ends\n' + "worse.example,x\n" * 20_000)
    tally = found.plan.about.tally
    assert tally["n_accepted"] + tally["n_rejected"] == tally["n_read"]
    assert "worse.example" in texts(found)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_table_of_any_packing_is_the_same(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    found = table(tmp_path, pack(b"type,value,sources\nip,198.51.100.7,\n" * 3), name="list")
    assert texts(found)[0] == "198.51.100.7"


def test_table_of_the_same_file_is_opened_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = table(tmp_path, "bad.example\n")
    monkeypatch.setattr("amagasa.adapters.content.lists._read", lambda _flat, _blocks: pytest.fail("read again"))
    again = table_of(tmp_path / "list.csv", Tables(tmp_path / "cache"))
    assert texts(again) == texts(first)
    assert again.plan == first.plan


def test_key_of_a_file_changes_with_its_bytes_and_its_name(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for path, content in zip(paths, ("x", "x", "y"), strict=True):
        path.write_text(content)
    assert len({key_of(path, Unchanged(tmp_path)) for path in paths}) == 3
    assert name_of(Path("feed.csv.zst")) == "feed"
    assert name_of(Path(".csv")) == ".csv"


def test_tables_with_a_damaged_file_are_as_if_it_were_not_there(tmp_path: Path) -> None:
    table(tmp_path, "bad.example\n")
    (stored,) = (tmp_path / "cache").glob("*" + SUFFIX)
    for damaged in (stored.read_bytes()[:-1], b"", b"x" * 100):
        stored.write_bytes(damaged)
        assert Tables(tmp_path / "cache").open(stored.stem) is None
    assert texts(table_of(tmp_path / "list.csv", Tables(tmp_path / "cache"))) == ["bad.example"]


def test_tables_at_the_second_start_read_neither_the_list_nor_the_table_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amagasa.adapters.content.unchanged.SETTLED_S", 0)
    table(tmp_path, "bad.example\n")
    table_of(tmp_path / "list.csv", Tables(tmp_path / "cache"))
    monkeypatch.setattr("amagasa.adapters.content.tables._is_whole", lambda _: pytest.fail("hashed again"))
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("hashed again"))
    assert texts(table_of(tmp_path / "list.csv", Tables(tmp_path / "cache"))) == ["bad.example"]


def test_tables_damaged_after_they_were_known_as_whole_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amagasa.adapters.content.unchanged.SETTLED_S", 0)
    table(tmp_path, "bad.example\n")
    (stored,) = (tmp_path / "cache").glob("*" + SUFFIX)
    assert Tables(tmp_path / "cache").open(stored.stem) is not None
    body = bytearray(stored.read_bytes())
    body[-1] ^= 1
    stored.write_bytes(body)
    os.utime(stored, ns=(1, 1))
    assert Tables(tmp_path / "cache").open(stored.stem) is None


def test_tables_in_a_folder_that_cannot_be_are_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "list.csv").write_text("bad.example\n")
    found = table_of(tmp_path / "list.csv", Tables(tmp_path / "file" / "cache"))
    assert texts(found) == ["bad.example"]


def test_tables_beyond_the_limit_go_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        table(tmp_path, f"bad{number}.example\n", name=f"{number}.txt")
    size = max(path.stat().st_size for path in (tmp_path / "cache").glob("*" + SUFFIX))
    monkeypatch.setattr("amagasa.adapters.content.tables.MAX_TABLES_BYTES", 2 * size)
    table(tmp_path, "worse.example\n", name="last.txt")
    assert len(list((tmp_path / "cache").glob("*" + SUFFIX))) <= 2
    assert Tables(tmp_path / "cache").open(key_of(tmp_path / "last.txt", Unchanged(tmp_path))) is not None


@given(st.binary(max_size=200) | st.text(alphabet='a.,"\n\r;\t#|1', max_size=80).map(str.encode))
def test_table_of_any_bytes_accounts_for_each_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assume(
        not content.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))
    )  # packed files that are no such files are refused
    tally = table(tmp_path_factory.mktemp("any"), content).plan.about.tally
    assert tally["n_accepted"] + tally["n_rejected"] == tally["n_read"]


@pytest.mark.data
def test_table_of_a_million_lines_holds_every_one_of_them(tmp_path: Path) -> None:
    if not DATA.exists():
        pytest.skip("the folder of real data is not beside the checkout")
    found = table_of(DATA, Tables(tmp_path))
    tally = found.plan.about.tally
    assert (tally["n_read"], tally["n_rejected"]) == (1_424_366, len(found.plan.about.faults))
    assert tally["n_indicators"] == tally["n_accepted"] == found.plan.n_rows
    assert tally["n_rejected"] < 5
