"""Use case: files of indicators which a node keeps: block lists, bundles, exports. By reference, not row by row.

A list of a million values is one item of content. Whoever adds it has read it already, in a process of his own, and
left a table which the detection process maps into memory; the node's main process sees a name and counts.
"""

import re
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.app.kept_file import IndicatorFiles, Kept
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import ContentItem, ContentKind, Store
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import stable_id
from amagasa.vocab.text import show

_FILE: Final = re.compile(r"[0-9a-f]{16}/[\w][\w.-]{0,99}")


class NewFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that was put into the node's folder."""

    file: str


_KEPT: Final = msgspec.json.Decoder(Kept)


def add_file(store: Store, actor: Actor, new: NewFile, *, files: IndicatorFiles | None, now: datetime) -> ContentItem:
    """Look with the file from now on, in place of the one of that name before."""
    require(actor, Act.WRITE_CONTENT)
    if files is None:
        raise BadInputError("AMG-CONTENT-NO-FILE", "this console keeps no files", then="nothing was done")
    if _FILE.fullmatch(new.file) is None:
        raise BadInputError(
            "AMG-CONTENT-NO-FILE",
            "this is no file that the node keeps",
            expected="what `amagasa content add` put there",
            got=new.file,
            then="nothing was added",
        )
    kept = files.describe(new.file)
    item = ContentItem(
        id=stable_id("list", kept.name),
        kind=ContentKind.LIST,
        title=show(kept.name),
        origin="",
        text=msgspec.json.encode(kept).decode(),
        is_active=True,
        added_at=now,
        added_by=actor.name,
    )
    with store.write() as tx:
        before = [kept_in(held) for held in tx.content_items([item.id])]
        tx.save_content(item)
    for old in before:
        if old is not None and old.file != kept.file:
            files.remove(old.file)
    return item


def kept_in(item: ContentItem) -> Kept | None:
    """The file that an item of content stands for; None where it stands for none."""
    if item.kind is not ContentKind.LIST:
        return None
    try:
        return _KEPT.decode(item.text)
    except msgspec.DecodeError:
        return None
