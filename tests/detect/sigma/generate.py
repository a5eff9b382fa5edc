"""Rules and events by chance, of every modifier and value: made of one source of chance, so a seed gives them again."""

import random
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

Detection = dict[str, Any]

FIELDS: Final = ("A", "B", "C", "D.e")
WORDS: Final = ("a", "A", "ab", "Abc", "b c", r"c:\x", "1", "12", "true", "x-y", "-enc", "/s", "ä", "日本", "q?", "s*")
PATTERNS: Final = ("a", "Ab", "*b*", "a?", "*", "", "?", r"\*", r"\?", r"a\\*", "a*c", "日*", r"c:\x", r"*\x", "**a")
EXPRESSIONS: Final = ("a", "^a", "b$", "[a-c]+", "^A.?c$", "(ab|12)", "日", r"\d{2}", "^$", "x-y")
NETWORKS: Final = ("10.0.0.0/8", "192.168.1.0/24", "2001:db8::/32", "0.0.0.0/0")
ADDRESSES: Final = ("10.1.2.3", "192.168.1.77", "11.0.0.1", "2001:db8::1", "::1", "nothing")
NUMBERS: Final = (0, 1, 5, 12, -3, 1.5, 100)
INSTANTS: Final = ("2024-02-29T23:59:00Z", "2025-12-29 08:05:06.789", "2024-03-01T00:30:00+09:00", 1709164740, "soon")
PLACEHOLDERS: Final = {"words": ["a*", "12", "日?", r"\*"], "one": ["b"]}
PARTS: Final = {
    "minute": (59, 5, 30),
    "hour": (23, 8, 15),
    "day": (29, 1),
    "week": (9, 1),
    "month": (2, 12),
    "year": (2024, 2025),
}

Chance = random.Random


def detection(chance: Chance) -> Detection:
    """Two to four selections and one condition or two over them."""
    names = chance.sample(["sel", "sel_a", "sel_b", "filter", "_aside", "k"], chance.randint(2, 4))
    made: Detection = {name: _selection(chance) for name in names}
    conditions = [_condition(chance, names, 0) for _ in range(1 if chance.random() < 0.85 else 2)]
    made["condition"] = conditions if len(conditions) > 1 else conditions[0]
    return made


def filter_(chance: Chance) -> Detection:
    """What a filter holds beside `rules`: a selection or two, and a condition that denies them."""
    made: Detection = {name: _selection(chance) for name in ("ours", "ours_too")[: chance.randint(1, 2)]}
    made["condition"] = chance.choice(("not ours", "not 1 of ours*", "not all of them", "not (ours or ours)"))
    return made


def with_placeholder(chance: Chance, detection: Detection) -> Detection:
    """The same with a selection more, which holds a placeholder.

    Values of a placeholder are or-linked, says the specification; pySigma joins them by AND under `all`, so that one
    with several is not put there; and it forgets `cased` over them.
    """
    kind = chance.choice(("expand", "contains|expand", "expand|startswith", "endswith|expand"))
    joining = chance.choice(("", "", "|all", "|neq"))
    single = ["%one%", "a%one%", "x-%none-such", "100%"]
    values = chance.sample(single if joining == "|all" else [*single, "%words%", "%words%*%one%"], 2)
    conditions = detection["condition"]
    first, *others = conditions if isinstance(conditions, list) else [conditions]
    joined = f"({first}) {chance.choice(('or', 'and', 'and not'))} slots"
    slots = {f"{chance.choice(FIELDS)}|{kind}{joining}": values}
    return {**detection, "slots": slots, "condition": [joined, *others]}


def event(chance: Chance) -> dict[str, Any]:
    """Some of the fields, with a value or a list of values."""
    made: dict[str, Any] = {}
    for field in FIELDS:
        if chance.random() < 0.75:
            is_list = chance.random() < 0.1
            made[field] = (
                [_event_value(chance) for _ in range(chance.randint(0, 3))] if is_list else _event_value(chance)
            )
    return made


def detections() -> st.SearchStrategy[Detection]:
    """The same for hypothesis."""
    return st.builds(detection, st.randoms(use_true_random=False))


def _selection(chance: Chance) -> Any:
    roll = chance.random()
    if roll < 0.1:
        return [chance.choice(WORDS[:6] + WORDS[8:]) for _ in range(chance.randint(1, 2))]
    if roll < 0.15:
        return {"|all": [chance.choice(WORDS[2:6]) for _ in range(2)]}
    if roll < 0.2:
        return {"|re": chance.choice(("b c", "x-.", "[日]", "^zz"))}
    if roll < 0.35:
        return [_items(chance) for _ in range(chance.randint(1, 3))]
    return _items(chance)


def _items(chance: Chance) -> dict[str, Any]:
    return dict(_item(chance) for _ in range(chance.randint(1, 2)))


def _item(chance: Chance) -> tuple[str, Any]:
    key, value_of = chance.choice(_KINDS)
    kind = key(chance) if callable(key) else key
    values = [value_of(chance) for _ in range(chance.randint(1, 3))]
    is_one = len(values) == 1 or kind == "exists"
    joining = "" if is_one or chance.random() < 0.8 else "|all"
    negated = "|neq" if chance.random() < 0.08 else ""
    field = chance.choice(FIELDS)
    return f"{field}{'|' if kind else ''}{kind}{joining}{negated}", values[0] if is_one else values


def _one_of(*values: Any) -> Callable[[Chance], Any]:
    return lambda chance: chance.choice(values)


def _timed(part: str) -> tuple[str, Callable[[Chance], Any]]:
    return part, _one_of(*PARTS[part])


_TEXT: Final = _one_of(*WORDS, *PATTERNS)
_LITERAL: Final = _one_of("a", "Ab", "abc", "x-y", "12")
_KINDS: Final[list[tuple[Any, Callable[[Chance], Any]]]] = [
    *[("", _TEXT)] * 5,
    ("", _one_of(*NUMBERS, True, False, None)),
    *[(kind, _TEXT) for kind in ("contains", "startswith", "endswith", "cased", "contains|cased", "endswith|cased")]
    * 2,
    ("windash", _one_of("-enc", "a -enc", "/s", "x-y")),
    ("contains|windash", _one_of("-enc", " /s", "-a -b")),
    *[
        (kind, _LITERAL)
        for kind in ("base64", "base64|contains", "base64offset|contains", "wide|base64offset|contains")
    ],
    *[(kind, _LITERAL) for kind in ("utf16|base64|contains", "utf16be|base64offset|contains", "wide")],
    *[(kind, _one_of(*EXPRESSIONS)) for kind in ("re", "re|i", "re|m", "re|s", "re|i|m")],
    ("cidr", _one_of(*NETWORKS)),
    ("exists", _one_of(True, False)),
    *[
        (kind, _one_of(*FIELDS))
        for kind in ("fieldref", "fieldref|contains", "fieldref|startswith", "fieldref|endswith")
    ],
    *[(kind, _one_of(*NUMBERS)) for kind in ("lt", "lte", "gt", "gte")],
    *map(_timed, PARTS),
]


def _condition(chance: Chance, names: list[str], depth: int) -> str:
    roll = chance.random()
    if depth > 2 or roll < 0.35:
        return chance.choice(names)
    if roll < 0.5:
        quantifier = chance.choice(["1", "any", "all"])
        name = chance.choice([one for one in names if not one.startswith("_")] or names)
        pattern = chance.choice(["them", name, name[:2] + "*", "*" + name[-1]])
        return f"{quantifier} of {pattern}" if pattern != "them" or not name.startswith("_") else name
    if roll < 0.65:
        return f"not {_bracketed(chance, names, depth)}"
    operator = chance.choice([" and ", " or ", " and not "])
    return operator.join(_bracketed(chance, names, depth) for _ in range(chance.randint(2, 3)))


def _bracketed(chance: Chance, names: list[str], depth: int) -> str:
    inner = _condition(chance, names, depth + 1)
    return f"({inner})" if " " in inner else inner


def _event_value(chance: Chance) -> Any:
    roll = chance.random()
    if roll < 0.08:
        return chance.choice(NUMBERS)
    if roll < 0.14:
        return chance.choice((True, False, None, ""))
    if roll < 0.2:
        return chance.choice(ADDRESSES)
    if roll < 0.28:
        return chance.choice(INSTANTS)
    word = "".join(chance.choice((*WORDS, "*", "?", "\\", " ")) for _ in range(chance.randint(1, 2)))
    if roll < 0.38:
        word = b64encode(word.encode(chance.choice(("utf-8", "utf-16", "utf-16-le", "utf-16-be")))).decode()
    if roll < 0.45:
        word = word.replace("-", chance.choice("/\u2013\u2014\u2015"))
    if roll < 0.48:
        word = word.encode("utf-16-le").decode("latin-1")
    return word.swapcase() if roll > 0.8 else word
