"""Fuzzing of every parser with atheris (libFuzzer for Python): no input may raise what its docstring does not name.

    pip install atheris                       # not among the project's own requirements
    python fuzz/run.py --list
    python fuzz/run.py --seconds 60           # every target in turn, each in a process of its own
    python fuzz/run.py --target sigma -- -runs=1000000 CORPUS    # one, with libFuzzer's own options

Exit 1 where an input was found; libFuzzer writes it beside the working folder as crash-....
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from amagasa.adapters.source.documents import is_document
from amagasa.adapters.source.followed_table import FollowedTable
from amagasa.adapters.source.journal_export import entries_of
from amagasa.adapters.source.stream import Stream
from amagasa.app.taxii_document import parse_document
from amagasa.detect.sigma.compile import compile_document
from amagasa.detect.stix.parse import parse
from amagasa.entry.allies.wire import TaxiiError, parse_envelope, read_next
from amagasa.event.dialects import of_asa, of_line, of_message
from amagasa.event.error_logs import of_error_log
from amagasa.event.jsonline import object_of
from amagasa.event.mapped import format_of
from amagasa.event.mapping import LogMapping, read_mapping
from amagasa.event.normalise import detail, normalise
from amagasa.event.ocsf import event_of, missing_of
from amagasa.event.record import Chunk, Format, Route
from amagasa.event.sniff import sniff
from amagasa.event.table import Table
from amagasa.intel.stix import parse_object
from amagasa.mission.read import Text, read_model
from amagasa.share.draft import parse_draft
from amagasa.share.form import parse_card
from amagasa.vocab.errors import BadInputError

NOW: Final = datetime(2026, 11, 27, tzinfo=UTC)
FIELDS: Final = ("CommandLine", "Image", "Hashes", "_raw", "c-uri", "cs-user-agent", "src_ip", "message", "a.b.c")
Target = Callable[[bytes], None]


def _wanted(_: Route) -> tuple[str, ...]:
    return FIELDS


def records(form: Format) -> Target:
    """Records of a format: accepted and rejected are all that were read, and each accepted one has its details."""

    def run(data: bytes) -> None:
        made = normalise(Chunk(path="x", format=form, first_record=1, data=data, read_at=NOW), _wanted)
        if made.n_accepted + len(made.rejects) != made.n_read:
            message = f"{made.n_accepted} + {len(made.rejects)} != {made.n_read}"
            raise AssertionError(message)
        for batch in made.batches:
            for index in range(len(batch.rows)):
                detail(batch, index)

    return run


def mapped(mapping: str) -> Target:
    """Lines read by a mapping, with the same promise."""
    by = read_mapping(mapping)
    if not isinstance(by, LogMapping):
        raise TypeError(str(by))

    def run(data: bytes) -> None:
        chunk = Chunk(path="x", format=format_of(by), first_record=1, data=data, read_at=NOW, mapping=by)
        made = normalise(chunk, _wanted)
        if made.n_accepted + len(made.rejects) != made.n_read:
            message = f"{made.n_accepted} + {len(made.rejects)} != {made.n_read}"
            raise AssertionError(message)
        for batch in made.batches:
            for index in range(len(batch.rows)):
                detail(batch, index)

    return run


def text(read: Callable[[str], Any]) -> Target:
    """A reader of text."""
    return lambda data: read(data.decode("utf-8", "replace")) and None


def refusing(read: Callable[[bytes], Any], *refusals: type[Exception]) -> Target:
    """A reader which may refuse."""

    def run(data: bytes) -> None:
        try:
            read(data)
        except refusals:
            return

    return run


def _rows(shown: str) -> list[Any]:
    table = Table()
    return [table.row(line) for line in shown.split("\n")]


def _followed(data: bytes) -> None:
    table = FollowedTable()
    if table.objects(data + b"\n").count(b"\n") != data.count(b"\n") + 1:
        raise AssertionError(data)
    FollowedTable(table.header)


def _journal(data: bytes) -> None:
    list(entries_of("x", Stream(iter((data,))), NOW))


def _ocsf(data: bytes) -> None:
    fields = object_of(data)
    if isinstance(fields, dict) and missing_of(event_of(fields, uid="u", at=NOW, severity_id=1)):
        raise AssertionError(data)


def _dialects(shown: str) -> None:
    of_line(shown)
    of_asa(shown)
    for program in ("cef", "leef", "kernel", "filterlog", "haproxy", "checkpoint", "nginx"):
        of_message(program, shown)
    of_error_log(shown)


_SOURCE: Final = '\nname = "x"\n[logsource]\nproduct = "x"\n[time]\nfield = "a"\nformat = "%b %d %H:%M:%S"\n'
TARGETS: Final[dict[str, tuple[Target, tuple[bytes, ...]]]] = {
    "mapping": (text(read_mapping), (b'name = "a"\nkind = "csv"\ncolumns = ["a"]\n[logsource]\nproduct = "x"\n',)),
    "mapped-csv": (mapped('kind = "csv"\ncolumns = ["a", "b"]' + _SOURCE), (b'Dec 31 10:00:00,"b, c"\n',)),
    "mapped-pairs": (mapped('kind = "key_value"' + _SOURCE), (b'a="Dec 31 10:00:00" b=1\n',)),
    "windows": (
        records(Format.WINDOWS),
        (b'{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","CommandLine":"a","Hashes":"MD5=1"}\n',),
    ),
    "access": (
        records(Format.ACCESS),
        (b'192.0.2.1 - - [26/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "x"\n',),
    ),
    "syslog": (
        records(Format.SYSLOG),
        (
            b'<34>1 2026-11-26T10:00:00Z host su 1 - [x a="b"] hello\n',
            b"Nov 26 10:00:00 host sshd[1]: Failed password for root from 192.0.2.1 port 1 ssh2\n",
            b'type=EXECVE msg=audit(1.5:2): argc=2 a0="x" a1=41\n',
            b"CEF:0|a|b|c|d|e|5|src=192.0.2.1\n",
        ),
    ),
    "json": (
        records(Format.JSON),
        (
            b'{"event_type":"dns","src_ip":"192.0.2.1","dns":{"rrname":"x"}}\n',
            b'{"_path":"conn"}\n',
            b'{"MESSAGE":[65,66]}\n',
            b'{"AuditData":"{}"}\n',
        ),
    ),
    "sniff": (lambda data: sniff(data, "x") and None, (b"{}",)),
    "document": (lambda data: is_document(data) and None, (b'{"Records":[{}]}',)),
    "dialects": (
        text(_dialects),
        (
            b"CEF:0|a|b|c|d|e|5|src=192.0.2.1",
            b"LEEF:2.0|a|b|c|d|^|src=1^dst=2",
            b'1,2026/11/26 10:00:01,01,THREAT,url,0,2026/11/26 10:00:00,192.0.2.1,192.0.2.2,,,"a, b"',
            b"192.0.2.1:4 [26/Nov/2026:10:00:00.123] f b/s 0/0/5 212 -- 0/0/0/0/3 0/0",
        ),
    ),
    "table": (
        text(_rows),
        (b"#Fields: date time c-ip\n2026-11-26 10:00:00 192.0.2.1", b"#separator \\x09\n#fields\ta"),
    ),
    "followed-table": (_followed, (b"#Fields: date time c-ip\n2026-11-26 10:00:00 192.0.2.1",)),
    "journal-export": (_journal, (b"__CURSOR=s\n__REALTIME_TIMESTAMP=1\nMESSAGE\n\x01\0\0\0\0\0\0\0a\n\n",)),
    "ocsf": (_ocsf, (b'{"EventID":1,"Channel":"x/Sysmon/Operational","Image":"a","ProcessId":1}',)),
    "sigma": (
        text(lambda shown: compile_document("x", shown, placeholders={})),
        (
            b"title: a\nid: 6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10\nlogsource: {category: webserver}\n"
            b"detection: {s: {c-uri|contains|all: [a, 'b*']}, condition: 1 of s*}\nlevel: low\n",
            b"title: a\nid: 6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a11\ncorrelation: {type: event_count, rules: [x], "
            b"group-by: [a], timespan: 5m, condition: {gte: 2}}\n",
        ),
    ),
    "stix-pattern": (
        text(parse),
        (b"[ipv4-addr:value ISSUBSET '192.0.2.0/24'] FOLLOWEDBY [file:hashes.MD5 = 'a'] WITHIN 5 SECONDS",),
    ),
    "stix-object": (lambda data: parse_object(data) and None, (b'{"type":"indicator","spec_version":"2.1","id":"x"}',)),
    "agreement": (lambda data: parse_draft(data) and None, (b"title = 'a'\n[[clauses]]\n",)),
    "card": (lambda data: parse_card(data) and None, (b'{"name":"a"}',)),
    "mission": (lambda data: read_model([Text(path="x.toml", content=data)]) and None, (b"[[mission]]\nname = 'a'\n",)),
    "taxii-document": (
        refusing(lambda data: parse_document(data, now=NOW), BadInputError),
        (b'{"/discovery":{"title":"a"},"r":{"information":{"title":"b"},"collections":[]}}',),
    ),
    "taxii-envelope": (refusing(parse_envelope, TaxiiError), (b'{"objects":[{"type":"x"}]}',)),
    "taxii-next": (refusing(lambda data: read_next(data.decode("latin-1")), TaxiiError), (b"MjAyNg",)),
}


def main() -> int:
    """Run what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("options", nargs="*", help="libFuzzer's own, behind --")
    asked = parser.parse_args()
    if asked.list:
        print("\n".join(TARGETS))
        return 0
    if asked.target:
        fuzz(asked.target, asked.options)
    failed = [name for name in TARGETS if _run(name, asked.seconds)]
    print(f"{len(TARGETS)} targets, {asked.seconds} s each; found something: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _run(name: str, seconds: int) -> int:
    corpus = Path("fuzz-corpus") / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name][1]):
        (corpus / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, __file__, "--target", name, "--", f"-max_total_time={seconds}", "-max_len=4096"]
    done = subprocess.run([*command, "-rss_limit_mb=2048", str(corpus)], capture_output=True, text=True, check=False)
    told = next((line for line in reversed(done.stderr.splitlines()) if "Done" in line or "exec/s" in line), "")
    print(f"{name}: exit {done.returncode}; {told.strip()}", flush=True)
    if done.returncode:
        print("\n".join(_interesting(done.stderr)), flush=True)
    return done.returncode


def _interesting(told: str) -> Iterator[str]:
    lines = told.splitlines()
    start = next(
        (at for at, line in enumerate(lines) if "Uncaught" in line or "ERROR" in line), max(0, len(lines) - 20)
    )
    yield from lines[start : start + 40]


def fuzz(name: str, options: list[str]) -> None:
    """Run one target until libFuzzer ends. Never returns."""
    import atheris  # noqa: PLC0415 - whoever lists the targets needs none

    run = TARGETS[name][0]
    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
