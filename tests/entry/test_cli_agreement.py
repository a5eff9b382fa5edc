"""`amagasa agreement` as it is typed: words, JSON and exit codes."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from amagasa.adapters.seal.keys import create_party_keys
from amagasa.entry.cli.main import main
from amagasa.share.agreement import Card
from amagasa.share.form import card_bytes

IDS = {
    "tokyo": "identity--1f0c4d0e-6d0e-4b1c-8a6a-2d5a1a7c9b01",
    "usa": "identity--2e1d5c3f-7e1f-4c2d-9b7b-3e6b2b8dac02",
}


class Typed:
    """What a command answered."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Types commands in a folder of two nodes."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def __call__(self, *words: str) -> Typed:
        with pytest.raises(SystemExit) as ended:
            main(["agreement", *words])
        shown = self._capture.readouterr()
        code = ended.value.code
        return Typed(code if isinstance(code, int) else 0, shown.out, shown.err)

    def draft(self, *more: str) -> Typed:
        return self("draft", "--supported", "tokyo/party.json", "--supporting", "usa/party.json", *more)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nodes")
    for name, identifier in IDS.items():
        keys = create_party_keys(folder / name, name=name, hosts=["127.0.0.1"], now=datetime.now(UTC))
        card = Card(
            id=identifier,
            name=name,
            country="US",
            key=keys.public_key,
            certificate=keys.certificate,
            address="https://127.0.0.1:8443/",
        )
        (folder / name / "party.json").write_bytes(card_bytes(card))
    return folder


@pytest.fixture
def typed(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    folder = tmp_path / "here"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return Shell(folder, capfd)


def test_day_of_an_agreement_from_draft_to_force(typed: Shell) -> None:
    assert typed.draft("-o", "a.toml").code == 0
    checked = typed("check", "a.toml")
    assert (checked.code, "no problem found" in checked.out) == (0, True)
    assert "tokyo gives usa: sighting" in checked.out
    first = typed("sign", "tokyo", "a.toml", "--yes")
    assert (first.code, "hand it to usa" in first.err) == (0, True)
    second = typed("sign", "usa", "a.signed.json", "--yes", "--json").json()
    assert second["missing"] == []
    assert second["installed"].endswith("-v1.json")
    assert typed("sign", "tokyo", "a.signed.json").code == 0
    (row,) = typed("show", "tokyo", "--json").json()
    assert (row["state"], row["ally"], row["problem"]) == ("in-force", "usa", None)
    assert "in-force" in typed("show", "usa").out


def test_draft_goes_to_standard_output_and_overwrites_nothing(typed: Shell) -> None:
    assert "[[clause]]" in typed.draft().out
    assert typed.draft("-o", "a.toml").code == 0
    again = typed.draft("-o", "a.toml")
    assert (again.code, "AMG-FILE-EXISTS" in again.err) == (2, True)


def test_dates_are_taken_and_bad_ones_refused(typed: Shell) -> None:
    out = typed.draft("--from", "2026-12-01", "--until", "2027-06-01T09:00:00+09:00").out
    assert "valid_from = 2026-12-01T00:00:00Z" in out
    assert "valid_until = 2027-06-01T00:00:00Z" in out
    for word in ("soon", "2026-02-30", "2026-12-01T00:00:00", "0001-01-01T00:00:00+23:00"):
        bad = typed.draft("--from", word)
        assert (bad.code, "AMG-AGREEMENT-DATE" in bad.err) == (2, True)


def test_check_in_japanese_and_as_json(typed: Shell) -> None:
    typed.draft("-o", "a.toml")
    assert "問題はありません" in typed("check", "a.toml", "--lang", "ja").out
    document = typed("check", "a.toml", "--json", "--lang", "ja").json()
    assert (document["ok"], document["kind"], len(document["clauses"])) == (True, "draft", 6)
    assert "自動的に" in document["clauses"][0]["words"]


def test_unknown_key_is_named_with_the_nearest_and_exit_2(typed: Shell) -> None:
    typed.draft("-o", "a.toml")
    file = typed.folder / "a.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("ceiling =", "cieling =", 1), encoding="utf-8")
    found = typed("check", "a.toml")
    assert found.code == 2
    assert 'clause[0]: the key cieling is unknown -> "ceiling"? [AMG-AGREEMENT-KEY-UNKNOWN]' in found.out


def test_contradiction_and_altered_signature_exit_1(typed: Shell) -> None:
    typed.draft("-o", "a.toml")
    file = typed.folder / "a.toml"
    text = file.read_text(encoding="utf-8")
    typed("sign", "tokyo", "a.toml", "--yes")
    signed = typed.folder / "a.signed.json"
    signed.write_bytes(signed.read_bytes().replace(b"Umbrella", b"umbrella"))
    altered = typed("check", "a.signed.json", "--json")
    assert (altered.code, altered.json()["problems"][0]["code"]) == (1, "AMG-AGREEMENT-SIGNATURE")
    file.write_text(text.replace('"amber"', '"red"', 1), encoding="utf-8")
    assert typed("check", "a.toml").code == 1


def test_expired_agreement_exits_1(typed: Shell) -> None:
    typed.draft("--from", "2020-01-01", "--until", "2021-01-01", "-o", "a.toml")
    found = typed("check", "a.toml")
    assert (found.code, "AMG-AGREEMENT-EXPIRED" in found.out) == (1, True)


@pytest.mark.parametrize("data", [b"\x00\xff\xfejunk", b"{", b"title = ", b"\x1b[31m"])
def test_junk_is_told_in_words_and_exits_2(typed: Shell, data: bytes) -> None:
    (typed.folder / "junk").write_bytes(data)
    found = typed("check", "junk")
    assert (found.code, "AMG-AGREEMENT-" in found.out) == (2, True)
    assert "\x1b" not in found.out
    assert typed("sign", "tokyo", "junk", "--yes").code == 2


def test_missing_and_unreadable_files_exit_2(typed: Shell) -> None:
    for name, code in (("nowhere", "AMG-FILE-MISSING"), ("tokyo", "AMG-FILE-KIND")):
        found = typed("check", name)
        assert (found.code, code in found.err) == (2, True)


def test_without_a_yes_nothing_is_signed(typed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    typed.draft("-o", "a.toml")
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        found = typed("sign", "tokyo", "a.toml")
    assert (found.code, "AMG-AGREEMENT-YES" in found.err) == (2, True)
    assert not (typed.folder / "a.signed.json").exists()


def test_both_cards_the_same_exit_2(typed: Shell) -> None:
    found = typed("draft", "--supported", "tokyo/party.json", "--supporting", "tokyo/party.json")
    assert (found.code, "AMG-AGREEMENT-SAME" in found.err) == (2, True)


def test_faulty_agreement_in_a_node_is_shown_and_exits_1(typed: Shell) -> None:
    (typed.folder / "tokyo/agreements").mkdir()
    (typed.folder / "tokyo/agreements/bad.json").write_bytes(b"junk")
    found = typed("show", "tokyo", "--json")
    assert (found.code, found.json()[0]["state"]) == (1, "faulty")
    empty = typed("show", "usa")
    assert (empty.code, "no agreements" in empty.err) == (0, True)


def test_show_of_a_file_stands_in_two_languages_and_as_a_page(typed: Shell) -> None:
    typed.draft("-o", "a.toml")
    shown = typed("show", "a.toml", "--html", "a.html")
    assert shown.code == 0
    assert "the umbrella" in shown.out
    assert "傘に守られる側" in shown.out
    page = (typed.folder / "a.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "第1条" in page


def test_schema_is_written(typed: Shell) -> None:
    assert typed("schema").json()["title"] == "amagasa-agreement-1"


def signed(typed: Shell) -> str:
    typed.draft("-o", "a.toml")
    typed("sign", "tokyo", "a.toml", "--yes")
    typed("sign", "usa", "a.signed.json", "--yes")
    typed("sign", "tokyo", "a.signed.json", "--yes")
    return str(typed("show", "tokyo", "--json").json()[0]["file"]).removesuffix("-v1.json")


def test_amendment_is_shown_as_a_difference_before_it_is_signed(typed: Shell) -> None:
    signed(typed)
    assert typed("amend", "tokyo", "-o", "b.toml").code == 0
    text = (typed.folder / "b.toml").read_text(encoding="utf-8")
    (typed.folder / "b.toml").write_text(text.replace('ceiling = "amber"', 'ceiling = "green"', 1), encoding="utf-8")
    told = typed("sign", "tokyo", "b.toml", "--yes")
    assert [line.split()[0] for line in told.out.splitlines() if line.startswith(("  -", "  +"))] == ["-", "+"]


def test_revocation_is_told_and_taken_in_by_the_other_side(typed: Shell) -> None:
    name = signed(typed)
    assert typed("revoke", "usa", name, "--why", "our law changed").code == 2
    done = typed("revoke", "usa", name, "--why", "our law changed", "--yes", "--json").json()
    assert done["why"] == "our law changed"
    assert typed("revoke", "tokyo", done["file"]).code == 0
    (row,) = typed("show", "tokyo", "--json").json()
    assert row["state"] == "revoked"
    assert "our law changed" in row["problem"]


def test_revoke_of_nothing_names_what_there_is(typed: Shell) -> None:
    name = signed(typed)
    refused = typed("revoke", "usa", "other", "--yes")
    assert refused.code == 2
    assert name in refused.err
