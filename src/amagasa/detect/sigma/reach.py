"""Which Sigma documents change what other documents mean. A change of one is never alone."""

import re
from typing import Final

from amagasa.detect.sigma.link import REPLACING
from amagasa.detect.sigma.rule import Compiled, Rule

_FILTERS: Final = re.compile(r"^[{\"']?filter\b", re.MULTILINE)


def reaching(compiled: Compiled) -> frozenset[str]:
    """Paths of the documents that lean or act on others: correlations, and all that `acting` names."""
    return acting(compiled) | {rule.path for rule in compiled.rules if rule.correlation is not None}


def acting(compiled: Compiled) -> frozenset[str]:
    """Paths of those which may act on any other, whichever comes: filters, and rules that replace others."""
    filters = {one.path for one in compiled.filters}
    return frozenset(filters | {rule.path for rule in compiled.rules if _replaces(rule)})


def may_filter(text: str) -> bool:
    """Whether a document of the text, not compiled yet, looks like a filter as people write them."""
    return bool(_FILTERS.search(text))


def _replaces(rule: Rule) -> bool:
    return any(one.relation in REPLACING for one in rule.related)
