"""The built-in rules as documents, for tests."""

from importlib.resources import files
from pathlib import Path
from typing import Final

FOLDER: Final = Path(str(files("amagasa"))) / "content" / "rules"
_ALL: Final = [
    (path.relative_to(FOLDER).as_posix(), path.read_text(encoding="utf-8")) for path in sorted(FOLDER.rglob("*.yml"))
]
# Rules over single records, and correlations with the rules that they alone need.
BUILT_IN: Final = [(path, text) for path, text in _ALL if not path.startswith("correlation/")]
CORRELATIONS: Final = [(path, text) for path, text in _ALL if path.startswith("correlation/")]
