"""The head of a rule: title, id, level, dates, tags, log source, related rules."""

import re
import uuid
from collections.abc import Iterator
from typing import Final

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding, Place
from amagasa.detect.lint.tree import Entry, Items, Map, Node, Scalar, scalars
from amagasa.detect.lint.words import (
    KEYS,
    LEVELS,
    LOGSOURCE_KEYS,
    RELATED,
    STATUSES,
    TAG_NAMESPACES,
    did_you_mean,
    nearest,
)
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.attack_ids import techniques, withdrawn

MAX_TITLE_CHARACTERS: Final = 256
_TEXTS: Final = ("title", "name", "description", "author", "license", "taxonomy", "status", "level")
_LISTS: Final = ("references", "tags", "fields", "falsepositives", "related")
# pySigma reads a month or day of one figure where slashes part it, and never where dashes do.
_DATE: Final = re.compile(r"[1-3]\d{3}-[01]\d-[0-3]\d|[1-3]\d{3}/[01]?\d/[0-3]?\d", re.ASCII)
_TECHNIQUE: Final = re.compile(r"t\d{4}(?:\.\d{3})?", re.ASCII)
_OTHER_ATTACK: Final = re.compile(r"(?:ta|g|s|c|m|ds)\d{4}", re.ASCII)
_KEYS_OF_TOP: Final = frozenset({"logsource", "detection", "correlation", "filter"})


def check_head(rule: Map) -> Iterator[Finding]:
    """Everything but the detection; for correlations and filters as well."""
    yield from _keys(rule)
    yield from _kinds(rule)
    yield from _title(rule)
    yield from _identity(rule)
    yield from _words(rule)
    yield from _dates(rule)
    yield from _tags(rule)
    yield from _related(rule)
    if rule.get("correlation") is None:
        yield from _logsource(rule)
    if not _text(rule, "description"):
        yield say("no-description", _top(rule), "the rule has no description")


def _top(rule: Map) -> Place:
    entry = rule.entry("title") or (rule.entries[0] if rule.entries else None)
    return rule.place if entry is None else entry.key.place


def _text(rule: Map, name: str) -> str:
    value = rule.get(name)
    return value.text if isinstance(value, Scalar) and value.value is not None else ""


def _keys(rule: Map) -> Iterator[Finding]:
    for entry in rule.entries:
        name = entry.key.text
        if name in KEYS:
            continue
        near = nearest(name, KEYS, cutoff=0.8)
        if near:
            yield say(
                "unknown-key", entry.key.place, f"Sigma knows no key {quoted(name)}", hint=f"did you mean {near}?"
            )


def _kinds(rule: Map) -> Iterator[Finding]:
    for name in _TEXTS:
        value = rule.get(name)
        if value is None or (isinstance(value, Scalar) and value.kind in {"str", "null"}):
            continue
        got = f"a {value.kind}" if isinstance(value, Scalar) else "a list" if isinstance(value, Items) else "a mapping"
        yield say(
            "wrong-type",
            value.place,
            f"{name} is {got}",
            expected="text",
            hint="put it in quotes" if isinstance(value, Scalar) else "",
        )
    for name in _LISTS:
        value = rule.get(name)
        if value is None or isinstance(value, Items) or (isinstance(value, Scalar) and value.kind == "null"):
            continue
        yield say("wrong-type", value.place, f"{name} is no list", expected="a list, each item behind a dash")


def _title(rule: Map) -> Iterator[Finding]:
    title = rule.get("title")
    if title is None or (isinstance(title, Scalar) and title.value is None):
        yield say("missing-key", rule.place, "the rule has no title", expected="a line that says what it finds")
    elif isinstance(title, Scalar) and len(title.text) > MAX_TITLE_CHARACTERS:
        what = f"the title has {len(title.text)} characters"
        yield say("title-long", title.place, what, expected=f"at most {MAX_TITLE_CHARACTERS}")


def _identity(rule: Map) -> Iterator[Finding]:
    value = rule.get("id")
    if value is None or (isinstance(value, Scalar) and value.value is None):
        yield say("no-id", _top(rule), "the rule has no id", expected="id: with a UUID of version 4")
        return
    text = value.text if isinstance(value, Scalar) else ""
    try:
        uuid.UUID(text)
    except ValueError:
        yield say("id-not-uuid", value.place, f"the id {quoted(text)} is no UUID", expected="a UUID of version 4")


def _words(rule: Map) -> Iterator[Finding]:
    level, status = rule.get("level"), rule.get("status")
    if rule.get("filter") is not None and level is None and status is None:
        return  # a filter has neither
    if level is None:
        yield say("no-level", _top(rule), "the rule has no level: its alerts count as medium", expected=_list(LEVELS))
    elif isinstance(level, Scalar) and level.text.lower() not in LEVELS:
        yield _no_word("unknown-level", "level", level, LEVELS)
    if status is None:
        yield say("no-status", _top(rule), "the rule has no status", expected=_list(STATUSES))
    elif isinstance(status, Scalar) and status.text.lower() not in STATUSES:
        yield _no_word("unknown-status", "status", status, STATUSES)
    elif isinstance(status, Scalar) and status.text.lower() in {"deprecated", "unsupported"}:
        yield say("retired", status.place, f"its author calls the rule {status.text.lower()}")


def _no_word(code: str, name: str, value: Scalar, known: tuple[str, ...]) -> Finding:
    what = f"{quoted(value.text)} is no {name} of Sigma"
    return say(code, value.place, what, expected=_list(known), hint=did_you_mean(value.text, known, cutoff=0.5))


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}"


def _dates(rule: Map) -> Iterator[Finding]:
    read: dict[str, tuple[str, Scalar]] = {}
    for name in ("date", "modified"):
        value = rule.get(name)
        if not isinstance(value, Scalar) or value.value is None:
            continue
        if value.kind != "timestamp" and not _DATE.fullmatch(value.text):
            yield say("date-form", value.place, f"{name} is {quoted(value.text)}", expected="YYYY-MM-DD")
        else:
            read[name] = (_sortable(value.text), value)
    if len(read) == 2 and read["modified"][0] < read["date"][0]:
        yield say("date-order", read["modified"][1].place, "modified before it was written")


def _sortable(text: str) -> str:
    return "-".join(part.zfill(2) for part in re.split(r"[-/]", text[:10]))


def _tags(rule: Map) -> Iterator[Finding]:
    seen: dict[str, Place] = {}
    for tag in scalars(rule.get("tags")):
        text = tag.text
        namespace, dot, name = text.partition(".")
        if not dot or not namespace or not name:
            expected = "namespace.name, such as attack.t1059.001 or tlp.amber"
            yield say("tag-form", tag.place, f"the tag {quoted(text)} has no namespace", expected=expected)
            continue
        if text.lower() in seen:
            yield say("same-value", tag.place, f"the tag {quoted(text)} stands there twice")
        seen[text.lower()] = tag.place
        if namespace.lower() == "attack":
            yield from _attack(tag, name)
        elif namespace not in TAG_NAMESPACES and (near := nearest(namespace, TAG_NAMESPACES)):
            what = f"{quoted(namespace)} is no namespace of tags"
            yield say("unknown-key", tag.within(0, len(namespace)), what, hint=f"did you mean {near}?")


def _attack(tag: Scalar, name: str) -> Iterator[Finding]:
    folded = name.lower()
    place = tag.within(len("attack."), len(name))
    if _TECHNIQUE.fullmatch(folded):
        identifier = folded.upper()
        if identifier in techniques():
            return
        if identifier in withdrawn():
            other = withdrawn()[identifier]
            hint = f"{other} has taken its place" if other else "nothing has taken its place"
            yield say("retired-technique", place, f"ATT&CK has withdrawn {identifier}", hint=hint)
            return
        if identifier[:5] > max(techniques())[:5]:
            yield say("newer-technique", place, f"{identifier} is newer than ATT&CK v18, which is known here")
            return
        near = nearest(identifier, techniques(), cutoff=0.8)
        hint = f"did you mean {near}?" if near else ""
        yield say("unknown-technique", place, f"ATT&CK v18 has no technique {identifier}", hint=hint)
    elif not _OTHER_ATTACK.fullmatch(folded) and folded.replace("_", "-") not in TACTICS:
        known = (*TACTICS, *techniques()) if folded[:1] == "t" and folded[1:2].isdigit() else TACTICS
        what = f"ATT&CK has no tactic {quoted(name)}"
        yield say("unknown-tactic", place, what, hint=did_you_mean(folded.replace("_", "-"), known))


def _related(rule: Map) -> Iterator[Finding]:
    related = rule.get("related")
    for item in related.items if isinstance(related, Items) else ():
        if not isinstance(item, Map):
            yield say("related-form", item.place, "an entry of related is no mapping", expected="id: and type:")
            continue
        yield from _relation(item)


def _relation(item: Map) -> Iterator[Finding]:
    for name in ("id", "type"):
        if not isinstance(item.get(name), Scalar):
            yield say("related-form", item.place, f"an entry of related has no {name}", expected="id: and type:")
    kind = item.get("type")
    if isinstance(kind, Scalar) and kind.text.lower() not in RELATED:
        what = f"{quoted(kind.text)} is no relation of Sigma"
        yield say("related-form", kind.place, what, expected=_list(RELATED), hint=did_you_mean(kind.text, RELATED))


def _logsource(rule: Map) -> Iterator[Finding]:
    entry = rule.entry("logsource")
    if entry is None:
        if rule.get("action") is None and rule.get("detection") is not None:
            yield say("missing-key", _top(rule), "the rule has no logsource", expected="logsource: category: ...")
        return
    source = entry.value
    if not isinstance(source, Map):
        yield say("logsource-empty", entry.key.place, "the log source is no mapping", expected="category: ...")
        return
    given = [one for one in source.entries if one.key.text in LOGSOURCE_KEYS[:3]]
    if not any(_is_given(one.value) for one in given):
        expected = "at least one of category, product, service"
        yield say("logsource-empty", entry.key.place, "the log source is empty", expected=expected)
    for one in source.entries:
        yield from _logsource_entry(one)


def _is_given(value: Node) -> bool:
    return isinstance(value, Scalar) and bool(value.text) and value.value is not None


def _logsource_entry(one: Entry) -> Iterator[Finding]:
    name = one.key.text
    if name not in LOGSOURCE_KEYS:
        near = nearest(name, LOGSOURCE_KEYS)
        if near or name in {"index", "source", "sourcetype", "service_name"}:
            what = f"a log source has no {quoted(name)}"
            hint = f"did you mean {near}?" if near else ""
            yield say("logsource-key", one.key.place, what, expected="category, product, service", hint=hint)
        return
    if name == "definition" or not isinstance(one.value, Scalar):
        return
    if one.value.text != one.value.text.lower():
        yield say("logsource-case", one.value.place, f"{quoted(one.value.text)} is read in lower case")
    if one.value.kind not in {"str", "null"}:
        yield say("wrong-type", one.value.place, f"{name} is a {one.value.kind}", expected="text", hint="quote it")


def is_rule(document: Map) -> bool:
    """Whether the document tries to be a rule, correlation or filter of any kind."""
    return any(entry.key.text in _KEYS_OF_TOP for entry in document.entries)
