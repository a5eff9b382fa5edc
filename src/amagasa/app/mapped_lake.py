"""A lake whose records are read by the mappings that their sources have now: mend one, and the past is mended."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from amagasa.app.lake_ports import Kept, Lake, LakePart, LakeSize, MayHold
from amagasa.event.mapping import LogMapping


class MappedLake:
    """`app.lake_ports.Lake` over another one, which keeps records as they came; `mappings` by source."""

    def __init__(self, lake: Lake, mappings: Mapping[str, LogMapping]) -> None:
        self._lake = lake
        self._mappings = mappings

    def sources(self) -> tuple[str, ...]:
        """See the port."""
        return self._lake.sources()

    def sizes(self) -> tuple[LakeSize, ...]:
        """See the port."""
        return self._lake.sizes()

    def records(
        self,
        source: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        may_hold: MayHold | None = None,
    ) -> Iterator[LakePart]:
        """See the port. What a mapping writes stands in no record, so the index passes by nothing of such a source."""
        mapping = self._mappings.get(source)
        if mapping is None:
            yield from self._lake.records(source, since, until, may_hold=may_hold)
            return
        for part in self._lake.records(source, since, until):
            if isinstance(part, Kept):
                yield replace(part, chunks=tuple(replace(chunk, mapping=mapping) for chunk in part.chunks))
            else:
                yield part
