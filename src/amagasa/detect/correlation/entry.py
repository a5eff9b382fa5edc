"""What the windows of one group are made of: entries, and what a core says when its condition holds."""

from typing import Final

from msgspec import Struct

from amagasa.detect.correlation.link import Linked

# Of the records that made a condition hold, and of different values: enough for a person to judge by.
EXAMPLES: Final = 4
VALUES: Final = 256


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """A record in the window of one correlation and group. `member` is the place of its rule.

    `value` is the text of the field that counts; `group` the values of the group as this record has them; `carried`
    the fields which outer correlations ask for, by name. `is_new`: of an inner correlation's, whether it begins there
    to hold, and `of` which of its groups: two of them may say different things of one record.
    """

    at: int
    member: int
    path: str
    record: int
    source: str
    value: str
    group: tuple[str, ...]
    carried: tuple[tuple[str, str], ...]
    host: str
    raw: str
    is_new: bool = True
    of: str = ""

    @property
    def place(self) -> tuple[int, str, str, int, int]:
        """The order of entries: by time, then by where the record stands. Two records of one file keep their order."""
        return (self.at, self.source, self.path, self.record, self.member)

    @property
    def mark(self) -> tuple[int, str, str, int]:
        """The record itself."""
        return (self.at, self.source, self.path, self.record)


class Held(Struct, frozen=True, gc=False):
    """A condition holds: from the record that made it hold back to the first that it took, and what was measured.

    `n` counts those records; `examples` are some of them in the order of time, the last one is `trigger`. `values`
    are the different values as (compared, shown).
    """

    trigger: Entry
    first_at: int
    n: int
    examples: tuple[Entry, ...]
    values: tuple[tuple[str, str], ...] = ()
    measure: str = ""


class About(Struct, frozen=True, gc=False):
    """What a core is told with an entry.

    Its correlation, the last few entries up to this one, and whether it is of the same record as the one before.
    """

    linked: Linked
    recent: list[Entry]
    is_same: bool
