"""Open windows: the state of correlation, as a value that is kept apart for each correlation and group.

`merge` joins what several workers gathered. State which nobody has judged yet merges freely, in any order; once a
group is judged it has one owner, so workers share the work by the key of the group.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.correlation.entry import Entry
from amagasa.detect.correlation.link import Links
from amagasa.detect.correlation.machine import Machine
from amagasa.detect.folding import fold

LATENESS_S: Final = 180
MAX_GROUPS: Final = 50_000
MAX_ENTRIES: Final = 1_000
# Of all groups together, awaiting those that come late: some 700 bytes each.
MAX_WAITING: Final = 100_000
NEVER: Final = -(1 << 62)


class Manner(Struct, frozen=True, kw_only=True):
    """How to correlate. `lateness_s` is how much older than one already seen of its group a record may come.

    `is_prompt`: tell of an episode as soon as it begins, before those that come late can be known; else each is told
    once, when it is over. Limits hold over all correlations: groups, and entries of one group that await late ones.
    """

    links: Links = Links()
    lateness_s: int = LATENESS_S
    max_groups: int = MAX_GROUPS
    max_entries: int = MAX_ENTRIES
    is_prompt: bool = True


class Told(Struct, frozen=True, array_like=True, gc=False):
    """What was last said of an episode; `path` and `record` are those of the record which made it hold first."""

    trigger_at: int
    first_at: int
    last_at: int
    n: int
    path: str = ""
    record: int = 0


class Group(Struct, frozen=True, kw_only=True, gc=False):
    """One group of one correlation.

    `machine` has judged all entries before `done_at`; `pending` are those since, in order, for which a late one may
    still come. `ahead` is where the machine would stand behind them all (None: not known; it is not stored). Machines
    in a group are not changed any more. `heard_at` is when the last entry arrived, in microseconds.
    """

    machine: Machine
    pending: tuple[Entry, ...] = ()
    done_at: int = NEVER
    heard_at: int = 0
    told: tuple[Told, ...] = ()
    ahead: Machine | None = None

    @property
    def weight(self) -> tuple[bool, int, int]:
        """Which group is let go first where there are too many: the least begun, of these the one longest silent."""
        return (self.machine.episode is not None or bool(self.told), self._n_entries, self.heard_at)

    @property
    def _n_entries(self) -> int:
        return self.machine.n_seen + len(self.pending)


class Loss(StrEnum):
    """What became of a record that a correlation looks at."""

    TAKEN = "taken"
    NO_INSTANT = "no-instant"
    LATE = "late"
    NO_GROUP = "no-group"
    NO_VALUE = "no-value"
    NO_ROOM = "no-room"  # groups let go, or values left out


# How many records (of NO_ROOM: groups) of a correlation and one of its rules, by what became of them.
Tally = Mapping[tuple[str, str, Loss], int]
GroupKey = tuple[str, str]


class Windows(Struct, frozen=True, kw_only=True):
    """All groups, by the digest of their correlation and their key."""

    groups: Mapping[str, Mapping[str, Group]] = {}
    tally: Tally = {}

    def get(self, key: GroupKey) -> Group | None:
        """The group, if it is open."""
        return self.groups.get(key[0], {}).get(key[1])

    def items(self) -> Iterator[tuple[GroupKey, Group]]:
        """Every group with its key."""
        for digest, groups in self.groups.items():
            for key, group in groups.items():
                yield (digest, key), group

    @property
    def n_groups(self) -> int:
        """How many are open."""
        return sum(len(groups) for groups in self.groups.values())

    def after(self, changed: Mapping[GroupKey, Group | None], tally: Tally) -> "Windows":
        """These windows with the changes made; None removes a group."""
        groups = {digest: dict(inside) for digest, inside in self.groups.items()}
        for (digest, key), group in changed.items():
            if group is None:
                groups.get(digest, {}).pop(key, None)
            else:
                groups.setdefault(digest, {})[key] = group
        return Windows(
            groups={digest: inside for digest, inside in groups.items() if inside}, tally=added(self.tally, tally)
        )

    def merge(self, other: "Windows") -> "Windows":
        """What both gathered. Associative and commutative.

        Raises ValueError where both have judged the same group: then two workers had what belongs to one.
        """
        changed: dict[GroupKey, Group | None] = {}
        for key, group in other.items():
            own = self.get(key)
            changed[key] = group if own is None else _joined(own, group)
        return self.after(changed, other.tally)

    def only(self, links: Links) -> "Windows":
        """Without the windows of correlations that are no more, or that mean something else now."""
        kept = {linked.digest for linked in links.correlations}
        return replace(self, groups={digest: inside for digest, inside in self.groups.items() if digest in kept})


def added(first: Tally, second: Tally) -> Tally:
    """Both counts as one."""
    total = dict(first)
    for key, n in second.items():
        total[key] = total.get(key, 0) + n
    return total


def key_of(values: tuple[str, ...]) -> str:
    """The key of a group: values are compared in one case, as everywhere in Sigma. Of fixed length."""
    joined = "".join(f"{len(value)}:{fold(value)}" for value in values)
    return hashlib.sha256(joined.encode()).hexdigest()[:32]


def merged(first: Sequence[Entry], second: Sequence[Entry]) -> tuple[Entry, ...]:
    """Entries of both in their order, each record and member once, of an inner correlation once for each group."""
    each = {(entry.place, entry.of): entry for entry in first}
    for entry in second:
        known = each.get((entry.place, entry.of))
        if known is None or known.is_new != entry.is_new:
            each[entry.place, entry.of] = entry  # what an inner correlation says of a record anew replaces the old
        else:
            each[entry.place, entry.of] = min(known, entry, key=_all_of)
    return tuple(sorted(each.values(), key=_in_order))


def _all_of(entry: Entry) -> tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], str, str]:
    """So that of two which name one record the same stays, whichever came first."""
    return (entry.value, entry.group, entry.carried, entry.host, entry.raw)


def _in_order(entry: Entry) -> tuple[object, ...]:
    return (entry.place, _all_of(entry), entry.of)


def _joined(first: Group, second: Group) -> Group:
    judged = [group for group in (first, second) if group.machine.n_seen or group.done_at != NEVER]
    if len(judged) > 1:
        message = "two workers have judged the same group: share them by their keys"
        raise ValueError(message)
    owner = judged[0] if judged else first
    return Group(
        machine=owner.machine,
        pending=merged(first.pending, second.pending),
        done_at=owner.done_at,
        heard_at=max(first.heard_at, second.heard_at),
        told=owner.told,
    )
