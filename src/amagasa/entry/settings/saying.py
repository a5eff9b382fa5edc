"""How a setting says what it does, in both languages."""

from typing import Any

import msgspec


def said(en: str, ja: str, *, form: str = "", **limits: Any) -> msgspec.Meta:
    """What a setting does; `form` is what it looks like, where type and limits do not say it."""
    return msgspec.Meta(description=en, extra={"ja": ja, "form": form}, **limits)
