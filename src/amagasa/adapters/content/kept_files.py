"""Files of indicators in a node's folder: `state/lists/DIGEST/NAME`, beside each what was found when it was read.

A flat list is read once, by whoever adds it, and its table stands in `state/tables`: the detection process maps it.
"""

import contextlib
import hashlib
import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from amagasa.adapters.content.indicators import Loaded, load_indicators
from amagasa.adapters.content.policies import policy_in
from amagasa.app.kept_file import Kept, ReadBack
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.counting import counted, counted_beside
from amagasa.detect.report import RuleFault
from amagasa.vocab.errors import BadInputError, WorldError
from amagasa.vocab.text import show

LISTS: Final = Path("state") / "lists"
TABLES: Final = Path("state") / "tables"
SHOWN_FAULTS: Final = 20
_DIGEST_CHARACTERS: Final = 16
_COMING: Final = ".coming"
_TOLD: Final = ".told.json"
_WEIGHED: Final = ".weighed.json"
_UNSAFE: Final = re.compile(r"[^\w.-]|^[^\w]", re.ASCII)


class _Weighed(msgspec.Struct, frozen=True):
    key: str
    counts: dict[str, int]


class KeptFiles:
    """`app.kept_file.IndicatorFiles` in the folder of a node."""

    def __init__(self, node: Path) -> None:
        self._node = node
        self._lists = node / LISTS
        self._tables = node / TABLES

    def keep(self, path: Path) -> Kept:
        """Copy a file into the node's folder and read it there.

        Raises BadInputError where it cannot be read or holds no indicator at all, WorldError where the disk is full.
        """
        name = _UNSAFE.sub("_", path.name)[:100]
        try:
            with path.open("rb") as file:
                hashed = hashlib.file_digest(file, "sha256")
        except OSError as problem:
            raise _refused(path, problem.strerror or str(problem)) from None
        hashed.update(f"\0{name}".encode())  # each name has a folder of its own, whatever bytes it shares
        digest = hashed.hexdigest()[:_DIGEST_CHARACTERS]
        copy = self._lists / digest / name
        is_new = not copy.exists()
        try:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_new:  # the digest is of its name and all its bytes: one that is there is the same
                shutil.copyfile(path, copy.with_name(_COMING))
                copy.with_name(_COMING).replace(copy)
            kept = self._read(copy, f"{digest}/{name}")
            (copy.parent / _TOLD).write_bytes(msgspec.json.encode(kept))
        except OSError as problem:
            if is_new:
                self.remove(f"{digest}/{name}")  # half a file would only keep the disk full
            raise WorldError(
                "AMG-CONTENT-DISK",
                f"the file cannot be kept in {show(str(self._lists))}",
                expected="room on the disk, in a folder of yours",
                got=problem.strerror or str(problem),
                then="nothing was added",
            ) from None
        if not kept.counts.get("n_indicators"):
            self.remove(kept.file)
            raise _refused(path, kept.faults[0] if kept.faults else "no indicator is in there")
        return kept

    def describe(self, file: str) -> Kept:
        """What was found when it was read."""
        try:
            return msgspec.json.decode((self._lists / file).with_name(_TOLD).read_bytes(), type=Kept)
        except (OSError, msgspec.DecodeError):
            raise BadInputError(
                "AMG-CONTENT-NO-FILE",
                "the node keeps no file of that name",
                expected="what `amagasa content add` put there",
                got=file,
                then="nothing was added",
            ) from None

    def remove(self, file: str) -> None:
        """The file and what was told of it. Its table goes when room is wanted."""
        shutil.rmtree((self._lists / file).parent, ignore_errors=True)

    def load(self, files: Sequence[str]) -> Loaded:
        """Tables and objects of these files; what is missing is a fault."""
        found = [self._lists / file for file in files]
        there = [path for path in found if path.is_file()]
        loaded = load_indicators(there, cache=self._tables)
        return loaded.missing([str(path) for path in found if not path.is_file()])

    def objects(self, file: str) -> ReadBack:
        """The objects of a bundle or an export; of a flat list how many lines it has."""
        loaded = self.load([file])
        n_lines = sum(table.plan.about.tally.get("n_indicators", 0) for table in loaded.tables)
        return ReadBack(objects=tuple(dict(one) for one in loaded.objects), n_lines=n_lines)

    def weighed(self, files: Sequence[str], *, now: datetime) -> dict[str, dict[str, int]]:
        """Of each file how many of its indicators do not speak today, by the reason. Kept for the day.

        Raises BadInputError where the node's policy cannot be used.
        """
        policy = policy_in(self._node)
        found: dict[str, dict[str, int]] = {}
        for file in files:
            told = (self._lists / file).with_name(_WEIGHED)
            key = f"2 {now.date()} {policy.allowlist.digest} {policy.ageing}"
            known = _known(told)
            if known is None or known.key != key:
                loaded = self.load([file])
                compiled, _ = compile_indicators(loaded.objects)
                said = [counted(table, policy, now=now) for table in loaded.tables]
                counts = [msgspec.to_builtins(one) for one in (*said, counted_beside(compiled, policy, now=now))]
                known = _Weighed(
                    key=key, counts={name: sum(one[name] for one in counts) for one in counts for name in one}
                )
                with contextlib.suppress(OSError):  # then it is counted again
                    told.write_bytes(msgspec.json.encode(known))
            found[file] = known.counts
        return found

    def _read(self, copy: Path, file: str) -> Kept:
        loaded = load_indicators([copy], cache=self._tables)
        compiled, unusable = compile_indicators(loaded.objects, places=loaded.places)
        counts: dict[str, int] = {"n_passed_over": loaded.n_passed_over} if loaded.n_passed_over else {}
        counts["n_indicators"] = len(compiled.indicators)
        for table in loaded.tables:
            for key, n in table.plan.about.tally.items():
                counts[key] = counts.get(key, 0) + n
        for one in compiled.indicators:
            counts[one.kind or "pattern"] = counts.get(one.kind or "pattern", 0) + 1
        faults = [_said(fault, copy) for fault in (*loaded.faults, *unusable)]
        return Kept(file=file, name=copy.name, counts=counts, faults=tuple(faults[:SHOWN_FAULTS]))


def _said(fault: RuleFault, copy: Path) -> str:
    """`line 17: expected an address ...`, or the indicator's identifier in front."""
    line = fault.path.removeprefix(str(copy)).removeprefix(":")
    place = f"line {line}" if line.isdecimal() else fault.rule_id
    return f"{place}: {fault.why}" if place else fault.why


def _known(path: Path) -> _Weighed | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Weighed)
    except (OSError, msgspec.DecodeError):
        return None


def _refused(path: Path, why: str) -> BadInputError:
    return BadInputError(
        "AMG-CONTENT-INDICATORS",
        "this is no file of indicators",
        expected="a STIX bundle, a MISP export, a CSV with a header, or one value a line",
        got=f"{path}: {why}",
        then="nothing was added",
    )
