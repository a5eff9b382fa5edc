"""Files of indicators on the command line: told from rules, kept in a node's folder, counted in words."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from amagasa.app.kept_file import Kept
from amagasa.entry.cli.client import NodeClient, require_node
from amagasa.entry.cli.output import say
from amagasa.entry.wiring_detect import kept_files
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

HEAD_BYTES: Final = 65_536
SHOWN_FAULTS: Final = 5
_WHY: Final = {
    "n_aged": "aged",
    "n_ended": "ended",
    "n_coming": "not in force yet",
    "n_revoked": "revoked",
    "n_allowed": "allowlisted",
    "n_guarded": "guarded",
    "n_rejected": "unusable",
}


def holds_rules(path: Path) -> bool:
    """Whether a file holds Sigma: by its name, or by the two keys without which there is no rule."""
    if path.suffix.lower() in {".yml", ".yaml"}:
        return True
    try:
        with path.open("rb") as stream:
            head = b"\n" + stream.read(HEAD_BYTES)
    except OSError as problem:
        raise unreadable(str(path), problem) from None
    return b"\nlogsource:" in head and b"\ndetection:" in head


def keep_file(client: NodeClient, node: Path, path: Path) -> tuple[dict[str, Any], Kept]:
    """Copy a file of indicators into a node, which looks with it from now on."""
    require_node(node)
    kept = kept_files(node).keep(path)
    return client.post("/api/content/files", {"file": kept.file}), kept


def say_kept(kept: Kept) -> None:
    """What of the file can be used, and what cannot."""
    counts = kept.counts
    say(f"{counts['n_indicators']:,} indicators in {show(kept.name)}: {_kinds(counts)}")
    if counts.get("n_passed_over"):
        say(f"passed over: {counts['n_passed_over']:,} attributes that no record shows or nobody flagged")
    n_rejected = counts.get("n_rejected", len(kept.faults))
    for fault in kept.faults[:SHOWN_FAULTS]:
        say(f"cannot be used: {fault}")
    if n_rejected > SHOWN_FAULTS:
        say(f"... and {n_rejected - SHOWN_FAULTS:,} more that cannot be used")


def with_today(node: Path, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items of content, files among them with what of them does not speak today."""
    files = [one["file"] for one in found if one["file"]]
    weighed = kept_files(node).weighed(files, now=datetime.now(UTC)) if files else {}
    return [one | {"counts": one["counts"] | weighed.get(one["file"], {})} for one in found]


def indicators_said(counts: dict[str, int]) -> str:
    """`1,424,365 (ipv4-addr 1,090,000 ...); 806,377 aged`: what is in a file, and what of it does not speak today."""
    if not counts:
        return ""
    silent = [f"{counts[name]:,} {word}" for name, word in _WHY.items() if counts.get(name)]
    return "; ".join([f"{counts.get('n_indicators', 0):,} ({_kinds(counts)})", *silent])


def unreadable(what: str, problem: OSError | UnicodeDecodeError) -> BadInputError:
    """The error of something named which is neither an address nor a file that can be read."""
    return BadInputError(
        "AMG-CONTENT-FILE",
        "this is no address, and no file that can be read",
        expected="an IPv4 or IPv6 address, a Sigma rule in UTF-8, or a file of indicators",
        got=f"{what}: {getattr(problem, 'strerror', None) or problem}",
        then="nothing was added",
    )


def _kinds(counts: dict[str, int]) -> str:
    named = {name.removesuffix(":value"): n for name, n in counts.items() if not name.startswith("n_")}
    return ", ".join(f"{name} {n:,}" for name, n in sorted(named.items(), key=lambda one: -one[1]))
