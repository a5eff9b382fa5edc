"""Objects that an ally should not have sent, each with the code by which a sound node refuses it.

Pure values: nothing here sends anything. A code of "" is an object which may be taken: harm must be met elsewhere.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from amagasa.intel import build
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp

_RULE: Final = """\
title: {title}
id: {id}
status: test
logsource:
    category: webserver
detection:
    all:
        {condition}
    condition: all
level: critical
"""


class Falsehood(Struct, frozen=True, kw_only=True):
    """`objects` go one after the other, or in one envelope with `is_together`.

    `code` is what a sound node says of the last of them, "" where it may take it.
    """

    name: str
    about: str
    objects: tuple[dict[str, Any], ...]
    code: str
    is_together: bool = False


class Liar(Struct, frozen=True, kw_only=True):
    """Who lies, to whom, and what they should believe. `ours` is an address or network of the victim's own."""

    me: str
    victim: str
    now: datetime
    ours: str = "203.0.113.7"


def falsehoods(liar: Liar) -> Iterator[Falsehood]:
    """All of them, each independent of the others."""
    yield from _of_identity(liar)
    yield from _of_marking(liar)
    yield from _of_content(liar)


def _of_identity(liar: Liar) -> Iterator[Falsehood]:
    someone = stable_id("identity", "amagasa-testing", "somebody else")
    yield Falsehood(
        name="another's identity",
        about="an indicator in the name of a third party",
        objects=(_indicator(liar, "impostor", author=someone),),
        code="AMG-ADMIT-AUTHOR",
    )
    yield Falsehood(
        name="the victim's identity",
        about="an indicator in the name of the one who receives it",
        objects=(_indicator(liar, "as-victim", author=liar.victim),),
        code="AMG-ADMIT-OURS",
    )
    yield Falsehood(
        name="no author",
        about="an indicator that nobody signs for",
        objects=(_without(_indicator(liar, "nobody"), "created_by_ref"),),
        code="AMG-ADMIT-AUTHOR",
    )


def _of_marking(liar: Liar) -> Iterator[Falsehood]:
    first = _indicator(liar, "lowered", marking=Tlp.AMBER)
    later = {**first, "object_marking_refs": [Tlp.CLEAR.marking_id], "modified": _text(liar, seconds=1)}
    yield Falsehood(
        name="a lowered marking",
        about="amber first, clear in the next version",
        objects=(first, later),
        code="AMG-ADMIT-LOWERED",
    )
    first = _indicator(liar, "lowered-at-once", marking=Tlp.AMBER)
    yield Falsehood(
        name="a marking lowered at once",
        about="both versions in one envelope",
        objects=(first, {**later, "id": first["id"]}),
        code="AMG-ADMIT-LOWERED",
        is_together=True,
    )
    yield Falsehood(
        name="no marking",
        about="an indicator without any",
        objects=(_without(_indicator(liar, "unmarked"), "object_marking_refs"),),
        code="AMG-ADMIT-UNMARKED",
    )
    yield Falsehood(
        name="TLP:RED",
        about="what crosses under no clause",
        objects=(_indicator(liar, "red", marking=Tlp.RED),),
        code="AMG-ADMIT-RED",
    )
    actor = _indicator(liar, "beyond")
    beyond = {key: actor[key] for key in ("spec_version", "created", "modified", "created_by_ref")}
    yield Falsehood(
        name="beyond the agreement",
        about="a type of object that no clause names",
        objects=(
            {
                **beyond,
                "type": "tool",
                "id": stable_id("tool", liar.me, "beyond"),
                "name": "a tool",
                "object_marking_refs": actor["object_marking_refs"],
            },
        ),
        code="AMG-ADMIT-CLAUSE",
    )
    yield Falsehood(
        name="from the future",
        about="a version that would outlive every correction",
        objects=({**_indicator(liar, "future"), "modified": _text(liar, seconds=10 * 365 * 86_400)},),
        code="AMG-ADMIT-FUTURE",
    )


def _of_content(liar: Liar) -> Iterator[Falsehood]:
    wide = "[ipv4-addr:value = '0.0.0.0/0']"
    yield Falsehood(
        name="everybody's address",
        about="an indicator for 0.0.0.0/0",
        objects=(_indicator(liar, "everybody", pattern=wide),),
        code="AMG-ADMIT-WIDE",
    )
    yield Falsehood(
        name="the victim's address",
        about=f"an indicator for {liar.ours}",
        objects=(_indicator(liar, "ours", pattern=f"[ipv4-addr:value = '{liar.ours}']"),),
        code="AMG-ADMIT-OWN",
    )
    catastrophe = _RULE.format(
        title="A catastrophic expression",
        id="0d7a41b9-6f63-4f0a-9a5e-0d1f2f6f7a01",
        condition="cs-uri-query|re: '^(([a-z0-9/])+.?)+[^a-z]{9}$'",
    )
    yield Falsehood(
        name="a catastrophic expression",
        about="a rule whose expression takes exponential time where it is tried one way after another",
        objects=(_rule(liar, "catastrophe", catastrophe),),
        code="",
    )
    everything = _RULE.format(
        title="Fires on everything", id="0d7a41b9-6f63-4f0a-9a5e-0d1f2f6f7a02", condition="cs-uri-stem|contains: /"
    )
    yield Falsehood(
        name="a rule that fires on everything",
        about="each line of every access log is critical",
        objects=(_rule(liar, "everything", everything),),
        code="",
    )


def _indicator(
    liar: Liar, name: str, *, author: str = "", marking: Tlp = Tlp.AMBER, pattern: str = ""
) -> dict[str, Any]:
    base = build.common(
        "indicator",
        stable_id("indicator", liar.me, "amagasa-testing", name),
        created_at=liar.now,
        modified_at=liar.now,
        author=author or liar.me,
        marking=marking,
    )
    return build.indicator(
        base,
        name=f"amagasa.testing: {name}",
        description="sent by a lying ally",
        pattern=pattern or "[ipv4-addr:value = '198.51.100.99']",
        pattern_type="stix",
        valid_from_at=liar.now,
    )


def _rule(liar: Liar, name: str, text: str) -> dict[str, Any]:
    made = _indicator(liar, name)
    return {**made, "pattern": text, "pattern_type": "sigma", "pattern_version": "2.1.0"}


def _without(obj: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key != name}


def _text(liar: Liar, *, seconds: float) -> str:
    return (liar.now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
