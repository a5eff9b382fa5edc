"""Apache Kafka on loopback, one broker that is its own controller, where `make kafka` put it."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.journeys.nodes import free_port

JARS = Path(__file__).parents[2] / ".venv" / "kafka"
JAVA = shutil.which("java")
IS_THERE = JAVA is not None and any(JARS.glob("kafka_*.jar"))
WHY_NOT = "there is no Kafka (make kafka: needs mvn and Java 17 or newer)"
USER, PASSWORD = "reader", "a-password-of-the-test"
WAIT_S = 60.0
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


class Broker:
    """Killed and started again it has what it confirmed, and its addresses: in the clear, and with TLS and SCRAM."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._ports = [free_port() for _ in range(3)]
        self._process: subprocess.Popen[bytes] | None = None
        self._admin = AdminClient(
            {"bootstrap.servers": self._host, "log_level": 0}
        )  # asked, it must outlive the answer
        self.ca = home / "broker.crt"
        _write_certificate(self.ca, home / "broker.pem")
        (home / "server.properties").write_text(self._settings(), encoding="utf-8")
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        self._java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "--add-scram", scram, "-c")

    @property
    def address(self) -> str:
        return f"kafka://127.0.0.1:{self._ports[0]}"

    @property
    def secure(self) -> str:
        return f"tls://127.0.0.1:{self._ports[1]}"

    def start(self) -> None:
        """Where it does not run."""
        if self._process is not None:
            return
        command = [JAVA or "java", *_FLAGS, "-cp", f"{JARS}/*", "kafka.Kafka", str(self._home / "server.properties")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def until_there(self) -> None:
        end = time.monotonic() + WAIT_S
        while True:
            try:
                self._admin.list_topics(timeout=1)
            except KafkaException:
                if time.monotonic() > end:
                    raise
            else:
                return

    def add_topic(self, name: str, n_partitions: int = 1, **config: str) -> None:
        """Also one which was deleted a moment ago."""
        end = time.monotonic() + WAIT_S
        while True:
            try:
                self._admin.create_topics([NewTopic(name, n_partitions, 1, config=config)])[name].result(WAIT_S)
            except KafkaException:
                if time.monotonic() > end:
                    raise
            else:
                return

    def remove_topic(self, name: str) -> None:
        self._admin.delete_topics([name])[name].result(WAIT_S)

    def let_go(self, name: str, before: int) -> None:
        """The messages of partition 0 that stand before this offset."""
        place = TopicPartition(name, 0, before)
        self._admin.delete_records([place])[place].result(WAIT_S)

    def place_of(self, group: str, topic: str) -> int:
        """What partition 0 of the group was told."""
        from_group = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(
            WAIT_S
        )
        return next(
            (one.offset for one in from_group.topic_partitions or () if (one.topic, one.partition) == (topic, 0)), -1
        )

    def publish(self, topic: str, messages: Sequence[bytes | None], **settings: str) -> None:
        """Each confirmed by the broker."""
        producer = Producer({"bootstrap.servers": self._host, "log_level": 0, **settings})
        for number, message in enumerate(messages):
            producer.produce(topic, message, key=b"%d" % number)
        assert producer.flush(WAIT_S) == 0

    @property
    def _host(self) -> str:
        return self.address.removeprefix("kafka://")

    def _java(self, *arguments: str) -> None:
        command = [JAVA or "java", *_FLAGS, "-cp", f"{JARS}/*", *arguments, str(self._home / "server.properties")]
        subprocess.run(command, check=True, capture_output=True)

    def _settings(self) -> str:
        clear, secure, controller = (f"127.0.0.1:{port}" for port in self._ports)
        return "\n".join(
            (
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@{controller}",
                f"listeners=PLAINTEXT://{clear},SASL_SSL://{secure},CONTROLLER://{controller}",
                f"advertised.listeners=PLAINTEXT://{clear},SASL_SSL://{secure}",
                "controller.listener.names=CONTROLLER",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
                "inter.broker.listener.name=PLAINTEXT",
                "sasl.enabled.mechanisms=SCRAM-SHA-512",
                f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={_SCRAM} required;",
                "ssl.keystore.type=PEM",
                f"ssl.keystore.location={self._home / 'broker.pem'}",
                f"log.dirs={self._home / 'log'}",
                "offsets.topic.replication.factor=1",
                "offsets.topic.num.partitions=1",
                "transaction.state.log.replication.factor=1",
                "transaction.state.log.min.isr=1",
                "group.initial.rebalance.delay.ms=0",
                "auto.create.topics.enable=false",
                "",
            )
        )


def _write_certificate(certificate: Path, both: Path) -> None:
    """One that vouches for itself, for the loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    certificate.write_bytes(pem)
    both.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + pem
    )


@contextlib.contextmanager
def running(home: Path) -> Iterator[Broker]:
    broker = Broker(home)
    broker.start()
    try:
        broker.until_there()
        yield broker
    finally:
        broker.kill()
