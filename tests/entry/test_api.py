"""The door for people, asked in this process on a real store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.browser import seed
from tests.browser.seed import HOSTILE, NOW
from tests.contracts.store_samples import alert, detection
from tests.entry.console import BASE, PASSWORD, Desktop

from amagasa.app.accounts import offer_link
from amagasa.app.pages import Page
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import CrossingState, Direction
from amagasa.detect.report import Standing
from amagasa.entry.people.api import BODY_BYTES
from amagasa.entry.people.security import CONTENT_POLICY
from amagasa.entry.people.static_files import assets_of
from amagasa.vocab.errors import WorldError

ALL = tuple(Role)
RULE = """title: Probe of the status page
id: 7c1f5d5e-98c5-4d3e-8a63-0b3a5b1d9f10
logsource:
  category: webserver
detection:
  selection:
    cs-uri-stem: /server-status
  condition: selection
level: medium
tags: [attack.t1595.002]
"""


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    made = Desktop(tmp_path)
    yield made
    made.close()


@pytest.fixture
def seeded(desktop: Desktop) -> Desktop:
    seed.fill(desktop.store)
    return desktop


def refusal(answer: Any) -> dict[str, str]:
    told = answer.json()
    assert set(told) == {"code", "what", "expected", "got", "then"}
    assert told["code"].startswith("AMG-")
    assert "Traceback" not in answer.text
    return dict(told)


# People


def test_first_visit_by_link_creates_an_account_and_signs_in(desktop: Desktop) -> None:
    offer_link(desktop.store, "token", now=NOW)
    followed = desktop.ask("POST", "/api/session/link", body={"token": "token"})
    assert followed.status_code == 200
    assert followed.json()["is_first"] is True
    steps = followed.cookies[desktop.cookie]
    assert desktop.ask("GET", "/api/alerts", token=steps).status_code == 403
    account = {"name": "Sato", "password": PASSWORD, "roles": ["administrator"], "lang": "ja"}
    created = desktop.ask("POST", "/api/accounts/first", token=steps, body=account)
    assert created.status_code == 201
    session = created.cookies[desktop.cookie]
    assert desktop.ask("GET", "/api/alerts", token=session).status_code == 200
    assert desktop.ask("GET", "/api/me", token=steps).status_code == 401
    assert desktop.ask("GET", "/api/me", token=session).json()["name"] == "sato"


def test_session_cookie_is_out_of_reach_of_scripts_and_sites(desktop: Desktop) -> None:
    desktop.session(Role.ANALYST, name="sato")
    answer = desktop.ask("POST", "/api/session", body={"name": "sato", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie


def test_session_cookie_under_tls_is_secure(tmp_path: Path) -> None:
    desktop = Desktop(tmp_path, is_tls=True)
    desktop.session(Role.ANALYST, name="sato")
    answer = desktop.ask("POST", "/api/session", body={"name": "sato", "password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-amagasa_")
    assert "Secure" in answer.headers["set-cookie"]
    desktop.close()


def test_sign_out_ends_the_session(desktop: Desktop) -> None:
    token = desktop.session(Role.ANALYST)
    assert desktop.ask("DELETE", "/api/session", token=token).status_code == 204
    assert desktop.ask("GET", "/api/me", token=token).status_code == 401


def test_sign_in_too_often_says_when_to_come_back(desktop: Desktop) -> None:
    for _ in range(5):
        answer = desktop.ask("POST", "/api/session", body={"name": "sato", "password": "wrong"})
        assert answer.status_code == 401
    answer = desktop.ask("POST", "/api/session", body={"name": "sato", "password": "wrong"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "300"
    assert refusal(answer)["code"] == "AMG-SIGNIN-THROTTLED"


def test_accounts_are_told_without_their_secrets(desktop: Desktop) -> None:
    token = desktop.session(*ALL)
    added = {"name": "tanaka", "password": PASSWORD, "roles": ["auditor"]}
    assert desktop.ask("POST", "/api/accounts", token=token, body=added).status_code == 201
    answer = desktop.ask("GET", "/api/accounts", token=token)
    assert "secret" not in answer.text
    assert [one["name"] for one in answer.json()][-1] == "tanaka"
    changed = desktop.ask("POST", "/api/accounts/tanaka", token=token, body={"is_enabled": False})
    assert changed.json()["is_enabled"] is False
    assert changed.json()["roles"] == ["auditor"]


def test_leads_are_told_beside_the_queue_and_not_in_it(desktop: Desktop) -> None:
    heard = replace(detection(), rule_id=None, indicator_id="indicator--l", standing=Standing.ALONE)
    with desktop.store.write() as tx:
        tx.leads.save([alert(1, is_indicator=True, title="198.51.100.7, on the list a", examples=(heard,))])
    token = desktop.session(Role.AUDITOR)
    told = desktop.ask("GET", "/api/leads", token=token).json()
    assert ([one["title"] for one in told["alerts"]], told["n_all"]) == (["198.51.100.7, on the list a"], 1)
    assert desktop.ask("GET", "/api/alerts", token=token).json()["n_all"] == 0


def test_alerts_and_incidents_are_found_by_words_and_technique(seeded: Desktop) -> None:
    token = seeded.session(Role.AUDITOR)

    def titles(path: str, key: str) -> list[str]:
        return [one["title"] for one in seeded.ask("GET", path, token=token).json()[key]]

    found = titles("/api/alerts?q=lsass", "alerts")
    assert found
    assert all("LSASS" in title for title in found)
    told = seeded.ask("GET", "/api/alerts?technique=t1003&limit=1", token=token).json()
    assert told["n_all"] == len(titles("/api/alerts?technique=T1003", "alerts")) > 0
    assert titles("/api/alerts?q=nobody-has-this", "alerts") == []
    assert titles("/api/incidents?q=203.0.113.77", "incidents")
    assert titles("/api/incidents?q=%20%22%20", "incidents") == []


# Errors


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/api/alerts", 405),
        ("GET", "/api/alerts/none", 404),
        ("GET", "/api/incidents/none", 404),
        ("GET", "/api/crossings/77", 404),
        ("GET", "/api/crossings/x", 404),
        ("GET", "/api/content/none", 404),
        ("DELETE", "/api/content/none", 404),
        ("GET", "/api/alerts?limit=0", 422),
        ("GET", "/api/alerts?limit=501", 422),
        ("GET", "/api/alerts?limit=x", 422),
        ("GET", "/api/alerts?before=junk", 422),
        ("GET", "/api/alerts?q=" + "x" * 201, 422),
        ("GET", "/api/alerts?q=x&before=junk", 422),
        ("GET", "/api/alerts?technique=" + "T" * 21, 422),
        ("GET", "/api/incidents?status=half", 422),
        ("GET", "/api/crossings?direction=up", 422),
        ("GET", "/api/crossings?state=x", 422),
    ],
)
def test_bad_address_is_refused_in_one_shape(desktop: Desktop, method: str, path: str, status: int) -> None:
    answer = desktop.ask(method, path, token=desktop.session(*ALL))
    assert answer.status_code == status
    refusal(answer)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'"x"', b'{"name": 1}', b'{"name":"a"}', b"\xff\xfe", b'{"name":"a","x":1}'),
        *(b"[" * 100_000, b'{"name":' * 20_000),
    ],
)
def test_bad_body_is_refused_in_one_shape(desktop: Desktop, body: bytes) -> None:
    answer = desktop.ask("POST", "/api/session", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    refusal(answer)


def test_body_over_the_limit_is_refused(desktop: Desktop) -> None:
    body = b'{"name":"' + b"x" * BODY_BYTES + b'"}'
    answer = desktop.ask("POST", "/api/session", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert refusal(answer)["code"] == "AMG-API-SIZE"


@given(st.binary(max_size=200))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_body_of_any_bytes_never_breaks_the_node(desktop: Desktop, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/api/session/link", "/api/content/rules"):
        answer = desktop.ask("POST", path, token=desktop.session(*ALL), content=body, headers=headers)
        assert answer.status_code < 500


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"{BASE}.evil.example", BASE.replace("http", "https"), ""]
)
def test_change_asked_by_another_site_is_refused(desktop: Desktop, origin: str) -> None:
    token = desktop.session(*ALL)
    for method, path in (("DELETE", "/api/session"), ("POST", "/api/content/rules")):
        answer = desktop.ask(method, path, token=token, headers={"Origin": origin}, body={"text": RULE})
        assert answer.status_code == 403
        assert refusal(answer)["code"] == "AMG-ORIGIN"
    assert desktop.ask("GET", "/api/me", token=token).status_code == 200


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_change_sent_as_a_form_is_refused(desktop: Desktop, media: str) -> None:
    answer = desktop.ask("POST", "/api/session", content=b"{}", headers={"Content-Type": media})
    assert answer.status_code == 422
    assert refusal(answer)["code"] == "AMG-API-TYPE"


def test_world_that_fails_is_told_as_such(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    token = desktop.session(*ALL)

    def broken(*_: object) -> None:
        raise WorldError("AMG-STORE-FULL", "the disk is full")

    monkeypatch.setattr("amagasa.app.queries.Queries.content", broken)
    answer = desktop.ask("GET", "/api/content", token=token)
    assert answer.status_code == 503
    assert refusal(answer)["code"] == "AMG-STORE-FULL"


def test_mistake_of_ours_is_told_by_its_code_alone(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    token = desktop.session(*ALL)

    def broken(*_: object) -> None:
        secret = "a secret in a local variable"
        raise ValueError(secret)

    monkeypatch.setattr("amagasa.app.queries.Queries.content", broken)
    answer = desktop.ask("GET", "/api/content", token=token)
    assert answer.status_code == 500
    assert refusal(answer)["code"] == "AMG-INTERNAL"
    assert "secret" not in answer.text


# Headers, health, files


@pytest.mark.parametrize("path", ["/", "/api/me", "/api/nothing", "/healthz", "/api/openapi.json", "/%00"])
def test_answer_carries_the_security_headers(desktop: Desktop, path: str) -> None:
    headers = desktop.ask("GET", path).headers
    assert headers["content-security-policy"] == CONTENT_POLICY
    assert "unsafe" not in CONTENT_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    if path.startswith("/api"):
        assert headers["cache-control"] == "no-store"


def test_health_says_nothing_but_ok(desktop: Desktop) -> None:
    assert desktop.ask("GET", "/healthz").json() == {"status": "ok"}
    assert desktop.ask("GET", "/readyz").json() == {"status": "ok"}


def test_readiness_of_a_node_that_is_not_says_so(tmp_path: Path) -> None:
    desktop = Desktop(tmp_path, is_ready=lambda: False)
    answer = desktop.ask("GET", "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ok"})
    desktop.close()


def test_metrics_count_what_the_status_counts(seeded: Desktop) -> None:
    text = seeded.ask("GET", "/metrics", token=seeded.session(Role.AUDITOR)).text
    assert "amagasa_alerts 12.0" in text
    assert 'amagasa_source_records{outcome="rejected",source="web"} 3.0' in text
    assert 'amagasa_ally_waiting{ally="United States",state="up"} 0.0' in text


def test_openapi_describes_every_address(desktop: Desktop) -> None:
    told = desktop.ask("GET", "/api/openapi.json", token=desktop.session(Role.AUDITOR)).json()
    assert told["openapi"].startswith("3.1")
    assert {"/api/status", "/api/alerts", "/api/crossings/{crossing_id}/decision"} <= set(told["paths"])


def test_console_that_was_not_built_says_how(tmp_path: Path, desktop: Desktop) -> None:
    assert assets_of(tmp_path / "none") == {}
    answer = desktop.ask("GET", "/")
    assert answer.status_code == 200
    assert "hatch_build.py" in answer.text or "<div id=" in answer.text


@pytest.mark.parametrize("path", ["/../api.py", "/assets/../../api.py", "/%2e%2e/api.py", "//etc/passwd", "/assets/"])
def test_file_outside_of_the_console_is_not_there(desktop: Desktop, path: str) -> None:
    assert desktop.ask("GET", path).status_code == 404


# What is shown


def test_status_of_an_empty_node_says_what_to_do(tmp_path: Path) -> None:
    desktop = Desktop(tmp_path, agreements=seed.Book())
    told = desktop.ask("GET", "/api/status", token=desktop.session(Role.WATCH_OFFICER)).json()
    assert [step["code"] for step in told["next"]] == ["add-source", "sign-agreement"]
    assert told["counts"]["alerts"] == 0
    desktop.close()


def test_status_names_the_node_its_sources_and_the_line(seeded: Desktop) -> None:
    token = seeded.session(Role.WATCH_OFFICER)
    seeded.ask("GET", "/api/status", token=token)
    seeded.clock.move(seconds=10)
    told = seeded.ask("GET", "/api/status", token=token).json()
    assert told["node"]["country"] == "JP"
    web = next(source for source in told["sources"] if source["name"] == "web")
    assert (web["lag_s"], web["rate_per_s"], web["n_rejected"]) == (11.0, 0.0, 3)
    assert told["allies"][0]["link"]["state"] == "up"
    assert told["counts"] | {"alerts": 0} == {
        "alerts": 0,
        "incidents_open": 2,
        "wanting": 1,
        "content": 3,
        "content_faulted": 1,
    }


def test_alerts_are_paged_without_loss_or_repeat(seeded: Desktop) -> None:
    token, seen, before = seeded.session(Role.WATCH_OFFICER), [], ""
    while True:
        told = seeded.ask("GET", f"/api/alerts?limit=5{before}", token=token).json()
        seen += [alert["id"] for alert in told["alerts"]]
        if told["next"] is None:
            break
        before = f"&before={told['next']}"
    assert len(seen) == len(set(seen)) == told["n_all"] == 12


def test_alert_shows_its_evidence(seeded: Desktop) -> None:
    token = seeded.session(Role.WATCH_OFFICER)
    alert = next(one for one in seed.alerts() if one.title.startswith("SQL"))
    told = seeded.ask("GET", f"/api/alerts/{alert.id}", token=token).json()
    assert told["alert"]["origin"] == {"id": "", "name": ""}
    assert {"name": "sc-status", "value": "200"} in told["evidence"][0]["fields"]
    assert "UNION%20SELECT" in told["evidence"][0]["raw"]


def test_alert_found_by_an_allys_content_names_the_ally(seeded: Desktop) -> None:
    told = seeded.ask("GET", "/api/alerts", token=seeded.session(Role.WATCH_OFFICER)).json()
    origins = {alert["origin"]["name"] for alert in told["alerts"]}
    assert origins == {"", "United States"}


def test_incident_shows_its_timeline_in_the_order_of_the_matrix(seeded: Desktop) -> None:
    token = seeded.session(Role.WATCH_OFFICER)
    told = seeded.ask("GET", f"/api/incidents/{seed.incident_id('base')}", token=token).json()
    assert [step["tactic"] for step in told["timeline"]] == [
        "execution",
        "execution",
        "persistence",
        "credential-access",
        "lateral-movement",
        "command-and-control",
        "impact",
    ]
    assert all(alert["why"] for alert in told["alerts"])


def test_incident_is_closed_with_a_reason_and_opened_again(seeded: Desktop) -> None:
    token, path = seeded.session(Role.WATCH_OFFICER), f"/api/incidents/{seed.incident_id('web')}"
    closed = seeded.ask("POST", f"{path}/close", token=token, body={"why": "a test of ours"}).json()
    assert (closed["status"], closed["closed_why"]) == ("closed", "watch-officer: a test of ours")
    assert ("incident", {"id": seed.incident_id("web")}) in seeded.published
    assert len(seeded.ask("GET", "/api/incidents?status=closed", token=token).json()["incidents"]) == 1
    opened = seeded.ask("POST", f"{path}/reopen", token=token, body={}).json()
    assert (opened["status"], opened["closed_why"]) == ("open", "")


def test_crossings_are_filtered_by_what_is_asked(seeded: Desktop) -> None:
    token = seeded.session(Role.RELEASE_OFFICER)
    for query, n in (("", 8), ("?direction=in", 2), ("?state=delivered", 4), (f"?ally={seed.JAPAN.id}", 0)):
        assert len(seeded.ask("GET", f"/api/crossings{query}", token=token).json()["crossings"]) == n


def test_crossing_shows_the_bytes_that_leave(seeded: Desktop) -> None:
    token = seeded.session(Role.RELEASE_OFFICER)
    wanting = seeded.ask("GET", "/api/crossings?state=wanting", token=token).json()["crossings"][0]
    assert wanting["marking"] == "amber+strict"
    told = seeded.ask("GET", f"/api/crossings/{wanting['id']}", token=token).json()
    assert json.loads(told["content"])["name"] == "Intrusion on a base's Windows hosts"
    assert {"name": "description", "value": "stripped"} in told["crossing"]["changes"]


@pytest.mark.parametrize(("approve", "state"), [(True, "pending"), (False, "refused")])
def test_wanting_crossing_is_decided_once(seeded: Desktop, approve: bool, state: str) -> None:  # noqa: FBT001
    token = seeded.session(Role.RELEASE_OFFICER)
    wanting = seeded.ask("GET", "/api/crossings?state=wanting", token=token).json()["crossings"][0]
    path = f"/api/crossings/{wanting['id']}/decision"
    body = {"approve": approve, "version": wanting["version"]}
    decided = seeded.ask("POST", path, token=token, body=body).json()["crossing"]
    assert (decided["state"], decided["decided_by"]) == (state, "release-officer")
    again = seeded.ask("POST", path, token=token, body={"approve": False})
    assert refusal(again)["code"] == "AMG-SHARE-DECIDED"


def test_wanting_crossing_grown_since_it_was_looked_at_is_not_decided(seeded: Desktop) -> None:
    token = seeded.session(Role.RELEASE_OFFICER)
    wanting = seeded.ask("GET", "/api/crossings?state=wanting", token=token).json()["crossings"][0]
    body = {"approve": True, "version": "2020-01-01T00:00:00.000Z"}
    answer = seeded.ask("POST", f"/api/crossings/{wanting['id']}/decision", token=token, body=body)
    assert refusal(answer)["code"] == "AMG-SHARE-CHANGED"


# Content


def test_rule_added_and_shared_stands_before_the_agreement(desktop: Desktop) -> None:
    token = desktop.session(Role.ANALYST)
    added = desktop.ask("POST", "/api/content/rules", token=token, body={"text": RULE, "share": True})
    assert added.status_code == 201
    assert added.json()["id"] == "7c1f5d5e-98c5-4d3e-8a63-0b3a5b1d9f10"
    with desktop.store.read() as reading:
        (crossing,), _ = reading.crossings(Page(), direction=Direction.OUT)
        assert [item.text for item in reading.content()] == [RULE]
    assert (crossing.state, crossing.clause) == (CrossingState.WANTING, "our-indicators")
    assert json.loads(crossing.content)["pattern"] == RULE
    assert {topic for topic, _ in desktop.published} >= {"content", "crossing", "outbox"}


def test_rule_added_without_sharing_stays_at_home(desktop: Desktop) -> None:
    token = desktop.session(Role.ANALYST)
    desktop.ask("POST", "/api/content/rules", token=token, body={"text": RULE})
    with desktop.store.read() as reading:
        assert reading.n_crossings() == {}


@pytest.mark.parametrize(
    "text",
    ["", "x", "a: [", "[]", "title: x", "title: 7\nlogsource: {a: b}\ndetection: {a: b}", "&a [*a, *a]", "x" * 65_537],
)
def test_rule_that_is_none_is_refused(desktop: Desktop, text: str) -> None:
    answer = desktop.ask("POST", "/api/content/rules", token=desktop.session(Role.ANALYST), body={"text": text})
    assert answer.status_code == 422
    assert refusal(answer)["code"] == "AMG-CONTENT-RULE"


def test_rule_with_an_allys_identifier_is_refused(seeded: Desktop) -> None:
    text = RULE.replace("7c1f5d5e-98c5-4d3e-8a63-0b3a5b1d9f10", "2f4e9d5c-1b6a-4c1e-9a53-6d1f0c7e8b21")
    answer = seeded.ask("POST", "/api/content/rules", token=seeded.session(Role.ANALYST), body={"text": text})
    assert refusal(answer)["code"] == "AMG-CONTENT-TAKEN"


def test_address_added_is_an_indicator(desktop: Desktop) -> None:
    body = {"address": " 203.0.113.9 ", "title": "seen at a sister ministry", "share": True, "marking": "green"}
    added = desktop.ask("POST", "/api/content/addresses", token=desktop.session(Role.ANALYST), body=body)
    assert added.json()["kind"] == "stix"
    told = desktop.ask("GET", f"/api/content/{added.json()['id']}", token=desktop.session(Role.ANALYST)).json()
    assert json.loads(told["text"])["pattern"] == "[ipv4-addr:value = '203.0.113.9']"
    with desktop.store.read() as reading:
        assert reading.n_crossings() == {(Direction.OUT, CrossingState.WANTING): 1}


@pytest.mark.parametrize("address", ["", "x", "10.0.0.1", "127.0.0.1", "999.1.1.1", HOSTILE, "fe80::1%eth0"])
def test_address_that_is_none_is_refused(desktop: Desktop, address: str) -> None:
    body = {"address": address, "share": True}
    answer = desktop.ask("POST", "/api/content/addresses", token=desktop.session(Role.ANALYST), body=body)
    assert answer.status_code == 422
    refusal(answer)


def test_content_with_an_unknown_marking_is_refused(desktop: Desktop) -> None:
    body = {"address": "203.0.113.9", "marking": "purple"}
    answer = desktop.ask("POST", "/api/content/addresses", token=desktop.session(Role.ANALYST), body=body)
    assert refusal(answer)["code"] == "AMG-CONTENT-MARKING"


def test_content_removed_is_gone(seeded: Desktop) -> None:
    token, path = seeded.session(Role.ANALYST), "/api/content/2f4e9d5c-1b6a-4c1e-9a53-6d1f0c7e8b21"
    assert seeded.ask("DELETE", path, token=token).status_code == 204
    assert seeded.ask("GET", path, token=token).status_code == 404


# Hostile text


def test_hostile_text_comes_out_escaped_and_cut(desktop: Desktop) -> None:
    hostile = seed.hostile_alert()
    huge = seed.hostile_alert(number=901, title="A" * 1_000_000)
    odd = seed.hostile_alert(number=902, title="half a pair \ud800 and \x00")
    with desktop.store.write() as tx:
        tx.save_alerts([hostile, huge])
    token = desktop.session(Role.WATCH_OFFICER)
    listed = desktop.ask("GET", "/api/alerts", token=token)
    shown = desktop.ask("GET", f"/api/alerts/{hostile.id}", token=token)
    assert len(listed.content) < 10_000
    for answer in (listed, shown):
        assert answer.headers["content-type"] == "application/json"
        assert "\u202e" not in answer.text
        assert "\x1b" not in answer.text
        assert "<img src=x" in answer.text
    with desktop.store.write() as tx:
        tx.save_alerts([odd])
    assert desktop.ask("GET", f"/api/alerts/{odd.id}", token=token).status_code == 200


# The node's own socket


def test_local_door_asks_for_no_session_and_no_origin(tmp_path: Path) -> None:
    from_here = Desktop(tmp_path, local_actor=Actor(name="operator", roles=frozenset(Role)))
    answer = from_here.ask("POST", "/api/content/rules", body={"text": RULE}, headers={"Origin": ""})
    assert answer.status_code == 201
    assert answer.json()["added_by"] == "operator"
    assert from_here.ask("GET", "/api/accounts").status_code == 200
    from_here.close()


def test_sighting_is_listed_under_the_name_of_what_it_saw(desktop: Desktop) -> None:
    token = desktop.session(Role.ANALYST, Role.RELEASE_OFFICER)
    body = {"address": "203.0.113.9", "title": "seen at a sister ministry", "share": True}
    indicator = desktop.ask("POST", "/api/content/addresses", token=token, body=body).json()["id"]
    sighting = json.dumps({"type": "sighting", "sighting_of_ref": indicator}).encode()
    unknown = json.dumps({"type": "sighting", "sighting_of_ref": seed.JAPAN.id}).encode()
    with desktop.store.write() as tx:
        for number, content in enumerate((sighting, unknown)):
            tx.add_crossing(replace(seed.crossings()[0], object_id=f"sighting--{number}", content=content))
    told = desktop.ask("GET", "/api/crossings", token=token).json()["crossings"]
    assert [one["title"] for one in told] == [seed.JAPAN.id, "seen at a sister ministry", "seen at a sister ministry"]
    assert (
        desktop.ask("GET", f"/api/crossings/{told[1]['id']}", token=token).json()["crossing"]["title"]
        == told[1]["title"]
    )


def test_rules_are_told_with_what_is_left_out_and_hostile_words_of_it_escaped(desktop: Desktop) -> None:
    excluded = {"exclusion": "e.toml#1", "reason": "a\u202eb", "expires": None, "is_expired": False}
    noted = {
        "n_rules": 5,
        "n_coming": 2,
        "since": [{"n_rules": 5, "since": "2026-11-23T03:00:00Z"}],
        "n_faults": 0,
        "faults": [],
        "n_off": 1,
        "n_off_by": {"replaced": 1},
        "replaced": [{"rule_id": "x", "path": "p", "why": "y\x1b[31m"}],
        "excluded": [excluded | {"n_rules": 1, "n": 3, "by_rule": {"x": 3}}],
        "placeholders": [{"name": "c\u202ed", "n_values": 4}],
    }
    with desktop.store.write() as tx:
        tx.save_meta("rules", json.dumps(noted))
    told = desktop.ask("GET", "/api/rules", token=desktop.session(Role.AUDITOR)).json()
    assert (told["n_coming"], told["since"][0]["n_rules"], told["n_off_by"]) == (2, 5, {"replaced": 1})
    assert (told["excluded"][0]["reason"], told["replaced"][0]["why"]) == ("a\\u202eb", "y\\x1b[31m")
    assert told["placeholders"] == [{"name": "c\\u202ed", "n_values": 4}]


def test_rules_noted_by_an_older_node_are_told(desktop: Desktop) -> None:
    with desktop.store.write() as tx:
        tx.save_meta("rules", '{"n_rules":3,"n_faults":0,"faults":[]}')
    told = desktop.ask("GET", "/api/rules", token=desktop.session(Role.AUDITOR)).json()
    assert (told["n_rules"], told["since"], told["excluded"]) == (3, [], [])
