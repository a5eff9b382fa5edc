"""Records from files, folders, streams and archives: all of them, and a fault for whatever cannot be looked at."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.source.records import open_records
from amagasa.adapters.source.stream import BOMB, DAMAGED, LOOP, MEMBER, MISSING, NESTED, SPECIAL, UNKNOWN
from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format, Reject, SourceFault

LINE = b'203.0.113.7 - - [22/Dec/2016:15:19:05 +0300] "GET /%d HTTP/1.1" 200 20\n'
LOG = b"".join(LINE % number for number in range(1_000))


def zipped(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def text_of(items: Iterable[object]) -> bytes:
    return b"".join(item.data for item in items if isinstance(item, Chunk))


def faults_of(items: Iterable[object]) -> list[tuple[str, str]]:
    return [(Path(item.path).name, item.code) for item in items if isinstance(item, SourceFault)]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Chunk | Reject | SourceFault]]:
    def read_(data: bytes, name: str = "log", form: Format | None = None) -> list[Chunk | Reject | SourceFault]:
        (tmp_path / name).write_bytes(data)
        return list(open_records(tmp_path / name, form))

    return read_


Read = Callable[..., list[Chunk | Reject | SourceFault]]
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip in two members": lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]),
    "gzip padded with zeros": lambda data: gzip.compress(data) + b"\0" * 512,
    "zstd": zstd,
    "zstd in two frames": lambda data: zstd(data[:500]) + zstd(data[500:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda data: zipped({"a.log": data}),
    "tar": lambda data: tarred({"a.log": data}),
    "tar.gz": lambda data: gzip.compress(tarred({"a.log": data})),
    "tar.zst": lambda data: zstd(tarred({"a.log": data})),
    "gzip in a zip": lambda data: zipped({"a.log.gz": gzip.compress(data)}),
    "zip in a gzip": lambda data: gzip.compress(zipped({"a.log": data})),
    "zip in a tar": lambda data: tarred({"b.zip": zipped({"a.log": data})}),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_records_are_the_same_however_packed(packing: str, read: Read) -> None:
    items = read(PACKINGS[packing](LOG))
    assert faults_of(items) == []
    assert text_of(items) == LOG
    assert {item.format for item in items if isinstance(item, Chunk)} == {Format.ACCESS}


@pytest.mark.parametrize("packing", PACKINGS)
def test_records_come_from_the_standard_input_too(packing: str) -> None:
    items = list(open_records("-", stdin=io.BytesIO(PACKINGS[packing](LOG))))
    assert faults_of(items) == []
    assert text_of(items) == LOG


def test_records_are_told_by_content_and_not_by_name(read: Read) -> None:
    assert text_of(read(zstd(LOG), "log.gz")) == LOG
    assert text_of(read(LOG, "log.zip")) == LOG


def test_records_of_members_are_numbered_for_themselves(read: Read) -> None:
    items = read(zipped({"b/x.log": LOG, "a.log": LOG}), "logs.zip")
    shown = [(Path(item.path).name, item.first_record) for item in items if isinstance(item, Chunk)]
    assert shown == [("x.log", 1), ("logs.zip!a.log", 1)]


def test_records_of_a_big_file_come_in_chunks_of_whole_lines_with_their_numbers(read: Read) -> None:
    data = LOG * 60
    chunks = [item for item in read(gzip.compress(data)) if isinstance(item, Chunk)]
    assert len(chunks) > 3
    assert all(chunk.data.endswith(b"\n") for chunk in chunks)
    numbers = [chunk.first_record for chunk in chunks]
    assert numbers == [1 + sum(chunk.data.count(b"\n") for chunk in chunks[:index]) for index in range(len(chunks))]
    assert text_of(chunks) == data


def test_records_last_line_without_its_end_is_a_record(read: Read) -> None:
    assert text_of(read(LOG.rstrip())) == LOG.rstrip()


def test_records_in_utf_16_are_read(read: Read) -> None:
    assert text_of(read(LOG.decode().encode("utf-16"))) == LOG
    assert text_of(read(b"\xfe\xff" + LOG.decode().encode("utf-16-be"))) == LOG


def test_records_of_an_empty_file_are_none_and_no_fault(read: Read) -> None:
    assert read(b"") == []
    assert read(gzip.compress(b"")) == []


def test_records_format_given_overrides_the_content(read: Read) -> None:
    assert [item.format for item in read(b"junk\n", form=Format.SYSLOG) if isinstance(item, Chunk)] == [Format.SYSLOG]


def test_records_line_over_the_limit_is_a_reject_and_the_rest_is_read(read: Read) -> None:
    items = read(gzip.compress(LOG + b"x" * (3 * MAX_LINE_BYTES) + b"\n" + LOG))
    assert [(item.record, item.code) for item in items if isinstance(item, Reject)] == [(1_001, "AMG-EVENT-001")]
    assert text_of(items) == LOG + LOG
    assert [item.first_record for item in items if isinstance(item, Chunk)][-1] == 1_002


@pytest.mark.parametrize("pack", [gzip.compress, zstd, bz2.compress, lzma.compress])
@pytest.mark.parametrize("n_kept", [0.3, 0.7, 0.99])
def test_records_of_a_packing_cut_short_are_read_as_far_as_they_go(
    pack: Callable[[bytes], bytes], n_kept: float, read: Read
) -> None:
    log = b"".join(LINE % (number * 7919) for number in range(20_000))
    packed = pack(log)
    items = read(packed[: int(len(packed) * n_kept)])
    assert faults_of(items) == [("log", DAMAGED)]
    assert log.startswith(text_of(items))


@pytest.mark.parametrize("pack", [gzip.compress, zstd, bz2.compress, lzma.compress])
def test_records_of_a_damaged_packing_are_a_fault(pack: Callable[[bytes], bytes], read: Read) -> None:
    packed = bytearray(pack(b"".join(LINE % (number * 7919) for number in range(20_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = b"\xff" * 64
    assert faults_of(read(bytes(packed))) == [("log", DAMAGED)]


def test_records_after_gzip_that_are_no_gzip_are_a_fault(read: Read) -> None:
    items = read(gzip.compress(LOG) + b"something else")
    assert text_of(items) == LOG
    assert faults_of(items) == [("log", DAMAGED)]


@pytest.mark.parametrize("n_kept", [100, 1_500, 100_000])
def test_records_of_a_tar_cut_short_are_read_as_far_as_they_go(n_kept: int, read: Read) -> None:
    items = read(gzip.compress(tarred({"a.log": LOG, "b.log": LOG})[:n_kept]), "x")
    assert faults_of(items)
    assert (LOG + LOG).startswith(text_of(items))


def test_records_of_a_zip_cut_short_are_a_fault(read: Read) -> None:
    assert faults_of(read(zipped({"a.log": LOG})[:-40])) == [("log", DAMAGED)]


def test_records_beside_a_damaged_member_are_read(read: Read) -> None:
    archive = bytearray(zipped({"a.log": LOG, "b.log": LOG}))
    archive[60:70] = b"\xff" * 10
    items = read(bytes(archive), "x.zip")
    assert [code for _, code in faults_of(items)] == [DAMAGED]
    assert text_of(items).endswith(LOG)


def test_records_of_an_encrypted_member_are_a_fault(read: Read) -> None:
    archive = bytearray(zipped({"a.log": LOG}))
    for at in (archive.find(b"PK\x03\x04") + 6, archive.find(b"PK\x01\x02") + 8):
        archive[at] |= 1
    assert faults_of(read(bytes(archive), "x.zip")) == [("x.zip!a.log", MEMBER)]


def test_records_behind_links_in_a_tar_are_said_not_followed(read: Read) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        info = tarfile.TarInfo("passwd.log")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert faults_of(read(held.getvalue(), "x.tar")) == [("x.tar!passwd.log", MEMBER)]


def test_records_packed_into_themselves_too_often_are_a_fault(read: Read) -> None:
    data = LOG
    for _ in range(8):
        data = gzip.compress(data)
    assert faults_of(read(data)) == [("log", NESTED)]


def test_records_of_a_bomb_are_given_up(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amagasa.adapters.source.stream.FREE_BYTES", 1_048_576)
    for pack in (gzip.compress, zstd):
        bomb = pack(LINE + b"\0" * 30_000_000)
        assert [code for _, code in faults_of(read(bomb))] == [BOMB]


@pytest.mark.parametrize(
    "data", [b"\x7fELF" + b"\x00" * 5_000, b"nobody\ncould tell\n" * 9, b"\x00\x01", b"a,b\n1,2\n"]
)
def test_records_of_no_known_kind_are_a_fault(data: bytes, read: Read) -> None:
    assert faults_of(read(data)) == [("log", UNKNOWN)]


def test_records_of_a_missing_file_are_a_fault(tmp_path: Path) -> None:
    for path in (str(tmp_path / "no"), str(tmp_path / "no" / "no"), "with\0nul"):
        assert len(faults_of(open_records(path))) == 1
    assert faults_of(open_records(tmp_path / "no")) == [("no", MISSING)]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_records_that_may_not_be_read_are_faults_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(LOG)
    (tmp_path / "b.log").write_bytes(LOG)
    (tmp_path / "b.log").chmod(0)
    (tmp_path / "c").mkdir(mode=0)
    items = list(open_records(tmp_path))
    assert text_of(items) == LOG
    assert [name for name, _ in faults_of(items)] == ["b.log", "c"]


def test_records_of_a_folder_come_in_the_order_of_names_with_faults_between(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.log").write_bytes(LINE % 2)
    (tmp_path / "a.log").write_bytes(LINE % 1)
    (tmp_path / "c.log.gz").write_bytes(gzip.compress(LINE % 3))
    (tmp_path / "d.bin").write_bytes(b"\0\1\2")
    os.mkfifo(tmp_path / "e.pipe")
    (tmp_path / "f.link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "g.loop").symlink_to(tmp_path / "g.loop")
    (tmp_path / "h.up").symlink_to(tmp_path)
    items = list(open_records(tmp_path))
    assert text_of(items) == b"".join(LINE % number for number in (1, 2, 3))
    assert [code for _, code in faults_of(items)] == [UNKNOWN, SPECIAL, MISSING, LOOP, LOOP]


def test_records_of_a_file_whose_name_is_no_text_can_be_written_down(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.log")).write_bytes(LOG)
    (item,) = open_records(tmp_path)
    assert item.path.encode().endswith(b"\\udcff\\x0a.log")


RECORDS: list[dict[str, object]] = [{"a": 1, "b": 'x{["\\]}'}, {"c": [{"d": "\n"}]}, {}]
DOCUMENTS = {
    "pretty objects": "\n".join(json.dumps(record, indent=2) for record in RECORDS),
    "objects side by side": "{\n}" + "".join(json.dumps(record, indent=1) for record in RECORDS),
    "array": json.dumps(RECORDS),
    "pretty array": json.dumps(RECORDS, indent=4),
    "array of lines": "[\n" + ",\n".join(json.dumps(record) for record in RECORDS) + "\n]\n",
    "envelope": json.dumps({"Records": RECORDS}),
    "pretty envelope": json.dumps({"value": RECORDS, "next": None}, indent=2),
    "array after array": json.dumps(RECORDS[:2]) + "\n" + json.dumps(RECORDS[2:]),
    "envelope after envelope": json.dumps({"Records": RECORDS[:2]}) + "\n" + json.dumps({"Records": RECORDS[2:]}),
    "byte order mark": "\ufeff" + json.dumps(RECORDS, indent=2),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_records_of_a_json_document_are_one_a_line(name: str, read: Read) -> None:
    items = read(DOCUMENTS[name].encode(), "x.json")
    lines = text_of(items).splitlines()
    expected = [{}, *RECORDS] if name == "objects side by side" else RECORDS
    assert [json.loads(line) for line in lines] == expected
    assert [item for item in items if not isinstance(item, Chunk)] == []


def test_records_of_json_lines_are_left_as_they_stand(read: Read) -> None:
    data = b'{"a": 1}\n{"a":  2}\nbroken\n{"a": 3}\n'
    assert text_of(read(data)) == data


def test_records_of_a_windows_document_are_windows_events(read: Read) -> None:
    event = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Image": "x" * 100_000}
    for data in (json.dumps(event, indent=2), json.dumps([event, event])):
        assert {item.format for item in read(data.encode()) if isinstance(item, Chunk)} == {Format.WINDOWS}


def test_records_of_a_broken_document_are_rejects_and_the_rest_is_read(read: Read) -> None:
    items = read(b'[{"a": 1}, junk, {"a": 2},\n {"a": ')
    assert [json.loads(line) for line in text_of(items).splitlines()] == [{"a": 1}, {"a": 2}]
    rejects = [item.record for item in items if isinstance(item, Reject)]
    firsts = [item.first_record for item in items if isinstance(item, Chunk)]
    assert sorted([*rejects, *firsts]) == [1, 2, 3, 4]


def test_records_object_over_the_limit_is_a_reject_and_the_rest_is_read(read: Read) -> None:
    big = {"a": ["x" * 1_000] * 3_000}
    items = read(json.dumps([{"b": 1}, big, {"b": 2}], indent=1).encode())
    assert [json.loads(line) for line in text_of(items).splitlines()] == [{"b": 1}, {"b": 2}]
    assert [(item.record, item.code) for item in items if isinstance(item, Reject)] == [(2, "AMG-EVENT-001")]


XML = (
    "<Event xmlns='x'><System><EventID>1</EventID><Channel>Microsoft-Windows-Sysmon/Operational</Channel></System>\r\n"
    "<EventData><Data Name='Image'>C:\\a&amp;b.exe</Data></EventData></Event>"
)
XML_FILES = [XML * 3, f"{XML}\n\n{XML}\n{XML}", f'<?xml version="1.0"?>\n<Events>{XML * 3}</Events>\n']


@pytest.mark.parametrize("text", XML_FILES, ids=range(3))
@pytest.mark.parametrize("code", ["utf-8", "utf-16", "utf-8-sig"])
def test_records_of_windows_events_as_xml_are_read(text: str, code: str, read: Read) -> None:
    (chunk,) = read(text.encode(code))
    assert isinstance(chunk, Chunk)
    found = normalise(chunk, lambda _route: ("Image",))
    assert [(batch.route.name, batch.rows) for batch in found.batches] == [
        ("windows/sysmon-operational/1", [("C:\\a&b.exe",)] * 3)
    ]


def test_records_of_broken_xml_are_rejects_and_the_rest_is_read(read: Read) -> None:
    items = read((XML + "junk" + XML + "<Event>" + "x" * (2 * MAX_LINE_BYTES) + "</Event>" + XML + "<Event>").encode())
    assert sum(item.data.count(b"\n") for item in items if isinstance(item, Chunk)) == 3
    assert [item.record for item in items if isinstance(item, Reject)] == [2, 4, 6]


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"ElfFile\0", b"[{", b"{\n"]),
)
def test_records_of_any_bytes_never_raise(data: bytes, magic: bytes) -> None:
    for item in open_records("-", stdin=io.BytesIO(magic + data)):
        assert isinstance(item, Chunk | Reject | SourceFault)


objects = st.lists(
    st.dictionaries(
        st.text(max_size=5), st.recursive(st.text(max_size=5) | st.integers(), st.lists, max_leaves=4), max_size=3
    ),
    min_size=1,
    max_size=5,
)


@given(objects, st.sampled_from([None, 1]), st.booleans())
def test_records_of_any_document_are_its_objects(
    records: list[dict[str, object]],
    indent: int | None,
    is_plain: bool,  # noqa: FBT001
) -> None:
    data = json.dumps(records, indent=indent, ensure_ascii=is_plain).encode()
    items = list(open_records("-", stdin=io.BytesIO(data)))
    assert [json.loads(line) for line in text_of(items).splitlines()] == records
