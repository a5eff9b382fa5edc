"""Three parties, each with a store of its own, whose incidents cross to a fourth under agreements: no raw data does."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.pages import Page
from amagasa.app.ports import Store, StoredObject
from amagasa.app.watch import record_batch
from amagasa.app.worker_messages import Batch
from amagasa.detect.report import Detection
from amagasa.share.admit import admit
from amagasa.share.agreement import Clause, Consent
from amagasa.share.describe import describe_incident
from amagasa.share.release import release
from amagasa.share.terms import Coarse, Generalise, Role
from amagasa.share.verdict import Released
from amagasa.vocab.tlp import Tlp
from tests.incident.samples import NOW
from tests.share import samples

STAND_INS = (Generalise(path="extensions.*.source_addresses", to=Coarse.STAND_IN),)
NETWORKS = (Generalise(path="extensions.*.source_addresses", to=Coarse.NETWORK),)


def party_id(number: int) -> str:
    return f"identity--{number:08x}-6d0e-4b1c-8a6a-2d5a1a7c9b01"


def take(store: Store, detections: Sequence[Detection]) -> None:
    batch = Batch(
        source="web",
        token={},
        n_read=len(detections),
        n_accepted=len(detections),
        n_rejected=0,
        rejects=(),
        detections=tuple(detections),
        faults=(),
        last_record_at=None,
        lag_bytes=0,
    )
    record_batch(store, batch, lambda *_: (), now=NOW)


def crossed(number: int, store: Store, *, generalise: tuple[Generalise, ...] = STAND_INS) -> list[StoredObject]:
    """What this party's incidents become with the ally: released by its clause, admitted by the other side."""
    own = samples.party(party_id(number), f"party{number}", Role.SUPPORTED)
    clause = Clause(
        id="incidents",
        giver=own.id,
        objects=("incident",),
        ceiling=Tlp.AMBER,
        consent=Consent.AUTOMATIC,
        generalise=generalise,
    )
    agreement = replace(samples.agreement(clause), parties=(own, samples.STATES))
    held: list[StoredObject] = []
    with store.read() as reading:
        incidents, _ = reading.incidents(Page(limit=500))
    for incident in incidents:
        if incident.merged_into is not None:
            continue
        (told,) = describe_incident(incident, party=own, marking=Tlp.AMBER, now=samples.NOW)
        verdict = release(told, samples.STATES, agreement, now=samples.NOW, secret=samples.SECRET)
        assert isinstance(verdict, Released), verdict
        admission = admit([msgspec.json.decode(verdict.content)], own, agreement, now=samples.NOW)
        assert admission.refused == ()
        held += [
            StoredObject(
                id=one.object["id"],
                version=one.object["modified"],
                type="incident",
                origin=own.id,
                body=verdict.content,
                added_at=samples.NOW,
            )
            for one in admission.admitted
        ]
    return held


def heard(
    folder: Path, shares: Iterable[Sequence[Detection]], *, generalise: tuple[Generalise, ...] = STAND_INS
) -> Store:
    """The ally's store, with what crossed from each party; the first share is its own."""
    own, *others = shares
    store = open_store(folder / "ally.sqlite")
    take(store, own)
    for number, share in enumerate(others, 1):
        theirs = open_store(folder / f"party{number}.sqlite")
        take(theirs, share)
        told = crossed(number, theirs, generalise=generalise)
        theirs.close()
        with store.write() as tx:
            for one in told:
                tx.save_object(one)
    return store
