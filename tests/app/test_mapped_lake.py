"""Records of a lake are read by the mapping that their source has now; the index passes by none of them."""

from collections.abc import Iterator
from datetime import UTC, datetime

from amagasa.app.lake_ports import Kept, LakePart, LakeSize, MayHold
from amagasa.app.mapped_lake import MappedLake
from amagasa.event.record import Chunk, Format
from tests.event.test_mapped import CSV

NOW = datetime(2026, 11, 27, tzinfo=UTC)
CHUNK = Chunk(path="a", format=Format.SYSLOG, first_record=1, data=b"1,192.0.2.1,/x,\n", read_at=NOW)


class Kept1:
    """A lake of one block a source, which says how it was asked."""

    def __init__(self) -> None:
        self.asked: list[MayHold | None] = []

    def sources(self) -> tuple[str, ...]:
        return ("proxy", "web")

    def sizes(self) -> tuple[LakeSize, ...]:
        return ()

    def records(
        self,
        source: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        may_hold: MayHold | None = None,
    ) -> Iterator[LakePart]:
        del since, until
        self.asked.append(may_hold)
        yield Kept(
            source=source, segment=1, block=1, n_raw_bytes=9, n_records=1, first_at=NOW, last_at=NOW, chunks=(CHUNK,)
        )


def chunk_of(lake: MappedLake, source: str) -> Chunk:
    (part,) = lake.records(source, may_hold=lambda *_: False)
    assert isinstance(part, Kept)
    return part.chunks[0]


def test_records_of_a_mapped_source_carry_its_mapping_and_others_none() -> None:
    inner = Kept1()
    lake = MappedLake(inner, {"proxy": CSV})
    assert chunk_of(lake, "proxy").mapping == CSV
    assert chunk_of(lake, "web").mapping is None
    assert inner.asked[0] is None
    assert inner.asked[1] is not None
    assert lake.sources() == ("proxy", "web")
    assert lake.sizes() == ()
