"""Which Sigma documents change what other documents mean: filters and correlations. A change of one is never alone."""

import re
from typing import Final

_REACHES: Final = re.compile(r"^(?:filter|correlation|action)\s*:", re.MULTILINE)


def reaches_out(text: str) -> bool:
    """Whether the text holds such a document, or a collection whose parts lean on each other."""
    return bool(_REACHES.search(text))
