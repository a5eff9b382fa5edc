import os
import signal
import sys
from pathlib import Path

import pytest

from amagasa.adapters.content import children as module
from amagasa.adapters.content.compile import Compiler
from amagasa.adapters.content.load import compile_documents
from amagasa.adapters.content.rules import Document
from amagasa.vocab.errors import WorldError
from tests.detect.cases import rule_text

GOOD = rule_text({"s": {"A": "x"}, "condition": "s"})
BAD = "a: [b"


def test_compiler_answers_in_order_and_counts() -> None:
    seen: list[tuple[int, int]] = []
    texts = [GOOD, BAD] * 150
    with Compiler(n_processes=2) as compiler:
        outcomes = compiler.compile(texts, progress=lambda done, total: seen.append((done, total)))
    assert [(len(one.rules), len(one.faults)) for one in outcomes] == [(1, 0), (0, 1)] * 150
    assert seen == [(200, 300), (300, 300)]


def test_compiler_starts_again_when_its_child_was_killed() -> None:
    with Compiler() as compiler:
        compiler.warm()
        child = compiler._children._children[0]
        assert child is not None
        os.kill(child._process.pid, signal.SIGKILL)
        (compiled,) = compiler.compile([GOOD])
    assert len(compiled.rules) == 1


def stop(compiler: Compiler) -> None:
    child = compiler._children._child(0)
    os.kill(child._process.pid, signal.SIGSTOP)


def test_batch_over_which_the_child_hangs_is_compiled_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_TIMEOUT_S", 0.2)
    with Compiler() as compiler:
        stop(compiler)
        outcomes = compiler.compile([GOOD, BAD])
    assert [(len(one.rules), len(one.faults)) for one in outcomes] == [(1, 0), (0, 1)]


def test_document_over_which_the_child_hangs_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOCUMENT_TIMEOUT_S", 0.2)
    with Compiler() as compiler:
        stop(compiler)
        hung = compiler._children._ask_one(0, GOOD)
        monkeypatch.undo()
        (again,) = compiler.compile([GOOD])
    assert (hung.rules, len(again.rules)) == ((), 1)
    assert "took longer" in hung.faults[0].why


def test_compiler_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with Compiler() as compiler, pytest.raises(WorldError, match="AMG-RULE-031"):
        compiler.compile([GOOD])


def test_documents_of_an_ally_carry_its_name_and_their_paths() -> None:
    documents = [Document(path="a", text=GOOD, digest="1"), Document(path="b", text=BAD, digest="2")]
    with Compiler() as compiler:
        compiled = compile_documents(documents, compiler, origin="identity--1")
    assert [(rule.path, rule.origin) for rule in compiled.rules] == [("a", "identity--1")]
    assert [fault.path for fault in compiled.faults] == ["b"]
