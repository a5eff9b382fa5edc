"""What a long record costs: leaves appended as the node does, then heads, proofs, export and verification.

Prints one JSON document. Run: python -m bench.ledger [--leaves N]
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.ports import Crossing, CrossingState, Direction, Reading
from amagasa.app.recording import record
from amagasa.share.heads import proof_between
from amagasa.share.ledger import FORMAT, Head, Header, SignedHead, export_lines, head_bytes, to_text, verify_lines
from amagasa.share.merkle import is_consistent, range_root

NOW = datetime(2026, 11, 27, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
AGREEMENT, PARTY = "agreement--bench", "identity--00000000-0000-4000-8000-000000000001"
BATCH = 500


def mib() -> float:
    """The most memory that this process held so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def crossings(start: int) -> list[Crossing]:
    """What one envelope makes."""
    return [
        Crossing(
            ally="identity--00000000-0000-4000-8000-000000000002",
            agreement=AGREEMENT,
            direction=Direction.OUT,
            state=CrossingState.PENDING,
            object_id=f"indicator--00000000-0000-4000-8000-{number:012d}",
            object_type="indicator",
            version="2026-11-27T00:00:00.000Z",
            clause="1",
            marking="amber",
            content=b"x" * 500,
            created_at=NOW,
        )
        for number in range(start, start + BATCH)
    ]


def header() -> Header:
    """Of the export."""
    public = to_text(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    return Header(format=FORMAT, agreement=AGREEMENT, party=PARTY, keys={PARTY: public})


def lines(reading: Reading) -> Iterator[bytes]:
    """The export."""
    tree = reading.ledgers.frontier(AGREEMENT)
    head = Head(agreement=AGREEMENT, party=PARTY, n_leaves=tree.n, root=tree.root.hex(), at="2026-11-27T00:00:00.000Z")
    signed = SignedHead(head=head, signature=to_text(KEY.sign(head_bytes(head))))
    return export_lines(header(), [signed], reading.ledgers.leaves(AGREEMENT))


def measure(folder: Path, n: int) -> dict[str, Any]:
    """CPU seconds and MiB of each step."""
    store = open_store(folder / "store.sqlite")
    found: dict[str, Any] = {"before_mib": mib()}
    began = time.process_time()
    for start in range(0, n, BATCH):
        with store.write() as tx:
            record(tx, None, crossings(start), now=NOW)
    found["append"] = {"cpu_s": round(time.process_time() - began, 1), "most_mib": mib()}
    found["leaves_per_cpu_s"] = round(n / (time.process_time() - began))
    found["store_mib"] = round(sum(one.stat().st_size for one in folder.iterdir()) / 1024 / 1024)
    with store.read() as reading:
        began = time.process_time()
        for before in range(n // 100, n, n // 100):
            proof = [bytes.fromhex(one) for one in proof_between(before, n, _subtree(reading))]
            old, new = (range_root((0, end), _subtree(reading)) for end in (before, n))
            assert is_consistent(before, old, n, new, proof=proof)
        found["proof_ms"] = round((time.process_time() - began) * 1000 / 99, 2)
        path = folder / "export.ndjson"
        began = time.process_time()
        with path.open("wb") as file:
            file.writelines(lines(reading))
        found["export"] = {"cpu_s": round(time.process_time() - began, 1), "most_mib": mib()}
    found["export_mib"] = round(path.stat().st_size / 1024 / 1024)
    began = time.process_time()
    with path.open("rb") as file:
        verified = verify_lines(file)
    found["verify"] = {"cpu_s": round(time.process_time() - began, 1), "most_mib": mib()}
    found["verified"] = str(verified)
    store.close()
    return found


def _subtree(reading: Reading) -> Any:
    return lambda level, index: reading.ledgers.subtree(AGREEMENT, level, index)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({"n_leaves": asked.leaves} | measure(Path(folder), asked.leaves), indent=1))


if __name__ == "__main__":
    main()
