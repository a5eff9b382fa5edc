"""The few forms of tar that a backup uses: plain files in ustar (POSIX.1-1988), sizes over 8 GiB in base 256 (GNU).

Python's own reader takes extended headers of any size into memory; this one knows no extended headers at all.
"""

from typing import Final

from amagasa.vocab.errors import BadInputError

BLOCK: Final = 512
_OCTAL_LIMIT: Final = 8**11
MAX_NAME_BYTES: Final = 255


def header_of(name: str, n_bytes: int) -> bytes | None:
    """The header of a plain file; None where the name does not fit into ustar (255 bytes, 100 behind the last cut)."""
    raw = name.encode("utf-8", "surrogateescape")
    prefix, short = _cut(raw)
    if short is None:
        return None
    size = b"%011o\0" % n_bytes if n_bytes < _OCTAL_LIMIT else b"\x80" + n_bytes.to_bytes(11, "big")
    parts = (
        short.ljust(100, b"\0"), b"0000600\0", b"0000000\0", b"0000000\0", size, b"00000000000\0", b" " * 8, b"0",
        b"\0" * 100, b"ustar\x0000", b"\0" * 64, b"0000000\0", b"0000000\0", prefix.ljust(155, b"\0"), b"\0" * 12,
    )  # fmt: skip
    block = b"".join(parts)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def read_header(block: bytes) -> tuple[str, int] | None:
    """Name and size; None for the zeros at the end. Raises BadInputError (AMG-BACKUP-FORM) for anything else."""
    if block == bytes(BLOCK):
        return None
    if len(block) != BLOCK or block[257:263] != b"ustar\0" or block[156:157] not in {b"0", b"\0"}:
        raise damaged("a header is no plain file's (no links, no devices, no extended headers are known here)")
    blank = block[:148] + b" " * 8 + block[156:]
    if _octal(block[148:156]) != sum(blank):
        raise damaged("the sum of a header does not fit")
    size = block[124:136]
    n_bytes = int.from_bytes(size[1:], "big") if size[0] == 0x80 else _octal(size)
    prefix, short = block[345:500].split(b"\0")[0], block[:100].split(b"\0")[0]
    try:
        return (prefix + b"/" + short if prefix else short).decode("utf-8"), n_bytes
    except UnicodeDecodeError:
        raise damaged("a name is not UTF-8") from None


def padding_of(n_bytes: int) -> int:
    """Zeros behind so many bytes."""
    return -n_bytes % BLOCK


def damaged(why: str) -> BadInputError:
    """What is said of an archive that is not one of ours, or not any more."""
    return BadInputError(
        "AMG-BACKUP-FORM",
        "this is no whole backup of a node",
        expected="a file as `amagasa backup` wrote it",
        got=why,
        then="nothing was restored; take another copy of the file",
    )


def _octal(field: bytes) -> int:
    text = field.rstrip(b"\0 ")
    if not text or any(digit not in b"01234567" for digit in text):
        raise damaged("a number in a header is none")
    return int(text, 8)


def _cut(raw: bytes) -> tuple[bytes, bytes | None]:
    """Prefix and name."""
    if len(raw) <= 100:
        return b"", raw
    at = raw.find(b"/", len(raw) - 101)
    if at <= 0 or at > 155 or at == len(raw) - 1:
        return b"", None
    return raw[:at], raw[at + 1 :]
