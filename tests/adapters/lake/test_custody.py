"""An export proves by itself that its records are what was written, and shows where it was altered."""

import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from amagasa.adapters.lake import places
from amagasa.adapters.lake.custody import CUSTODY, RECORDS, SIGNATURE, Bundle, check
from amagasa.adapters.lake.retention import let_go
from amagasa.adapters.seal.keys import create_party_keys
from amagasa.app.hunt import Answer, Asked
from amagasa.app.lake_ports import LakeHead
from amagasa.app.lake_rows import take_out
from amagasa.app.permissions import NODE
from amagasa.app.seeking import Text, TextSeeker
from amagasa.vocab.errors import BadInputError
from tests.adapters.lake.world import SOURCE, START, World

Alter = Callable[[dict[str, bytes]], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "lake")
    for word in (b"one", b"two", b"three"):
        made.write(10, word=word)
        made.wait(hours=25)
    made.write(2, word=b"tail")
    made.commit()
    yield made
    made.writer.close()
    made.packer.close()


def exported(world: World, text: str, tmp_path: Path) -> Path:
    keys_folder = tmp_path / "node"
    keys_folder.mkdir()
    keys = create_party_keys(keys_folder, name="N", hosts=["localhost"], now=START)
    out = tmp_path / "out.zip"
    bundle = Bundle(out, world.folder, {SOURCE: world.committed or LakeHead()})
    seeker = TextSeeker([[Text(text)]])
    answer = Answer()
    take_out(world.lake, NODE, Asked(), seeker=seeker, take=bundle.add, answer=answer, now=START)
    bundle.write({"public_key": keys.public_key, "made_by": "a"}, keys.sign)
    return out


def altered(path: Path, alter: Alter) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    alter(members)
    new = path.with_name("altered.zip")
    with zipfile.ZipFile(new, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return new


def test_export_checks_offline_after_the_lake_is_gone(world: World, tmp_path: Path) -> None:
    out = exported(world, "two", tmp_path)
    for path in places.folder_of(world.folder, SOURCE).iterdir():
        path.unlink()
    found = check(out)
    assert (found.n_records, found.n_unchained, found.fault) == (10, 0, "")
    assert found.digests == ((world.committed or LakeHead()).digest,)


def test_export_says_what_is_not_chained_yet(world: World, tmp_path: Path) -> None:
    found = check(exported(world, "tail", tmp_path))
    assert (found.n_records, found.n_unchained, found.fault) == (2, 2, "")


def test_export_goes_over_what_was_let_go_meanwhile(world: World, tmp_path: Path) -> None:
    folder = places.folder_of(world.folder, SOURCE)
    let_go(folder, keep=timedelta(0), quota_bytes=0, last=3, now=world.now)
    found = check(exported(world, "three", tmp_path))
    assert (found.n_records, found.fault) == (10, "")


def change_record(members: dict[str, bytes]) -> None:
    members[RECORDS] = members[RECORDS].replace(b'"record":11', b'"record":12')


def change_note(members: dict[str, bytes]) -> None:
    members[CUSTODY] = members[CUSTODY].replace(b'"made_by": "a"', b'"made_by": "b"')


def change_block(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.startswith("blocks/"))
    members[name] = members[name][:-1] + b"x"


def sign_anew(members: dict[str, bytes]) -> None:
    members[SIGNATURE] = Ed25519PrivateKey.generate().sign(members[CUSTODY])


def change_chain(members: dict[str, bytes]) -> None:
    custody = json.loads(members[CUSTODY])
    custody["chains"][0]["digest"] = "0" * 64
    members[CUSTODY] = json.dumps(custody).encode()


@pytest.mark.parametrize("alter", [change_record, change_note, change_block, sign_anew, change_chain])
def test_export_that_was_altered_does_not_fit(world: World, tmp_path: Path, alter: Alter) -> None:
    assert check(altered(exported(world, "two", tmp_path), alter)).fault


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(BadInputError, match="AMG-LAKE-EXPORT"):
        check(path)
