"""The forms of tar that a backup uses."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.archive.tar_blocks import BLOCK, header_of, read_header
from amagasa.vocab.errors import BadInputError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=90)


@given(st.lists(NAMES.filter(lambda name: "/" not in name), min_size=1, max_size=4), st.integers(0, 2**60))
def test_header_of_any_name_and_size_is_read_back(parts: list[str], n_bytes: int) -> None:
    name = "/".join(parts)
    header = header_of(name, n_bytes)
    if header is None:
        assert len(name.encode()) > 100
        return
    assert read_header(header) == (name, n_bytes)


@given(NAMES.filter(lambda name: "/" not in name), st.integers(0, 2**36))
def test_header_is_what_python_reads_too(name: str, n_bytes: int) -> None:
    header = header_of(name, n_bytes)
    if header is not None:
        found = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        assert (found.name, found.size, found.isreg()) == (name.rstrip("/"), n_bytes, True)


@given(st.binary(min_size=BLOCK, max_size=BLOCK))
def test_any_block_is_a_header_or_refused(block: bytes) -> None:
    try:
        found = read_header(block)
    except BadInputError:
        return
    assert found is None or found[1] >= 0


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.XHDTYPE])
def test_header_of_anything_but_a_file_is_refused(kind: bytes) -> None:
    info = tarfile.TarInfo("node/link")
    info.type, info.linkname = kind, "/etc/passwd"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(info)
    with pytest.raises(BadInputError, match="AMG-BACKUP-FORM"):
        read_header(archive.getvalue()[:BLOCK])
