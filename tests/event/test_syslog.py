"""Syslog: headers of many shapes, routes by program, fields of messages, hostile lines."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.record import Format, LogSource
from amagasa.event.route import applies
from amagasa.event.syslog import detail_syslog
from tests.event.chunks import HOSTILE_S, READ_AT, cpu_s, read

BSD = "Feb 27 13:08:09 gate sshd[1361]: "
MEGABYTE = MAX_LINE_BYTES - 200


def shown(line: str) -> dict[str, Any]:
    found = read(Format.SYSLOG, line.encode() + b"\n")
    assert found.rejects == ()
    event = detail_syslog(found.batches[0].lines[0], READ_AT)
    assert event.route.name == found.batches[0].route.name
    return {"route": event.route.name, "at": event.event_at, **event.fields}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (BSD + "hello", {"hostname": "gate", "program": "sshd", "pid": "1361", "message": "hello"}),
        ("<38>" + BSD + "x", {"facility": "auth", "severity": "informational", "route": "linux/sshd"}),
        ("Feb  7 08:06:15 combo  -- root[2421]: ROOT LOGIN ON tty2", {"route": "linux/syslog", "hostname": "combo"}),
        ("Jun 19 04:09:11 h syslogd 1.4.1: restart.", {"message": "syslogd 1.4.1: restart."}),
        ("Jun 19 04:09:11 h sshd(pam_unix)[19]: check pass", {"program": "sshd", "pid": "19", "route": "linux/sshd"}),
        ("Jun 19 04:09:11 h /usr/sbin/CRON[7]: (root) CMD (x)", {"program": "CRON", "route": "linux/cron"}),
        ("2026-02-27T13:08:09.5+09:00 gate su: x", {"at": datetime(2026, 2, 27, 4, 8, 9, 500_000, UTC)}),
        (
            "2026-02-27 13:08:09,5 gate sshd[1]: x",
            {"hostname": "gate", "route": "linux/sshd", "at": datetime(2026, 2, 27, 13, 8, 9, 500_000, UTC)},
        ),
        ("<34>1 2003-10-11T22:14:15.003Z gate su - ID47 - failed", {"program": "su", "message": "failed"}),
        (
            '<165>1 2003-10-11T22:14:15.003Z gate app 8 ID [ex@1 a="b\\"]" c="d"][ey@2] \ufeffhello',
            {"program": "app", "pid": "8", "message": "hello", "facility": "local4", "severity": "notice"},
        ),
        ("<165>1 - - - - - -", {"message": ""}),
        ("Feb 27 13:08:09 sshd[1]: no host", {"program": "sshd", "message": "no host"}),
        (
            "172.16.5.10 6705: Feb 17 13:40:03.673: %PARSER-5-CFGLOG_LOGGEDCMD: User:admin  logged command:no aaa",
            {
                "route": "cisco",
                "hostname": "172.16.5.10",
                "mnemonic": "CFGLOG_LOGGEDCMD",
                "user": "admin",
                "command": "no aaa",
                "at": datetime(2026, 2, 17, 13, 40, 3, 673_000, UTC),
            },
        ),
        ("<189>12: *Mar  1 11:46:11.123: %SYS-5-CONFIG_I: Configured", {"route": "cisco", "severity": "notice"}),
        (
            r'<34>1 2026-11-26T10:00:00Z h app - - [ex@1 user="a \"b\" \] c" user="z"][two n="1"] hello',
            {"ex@1.user": 'a "b" ] c', "two.n": "1", "message": "hello"},
        ),
        ("Feb 17 13:40:03 rtr1 67: .Feb 17 13:40:01.1: %SEC_LOGIN-4-FAILED: x", {"hostname": "rtr1", "route": "cisco"}),
        (
            "Feb 17 13:40:03 fw1 %ASA-6-302013: Built outbound",
            {"route": "cisco/asa", "hostname": "fw1", "facility": "ASA"},
        ),
        (
            'type=EXECVE msg=audit(1604994496.155:92733): argc=2 a0="arp" a1=2D6120C3A9',
            {"a0": "arp", "a1": "-a é", "at": datetime(2020, 11, 10, 7, 48, 16, 155_000, UTC)},
        ),
        (
            "node=web type=USER_LOGIN msg=audit(1.5:2): uid=0 msg='op=login acct=\"x\" exe=\"/bin/sshd\" res=failed'",
            {"node": "web", "acct": "x", "exe": "/bin/sshd", "res": "failed"},
        ),
        (
            "type=SYSCALL msg=audit(1.5:2): a0=55 exe=2F746D702F6120 key=(null)\x1dSYSCALL=execve",
            {"a0": "55", "exe": "/tmp/a ", "SYSCALL": "execve", "key": None},
        ),
        (
            "[Sun Dec 04 04:47:44 2005] [error] [client 203.0.113.7] File does not exist",
            {"src_ip": "203.0.113.7", "severity": "error", "at": datetime(2005, 12, 4, 4, 47, 44, 0, UTC)},
        ),
        ("[Wed Oct 11 14:32:52.123456 2000] [core:error] [pid 3:tid 4] [client 203.0.113.7:5] x", {"pid": "3"}),
        ("2021/01/02 03:04:05 [error] 12#0: *3 open(), client: 203.0.113.7, server: x", {"src_ip": "203.0.113.7"}),
        ("- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond[29]: (root) CMD (x)", {"route": "linux/cron"}),
    ],
)  # fmt: skip
def test_syslog_line_shows(line: str, expected: dict[str, Any]) -> None:
    fields = shown(line)
    assert {name: fields.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Failed password for root from 203.0.113.7 port 22 ssh2", ("root", "203.0.113.7", 22, "failure")),
        ("Failed password for invalid user a b from 203.0.113.7 port 22 ssh2", ("a b", "203.0.113.7", 22, "failure")),
        (
            "Failed password for invalid user x from 198.51.100.1 port 1 ssh2 from 203.0.113.7 port 22 ssh2",
            ("x from 198.51.100.1 port 1 ssh2", "203.0.113.7", 22, "failure"),
        ),
        (
            "Accepted publickey for sato from 2001:db8::7 port 5 ssh2: RSA SHA256:x",
            ("sato", "2001:db8::7", 5, "success"),
        ),
        ("Invalid user  from 203.0.113.7", (None, "203.0.113.7", None, "failure")),
        ("Invalid user web from 203.0.113.7 port 9", ("web", "203.0.113.7", 9, "failure")),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=203.0.113.7  user=root",
            ("root", "203.0.113.7", None, "failure"),
        ),
        (
            "PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=root",
            ("root", "203.0.113.7", None, "failure"),
        ),
        ("PAM service(sshd) ignoring max retries; 6 > 3", (None, None, None, None)),
        (
            "Connection closed by authenticating user root 203.0.113.7 port 7 [preauth]",
            ("root", "203.0.113.7", 7, None),
        ),
        ("Received disconnect from 203.0.113.7 port 7:11: Bye Bye [preauth]", (None, "203.0.113.7", 7, None)),
        ("Did not receive identification string from 203.0.113.7", (None, "203.0.113.7", None, "failure")),
        (
            "reverse mapping checking getaddrinfo for a.example [203.0.113.7] failed - POSSIBLE BREAK-IN ATTEMPT!",
            (None, "203.0.113.7", None, "failure"),
        ),
        ("Server listening on 0.0.0.0 port 22.", (None, None, None, None)),
        (
            "message repeated 5 times: [ Failed password for root from 203.0.113.7 port 22 ssh2]",
            ("root", "203.0.113.7", 22, "failure"),
        ),
        ("message repeated 5 times: [" * 99 + "]" * 99, (None, None, None, None)),
    ],
)
def test_syslog_sshd_message_shows_user_address_port_outcome(message: str, expected: tuple[Any, ...]) -> None:
    fields = shown(BSD + message)
    assert tuple(fields.get(name) for name in ("user", "src_ip", "src_port", "outcome")) == expected


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (
            "sudo:   sato : TTY=pts/0 ; PWD=/home ; USER=root ; COMMAND=/bin/sh -c a ; b",
            {"user": "sato", "USER": "root", "COMMAND": "/bin/sh -c a ; b", "outcome": "success"},
        ),
        (
            "sudo: sato : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
            {"user": "sato", "command": "/bin/id", "outcome": "failure"},
        ),
        ("su[7]: Successful su for root by sato", {"user": "sato", "target_user": "root", "outcome": "success"}),
        ("su[7]: FAILED su for root by sato", {"user": "sato", "target_user": "root", "outcome": "failure"}),
        ("useradd[7]: new user: name=eve, UID=1001, GID=1001, home=/home/eve", {"target_user": "eve"}),
        ("usermod[7]: add 'eve' to group 'sudo'", {"target_user": "eve", "group": "sudo"}),
        ("CRON[7]: (root) CMD (run-parts /etc/cron.hourly)", {"user": "root", "command": "run-parts /etc/cron.hourly"}),
        ("crontab[7]: (root) REPLACE (root)", {"user": "root", "command": "root"}),
        ("passwd[7]: pam_unix(passwd:chauthtok): password changed for eve", {"target_user": "eve"}),
        (
            "sudo: pam_unix(sudo:session): session opened for user root by sato(uid=0)",
            {"user": "sato", "target_user": "root"},
        ),
        ("systemd-logind[7]: New session 1 of user ubuntu.", {"user": "ubuntu"}),
    ],
)
def test_syslog_message_of_other_programs_shows(tail: str, expected: dict[str, Any]) -> None:
    fields = shown("Feb 27 13:08:09 gate " + tail)
    assert {name: fields.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        (BSD + "x", [("linux", "sshd"), ("linux", "auth"), ("linux", "syslog"), ("linux", None)]),
        ("Feb 27 13:08:09 h cron: x", [("linux", "cron"), ("linux", "syslog")]),
        ("Feb 27 13:08:09 h named: x", [("linux", "syslog"), ("linux", None)]),
        ("Feb 27 13:08:09 h vsftpd: x", [("linux", "vsftpd")]),
        ("Feb 27 13:08:09 h clamd: x", [("linux", "clamav")]),
        ("type=PATH msg=audit(1.5:2): item=0", [("linux", "auditd")]),
        ("Feb 17 13:40:03 fw1 %ASA-6-302013: x", [("cisco", "aaa"), ("cisco", "syslog"), ("cisco", None)]),
        ("[Sun Dec 04 04:47:44 2005] [error] x", [(None, "apache"), ("apache", None)]),
    ],
)
def test_syslog_route_satisfies_the_log_sources_of_its_program(line: str, sources: list[tuple[str, str]]) -> None:
    route = read(Format.SYSLOG, line.encode()).batches[0].route
    assert all(applies(LogSource(product=product, service=service), route) for product, service in sources)
    assert not applies(LogSource(product="windows"), route)


@pytest.mark.parametrize(
    "message",
    [
        "Invalid user %SYS-5-CONFIG_I: x from 203.0.113.7",
        "x type=EXECVE msg=audit(1.5:2): a0=x",
        "sudo: x",
        "[error] x",
    ],
)
def test_syslog_route_cannot_be_chosen_by_the_message(message: str) -> None:
    assert shown(BSD + message)["route"] == "linux/sshd"


def test_syslog_rows_hold_the_line_for_keywords_and_fields_with_their_case() -> None:
    line = b"Feb 27 13:08:09 h sudo: sato : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id\n"
    found = read(Format.SYSLOG, line, fields=("_raw", "USER", "user", "Message", "nothing"))
    raw, target, user, message, _ = found.batches[0].rows[0]
    assert (raw, target, user) == (line.decode().strip(), "root", "sato")
    assert message.startswith("sato :")


# Logs which programs write for themselves: a date with a space, but neither a host nor a tag behind it.
PROGRAM_LOGS = (
    "2026-02-27 13:08:09,123 - INFO  [main:Server@1] - listening",
    "2026-02-27 13:08:09, Info  CBS  Loaded",
    "2026-02-27 13:08:09.123 WARN worker [pool-1]: slow",
)


@pytest.mark.parametrize(
    "line", ["hello", "\x00\x01", '{"a": 1}', "<999999>x", "[10.30 16:49:06] chrome.exe - proxy", *PROGRAM_LOGS]
)
def test_syslog_other_line_is_rejected_with_its_reason(line: str) -> None:
    found = read(Format.SYSLOG, (BSD + "x\n").encode(), line.encode() + b"\n")
    assert [(reject.record, reject.code) for reject in found.rejects] == [(2, "AMG-EVENT-012")]


@pytest.mark.parametrize(
    "line",
    [
        " " * MEGABYTE,
        "Feb 27 13:08:09 " + "h" * MEGABYTE,
        "Feb 27 13:08:09 h " + "(" * MEGABYTE,
        "Feb 27 13:08:09 h a" + "[" * MEGABYTE,
        "2026-02-27 13:08:09 " + "h " * (MEGABYTE // 2),
        BSD + "Failed password for " + " from 1.2.3.4 port 1" * (MEGABYTE // 20),
        BSD + "Failed password for " + " from 1" * 1_000,
        "<13>1 - - - - - [" + '"\\' * (MEGABYTE // 2),
        "<13>1 - - - - - " + "[a]" * (MEGABYTE // 3),
        "type=EXECVE msg=audit(1.5:2): " + 'a="' * (MEGABYTE // 3),
        "%A" * (MEGABYTE // 2),
        "Feb 27 13:08:09 h sudo: a : " + "TTY=" * (MEGABYTE // 4),
    ],
    ids=range(12),
)
def test_syslog_hostile_line_costs_no_more_than_its_length(line: str) -> None:
    assert cpu_s(lambda: read(Format.SYSLOG, line.encode() + b"\n", fields=("user", "src_ip"))) < HOSTILE_S


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_syslog_any_bytes_are_read_or_rejected(lines: list[bytes]) -> None:
    read(Format.SYSLOG, *(line + b"\n" for line in lines), fields=("user", "_raw"))


@given(st.sampled_from(["sshd", "sudo", "su", "cron", "useradd", "vsftpd", "audit", "x"]), st.text(max_size=200))
def test_syslog_any_message_of_any_program_is_read(program: str, message: str) -> None:
    line = f"Feb 27 13:08:09 gate {program}[1]: {message}".encode("utf-8", "replace").replace(b"\n", b" ")
    found = read(Format.SYSLOG, line, fields=("user", "src_ip", "outcome"))
    assert found.n_accepted == 1
    assert detail_syslog(found.batches[0].lines[0], READ_AT).event_at is not None


def test_syslog_sysmon_for_linux_is_read_as_sysmon() -> None:
    xml = (
        '<Event><System><Provider Name="Linux-Sysmon"/><EventID>1</EventID>'
        '<TimeCreated SystemTime="2022-05-11T18:10:20.399931Z"/>'
        "<Channel>Linux-Sysmon/Operational</Channel></System>"
        '<EventData><Data Name="Image">/bin/bash</Data><Data Name="CommandLine">sh &gt;x</Data></EventData></Event>'
    )
    line = f"May 11 18:10:20 web sysmon: {xml}\n".encode()
    found = read(Format.SYSLOG, line, fields=("Image", "CommandLine"))
    assert found.batches[0].rows == [("/bin/bash", "sh >x")]
    assert applies(LogSource(product="linux", category="process_creation"), found.batches[0].route)
    assert detail_syslog(line, READ_AT).event_at == datetime(2022, 5, 11, 18, 10, 20, 399_931, UTC)
