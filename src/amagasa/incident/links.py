"""What ties alerts together: the few things two alerts can share which say that one hand did both.

| link | of which alerts |
|---|---|
| source address | every one that names it |
| host and user | those which name no source address: then the account is the actor's |
| host and user, weak | those which do: the account is the victim's, and half the world may be trying it |
| file hash, domain | only where it stands in the fields which the rule or indicator matched |

A destination, a host alone, a path or a common program's hash ties nothing: everyone who attacks a ministry's website
names that website. A weak link meets a strong one, never another weak one: two addresses which both try
`root@web01` stay two incidents, while what root did on web01 afterwards joins the one that was last at it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from amagasa.event.entity import EntityKind
from amagasa.incident.alert import Alert
from amagasa.vocab.text import show

ACCOUNT: Final = "account"
WEAK_ACCOUNT: Final = "account?"
_SEPARATOR: Final = "\x1f"
# Hosts times users of one alert: a brute force names hundreds of users.
_MAX_OF_A_KIND: Final = 16
_EVIDENCE_DEPTH: Final = 4
_SAID: Final = {
    EntityKind.SOURCE_ADDRESS.value: "source address",
    ACCOUNT: "host and user",
    WEAK_ACCOUNT: "host and user",
    EntityKind.HASH.value: "file hash",
    EntityKind.DOMAIN.value: "domain",
}


def links_of(alert: Alert) -> tuple[str, ...]:
    """`kind` and values, joined by U+001F: what an incident with this alert can be found by."""
    by_kind: dict[EntityKind, list[str]] = {kind: [] for kind in EntityKind}
    for entity in alert.entities:
        if len(by_kind[entity.kind]) < _MAX_OF_A_KIND:
            by_kind[entity.kind].append(entity.value)
    addresses = by_kind[EntityKind.SOURCE_ADDRESS]
    account = WEAK_ACCOUNT if addresses else ACCOUNT
    links = [_link(EntityKind.SOURCE_ADDRESS.value, address) for address in addresses]
    links += [_link(account, host, user) for host in by_kind[EntityKind.HOST] for user in by_kind[EntityKind.USER]]
    matched = _matched_text(alert)
    for kind in (EntityKind.HASH, EntityKind.DOMAIN):
        links += [_link(kind.value, value) for value in by_kind[kind] if value.casefold() in matched]
    return tuple(links)


def met_by(link: str) -> tuple[str, ...]:
    """The links which `link` of an alert meets in an incident, strong ones first."""
    kind, _, rest = link.partition(_SEPARATOR)
    if kind == ACCOUNT:
        return link, _link(WEAK_ACCOUNT, rest)
    if kind == WEAK_ACCOUNT:
        return (_link(ACCOUNT, rest),)
    return (link,)


def is_strong(link: str, met: str) -> bool:
    """Whether meeting `met` by `link` is enough to make two incidents one."""
    return WEAK_ACCOUNT not in {link.partition(_SEPARATOR)[0], met.partition(_SEPARATOR)[0]}


def wanted_links(alerts: Sequence[Alert]) -> tuple[str, ...]:
    """All that `group` needs to know of for these alerts: ask the store for open incidents with any of these."""
    return tuple(dict.fromkeys(met for alert in alerts for link in links_of(alert) for met in met_by(link)))


def said(link: str) -> str:
    """`source address 203.0.113.9`: for a sentence, escaped."""
    kind, *values = link.split(_SEPARATOR)
    return f"{_SAID.get(kind, kind)} {show(', '.join(values), 120)}"


def _link(*parts: str) -> str:
    return _SEPARATOR.join(parts)


def _matched_text(alert: Alert) -> str:
    return "\n".join(text for example in alert.examples for text in _texts(example.fields.values())).casefold()


def _texts(values: Iterable[Any], depth: int = 0) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple) and depth < _EVIDENCE_DEPTH:
            yield from _texts(value, depth + 1)
