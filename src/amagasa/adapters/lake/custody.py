"""Records taken out of a lake as evidence: a zip that proves by itself, offline, that they are what was written.

`custody.json` says who took what, when, why, and holds of each source the chain from the first segment in question to
its end: the head of each segment, and the SHA-256 of each of its blocks. `records.ndjson` holds the records, as bytes;
`blocks/` the blocks in which they stand, whole; `tails/` what was not in the chain yet, of which nothing is proved.
`custody.sig` is the node's Ed25519 signature over `custody.json`.
"""

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from amagasa.adapters.lake import blocks, places
from amagasa.adapters.lake.blocks import DamagedError
from amagasa.adapters.lake.index import blocks_of, records_kept
from amagasa.app.lake_ports import Kept, LakeHead
from amagasa.event.record import Chunk
from amagasa.vocab.errors import BadInputError, WorldError

CUSTODY: Final = "custody.json"
SIGNATURE: Final = "custody.sig"
RECORDS: Final = "records.ndjson"
MAX_MEMBER_BYTES: Final = 1 << 30
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class Link(Struct, frozen=True, kw_only=True):
    """A segment in a chain: its head and the SHA-256 of each block (hex); or the digest that a tombstone keeps."""

    number: int
    head: str = ""
    blocks: tuple[str, ...] = ()
    let_go: str = ""


class Chain(Struct, frozen=True, kw_only=True):
    """Of one source, up to `digest`; `n_bytes` of the last segment were committed."""

    source: str
    digest: str
    links: tuple[Link, ...]


class Taken(Struct, frozen=True, kw_only=True):
    """One record: where it stands, and its bytes (base64)."""

    source: str
    segment: int
    block: int
    path: str
    record: int
    sha256: str
    bytes: str


class Checked(Struct, frozen=True, kw_only=True):
    """What the check of an export says; `fault` is the first thing that does not fit."""

    n_records: int = 0
    n_unchained: int = 0
    signed_by: str = ""
    sources: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    fault: str = ""


class Bundle:
    """An export being written. Raises WorldError (AMG-OUT) where it cannot be."""

    def __init__(self, path: Path, lake: Path, heads: dict[str, LakeHead]) -> None:
        self._path, self._lake, self._heads = path, lake, heads
        self._records: list[bytes] = []
        self._parts: dict[str, bytes] = {}
        self._first: dict[str, int] = {}

    def add(self, part: Kept, chunk: Chunk, line: tuple[int, bytes]) -> None:
        """A record, and the block in which it stands."""
        number, data = line
        source, segment, block = part.source, part.segment, part.block
        taken = Taken(
            source=source,
            segment=segment,
            block=block,
            path=chunk.path,
            record=number,
            sha256=hashlib.sha256(data).hexdigest(),
            bytes=base64.b64encode(data).decode(),
        )
        self._records.append(msgspec.json.encode(taken) + b"\n")
        name = part_name(source, segment, block)
        if name not in self._parts:
            self._parts[name] = self._part(source, segment, block)
        if segment:
            self._first[source] = min(segment, self._first.get(source, segment))

    def _part(self, source: str, segment: int, block: int) -> bytes:
        folder = places.folder_of(self._lake, source)
        if not segment:
            return records_kept(folder / blocks.tail_name(block), dict(self._heads[source].tails)[block])
        for n, (_, _, data) in enumerate(blocks_of(folder / blocks.segment_name(segment)), 1):
            if n == block:
                return data
        raise DamagedError(f"segment {segment} has no block {block}")

    def chains(self) -> list[Chain]:
        """What proves the blocks. Raises DamagedError."""
        return [chain_of(self._lake, source, self._heads[source], first) for source, first in self._first.items()]

    def write(self, note: dict[str, Any], sign: Callable[[bytes], bytes]) -> None:
        """The whole zip, in one go."""
        members = {RECORDS: b"".join(self._records)} | self._parts
        files = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
        chains = msgspec.to_builtins(self.chains())
        custody = json.dumps(
            note | {"n_records": len(self._records), "chains": chains, "files": files}, ensure_ascii=False, indent=1
        ).encode()
        new = self._path.with_name(f".{self._path.name}.new")
        try:
            with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
                members |= {CUSTODY: custody, SIGNATURE: sign(custody)}
                for name, data in members.items():
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
            new.replace(self._path)
        except OSError as problem:
            new.unlink(missing_ok=True)
            raise WorldError(
                "AMG-OUT",
                f"{self._path} cannot be written",
                expected="a file in a folder that is there, and room on the disk",
                got=problem.strerror or str(problem),
                then="nothing was exported",
            ) from None


def part_name(source: str, segment: int, block: int) -> str:
    """The member that holds a block, or a tail."""
    folder = places.folder_of(Path(), source).name
    return f"blocks/{folder}/{segment:08d}-{block:06d}" if segment else f"tails/{folder}/{block:08d}"


def chain_of(lake: Path, source: str, head: LakeHead, first: int) -> Chain:
    """The chain from segment `first` to the committed end. Raises DamagedError and OSError."""
    folder = places.folder_of(lake, source)
    stones = {stone.number: stone for stone in places.tombstones_of(folder)}
    links: list[Link] = []
    for number in range(first, head.segment + 1):
        path = folder / blocks.segment_name(number)
        if not path.exists() and number in stones:
            links.append(Link(number=number, let_go=stones[number].digest))
            continue
        _, start = blocks.decode_segment_head(records_kept(path, 65_536))
        end = head.n_bytes if number == head.segment else None
        hashes = tuple(hashlib.sha256(block).hexdigest() for _, _, block in blocks_of(path, end))
        links.append(Link(number=number, head=records_kept(path, start).hex(), blocks=hashes))
    return Chain(source=source, digest=head.digest, links=tuple(links))


def check(path: Path) -> Checked:
    """Check an export by itself. Raises BadInputError (AMG-LAKE-EXPORT) where it is no export."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist() if _is_sane(info)}
        custody = json.loads(members[CUSTODY])
        chains = msgspec.convert(custody["chains"], tuple[Chain, ...])
        taken = [msgspec.json.decode(line, type=Taken) for line in members[RECORDS].splitlines()]
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, msgspec.MsgspecError) as problem:
        raise BadInputError(
            "AMG-LAKE-EXPORT",
            "this is no export of a lake",
            expected="a zip that `amagasa lake export` wrote",
            got=f"{path}: {problem}",
            then="nothing was checked",
        ) from None
    key = str(custody.get("public_key", ""))
    found = Checked(
        n_records=len(taken),
        n_unchained=sum(not one.segment for one in taken),
        signed_by=key,
        sources=tuple(chain.source for chain in chains),
        digests=tuple(chain.digest for chain in chains),
    )
    try:
        _check_signature(key, members[CUSTODY], members.get(SIGNATURE, b""))
        _check_files(custody.get("files", {}), members)
        proved = {chain.source: _check_chain(chain) for chain in chains}
        _check_records(taken, members, proved)
    except DamagedError as problem:
        return msgspec.structs.replace(found, fault=str(problem))
    return found


def _is_sane(info: zipfile.ZipInfo) -> bool:
    return info.file_size <= MAX_MEMBER_BYTES


def _check_signature(key: str, custody: bytes, signature: bytes) -> None:
    try:
        raw = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, custody)
    except (ValueError, InvalidSignature):
        raise DamagedError("the custody note does not bear the signature of the key that it names") from None


def _check_files(files: dict[str, str], members: dict[str, bytes]) -> None:
    for name, data in members.items():
        if name not in {CUSTODY, SIGNATURE} and files.get(name) != hashlib.sha256(data).hexdigest():
            raise DamagedError(f"{name} is not the file that the custody note names")


def _check_chain(chain: Chain) -> dict[tuple[int, int], str]:
    """The SHA-256 of each block, by (segment, block), once they are known to lead to the digest."""
    hashes: dict[tuple[int, int], str] = {}
    last: str | None = None
    for link in chain.links:
        if link.let_go:
            last = link.let_go
            continue
        head, _ = blocks.decode_segment_head(bytes.fromhex(link.head))
        if head.number != link.number or (last is not None and head.previous != last) or head.source != chain.source:
            raise DamagedError(f"the head of segment {link.number} does not follow the segment before it")
        digest = blocks.digest_of(b"", bytes.fromhex(link.head))
        for n, one in enumerate(link.blocks, 1):
            digest = blocks.chained(digest, bytes.fromhex(one))
            hashes[link.number, n] = one
        last = digest.hex()
    if last != chain.digest:
        raise DamagedError(f"the chain of {chain.source} does not end with its digest")
    return hashes


def _check_records(
    taken: Iterable[Taken], members: dict[str, bytes], proved: dict[str, dict[tuple[int, int], str]]
) -> None:
    lines: dict[str, dict[tuple[str, int], bytes]] = {}
    for one in taken:
        name = part_name(one.source, one.segment, one.block)
        if name not in lines:
            part = members.get(name)
            if part is None:
                raise DamagedError(f"{name} is not in the export")
            expected = proved.get(one.source, {}).get((one.segment, one.block))
            if one.segment and hashlib.sha256(part).hexdigest() != expected:
                raise DamagedError(f"{name} is not the block that the chain names")
            lines[name] = _lines_of(part, is_block=bool(one.segment))
        if lines[name].get((one.path, one.record)) != base64.b64decode(one.bytes):
            raise DamagedError(f"record {one.record} of {one.path} does not stand in {name}")


def _lines_of(part: bytes, *, is_block: bool) -> dict[tuple[str, int], bytes]:
    chunks = blocks.unpack(part)[1] if is_block else tuple(chunk for chunk, _ in blocks.frames_of(part))
    return {
        (chunk.path, chunk.first_record + at): line
        for chunk in chunks
        for at, line in enumerate(chunk.data.split(b"\n"))
    }
