"""What a rule's log source is fed by: the kinds of records we read, under the names people know them by.

The inverse of routing: not "which rules look at this event" but "which events does this log source get", and which
fields these can have. Field lists are closed where the record's producer has a fixed schema (Sysmon, audit of process
creation, PowerShell, access logs): a rule for a field outside of it never sees a value.
"""

from functools import lru_cache
from typing import Final

from msgspec import Struct

from amagasa.event.access import WEBSERVER
from amagasa.event.audit_event import FIELDS as AUDIT_FIELDS
from amagasa.event.audit_event import ROUTES as AUDIT_EVENTS
from amagasa.event.feed_fields import ACCESS, HASHES, HEADER, KNOWN, POWERSHELL, SECURITY, SYSLOG, SYSMON
from amagasa.event.products import JSON, product_routes
from amagasa.event.record import LogSource, Route
from amagasa.event.route import LINUX_SYSMON, applies, channels, kinds, route_of
from amagasa.event.route import SYSMON as SYSMON_CHANNEL
from amagasa.event.syslog import syslog_routes

_PRODUCTS: Final = {
    "aws": "AWS CloudTrail",
    "azure": "Azure",
    "bitbucket": "Bitbucket",
    "cisco": "Cisco syslog",
    "cef": "CEF",
    "checkpoint": "Check Point",
    "fortigate": "FortiGate",
    "gcp": "Google Cloud",
    "github": "GitHub",
    "haproxy": "HAProxy",
    "kubernetes": "Kubernetes",
    "leef": "LEEF",
    "linux": "Linux",
    "m365": "Microsoft 365",
    "okta": "Okta",
    "onelogin": "OneLogin",
    "opencanary": "OpenCanary",
    "paloalto": "Palo Alto",
    "pfsense": "pfSense",
    "ot": "industrial protocols",
    "squid": "Squid",
    "suricata": "Suricata",
    "w3c": "W3C logs (IIS, proxies)",
    "zeek": "Zeek",
}


class Feed(Struct, frozen=True, kw_only=True):
    """Records of one kind. `group` and `member` make its name: "Sysmon" and "1"; member "" where it has none.

    `fields` are those it is known to have; with `is_closed` it can have no others. `is_case_blind`: fields are found
    in whatever case a rule writes them.
    """

    group: str
    member: str
    route: Route
    fields: frozenset[str] = frozenset()
    is_closed: bool = False
    is_case_blind: bool = False

    @property
    def name(self) -> str:
        """As people say it: "Sysmon 1"."""
        return f"{self.group} {self.member}".strip()


def feeds_of(source: LogSource) -> tuple[Feed, ...]:
    """The feeds of a rule's log source; () where nothing we read is of that kind."""
    return tuple(feed for feed in feeds() if applies(source, feed.route))


def names_of(found: tuple[Feed, ...]) -> str:
    """The feeds in words: "Sysmon 12, 13, 14; Security 4657"."""
    groups: dict[str, list[str]] = {}
    for feed in found:
        members = groups.setdefault(feed.group, [])
        if feed.member and feed.member not in members:
            members.append(feed.member)
    whole = {feed.group for feed in found if not feed.member}
    return "; ".join(group if group in whole else f"{group} {', '.join(members)}" for group, members in groups.items())


@lru_cache(maxsize=1)
def feeds() -> tuple[Feed, ...]:
    """Every kind of record that we read."""
    return (*_windows(), *_channels(), *_linux_sysmon(), *_others())


@lru_cache(maxsize=1)
def known_sources() -> frozenset[LogSource]:
    """Every log source that some feed satisfies."""
    return frozenset(source for feed in feeds() for source in feed.route.sources)


def _windows() -> list[Feed]:
    found = []
    for channel, number in kinds():
        is_sysmon = channel == SYSMON_CHANNEL
        fields = SYSMON.get(number) if is_sysmon else SECURITY.get(number) or POWERSHELL.get(number)
        found.append(
            Feed(
                group=_group(channel),
                member=str(number),
                route=route_of(channel, number),
                fields=frozenset((*(fields or ()), *HEADER, *(HASHES if is_sysmon else ()))),
                is_closed=fields is not None,
            )
        )
    return found


def _channels() -> list[Feed]:
    return [
        Feed(
            group=_group(channel),
            member="",
            route=route_of(channel, None),
            fields=frozenset((*HEADER, *KNOWN.get(channel, ()))),
        )
        for channel in sorted(channels())
    ]


def _group(channel: str) -> str:
    return channel.removeprefix("Microsoft-Windows-").removesuffix("/Operational")


def _linux_sysmon() -> list[Feed]:
    return [
        Feed(
            group="Sysmon for Linux",
            member=str(number),
            route=route_of(LINUX_SYSMON, number),
            fields=frozenset((*fields, *HEADER, *HASHES)),
            is_closed=True,
        )
        for number, fields in SYSMON.items()
        if number in _LINUX_KINDS
    ]


# What Sysmon for Linux 1.3 writes.
_LINUX_KINDS: Final = frozenset({1, 3, 4, 5, 9, 11, 16, 23})


def _others() -> list[Feed]:
    access = Feed(
        group="access logs of web servers",
        member="",
        route=WEBSERVER,
        fields=frozenset(ACCESS),
        is_closed=True,
        is_case_blind=True,
    )
    syslog = [_plain(route, fields=AUDIT_FIELDS if route in AUDIT_EVENTS else SYSLOG) for route in syslog_routes()]
    return [access, *syslog, *map(_plain, product_routes()), _plain(JSON)]


def _plain(route: Route, *, fields: tuple[str, ...] = ()) -> Feed:
    product, _, service = route.name.partition("/")
    group = "other JSON lines" if route is JSON else _PRODUCTS.get(product, product)
    return Feed(group=group, member=service, route=route, fields=frozenset(fields), is_case_blind=True)
