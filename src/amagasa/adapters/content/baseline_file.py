"""Baselines on disk: one JSON document, written whole or not at all."""

import os
from pathlib import Path
from typing import Final

import msgspec

from amagasa.detect.baseline.profile import VERSION, Baseline
from amagasa.vocab.errors import BadInputError, WorldError
from amagasa.vocab.text import show

MAX_BYTES: Final = 268_435_456


def load_baseline(path: Path) -> Baseline:
    """The baseline of a file. Raises BadInputError where it is none, WorldError where it cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _bad(path, f"more than {MAX_BYTES} bytes")
        found = msgspec.json.decode(path.read_bytes(), type=Baseline)
    except FileNotFoundError:
        raise _bad(path, "no such file") from None
    except OSError as error:
        raise _failed("read", path, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(path, str(error)) from None
    if found.version != VERSION:
        raise _bad(path, f"version {found.version}")
    return found


def save_baseline(path: Path, baseline: Baseline) -> None:
    """Write it beside itself and put it in its place. Raises WorldError where that cannot be done."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(baseline, order="deterministic"), indent=1))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _failed("written", path, error) from None


def _bad(path: Path, got: str) -> BadInputError:
    return BadInputError(
        "AMG-BASELINE",
        f"{show(str(path))} is no baseline",
        expected="a file that `amagasa baseline learn` wrote",
        got=show(got),
        then="nothing was done",
    )


def _failed(what: str, path: Path, error: OSError) -> WorldError:
    return WorldError(
        "AMG-BASELINE-FILE",
        f"the baseline {show(str(path))} could not be {what}",
        expected="a file there",
        got=error.strerror or str(error),
        then="nothing was changed",
    )
