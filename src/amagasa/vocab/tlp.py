"""TLP 2.0 (FIRST, August 2022) and its STIX 2.1 marking definitions (OASIS, 2022)."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final


class Tlp(IntEnum):
    """Ordered from what anybody may read to what only the named recipient may."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def label(self) -> str:
        """`TLP:AMBER+STRICT` and the like, as FIRST writes it."""
        return "TLP:" + self.word.upper()

    @property
    def word(self) -> str:
        """`amber+strict` and the like, as agreements write it."""
        return self.name.lower().replace("_", "+")

    @property
    def marking_id(self) -> str:
        """Identifier of the STIX 2.1 marking definition for TLP 2.0."""
        return _MARKING_IDS[self]


_MARKING_IDS: Final = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
# TLP 1.0 definitions of STIX 2.1 section 7.2.1.4, read as their TLP 2.0 equals.
_READ: Final = {identifier: tlp for tlp, identifier in _MARKING_IDS.items()} | {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
_WORDS: Final = {tlp.word: tlp for tlp in Tlp} | {"white": Tlp.CLEAR}


def tlp_of_word(word: str) -> Tlp | None:
    """`amber`, `AMBER+STRICT`, `TLP:AMBER`, `white` -> the marking; None for anything else."""
    bare = word.strip().lower().removeprefix("tlp:").replace("-", "+").replace("_", "+")
    return _WORDS.get(bare)


def tlp_of_marking(marking_id: str) -> Tlp | None:
    """The TLP that a marking definition stands for; None where it is another kind of marking."""
    return _READ.get(marking_id)


def strictest(markings: Iterable[Tlp]) -> Tlp | None:
    """The strictest of them; None where there is none."""
    return max(markings, default=None)
