"""`amagasa source add`: a source of any kind, into node.toml. A token is made here, shown once, and kept as a hash."""

import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import Struct

from amagasa.app.receiver_messages import Transport
from amagasa.app.worker_messages import SourceKind
from amagasa.entry.cli.detect_options import MappingFile, Zone
from amagasa.entry.cli.node_options import HERE, AsJson, NodeFolder
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.cli.source_settings import replace_settings
from amagasa.entry.settings.load import load_settings
from amagasa.entry.settings.text import written
from amagasa.entry.wiring_detect import mapping_in
from amagasa.event.record import Format
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

TOKEN_BYTES: Final = 32
_THEN: Final = "nothing changed"


class Wanted(Struct, frozen=True, kw_only=True):
    """What the options say."""

    kind: SourceKind
    path: Path | None
    given: dict[str, Any]


def add(  # noqa: PLR0913 - each is an option of the command
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    path: Annotated[Path | None, typer.Argument(help="The log, folder or pattern to follow (kind file).")] = None,
    *,
    kind: Annotated[SourceKind, typer.Option("--kind", help="Where records come from.")] = SourceKind.FILE,
    interface: Annotated[str | None, typer.Option("--interface", help="capture: the network interface.")] = None,
    transport: Annotated[Transport | None, typer.Option("--transport", help="syslog, http: how they come.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="syslog, http: address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65_535, help="syslog, http: port.")] = None,
    sender: Annotated[list[str] | None, typer.Option("--sender", help="An address or network that may send.")] = None,
    clients: Annotated[Path | None, typer.Option("--clients", help="TLS: certificates of those who may send.")] = None,
    server: Annotated[list[str] | None, typer.Option("--server", help="nats, kafka: address of the broker.")] = None,
    stream: Annotated[str | None, typer.Option("--stream", help="nats: the stream to read.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="nats: a subject in it; else all.")] = None,
    secret_file: Annotated[Path | None, typer.Option("--secret-file", help="nats, kafka: user:password.")] = None,
    topic: Annotated[list[str] | None, typer.Option("--topic", help="kafka: a topic to read.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="kafka: consumer group; else one of its own.")] = None,
    begin: Annotated[str | None, typer.Option("--begin", help="kafka: earliest or latest, at the first.")] = None,
    sasl: Annotated[str | None, typer.Option("--sasl", help="kafka: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN.")] = None,
    ca_file: Annotated[Path | None, typer.Option("--ca-file", help="kafka: authorities of the broker (PEM).")] = None,
    cert_file: Annotated[Path | None, typer.Option("--cert-file", help="kafka: certificate to show (PEM).")] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", help="kafka: its key (PEM).")] = None,
    format_: Annotated[Format | None, typer.Option("--format", help="Else found by content.")] = None,
    mapping: MappingFile = None,
    zone: Zone = "",
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Add a source to node.toml; it is read from the next start of the node. The token of kind http is shown once."""
    if mapping is not None:
        mapping_in(mapping)
    given = {
        "interface": interface,
        "transport": transport,
        "host": host,
        "port": port,
        "senders": tuple(sender) if sender else None,
        "clients": _absolute(clients),
        "servers": tuple(server) if server else None,
        "stream": stream,
        "subject": subject,
        "secret_file": _absolute(secret_file),
        "topics": tuple(topic) if topic else None,
        "group": group,
        "begin": begin,
        "sasl": sasl,
        "ca_file": _absolute(ca_file),
        "cert_file": _absolute(cert_file),
        "key_file": _absolute(key_file),
        "format": format_,
        "mapping": _absolute(mapping),
        "zone": zone or None,
    }
    if kind is SourceKind.KAFKA:
        given["group"] = group or own_group(node, name)
    _add(name, Wanted(kind=kind, path=path, given=given), node, as_json=as_json)


def own_group(node: Path, name: str) -> str:
    """A consumer group that no other source of any node has: two in one group would share the records."""
    party = load_settings(node / "node.toml").node.name
    words = (re.sub(r"[^A-Za-z0-9._]+", "-", one).strip("-") for one in ("amagasa", party, name))
    return "-".join(filter(None, words))[:180] + f"-{secrets.token_hex(4)}"


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _add(name: str, wanted: Wanted, node: Path, *, as_json: bool) -> None:
    settings_file = node / "node.toml"
    known = load_settings(settings_file)
    if any(source.name == name for source in known.source):
        raise BadInputError(
            "AMG-SOURCE-NAME", "there is a source of this name", expected="another name", got=name, then=_THEN
        )
    _check(wanted)
    token = secrets.token_urlsafe(TOKEN_BYTES) if wanted.kind is SourceKind.HTTP else ""
    lines = ["", "[[source]]", f"name = {json.dumps(name)}"]
    if wanted.kind is not SourceKind.FILE:
        lines.append(f"kind = {written(wanted.kind)}")
    if wanted.path is not None:
        lines.append(f"path = {json.dumps(str(wanted.path.absolute()))}")
    lines += [f"{key} = {written(value)}" for key, value in wanted.given.items() if value is not None]
    if token:
        lines.append(f'token_sha256 = "{hashlib.sha256(token.encode()).hexdigest()}"')
    before = settings_file.read_text(encoding="utf-8")
    replace_settings(settings_file, before.rstrip("\n") + "\n" + "\n".join(lines) + "\n")
    address = next(source.address for source in load_settings(settings_file).source if source.name == name)
    if as_json:
        write_json({"name": name, "address": address, "token": token or None})
        return
    say(f"added {show(name)}, {show(address)}; it is read from the next start of the node")
    if token:
        say("its bearer token follows; it is not shown again, and the node keeps only a hash of it")
        typer.echo(token)


def _check(wanted: Wanted) -> None:
    """Raise BadInputError where the options do not fit the kind."""
    if wanted.kind is SourceKind.FILE:
        named = [
            key for key, value in wanted.given.items() if value is not None and key not in {"format", "mapping", "zone"}
        ]
        if wanted.path is None or named:
            raise BadInputError(
                "AMG-SOURCE-OPTIONS",
                "a source of kind file has a path, and nothing that listens",
                expected="amagasa source add NAME PATH, or --kind syslog, http, nats, kafka or capture",
                got=", ".join(named) or "no path",
                then=_THEN,
            )
    elif wanted.path is not None:
        raise BadInputError(
            "AMG-SOURCE-OPTIONS",
            f"a source of kind {wanted.kind} has no path",
            expected=f"amagasa source add NAME --kind {wanted.kind}",
            got=str(wanted.path),
            then=_THEN,
        )
