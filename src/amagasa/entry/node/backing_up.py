"""A node's folder into one file while the node runs, and out of it again.

The order makes it one instant: the store first, then at once the tails of the lake that it names (held open, as the
node may pack and remove them meanwhile), then all that only grows or is written whole. What the lake took in after the
store was copied stands behind the committed head and does not count.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.agreements import read_card
from amagasa.app.backup import FORMAT, KeysAre, LeftOut, Manifest
from amagasa.app.lake_ports import LAKE
from amagasa.entry.settings.load import load_settings
from amagasa.entry.settings.tree import Settings
from amagasa.entry.wiring import CARD_FILE, SETTINGS_FILE, agreement_files
from amagasa.entry.wiring_backup import (
    SEALED,
    SQLITE_HEAD,
    TOMBSTONES,
    Checked,
    Packing,
    check,
    copy_of,
    new_archive,
    open_keys,
    opened_copy,
    put_back,
    refuse_taken,
    room_at,
    seal_keys,
    tails_of,
)
from amagasa.entry.wiring_lake import heads_of
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339

_TRIES: Final = 5
_KEYS: Final = "keys"
_NOT_KEPT: Final = frozenset({"run", ".restoring"})


class Wanted(Struct, frozen=True, kw_only=True):
    """What a backup is to hold. Without a passphrase the keys stand in clear."""

    node: Path
    target: Path
    passphrase: str | None
    with_lake: bool = True


class Done(Struct, frozen=True, kw_only=True):
    """A backup as it was written. `faults` is what the store says of itself: () where it is sound."""

    n_files: int
    n_bytes: int
    keys: KeysAre
    left_out: tuple[LeftOut, ...]
    faults: tuple[str, ...]


class _Places(Struct, frozen=True, kw_only=True):
    """Where things are: all absolute. `scratch` is a folder of ours beside the target."""

    node: Path
    store: Path
    lake: Path
    scratch: Path

    def name_of(self, path: Path) -> str:
        """The member's name."""
        if path == self.store and not path.is_relative_to(self.node):
            return "outside/store.sqlite"
        if path.is_relative_to(self.lake) and not path.is_relative_to(self.node):
            return f"outside/lake/{path.relative_to(self.lake)}"
        return f"node/{path.relative_to(self.node)}"


def back_up(wanted: Wanted, *, now: datetime) -> Done:
    """Write the backup. Raises BadInputError, WorldError; then nothing stands under its name."""
    node, target = wanted.node.resolve(), wanted.target.absolute()
    if target.resolve().is_relative_to(node):
        raise BadInputError(
            "AMG-BACKUP-INSIDE",
            "a backup inside the node's folder is lost with it",
            expected="a file elsewhere, best on another disk",
            got=str(target),
            then="nothing was written",
        )
    settings = load_settings(node / SETTINGS_FILE)
    with new_archive(target) as archive, _scratch(target) as scratch:
        store, lake = (node / settings.store.path).resolve(), (node / settings.lake.path).resolve()
        places = _Places(node=node, store=store, lake=lake, scratch=scratch)
        faults = _fill(archive, places, wanted)
        manifest = _manifest(archive, settings, wanted, now=now)
        raw = archive.close_with(manifest)
        if wanted.passphrase is not None:
            archive.put(SEALED, seal_keys(_keys_in(node), wanted.passphrase, raw))
    return Done(
        n_files=len(manifest.members),
        n_bytes=target.stat().st_size,
        keys=manifest.keys,
        left_out=manifest.left_out,
        faults=faults,
    )


def look_into(path: Path, folder: Path) -> Checked:
    """A backup that could be put into `folder`, checked whole; nothing is written. Raises BadInputError, WorldError."""
    refuse_taken(folder)
    return check(path, room_bytes=room_at(folder))


def restore(path: Path, checked: Checked, folder: Path, *, passphrase: str) -> None:
    """Put it into `folder`. Raises BadInputError and WorldError; then the folder is as it was."""
    keys = open_keys(checked.sealed, passphrase, checked.raw) if checked.sealed else {}
    if any(name != f"node/{_KEYS}/{Path(name).name}" for name in keys):
        raise BadInputError("AMG-BACKUP-FORM", "a key in the backup stands where none may", then="nothing was restored")
    put_back(path, checked, keys, folder, room_bytes=room_at(folder))


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        yield Path(folder)


def _fill(archive: Packing, places: _Places, wanted: Wanted) -> tuple[str, ...]:
    copy = places.scratch / "store"
    with ExitStack() as opened:
        tails = _store_and_tails(places, copy, opened)
        faults = _looked_through(copy, with_lake=wanted.with_lake)
        _add_as(archive, places.name_of(places.store), copy)
        if wanted.with_lake:
            for path, file in tails.items():
                archive.add_opened(places.name_of(path), file)
    for path in _files_in(archive, places):
        _add_one(archive, places, path, is_sealed=wanted.passphrase is not None)
    if wanted.with_lake:
        taken = frozenset(tails)
        for path in sorted(_walk(archive, places, places.lake), key=lambda one: (one.name == TOMBSTONES, one)):
            if path not in taken:
                archive.add(places.name_of(path), path)
    return faults


def _store_and_tails(places: _Places, copy: Path, opened: ExitStack) -> dict[Path, BinaryIO]:
    """Copy the store, and hold open every tail it names: taken again where one was packed in between."""
    for _ in range(_TRIES):
        copy.unlink(missing_ok=True)
        copy_of(places.store, copy)
        with closing(opened_copy(copy)) as store:
            heads = heads_of(store)
        numbers = {source: tuple(number for number, _ in head.tails) for source, head in heads.items()}
        held: dict[Path, BinaryIO] = {}
        missing: list[Path] = []
        for path in tails_of(places.lake, numbers):
            try:
                held[path] = opened.enter_context(path.open("rb"))
            except OSError:
                missing.append(path)
        if not missing:
            break
    return held  # what is missing five times over is missing for good: `lake verify` says so of the copy too


def _looked_through(copy: Path, *, with_lake: bool) -> tuple[str, ...]:
    """What is damaged in the store. Without the lake its heads are taken out: the restored node begins a new one."""
    with closing(opened_copy(copy)) as store:
        faults = store.check()
        if not with_lake:
            with store.write() as writing:
                for one in writing.positions():
                    token = {key: value for key, value in one.token.items() if key != LAKE}
                    writing.save_position(replace(one, token=token))
    return faults


def _manifest(archive: Packing, settings: Settings, wanted: Wanted, *, now: datetime) -> Manifest:
    card = read_card(agreement_files(), wanted.node / CARD_FILE)
    return Manifest(
        format=FORMAT,
        made_at=to_rfc3339(now),
        made_with=version("amagasa"),
        party=card.id,
        name=card.name,
        keys=KeysAre.CLEAR if wanted.passphrase is None else KeysAre.SEALED,
        with_lake=wanted.with_lake,
        store_path=settings.store.path,
        lake_path=settings.lake.path,
        members=tuple(archive.members),
        left_out=tuple(archive.left_out),
    )


def _keys_in(node: Path) -> dict[str, bytes]:
    return {f"node/{_KEYS}/{path.name}": path.read_bytes() for path in sorted((node / _KEYS).iterdir())}


def _files_in(archive: Packing, places: _Places) -> Iterator[Path]:
    """All of the node's folder but the lake, the store, and what is made anew at a start."""
    for path in _walk(archive, places, places.node):
        is_of_database = path.name.endswith(("-wal", "-shm", "-journal"))
        is_of_store = path == places.store or path.name.startswith(f"{places.store.name}.before-")
        if not is_of_database and not is_of_store and not path.is_relative_to(places.lake):
            yield path


def _walk(archive: Packing, places: _Places, top: Path) -> Iterator[Path]:
    """Regular files; links are followed nowhere, and noted."""
    for root, folders, files in os.walk(top, onerror=lambda problem: _note(archive, places, problem)):
        here = Path(root)
        if here == places.node:
            folders[:] = [name for name in folders if name not in _NOT_KEPT]
        for name in (*folders, *files):
            if (here / name).is_symlink():
                archive.leave_out(places.name_of(here / name), "a symbolic link: what it points to is not of the node")
        folders[:] = sorted(name for name in folders if not (here / name).is_symlink())
        yield from (here / name for name in sorted(files) if not (here / name).is_symlink())


def _note(archive: Packing, places: _Places, problem: OSError) -> None:
    path = Path(problem.filename or places.node)
    if not isinstance(problem, FileNotFoundError):
        archive.leave_out(places.name_of(path), problem.strerror or str(problem))


def _add_one(archive: Packing, places: _Places, path: Path, *, is_sealed: bool) -> None:
    if is_sealed and path.parent == places.node / _KEYS:
        return
    if _is_database(path):
        copy = places.scratch / "other"
        copy.unlink(missing_ok=True)
        copy_of(path, copy)
        _add_as(archive, places.name_of(path), copy)
        copy.unlink()
    else:
        archive.add(places.name_of(path), path)


def _add_as(archive: Packing, name: str, copy: Path) -> None:
    with copy.open("rb") as file:
        archive.add_opened(name, file)


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_HEAD)) == SQLITE_HEAD
    except OSError:
        return False
