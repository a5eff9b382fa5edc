"""How a client of Kafka is set up, and the words for what it complains of."""

import hashlib
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec import Struct

from amagasa.vocab.text import show

# What is fetched ahead of what was kept, of one source; one fetch may come on top.
AHEAD_KIB: Final = 16_384
FETCH_BYTES: Final = 8 * 1_048_576
ANSWER_BYTES: Final = 48 * 1_048_576  # and no batch is unpacked to more
SESSION_MS: Final = 30_000
ASKED_S: Final = 10.0
LOOKED_S: Final = 5.0
_ASIDE: Final = re.compile(r"/bootstrap(?=:)| \(after \d+ms in state \w+\)|(?<=Connect to )ipv[46]#")
_SECURE: Final = "tls://"


class Brokers(Struct, frozen=True, kw_only=True):
    """A cluster, the topics that may be read in it, and as whom.

    `servers` are `kafka://host:port` or, all of them, `tls://host:port`. `secret` is `user:password` for the mechanism
    `sasl`; "" for none. `authorities`, `certificate`, `key` are files (PEM), "" for none. `instance` is the same at
    each start of this source of this node, and no other's. `is_late`: where the group has no place yet, what is there
    already is left out.
    """

    servers: tuple[str, ...]
    topics: tuple[str, ...]
    group: str
    instance: str = ""
    sasl: str = ""
    secret: str = ""
    authorities: str = ""
    certificate: str = ""
    key: str = ""
    is_late: bool = False

    @property
    def is_secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.servers[0].startswith(_SECURE)


def client_settings(brokers: Brokers) -> dict[str, Any]:
    """Of whoever connects, in librdkafka's words. Raises OSError for a file that cannot be read."""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(one.partition("://")[2] for one in brokers.servers),
        "security.protocol": ("SASL_" if brokers.sasl else "") + ("SSL" if brokers.is_secure else "PLAINTEXT"),
        "client.id": "amagasa",
        "reconnect.backoff.max.ms": 5_000,
        "log_level": 0,  # what there is to say comes by the calls
        "allow.auto.create.topics": False,
    }
    if brokers.sasl:
        user, _, password = brokers.secret.strip().partition(":")
        found |= {"sasl.mechanism": brokers.sasl, "sasl.username": user, "sasl.password": password}
    files = {
        "ssl.ca.location": brokers.authorities,
        "ssl.certificate.location": brokers.certificate,
        "ssl.key.location": brokers.key,
    }
    for path in filter(None, files.values()):
        _require(path)
    return found | {name: path for name, path in files.items() if path}


def _require(path: str) -> None:
    """The client would say neither which file it is nor what is wrong with it."""
    try:
        with Path(path).open("rb"):
            return
    except OSError as problem:
        raise OSError(problem.errno, f"{path}: {problem.strerror}") from problem


def consumer_settings(brokers: Brokers, complain: Callable[[KafkaError], None]) -> dict[str, Any]:
    """Of the one who reads. A static member of its group (KIP-345): killed and started again, it goes on."""
    found = client_settings(brokers) | {
        "group.id": brokers.group,
        "session.timeout.ms": SESSION_MS,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",  # where its place is gone: what was let go is counted
        "isolation.level": "read_committed",
        "check.crcs": True,
        "queued.max.messages.kbytes": AHEAD_KIB,
        "fetch.max.bytes": FETCH_BYTES,
        "receive.message.max.bytes": ANSWER_BYTES,
        "error_cb": complain,
    }
    return found | ({"group.instance.id": brokers.instance} if brokers.instance else {})


def topic_ids(brokers: Brokers, topics: Collection[str]) -> dict[str, str]:
    """The cluster's identifier of each topic (KIP-516), by which one made anew is known; "" where it has none.

    Raises KafkaException.
    """
    admin = AdminClient(client_settings(brokers))
    asked = admin.describe_topics(TopicCollection(list(topics)), request_timeout=ASKED_S)
    return {topic: str(answer.result().topic_id or "") for topic, answer in asked.items()}


def tag_of(topic: str, partition: int, topic_id: str) -> bytes:
    """Eight bytes that stand for a partition of a topic as long as it is this topic."""
    return hashlib.sha256(f"{topic} {partition} {topic_id}".encode()).digest()[:8]


def instance_of(certificate: str, name: str) -> str:
    """Who a source of a node is in its group. Raises OSError."""
    return "amagasa-" + hashlib.sha256(Path(certificate).read_bytes() + name.encode()).hexdigest()[:24]


def look(brokers: Brokers) -> str:
    """What the cluster says of the topics, and how many messages wait for the group; nothing is read or changed.

    Raises OSError where one of the topics could not be read.
    """
    complaints: list[str] = []
    settings = consumer_settings(
        msgspec.structs.replace(brokers, instance=""), lambda one: complaints.append(said_of(one))
    )
    try:
        consumer = Consumer(settings)
        try:
            return "a Kafka broker answers; " + "; ".join(_looked_at(consumer, topic) for topic in brokers.topics)
        finally:
            consumer.poll(0.0)  # hands over the complaints
            consumer.close()
    except KafkaException as problem:
        why = [*complaints, said_of(problem)]
        raise OSError(None, "; ".join(dict.fromkeys(why))) from problem


def _looked_at(consumer: Consumer, topic: str) -> str:
    about = consumer.list_topics(topic, timeout=LOOKED_S).topics[topic]
    if about.error is not None:
        raise OSError(None, f"topic {topic}: {said_of(about.error)}")
    parts = consumer.committed([TopicPartition(topic, one) for one in sorted(about.partitions)], timeout=LOOKED_S)
    n_waiting = 0
    for one in parts:
        if one.error is not None:
            raise KafkaException(one.error)
        low, high = consumer.get_watermark_offsets(one, timeout=LOOKED_S)
        n_waiting += max(0, high - max(low, one.offset))
    return f"topic {topic} has {len(parts)} partitions, and {n_waiting} messages in it wait for the group"


def said_of(problem: object) -> str:
    """What a client complains of, for people."""
    error = problem.args[0] if isinstance(problem, KafkaException) else problem
    if isinstance(error, KafkaError):
        return show(f"{_ASIDE.sub('', error.str())} ({error.name().lstrip('_')})")
    return show(str(error) or type(error).__name__)
