"""STIX objects -> layers of the ATT&CK Navigator (layer format 4.5): which techniques were met, how often, in what."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from amagasa.brief.meaning import techniques_named
from amagasa.brief.written import About, LeftOut, Written, document, left_out, marking_of_all
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

MEDIA_TYPE: Final = "application/json"
VERSIONS: Final = {"attack": "18", "navigator": "5.2.0", "layer": "4.5"}
COLOURS: Final = ("#fff3c4", "#d1495b")
NAMED_OBJECTS: Final = 10  # in the comment of a technique
_BESIDE: Final = frozenset({"identity", "marking-definition", "extension-definition"})


def enterprise_layer(objects: Sequence[Mapping[str, Any]], about: About) -> Written:
    """Techniques of Enterprise: T1001 and on. The score of a technique is the number of objects that name it."""
    return _written(objects, about, "enterprise-attack")


def ics_layer(objects: Sequence[Mapping[str, Any]], about: About) -> Written:
    """Techniques for industrial control: T0800 and on."""
    return _written(objects, about, "ics-attack")


def _written(objects: Sequence[Mapping[str, Any]], about: About, domain: str) -> Written:
    named: dict[str, list[str]] = {}
    left: list[LeftOut] = []
    n_written = n_beside = 0
    for obj in objects:
        techniques = techniques_named(obj)
        own = [one for one in techniques if _domain_of(one) == domain]
        if own:
            n_written += 1
        elif str(obj.get("type")) in _BESIDE:
            n_beside += 1
        else:
            why = "its techniques are of the other matrix" if techniques else "it names no technique"
            left.append(left_out(obj, why))
        for technique in own:
            named.setdefault(technique, []).append(show(str(obj.get("name") or obj.get("type", "")), 80))
    marking = marking_of_all(objects, about.least)
    return Written(
        text=document(_layer(domain, named, about, marking)),
        media_type=MEDIA_TYPE,
        suffix=f".{domain}.json",
        marking=marking,
        n_written=n_written,
        left_out=tuple(left),
        n_beside=n_beside,
    )


def _domain_of(technique: str) -> str:
    return "ics-attack" if technique.startswith("T0") else "enterprise-attack"


def _layer(domain: str, named: Mapping[str, Sequence[str]], about: About, marking: Tlp) -> dict[str, Any]:
    return {
        "name": show(about.title),
        "versions": VERSIONS,
        "domain": domain,
        "description": show(f"{marking.label}. Written by {about.author}. Score: how many objects name the technique."),
        "sorting": 3,
        "techniques": [_technique(technique, names) for technique, names in sorted(named.items())],
        "gradient": {
            "colors": list(COLOURS),
            "minValue": 0,
            "maxValue": max((len(names) for names in named.values()), default=1),
        },
        "metadata": [{"name": "marking", "value": marking.label}],
    }


def _technique(technique: str, names: Sequence[str]) -> dict[str, Any]:
    told = list(dict.fromkeys(names))
    more = f" and {len(told) - NAMED_OBJECTS} more" if len(told) > NAMED_OBJECTS else ""
    return {
        "techniqueID": technique,
        "score": len(names),
        "comment": "; ".join(told[:NAMED_OBJECTS]) + more,
        "enabled": True,
        "showSubtechniques": "." not in technique,
    }
