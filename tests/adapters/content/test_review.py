import os
import signal
import sys
from pathlib import Path

import pytest

from amagasa.adapters.content import children
from amagasa.adapters.content.review import read_rule_files, review_documents
from amagasa.adapters.content.rules import Document, document
from tests.detect.lint.rules import GOOD, changed


def written(text: str, name: str = "a.yml") -> Document:
    made = document(name, text.encode())
    assert isinstance(made, Document)
    return made


def test_review_of_files_answers_in_their_order(tmp_path: Path) -> None:
    documents = [written(GOOD, "a.yml"), written(changed("high", "hgih"), "b.yml")] * 40
    files = review_documents(documents, cache=tmp_path)
    assert [file.path for file in files] == ["a.yml", "b.yml"] * 40
    assert [len(file.reviews[0].findings) for file in files] == [0, 1] * 40


def test_review_of_what_was_seen_before_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = review_documents([written(GOOD)], cache=tmp_path)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert review_documents([written(GOOD, "moved.yml")], cache=tmp_path)[0].reviews == first[0].reviews


def test_file_over_which_the_linter_dies_is_said_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "BATCH_TIMEOUT_S", 0.0)
    monkeypatch.setattr(children, "DOCUMENT_TIMEOUT_S", 0.0)
    (file,) = review_documents([written(GOOD)], cache=tmp_path)
    assert [one.code for one in file.reviews[0].findings] == ["linter-died"]
    monkeypatch.undo()
    assert review_documents([written(GOOD)], cache=tmp_path)[0].reviews[0].findings == ()


def test_child_that_was_killed_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sent_and_killed(self: children._Child, body: bytes, *, send: object = children._Child.send) -> None:
        send(self, body)  # type: ignore[operator]
        if not killed:
            killed.append(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)

    killed: list[int] = []
    monkeypatch.setattr(children._Child, "send", sent_and_killed)
    (file,) = review_documents([written(GOOD)], cache=tmp_path)
    assert killed
    assert file.reviews[0].findings == ()


def test_byte_order_mark_is_told_apart_from_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    (found,), faults = read_rule_files([tmp_path], is_builtin=False)
    assert (found.has_mark, found.text, faults) == (True, GOOD, [])


def test_file_that_is_no_utf8_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"title: \xff")
    documents, faults = read_rule_files([tmp_path], is_builtin=False)
    assert (documents, len(faults)) == ([], 1)
