"""Reading a mapping (`event.mapping`) from its file."""

from pathlib import Path
from typing import Final

from amagasa.event.mapping import LogMapping, read_mapping
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

MAX_BYTES: Final = 262_144
_MAX_SHOWN: Final = 3


def load_mapping(path: Path) -> LogMapping:
    """The mapping in the file. Raises BadInputError (AMG-MAPPING) with each fault and its line."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _refused(path, f"more than {MAX_BYTES} bytes")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise _refused(path, f"byte {error.start} is not UTF-8") from None
    found = read_mapping(text)
    if isinstance(found, LogMapping):
        return found
    shown = [f"line {one.line}: {one.why}" if one.line else one.why for one in found[:_MAX_SHOWN]]
    more = f"; and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
    raise _refused(path, "; ".join(shown) + more)


def _refused(path: Path, got: str) -> BadInputError:
    return BadInputError(
        "AMG-MAPPING",
        f"the mapping {show(str(path))} cannot be used",
        expected="TOML that says name, kind, [logsource], [time] and [fields] (docs/mapping.md)",
        got=got,
        then="nothing was read",
    )
