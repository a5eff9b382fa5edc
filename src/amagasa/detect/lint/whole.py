"""What can be told of many rules together: identifiers and titles that stand twice, rules named that are not there."""

import uuid
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.document import Linted
from amagasa.detect.lint.finding import Finding


def check_together(documents: Sequence[tuple[str, Linted]]) -> Iterator[Finding]:
    """Findings about several documents, each a (path, document); they carry their path and rule."""
    ids: dict[str, str] = {}
    titles: dict[str, tuple[str, Linted]] = {}
    for path, one in documents:
        if one.kind != "filter":
            yield from _twice(path, one, ids, titles)
    names = {name.lower() for _, one in documents for name in (one.rule_id, one.name) if name}
    for path, one in documents:
        for reference in one.references:
            is_near = reference.role != "related"
            if reference.name.lower() in names or (not is_near and not names):
                continue
            if is_near:
                what = f"no rule among those checked is {quoted(reference.name)}"
                found = say("unknown-rule", reference.place, what, hint="check it together with the rules it names")
                yield _of(found, path, one)


def _twice(path: str, one: Linted, ids: dict[str, str], titles: dict[str, tuple[str, Linted]]) -> Iterator[Finding]:
    identity = _identity(one.rule_id)
    if identity and identity in ids:
        what = f"the id {one.rule_id} is that of {ids[identity]} as well"
        yield _of(say("duplicate-id", one.place, what, hint="give it an id of its own"), path, one)
    elif identity:
        ids[identity] = f"{path}:{one.place.line}"
    title = one.title.strip().lower()
    if title and title in titles and titles[title][1].kind == one.kind:
        what = f"the title is that of {titles[title][0]} as well"
        yield _of(say("duplicate-title", one.place, what), path, one)
    elif title:
        titles[title] = (f"{path}:{one.place.line}", one)


def _identity(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def _of(finding: Finding, path: str, document: Linted) -> Finding:
    return replace(finding, path=path, rule_id=document.rule_id)


def sourced(findings: Sequence[Finding], texts: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """The findings with their source lines, where the text of their path is at hand."""
    for one in findings:
        lines = texts.get(one.path)
        line = lines[one.place.line - 1] if lines and one.place.line <= len(lines) else ""
        yield replace(one, source=line[:160], caret=one.place.column - 1) if line and not one.source else one
