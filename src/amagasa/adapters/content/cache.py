"""Compiled content kept on disk, so that a start does not compile what was compiled before. Losing it loses nothing.

Every entry carries its own hash; one that does not fit, or that another version wrote, is as if it were not there.
Files are replaced by renaming, so that processes which start at once do not disturb each other.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

_DIGEST_BYTES: Final = 32
# Beyond this the oldest files go: whole sets of rules change with every release, matchers with every rule.
MAX_CACHE_BYTES: Final = 512 * 1024 * 1024
_SUFFIX: Final = ".amg"
Kept = TypeVar("Kept")


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/amagasa`, or `~/.cache/amagasa` where that is not set (XDG Base Directory specification).

    Where an account has no home either, a folder that cannot be made: everything is then compiled anew.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base.startswith("/"):
        return Path(base) / "amagasa"
    try:
        return Path.home() / ".cache" / "amagasa"
    except RuntimeError:
        return Path(os.devnull) / "amagasa"


class Cache(Mapping[str, bytes]):
    """Bytes by name below `folder`; as a mapping it reads one entry at a time and never raises but KeyError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, key: str) -> bytes:
        try:
            stored = self._path(key).read_bytes()
        except OSError as error:
            raise KeyError(key) from error
        digest, body = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            raise KeyError(key)
        return body

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self._folder.glob("*" + _SUFFIX)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def put(self, key: str, body: bytes) -> bool:
        """Keep `body`; False where the disk would not (a cache that cannot write is slow, not wrong)."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(body).digest() + body)
                Path(name).replace(self._path(key))
            except OSError:
                Path(name).unlink(missing_ok=True)
                return False
        except OSError:
            return False
        return True

    def trim(self) -> None:
        """Remove the oldest entries while all together are over the limit."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*" + _SUFFIX):
            try:
                status = path.stat()
            except OSError:
                continue  # another process removed it
            files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= MAX_CACHE_BYTES:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, key: str) -> Path:
        return self._folder / (key + _SUFFIX)


class ByDocument(Generic[Kept]):
    """What is known of single documents by their digest, in 64 files by its head so that a start opens few."""

    def __init__(self, cache: Cache, version: str, decoder: "msgspec.msgpack.Decoder[Kept]") -> None:
        self._cache = cache
        self._version = version
        self._decoder = decoder
        self._shards: dict[str, dict[str, bytes]] = {}

    def get(self, digest: str) -> Kept | None:
        """What was kept of the document, if that is known."""
        body = self._shard(digest).get(digest)
        if body is None:
            return None
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError:
            return None

    def put(self, outcomes: Iterable[tuple[str, Kept]]) -> None:
        """Keep values by digest."""
        touched = set()
        for digest, outcome in outcomes:
            self._shard(digest)[digest] = msgspec.msgpack.encode(outcome)
            touched.add(self._name(digest))
        for name in sorted(touched):
            self._cache.put(name, msgspec.msgpack.encode(self._shards[name]))

    def _shard(self, digest: str) -> dict[str, bytes]:
        name = self._name(digest)
        shard = self._shards.get(name)
        if shard is None:
            body = self._cache.get(name)
            try:
                shard = msgspec.msgpack.decode(body, type=dict[str, bytes]) if body else {}
            except msgspec.DecodeError:
                shard = {}
            self._shards[name] = shard
        return shard

    def _name(self, digest: str) -> str:
        return f"documents-{self._version}-{int(digest[:2], 16) // 4:02x}"
