"""Wiring of the lake: who keeps records, and who reads them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from amagasa.adapters.lake.custody import Bundle, Checked, check
from amagasa.adapters.lake.keeping import Keeping
from amagasa.adapters.lake.proof import Proof, prove
from amagasa.adapters.lake.reader import FolderLake
from amagasa.adapters.lake.sql import Limits, Table, ask
from amagasa.adapters.seal.keys import PartyKeys, load_party_keys
from amagasa.adapters.source.mapping_file import load_mapping
from amagasa.adapters.spool.rejects import RejectWriter
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.lake_ports import Lake, LakeHead, head_in
from amagasa.app.mapped_lake import MappedLake
from amagasa.app.ports import Store
from amagasa.app.reject_ports import RejectHead
from amagasa.app.worker_messages import LakeSpec, RejectSpec
from amagasa.entry.settings.load import load_settings
from amagasa.entry.settings.tree import Settings

__all__ = ["Keeping", "RejectWriter"]


def keeping_of(spec: LakeSpec, heads: Mapping[str, LakeHead | None], *, now: datetime) -> Keeping:
    """Keeps the records of these sources."""
    keep = timedelta(days=spec.keep_days)
    return Keeping(Path(spec.folder), heads, quota_bytes=spec.quota_bytes, keep=keep, now=now)


def reject_writer_of(spec: RejectSpec, source: str, head: RejectHead) -> RejectWriter:
    """Keeps the rejects of a source."""
    return RejectWriter(Path(spec.folder), source, head, quota_bytes=spec.quota_bytes)


def lake_of(node: Path, settings: Settings, store: Store) -> Lake:
    """The lake of the node, as far as the store has it committed, read by the mappings of its sources.

    Raises BadInputError where one of these cannot be used.
    """
    mappings = {source.name: load_mapping(node / source.mapping) for source in settings.source if source.mapping}
    return MappedLake(FolderLake(node / settings.lake.path, lambda: heads_of(store)), mappings)


def heads_of(store: Store) -> dict[str, LakeHead]:
    """How far the lake of each source goes. Raises WorldError."""
    with store.read() as reading:
        found = {position.source: head_in(position.token) for position in reading.positions()}
    return {source: head for source, head in found.items() if head is not None}


@contextmanager
def opened_node(node: Path) -> Iterator[tuple[Lake, Store]]:
    """Lake and store of the node in this folder, whether it runs or not. Raises BadInputError and WorldError."""
    settings = load_settings(node / "node.toml")
    store = open_store(node / settings.store.path)
    try:
        yield lake_of(node, settings, store), store
    finally:
        store.close()


def proofs_of(node: Path, lake: Path) -> list[Proof]:
    """Whether what is kept of each source is what was written. Raises BadInputError and WorldError."""
    with opened_node(node) as (_, store):
        heads = heads_of(store)
    return [prove(lake, source, head) for source, head in sorted(heads.items())]


@contextmanager
def opened_bundle(node: Path, path: Path) -> Iterator[tuple[FolderLake, Store, Bundle, PartyKeys]]:
    """The lake of a node, an export to fill, and the keys that sign it. Raises BadInputError and WorldError."""
    settings = load_settings(node / "node.toml")
    lake = node / settings.lake.path
    with opened_node(node) as (_, store):
        heads = heads_of(store)
        yield FolderLake(lake, lambda: heads), store, Bundle(path, lake, heads), load_party_keys(node)


def checked(path: Path) -> Checked:
    """Whether an export proves what it says. Raises BadInputError."""
    return check(path)


def asked_by_sql(
    statement: str, rows: Iterable[dict[str, Any]], *, seconds: float, memory_mib: int, max_rows: int
) -> Table:
    """What a statement gives. Raises BadInputError and WorldError."""
    return ask(statement, rows, limits=Limits(memory_mib=memory_mib, seconds=seconds), max_rows=max_rows)
