"""What ties alerts together: the few things two alerts can share which say that one hand did both.

| link | of which alerts | meets |
|---|---|---|
| source address | every one that names it | the same |
| session, process | those whose evidence names a sign-in session or a process (and its parent) of one host | the same |
| file | those which name a file or program that no system brings along, on one host | the same |
| file hash, domain | only where it stands in the fields which the rule or indicator matched | the same |
| tool, weak | those whose evidence is the name that a tool gives itself | the same |
| account: host and user | those which name no source address: then the account is the actor's | account, weak account |
| weak account | those which do: the account is the victim's, and half the world may be trying it | account |
| device | those of industrial control (a technique of ATT&CK for ICS) which name one to four destinations | the same |
| machine: the host alone | those which name neither source address nor account | machine, weak machine |
| weak machine | those which name an account and no source address | machine |
| behaviour: rule and log | those of medium severity or less which name a source address | see `incident.swarm` |

A link weighs by how rare it is. A destination, a path or a common program ties nothing: everyone who attacks a
ministry's website names that website. A controller of a plant is no website: what strikes it within a day is one
matter, whichever station it came from, and however often a sensor says so. A weak link meets a strong one, never
another weak one, and merges no two incidents: two addresses which both try `root@web01` stay two, while what root did
on web01 afterwards joins the one that was last at it. A host on which several accounts are at work ties nothing by
itself (`incident.group`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from amagasa.event.entity import EntityKind
from amagasa.incident.alert import Alert
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show

ACCOUNT: Final = "account"
WEAK_ACCOUNT: Final = "account?"
MACHINE: Final = "machine"
WEAK_MACHINE: Final = "machine?"
SESSION: Final = "session"
PROCESS: Final = "process"
FILE: Final = "file"
DEVICE: Final = "device"
TOOL: Final = "tool"
BEHAVIOUR: Final = "behaviour"
PIN: Final = "pin"
_SEPARATOR: Final = "\x1f"
_WEAK: Final = frozenset({WEAK_ACCOUNT, WEAK_MACHINE, TOOL})
# What says of somebody who it is: by these a lead is confirmed (`incident.lead`).
_OF_IDENTITY: Final = frozenset({EntityKind.SOURCE_ADDRESS, EntityKind.HASH, EntityKind.DOMAIN, ACCOUNT, WEAK_ACCOUNT})
# Hosts times users of one alert: a brute force names hundreds of users.
_MAX_OF_A_KIND: Final = 16
# Whoever speaks to more of them goes through a plant rather than at one device.
_MAX_DEVICES: Final = 4
_OF_INDUSTRY: Final = "T08"  # the techniques of ATT&CK for ICS, and none of Enterprise, are T0800 to T0899
_EVIDENCE_DEPTH: Final = 4
_VALUE_CHARACTERS: Final = 512
_SAID: Final = {
    EntityKind.SOURCE_ADDRESS.value: "source address",
    ACCOUNT: "host and user",
    WEAK_ACCOUNT: "host and user",
    MACHINE: "host, where no second account is at work,",
    WEAK_MACHINE: "host, where no second account is at work,",
    SESSION: "sign-in session on host",
    PROCESS: "process or its parent on host",
    FILE: "file on host",
    DEVICE: "device of a plant",
    TOOL: "tool, which names itself",
    EntityKind.HASH.value: "file hash",
    EntityKind.DOMAIN.value: "domain",
}
# Fields by which an event names the session it belongs to, and processes of one tree. What is done to is no actor:
# a target process such as the sign-in process is everybody's.
_SESSION_FIELDS: Final = ("LogonId", "SubjectLogonId", "TargetLogonId", "LogonGuid", "ses")
_PROCESS_FIELDS: Final = ("ProcessGuid", "ParentProcessGuid", "SourceProcessGUID", "SourceProcessGuid")
_TOOL_FIELDS: Final = frozenset({"cs-user-agent", "c-useragent", "user_agent", "user_agent.original"})
# Sessions that every machine has: of the system and of its services; and what stands for none.
_NO_SESSION: Final = frozenset({"0x0", "0x3e7", "0x3e4", "0x3e5", "-", "", "0", "4294967295", "unset"})
_NO_GUID: Final = "00000000-0000-0000-0000-000000000000"
_COMMON_PLACES: Final = (
    "c:\\windows\\system32\\",
    "c:\\windows\\syswow64\\",
    "c:\\windows\\winsxs\\",
    "c:\\windows\\microsoft.net\\",
    "c:\\windows\\explorer.exe",
    "c:\\windows\\sysmon",
    "c:\\program files",
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib",
    "/etc/",
    "/dev/",
    "/proc/",
)


def links_of(alert: Alert) -> tuple[str, ...]:
    """`kind` and values, joined by U+001F: what an incident with this alert can be found by. At most about 600."""
    by_kind: dict[EntityKind, list[str]] = {kind: [] for kind in EntityKind}
    for entity in alert.entities:
        if len(by_kind[entity.kind]) < _MAX_OF_A_KIND:
            by_kind[entity.kind].append(entity.value)
    addresses, hosts, users = (by_kind[kind] for kind in (EntityKind.SOURCE_ADDRESS, EntityKind.HOST, EntityKind.USER))
    links = [_link(EntityKind.SOURCE_ADDRESS.value, address) for address in addresses]
    links += [_link(WEAK_ACCOUNT if addresses else ACCOUNT, host, user) for host in hosts for user in users]
    if not addresses:
        links += [_link(WEAK_MACHINE if users else MACHINE, host) for host in hosts]
    matched = _matched_text(alert)
    for kind in (EntityKind.HASH, EntityKind.DOMAIN):
        links += [_link(kind.value, value) for value in by_kind[kind] if value.casefold() in matched]
    links += _evidence_links(alert, hosts)
    links += [_link(DEVICE, device) for device in devices_of(alert)]
    links += _file_links(hosts, (*by_kind[EntityKind.FILE], *by_kind[EntityKind.PROCESS]))
    if addresses and alert.severity <= Severity.MEDIUM:
        links.append(_link(BEHAVIOUR, alert.source, alert.content_id))
    links.append(pin_of(alert.key))
    return tuple(dict.fromkeys(link for link in links if len(link) <= _VALUE_CHARACTERS))


def devices_of(alert: Alert) -> tuple[str, ...]:
    """The devices of a plant that an alert of industrial control is about, and the stations that asked them.

    None where it names many. A plant has few stations: what one of them does within a day is one thing to work on.
    """
    if not any(technique.startswith(_OF_INDUSTRY) for technique in alert.techniques):
        return ()
    kinds = (EntityKind.DESTINATION_ADDRESS, EntityKind.SOURCE_ADDRESS)
    found = [entity.value for kind in kinds for entity in alert.entities if entity.kind is kind]
    return tuple(found) if len(found) <= _MAX_DEVICES else ()


def device_links(alerts: Iterable[Alert]) -> tuple[str, ...]:
    """Those of `wanted_links` by which incidents of the whole day before are met."""
    return tuple(dict.fromkeys(_link(DEVICE, device) for alert in alerts for device in devices_of(alert)))


def identity_links(alert: Alert) -> tuple[str, ...]:
    """Those of them by which two alerts name the same source address, account, file or domain."""
    return tuple(link for link in links_of(alert) if kind_of(link) in _OF_IDENTITY)


def pin_of(key: str) -> str:
    """The link by which alerts of this fold key follow what a person decided (`incident.reshape`)."""
    return _link(PIN, key)


def kind_of(link: str) -> str:
    """Its kind."""
    return link.partition(_SEPARATOR)[0]


def values_of(link: str) -> tuple[str, ...]:
    """Its values."""
    return tuple(link.split(_SEPARATOR)[1:])


def kept_links(alert: Alert) -> tuple[str, ...]:
    """What an incident keeps of them: pins come from people alone."""
    return tuple(link for link in links_of(alert) if kind_of(link) != PIN)


def met_by(link: str) -> tuple[str, ...]:
    """The links which `link` of an alert meets in an incident, strong ones first."""
    kind, _, rest = link.partition(_SEPARATOR)
    match kind:
        case "account":
            return link, _link(WEAK_ACCOUNT, rest)
        case "account?":
            return (_link(ACCOUNT, rest),)
        case "machine":
            return link, _link(WEAK_MACHINE, rest)
        case "machine?":
            return (_link(MACHINE, rest),)
    return (link,)


def is_strong(link: str, met: str) -> bool:
    """Whether meeting `met` by `link` is enough to make two incidents one."""
    return _WEAK.isdisjoint((kind_of(link), kind_of(met)))


def wanted_links(alerts: Sequence[Alert]) -> tuple[str, ...]:
    """All that `group` needs to know of for these alerts: ask the store for open incidents with any of these."""
    return tuple(dict.fromkeys(met for alert in alerts for link in links_of(alert) for met in met_by(link)))


def said(link: str) -> str:
    """`source address 203.0.113.9`: for a sentence, escaped."""
    kind, *values = link.split(_SEPARATOR)
    return f"{_SAID.get(kind, kind)} {show(', '.join(values), 120)}"


def _link(*parts: str) -> str:
    return _SEPARATOR.join(parts)


def _evidence_links(alert: Alert, hosts: Sequence[str]) -> Iterator[str]:
    """Sessions and processes of the hosts, and tools, as the examples name them."""
    for example in alert.examples:
        if hosts:
            sessions = _values(example.event, _SESSION_FIELDS)
            yield from (_link(SESSION, hosts[0], one) for one in sessions if one not in _NO_SESSION)
            processes = (one.strip("{}") for one in _values(example.event, _PROCESS_FIELDS))
            yield from (_link(PROCESS, hosts[0], one) for one in processes if one and one != _NO_GUID)
        named = [value for name, value in example.fields.items() if name.lower() in _TOOL_FIELDS]
        yield from (_link(TOOL, text) for text in _texts(named) if text.strip("- "))


def _values(event: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        value = event.get(name)
        if isinstance(value, str):
            yield value.strip().lower()


def _file_links(hosts: Sequence[str], paths: Iterable[str]) -> Iterator[str]:
    """Files and programs that no system brings along."""
    for path in paths:
        low = path.lower()
        if hosts and ("\\" in low or low.startswith("/")) and not low.startswith(_COMMON_PLACES):
            yield _link(FILE, hosts[0], low)


def _matched_text(alert: Alert) -> str:
    return "\n".join(text for example in alert.examples for text in _texts(example.fields.values())).casefold()


def _texts(values: Iterable[Any], depth: int = 0) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple) and depth < _EVIDENCE_DEPTH:
            yield from _texts(value, depth + 1)
