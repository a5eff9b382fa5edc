"""Which Sigma documents change what other documents mean. A change of one is never alone."""

import re
from typing import Final

_LEANS: Final = re.compile(r"^(?:correlation|action)\s*:", re.MULTILINE)
_FILTERS: Final = re.compile(r"^filter\s*:", re.MULTILINE)
_REPLACES: Final = re.compile(r"^related\s*:(?:.|\n)*?\btype\s*:\s*['\"]?(?:obsolete|renamed)\b", re.MULTILINE)


def reaches_out(text: str) -> bool:
    """Whether the text holds such a document, or a collection whose parts lean on each other."""
    return bool(_LEANS.search(text)) or acts_on_others(text)


def is_filter(text: str) -> bool:
    """Whether some document in it is a filter."""
    return bool(_FILTERS.search(text))


def acts_on_others(text: str) -> bool:
    """Whether some document in it may act on any other, whichever comes: a filter, or a rule that replaces others."""
    return is_filter(text) or ("related" in text and bool(_REPLACES.search(text)))
