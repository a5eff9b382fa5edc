"""Who may do what over the API: every address, every role."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.browser import seed
from tests.browser.seed import NOW
from tests.entry.console import PASSWORD, Desktop

from amagasa.app.accounts import offer_link
from amagasa.app.permissions import Role

EVERY: Final = frozenset(Role)
TRIAGE: Final = frozenset({Role.WATCH_OFFICER, Role.ANALYST})
WRITE: Final = frozenset({Role.ANALYST})
RELEASE: Final = frozenset({Role.RELEASE_OFFICER})
ADMINISTER: Final = frozenset({Role.ADMINISTRATOR})
INCIDENT: Final = f"/api/incidents/{seed.incident_id('web')}"

# (method, address, body): the roles which are let in.
SIGNED_IN: Final[dict[tuple[str, str], tuple[Any, frozenset[Role]]]] = {
    ("GET", "/api/me"): (None, EVERY),
    ("POST", "/api/me/password"): ({"old": PASSWORD, "new": "another long password"}, EVERY),
    ("POST", "/api/me/language"): ({"lang": "ja"}, EVERY),
    ("GET", "/api/status"): (None, EVERY),
    ("GET", "/api/alerts"): (None, EVERY),
    ("GET", "/api/leads"): (None, EVERY),
    ("GET", "/api/findings"): (None, EVERY),
    ("GET", "/api/alerts/{alert_id}/findings"): (None, EVERY),
    ("GET", "/api/incidents/{incident_id}/findings"): (None, EVERY),
    ("GET", "/api/alerts/{alert_id}"): (None, EVERY),
    ("GET", "/api/incidents"): (None, EVERY),
    ("GET", "/api/incidents/{incident_id}"): (None, EVERY),
    ("POST", "/api/incidents/{incident_id}/close"): ({"why": "x"}, TRIAGE),
    ("POST", "/api/incidents/{incident_id}/reopen"): ({}, TRIAGE),
    ("POST", "/api/incidents/{incident_id}/deeds"): ({"kind": "note", "text": "x"}, TRIAGE),
    ("GET", "/api/queue"): (None, EVERY),
    ("POST", "/api/queue/budget"): ({"n_per_shift": 5}, TRIAGE),
    ("GET", "/api/handovers"): (None, EVERY),
    ("POST", "/api/handovers"): ({"note": "x"}, TRIAGE),
    ("POST", "/api/handovers/{number}/taken"): ({}, TRIAGE),
    ("GET", "/api/incidents/{incident_id}/lines"): (None, EVERY),
    ("GET", "/api/campaigns"): (None, EVERY),
    ("GET", "/api/campaigns/{campaign_id}"): (None, EVERY),
    ("GET", "/api/campaigns/{campaign_id}/export"): (None, EVERY),
    ("GET", "/api/agreements/{agreement_id}/export"): (None, EVERY),
    ("GET", "/api/incidents/{incident_id}/export"): (None, EVERY),
    ("GET", "/api/content/export"): (None, EVERY),
    ("GET", "/api/records"): (None, EVERY),
    ("GET", "/api/records/{agreement}/leaves"): (None, EVERY),
    ("GET", "/api/records/{agreement}/leaves/{number}"): (None, EVERY),
    ("POST", "/api/records/{agreement}/heads"): ({}, EVERY),
    ("POST", "/api/records/{agreement}/check"): ({}, EVERY),
    ("GET", "/api/records/{agreement}/export"): (None, EVERY),
    ("GET", "/api/allies/{ally_id}"): (None, EVERY),
    ("POST", "/api/courier/look"): ({"content": "eA=="}, RELEASE),
    ("POST", "/api/courier/parts"): ({"ally": "x"}, RELEASE),
    ("POST", "/api/courier/read"): ({"content": "eA=="}, RELEASE),
    ("GET", "/api/attack"): (None, EVERY),
    ("GET", "/api/mission"): (None, EVERY),
    ("PUT", "/api/mission"): ({"texts": [{"path": "m.toml", "content": 'mission = ["m"]'}]}, WRITE),
    ("POST", "/api/mission/check"): ({"texts": [{"path": "m.toml", "content": ""}]}, EVERY),
    ("POST", "/api/mission/undo"): ({}, WRITE),
    ("GET", "/api/mission/impact"): (None, EVERY),
    ("GET", "/api/mission/graph"): (None, EVERY),
    ("GET", "/api/mission/hurts"): (None, EVERY),
    ("POST", "/api/mission/what-if"): ({"settings": {}}, EVERY),
    ("GET", "/api/rejects"): (None, EVERY),
    ("GET", "/api/sources/{name}/rejects"): (None, EVERY),
    ("POST", "/api/sources/{name}/replay"): ({}, ADMINISTER),
    ("GET", "/api/plant"): (None, EVERY),
    ("POST", "/api/plant/state"): ({"state": "learning"}, WRITE),
    ("GET", "/api/rules"): (None, EVERY),
    ("GET", "/api/hunts"): (None, TRIAGE),
    ("GET", "/api/content/{content_id}/past"): (None, EVERY),
    ("POST", "/api/hunts"): ({"query": "x"}, TRIAGE),
    ("GET", "/api/hunts/{hunt_id}"): (None, TRIAGE),
    ("POST", "/api/hunts/{hunt_id}/cancel"): ({}, TRIAGE),
    ("POST", "/api/links"): ({}, ADMINISTER),
    ("GET", "/api/allies"): (None, EVERY),
    ("POST", "/api/allies/consultations"): ({"object_id": "x", "answer": "seen"}, TRIAGE),
    ("GET", "/api/crossings"): (None, EVERY),
    ("GET", "/api/crossings/{crossing_id}"): (None, EVERY),
    ("POST", "/api/crossings/{crossing_id}/decision"): ({"approve": False}, RELEASE),
    ("POST", "/api/crossings/{crossing_id}/edit"): ({"strip": ["nowhere"]}, RELEASE),
    ("POST", "/api/retractions"): ({"object_id": "x"}, RELEASE),
    ("POST", "/api/preview"): ({"objects": []}, EVERY),
    ("POST", "/api/exports"): ({"what": "content"}, EVERY),
    ("GET", "/api/agreements"): (None, EVERY),
    ("POST", "/api/agreements/drafts"): ({"text": "x"}, EVERY),
    ("GET", "/api/content"): (None, EVERY),
    ("GET", "/api/content/{content_id}"): (None, EVERY),
    ("POST", "/api/content/rules"): ({"text": seed.RULE, "share": True}, WRITE),
    ("POST", "/api/content/rules/many"): ({"texts": [seed.RULE]}, WRITE),
    ("POST", "/api/content/removals"): ({"ids": ["x"]}, WRITE),
    ("POST", "/api/content/addresses"): ({"address": "203.0.113.9"}, WRITE),
    ("POST", "/api/content/files"): ({"file": "0123456789abcdef/bad.txt"}, WRITE),
    ("DELETE", "/api/content/{content_id}"): (None, WRITE),
    ("POST", "/api/content/{content_id}/lift"): ({}, WRITE),
    ("GET", "/api/accounts"): (None, ADMINISTER),
    ("POST", "/api/accounts"): ({"name": "x", "password": PASSWORD, "roles": ["auditor"]}, ADMINISTER),
    ("POST", "/api/accounts/{name}"): ({"is_enabled": True}, ADMINISTER),
    ("GET", "/metrics"): (None, EVERY),
    ("GET", "/api/openapi.json"): (None, EVERY),
}
FIRST_STEPS: Final = {("GET", "/api/me"), ("POST", "/api/accounts/first")}
PUBLIC: Final = {
    ("POST", "/api/session"),
    ("GET", "/api/session"),
    ("DELETE", "/api/session"),
    ("POST", "/api/session/link"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
}
UNDESCRIBED: Final = {("GET", "/metrics"), ("GET", "/api/openapi.json"), ("GET", "/healthz"), ("GET", "/readyz")}


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    made = Desktop(tmp_path)
    seed.fill(made.store)
    yield made
    made.close()


def address(desktop: Desktop, path: str) -> str:
    with desktop.store.read() as reading:
        wanting = next(one for one in reading.crossings(seed.PAGE)[0] if one.clause == "incidents")
        alert = reading.alerts(seed.PAGE)[0][0]
        content = reading.content()[0]
    known = {
        "alert_id": alert.id,
        "incident_id": seed.incident_id("web"),
        "crossing_id": str(wanting.id),
        "content_id": content.id,
        "name": "auditor",
        "campaign_id": "campaign--none",
        "agreement_id": "agreement--none",
        "number": "1",
        "agreement": seed.agreement().id,
        "ally_id": seed.STATES.id,
        "hunt_id": "none",
    }
    return path.format(**known)


def test_every_address_is_in_the_table(desktop: Desktop) -> None:
    paths = desktop.app.openapi_schema.to_schema()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == (set(SIGNED_IN) | FIRST_STEPS | PUBLIC) - UNDESCRIBED


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
def test_address_lets_in_its_roles_only(desktop: Desktop, method: str, path: str) -> None:
    body, allowed = SIGNED_IN[method, path]
    desktop.session(Role.AUDITOR)
    let = set()
    for role in Role:
        answer = desktop.ask(method, address(desktop, path), token=desktop.session(role), body=body)
        if answer.status_code == 403:
            assert answer.json()["code"] == "AMG-DENIED"
        else:
            assert answer.status_code < 500
            let.add(role)
        if method == "DELETE" and answer.is_success:
            seed.fill_content(desktop.store)
    assert let == allowed


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
def test_address_lets_in_nobody_without_a_session(desktop: Desktop, method: str, path: str) -> None:
    for token in ("", "made up"):
        answer = desktop.ask(method, address(desktop, path), token=token, body=SIGNED_IN[method, path][0])
        assert answer.status_code == 401
        assert answer.json()["code"] == "AMG-SIGNIN-NEEDED"


def test_first_steps_reach_nothing_but_the_first_account(desktop: Desktop) -> None:
    offer_link(desktop.store, "link", now=NOW)
    steps = desktop.ask("POST", "/api/session/link", body={"token": "link"}).cookies[desktop.cookie]
    for (method, path), (body, _) in SIGNED_IN.items():
        if (method, path) in FIRST_STEPS:
            continue
        answer = desktop.ask(method, address(desktop, path), token=steps, body=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "AMG-ACCOUNT-FIRST-NEEDED")
