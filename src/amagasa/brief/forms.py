"""The forms of an export, and which function writes each."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

from amagasa.brief.bundle import stix_bundle
from amagasa.brief.misp_event import misp_event
from amagasa.brief.navigator import enterprise_layer, ics_layer
from amagasa.brief.table import csv_table, plain_list
from amagasa.brief.written import About, Written


class Form(StrEnum):
    """What another system reads."""

    STIX = "stix"
    MISP = "misp"
    CSV = "csv"
    LIST = "list"
    NAVIGATOR = "navigator"  # techniques of Enterprise
    NAVIGATOR_ICS = "navigator-ics"


_Writer: TypeAlias = Callable[[Sequence[Mapping[str, Any]], About], Written]
_WRITERS: Final[dict[Form, _Writer]] = {
    Form.STIX: stix_bundle,
    Form.MISP: misp_event,
    Form.CSV: csv_table,
    Form.LIST: plain_list,
    Form.NAVIGATOR: enterprise_layer,
    Form.NAVIGATOR_ICS: ics_layer,
}


def write(objects: Sequence[Mapping[str, Any]], form: Form, about: About) -> Written:
    """The objects in this form. Written + left out + beside = all of them; nothing an object holds makes it raise."""
    return _WRITERS[form](objects, about)
