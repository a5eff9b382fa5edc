"""The built-in rules as documents, for tests."""

from importlib.resources import files
from pathlib import Path
from typing import Final

FOLDER: Final = Path(str(files("amagasa"))) / "content" / "rules"
BUILT_IN: Final = [
    (path.relative_to(FOLDER).as_posix(), path.read_text(encoding="utf-8")) for path in sorted(FOLDER.rglob("*.yml"))
]
