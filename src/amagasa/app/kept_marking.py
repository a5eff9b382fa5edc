"""Under which marking a person added a rule: kept beside it, as Sigma has no place for it."""

from amagasa.app.ports import Writing
from amagasa.vocab.tlp import Tlp


def marking_key(content_id: str) -> str:
    """Where it is kept."""
    return f"marking:{content_id}"


def keep_marking(tx: Writing, content_id: str, marking: Tlp) -> None:
    """Keep it; a rule added again has the marking of the last time."""
    tx.save_meta(marking_key(content_id), marking.word)
