"""Wiring of what detection needs: sources and content. Apart from `wiring`, so that `detect` loads no store, no web."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from amagasa.adapters.content.baseline_file import load_baseline, save_baseline
from amagasa.adapters.content.cache import Cache, default_cache
from amagasa.adapters.content.compile import Compiler
from amagasa.adapters.content.exclusions import FILE as EXCLUSIONS
from amagasa.adapters.content.exclusions import load_exclusions
from amagasa.adapters.content.indicators import load_indicators
from amagasa.adapters.content.kept_files import KeptFiles
from amagasa.adapters.content.load import LoadedContent, RuleFiles, is_known, load_plan, outcomes_of
from amagasa.adapters.content.placeholders import placeholders_of
from amagasa.adapters.content.policies import AGEING_FILE, ALLOWLIST_FILE, load_policy, policy_in
from amagasa.adapters.content.rules import text_document
from amagasa.adapters.content.watch import RuleWatch
from amagasa.adapters.source.capture import CaptureFollower
from amagasa.adapters.source.folder import FolderFollower, is_many
from amagasa.adapters.source.follow import FileFollower
from amagasa.adapters.source.mapping_file import load_mapping
from amagasa.adapters.source.records import open_streams
from amagasa.adapters.source.spooled import SpoolFollower
from amagasa.adapters.spool.sorted_hits import SortedHits
from amagasa.app.correlating import FileCorrelation
from amagasa.app.layers import Layer, items_on_disk
from amagasa.app.left_out import ExcludedBy, OffRules, excluded_by, off_rules
from amagasa.app.sight import Sight
from amagasa.app.worker_messages import Begin, SourceKind, SourceSpec
from amagasa.detect.baseline.profile import Baseline
from amagasa.detect.correlation.link import Links, link
from amagasa.detect.engine.plan import Plan
from amagasa.detect.engine.sieve import Sieve, key_bytes, sieve_of
from amagasa.detect.exclusion import Exclusion, Exclusions, excluded_outright
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.indicator import IndicatorSet, n_indicators
from amagasa.detect.indicators.joining import joined, settled, with_lists
from amagasa.detect.indicators.policy import Policy
from amagasa.detect.indicators.series import with_patterns
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.link import Wanted
from amagasa.detect.sigma.rule import Compiled, Rule, together
from amagasa.event.mapping import LogMapping
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Level

Progress = Callable[[int, int], None]
Follower = FileFollower | FolderFollower | SpoolFollower | CaptureFollower


class ContentFiles(Struct, frozen=True, kw_only=True):
    """Where rules and indicators are on disk; the built-in rules where no rules are named."""

    rules: tuple[Path, ...] = ()
    placeholders: tuple[Path, ...] = ()
    exclusions: tuple[Path, ...] = ()
    wanted: Wanted = Wanted()
    indicators: tuple[Path, ...] = ()
    may_be_empty: bool = False
    is_builtin_wanted: bool = False
    are_first_alone: bool = False
    allowlists: tuple[Path, ...] = ()
    ageing: Path | None = None

    def paths(self) -> tuple[Path, ...]:
        """All that is read."""
        return (
            *self.rules,
            *self.placeholders,
            *self.exclusions,
            *self.indicators,
            *self.allowlists,
            *([self.ageing] if self.ageing else []),
        )

    def rule_files(self) -> RuleFiles:
        """The part that rules come from."""
        return RuleFiles(
            paths=self.rules,
            is_builtin_wanted=self.is_builtin_wanted or not self.rules,
            placeholders=self.placeholders,
            wanted=self.wanted,
            are_first_alone=self.are_first_alone,
        )


class Loaded(Struct, frozen=True, kw_only=True):
    """Content ready to look with, and what of it is not."""

    content: LoadedContent
    links: Links = Links()
    indicators: IndicatorSet
    n_rules: int
    n_indicators: int
    faults: tuple[RuleFault, ...]
    policy: Policy = Policy()
    passed_over: tuple[str, ...] = ()
    least: Level = Level.INFORMATIONAL
    unlinked: tuple[RuleFault, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    is_exact_alone: bool = False

    def sight(self) -> Sight:
        """A fresh sight, for one thread."""
        plan = self.content.plan
        sieve = self.sieve_for([plan])
        sight = Sight([(plan, self.content.memo())], self.indicators, policy=self.policy, sieve=sieve, links=self.links)
        sight.exclusions = Exclusions(self.exclusions)
        return sight

    @property
    def off(self) -> OffRules:
        """What was switched off."""
        return off_rules(self.content.off)

    def excluded(
        self, counts: Mapping[tuple[int, str], int], rules: Iterable[Rule] | None = None
    ) -> tuple[ExcludedBy, ...]:
        """The exclusions and what they took out, by (place of the exclusion, id of the rule).

        `rules` are those that they may be for, these here where none are given.
        """
        return excluded_by(self.exclusions, counts, self.rules if rules is None else rules, datetime.now(UTC).date())

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All that was loaded, correlations included."""
        return (*self.content.plan.rules, *self.content.correlations)

    def layer(self) -> Layer:
        """The rules as the lowest layer of what a worker looks with."""
        return Layer(items_on_disk(self.rules), self.content.plan, self.content.memo())

    def keep(self, sight: Sight) -> None:
        """Store the matchers that the sight had to make, for the next start."""
        for _, memo in sight.plans:
            self.content.keep(memo.made)
        if sight.sieve is not None:
            self.content.keep(sight.sieve.made())

    def sieve_for(self, plans: Sequence[Plan]) -> Sieve | None:
        """A sieve for the plans; None where its native half was not built, or is done without."""
        if self.is_exact_alone:
            return None
        return sieve_of(plans, secrets.token_bytes(key_bytes()), self.content.cache)


def load_content(files: ContentFiles, *, progress: Progress | None = None) -> Loaded:
    """Rules and indicators of these files.

    Raises BadInputError where a path is not there, or (AMG-RULES-NONE) where rules are named and none of them can run.
    """
    content = load_plan(files.rule_files(), progress=progress)
    if not content.n_rules and files.rules and not files.may_be_empty:
        first = content.faults[0] if content.faults else None
        raise BadInputError(
            "AMG-RULES-NONE",
            "none of the rules can run",
            expected="at least one Sigma rule that can",
            got=f"{first.path}: {first.why}" if first else "no rules there",
            then="nothing was looked at; `amagasa content check` says what is wrong with each",
        )
    indicators = IndicatorSet()
    faults: tuple[RuleFault, ...] = ()
    passed_over: tuple[str, ...] = ()
    policy = load_policy(allowlists=files.allowlists, ageing=files.ageing) if files.indicators else Policy()
    if files.indicators:
        found = load_indicators(files.indicators)
        indicators, unusable = compile_indicators(found.objects, places=found.places)
        indicators = with_lists(indicators, found.tables)
        faults, passed_over = (*found.faults, *unusable), found.passed_over
        if not (found.has_anything or faults or files.may_be_empty):
            named = ", ".join(str(path) for path in files.indicators)
            faults = (RuleFault(rule_id="", path=named, why="no indicator is in there", code="AMG-INDICATOR-NONE"),)
    links, unlinked = link((*content.plan.rules, *content.correlations))
    values = placeholders_of(files.rules, files.placeholders).values if files.exclusions else {}
    exclusions, unread = load_exclusions(files.exclusions, values)
    unheard = excluded_outright(content.correlations, exclusions, datetime.now(UTC).date())
    links = replace(links, silent=tuple(sorted({*links.silent, *content.silent, *unheard})))
    return Loaded(
        content=content,
        links=with_patterns(links, indicators),
        indicators=indicators,
        n_rules=content.n_rules - len(unlinked),
        n_indicators=n_indicators(indicators),
        faults=(*content.faults, *unlinked, *unread, *faults),
        least=files.wanted.min_level,
        unlinked=unlinked,
        policy=policy,
        passed_over=passed_over,
        exclusions=exclusions,
    )


@contextmanager
def file_correlation(links: Links, *, now: datetime) -> Iterator[FileCorrelation]:
    """What correlates the records of a run over files; what it puts on disk is gone with the context."""
    with SortedHits() as hits:
        yield FileCorrelation(hits, links, now=now)


def baseline_of(path: Path) -> Baseline:
    """The baseline of a file. Raises BadInputError or WorldError."""
    return load_baseline(path)


def keep_baseline(path: Path, baseline: Baseline) -> None:
    """Write it to a file. Raises WorldError."""
    save_baseline(path, baseline)


def open_all(
    paths: Sequence[str], form: Format | None, mapping: LogMapping | None = None
) -> Iterator[Chunk | Reject | SourceFault]:
    """Every record of these files, folders and streams, in chunks, with what could not be read on the way."""
    return chain.from_iterable(streams_of(paths, form, mapping))


def streams_of(
    paths: Sequence[str], form: Format | None, mapping: LogMapping | None = None
) -> Iterator[Iterable[Chunk | Reject | SourceFault]]:
    """The same, a stream for each file that is found, in the order of the paths and of the names in folders."""
    for path in paths:
        yield from open_streams(path, form, mapping=mapping)


def mapping_in(path: Path) -> LogMapping:
    """The mapping in the file. Raises BadInputError with each fault and its line."""
    return load_mapping(path)


def size_of(paths: Sequence[str]) -> int | None:
    """Bytes on disk below the paths; None where one is a stream. A packed file is larger when read."""
    total = 0
    for name in paths:
        path = Path(name)
        if name == "-":
            return None
        files = path.rglob("*") if path.is_dir() else [path]
        total += sum(file.stat().st_size for file in files if file.is_file())
    return total


def follower_of(spec: SourceSpec, token: dict[str, Any] | None, *, chunk_bytes: int) -> Follower:
    """A follower of a source, behind the committed position; the format "auto" is told by content."""
    known = None if spec.format == "auto" else Format(spec.format)
    if spec.kind.is_received:
        if spec.kind is SourceKind.SYSLOG:
            known = known or Format.SYSLOG
        return SpoolFollower(Path(spec.path), spec.name, token, known, mapping=spec.mapping, poll_bytes=chunk_bytes)
    if spec.kind is SourceKind.CAPTURE:
        return CaptureFollower(spec.interface, Path(spec.path), token, quota_bytes=spec.quota_bytes)
    follow = FolderFollower if is_many(spec.path) else FileFollower
    return follow.resume(spec.path, token, known, mapping=spec.mapping, poll_bytes=chunk_bytes)


def committed_to(follower: Follower, token: dict[str, Any]) -> None:
    """Let a follower of a spool or a capture make room: what lies before this position is needed no more."""
    if isinstance(follower, CaptureFollower) and "run" in token:
        follower.committed(token)
    if isinstance(follower, SpoolFollower) and "segment" in token:
        follower.committed(token)


class ChangedFiles(Struct, frozen=True, kw_only=True):
    """Indicators with other files; `ids` are those that stand in files, `faults` say which files cannot be used."""

    indicators: IndicatorSet
    ids: frozenset[str]
    faults: tuple[RuleFault, ...]


def changed_files(held: IndicatorSet, node: Path, files: Sequence[str], *, before: frozenset[str]) -> ChangedFiles:
    """`held` with these files of the node and no others. `before` are the ids which the files before had."""
    found = KeptFiles(node).load(files)
    new, _ = compile_indicators(found.objects)
    ids = frozenset(one.id for one in new.indicators)
    faults = (
        replace(fault, rule_id=stable_id("list", Path(fault.path).name), path="")
        for fault in found.faults
        if any(fault.path.endswith(file) for file in files)  # a fault of a line is told when a file is added
    )
    indicators = settled(with_lists(joined(held, new, before - ids), found.tables))
    return ChangedFiles(indicators=indicators, ids=ids, faults=tuple(faults))


def changed_indicators(
    held: IndicatorSet, objects: Sequence[Mapping[str, Any]], origins: Mapping[str, str], *, gone: Sequence[str] = ()
) -> tuple[IndicatorSet, tuple[RuleFault, ...]]:
    """`held` without `gone` and with these, and what of these cannot run."""
    if not objects and not gone:
        return held, ()
    new, faults = compile_indicators(objects, origins=origins)
    replaced = (*gone, *(str(one.get("id")) for one in objects))
    return settled(joined(held, new, replaced)), faults


def policy_stamp(node: Path) -> tuple[object, ...]:
    """What changes with the files of a node's policy."""
    return tuple(_stamp(node / "content" / name) for name in (ALLOWLIST_FILE, AGEING_FILE))


def policy_of(node: Path) -> Policy:
    """How a node weighs what indicators say. Raises BadInputError where one of the files cannot be used."""
    return policy_in(node)


def kept_files(node: Path) -> KeptFiles:
    """The files of indicators in a node's folder."""
    return KeptFiles(node)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


class RuleCompiler:
    """Sigma text -> rules, by a child process that stays warm; what was compiled before comes out of the cache.

    Placeholders have the values which the `folders` give them now. For one thread.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._compiler = Compiler()
        self._cache = Cache(default_cache())
        self._compiler.warm()

    def __call__(self, documents: Sequence[tuple[str, str]]) -> Compiled:
        """(path, text) of each document -> what became of all, with their paths. Raises WorldError."""
        texts = [text_document(*one) for one in documents]
        return together(outcomes_of(texts, self._cache, placeholders_of(self._folders), compiler=self._compiler))

    def close(self) -> None:
        """End the child."""
        self._compiler.close()


def files_of(begin: Begin) -> ContentFiles:
    """The rules on disk that a worker begins with."""
    exclusions = Path(begin.site) / EXCLUSIONS
    return ContentFiles(
        rules=tuple(Path(path) for path in begin.rule_paths),
        is_builtin_wanted=begin.is_builtin_wanted,
        wanted=begin.wanted,
        exclusions=(exclusions,) if begin.site and exclusions.is_file() else (),
        may_be_empty=True,
    )


def begin_with(begin: Begin) -> Loaded:
    """What a worker begins to look with: all rules on disk; at the very first start, the built-in ones.

    The first start is that at which no source was read before and the rules were never compiled here: then nothing
    that was read is read again once the others are there (`content.n_coming`).
    """
    files = files_of(begin)
    is_first = begin.is_builtin_wanted and not any(source.token for source in begin.sources)
    if is_first and not is_known(files.rule_files()):
        files = replace(files, are_first_alone=True)
    return replace(load_content(files), is_exact_alone=begin.is_exact_alone)


def rule_watch(begin: Begin) -> RuleWatch:
    """What watches them for changes, from now on."""
    return RuleWatch(files_of(begin).rule_files())
