"""The catalogue of built-in rules, `docs/rules.md`. `python -m tests.detect.catalogue` writes it anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from amagasa.vocab.attack import techniques_of
from tests.detect.built_in import BUILT_IN, CORRELATIONS

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
AREAS: Final = {"web": "Web servers", "linux": "Linux", "windows": "Windows", "ot": "Industrial control"}
HEAD: Final = """# Built-in rules

Sigma 2.1 rules of our own, in `src/amagasa/content/rules/`. Each has cases in `tests/cases/`, at least two which it
must match and two near misses of ordinary life which it must not; all run through the whole path and through a plain
evaluator of their own. `amagasa detect` and every node use them unless told otherwise.

Rules for web servers read the fields of Sigma's category `webserver` and our own `cs-uri-decoded`: path and query with
every layer of encoding taken off. Rules of level `low` are single events which only count in number: a refused
password, a console that is not there.
"""

CORRELATED: Final = """
## Correlations: {n}

What several records show together; [what each type means](correlations.md). Their cases are sequences of records with
their times, at least two in which it must be found and two in which it must not; all run through the whole path, as a
file and as a stream, and through a plain correlator of their own. One attack is one detection, however many records.

| rule | finds | when | for each | level | ATT&CK |
|---|---|---|---|---|---|
"""


def catalogue() -> str:
    """The page: a table for each area, in the order of file names."""
    parts = [HEAD]
    for area, title in AREAS.items():
        documents = [(path, yaml.safe_load(text)) for path, text in BUILT_IN if path.startswith(f"{area}/")]
        parts.append(f"\n## {title}: {len(documents)} rules\n\n| rule | finds | level | ATT&CK |\n|---|---|---|---|\n")
        parts.extend(_row(path, document) for path, document in documents)
    parts.append(CORRELATED.format(n=len(CORRELATIONS)))
    for path, text in CORRELATIONS:
        document = next(iter(yaml.safe_load_all(text)))
        parts.append(_correlation_row(path, document))
    return "".join(parts)


def _correlation_row(path: str, document: Mapping[str, Any]) -> str:
    name = path.partition("/")[2].removesuffix(".yml")
    section = document["correlation"]
    condition = section.get("condition", {})
    asked = " ".join(f"{key} {value}" for key, value in condition.items() if key != "field") or "all of them"
    of = f" of `{condition['field']}`" if "field" in condition else ""
    by = ", ".join(f"`{field}`" for field in section.get("group-by", ())) or "everything together"
    techniques = ", ".join(techniques_of(document["tags"]))
    how = f"{section['type']} {asked}{of} in {section['timespan']}"
    return f"| `{name}` | {document['title']} | {how} | {by} | {document['level']} | {techniques} |\n"


def _row(path: str, document: Mapping[str, Any]) -> str:
    name = path.partition("/")[2].removesuffix(".yml")
    techniques = ", ".join(techniques_of(document["tags"]))
    return f"| `{name}` | {document['title']} | {document['level']} | {techniques} |\n"


if __name__ == "__main__":
    PAGE.write_text(catalogue(), encoding="utf-8")
