"""The house rules which no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "amagasa"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
INITS = [path for path in MODULES if path.name == "__init__.py"]
REFUSED_NAMES = {"utils", "util", "helpers", "common", "manager", "misc", "base"}
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_PATH_LINES = 100


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", INITS, ids=name_of)
def test_init_holds_a_docstring_only(path: Path) -> None:
    body = tree_of(path).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_of_a_readable_size(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_function_fits_a_screen(path: Path) -> None:
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1}"
        for node in functions_of(tree_of(path))
        if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_stand_at_the_top_and_are_absolute(path: Path) -> None:
    tree = tree_of(path)
    inside = [
        node.name
        for node in functions_of(tree)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    relative = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert inside == []
    assert relative == []
    assert "TYPE_CHECKING" not in path.read_text(encoding="utf-8")


def test_names_say_what_is_inside() -> None:
    assert [name_of(path) for path in SOURCE.rglob("*") if path.stem.lower() in REFUSED_NAMES] == []


def test_rooms_are_two_levels_deep_except_adapters_doors_detection_and_events() -> None:
    three = {"adapters", "entry", "detect", "event"}
    parts = [path.relative_to(SOURCE).parts for path in MODULES]
    deep = ["/".join(one) for one in parts if len(one) > (3 if one[0] in three else 2)]
    assert deep == []


def test_path_is_read_in_one_go() -> None:
    assert len((SOURCE / "app" / "path.py").read_text(encoding="utf-8").splitlines()) < MAX_PATH_LINES


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_tracked_files_name_no_registry_and_no_download_address() -> None:
    pattern = re.compile(r'"resolved"\s*:|https?://[^\s"]+\.(?:whl|tgz)|files\.pythonhosted|registry\.npmjs')
    this = Path(__file__)
    found = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if path != this and pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_no_built_asset_is_tracked() -> None:
    static = SOURCE / "entry" / "people" / "static"
    assert [path for path in tracked_files() if static in path.parents] == []
