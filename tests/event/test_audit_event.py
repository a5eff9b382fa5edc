"""Records of the Linux audit system, together: processes, files and connections as rules for Linux name them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.source.lines import chunks_of
from amagasa.event.audit_event import MAX_RECORDS, joined, whole_events
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Format

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def record(kind: str, serial: int, rest: str) -> bytes:
    return f"type={kind} msg=audit(1795734000.155:{serial}): {rest}".encode()


def process(serial: int, *arguments: str, success: str = "yes") -> list[bytes]:
    said = " ".join(f'a{place}="{one}"' for place, one in enumerate(arguments))
    return [
        record(
            "SYSCALL",
            serial,
            f'arch=c000003e syscall=59 success={success} exit=0 ppid=10 pid=20 auid=1000 uid=0 exe="/usr/bin/curl" '
            'key="exec"\x1dARCH=x86_64 SYSCALL=execve AUID="taro" UID="root"',
        ),
        record("EXECVE", serial, f"argc={len(arguments)} {said}"),
        record("CWD", serial, 'cwd="/root"'),
        record("PATH", serial, 'item=0 name="/usr/bin/curl" inode=1 nametype=NORMAL'),
        record("PROCTITLE", serial, "proctitle=6375726C"),
    ]


def batches(*lines: bytes, first: int = 1) -> dict[str, list[tuple[int, dict[str, object]]]]:
    data = b"\n".join(lines) + b"\n"
    chunk = Chunk(path="audit.log", format=Format.SYSLOG, first_record=first, data=data, read_at=NOW)
    found = normalise(chunk, lambda _: ("_raw",))
    assert (found.n_read, found.n_accepted) == (len(lines), len(lines))
    return {
        batch.route.name: [(batch.records[at], dict(detail(batch, at).fields)) for at in range(len(batch.rows))]
        for batch in found.batches
    }


def test_records_of_a_system_call_are_a_process_beside_themselves() -> None:
    found = batches(*process(7, "curl", "-o", "/tmp/x", "http://198.51.100.7/x"), first=5)
    ((place, fields),) = found["linux/auditd/process_creation"]
    assert place == 5
    assert fields["CommandLine"] == "curl -o /tmp/x http://198.51.100.7/x"
    assert fields["Image"] == "/usr/bin/curl"
    assert (fields["User"], fields["LoginUser"], fields["CurrentDirectory"]) == ("root", "taro", "/root")
    assert (fields["ProcessId"], fields["ParentProcessId"]) == ("20", "10")
    assert len(found["linux/auditd"]) == 5


def test_its_time_and_its_evidence_are_those_of_all_its_records() -> None:
    lines = process(7, "curl")
    chunk = Chunk(path="a", format=Format.SYSLOG, first_record=1, data=b"\n".join(lines), read_at=NOW)
    batch = next(one for one in normalise(chunk, lambda _: ("Image",)).batches if "process" in one.route.name)
    assert batch.rows == [("/usr/bin/curl",)]
    assert batch.lines == [b"\n".join(lines)]
    assert detail(batch, 0).event_at == datetime(2026, 11, 26, 23, 0, 0, 155_000, tzinfo=UTC)


def test_records_of_two_events_that_mingle_are_told_apart() -> None:
    one, other = process(7, "curl", "a"), process(8, "curl", "b")
    mingled = [line for pair in zip(one, other, strict=True) for line in pair]
    found = batches(*mingled)["linux/auditd/process_creation"]
    assert [(place, fields["CommandLine"]) for place, fields in found] == [(1, "curl a"), (2, "curl b")]


def test_a_call_that_failed_is_no_process() -> None:
    assert "linux/auditd/process_creation" not in batches(*process(7, "curl", success="no"))


def test_long_arguments_in_pieces_and_in_hexadecimal_are_put_together() -> None:
    lines = process(7)
    lines[1] = record("EXECVE", 7, 'argc=2 a0="sh" a1_len=12 a1[0]=6563686F20 a1[1]=68692022E99BA8')
    ((_, fields),) = batches(*lines)["linux/auditd/process_creation"]
    assert fields["CommandLine"] == 'sh echo hi "雨'


def test_a_process_without_its_arguments_has_the_title() -> None:
    lines = [process(7)[0], record("PROCTITLE", 7, "proctitle=6375726C002D6B")]
    ((_, fields),) = batches(*lines)["linux/auditd/process_creation"]
    assert fields["CommandLine"] == "curl -k"


@pytest.mark.parametrize(("kind", "category"), [("CREATE", "file_event"), ("DELETE", "file_delete")])
def test_a_file_created_or_deleted_is_named_from_the_folder_of_the_process(kind: str, category: str) -> None:
    lines = [
        record("SYSCALL", 9, 'syscall=257 success=yes pid=4 uid=33 exe="/usr/sbin/apache2"'),
        record("CWD", 9, 'cwd="/var/www"'),
        record("PATH", 9, 'item=0 name="up/" nametype=PARENT'),
        record("PATH", 9, f'item=1 name="up/shell.php" nametype={kind}'),
    ]
    ((_, fields),) = batches(*lines)[f"linux/auditd/{category}"]
    assert (fields["TargetFilename"], fields["Image"], fields["User"]) == (
        "/var/www/up/shell.php",
        "/usr/sbin/apache2",
        "33",
    )


@pytest.mark.parametrize(
    ("address", "ip", "port"),
    [
        ("saddr=0200115CC63364070000000000000000", "198.51.100.7", 4444),
        ("saddr=0A00115C0000000020010DB800000000000000000000000100000000", "2001:db8::1", 4444),
        ("saddr=00\x1dSADDR={ saddr_fam=inet laddr=198.51.100.7 lport=4444 }", "198.51.100.7", 4444),
    ],
)
def test_a_connection_is_told_by_the_address_of_its_socket(address: str, ip: str, port: int) -> None:
    lines = [
        record("SYSCALL", 9, 'syscall=42 success=no exit=-115 pid=4 exe="/bin/bash"'),
        record("SOCKADDR", 9, address),
    ]
    ((_, fields),) = batches(*lines)["linux/auditd/network_connection"]
    assert (fields["DestinationIp"], fields["DestinationPort"], fields["Image"]) == (ip, port, "/bin/bash")


@pytest.mark.parametrize("address", ["saddr=0100", "saddr=02", "saddr=zz", ""])
def test_a_socket_of_another_family_is_no_connection(address: str) -> None:
    lines = [record("SYSCALL", 9, "syscall=42 exe=/bin/bash"), record("SOCKADDR", 9, address)]
    assert list(batches(*lines)) == ["linux/auditd"]


def test_records_behind_a_header_of_syslog_are_put_together_and_those_in_a_message_are_not() -> None:
    head = b"Nov 27 06:20:00 web audispd: "
    found = batches(*(head + line for line in process(7, "curl")))
    assert len(found["linux/auditd/process_creation"]) == 1
    lie = b"Nov 27 06:20:00 web sshd[1]: "
    assert list(batches(*(lie + line for line in process(7, "curl")))) == ["linux/sshd"]


def test_whole_events_cuts_in_front_of_an_event_whose_rest_may_come() -> None:
    one, other = process(7, "curl"), process(8, "curl")
    lines = [*one, *other]
    whole = {
        n: b"".join(line + b"\n" for line in lines[:n])[: whole_events(b"".join(line + b"\n" for line in lines[:n]))]
        for n in range(1, 11)
    }
    assert [text.count(b"\n") for text in whole.values()] == [0, 0, 0, 0, 5, 5, 5, 5, 5, 10]


def test_whole_events_holds_nothing_else_back() -> None:
    for data in (b"", b"\n", b"Nov 27 06:20:00 web sshd[1]: hello\n", b'{"a": "audit(1.2:3)"}\n\n'):
        assert whole_events(data) == len(data)
    endless = b"".join(record("PATH", 7, "name=x") + b"\n" for _ in range(MAX_RECORDS + 5))
    assert whole_events(endless) == len(endless)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_chunks_of_a_log_never_cut_an_event_in_two(sizes: list[int]) -> None:
    lines = [line for serial in range(40) for line in process(serial, "curl", "x" * 30)]
    data = b"\n".join(lines) + b"\n"
    blocks: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(blocks) % len(sizes)] * 10
        blocks.append(data[at : at + size])
        at += size
    chunks = [one for one in chunks_of("a", Format.SYSLOG, iter(blocks), NOW) if isinstance(one, Chunk)]
    assert b"".join(one.data for one in chunks) == data
    n_found = sum(
        len(batch.rows)
        for chunk in chunks
        for batch in normalise(chunk, lambda _: ()).batches
        if batch.route.name.endswith("process_creation")
    )
    assert n_found == 40


@given(st.lists(st.binary(max_size=80).map(lambda rest: b"type=EXECVE msg=audit(1.1:1): " + rest), max_size=8))
def test_joined_of_anything_never_raises(lines: list[bytes]) -> None:
    call = record("SYSCALL", 1, "syscall=59").replace(b"1795734000.155", b"1.1")
    for one in joined([*enumerate(lines), (9, call)]):
        assert one.lines.count(b"\n") == len(one.lines.split(b"\n")) - 1
        assert "Image" in one.fields or "CommandLine" in one.fields or one.fields
