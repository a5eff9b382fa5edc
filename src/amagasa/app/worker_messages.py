"""What the main process and the worker say to each other: values, in MessagePack, one frame each."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from amagasa.app.left_out import ExcludedBy, GivenPlaceholder, OffRules
from amagasa.detect.baseline.profile import State
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import Links
from amagasa.detect.report import Detection, RuleFault
from amagasa.detect.sigma.link import Wanted
from amagasa.detect.sigma.rule import Rule
from amagasa.event.mapping import LogMapping
from amagasa.event.record import Reject

MAX_REJECTS_SENT = 200  # of one batch, kept with their reasons; the rest is counted


class SourceKind(StrEnum):
    """Where the records of a source come from. Of what is received, the spool is followed."""

    FILE = "file"
    SYSLOG = "syslog"
    HTTP = "http"
    CAPTURE = "capture"
    NATS = "nats"
    KAFKA = "kafka"

    @property
    def is_received(self) -> bool:
        """Whether it comes by a spool."""
        return self in {SourceKind.SYSLOG, SourceKind.HTTP} or self.is_brokered

    @property
    def is_brokered(self) -> bool:
        """Whether it is read from a broker."""
        return self in {SourceKind.NATS, SourceKind.KAFKA}

    @property
    def is_listening(self) -> bool:
        """Whether it comes to a port of ours."""
        return self in {SourceKind.SYSLOG, SourceKind.HTTP}


class SourceSpec(Struct, frozen=True, kw_only=True):
    """A source to follow, and how far it was committed. `token` is None for one never read.

    `path` is the file, or the folder of the spool.
    """

    name: str
    path: str
    kind: SourceKind = SourceKind.FILE
    format: str = "auto"
    mapping: LogMapping | None = None
    zone: str = ""
    interface: str = ""
    quota_bytes: int = 0
    token: dict[str, Any] | None = None


class LakeSpec(Struct, frozen=True, kw_only=True):
    """Where the records of all sources are kept, and how much and how long of each."""

    folder: str
    quota_bytes: int
    keep_days: int


class RejectSpec(Struct, frozen=True, kw_only=True):
    """Where records that could not be read are kept as they came, and how much room each source has for them."""

    folder: str
    quota_bytes: int


class BaselineWish(Struct, frozen=True, kw_only=True, tag=True):
    """A person said that the baseline of the plant is frozen, or learns again."""

    state: State
    by: str
    at: datetime


class Begin(Struct, frozen=True, kw_only=True, tag=True):
    """First message to the worker. It reads at most `max_ahead` batches ahead of their acknowledgement.

    `site` is the folder in which its exclusions are, `node` the one with files of indicators and policies; "" for none.
    With `awaits_content` it reads nothing before the first `Content`: what it read sooner would never be looked at with
    the content that was active before. With `is_exact_alone` it does without the native sieve, which may have ended the
    process before it. `baseline` is the file of what is usual in the plant, "" where none is learnt.
    """

    sources: tuple[SourceSpec, ...]
    lake: LakeSpec | None = None
    rejects: RejectSpec | None = None
    is_builtin_wanted: bool
    rule_paths: tuple[str, ...]
    site: str = ""
    wanted: Wanted = Wanted()
    chunk_bytes: int = 1_048_576
    max_ahead: int = 8
    awaits_content: bool = False
    is_exact_alone: bool = False
    node: str = ""
    baseline: str = ""
    baseline_wish: BaselineWish | None = None


class Content(Struct, frozen=True, kw_only=True, tag=True):
    """Content beside the rules on disk: all that is active now, the rules compiled.

    `indicators` are STIX indicators (JSON objects); `origins` names the party an indicator came from. Where it is not
    whole, further indicators come behind it in parts. `files` are those of indicators which the node keeps.
    """

    version: int
    rules: tuple[Rule, ...]
    indicators: tuple[dict[str, Any], ...]
    origins: dict[str, str]
    files: tuple[str, ...] = ()
    is_whole: bool = True


class Part(Struct, frozen=True, kw_only=True, tag=True):
    """Some more of the indicators of the `Content` before, until one says that it is the last."""

    version: int
    indicators: tuple[dict[str, Any], ...]
    origins: dict[str, str]
    is_last: bool


class RuleChange(Struct, frozen=True, kw_only=True, tag=True):
    """Rules to look with beside those of the version before, under the ids of the content items they belong to.

    Items in `removed` are looked with no longer; an item in both is replaced: the old one looks until the new is ready.
    """

    version: int
    rules: tuple[Rule, ...]
    removed: tuple[str, ...] = ()


class MoreIndicators(Struct, frozen=True, kw_only=True, tag=True):
    """What changes against the version before: indicators that are new or of a new version, identifiers that go.

    `files` replace those of the version before; None where they stay.
    """

    version: int
    indicators: tuple[dict[str, Any], ...]
    origins: dict[str, str]
    gone: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None


class Ack(Struct, frozen=True, kw_only=True, tag=True):
    """The main process has committed this many batches more."""

    n: int


class FeedAgain(Struct, frozen=True, kw_only=True, tag=True):
    """Feed the rejects of a source again: a mapping was mended."""

    source: str


class Stop(Struct, frozen=True, kw_only=True, tag=True):
    """Finish the chunk in hand, say `Stopped`, end."""


Change = Content | Part | RuleChange | MoreIndicators
ToWorker = Begin | Change | Ack | FeedAgain | BaselineWish | Stop


class Ready(Struct, frozen=True, kw_only=True, tag=True):
    """Rules are loaded, sources are being followed. `n_coming` documents with rules are being compiled still."""

    n_rules: int
    faults: tuple[RuleFault, ...]
    n_coming: int = 0


class Compiling(Struct, frozen=True, kw_only=True, tag=True):
    """Of the documents on disk that are new, so many are compiled; their rules look from the next `Ready` on."""

    n_compiled: int
    n_all: int


class Correlating(Struct, frozen=True, kw_only=True, tag=True):
    """The links of all rules that are looked with, from the next batch on."""

    links: Links


class Batch(Struct, frozen=True, kw_only=True, tag=True):
    """What came of one chunk of one source, and the position behind it. `hits` are for correlations.

    Where rejects were fed again, `again` are the numbers of their records: they count as read already, so `n_read` is 0
    and `n_rejected` is less by as many as `n_accepted` says. `ahead_s`: how far the time of the newest record is ahead
    of the time at which it was read; None where it was not looked at, or was not new when it was read.
    """

    source: str
    token: dict[str, Any]
    n_read: int
    n_accepted: int
    n_rejected: int
    rejects: tuple[Reject, ...]
    detections: tuple[Detection, ...]
    faults: tuple[RuleFault, ...]
    last_record_at: datetime | None
    lag_bytes: int
    hits: tuple[Hit, ...] = ()
    again: tuple[int, ...] = ()
    ahead_s: float | None = None


class SourceState(Struct, frozen=True, kw_only=True, tag=True):
    """Something about a source changed: it cannot be read (`fault`), or it can again (`fault` is "").

    A `note` tells what happened to the file (rotated, cut) and changes nothing.
    """

    source: str
    fault: str
    lag_bytes: int
    note: str = ""


class Active(Struct, frozen=True, kw_only=True, tag=True):
    """From the next record on, this version of the content is looked with. `faults` could not be put to use.

    `mended` are items which could not before, for want of a rule that they refer to.
    """

    version: int
    faults: tuple[RuleFault, ...]
    mended: tuple[str, ...] = ()


class LeftOut(Struct, frozen=True, kw_only=True, tag=True):
    """What the site makes of its rules: which are off, placeholders, what was excluded since the worker began."""

    off: OffRules
    excluded: tuple[ExcludedBy, ...]
    placeholders: tuple[GivenPlaceholder, ...] = ()


class Trouble(Struct, frozen=True, kw_only=True, tag=True):
    """Something that a person must know and that stops nothing: an allowlist that cannot be used."""

    what: str


class Stopped(Struct, frozen=True, kw_only=True, tag=True):
    """The worker's last message: every batch it read was sent before."""


FromWorker = Ready | Compiling | LeftOut | Correlating | Batch | SourceState | Active | Trouble | Stopped

_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def read_to_worker(frame: bytes) -> ToWorker:
    """Raises msgspec.ValidationError: our own processes made a mistake."""
    return _to_worker.decode(frame)


def read_from_worker(frame: bytes) -> FromWorker:
    """Raises msgspec.ValidationError: our own processes made a mistake."""
    return _from_worker.decode(frame)
