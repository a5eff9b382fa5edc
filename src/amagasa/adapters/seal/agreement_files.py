"""Agreements, cards and keys in files; a node's signed agreements stand in `agreements/` in its folder."""

from pathlib import Path
from typing import Final

from amagasa.adapters.seal.atomic import PUBLIC_MODE, make_private_folder, read_small, write_whole
from amagasa.adapters.seal.keys import PartyKeys, load_party_keys
from amagasa.vocab.errors import BadInputError, WorldError

AGREEMENTS: Final = "agreements"


class SealedFiles:
    """`app.agreements.AgreementFiles` on this machine's disk."""

    def read(self, path: Path, *, what: str) -> bytes:
        """A small file. Raises BadInputError (AMG-FILE-...)."""
        return read_small(path, what=what)

    def exists(self, path: Path) -> bool:
        """Whether something stands there, of whatever kind."""
        return path.exists() or path.is_symlink()

    def write(self, path: Path, data: bytes) -> None:
        """Whole or not at all. Raises WorldError (AMG-SEAL-WRITE)."""
        write_whole(path, data, mode=PUBLIC_MODE)

    def installed(self, node: Path) -> list[tuple[str, bytes | str]]:
        """Each `*.json` of `agreements/` by name; for one that cannot be read, why. A node without any has none.

        Raises WorldError (AMG-AGREEMENT-FOLDER) where the folder itself cannot be looked into.
        """
        folder = node / AGREEMENTS
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != ".")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise WorldError(
                "AMG-AGREEMENT-FOLDER", f"{folder} cannot be looked into", got=str(error), then="no agreement is in use"
            ) from error
        return [(path.name, _content(path)) for path in paths]

    def install(self, node: Path, name: str, data: bytes) -> None:
        """Put it into `agreements/`. Raises WorldError (AMG-SEAL-WRITE)."""
        make_private_folder(node / AGREEMENTS)
        write_whole(node / AGREEMENTS / name, data, mode=PUBLIC_MODE)

    def signer(self, node: Path) -> PartyKeys:
        """The node's keys, checked. Raises WorldError (AMG-SEAL-...)."""
        return load_party_keys(node)


def _content(path: Path) -> bytes | str:
    try:
        return read_small(path, what="the agreement")
    except BadInputError as error:
        return str(error)
