"""Rule files reviewed by child processes; reviews of texts that were seen before come out of the cache."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from amagasa.adapters.content.cache import ByDocument, Cache, default_cache
from amagasa.adapters.content.children import DOCUMENT_TIMEOUT_S, Children, Progress
from amagasa.adapters.content.placeholders import NO_PLACEHOLDERS, FoundPlaceholders, document_key
from amagasa.adapters.content.rules import TEST_SUFFIXES, Document, documents_of
from amagasa.detect.lint.codes import say
from amagasa.detect.lint.document import Linted
from amagasa.detect.lint.finding import START
from amagasa.detect.lint.review import Review, RuleFile
from amagasa.detect.report import RuleFault

# Fewer documents than this are not worth a second process.
_MANY: Final = 40
_DIED_CODE: Final = "linter-died"
_JUDGES: Final = (("detect", "lint"), ("detect", "sigma"), ("detect", "correlation"), ("event",), ("vocab",))
Reviews = tuple[Review, ...]
_REVIEWS: Final[msgspec.msgpack.Decoder[Reviews]] = msgspec.msgpack.Decoder(Reviews)
_ANSWER: Final = msgspec.msgpack.Decoder(tuple[Reviews, ...])


def read_rule_files(paths: Sequence[Path], *, is_builtin: bool) -> tuple[list[Document], list[RuleFault]]:
    """Every YAML document file under the paths, and what could not be read. Raises BadInputError as `documents_of`."""
    found = list(documents_of([*paths, *_beside(paths)], is_builtin=is_builtin, are_tests_wanted=True))
    documents = [one for one in found if isinstance(one, Document)]
    return documents, [one for one in found if isinstance(one, RuleFault)]


def _beside(paths: Sequence[Path]) -> list[Path]:
    """The test cases beside single files."""
    named = [path for path in paths if path.is_file() and not path.name.lower().endswith(TEST_SUFFIXES)]
    beside = [path.with_name(path.stem + suffix) for path in named for suffix in TEST_SUFFIXES]
    return [path for path in beside if path.is_file() and path not in paths]


def review_documents(
    documents: Sequence[Document],
    placeholders: FoundPlaceholders = NO_PLACEHOLDERS,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[RuleFile]:
    """The reviews of the documents, in their order. Raises WorldError where no child can start."""
    kept = Cache(cache or default_cache())
    known = ByDocument(kept, f"lint-{_code_digest()}", _REVIEWS)
    keys = [document_key(one, placeholders) for one in documents]
    reviews = {key: known.get(key) for key in keys}
    new = {key: one.text for key, one in zip(keys, documents, strict=True) if reviews[key] is None}
    if new:
        died = (_died(),)
        children: Children[Reviews] = Children(
            "amagasa.entry.node.linter", _ANSWER, died, n_processes=2 if len(new) >= _MANY else 1
        )
        try:
            answers = children.ask(list(new.values()), placeholders.values, progress=progress)
        finally:
            children.close()
        fresh = dict(zip(new, answers, strict=True))
        reviews.update(fresh)
        known.put((key, answer) for key, answer in fresh.items() if answer != died)
        kept.trim()
    return [
        RuleFile(path=one.path, text=one.text, has_mark=one.has_mark, reviews=reviews[key] or ())
        for key, one in zip(keys, documents, strict=True)
    ]


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Hash of the code that judges: a linter that was changed, by a word even, judges anew."""
    digest = hashlib.sha256()
    for room in _JUDGES:
        for module in sorted(resources.files("amagasa").joinpath(*room).iterdir(), key=lambda one: one.name):
            if module.name.endswith(".py"):
                digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def _died() -> Review:
    what = f"the linter died over this file, or took longer than {DOCUMENT_TIMEOUT_S:.0f} s: it was not looked at"
    finding = say(_DIED_CODE, START, what)
    return Review(document=Linted(kind="", rule_id="", name="", title="", place=START, findings=(finding,)))
