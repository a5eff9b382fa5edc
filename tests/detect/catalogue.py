"""The catalogue of built-in rules, `docs/rules.md`. `python -m tests.detect.catalogue` writes it anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from amagasa.vocab.attack import techniques_of
from tests.detect.built_in import BUILT_IN

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
AREAS: Final = {"web": "Web servers", "linux": "Linux", "windows": "Windows"}
HEAD: Final = """# Built-in rules

Sigma 2.1 rules of our own, in `src/amagasa/content/rules/`. Each has cases in `tests/cases/`, at least two which it
must match and two near misses of ordinary life which it must not; all run through the whole path and through a plain
evaluator of their own. `amagasa detect` and every node use them unless told otherwise.

Rules for web servers read the fields of Sigma's category `webserver` and our own `cs-uri-decoded`: path and query with
every layer of encoding taken off. Rules of level `low` are single events which only count in number: a refused
password, a console that is not there.
"""


def catalogue() -> str:
    """The page: a table for each area, in the order of file names."""
    parts = [HEAD]
    for area, title in AREAS.items():
        documents = [(path, yaml.safe_load(text)) for path, text in BUILT_IN if path.startswith(f"{area}/")]
        parts.append(f"\n## {title}: {len(documents)} rules\n\n| rule | finds | level | ATT&CK |\n|---|---|---|---|\n")
        parts.extend(_row(path, document) for path, document in documents)
    return "".join(parts)


def _row(path: str, document: Mapping[str, Any]) -> str:
    name = path.partition("/")[2].removesuffix(".yml")
    techniques = ", ".join(techniques_of(document["tags"]))
    return f"| `{name}` | {document['title']} | {document['level']} | {techniques} |\n"


if __name__ == "__main__":
    PAGE.write_text(catalogue(), encoding="utf-8")
