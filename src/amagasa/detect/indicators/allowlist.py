"""What is known to be harmless: a party's own allowlist, and services which lists name and nobody should be woken for.

An allowed value silences every indicator that it meets, whoever wrote it. A guarded one takes from lists the power to
raise an alert: what they say of it stays evidence of the lowest level, however many of them say so. Reports with an
author still speak of guarded values: an attacker may well hide behind a public resolver, and whoever says so has a
reason.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from amagasa.detect.indicators.building import Block, Builder
from amagasa.detect.indicators.forms import domain_and_parents, refanged, url_and_prefixes
from amagasa.detect.indicators.kinds import ADDRESS, DOMAIN, DOMAIN_TREE, URL, URL_TREE, kind_of
from amagasa.detect.indicators.never import is_never, is_shared
from amagasa.detect.indicators.table import About, Table, Where
from amagasa.detect.stix.operators import network_of
from amagasa.vocab.text import show

MAX_VALUES: Final = 100_000


class Known(Struct, frozen=True, kw_only=True):
    """Values known to be harmless. `values` are addresses, prefixes, domains (with all below), links, hashes ...

    `is_guard`: lists may not alert on them; otherwise nothing may. Counts until `until`.
    """

    name: str
    values: tuple[str, ...]
    is_guard: bool = False
    until: datetime | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """Why a value is let pass."""

    name: str
    is_guard: bool
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it counts at `now`."""
        return self.until is None or now < self.until


_VERDICT: Final = msgspec.msgpack.Decoder(Verdict)


class Allowlist:
    """Look-ups of what is known. Made once, shared."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        builder = Builder()
        held = tuple(known)
        self.faults: tuple[str, ...] = tuple(fault for one in held for fault in _added(builder, one))
        self._values = tuple(value for one in held for value in one.values)
        self.digest = f"{crc32(msgspec.msgpack.encode(held)):08x}"
        self.n_values = builder.n_rows
        pieces = builder.finished(lambda _one, _other: None, About)
        self._table = Table(b"".join(pieces))

    def ranges(self) -> Iterator[tuple[int, int]]:
        """First and last number of each IPv4 address and prefix that is named."""
        for value in self._values:
            network = network_of(value)
            if network is not None and network.version == 4:
                yield int(network.network_address), int(network.broadcast_address)

    def verdicts(self, where: Where, text: str) -> list[Verdict]:
        """What is known of a text that stood in this place of an event."""
        table = self._table
        if not self.n_values:
            return []
        rows, of_host = table.find(where, [text]), []
        if where in _ADDRESSES:
            rows += table.find(ADDRESS, [text]) + table.covering(ADDRESS, [text])
        elif where == DOMAIN:
            rows += table.find(DOMAIN_TREE, domain_and_parents(text))
        elif where == URL:
            spellings = url_and_prefixes(text)
            rows += table.find(URL_TREE, spellings)
            of_host = self._of_host(spellings[0]) if spellings else []
        found = [_VERDICT.decode(table.note(row)) for row in dict.fromkeys(rows)]
        allowed = [_VERDICT.decode(table.note(row)) for row in of_host]
        # A service of good name may carry a bad page: only an allowlist speaks for all pages of a host.
        return found + [verdict for verdict in allowed if not verdict.is_guard]

    def _of_host(self, link: str) -> list[int]:
        host, table = link.partition("/")[0].partition(":")[0], self._table
        of_name = table.find(DOMAIN_TREE, domain_and_parents(host))
        return of_name + table.find(ADDRESS, [host]) + table.covering(ADDRESS, [host])


_ADDRESSES: Final = frozenset({ADDRESS, ("network-traffic", "src_ref.value"), ("network-traffic", "dst_ref.value")})


def is_guarded(where: Where, text: str) -> bool:
    """Whether lists say nothing by naming this: an address that every house has, a name under which all may live."""
    return is_never(text) if where == ADDRESS else where == DOMAIN and is_shared(text)


def _added(builder: Builder, known: Known) -> Iterable[str]:
    note = builder.note(msgspec.msgpack.encode(Verdict(name=known.name, is_guard=known.is_guard, until=known.until)))
    for written in known.values:
        plain = refanged(written.strip())
        kind = kind_of(plain)
        value = kind.canonical(plain) if kind is not None else None
        if kind is None or value is None:
            yield f"{show(known.name, 60)}: expected an address, domain, link, file or hash; got {show(written, 80)}"
        elif builder.n_rows >= MAX_VALUES:
            yield f"{show(known.name, 60)}: more than {MAX_VALUES} values"
            return
        elif kind.where == ADDRESS and "/" in value and (network := network_of(value)) is not None:
            builder.add_prefix(ADDRESS, network, note=note, span=0)
        else:
            builder.add(Block(where=kind.where, texts=[value], notes=[note], spans=[0]))
