"""A site's exclusions, out of TOML files: `[[exclude]]` tables."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from amagasa.detect.exclusion import Exclusion, exclusion_of
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.problem import SigmaProblemError
from amagasa.detect.sigma.text import Placeholders
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

# The name of the file in the content of a node.
FILE: Final = "exclusions.toml"
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_EXCLUSIONS: Final = 10_000
_UNREADABLE: Final = "AMG-EXCLUSION-001"
_INVALID: Final = "AMG-EXCLUSION-002"
_TABLE: Final = "exclude"
_KEYS: Final = ("rule", "title", "tag", "path", "reason", "expires", "detection")


def load_exclusions(
    files: Sequence[Path], placeholders: Placeholders
) -> tuple[tuple[Exclusion, ...], tuple[RuleFault, ...]]:
    """The exclusions in these files, in their order, and what of them cannot be used.

    Raises BadInputError (AMG-EXCLUSION-MISSING) where a file is not there.
    """
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise BadInputError(
            "AMG-EXCLUSION-MISSING",
            "the exclusions cannot be found",
            expected="a TOML file",
            got=str(missing[0]),
            then="nothing was loaded",
        )
    exclusions: list[Exclusion] = []
    faults: list[RuleFault] = []
    for path in files:
        try:
            tables = _tables(path)
        except (OSError, ValueError) as error:
            faults.append(_fault(str(path), f"the exclusions cannot be read: {show(str(error))}", _UNREADABLE))
            continue
        for number, table in enumerate(tables, 1):
            place = f"{path}#{number}"
            try:
                exclusions.append(_exclusion(table, place, placeholders))
            except SigmaProblemError as problem:
                faults.append(_fault(place, f"the exclusion cannot be used: {problem}", _INVALID))
    return tuple(exclusions), tuple(faults)


def _tables(path: Path) -> list[Any]:
    """Raises OSError, ValueError."""
    with path.open("rb") as file:
        body = file.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        message = f"more than {MAX_BYTES} bytes"
        raise ValueError(message)
    document = tomllib.loads(body.decode("utf-8-sig"))
    unknown = [key for key in document if key != _TABLE]
    tables = document.get(_TABLE, [])
    if unknown or not isinstance(tables, list) or len(tables) > MAX_EXCLUSIONS:
        message = f"expected tables [[{_TABLE}]], {MAX_EXCLUSIONS} at most; got {unknown[0] if unknown else _TABLE}"
        raise ValueError(message)
    return tables


def _exclusion(table: Any, place: str, placeholders: Placeholders) -> Exclusion:
    if not isinstance(table, Mapping):
        message = f"a table [[{_TABLE}]] was expected"
        raise SigmaProblemError(message)
    for key in table:
        if key not in _KEYS:
            like = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.0)
            message = f"it has no key {show(key)}; the nearest is {like[0]}"
            raise SigmaProblemError(message)
    return exclusion_of(table, place, placeholders)


def _fault(place: str, why: str, code: str) -> RuleFault:
    return RuleFault(rule_id="", path=show(place), why=why, code=code)
