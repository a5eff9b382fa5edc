"""`--zone`: the zone of stamps that name none."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC

from amagasa.app.detect_files import Item
from amagasa.event.record import Chunk
from amagasa.event.zones import in_zone, zone_of
from amagasa.vocab.errors import BadInputError

Streams = Iterable[Iterable[Item]]


def zoned(name: str) -> Callable[[Streams], Streams]:
    """What puts the stamps of streams into the zone of this name. Raises BadInputError (AMG-ZONE).

    With any but UTC, files are read in one process; the looking is shared all the same.
    """
    zone = zone_of(name)
    if zone is None:
        raise BadInputError(
            "AMG-ZONE",
            "there is no such zone",
            expected='UTC, an offset such as "+09:00", or a name this machine knows, such as "Asia/Tokyo"',
            got=name,
            then="nothing was read",
        )
    if zone is UTC:
        return lambda streams: streams

    def one(stream: Iterable[Item]) -> Iterator[Item]:
        for item in stream:
            yield in_zone(item, zone) if isinstance(item, Chunk) else item

    return lambda streams: map(one, streams)
