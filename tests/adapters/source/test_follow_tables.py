"""Logs of rows under a header, while they are followed: the header outlives restart and rotation."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.source.follow import FileFollower
from amagasa.adapters.source.followed_table import FollowedTable
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk

NOW = datetime(2026, 11, 27, tzinfo=UTC)
W3C = b"#Software: Own\n#Fields: date time c-ip cs-uri-stem\n"
ROW = b"2026-11-26 10:00:0%d 198.51.100.7 /a%d\n"
ZEEK = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\n#types\ttime\tstring\taddr\n"


class Site:
    """A log, and a follower that is killed and started again behind each poll."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.token: dict[str, Any] | None = None
        self.now = NOW

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def poll(self) -> list[tuple[int, dict[str, Any]]]:
        """(number, object) of each row that is new, by a follower that knows only what was committed."""
        follower = FileFollower.resume(str(self.path), self.token)
        step = follower.poll(self.now)
        if step.pieces:
            self.token = msgspec.json.decode(msgspec.json.encode(step.pieces[-1].token))
        follower.close()
        chunks = [piece.item for piece in step.pieces if isinstance(piece.item, Chunk)]
        return [
            (number, msgspec.json.decode(line))
            for one in chunks
            for number, line in enumerate(one.data.split(b"\n"), one.first_record)
            if line
        ]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "iis.log")


def test_rows_after_a_restart_stand_under_the_header_before_it(site: Site) -> None:
    site.append(W3C + ROW % (1, 1))
    first = site.poll()
    site.append(ROW % (2, 2))
    second = site.poll()
    assert [(number, row["cs-uri-stem"]) for number, row in first + second] == [(3, "/a1"), (4, "/a2")]
    assert second[0][1]["@timestamp"] == "2026-11-26T10:00:02Z"


def test_header_that_comes_again_with_other_columns_counts_from_there_on(site: Site) -> None:
    site.append(W3C + ROW % (1, 1) + b"#Fields: date time cs-uri-stem\n2026-11-26 10:00:02 /b\n")
    site.poll()
    site.append(b"2026-11-26 10:00:03 /c\n")
    ((number, row),) = site.poll()
    assert (number, row["cs-uri-stem"], "c-ip" in row) == (6, "/c", False)


def test_rotated_file_is_read_to_its_end_beside_the_new_one_with_its_own_header(site: Site) -> None:
    site.append(ZEEK + b"1795687200.1\tC1\t192.0.2.1\n")
    site.poll()
    old = site.path.with_name("iis.log.1")
    site.path.rename(old)
    with old.open("ab") as file:
        file.write(b"1795687200.2\tC2\t192.0.2.2\n")
    site.append(b"#separator \\x09\n#path\tdns\n#fields\tts\tquery\n#types\ttime\tstring\n1795687201.1\tbad.example\n")
    rows = [row for _, row in site.poll()]
    assert [(row["_path"], row.get("uid"), row.get("query")) for row in rows] == [
        ("conn", "C2", None),
        ("dns", None, "bad.example"),
    ]


def test_log_that_was_cut_goes_on_under_its_old_header(site: Site) -> None:
    site.append(W3C + ROW % (1, 1) + ROW % (2, 2))
    site.poll()
    site.path.write_bytes(ROW % (3, 3))
    assert [row["cs-uri-stem"] for _, row in site.poll()] == ["/a3"]


def test_new_file_without_a_header_goes_on_under_that_of_the_file_before(site: Site) -> None:
    site.append(W3C + ROW % (1, 1))
    follower = FileFollower.resume(str(site.path), None)
    follower.poll(NOW)
    site.path.rename(site.path.with_name("iis.log.1"))
    site.append(ROW % (2, 2))
    step = follower.poll(NOW + timedelta(seconds=1))
    follower.close()
    assert [b'"/a2"' in piece.item.data for piece in step.pieces if isinstance(piece.item, Chunk)] == [True]


@pytest.mark.parametrize("row", [b"one cell\n", b'{"EventID": 1}\n', b"[1]\n"])
def test_row_that_fits_no_header_is_rejected_and_never_read_as_an_object(site: Site, row: bytes) -> None:
    site.append(W3C + row + ROW % (1, 1))
    follower = FileFollower.resume(str(site.path), None)
    (piece,) = follower.poll(NOW).pieces
    follower.close()
    assert isinstance(piece.item, Chunk)
    found = normalise(piece.item, lambda _: ())
    assert [one.record for one in found.rejects] == [3]
    assert (found.n_read, [batch.route.name for batch in found.batches]) == (2, ["w3c/webserver"])


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_any_bytes_keep_their_lines_and_a_header_that_reads_alike(data: bytes, more: bytes) -> None:
    table = FollowedTable()
    made = table.objects(W3C + data + b"\n")
    assert made.count(b"\n") == (W3C + data + b"\n").count(b"\n")
    assert FollowedTable(table.header).objects(more + b"\n") == table.objects(more + b"\n")
