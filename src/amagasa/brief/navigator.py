"""Techniques as a layer of MITRE's ATT&CK Navigator (layer format 4.5).

Source: mitre-attack/attack-navigator, `layers/spec/v4.5/layerformat.md`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

LAYER_VERSION: Final = "4.5"
NAVIGATOR_VERSION: Final = "5.1.0"
_COLOURS: Final = ("#ffe5d0", "#c0392b")


class Domain(StrEnum):
    """Which matrix a layer is of."""

    ENTERPRISE = "enterprise-attack"
    ICS = "ics-attack"


def domain_of(technique: str) -> Domain:
    """Techniques for industrial control are numbered from T0800 on, others from T1001."""
    return Domain.ICS if technique[1:2] == "0" else Domain.ENTERPRISE


def layer_of(name: str, description: str, counts: Mapping[str, int], domain: Domain) -> dict[str, Any]:
    """The techniques of this domain, scored by how often they were met; those of the other are left out."""
    own = {technique: n for technique, n in sorted(counts.items()) if domain_of(technique) is domain}
    return {
        "name": name,
        "versions": {"layer": LAYER_VERSION, "navigator": NAVIGATOR_VERSION},
        "domain": domain.value,
        "description": description,
        "sorting": 3,
        "hideDisabled": False,
        "techniques": [
            {
                "techniqueID": technique,
                "score": n,
                "comment": "",
                "enabled": True,
                "showSubtechniques": "." in technique,
            }
            for technique, n in own.items()
        ],
        "gradient": {"colors": list(_COLOURS), "minValue": 0, "maxValue": max(own.values(), default=1)},
        "legendItems": [],
        "metadata": [],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }
