"""Rule documents out of files, folders, zip and tar archives. Bounded; what cannot be read is a fault, not silence."""

import codecs
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from msgspec import Struct

from amagasa.detect.report import RuleFault
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

MAX_DOCUMENT_BYTES: Final = 1_048_576
# Of one archive or folder, unpacked: forty times the public rule set.
MAX_TOTAL_BYTES: Final = 268_435_456
MAX_DOCUMENTS: Final = 100_000
# The path of a rule of our own begins with it.
BUILT_IN: Final = "builtin:"
_SUFFIXES: Final = (".yml", ".yaml")
TEST_SUFFIXES: Final = (".test.yml", ".test.yaml")
_TAR_SUFFIXES: Final = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_UNREADABLE: Final = "AMG-RULE-004"
_TOO_MUCH: Final = "AMG-RULE-005"


class Document(Struct, frozen=True, kw_only=True):
    """One YAML file: `path` says where it came from (an archive's member as `archive:member`), `digest` is its hash."""

    path: str
    text: str
    digest: str
    has_mark: bool = False  # it began with a byte order mark, which is not in `text`


def documents_of(
    paths: Sequence[Path], *, is_builtin: bool, are_tests_wanted: bool = False
) -> Iterator[Document | RuleFault]:
    """Every rule document under `paths` and, if asked, the built-in ones, in a stable order.

    What is beside rules to test them (`name.test.yml`, a folder `regression_data`) is left out unless it is wanted.
    Raises BadInputError for a path that does not exist or is neither YAML, folder nor archive.
    """
    if is_builtin:
        yield from _builtin()
    for path in paths:
        for one in _of_path(path):
            if are_tests_wanted or not is_test(one.path):
                yield one


def is_test(path: str) -> bool:
    """Whether what stands at `path` is there to test rules."""
    return path.lower().endswith(TEST_SUFFIXES) or "regression_data" in path.replace("\\", "/").split("/")


def kind_of(path: Path) -> str:
    """`folder`, `zip`, `tar` or `file`. Raises BadInputError where the path is none of them."""
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise BadInputError(
            "AMG-RULE-006", "the rules cannot be found", expected="a file or folder", got=str(path), then="see --rules"
        )
    name = path.name.lower()
    if name.endswith(".zip"):
        return "zip"
    if name.endswith(_TAR_SUFFIXES):
        return "tar"
    if name.endswith(_SUFFIXES):
        return "file"
    raise BadInputError(
        "AMG-RULE-007",
        "the rules cannot be read",
        expected="a folder, .yml, .yaml, .zip, .tar or .tar.gz",
        got=str(path),
        then="nothing was loaded",
    )


def document(path: str, content: bytes) -> Document | RuleFault:
    """A document from its bytes; a fault where it is too large or no UTF-8."""
    if len(content) > MAX_DOCUMENT_BYTES:
        return _fault(path, f"the file has more than {MAX_DOCUMENT_BYTES} bytes", _TOO_MUCH)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _fault(path, f"the file is not UTF-8 (byte {error.start})", _UNREADABLE)
    has_mark = content.startswith(codecs.BOM_UTF8)
    return Document(path=path, text=text, digest=hashlib.sha256(content).hexdigest(), has_mark=has_mark)


def text_document(path: str, text: str) -> Document:
    """A document from its text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Document(path=path, text=text, digest=digest)


def _of_path(path: Path) -> Iterator[Document | RuleFault]:
    kind = kind_of(path)
    if kind == "folder":
        yield from _bounded(str(path), _of_folder(path))
    elif kind == "file":
        yield _of_file(path)
    else:
        yield from _bounded(str(path), _of_zip(path) if kind == "zip" else _of_tar(path))


def _bounded(name: str, found: Iterable[Document | RuleFault]) -> Iterator[Document | RuleFault]:
    n_bytes = 0
    for number, one in enumerate(found):
        n_bytes += len(one.text) if isinstance(one, Document) else 0
        if number >= MAX_DOCUMENTS or n_bytes > MAX_TOTAL_BYTES:
            why = f"more than {MAX_DOCUMENTS} documents or {MAX_TOTAL_BYTES} bytes; the rest was not read"
            yield _fault(name, why, _TOO_MUCH)
            return
        yield one


def _of_folder(folder: Path) -> Iterator[Document | RuleFault]:
    for path in sorted(folder.rglob("*"), key=lambda path: path.parts):
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            yield _of_file(path)


def _of_file(path: Path) -> Document | RuleFault:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        return _fault(str(path), f"the file cannot be read: {error.strerror}", _UNREADABLE)
    return document(str(path), content)


def _of_zip(path: Path) -> Iterator[Document | RuleFault]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.lower().endswith(_SUFFIXES) and not member.is_dir():
                    with archive.open(member) as file:
                        content = file.read(MAX_DOCUMENT_BYTES + 1)
                    yield document(_member(path, member.filename), content)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        yield _damaged(path, error)


def _of_tar(path: Path) -> Iterator[Document | RuleFault]:
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and member.name.lower().endswith(_SUFFIXES):
                    yield document(_member(path, member.name), file.read(MAX_DOCUMENT_BYTES + 1))
    except (OSError, tarfile.TarError, zlib.error, EOFError, ValueError) as error:
        yield _damaged(path, error)


def _member(path: Path, name: str) -> str:
    return f"{path}:{show(name)}"


def _damaged(path: Path, error: Exception) -> RuleFault:
    return _fault(str(path), f"the archive cannot be read to its end: {show(str(error))}", _UNREADABLE)


def _builtin() -> Iterator[Document | RuleFault]:
    root = resources.files("amagasa").joinpath("content", "rules")
    if not root.is_dir():
        return
    for room in sorted(root.iterdir(), key=lambda entry: entry.name):
        if room.is_dir():
            for entry in sorted(room.iterdir(), key=lambda entry: entry.name):
                if entry.name.endswith(_SUFFIXES):
                    yield document(f"{BUILT_IN}{room.name}/{entry.name}", entry.read_bytes())


def _fault(path: str, why: str, code: str) -> RuleFault:
    return RuleFault(rule_id="", path=path, why=why, code=code)
