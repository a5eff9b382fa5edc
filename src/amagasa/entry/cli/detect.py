"""`amagasa detect`: detect in files, without a node."""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from errno import EISDIR, ENOENT
from itertools import combinations
from pathlib import Path
from typing import IO, NoReturn

import msgspec
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from amagasa.app.baselines import BaselineWatch
from amagasa.app.detect_files import Item, Look, Looked, Summary, add_content, add_left_out, detect_files
from amagasa.detect.ocsf import ocsf_of
from amagasa.detect.report import Detection
from amagasa.detect.sigma.link import Wanted
from amagasa.detect.sigma.rule import Status
from amagasa.entry.cli import detect_options as asked
from amagasa.entry.cli.findings import (
    Findings,
    cannot_write,
    document_of,
    print_summary,
    public,
    write_summary,
)
from amagasa.entry.cli.output import err, is_progress_wanted, plain_json, say, write_json
from amagasa.entry.cli.zone import zoned
from amagasa.entry.node.pool import look_here, look_in_processes
from amagasa.entry.wiring_detect import (
    ContentFiles,
    Loaded,
    baseline_of,
    file_correlation,
    load_content,
    mapping_in,
    size_of,
    streams_of,
)
from amagasa.event.record import Reject, SourceFault
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

_NOTHING_DONE = "nothing was read or written; name another file"
Sink = Callable[[Detection], None]


def detect_command(  # noqa: PLR0913 - one parameter an option of the command line
    paths: asked.Paths,
    *,
    rules: asked.Rules = None,
    status: asked.Statuses = None,
    level: asked.LeastLevel = Level.INFORMATIONAL,
    placeholders: asked.Placeholders = None,
    exclusions: asked.Exclusions = None,
    indicators: asked.Indicators = None,
    allowlist: asked.Allowlist = None,
    ageing: asked.Ageing = None,
    baseline: asked.BaselineFile = None,
    format_: asked.Form = None,
    mapping: asked.MappingFile = None,
    zone: asked.Zone = "",
    output: asked.Output = None,
    ocsf: asked.OcsfFile = None,
    summary: asked.SummaryFile = None,
    processes: asked.Processes = 1,
    fail_on: asked.FailOn = None,
    as_json: asked.AsJson = False,
    as_ndjson: asked.AsNdjson = False,
) -> None:
    """Detect in files; no node needed.

    Exit codes: 0 done, 1 findings at --fail-on or above, 2 bad input and nothing done, 3 part could not be looked at.
    """
    started, cpu_s = time.monotonic(), _cpu_s()
    _refuse_missing(paths)
    files = ContentFiles(
        rules=_all_of(rules),
        placeholders=_all_of(placeholders),
        exclusions=_all_of(exclusions),
        wanted=Wanted(statuses=_statuses(status or []), min_level=level),
        indicators=_all_of(indicators),
        allowlists=_all_of(allowlist),
        ageing=ageing,
    )
    _refuse_places([*paths, *map(str, files.paths())], {"--output": output, "--ocsf": ocsf, "--summary": summary})
    streams = zoned(zone)(streams_of(paths, format_, None if mapping is None else mapping_in(mapping)))
    findings, kept = Findings(), list[Detection]()
    watch = None if baseline is None else BaselineWatch(baseline_of(baseline))
    with ExitStack() as stack:
        bar = stack.enter_context(_progress())
        gc.disable()
        loaded = load_content(files, progress=bar.compiling)
        sinks: list[Sink] = [findings.add, *([kept.append] if as_json else [])]
        sinks += _outputs(stack, output, ocsf, is_printed=as_ndjson)
        counts = detect_files(
            _tapped(streams, watch),
            bar.reading(_look(loaded, 1 if watch else processes, wants_records=bool(ocsf)), size_of(paths)),
            _all(sinks),
            correlate=stack.enter_context(file_correlation(loaded.links, now=datetime.now(UTC))),
            fail_on=fail_on,
            also=tuple if watch is None else watch.finish,
        )
    _finish(counts, loaded, summary, elapsed_s=time.monotonic() - started, cpu_s=_cpu_s() - cpu_s)
    if not as_json and not as_ndjson:
        findings.print()
    _say_and_exit(counts, loaded, kept if as_json else None)


def _outputs(stack: ExitStack, output: Path | None, ocsf: Path | None, *, is_printed: bool) -> Iterator[Sink]:
    if output is not None:
        yield _writer(stack.enter_context(_opened(output)))
    if ocsf is not None:
        yield _ocsf_writer(stack.enter_context(_opened(ocsf)))
    if is_printed:
        yield _printer(sys.stdout.buffer)


def _tapped(streams: Iterable[Iterable[Item]], watch: BaselineWatch | None) -> Iterable[Iterable[Item]]:
    return streams if watch is None else watch.tap(streams)


def _all_of(paths: list[Path] | None) -> tuple[Path, ...]:
    return tuple(paths or ())


def _finish(counts: Summary, loaded: Loaded, summary: Path | None, *, elapsed_s: float, cpu_s: float) -> None:
    """Add what loading gave and what is left out on purpose, and write it all where that is asked for."""
    add_content(counts, n_rules=loaded.n_rules, n_indicators=loaded.n_indicators, faults=loaded.faults)
    add_left_out(counts, loaded.off, loaded.excluded({(one.exclusion, one.rule_id): one.n for one in counts.taken_out}))
    counts.elapsed_s, counts.cpu_s = round(elapsed_s, 3), round(cpu_s, 3)
    if summary is not None:
        write_summary(counts, summary)


def _statuses(given: list[str]) -> tuple[Status, ...]:
    """`stable,test` or the option twice."""
    words = [word.strip().lower() for one in given for word in one.split(",")]
    known = {status.value: status for status in Status}
    wrong = [word for word in words if word not in known]
    if wrong:
        raise BadInputError(
            "AMG-STATUS",
            "Sigma has no such status",
            expected=", ".join(known),
            got=wrong[0],
            then="nothing was read",
        )
    return tuple(dict.fromkeys(known[word] for word in words))


def _say_and_exit(counts: Summary, loaded: Loaded, kept: list[Detection] | None) -> NoReturn:
    if kept is not None:
        write_json(document_of(counts) | {"detections": [public(detection) for detection in kept]})
    print_summary(counts)
    paths = loaded.passed_over
    if paths:
        names = ", ".join(show(Path(path).name, 60) for path in paths[:3])
        more = " ..." if len(paths) > 3 else ""
        say(f"passed over {len(paths)} files in folders which hold no indicators: {names}{more}")
    raise typer.Exit(counts.exit_code())


def _look(loaded: Loaded, processes: int, *, wants_records: bool) -> Look:
    """Look here, or here and in children; the matchers that had to be made here are kept for the next start."""
    sight = loaded.sight()
    # What was loaded stays to the end: the collector need not walk it again and again, nor copy it for children.
    gc.freeze()
    gc.enable()
    inner = (
        look_here(sight) if processes == 1 else look_in_processes(sight, processes, _warn, wants_records=wants_records)
    )

    def run(streams: Iterable[Iterable[Item]]) -> Iterator[Looked | Reject | SourceFault]:
        yield from inner(streams)
        loaded.keep(sight)

    return run


def _warn(sentence: str) -> None:
    say(show(sentence, 300))


def _all(sinks: list[Sink]) -> Sink:
    def run(detection: Detection) -> None:
        for sink in sinks:
            sink(detection)

    return run


def _writer(stream: IO[bytes]) -> Sink:
    def run(detection: Detection) -> None:
        stream.write(msgspec.json.encode(public(detection)) + b"\n")

    return run


def _ocsf_writer(stream: IO[bytes]) -> Sink:
    def run(detection: Detection) -> None:
        for document in ocsf_of(detection, now=datetime.now(UTC)):
            stream.write(msgspec.json.encode(document) + b"\n")

    return run


def _printer(stream: IO[bytes]) -> Sink:
    def run(detection: Detection) -> None:
        stream.write(plain_json(msgspec.json.encode(public(detection))) + b"\n")

    return run


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("wb", buffering=1 << 20) as stream:
            yield stream
    except OSError as problem:
        raise cannot_write(path, problem) from None


def _refuse_missing(paths: list[str]) -> None:
    missing = [path for path in paths if path != "-" and not os.path.lexists(path)]
    if missing:
        raise BadInputError(
            "AMG-PATH",
            "there is nothing at one of the paths"
            if len(missing) == 1
            else f"there is nothing at {len(missing)} paths",
            expected="files or folders that exist, or - for stdin",
            got=", ".join(missing[:5]),
            then="nothing was read; check the spelling",
        )


def _refuse_places(read: list[str], outputs: dict[str, Path | None]) -> None:
    """No output may replace what is read, nor another output; and each must have a place before anything is read."""
    written = [(option, path) for option, path in outputs.items() if path is not None]
    for _, place in written:
        try:
            _refuse_place(place, [Path(path) for path in read])
        except OSError as problem:
            raise cannot_write(place, problem, then=_NOTHING_DONE) from None
    for (one, path), (other, second) in combinations(written, 2):
        if _is_same_place(path, second):
            raise BadInputError(
                "AMG-OUT-TWICE",
                f"{one} and {other} name the same file",
                expected="a file for each",
                got=show(str(path)),
                then=_NOTHING_DONE,
            )


def _refuse_place(place: Path, read: list[Path]) -> None:
    if place.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    if not place.parent.is_dir():
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT))
    if any(_is_same_file(place, path) for path in read):
        raise BadInputError(
            "AMG-OUT-INPUT",
            "an output would replace a file that is to be read",
            expected="an output that is a file of its own",
            got=show(str(place)),
            then=_NOTHING_DONE,
        )


def _is_same_place(first: Path, second: Path) -> bool:
    if first.exists():
        return _is_same_file(first, second)
    return os.path.realpath(first) == os.path.realpath(second)


def _is_same_file(place: Path, path: Path) -> bool:
    """Whether both are one regular file; a device such as /dev/null or a terminal replaces nothing."""
    return place.is_file() and path.exists() and place.samefile(path)


def _cpu_s() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class _Bar:
    """Progress on stderr, where that is a terminal; otherwise silent."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._n_bytes = 0

    def compiling(self, done: int, total: int) -> None:
        """Show how many rule documents are compiled."""
        if self._progress is not None:
            self._show("compiling rules", done, total)

    def reading(self, look: Look, total: int | None) -> Look:
        """Show how many bytes were looked at."""
        if self._progress is None:
            return look
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

        def run(streams: Iterable[Iterable[Item]]) -> Iterator[Looked | Reject | SourceFault]:
            for done in look(streams):
                if isinstance(done, Looked):
                    self._n_bytes += done.n_bytes
                    self._show(f"{self._n_bytes / 1e6:,.0f} MB read", self._n_bytes, total)
                yield done

        return run

    def _show(self, what: str, done: int, total: int | None) -> None:
        if self._progress is None:
            return
        if self._task is None:
            self._task = self._progress.add_task(what, total=total)
        self._progress.update(self._task, description=what, completed=done, total=total)


@contextmanager
def _progress() -> Iterator[_Bar]:
    if not is_progress_wanted():
        yield _Bar(None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        yield _Bar(progress)
