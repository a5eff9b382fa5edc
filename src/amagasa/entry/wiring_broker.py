"""Wiring of Kafka: whom a source reads, and whether it answers."""

from pathlib import Path

from amagasa.adapters.receive.kafka_client import Brokers, instance_of, look
from amagasa.app.receiver_messages import ReceiverSpec
from amagasa.entry.settings.source import SourceSettings


def brokers_of(spec: ReceiverSpec, certificate: str) -> Brokers:
    """The cluster of a spec, for the node that has this certificate. Raises OSError for files that cannot be read."""
    return Brokers(
        servers=spec.servers,
        topics=spec.topics,
        group=spec.group,
        instance=instance_of(certificate, spec.name),
        sasl=spec.sasl,
        secret=secret_in(spec.secret),
        authorities=spec.authorities,
        certificate=spec.certificate,
        key=spec.key,
        is_late=spec.is_late,
    )


def secret_in(file: str | Path) -> str:
    """What is written there; "" for no file. Raises OSError."""
    return Path(file).read_text(encoding="utf-8", errors="replace") if file else ""


def kafka_answer(source: SourceSettings, node: Path) -> str:
    """What a cluster says of the topics of a source and of the place of its group. Raises OSError."""

    def file(path: str) -> str:
        return str(node / path) if path else ""

    return look(
        Brokers(
            servers=source.servers,
            topics=source.topics,
            group=source.group,
            sasl=source.sasl,
            secret=secret_in(file(source.secret_file)),
            authorities=file(source.ca_file),
            certificate=file(source.cert_file),
            key=file(source.key_file),
        )
    )
