"""Paths -> a plan ready to run: read the documents, compile what the cache does not know, put the plan together."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.adapters.content.cache import ByDocument, Cache, default_cache
from amagasa.adapters.content.children import Progress
from amagasa.adapters.content.compile import DIED, Compiler, Outcome
from amagasa.adapters.content.rules import Document, documents_of, kind_of
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import VERSION, Rule

# Fewer documents than this are not worth a second process.
_MANY: Final = 200
_OUTCOME: Final[msgspec.msgpack.Decoder[Outcome]] = msgspec.msgpack.Decoder(Outcome)


class LoadedContent(Struct, frozen=True, kw_only=True):
    """A plan and what became of its documents: `n_rules` run, `faults` do not. `correlations` stand beside the plan.

    `memo()` makes the runtime, with stored matchers; `keep(memo)` stores those which it had to make.
    """

    plan: Plan
    correlations: tuple[Rule, ...] = ()
    n_rules: int
    faults: tuple[RuleFault, ...]
    cache: Cache

    def memo(self) -> Memo:
        """A fresh memo of the plan, for one thread."""
        return Memo(self.plan, self.cache)

    def keep(self, memo: Memo) -> None:
        """Store what the memo compiled, for the next start."""
        for key, body in memo.made.items():
            self.cache.put(key, body)
        if memo.made:
            self.cache.trim()
        memo.made.clear()


def load_plan(
    paths: Sequence[Path],
    *,
    builtin: bool,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> LoadedContent:
    """The plan of every rule under `paths` (file, folder, zip, tar.gz) and, with `builtin`, of the project's own.

    `progress(done, total)` counts documents while the compiler runs; it is not called where nothing need compile.
    Raises BadInputError for a path that is not there or of no known kind, WorldError where the compiler cannot start.
    """
    kept = Cache(cache or default_cache())
    key = _key(paths, builtin=builtin)
    stored = _stored(kept, key)
    if stored is None:
        stored = _load(paths, kept, builtin=builtin, progress=progress)
        if _is_final(stored):
            kept.put(key, msgspec.msgpack.encode(stored))
    rules, faults = stored
    plain = [rule for rule in rules if rule.correlation is None]
    return LoadedContent(
        plan=plan_of(plain),
        correlations=tuple(rule for rule in rules if rule.correlation is not None),
        n_rules=len(rules),
        faults=faults,
        cache=kept,
    )


def compile_documents(
    documents: Sequence[Document], compiler: Compiler, *, origin: str = "", progress: Progress | None = None
) -> Outcome:
    """Rules and faults of the documents, with their paths; `origin` is the party which sent them ("" for our own)."""
    outcomes = compiler.compile([one.text for one in documents], progress=progress)
    placed = [_placed(outcome, one.path, origin) for one, outcome in zip(documents, outcomes, strict=True)]
    return tuple(rule for rules, _ in placed for rule in rules), tuple(
        fault for _, faults in placed for fault in faults
    )


def _load(paths: Sequence[Path], cache: Cache, *, builtin: bool, progress: Progress | None) -> Outcome:
    found = list(documents_of(paths, is_builtin=builtin))
    documents = [one for one in found if isinstance(one, Document)]
    rules: list[Rule] = []
    faults = [one for one in found if isinstance(one, RuleFault)]
    for placed in outcomes_of(documents, cache, progress=progress):
        rules.extend(placed[0])
        faults.extend(placed[1])
    return tuple(rules), tuple(faults)


def outcomes_of(
    documents: Sequence[Document], cache: Cache, *, compiler: Compiler | None = None, progress: Progress | None = None
) -> list[Outcome]:
    """Rules and faults of each document, with its path; compiled are those which the cache does not know.

    Without a `compiler` child processes are started where they are needed, and ended.
    """
    compiled = ByDocument(cache, str(VERSION), _OUTCOME)
    known = {one.digest: compiled.get(one.digest) for one in documents}
    new = {one.digest: one.text for one in documents if known[one.digest] is None}
    if new:
        if compiler is not None:
            outcomes = compiler.compile(list(new.values()), progress=progress)
        else:
            with Compiler(n_processes=2 if len(new) >= _MANY else 1) as own:
                outcomes = own.compile(list(new.values()), progress=progress)
        known.update(zip(new, outcomes, strict=True))
        compiled.put((digest, outcome) for digest, outcome in zip(new, outcomes, strict=True) if _is_final(outcome))
    return [_placed(known[one.digest] or ((), ()), one.path, "") for one in documents]


def _is_final(outcome: Outcome) -> bool:
    """Whether the same text gives this each time: not where a compiler died or was too slow."""
    return all(fault.code != DIED for fault in outcome[1])


def _placed(outcome: Outcome, path: str, origin: str) -> Outcome:
    rules, faults = outcome
    return (
        tuple(msgspec.structs.replace(rule, path=path, origin=origin) for rule in rules),
        tuple(msgspec.structs.replace(fault, path=path) for fault in faults),
    )


def _stored(cache: Cache, key: str) -> Outcome | None:
    body = cache.get(key)
    if body is None:
        return None
    try:
        return _OUTCOME.decode(body)
    except msgspec.DecodeError:
        return None


def _key(paths: Sequence[Path], *, builtin: bool) -> str:
    """Hash of every byte that decides the outcome; an archive counts as one file, unopened."""
    digest = hashlib.sha256(f"{VERSION}".encode())
    for path in paths:
        digest.update(f"\0{path}\0{kind_of(path)}".encode("utf-8", "surrogateescape"))
        if not path.is_dir():
            digest.update(_file_digest(path))
            continue
        for one in documents_of([path], is_builtin=False):
            digest.update(f"\0{one.path}\0{one.digest if isinstance(one, Document) else one.why}".encode())
    for one in documents_of([], is_builtin=builtin):
        digest.update(f"\0{one.path}\0{one.digest if isinstance(one, Document) else one.why}".encode())
    return f"content-{digest.hexdigest()}"


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return f"unreadable {error.errno}".encode()
