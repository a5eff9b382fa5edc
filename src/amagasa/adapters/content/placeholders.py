"""What a site's placeholders stand for, out of TOML files: `Servers = ["srv-*", "db01"]`."""

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.adapters.content.rules import Document
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.text import Placeholders
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

# The name of the file in a folder of rules.
FILE: Final = "placeholders.toml"
MAX_BYTES: Final = 4 * 1024 * 1024
# Only a document with this word can have placeholders, and so depend on their values.
_EXPAND: Final = "expand"
_CODE: Final = "AMG-PLACEHOLDER-001"


class FoundPlaceholders(Struct, frozen=True, kw_only=True):
    """Placeholders with their values, what could not be read of them, and a hash of the values."""

    values: Placeholders
    faults: tuple[RuleFault, ...]
    digest: str


NO_PLACEHOLDERS: Final = FoundPlaceholders(values={}, faults=(), digest="")


def document_key(one: Document, placeholders: FoundPlaceholders) -> str:
    """Hash of all that decides what the document compiles to."""
    if _EXPAND not in one.text:
        return one.digest
    return hashlib.sha256(f"{one.digest}\0{placeholders.digest}".encode()).hexdigest()


def placeholders_of(rules: Sequence[Path], named: Sequence[Path] = ()) -> FoundPlaceholders:
    """Those in `placeholders.toml` of the folders among `rules`, and in the `named` files, of which the last counts.

    Raises BadInputError (AMG-PLACEHOLDER-MISSING) where a named file is not there.
    """
    missing = [path for path in named if not path.is_file()]
    if missing:
        raise BadInputError(
            "AMG-PLACEHOLDER-MISSING",
            "the placeholders cannot be found",
            expected="a TOML file",
            got=str(missing[0]),
            then="nothing was loaded",
        )
    beside = [path / FILE for path in rules if path.is_dir() and (path / FILE).is_file()]
    values: dict[str, tuple[str, ...]] = {}
    faults: list[RuleFault] = []
    for path in (*beside, *named):
        try:
            document = _read(path)
        except (OSError, ValueError) as error:
            faults.append(_fault(path, f"the placeholders cannot be read: {show(str(error))}"))
            continue
        for name, given in document.items():
            found = _values(given)
            if found is None:
                faults.append(_fault(path, f"the placeholder {show(name)} must be text, a number, or a list of such"))
            else:
                values[name] = found
    digest = hashlib.sha256(msgspec.msgpack.encode(sorted(values.items()))).hexdigest()
    return FoundPlaceholders(values=values, faults=tuple(faults), digest=digest)


def _read(path: Path) -> dict[str, Any]:
    """Raises OSError, ValueError."""
    with path.open("rb") as file:
        body = file.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        message = f"more than {MAX_BYTES} bytes"
        raise ValueError(message)
    return tomllib.loads(body.decode("utf-8-sig"))


def _values(given: Any) -> tuple[str, ...] | None:
    items: Iterable[Any] = given if isinstance(given, list) else [given]
    values = tuple(str(item) for item in items if isinstance(item, str | int | float) and not isinstance(item, bool))
    return values if values and len(values) == len(list(items)) else None


def _fault(path: Path, why: str) -> RuleFault:
    return RuleFault(rule_id="", path=str(path), why=why, code=_CODE)
