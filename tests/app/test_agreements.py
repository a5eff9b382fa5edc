"""Agreements of a node, with real keys and real files: signed by both, installed once, never relied on when faulty."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.adapters.seal.agreement_files import SealedFiles
from amagasa.adapters.seal.keys import create_party_keys
from amagasa.app.agreement_book import AgreementBook, State
from amagasa.app.agreement_life import amend, revoke_by_file, revoke_own
from amagasa.app.agreements import Outcome, draft, examine, load_book, prepare, read_card, sign
from amagasa.share.agreement import Agreement, Card
from amagasa.share.draft import parse_draft
from amagasa.share.form import card_bytes, digest
from amagasa.vocab.errors import BadInputError, WorldError

FILES = SealedFiles()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = {
    "tokyo": "identity--1f0c4d0e-6d0e-4b1c-8a6a-2d5a1a7c9b01",
    "usa": "identity--2e1d5c3f-7e1f-4c2d-9b7b-3e6b2b8dac02",
    "third": "identity--3d2e6b40-8f20-4d3e-8c8c-4f7c3c9ebd03",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nodes")
    for name, identifier in IDS.items():
        keys = create_party_keys(folder / name, name=name, hosts=["127.0.0.1"], now=NOW)
        card = Card(
            id=identifier,
            name=name,
            country="JP",
            key=keys.public_key,
            certificate=keys.certificate,
            address="https://127.0.0.1:8443/",
        )
        (folder / name / "party.json").write_bytes(card_bytes(card))
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Path:
    """The three nodes and a draft, fresh for each test."""
    folder = tmp_path / "here"
    shutil.copytree(made, folder)
    (folder / "a.toml").write_text(drafted(folder), encoding="utf-8")
    return folder


def drafted(folder: Path, *, days: int = 365) -> str:
    return draft(
        FILES,
        folder / "tokyo/party.json",
        folder / "usa/party.json",
        valid_from_at=NOW,
        valid_until_at=NOW + timedelta(days=days),
    )


def signs(here: Path, node: str, file: str, *, now: datetime = NOW) -> Outcome:
    return sign(FILES, here / node, prepare(FILES, here / node, here / file, now=now), now=now)


def parsed(text: str) -> Agreement:
    made = parse_draft(text.encode())
    assert isinstance(made, Agreement)
    return made


def refusal(here: Path, node: str, file: str = "a.toml", *, now: datetime = NOW) -> str:
    with pytest.raises(BadInputError) as caught:
        signs(here, node, file, now=now)
    assert not (here / node / "agreements").exists()
    return caught.value.code


def both(here: Path) -> str:
    signs(here, "tokyo", "a.toml")
    installed = signs(here, "usa", "a.signed.json").installed
    signs(here, "tokyo", "a.signed.json")
    return installed


def test_second_signature_installs_and_the_first_signer_installs_by_signing_again(here: Path) -> None:
    first = signs(here, "tokyo", "a.toml")
    assert (first.target.name, first.missing, first.installed) == ("a.signed.json", ("usa",), "")
    second = signs(here, "usa", "a.signed.json")
    assert second.missing == ()
    assert (here / "usa/agreements" / second.installed).read_bytes() == (here / "a.signed.json").read_bytes()
    assert signs(here, "tokyo", "a.signed.json").installed == second.installed
    for node in ("tokyo", "usa"):
        (entry,) = load_book(FILES, here / node).entries
        assert entry.state(NOW) is State.IN_FORCE


def test_signing_again_changes_nothing(here: Path) -> None:
    name = both(here)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    later = NOW + timedelta(hours=1)
    for file in ("a.toml", "a.signed.json"):
        assert signs(here, "tokyo", file, now=later).installed == name
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_both_may_sign_the_draft_on_one_machine(here: Path) -> None:
    signs(here, "usa", "a.toml")
    assert signs(here, "tokyo", "a.toml").missing == ()


def test_agreement_of_others_is_not_signed(here: Path) -> None:
    assert refusal(here, "third") == "AMG-AGREEMENT-OTHERS"


def test_draft_with_another_key_or_certificate_for_us_is_not_signed(here: Path) -> None:
    text = (here / "a.toml").read_text(encoding="utf-8")
    ours, third = (read_card(FILES, here / node / "party.json") for node in ("tokyo", "third"))
    for name in ("key", "certificate"):
        (here / "b.toml").write_text(text.replace(getattr(ours, name), getattr(third, name)), encoding="utf-8")
        assert refusal(here, "tokyo", "b.toml") == "AMG-AGREEMENT-OURS"
    (here / "b.toml").write_text(text.replace(":8443", ":9999"), encoding="utf-8")
    assert refusal(here, "tokyo", "b.toml") == "AMG-AGREEMENT-OURS"


def test_card_that_no_longer_fits_the_keys_is_not_signed_with(here: Path) -> None:
    card = replace(read_card(FILES, here / "tokyo/party.json"), key=read_card(FILES, here / "third/party.json").key)
    (here / "tokyo/party.json").write_bytes(card_bytes(card))
    (here / "a.toml").write_text(drafted(here), encoding="utf-8")
    assert refusal(here, "tokyo") == "AMG-AGREEMENT-OURS"


def test_expired_draft_is_not_signed(here: Path) -> None:
    assert refusal(here, "tokyo", now=NOW + timedelta(days=365)) == "AMG-AGREEMENT-EXPIRED"


def test_contradiction_is_not_signed(here: Path) -> None:
    text = (here / "a.toml").read_text(encoding="utf-8")
    (here / "a.toml").write_text(text.replace("strip = []", 'strip = ["id"]', 1), encoding="utf-8")
    assert refusal(here, "tokyo") == "AMG-AGREEMENT-PROTECTED"


@pytest.mark.parametrize("junk", [b"", b"\x00\xff\xfe", b"{", b"x = 1", b"{}", b"[[clause]]\n"])
def test_what_is_no_agreement_is_not_signed(here: Path, junk: bytes) -> None:
    (here / "a.toml").write_bytes(junk)
    assert refusal(here, "tokyo").startswith("AMG-AGREEMENT-")


def test_signed_file_altered_by_one_byte_is_not_signed(here: Path) -> None:
    signs(here, "tokyo", "a.toml")
    data = (here / "a.signed.json").read_bytes()
    (here / "a.signed.json").write_bytes(data.replace(b'"version":1', b'"version":2'))
    assert refusal(here, "usa", "a.signed.json") == "AMG-AGREEMENT-SIGNATURE"
    (here / "a.signed.json").write_bytes(data + b" ")
    assert refusal(here, "usa", "a.signed.json") == "AMG-AGREEMENT-CANONICAL"


def test_other_terms_are_not_mixed_with_a_signed_file(here: Path) -> None:
    signs(here, "tokyo", "a.toml")
    text = (here / "a.toml").read_text(encoding="utf-8")
    (here / "a.toml").write_text(text.replace("Umbrella", "Other"), encoding="utf-8")
    assert refusal(here, "usa") == "AMG-AGREEMENT-EXISTS"


def test_other_terms_under_an_installed_version_are_not_signed(here: Path) -> None:
    both(here)
    text = (here / "a.toml").read_text(encoding="utf-8")
    (here / "b.toml").write_text(text.replace("Umbrella", "Other"), encoding="utf-8")
    with pytest.raises(BadInputError, match="AMG-AGREEMENT-INSTALLED"):
        signs(here, "tokyo", "b.toml")
    assert not (here / "b.signed.json").exists()
    amended = text.replace("version = 1", f'version = 2\namends = "{digest(parsed(text))}"')
    (here / "c.toml").write_text(amended, encoding="utf-8")
    assert signs(here, "tokyo", "c.toml").missing == ("usa",)


def test_same_card_twice_or_dates_reversed_are_no_draft(here: Path) -> None:
    card = here / "tokyo/party.json"
    with pytest.raises(BadInputError, match="AMG-AGREEMENT-SAME"):
        draft(FILES, card, card, valid_from_at=NOW, valid_until_at=NOW + timedelta(days=1))
    with pytest.raises(BadInputError, match="AMG-AGREEMENT-VALIDITY"):
        drafted(here, days=0)


@pytest.mark.parametrize("junk", [b"", b"\xff", b"{}", b"[1]"])
def test_card_that_is_none_is_no_draft(here: Path, junk: bytes) -> None:
    (here / "usa/party.json").write_bytes(junk)
    with pytest.raises(BadInputError, match="AMG-CARD-FORM"):
        drafted(here)
    (here / "usa/party.json").unlink()
    with pytest.raises(BadInputError, match="AMG-FILE-MISSING"):
        drafted(here)


def test_keys_that_others_may_read_sign_nothing(here: Path) -> None:
    (here / "tokyo/keys/party.key").chmod(0o644)
    with pytest.raises(WorldError, match="chmod 600"):
        signs(here, "tokyo", "a.toml")


def test_book_knows_its_allies_and_keeps_the_faulty_apart(here: Path) -> None:
    name = both(here)
    folder = here / "tokyo/agreements"
    data = (folder / name).read_bytes()
    (folder / "altered.json").write_bytes(data.replace(b"Umbrella", b"umbrella"))
    (folder / "junk.json").write_bytes(b"\x00\xff")
    (folder / "folder.json").mkdir()
    (folder / "note.txt").write_text("not ours to read")
    book = load_book(FILES, here / "tokyo")
    states = {entry.name: entry.state(NOW) for entry in book.entries}
    assert states == {
        name: State.IN_FORCE,
        "altered.json": State.FAULTY,
        "junk.json": State.FAULTY,
        "folder.json": State.FAULTY,
    }
    assert [ally.name for ally in book.allies(NOW)] == ["usa"]
    assert [one.version for one in book.with_ally(IDS["usa"])] == [1]
    assert book.with_ally(IDS["third"]) == ()
    assert [bond.ally.name for bond in book.bonds()] == ["usa"]
    assert len(book.faulty) == 3


def test_book_tells_early_and_expired_from_in_force(here: Path) -> None:
    both(here)
    (entry,) = load_book(FILES, here / "tokyo").entries
    assert entry.state(NOW - timedelta(seconds=1)) is State.EARLY
    assert entry.state(NOW + timedelta(days=365)) is State.EXPIRED
    assert load_book(FILES, here / "tokyo").allies(NOW + timedelta(days=365)) == ()


def test_newest_agreement_in_force_names_the_ally(here: Path) -> None:
    both(here)
    book = load_book(FILES, here / "tokyo")
    (entry,) = book.entries
    assert entry.agreement is not None
    moved = replace(entry.agreement.parties[1], address="https://192.0.2.1:1/")
    second = replace(entry.agreement, version=2, parties=(entry.agreement.parties[0], moved))
    newer = replace(book, entries=(replace(entry, agreement=second), entry))
    assert [ally.address for ally in newer.allies(NOW)] == ["https://192.0.2.1:1/"]
    assert [one.version for one in newer.with_ally(IDS["usa"])] == [2, 1]


def test_agreement_of_others_or_of_our_former_key_is_faulty(here: Path) -> None:
    name = both(here)
    data = (here / "tokyo/agreements" / name).read_bytes()
    third = read_card(FILES, here / "third/party.json")
    ours = read_card(FILES, here / "tokyo/party.json")
    for card, code in (
        (third, "AMG-AGREEMENT-OTHERS"),
        (replace(ours, certificate=third.certificate), "AMG-AGREEMENT-OURS"),
    ):
        book = AgreementBook.load([(name, data)], card)
        assert [problem.code for problem in book.entries[0].problems] == [code]
        assert book.bonds() == ()


def test_node_without_agreements_has_an_empty_book(here: Path) -> None:
    assert load_book(FILES, here / "tokyo").entries == ()


def test_half_signed_file_is_examined_without_fault(here: Path) -> None:
    signs(here, "tokyo", "a.toml")
    found = examine((here / "a.signed.json").read_bytes(), now=NOW)
    assert found.faults == ()
    assert [problem.code for problem in found.problems] == ["AMG-AGREEMENT-UNSIGNED"]


def amended(here: Path, *, old: str = "", new: str = "") -> str:
    """The next version of what is installed in Tokyo, edited."""
    text = amend(FILES, here / "tokyo", "")
    assert old in text
    (here / "n.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    return text


def test_amendment_reads_back_with_every_term_and_names_what_it_amends(here: Path) -> None:
    both(here)
    before = parsed((here / "a.toml").read_text(encoding="utf-8"))
    after = parsed(amended(here))
    assert (after.version, after.amends) == (2, digest(before))
    assert replace(after, version=1, amends="") == before


def test_amendment_signed_by_both_takes_the_place_of_the_version_before(here: Path) -> None:
    both(here)
    amended(here, old='ceiling = "amber"', new='ceiling = "green"')
    signs(here, "usa", "n.toml")
    signs(here, "tokyo", "n.signed.json")
    book = load_book(FILES, here / "tokyo")
    assert [(entry.agreement.version, entry.state(NOW)) for entry in book.entries if entry.agreement] == [
        (1, State.AMENDED),
        (2, State.IN_FORCE),
    ]
    assert [bond.agreement.version for bond in book.bonds() if bond.agreement.is_in_force(NOW)] == [2]
    assert book.bonds()[0].ended == "amended"


def test_amended_version_does_not_come_back_when_the_amendment_ends_first(here: Path) -> None:
    both(here)
    until = NOW + timedelta(days=30)
    amended(here, old="valid_until = 2027-11-23T12:00:00Z", new=f"valid_until = {until:%Y-%m-%dT%H:%M:%SZ}")
    signs(here, "usa", "n.toml")
    signs(here, "tokyo", "n.signed.json")
    later = until + timedelta(days=1)
    assert not [bond for bond in load_book(FILES, here / "tokyo").bonds() if bond.agreement.is_in_force(later)]


def test_amendment_of_another_version_than_the_newest_is_not_signed(here: Path) -> None:
    both(here)
    amended(here, old=digest(parsed((here / "a.toml").read_text(encoding="utf-8"))), new="0" * 64)
    with pytest.raises(BadInputError, match="AMG-AGREEMENT-CHAIN"):
        signs(here, "tokyo", "n.toml")


def test_version_installed_beside_the_chain_is_faulty(here: Path) -> None:
    both(here)
    text = (here / "a.toml").read_text(encoding="utf-8")
    (here / "c.toml").write_text(text.replace("version = 1", f'version = 2\namends = "{"0" * 64}"'), encoding="utf-8")
    (here / "usa/agreements").rename(here / "aside")
    (here / "tokyo/agreements").rename(here / "kept")
    both_of(here, "c.toml")
    for name in ("aside", "kept"):
        for path in (here / name).iterdir():
            path.rename(here / ("usa" if name == "aside" else "tokyo") / "agreements" / path.name)
    book = load_book(FILES, here / "tokyo")
    assert [problem.code for entry in book.faulty for problem in entry.problems] == ["AMG-AGREEMENT-CHAIN"]


def both_of(here: Path, file: str) -> None:
    signs(here, "tokyo", file)
    signs(here, "usa", file.replace(".toml", ".signed.json"))
    signs(here, "tokyo", file.replace(".toml", ".signed.json"))


def test_revocation_by_one_closes_at_once_and_the_other_takes_it_in(here: Path) -> None:
    both(here)
    done = revoke_own(FILES, here / "usa", "", why="our law changed", now=NOW)
    assert not [bond for bond in load_book(FILES, here / "usa").bonds() if bond.agreement.is_in_force(NOW)]
    assert [bond.agreement.is_in_force(NOW) for bond in load_book(FILES, here / "tokyo").bonds()] == [True]
    revoke_by_file(FILES, here / "tokyo", here / "usa/agreements" / done.name)
    (entry,) = load_book(FILES, here / "tokyo").entries
    assert (entry.state(NOW), entry.revoked and entry.revoked.why) == (State.REVOKED, "our law changed")
    (bond,) = load_book(FILES, here / "tokyo").bonds()
    assert (bond.agreement.is_in_force(NOW), bond.ended) == (False, "revoked")


def test_revoked_agreement_is_not_revoked_again(here: Path) -> None:
    both(here)
    revoke_own(FILES, here / "usa", "", why="", now=NOW)
    with pytest.raises(BadInputError, match="AMG-AGREEMENT-ENDED"):
        revoke_own(FILES, here / "usa", "", why="", now=NOW)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'"why":"no"', b'"why":"yes"', "AMG-AGREEMENT-UNTRUE"),
        (b'"why":"no"', b'"why": "no"', "AMG-AGREEMENT-CANONICAL"),
        (IDS["usa"].encode(), IDS["third"].encode(), "AMG-AGREEMENT-UNTRUE"),
        (b"amagasa-revocation-1", b"amagasa-revocation-9", "AMG-AGREEMENT-REVOCATION"),
    ],
)
def test_revocation_that_was_altered_is_not_taken_in_and_never_passed_over(
    here: Path, old: bytes, new: bytes, code: str
) -> None:
    both(here)
    done = revoke_own(FILES, here / "usa", "", why="no", now=NOW)
    file = here / "usa/agreements" / done.name
    file.write_bytes(file.read_bytes().replace(old, new))
    with pytest.raises(BadInputError, match=code):
        revoke_by_file(FILES, here / "tokyo", file)
    (found,) = load_book(FILES, here / "usa").faulty
    assert [problem.code for problem in found.problems] == [code]


def test_operators_agreement_stays_within_its_nations(here: Path) -> None:
    both(here)
    nation = parsed((here / "a.toml").read_text(encoding="utf-8"))
    text = draft(
        FILES,
        here / "third/party.json",
        here / "tokyo/party.json",
        valid_from_at=NOW,
        valid_until_at=NOW + timedelta(days=30),
    )
    under = f'under = {{id = "{nation.id}", digest = "{digest(nation)}"}}\n'
    (here / "o.toml").write_text(text.replace("version = 1\n", "version = 1\n" + under), encoding="utf-8")
    assert signs(here, "tokyo", "o.toml").missing == ("third",)
    wider = text.replace("version = 1\n", "version = 1\n" + under).replace('["incident"]', '["incident", "malware"]', 1)
    (here / "w.toml").write_text(wider, encoding="utf-8")
    with pytest.raises(BadInputError, match="AMG-AGREEMENT-OUTSIDE"):
        signs(here, "tokyo", "w.toml")
