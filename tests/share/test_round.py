"""From an alert here to knowledge there, under the first draft: all that leaves is sound, and admitted."""

import json

import pytest
import stix2

from amagasa.intel.stix import parse_object
from amagasa.share.admit import admit
from amagasa.share.agreement import Party
from amagasa.share.describe import RuleText, describe_address, describe_alert, describe_incident, describe_rule
from amagasa.share.release import companions, release
from amagasa.share.terms import Role
from amagasa.share.verdict import Released, Wanting
from amagasa.vocab.tlp import Tlp
from tests.intel.oracle import strict_faults
from tests.share.cards import drafted, japan, states
from tests.share.samples import INDICATOR_ID, NOW, SECRET
from tests.share.test_describe import alert, incident

WE = japan().as_party(Role.SUPPORTED)
THEY = states().as_party(Role.SUPPORTING)


def all_that_leaves(giver: Party, taker: Party, marking: Tlp) -> list[Released]:
    rule = RuleText(id="r1", title="Rule", text="title: Rule", created_at=NOW, techniques=("T1190",))
    objects = (
        *describe_alert(alert(), party=giver, marking=marking, now=NOW),
        *describe_alert(alert(entities=()), party=giver, marking=marking, now=NOW),
        *describe_alert(alert(origin=taker.id), party=giver, marking=marking, now=NOW, seen_indicator=INDICATOR_ID),
        *describe_incident(incident(), party=giver, marking=marking, now=NOW),
        describe_rule(rule, party=giver, marking=marking, now=NOW),
        describe_address("198.51.100.4", party=giver, marking=marking, now=NOW),
    )
    unique = {obj["id"]: obj for obj in objects}
    answers = [release(obj, taker, drafted(), now=NOW, secret=SECRET) for obj in unique.values()]
    left = [answer.released if isinstance(answer, Wanting) else answer for answer in answers]
    assert all(isinstance(one, Released) for one in left)
    return [one for one in left if isinstance(one, Released)]


@pytest.mark.parametrize("marking", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER])
@pytest.mark.parametrize(("giver", "taker"), [(WE, THEY), (THEY, WE)], ids=["out", "back"])
def test_all_that_leaves_is_strict_stix_and_admitted_there(giver: Party, taker: Party, marking: Tlp) -> None:
    left = all_that_leaves(giver, taker, marking)
    sent = [*companions(left, giver), *left]
    objects = [json.loads(one.content) for one in sent]
    for obj in objects:
        stix2.parse(obj)
    assert strict_faults(objects) == []
    came = [parse_object(one.content) for one in sent]
    admission = admit(came, giver, drafted(), now=NOW)
    assert admission.refused == ()
    assert {one.object["id"] for one in admission.admitted if one.is_active} == {
        obj["id"] for obj in objects if obj["type"] == "indicator"
    }
