"""What is wrong with a node and how to mend it, as values; the words are in `doctor_words`."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS


class Kind(StrEnum):
    """What a look at one part of a node found."""

    SOUND = "sound"
    NOTE = "note"  # works, and a person should know
    WRONG = "wrong"  # does not work, or will not
    UNLOOKED = "unlooked"  # could not be looked at: neither sound nor wrong


class Finding(Struct, frozen=True, kw_only=True):
    """One look at one part. `code` names the words; `args` are put into them, attacker text escaped by its maker."""

    part: str
    kind: Kind
    code: str
    args: tuple[str, ...] = ()


def exit_code(findings: Iterable[Finding]) -> int:
    """0: nothing wrong; 1: something is; 3: nothing wrong was seen, and not everything could be looked at."""
    kinds = {finding.kind for finding in findings}
    if Kind.WRONG in kinds:
        return EXIT_FINDINGS
    return EXIT_COULD_NOT if Kind.UNLOOKED in kinds else EXIT_DONE
