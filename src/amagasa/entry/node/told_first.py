"""What the worker and the receiver are told when they begin: the settings, and how far all was committed."""

from amagasa.app.plant import wish_in
from amagasa.app.ports import Position
from amagasa.app.receiver_messages import Receive, ReceiverSpec
from amagasa.app.worker_messages import Begin, LakeSpec, RejectSpec, SourceKind, SourceSpec
from amagasa.detect.sigma.link import Wanted
from amagasa.entry.settings.source import SourceSettings
from amagasa.entry.wiring import BASELINE_FILE, REJECTS_FOLDER, SPOOL_FOLDER, World
from amagasa.entry.wiring_detect import mapping_in
from amagasa.vocab.text import folder_name

_MIB = 1_048_576


def begin_of(world: World) -> Begin:
    """For the worker. Raises WorldError, BadInputError for a mapping that cannot be used."""
    known = _positions(world)
    settings = world.settings
    own = [str(world.folder / path) for path in settings.detect.rules if path != "builtin"]
    content = world.folder / "content"
    if content.is_dir():
        own.append(str(content))
    return Begin(
        sources=tuple(
            SourceSpec(
                name=source.name,
                path=_path_of(world, source),
                kind=source.kind,
                format=source.format,
                mapping=mapping_in(world.folder / source.mapping) if source.mapping else None,
                zone=source.zone,
                interface=source.interface,
                quota_bytes=settings.limits.spool_mib * _MIB,
                token=known[source.name].token or None if source.name in known else None,
            )
            for source in settings.source
            if source.enabled
        ),
        lake=_lake_spec(world),
        rejects=RejectSpec(folder=str(world.folder / REJECTS_FOLDER), quota_bytes=settings.limits.rejects_mib * _MIB),
        is_builtin_wanted="builtin" in settings.detect.rules,
        rule_paths=tuple(own),
        site=str(content),
        wanted=Wanted(statuses=settings.detect.statuses, min_level=settings.detect.min_level),
        chunk_bytes=settings.limits.chunk_bytes,
        max_ahead=settings.limits.queue_chunks,
        node=str(world.folder),
        awaits_content=True,
        baseline=str(world.folder / BASELINE_FILE),
        baseline_wish=wish_in(world.store),
    )


def receive_of(world: World) -> Receive:
    """For the receiver. Raises WorldError."""
    received = [source for source in world.settings.source if source.enabled and source.kind.is_received]
    known = _positions(world) if received else {}
    return Receive(
        specs=tuple(
            ReceiverSpec(
                name=source.name,
                is_http=source.kind is SourceKind.HTTP,
                transport=source.transport,
                host=source.host,
                port=source.at_port,
                senders=source.senders,
                clients=_file(world, source.clients),
                token_hash=source.token_sha256,
                folder=_path_of(world, source),
                quota_bytes=world.settings.limits.spool_mib * _MIB,
                servers=source.servers,
                stream=source.stream,
                subject=source.subject,
                topics=source.topics,
                group=source.group,
                sasl=source.sasl,
                secret=_file(world, source.secret_file),
                authorities=_file(world, source.ca_file),
                certificate=_file(world, source.cert_file),
                key=_file(world, source.key_file),
                is_late=source.begin == "latest",
                mark=str(known[source.name].token.get("mark", "")) if source.name in known else "",
                least=int(known[source.name].token.get("segment", 0)) if source.name in known else 0,
            )
            for source in received
        ),
        certificate=str(world.keys.tls_certificate),
        key=str(world.keys.tls_key),
    )


def _file(world: World, path: str) -> str:
    return str(world.folder / path) if path else ""


def _positions(world: World) -> dict[str, Position]:
    with world.store.read() as reading:
        return {position.source: position for position in reading.positions()}


def _path_of(world: World, source: SourceSettings) -> str:
    """The log, or the folder of the spool or of the packets."""
    where = f"{SPOOL_FOLDER}/{folder_name(source.name)}" if _has_folder(source) else source.path
    return str(world.folder / where)


def _has_folder(source: SourceSettings) -> bool:
    return source.kind.is_received or source.kind is SourceKind.CAPTURE


def _lake_spec(world: World) -> LakeSpec | None:
    lake = world.settings.lake
    if not lake.enabled:
        return None
    folder = str(world.folder / lake.path)
    return LakeSpec(folder=folder, quota_bytes=lake.quota_mib * _MIB, keep_days=lake.keep_days)
