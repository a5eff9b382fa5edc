"""The heart of it: where a text may stand, and which indicators name it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from amagasa.detect.indicators.forms import domain_and_parents, url_and_prefixes
from amagasa.detect.indicators.indicator import Indicator, IndicatorSet, Prefixes, kind_of_place
from amagasa.detect.indicators.kinds import DOMAIN, PLACE_OF_PATH, TREES
from amagasa.detect.indicators.listing import Listing, decoded
from amagasa.detect.indicators.reported import reported_at
from amagasa.detect.indicators.table import Table, Where
from amagasa.detect.stix.operators import network_of
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

# A position below this is a place in `IndicatorSet.indicators`; above, the number of a table from 1, and its row.
_ROW_BITS: Final = 32
_ROW_MASK: Final = (1 << _ROW_BITS) - 1
TITLE_SOURCES: Final = 3
_NONE: Final[Mapping[str, tuple[int, ...]]] = {}
_NO_PREFIXES: Final[Prefixes] = {}
# How sure we are of an indicator that says no more than its level: the middle of what `level_of_confidence` reads so.
_WEIGHTS: Final = {Level.INFORMATIONAL: 10, Level.LOW: 30, Level.MEDIUM: 65, Level.HIGH: 90, Level.CRITICAL: 95}


def hits(held: IndicatorSet, where: Where, texts: Sequence[str]) -> list[int]:
    """Positions of the indicators that name one of these texts, as `observables` makes them, in this place.

    `indicator_at` tells which they are; one may come twice. A text which no indicator names costs some 0.3 us for each
    table. Domains and links of lists are found by what lies above them: see `forms`.
    """
    above = _above(held, where, texts)
    found = _compiled_hits(held, where, texts)
    if above is not None:
        found += _compiled_hits(held, *above)
    if held.tables:
        for number, table in enumerate(held.tables, 1):
            rows = table.find(where, texts)
            if above is not None:
                rows += table.find(*above)
            if table.has_prefixes(where):
                rows += table.covering(where, texts)
            if rows:
                found.extend([number << _ROW_BITS | row for row in rows])
    return found


def indicator_at(held: IndicatorSet, position: int) -> Indicator:
    """The indicator of a position that `hits` gave."""
    number, row = position >> _ROW_BITS, position & _ROW_MASK
    if not number:
        return held.indicators[position]
    table = held.tables[number - 1]
    return _listed(table, row) if table.plan.about.is_listed else reported_at(table, row).indicator


def counts(held: IndicatorSet, position: int, indicator: Indicator) -> bool:
    """Whether what stands at this position was neither removed nor replaced."""
    number = position >> _ROW_BITS
    if not number:
        return position not in held.dead
    return held.tables[number - 1].plan.about.is_listed or not held.is_void(indicator.id, held.born[number - 1])


def level_of_confidence(confidence: float) -> Level:
    """STIX 2.1 appendix A, with `high` from 85: below the publisher's own word for "very sure" nobody is woken."""
    steps = ((85, Level.HIGH), (50, Level.MEDIUM), (15, Level.LOW))
    return next((level for least, level in steps if confidence >= least), Level.INFORMATIONAL)


def weight_of_level(level: Level) -> int:
    """How sure we are of an indicator which states no confidence."""
    return _WEIGHTS[level]


def _above(held: IndicatorSet, where: Where, texts: Sequence[str]) -> tuple[Where, list[str]] | None:
    """The place for entries that stand for what lies below them, and the spellings of these; None where none are."""
    tree = TREES.get(where)
    if tree is None or not (tree in held.equal or any(table.holds(tree) for table in held.tables)):
        return None
    if where == DOMAIN:
        return tree, [name for text in texts for name in domain_and_parents(text)]
    # The path of a request alone names no host, and would be the most of what a web server's log holds.
    return tree, [url for text in texts if text[:1] != "/" for url in url_and_prefixes(text)]


def _listed(table: Table, row: int) -> Indicator:
    listing, text = decoded(table.note(row)), table.text(row)
    first, last = table.span(row)
    return Indicator(
        id=stable_id("indicator", listing.path, text),
        title=title_of(text, listing),
        level=level_of_confidence(listing.confidence),
        origin="",
        valid_from=None,
        valid_until=listing.valid_until,
        techniques=(),
        tactics=(),
        confidence=listing.confidence,
        weight=listing.confidence,
        kind=kind_of_place(PLACE_OF_PATH[listing.path]),
        first_day=first,
        last_day=last,
        is_listed=True,
        sources=listing.sources,
    )


def title_of(text: str, listing: Listing) -> str:
    """`198.51.100.4, on the list ipsum: ssh scanner`."""
    named = ", ".join(listing.sources[:TITLE_SOURCES])
    more = f" and {len(listing.sources) - TITLE_SOURCES} more" if len(listing.sources) > TITLE_SOURCES else ""
    lists = "list" if len(listing.sources) == 1 else "lists"
    return show(f"{text}, on the {lists} {named}{more}{f': {listing.note}' if listing.note else ''}")


def _compiled_hits(held: IndicatorSet, where: Where, texts: Sequence[str]) -> list[int]:
    equal = held.equal.get(where, _NONE)
    prefixes = held.prefixes.get(where, _NO_PREFIXES)
    found = [position for text in texts for position in equal.get(text, ())] if equal else []
    if prefixes:
        found.extend(_covering(texts, prefixes))
    return found


def _covering(texts: Sequence[str], prefixes: Prefixes) -> Iterable[int]:
    for text in texts:
        network = network_of(text)
        if network is None:
            continue
        number = int(network.network_address)
        for (version, length), table in prefixes.items():
            if version == network.version and length <= network.prefixlen:
                shift = network.max_prefixlen - length
                yield from table.get(number >> shift << shift, ())
