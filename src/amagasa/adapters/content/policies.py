"""Files that say how indicators are weighed: what is known to be harmless (TOML), how confidence ages (TOML)."""

import datetime as dt
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Struct

from amagasa.detect.indicators.ageing import Ageing
from amagasa.detect.indicators.allowlist import Allowlist, Known
from amagasa.detect.indicators.policy import Policy
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

ALLOWLIST_FILE: Final = "allowlist.toml"
AGEING_FILE: Final = "ageing.toml"
MAX_BYTES: Final = 8 * 1024 * 1024
_KNOWN_FILE: Final = "content/known.toml"


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry. `source`, `date` and `why` are for people; the last day on which it counts is `until`."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    values: tuple[str, ...]
    source: str = ""
    date: dt.date | None = None
    why: str = ""
    until: dt.date | None = None

    def known(self, *, is_guard: bool) -> Known:
        """As the core reads it: until the end of that day, in UTC."""
        end = None if self.until is None else dt.datetime.combine(self.until, dt.time.max, dt.UTC)
        return Known(name=self.name, values=self.values, is_guard=is_guard, until=end)


class _Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[allow]]`: silent, whoever names it. `[[known]]`: lists may not raise an alert on it."""

    allow: tuple[_Entry, ...] = ()
    known: tuple[_Entry, ...] = ()


def load_policy(*, allowlists: Sequence[Path] = (), ageing: Path | None = None) -> Policy:
    """The built-in services with these allowlists, and this ageing (the built-in one where None).

    Raises BadInputError (AMG-ALLOW-001, AMG-AGEING-001) for a file that cannot be read or says what we do not know: an
    allowlist of which a part was dropped would wake somebody, and one that was misread would silence too much.
    """
    built_in = resources.files("amagasa").joinpath(_KNOWN_FILE).read_text(encoding="utf-8")
    documents = [(_KNOWN_FILE, _document(_KNOWN_FILE, built_in))]
    documents += [(str(path), _document(str(path), _read(path, "AMG-ALLOW-001"))) for path in allowlists]
    known: list[Known] = []
    for name, document in documents:
        found = [one.known(is_guard=False) for one in document.allow]
        found += [one.known(is_guard=True) for one in document.known]
        faults = Allowlist(found).faults
        if faults:
            raise _refused("AMG-ALLOW-001", name, faults[0])
        known += found
    return Policy(allowlist=Allowlist(known), ageing=_ageing(ageing))


def policy_in(node: Path) -> Policy:
    """How a node weighs what indicators say: by the files in its folder `content`. Raises as `load_policy`."""
    allowlist, ageing = node / "content" / ALLOWLIST_FILE, node / "content" / AGEING_FILE
    return load_policy(allowlists=[allowlist] if allowlist.exists() else [], ageing=ageing if ageing.exists() else None)


def _document(name: str, text: str) -> _Document:
    found: _Document = _converted(name, text, _Document, "AMG-ALLOW-001")
    return found


def _ageing(path: Path | None) -> Ageing:
    if path is None:
        return Ageing()
    found: Ageing = _converted(str(path), _read(path, "AMG-AGEING-001"), Ageing, "AMG-AGEING-001")
    try:
        return found.beside_the_built_in()
    except ValueError as problem:
        raise _refused("AMG-AGEING-001", str(path), str(problem)) from None


def _read(path: Path, code: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _refused(code, str(path), f"more than {MAX_BYTES} bytes")
        return data.decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise _refused(code, str(path), getattr(problem, "strerror", None) or str(problem)) from None


def _converted(name: str, text: str, kind: Any, code: str) -> Any:
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as problem:
        raise _refused(code, name, str(problem)) from None


def _refused(code: str, name: str, why: str) -> BadInputError:
    return BadInputError(
        code,
        f"{show(name)} cannot be used",
        expected="TOML as docs/indicators.md shows it",
        got=why,
        then="nothing was done; mend the file",
    )
