"""The receiver process: real sockets on loopback, a real spool behind them."""

import gzip
import hashlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.journeys.nodes import eventually, free_port

from amagasa.adapters.receive.push import MAX_BYTES
from amagasa.adapters.seal.keys import create_party_keys
from amagasa.adapters.source.spooled import SpoolFollower
from amagasa.app.receiver_messages import Listening, Receive, Received, ReceiverSpec, Transport, read_from_receiver
from amagasa.entry.node.frames import FrameReader, write_frame
from amagasa.event.record import Chunk, Format

TOKEN = "a-token-of-the-test"
WAIT_S = 30.0
NOW = datetime(2026, 11, 27, tzinfo=UTC)


class Receiver:
    """A receiver process with the four kinds of port, spoken to by hand."""

    def __init__(self, root: Path, *specs: ReceiverSpec, keys: Path | None = None) -> None:
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-m", "amagasa.entry.node.receiver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._reader = FrameReader(self.process.stdout.fileno())
        folder = keys or root
        begin = Receive(specs=specs, certificate=str(folder / "tls.crt"), key=str(folder / "keys" / "tls.key"))
        write_frame(self.process.stdin.fileno(), msgspec.msgpack.encode(begin))

    def until_open(self, n: int) -> None:
        while n:
            n -= isinstance(self.hear(), Listening)

    def hear(self) -> Listening | Received:
        frame = self._reader.read(WAIT_S)
        assert frame is not None
        return read_from_receiver(frame)

    def hear_fault(self, code: str) -> Received:
        while True:
            said = self.hear()
            if isinstance(said, Received) and code in said.fault:
                return said

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(WAIT_S)


@contextmanager
def running(root: Path, *specs: ReceiverSpec, keys: Path | None = None) -> Iterator[Receiver]:
    receiver = Receiver(root, *specs, keys=keys)
    try:
        receiver.until_open(len(specs))
        yield receiver
    finally:
        receiver.process.kill()
        receiver.process.wait()
        for stream in (receiver.process.stdin, receiver.process.stdout):
            assert stream is not None
            stream.close()


def spec_of(root: Path, transport: Transport = Transport.TCP, **more: Any) -> ReceiverSpec:
    given: dict[str, Any] = {
        "name": "fw",
        "is_http": False,
        "transport": transport,
        "host": "127.0.0.1",
        "port": free_port(),
        "folder": str(root / "spool"),
        "quota_bytes": 64 * 1_048_576,
    }
    return ReceiverSpec(**(given | more))


def push_spec(root: Path, **more: Any) -> ReceiverSpec:
    token_hash = hashlib.sha256(TOKEN.encode()).hexdigest()
    return spec_of(root, is_http=True, name="push", token_hash=token_hash, **more)


def kept(root: Path, folder: str = "spool") -> list[bytes]:
    """What the spool holds."""
    follower = SpoolFollower(root / folder, "fw", None, Format.SYSLOG)
    lines: list[bytes] = []
    while pieces := follower.poll(NOW).pieces:
        for piece in pieces:
            assert isinstance(piece.item, Chunk)
            lines += piece.item.data.splitlines()
    return lines


def send(port: int, data: bytes) -> bytes:
    """Send, say that this was all, and wait until the other side has closed too."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        return line.recv(1)


def test_tcp_sender_that_closes_in_order_has_all_it_sent_on_the_disk(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    with running(tmp_path, spec) as receiver:
        assert send(spec.port, b"<13>one\n5 <13>2<13>three\n") == b""
        receiver.process.kill()
        receiver.process.wait()
    assert kept(tmp_path) == [b"<13>one", b"<13>2", b"<13>three"]


def test_udp_datagram_is_one_record(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, Transport.UDP)
    with running(tmp_path, spec), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for data in (b"<13>one\n", b"<13>two\nlines", b"\n", b"<13>three"):
            line.sendto(data, ("127.0.0.1", spec.port))
        eventually(lambda: len(kept(tmp_path)) == 3, about="the datagrams in the spool")
    assert kept(tmp_path) == [b"<13>one", b"<13>two#012lines", b"<13>three"]


def test_senders_that_are_not_named_are_not_let_in(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, senders=("192.0.2.0/24",))
    datagrams = spec_of(tmp_path, Transport.UDP, senders=("192.0.2.7",), folder=str(tmp_path / "udp"), name="udp")
    with running(tmp_path, spec, datagrams) as receiver:
        with pytest.raises(OSError, match=r"reset|not connected|Broken pipe"):
            send(spec.port, b"<13>one\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(b"<13>two", ("127.0.0.1", datagrams.port))
        refused: set[str] = set()
        while len(refused) < 2:
            said = receiver.hear()
            if isinstance(said, Received) and said.tally.n_refused:
                refused.add(said.source)
    assert kept(tmp_path) + kept(tmp_path, "udp") == []


@pytest.fixture(scope="module")
def party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("party")
    create_party_keys(folder, name="Japan", hosts=("127.0.0.1",), now=datetime.now(UTC))
    return folder


def secured(port: int, client: Path, *, has_certificate: bool) -> None:
    context = ssl.create_default_context(cafile=str(client / "tls.crt"))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if has_certificate:
        context.load_cert_chain(client / "tls.crt", client / "keys" / "tls.key")
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as plain, context.wrap_socket(plain) as line:
        line.sendall(b"9 <13>hello")
        line.unwrap()


def test_tls_without_client_certificates_takes_whoever_speaks_it(tmp_path: Path, party: Path) -> None:
    spec = spec_of(tmp_path, Transport.TLS)
    with running(tmp_path, spec, keys=party):
        secured(spec.port, party, has_certificate=False)
        eventually(lambda: kept(tmp_path), about="the message in the spool")
    assert kept(tmp_path) == [b"<13>hello"]


def test_tls_with_client_certificates_takes_those_alone(tmp_path: Path, party: Path) -> None:
    spec = spec_of(tmp_path, Transport.TLS, clients=str(party / "tls.crt"))
    with running(tmp_path, spec, keys=party):
        with pytest.raises((ssl.SSLError, OSError)):
            secured(spec.port, party, has_certificate=False)
        secured(spec.port, party, has_certificate=True)
        eventually(lambda: kept(tmp_path), about="the message in the spool")
    assert kept(tmp_path) == [b"<13>hello"]


def test_port_that_is_held_is_a_fault_and_is_tried_again(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    with socket.create_server(("127.0.0.1", spec.port)):
        receiver = Receiver(tmp_path, spec)
        said = receiver.hear_fault("AMG-RECEIVE-001")
    assert str(spec.port) in said.fault
    receiver.until_open(1)
    assert receiver.end() == 0
    for stream in (receiver.process.stdin, receiver.process.stdout):
        assert stream is not None
        stream.close()


def test_full_spool_makes_tcp_wait_and_says_so_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, quota_bytes=1_000_000)
    lines = [b"<13>%06d " % n + b"x" * 1_000 for n in range(3_000)]
    with running(tmp_path, spec) as receiver:
        sender = subprocess.Popen(
            [sys.executable, "-c", SENDER, str(spec.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert sender.stdin is not None
        sender.stdin.write(b"".join(line + b"\n" for line in lines))
        sender.stdin.close()
        said = receiver.hear_fault("AMG-RECEIVE-002")
        found = _drained(tmp_path, len(lines))
        assert sender.wait(WAIT_S) == 0
        assert sender.stdout is not None
        sender.stdout.close()
    assert said.tally.is_waiting
    assert found == lines


SENDER = """
import socket, sys
data = sys.stdin.buffer.read()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:
    line.sendall(data)
    line.shutdown(socket.SHUT_WR)
    assert line.recv(1) == b""
"""


def _drained(root: Path, n: int) -> list[bytes]:
    follower = SpoolFollower(root / "spool", "fw", None, Format.SYSLOG)
    lines: list[bytes] = []

    def look() -> bool:
        for piece in follower.poll(NOW).pieces:
            assert isinstance(piece.item, Chunk)
            lines.extend(piece.item.data.splitlines())
            follower.committed(piece.token)
        return len(lines) >= n

    eventually(look, about="all lines out of the spool")
    return lines


def test_full_spool_drops_datagrams_beyond_its_memory_and_counts_each(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, Transport.UDP, quota_bytes=10_000)
    n_sent = 400
    with running(tmp_path, spec) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for n in range(n_sent):
            line.sendto(b"<13>%04d" % n + b"x" * 50_000, ("127.0.0.1", spec.port))
        said = receiver.hear_fault("AMG-SOURCE-011")
    assert 0 < said.tally.n_dropped + said.tally.n_unheard < n_sent
    assert kept(tmp_path) == []


class Pushing:
    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/records"

    def __call__(self, body: bytes, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {TOKEN}"} | {key.replace("_", "-"): one for key, one in headers.items()}
        return httpx.post(self.address, content=body, headers=given, timeout=WAIT_S)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Pushing]]:
    root = tmp_path_factory.mktemp("push")
    spec = push_spec(root)
    with running(root, spec):
        yield root, Pushing(spec.port)


def test_push_is_answered_once_it_is_kept_whatever_its_form(pushed: tuple[Path, Pushing]) -> None:
    root, push = pushed
    before = len(kept(root))
    assert push(b'{"n":1}\n\n{"n":2}\r\n').json() == {"n_records": 2}
    assert push(gzip.compress(b'{"n":3}\n') + gzip.compress(b'{"n":4}'), Content_Encoding="gzip").status_code == 202
    assert push(b'[{"n":\n5}, {"n":6}]').json() == {"n_records": 2}
    assert push(b"").json() == {"n_records": 0}
    found = [b'{"n":1}', b'{"n":2}', b'{"n":3}', b'{"n":4}', b'{"n": 5}', b'{"n":6}']
    assert kept(root)[before:] == found


def test_push_sent_again_with_its_key_is_kept_once(pushed: tuple[Path, Pushing]) -> None:
    root, push = pushed
    before = len(kept(root))
    first = push(b'{"once": 1}', Idempotency_Key="batch-1")
    again = push(b'{"once": 1}', Idempotency_Key="batch-1")
    assert (first.status_code, again.status_code, again.json()["known"]) == (202, 202, True)
    assert len(kept(root)) == before + 1


BOMB = gzip.compress(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Authorization": "Bearer another"}, 401),
        (b"{}", {"Authorization": ""}, 401),
        (b"{}", {"Authorization": f"Basic {TOKEN}"}, 401),
        (b"{}", {"Content_Encoding": "br"}, 415),
        (b"no gzip", {"Content_Encoding": "gzip"}, 400),
        (gzip.compress(b"{}" * 99)[:-9], {"Content_Encoding": "gzip"}, 400),
        (b"[1, 2", {}, 400),
        (BOMB, {"Content_Encoding": "gzip"}, 413),
    ],
    ids=["token", "none", "basic", "encoding", "no-gzip", "cut-gzip", "array", "bomb"],
)
def test_push_that_cannot_be_taken_is_refused_whole(
    pushed: tuple[Path, Pushing], body: bytes, headers: dict[str, str], status: int
) -> None:
    root, push = pushed
    before = len(kept(root))
    answer = push(body, **headers)
    assert (answer.status_code, bool(answer.json()["why"])) == (status, True)
    assert len(kept(root)) == before


def test_push_that_says_it_is_too_long_is_refused_before_it_comes(pushed: tuple[Path, Pushing]) -> None:
    _, push = pushed
    head = (
        f"POST /records HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", httpx.URL(push.address).port or 0), WAIT_S) as line:
        line.sendall(head.encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


def test_push_without_room_is_told_when_to_come_again(tmp_path: Path) -> None:
    spec = push_spec(tmp_path, quota_bytes=1_000)
    with running(tmp_path, spec) as receiver:
        answer = Pushing(spec.port)(b'{"a": "%s"}' % (b"x" * 2_000))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        receiver.hear_fault("AMG-RECEIVE-002")
    assert kept(tmp_path) == []


def test_receiver_ends_when_its_pipe_does_and_has_kept_what_came(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    with running(tmp_path, spec) as receiver, socket.create_connection(("127.0.0.1", spec.port), WAIT_S) as line:
        line.sendall(b"<13>last words\n")
        assert receiver.end() == 0
    assert kept(tmp_path) == [b"<13>last words"]
