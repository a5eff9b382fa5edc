"""Paths -> a plan ready to run: read the documents, compile what the cache does not know, link, make the plan."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.adapters.content.cache import ByDocument, Cache, default_cache
from amagasa.adapters.content.children import Progress
from amagasa.adapters.content.compile import DIED, Compiler
from amagasa.adapters.content.placeholders import FoundPlaceholders, document_key, placeholders_of
from amagasa.adapters.content.rules import BUILT_IN, Document, documents_of, kind_of
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.pattern_set import Databases
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.link import Linked, OffRule, Wanted, link
from amagasa.detect.sigma.reach import may_filter
from amagasa.detect.sigma.rule import VERSION, Compiled, Rule, together
from amagasa.detect.sigma.text import Placeholders

# Fewer documents than this are not worth a second process.
_MANY: Final = 200
_COMPILED: Final = msgspec.msgpack.Decoder(Compiled)


class _Kept(Struct, frozen=True, array_like=True):
    """What is linked, and the plan made of it: its digest, and how many rules it has."""

    linked: Linked
    digest: str
    n_rules: int


_KEPT: Final = msgspec.msgpack.Decoder(_Kept)


class RuleFiles(Struct, frozen=True, kw_only=True):
    """Where rules are on disk, and which of them are to run. `placeholders` are files beside those in the folders.

    With `are_first_alone`: the built-in ones, and the filters that are for them; the rest comes later.
    """

    paths: tuple[Path, ...] = ()
    is_builtin_wanted: bool = False
    placeholders: tuple[Path, ...] = ()
    wanted: Wanted = Wanted()
    are_first_alone: bool = False


class LoadedContent(Struct, frozen=True, kw_only=True):
    """A plan and what became of its documents: `n_rules` run, `faults` do not, `off` could and were switched off.

    `correlations` stand beside the plan; `silent` are ids of rules which only correlations hear; `is_acting` as in
    `Linked`; `n_coming` documents were left for later; `placeholders` are in force with these values. `memo()` makes
    the runtime, with stored matchers; `keep(memo.made)` stores what it had to make.
    """

    plan: Plan
    correlations: tuple[Rule, ...] = ()
    n_rules: int
    faults: tuple[RuleFault, ...]
    off: tuple[OffRule, ...] = ()
    silent: tuple[str, ...] = ()
    is_acting: bool = False
    n_coming: int = 0
    placeholders: Placeholders = {}
    cache: Cache

    def memo(self) -> Memo:
        """A fresh memo of the plan, for one thread."""
        return Memo(self.plan, self.cache)

    def keep(self, made: Databases) -> None:
        """Store what a memo or a sieve made, for the next start, and empty it."""
        for key, body in made.items():
            self.cache.put(key, body)
        if made:
            self.cache.trim()
        made.clear()


def is_known(files: RuleFiles, *, cache: Path | None = None) -> bool:
    """Whether all of it comes out of the cache. Raises BadInputError as `load_plan`."""
    placeholders = placeholders_of(files.paths, files.placeholders)
    return _key(files, placeholders) in Cache(cache or default_cache())


def load_plan(files: RuleFiles, *, cache: Path | None = None, progress: Progress | None = None) -> LoadedContent:
    """The plan of every wanted rule in these files (file, folder, zip, tar.gz) and of the project's own, if asked.

    `progress(done, total)` counts documents while the compiler runs; it is not called where nothing need compile.
    Raises BadInputError for a path that is not there or of no known kind, WorldError where the compiler cannot start.
    """
    kept = Cache(cache or default_cache())
    placeholders = placeholders_of(files.paths, files.placeholders)
    key = _key(files, placeholders)
    stored = None if files.are_first_alone else _stored(kept, key)
    n_coming = 0
    if stored is not None:
        linked = stored.linked
        plan = _plan_of(stored)
    else:
        compiled, n_coming = _compiled(files, kept, placeholders, progress)
        linked = link(compiled, files.wanted)
        plan = plan_of(_of_records(linked))
        if _is_final(compiled) and not files.are_first_alone:
            kept.put(key, msgspec.msgpack.encode(_Kept(linked, plan.digest, len(plan.rules))))
    return LoadedContent(
        plan=plan,
        correlations=tuple(rule for rule in linked.rules if rule.correlation is not None),
        n_rules=len(linked.rules),
        faults=linked.faults,
        off=linked.off,
        silent=linked.silent,
        is_acting=linked.is_acting,
        n_coming=n_coming,
        placeholders=placeholders.values,
        cache=kept,
    )


def compile_documents(
    documents: Sequence[Document], compiler: Compiler, *, origin: str = "", progress: Progress | None = None
) -> Compiled:
    """What became of the documents, with their paths; `origin` is the party which sent them ("" for our own)."""
    compiled = compiler.compile([one.text for one in documents], progress=progress)
    return together([found.at(one.path, origin) for one, found in zip(documents, compiled, strict=True)])


def outcomes_of(
    documents: Sequence[Document],
    cache: Cache,
    placeholders: FoundPlaceholders,
    *,
    compiler: Compiler | None = None,
    progress: Progress | None = None,
) -> list[Compiled]:
    """What became of each document, with its path; compiled are those which the cache does not know.

    Without a `compiler` child processes are started where they are needed, and ended.
    """
    keys = [document_key(one, placeholders) for one in documents]
    stored = ByDocument(cache, str(VERSION), _COMPILED)
    known = {key: stored.get(key) for key in keys}
    new = {key: one.text for key, one in zip(keys, documents, strict=True) if known[key] is None}
    if new:
        texts = list(new.values())
        if compiler is not None:
            made = compiler.compile(texts, placeholders.values, progress=progress)
        else:
            with Compiler(n_processes=2 if len(new) >= _MANY else 1) as own:
                made = own.compile(texts, placeholders.values, progress=progress)
        known.update(zip(new, made, strict=True))
        stored.put((key, one) for key, one in zip(new, made, strict=True) if _is_final(one))
    return [(known[key] or Compiled()).at(one.path, "") for key, one in zip(keys, documents, strict=True)]


def _compiled(
    files: RuleFiles, cache: Cache, placeholders: FoundPlaceholders, progress: Progress | None
) -> tuple[Compiled, int]:
    """What became of the documents, and how many were left for later."""
    found = list(documents_of(files.paths, is_builtin=files.is_builtin_wanted))
    documents = [one for one in found if isinstance(one, Document)]
    n_all = len(documents)
    if files.are_first_alone:
        documents = [one for one in documents if one.path.startswith(BUILT_IN) or may_filter(one.text)]
    unread = (*placeholders.faults, *(one for one in found if isinstance(one, RuleFault)))
    outcomes = outcomes_of(documents, cache, placeholders, progress=progress)
    return together([Compiled(faults=unread), *outcomes]), n_all - len(documents)


def _is_final(compiled: Compiled) -> bool:
    """Whether the same text gives this each time: not where a compiler died or was too slow."""
    return all(fault.code != DIED for fault in compiled.faults)


def _stored(cache: Cache, key: str) -> _Kept | None:
    body = cache.get(key)
    if body is None:
        return None
    try:
        return _KEPT.decode(body)
    except msgspec.DecodeError:
        return None


def _of_records(linked: Linked) -> tuple[Rule, ...]:
    return tuple(rule for rule in linked.rules if rule.correlation is None)


def _plan_of(kept: _Kept) -> Plan:
    """The plan as it was: to hash all rules takes as long as to read them. Made anew where a rule is there twice."""
    rules = _of_records(kept.linked)
    return Plan(rules=rules, digest=kept.digest) if len(rules) == kept.n_rules else plan_of(rules)


def _key(files: RuleFiles, placeholders: FoundPlaceholders) -> str:
    """Hash of every byte that decides the outcome; an archive counts as one file, unopened."""
    digest = hashlib.sha256(f"{VERSION}\0{placeholders.digest}\0".encode())
    digest.update(msgspec.msgpack.encode((files.wanted, placeholders.faults)))
    for path in files.paths:
        digest.update(f"\0{path}\0{kind_of(path)}".encode("utf-8", "surrogateescape"))
        if path.is_dir():
            _add(digest, documents_of([path], is_builtin=False))
        else:
            digest.update(_file_digest(path))
    _add(digest, documents_of([], is_builtin=files.is_builtin_wanted))
    return f"content-{digest.hexdigest()}"


def _add(digest: "hashlib._Hash", found: Iterable[Document | RuleFault]) -> None:
    for one in found:
        digest.update(f"\0{one.path}\0{one.digest if isinstance(one, Document) else one.why}".encode())


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return f"unreadable {error.errno}".encode()
