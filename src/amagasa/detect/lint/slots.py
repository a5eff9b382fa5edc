"""Placeholders: `expand` where none stands, and those that have no values here."""

from collections.abc import Iterator

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.item import Item
from amagasa.detect.lint.tree import Scalar
from amagasa.detect.lint.words import did_you_mean
from amagasa.detect.sigma.text import Placeholders, names_in


def check_slots(item: Item, placeholders: Placeholders) -> Iterator[Finding]:
    """What is wrong with the placeholders of one item; `placeholders` are those that have values."""
    if "expand" not in item.words:
        return
    for value in item.values:
        names = names_in(value.text, is_expression="re" in item.words)
        if not names:
            what = f"{quoted(value.text)} holds no placeholder"
            yield say("no-placeholder", value.place, what, expected="a name between per cent signs: %name%")
        for name in names:
            if not placeholders.get(name):
                yield _empty(value, name, placeholders)


def _empty(value: Scalar, name: str, placeholders: Placeholders) -> Finding:
    at = value.text.find(f"%{name}%")
    hint = did_you_mean(name, placeholders) or 'write its values in placeholders.toml: Servers = ["srv-*"]'
    what = f"{quoted(f'%{name}%')} has no values here"
    return say("placeholder-empty", value.within(at, len(name) + 2), what, hint=hint)
