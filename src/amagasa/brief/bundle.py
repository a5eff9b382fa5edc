"""STIX objects -> a bundle (STIX 2.1 section 8) that stands by itself: with the markings and authors it refers to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from amagasa.brief.written import About, LeftOut, Written, document, left_out, marking_of_all
from amagasa.intel.build import EXTENSION_ID, authors, extension_definition, identity
from amagasa.intel.marking import marking_definition, marking_of
from amagasa.intel.stix import check_object
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp

MEDIA_TYPE: Final = "application/stix+json;version=2.1"
_BESIDE: Final = frozenset({"marking-definition", "extension-definition"})


def stix_bundle(objects: Sequence[Mapping[str, Any]], about: About) -> Written:
    """The objects as they are. What bears no marking gets that of the export: nobody takes it for unbounded."""
    taken: dict[str, dict[str, Any]] = {}
    left: list[LeftOut] = []
    for obj in objects:
        problem = check_object(obj)
        if problem is not None:
            left.append(left_out(obj, f"it is no sound STIX object: {problem}"))
        elif obj["type"] not in _BESIDE:
            taken[str(obj["id"])] = _marked(obj, about.least)
    marking = marking_of_all(taken.values(), about.least)
    beside = [one for one in _explaining(taken.values(), about) if one["id"] not in taken]
    bundle = {
        "type": "bundle",
        "id": stable_id("bundle", about.title, about.author_id, about.at.isoformat()),
        "objects": [*beside, *taken.values()],
    }
    return Written(
        text=document(bundle),
        media_type=MEDIA_TYPE,
        suffix=".stix.json",
        marking=marking,
        n_written=len(taken),
        left_out=tuple(left),
        n_beside=len(objects) - len(taken) - len(left),
    )


def _marked(obj: Mapping[str, Any], least: Tlp) -> dict[str, Any]:
    """With a TLP as a whole. An observable may bear one too (STIX 2.1 section 3.2)."""
    if marking_of(obj) is not None:
        return dict(obj)
    return {**obj, "object_marking_refs": [*obj.get("object_marking_refs", ()), least.marking_id]}


def _explaining(objects: Iterable[Mapping[str, Any]], about: About) -> list[dict[str, Any]]:
    """Markings, authors and our extension, each before what needs it."""
    text = msgspec.json.encode(list(objects)).decode()
    made = [identity(about.author_id, about.author)] if about.author_id in text else []
    if EXTENSION_ID in text:
        made += [authors(), extension_definition()]
    needed = text + msgspec.json.encode(made).decode()
    markings = [marking_definition(tlp) for tlp in Tlp if tlp.marking_id in needed]
    return [*markings, *made]
