"""Where adapters meet the rest: the only module of this room that knows any of them."""

from pathlib import Path

from amagasa.adapters.peer.taxii_client import TaxiiLine
from amagasa.adapters.seal.agreement_files import SealedFiles
from amagasa.app.agreements import AgreementFiles
from amagasa.app.ports import AllyLine
from amagasa.entry.tls import ally_client_context
from amagasa.share.agreement import Party


def ally_line(ally: Party, *, certificate: Path, key: Path) -> AllyLine:
    """The line to this ally, by the address and the certificate which the agreement names. Nothing is dialled yet.

    Raises what `tls.ally_client_context` raises.
    """
    return TaxiiLine(ally.name, ally.address, ally_client_context(certificate, key, ally.certificate))


def agreement_files() -> AgreementFiles:
    """Agreements, cards and keys on this machine's disk."""
    return SealedFiles()
