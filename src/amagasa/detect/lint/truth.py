"""What a compiled rule can and cannot be: true of every record of an event, or of none.

Not a proof of everything: what is said is certain, what is not said may still be so. Atoms are decided on what is known
of a route (EventID, Channel) and on the atoms that must hold beside them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from amagasa.detect.folding import fold
from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.fields import Sources
from amagasa.detect.lint.finding import Finding, Place
from amagasa.detect.sigma.rule import Atom, Node, Op, Predicate, Rule
from amagasa.event.feeds import names_of

_TEXT: Final = frozenset({Predicate.EQUALS, Predicate.CONTAINS, Predicate.STARTSWITH, Predicate.ENDSWITH})
_MAX_FACTS: Final = 200


def check_truth(rule: Rule, sources: Sources, place: Place) -> Iterator[Finding]:
    """Whether the rule matches all records of a feed, or cannot match any."""
    if not sources.feeds:
        return
    answers = {feed: _decided(rule, rule.condition, dict(feed.route.known)) for feed in sources.feeds}
    whole = tuple(feed for feed, answer in answers.items() if answer is True)
    if whole:
        yield say("matches-all", place, f"every record of {names_of(whole)} satisfies the rule")
    elif all(answer is False for answer in answers.values()):
        yield say("never-true", place, f"no record of {names_of(sources.feeds)} can satisfy the condition")
    elif sources.is_closed and (why := _contradiction(rule, rule.condition, ())):
        yield say("never-true", place, why)


def _decided(rule: Rule, node: Node, known: Mapping[str, str | int]) -> bool | None:
    """The condition where only `known` is known: True, False, or None."""
    if node.op is Op.ATOM:
        atom = rule.atoms[node.atom]
        if atom.field is None or atom.field not in known or atom.predicate is not Predicate.EQUALS:
            return None
        return fold(str(known[atom.field])) == fold(atom.value)
    inner = [_decided(rule, item, known) for item in node.items]
    return _joined(node.op, inner)


def _joined(op: Op, inner: Sequence[bool | None]) -> bool | None:
    if op is Op.NOT:
        return None if inner[0] is None else not inner[0]
    decisive = op is Op.OR
    if decisive in inner:
        return decisive
    return None if None in inner else not decisive


def _contradiction(rule: Rule, node: Node, facts: tuple[Atom, ...]) -> str:
    """Why the node can never hold beside `facts`, "" where that is not certain."""
    if node.op is Op.OR:
        whys = [_contradiction(rule, item, facts) for item in node.items]
        return whys[0] if whys and all(whys) else ""
    if node.op is not Op.AND:
        return ""
    own = (*facts, *(rule.atoms[item.atom] for item in _flat(node) if item.op is Op.ATOM))[:_MAX_FACTS]
    clash = _clash(own)
    if clash:
        return clash
    for item in _flat(node):
        if item.op is Op.NOT and _under(rule, item.items[0], own) is True:
            return "what is excluded holds wherever the rest does"
        if item.op is Op.OR and (why := _contradiction(rule, item, own)):
            return why
        if item.op is Op.OR and _under(rule, item, own) is False:
            return "one part of the condition cannot hold where another does"
    return ""


def _flat(node: Node) -> Iterator[Node]:
    for item in node.items:
        if item.op is Op.AND:
            yield from _flat(item)
        else:
            yield item


def _clash(facts: Sequence[Atom]) -> str:
    """Two atoms of one field that cannot both hold of one text."""
    for whole in facts:
        if whole.predicate is not Predicate.EQUALS or whole.field is None:
            continue
        for other in facts:
            if other.field == whole.field and other is not whole and _implied(other, (whole,)) is False:
                return f"{whole.field} cannot be {quoted(whole.value, 40)} and fit {quoted(other.value, 40)} at once"
    return ""


def _under(rule: Rule, node: Node, facts: Sequence[Atom]) -> bool | None:
    if node.op is Op.ATOM:
        return _implied(rule.atoms[node.atom], facts)
    return _joined(node.op, [_under(rule, item, facts) for item in node.items])


def _implied(atom: Atom, facts: Sequence[Atom]) -> bool | None:
    """Whether the atom holds where all facts do: True, False, or None."""
    if atom in facts:
        return True
    if atom.field is None or atom.predicate not in _TEXT:
        return None
    for fact in facts:
        if fact.field != atom.field or fact.predicate not in _TEXT or fact.is_cased != atom.is_cased:
            continue
        if fact.predicate is Predicate.EQUALS:
            return _fits(atom, fact.value)
        if _entails(fact, atom):
            return True
    return None


def _fits(atom: Atom, text: str) -> bool:
    match atom.predicate:
        case Predicate.CONTAINS:
            return atom.value in text
        case Predicate.STARTSWITH:
            return text.startswith(atom.value)
        case Predicate.ENDSWITH:
            return text.endswith(atom.value)
    return text == atom.value


def _entails(fact: Atom, atom: Atom) -> bool:
    if atom.predicate is Predicate.CONTAINS:
        return atom.value in fact.value
    if atom.predicate is not fact.predicate:
        return False
    if atom.predicate is Predicate.STARTSWITH:
        return fact.value.startswith(atom.value)
    return atom.predicate is Predicate.ENDSWITH and fact.value.endswith(atom.value)
