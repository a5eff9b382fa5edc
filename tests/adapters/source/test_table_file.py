"""Files of rows under a header, read as any file is."""

import gzip
from pathlib import Path

from amagasa.adapters.source.records import open_records
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Format, LogSource, Reject, SourceFault
from tests.event.test_table import W3C, ZEEK


def test_a_file_of_iis_is_read_and_its_odd_rows_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "u_ex261126.log"
    path.write_bytes(b"\xef\xbb\xbf" + (W3C + "too few\n").replace("\n", "\r\n").encode())
    items = list(open_records(path))
    chunks = [one for one in items if isinstance(one, Chunk)]
    rejects = [one for one in items if isinstance(one, Reject)]
    assert [one.numbers for one in chunks] == [(5,)]
    assert [(one.record, "2 cells under 12 columns" in one.why) for one in rejects] == [(6, True)]
    made = normalise(chunks[0], lambda _: ("c-useragent", "sc-status"))
    (batch,) = made.batches
    assert batch.rows == [("Mozilla/5.0 (Windows)", 200)]
    assert LogSource(category="webserver") in batch.route.sources
    assert str(detail(batch, 0).event_at) == "2026-11-26 10:00:01+00:00"


def test_a_packed_file_of_zeek_is_read_as_zeek(tmp_path: Path) -> None:
    path = tmp_path / "conn.log.gz"
    path.write_bytes(gzip.compress(ZEEK.encode()))
    (chunk,) = open_records(path)
    assert isinstance(chunk, Chunk)
    (batch,) = normalise(chunk, lambda _: ("id.orig_h", "id.orig_p")).batches
    assert (batch.route.name, batch.rows) == ("zeek/conn", [("198.51.100.7", 40000)])


def test_a_file_cut_in_its_packing_gives_its_rows_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "conn.log.gz"
    path.write_bytes(gzip.compress((ZEEK + "x\n" * 9).encode())[:-20])
    assert isinstance(list(open_records(path))[-1], SourceFault)


def test_a_format_that_is_insisted_on_counts_more(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text(W3C, encoding="utf-8")
    assert all(one.format is Format.SYSLOG for one in open_records(path, Format.SYSLOG) if isinstance(one, Chunk))
