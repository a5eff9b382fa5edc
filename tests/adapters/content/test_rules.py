import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.content import rules
from amagasa.adapters.content.rules import Document, document, documents_of
from amagasa.detect.report import RuleFault
from amagasa.vocab.errors import BadInputError

TEXT = "title: t\n"


def under(*paths: Path) -> tuple[list[Document], list[RuleFault]]:
    found = list(documents_of(paths, is_builtin=False))
    return [one for one in found if isinstance(one, Document)], [one for one in found if isinstance(one, RuleFault)]


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_file_folder_zip_and_tar_give_the_same_documents(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.yml").write_text(TEXT)
    (folder / "deep" / "b.YAML").write_text("title: b\n")
    (folder / "README.md").write_text("no rule")
    members = {"a.yml": TEXT.encode(), "deep/b.YAML": b"title: b\n", "x.md": b"no rule"}
    for path in (folder, zip_of(tmp_path / "r.zip", members), tar_of(tmp_path / "r.tar.gz", members)):
        documents, faults = under(path)
        assert [one.text for one in documents] == [TEXT, "title: b\n"]
        assert faults == []
    assert [one.path for one in under(folder / "a.yml")[0]] == [str(folder / "a.yml")]
    assert under(tmp_path / "r.zip")[0][0].path == f"{tmp_path / 'r.zip'}:a.yml"


@pytest.mark.parametrize(("content", "why"), [(b"a: \xff", "not UTF-8"), (b"x" * 2_000_000, "bytes")])
def test_document_that_cannot_be_read_is_a_fault(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(content)
    documents, faults = under(path)
    assert documents == []
    assert why in faults[0].why


@pytest.mark.parametrize("name", ["r.zip", "r.tar.gz", "r.tgz", "r.tar"])
@pytest.mark.parametrize("content", [b"", b"junk" * 100, gzip.compress(b"junk", mtime=0)])
def test_archive_of_junk_is_a_fault(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    documents, faults = under(path)
    assert documents == []
    assert [fault.code for fault in faults] == ["AMG-RULE-004"]


def test_truncated_archive_gives_what_it_holds_and_a_fault(tmp_path: Path) -> None:
    members = {f"{number}.yml": f"title: {number}\n{'#' * 5000}{number}".encode() for number in range(200)}
    path = tar_of(tmp_path / "r.tar.gz", members)
    path.write_bytes(path.read_bytes()[:-400])
    documents, faults = under(path)
    assert len(documents) > 0
    assert len(faults) == 1


def test_bomb_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_TOTAL_BYTES", 1_500_000)
    path = zip_of(tmp_path / "r.zip", {f"{number}.yml": b"#" * 1_000_000 for number in range(50)})
    documents, faults = under(path)
    assert len(documents) == 1
    assert [fault.code for fault in faults] == ["AMG-RULE-005"]


def test_archive_with_odd_members_is_read_without_leaving_it(tmp_path: Path) -> None:
    path = tmp_path / "r.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("link.yml")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        archive.addfile(link)
        entry = tarfile.TarInfo("../../\x1b[31mup.yml")
        entry.size = len(TEXT)
        archive.addfile(entry, io.BytesIO(TEXT.encode()))
    documents, faults = under(path)
    assert [one.text for one in documents] == [TEXT]
    assert documents[0].path.isprintable()
    assert faults == []


def test_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="AMG-RULE-006"):
        under(tmp_path / "nowhere")


def test_path_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.exe"
    path.write_bytes(b"MZ")
    with pytest.raises(BadInputError, match="AMG-RULE-007"):
        under(path)


@given(st.binary())
def test_any_bytes_are_a_document_or_a_fault(content: bytes) -> None:
    one = document("p", content)
    assert one.path == "p"


def test_what_tests_rules_is_no_rule_unless_it_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "regression_data").mkdir()
    for name in ("a.yml", "a.test.yml", "regression_data/info.yml"):
        (tmp_path / name).write_text("title: x\n", encoding="utf-8")
    found = [Path(one.path).name for one in documents_of([tmp_path], is_builtin=False)]
    everything = [Path(one.path).name for one in documents_of([tmp_path], is_builtin=False, are_tests_wanted=True)]
    assert (found, everything) == (["a.yml"], ["a.test.yml", "a.yml", "info.yml"])
