"""Tree heads in the node's folder: those that were countersigned by file, ours and the ally's."""

from pathlib import Path
from typing import Final

import msgspec

from amagasa.entry.wiring import agreement_files
from amagasa.share.ledger import SignedHead
from amagasa.vocab.errors import BadInputError

FOLDER: Final = "ledger"


def read_head(path: Path) -> SignedHead:
    """Raises BadInputError (AMG-LEDGER-FORM) where the file is no signed head."""
    try:
        return msgspec.json.decode(agreement_files().read(path, what="the head"), type=SignedHead)
    except msgspec.MsgspecError as error:
        raise BadInputError("AMG-LEDGER-FORM", f"{path} is no signed head", got=str(error)) from error


def kept_heads(node: Path) -> list[SignedHead]:
    """All that the node's folder holds, of every record; raises as `read_head`."""
    folder = node / FOLDER
    return [read_head(path) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []
