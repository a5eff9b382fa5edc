"""Where an export is written: a whole file or none, and never in the place of a device."""

from pathlib import Path

import pytest

from amagasa.entry.cli.export_file import keep
from amagasa.vocab.errors import WorldError


def test_file_is_written_whole_and_for_this_user_alone(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("before")
    keep(target, b"{}")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"{}", 0o600)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("where", ["/dev/full", "no/such/folder/out.json", "."])
def test_what_cannot_be_written_is_said_and_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    was_device = Path("/dev/full").is_char_device()
    with pytest.raises(WorldError) as failed:
        keep(Path(where), b"{}")
    assert failed.value.code == "AMG-OUT-WRITE"
    assert Path("/dev/full").is_char_device() == was_device
    assert list(tmp_path.iterdir()) == []
