"""Captures -> messages of industrial protocols, by Wireshark's dissectors in a caged child process (`cage`).

The child reads the capture from a pipe: it opens no file. It gets no packet before it has room for one, and where it
dies over a packet it is started again behind that place; what was passed over is a fault, never silent.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Final

from amagasa.adapters.source import cage
from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.packets import Capture
from amagasa.adapters.source.stream import BrokenSourceError, Stream
from amagasa.event.ot.columns import AGGREGATOR, COLUMNS, FILTER
from amagasa.event.ot.dissect import Dissection
from amagasa.event.ot.message import line_of
from amagasa.event.record import Chunk, Format, SourceFault
from amagasa.vocab.text import show

NO_DISSECTOR: Final = "AMG-SOURCE-020"
DISSECTOR_DIED: Final = "AMG-SOURCE-021"
PACKETS_LOST: Final = "AMG-SOURCE-022"
MAX_RESTARTS: Final = 5
# A packet that takes longer than this has caught the dissector in a loop.
SILENCE_S: Final = 120.0
# Where the other port of a connection happens to be known for something else, these decide.
_PORTS: Final = ("tcp.port==502,mbtcp", "tcp.port==44818,enip", "tcp.port==2404,iec60870_104", "tcp.port==102,tpkt")
# Of what dissectors are chosen by a port, these are needed: protocols of industry and what carries other packets.
_NEEDED: Final = frozenset(
    {
        *("modbus", "mbtcp", "mbudp", "mbrtu", "dnp3", "iec60870_104", "tpkt", "cotp", "enip", "cipio", "bvlc"),
        *("synphasor", "omron", "hart_ip", "pn_rt", "goose", "r-goose", "clnp"),
        *("vxlan", "vxlan_gpe", "geneve", "gre", "l2tp", "mpls", "teredo", "ayiya", "tzsp", "erspan"),
    }
)
_CHUNK_MESSAGES: Final = 4_096
_PORT_TABLES: Final = frozenset({"tcp.port", "udp.port"})
_EMPTY: Final = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + b"\xff\xff\x00\x00\x01\x00\x00\x00"


def dissector() -> str | None:
    """Where tshark is; None where it is not installed."""
    return shutil.which("tshark")


def messages_of(path: str, stream: Stream, read_at: datetime) -> Iterator[Item]:
    """Chunks of messages, one JSON object a line, numbered by their packets; faults for what was not looked at."""
    program = dissector()
    if program is None:
        why = (
            "it is a capture, and the dissector tshark is not installed; nothing of it was looked at; "
            "install the package tshark (Debian: apt install tshark)"
        )
        yield SourceFault(path=path, why=why, code=NO_DISSECTOR)
        return
    yield from _Run(path, program, Capture(stream), read_at).items()


class _Run:
    """One capture through as many children as it takes."""

    def __init__(self, path: str, program: str, capture: Capture, read_at: datetime) -> None:
        self._path = path
        self._program = program
        self._capture = capture
        self._read_at = read_at
        self._packets = capture.packets()
        self._n_fed = 0
        self._n_lost = 0
        self._broken: BrokenSourceError | None = None
        self._is_done = False

    def items(self) -> Iterator[Item]:
        columns = _known_columns(self._program)
        first = next(self._guarded(), None)
        n_restarts = 0
        while first is not None:
            base = self._n_fed - 1
            child = _Child(self._program, columns)
            feeder = threading.Thread(target=self._feed, args=(child, first), daemon=True)
            feeder.start()
            dissection = Dissection(columns, base)
            last = yield from self._chunks(child, dissection)
            status = child.end()
            feeder.join()
            self._n_lost += dissection.n_lost
            if status == 0 and self._is_done:
                break
            n_restarts += 1
            yield self._death(child, max(last, base), n_restarts)
            if n_restarts > MAX_RESTARTS or status == cage.REFUSED:
                break
            first = next(self._guarded(), None)
        if self._broken is not None:
            yield self._broken.fault(self._path)
        yield from self._losses()

    def _chunks(self, child: "_Child", dissection: Dissection) -> Generator[Item, None, int]:
        lines: list[bytes] = []
        numbers: list[int] = []
        last = 0
        for text in child.lines():
            for message in dissection.messages(text):
                lines.append(line_of(message))
                numbers.append(message.packet)
                last = message.packet
            if len(lines) >= _CHUNK_MESSAGES:
                yield self._chunk(lines, numbers)
                lines, numbers = [], []
        if lines:
            yield self._chunk(lines, numbers)
        return last

    def _chunk(self, lines: list[bytes], numbers: list[int]) -> Chunk:
        return Chunk(
            path=self._path,
            format=Format.JSON,
            first_record=numbers[0],
            data=b"\n".join(lines) + b"\n",
            read_at=self._read_at,
            numbers=tuple(numbers),
        )

    def _guarded(self) -> Iterator[bytes]:
        """The packets left; what ends them early is kept for its place at the end."""
        try:
            for packet in self._packets:
                self._n_fed += 1
                yield packet
        except BrokenSourceError as error:
            self._broken = error
        self._is_done = True

    def _feed(self, child: "_Child", first: bytes) -> None:
        try:
            child.input.write(self._capture.preamble)
            child.input.write(first)
            for packet in self._guarded():
                child.input.write(packet)
            child.input.close()
        except (BrokenPipeError, ValueError, OSError):
            pass
        # What its buffer holds is for a child that is gone.
        with suppress(OSError):
            child.input.close()

    def _death(self, child: "_Child", last: int, n_restarts: int) -> SourceFault:
        then = "the rest was not looked at" if n_restarts > MAX_RESTARTS else "it was started again behind them"
        why = (
            f"the dissector died ({child.said()}) after packet {last}; packets {last + 1} to {self._n_fed} "
            f"may not have been looked at; {then}"
        )
        return SourceFault(path=self._path, why=why, code=DISSECTOR_DIED)

    def _losses(self) -> Iterator[SourceFault]:
        if self._capture.n_dropped:
            why = f"the capture itself lacks {self._capture.n_dropped} packets, which its writer dropped"
            yield SourceFault(path=self._path, why=why, code=PACKETS_LOST)


class _Child:
    """A caged dissector."""

    def __init__(self, program: str, columns: tuple[str, ...]) -> None:
        self._process = _start(program, columns)
        self._error = b""
        self._is_stuck = False
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._timer: threading.Timer | None = None

    @property
    def input(self) -> IO[bytes]:
        """Where packets go; full pipes make the writer wait."""
        return _pipe(self._process.stdin)

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends or is silent for too long."""
        output = _pipe(self._process.stdout)
        self._arm()
        for n_lines, line in enumerate(output):
            if not n_lines % 256:
                self._arm()
            yield line.decode("utf-8", "backslashreplace").rstrip("\n")
        self._disarm()

    def end(self) -> int:
        """Its exit code, once its output has ended."""
        self._disarm()
        status = self._process.wait()
        self._listener.join()
        for stream in (self._process.stdout, self._process.stderr):
            _pipe(stream).close()
        return status

    def said(self) -> str:
        """Why it ended, in words."""
        if self._is_stuck:
            return f"it hung for {SILENCE_S:.0f} s"
        status = self._process.returncode
        lines = [line for line in self._error.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
        words = f": {show(lines[-1], 120)}" if lines else ""
        return f"signal {-status}{words}" if status < 0 else f"exit code {status}{words}"

    def _arm(self) -> None:
        self._disarm()
        self._timer = threading.Timer(SILENCE_S, self._kill)
        self._timer.daemon = True
        self._timer.start()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _kill(self) -> None:
        self._is_stuck = True
        self._process.kill()

    def _listen(self) -> None:
        for line in _pipe(self._process.stderr):
            self._error = (self._error + line)[-4_096:]


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        message = "the child was started with pipes"
        raise AssertionError(message)
    return stream


def _start(program: str, columns: tuple[str, ...]) -> subprocess.Popen[bytes]:
    chosen = [part for name in columns for part in ("-e", name)]
    return _caged(
        program,
        *("-n", "-l", "-r", "-", "-T", "fields", "-E", "separator=/t", "-E", f"aggregator={AGGREGATOR}"),
        *(part for port in _PORTS for part in ("-d", port)),
        *(part for name in _unneeded(program) for part in ("--disable-protocol", name)),
        *("-Y", FILTER, *chosen),
    )


def _caged(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    cage_ = (sys.executable, "-I", "-S", str(Path(cage.__file__).resolve()))
    return subprocess.Popen(
        [*cage_, os.path.realpath(program), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        close_fds=True,
    )


@lru_cache(maxsize=4)
def _unneeded(program: str) -> tuple[str, ...]:
    """Dissectors that a port would choose and that are for nothing which is looked for.

    The lower port of a connection decides, and that of the client may be anything: one at 1102 was read as X.500 and
    its CIP never seen. What is not started cannot be attacked either. None where this version does not list them.
    """
    child = _caged(program, "-G", "decodes")
    listed, _ = child.communicate()
    found: set[str] = set()
    for line in listed.decode("utf-8", "replace").splitlines():
        table, _, rest = line.partition("\t")
        name = rest.rpartition("\t")[2]
        if table in _PORT_TABLES and name and name not in _NEEDED:
            found.add(name)
    return tuple(sorted(found))


@lru_cache(maxsize=4)
def _known_columns(program: str) -> tuple[str, ...]:
    """The columns which this version of the dissector knows: it refuses to run with others."""
    child = _start(program, COLUMNS)
    _, error = child.communicate(_EMPTY)
    if not child.returncode:
        return COLUMNS
    refused = {line.strip() for line in error.decode("utf-8", "replace").splitlines() if line.startswith("\t")}
    return tuple(name for name in COLUMNS if name not in refused)
