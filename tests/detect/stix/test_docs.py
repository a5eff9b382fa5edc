"""docs/patterns.md lists the objects which our records show exactly as the tables have them."""

from pathlib import Path

from amagasa.detect.stix.forms import Shape
from amagasa.detect.stix.observables import known_path
from amagasa.detect.stix.shapes_others import JSON, SYSLOG, WEB
from amagasa.detect.stix.shapes_windows import BY_EVENT, WINDOWS

DOCS = Path(__file__).resolve().parents[3] / "docs" / "patterns.md"
ALL_WINDOWS = (*WINDOWS, *(shape for shapes in BY_EVENT.values() for shape in shapes))
FAMILIES: dict[str, tuple[Shape, ...]] = {
    "web": WEB,
    "Windows": ALL_WINDOWS,
    "syslog, auditd": SYSLOG,
    "JSON": JSON,
}


def rows() -> list[str]:
    """One row for the properties of one object type that the same records show."""
    shown: dict[tuple[str, str], list[str]] = {}
    for family, shapes in FAMILIES.items():
        for where in dict.fromkeys((shape.kind, part.path) for shape in shapes for part in shape.properties):
            shown.setdefault(where, []).append(family)
    grouped: dict[tuple[str, str], list[str]] = {}
    for (kind, path), families in sorted(shown.items()):
        grouped.setdefault((kind, ", ".join(families)), []).append(f"`{path}`")
    names = {"ip-addr": "ipv4-addr`, `ipv6-addr"}
    return [
        f"| `{names.get(kind, kind)}` | {', '.join(paths)} | {families} |"
        for (kind, families), paths in grouped.items()
    ]


def test_docs_name_every_property_and_no_other() -> None:
    after = DOCS.read_text(encoding="utf-8").split("## Objects which our records show", 1)[1].split("\n## ", 1)[0]
    table = [line for line in after.splitlines() if line.startswith("| `")]
    assert table == rows()


def test_docs_paths_are_found_as_they_are_written() -> None:
    assert all(
        known_path(shape.kind, part.path)
        for shapes in FAMILIES.values()
        for shape in shapes
        for part in shape.properties
    )
