"""Leads: what one list says of somebody and nothing else yet. An alert in all but this, that nobody is woken for it.

A lead is raised, which makes it an alert like others, when an alert that stands (a rule's, a report's, that of several
lists) names the same source address, account, file or domain within `CORROBORATION`, before or after it. What is
known to be harmless (`Standing.GUARDED`) is never raised so: a rule which fires for a crawler makes its own alert,
and the list adds nothing to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final

from amagasa.detect.report import Detection, Standing
from amagasa.incident.alert import Alert
from amagasa.incident.links import identity_links, is_strong, met_by

CORROBORATION: Final = timedelta(hours=4)


def stands(detection: Detection) -> bool:
    """Whether it may make an alert by itself."""
    return detection.standing is Standing.FULL


def is_guarded(lead: Alert) -> bool:
    """Whether all that is kept of it speaks of what is known to be harmless."""
    return all(example.standing is Standing.GUARDED for example in lead.examples)


def confirmed(leads: Sequence[Alert], spoken: AbstractSet[str]) -> tuple[list[Alert], list[Alert]]:
    """Those which one of these links raises, and the others. `spoken` are links of alerts that stand."""
    raised = [lead for lead in leads if not is_guarded(lead) and not spoken.isdisjoint(asked_by([lead]))]
    kept = [lead for lead in leads if lead not in raised]
    return raised, kept


def asked_by(leads: Iterable[Alert]) -> tuple[str, ...]:
    """Links of alerts that stand which would raise one of these."""
    links = (link for lead in leads for link in identity_links(lead))
    return tuple(dict.fromkeys(met for link in links for met in met_by(link) if is_strong(link, met)))


def raised_by(alerts: Iterable[Alert]) -> tuple[str, ...]:
    """Links of leads which these alerts, that stand, would raise."""
    links = (link for alert in alerts for link in identity_links(alert) if is_strong(link, link))
    return tuple(dict.fromkeys(links))


def spoken_by(alerts: Iterable[Alert]) -> Mapping[str, datetime]:
    """The links of alerts that stand, with the latest instant of each."""
    spoken: dict[str, datetime] = {}
    for alert in alerts:
        for link in identity_links(alert):
            spoken[link] = max(alert.last_seen_at, spoken.get(link, alert.last_seen_at))
    return spoken
