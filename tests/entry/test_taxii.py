import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.entry.link_papers import NOW
from tests.entry.link_world import Node, agree

from amagasa.app.ports import ContentItem, ContentKind, CrossingState, Direction
from amagasa.entry.allies.protocol import PEER
from amagasa.entry.allies.tls import fingerprint_of_pem
from amagasa.entry.allies.wire import CONTENT_BYTES, ENVELOPE_OBJECTS, TAXII
from amagasa.vocab.tlp import Tlp

COLLECTIONS = "/taxii2/umbrella/collections/"
INBOX = COLLECTIONS + "inbox/objects/"
OUTBOX = COLLECTIONS + "outbox/objects/"
HEADERS = {"accept": TAXII, "content-type": TAXII}

Ask = Callable[..., httpx.Response]


class Caller:
    """The server in this process, called by whoever shows `fingerprint`."""

    def __init__(self, node: Node, fingerprint: str | None) -> None:
        app = node.taxii()

        async def with_peer(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {} if fingerprint is None else {PEER: fingerprint}
            await app(scope, receive, send)

        self._app = with_peer

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="https://node") as client:
                request.setdefault("headers", HEADERS)
                return await client.request(method, path, **request)

        return asyncio.run(ask())

    def post(self, body: Any, **request: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", INBOX, content=content, **request)


@pytest.fixture
def ask(japan: Node, states: Node) -> Caller:
    """States asks Japan."""
    return Caller(japan, fingerprint_of_pem(states.papers.pem))


def body_of(response: httpx.Response) -> Any:
    assert response.headers["content-type"] == TAXII
    return response.json()


def error_of(response: httpx.Response) -> tuple[int, str]:
    body = body_of(response)
    assert body["http_status"] == str(response.status_code)
    assert body["title"]
    return response.status_code, body["error_code"]


# --- who calls ---------------------------------------------------------------------------------------------------


def test_taxii_without_certificate_is_unauthorised(japan: Node, states: Node) -> None:
    response = Caller(japan, None)("GET", "/taxii2/")
    assert error_of(response) == (401, "AMG-TAXII-WHO")
    assert response.headers["www-authenticate"]


def test_taxii_unknown_certificate_is_forbidden(japan: Node, states: Node) -> None:
    assert error_of(Caller(japan, "0" * 64)("GET", "/taxii2/")) == (403, "AMG-TAXII-STRANGER")


@pytest.mark.parametrize("seconds", [-1, 3650 * 86400], ids=["not yet", "expired"])
def test_taxii_agreement_not_in_force_is_forbidden_and_closed(japan: Node, states: Node, seconds: float) -> None:
    agree(japan, states, from_at=NOW, until_at=NOW + timedelta(days=3650))
    japan.clock.advance(seconds)
    caller = Caller(japan, fingerprint_of_pem(states.papers.pem))
    response = caller.post({"objects": [states.indicator()]})
    assert error_of(response) == (403, "AMG-SHARE-FORCE")
    assert response.headers["connection"] == "close"
    assert japan.crossings(Direction.IN) == []


def test_taxii_certificate_replaced_by_an_amendment_is_forbidden(japan: Node, states: Node, tmp_path: Any) -> None:
    old = fingerprint_of_pem(states.papers.pem)
    before = japan.agreements[0]
    renewed = Node(tmp_path / "new", "states", "US", states.party.role)
    renewed.store.close()
    agree(japan, renewed, version=2)
    japan.agreements.append(before)
    assert error_of(Caller(japan, old)("GET", "/taxii2/")) == (403, "AMG-TAXII-STRANGER")
    assert Caller(japan, fingerprint_of_pem(renewed.papers.pem))("GET", "/taxii2/").status_code == 200


# --- what there is -----------------------------------------------------------------------------------------------


def test_discovery_names_the_one_api_root(ask: Caller) -> None:
    body = body_of(ask("GET", "/taxii2/"))
    assert body["default"] == "/taxii2/umbrella/"
    assert body["api_roots"] == ["/taxii2/umbrella/"]
    assert body["title"] == "japan"


def test_api_root_says_version_and_limit(ask: Caller) -> None:
    body = body_of(ask("GET", "/taxii2/umbrella/"))
    assert (body["versions"], body["max_content_length"]) == ([TAXII], CONTENT_BYTES)


def test_collections_are_an_inbox_to_write_and_an_outbox_to_read(ask: Caller) -> None:
    found = {one["alias"]: one for one in body_of(ask("GET", COLLECTIONS))["collections"]}
    assert {name: (one["can_read"], one["can_write"]) for name, one in found.items()} == {
        "inbox": (False, True),
        "outbox": (True, False),
    }
    assert all(uuid.UUID(one["id"]).version == 4 for one in found.values())
    for one in found.values():
        assert body_of(ask("GET", f"{COLLECTIONS}{one['id']}/")) == one
        assert body_of(ask("GET", f"{COLLECTIONS}{one['alias']}/")) == one


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/taxii2/other/", 404),
        ("GET", COLLECTIONS + "private/", 404),
        ("GET", COLLECTIONS + "private/objects/", 404),
        ("GET", OUTBOX + "indicator--00000000-0000-4000-8000-000000000000/", 404),
        ("GET", OUTBOX + "..%2f..%2fetc/", 404),
        ("GET", "/taxii2/umbrella/status/none/", 404),
        ("GET", INBOX, 403),
        ("POST", OUTBOX, 403),
        ("DELETE", OUTBOX + "indicator--00000000-0000-4000-8000-000000000000/", 405),
        ("PUT", "/taxii2/", 405),
    ],
)
def test_taxii_wrong_address_or_method_is_a_taxii_error(ask: Caller, method: str, path: str, status: int) -> None:
    assert error_of(ask(method, path))[0] == status


# --- media types -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/json", "application/taxii+json;version=2.0", "application/taxii+json;version=2.1;q=0"],
)
def test_taxii_accept_of_anything_else_is_not_acceptable(ask: Caller, accept: str) -> None:
    assert error_of(ask("GET", "/taxii2/", headers={"accept": accept})) == (406, "AMG-TAXII-ACCEPT")


@pytest.mark.parametrize(
    "accept",
    [
        TAXII,
        "application/taxii+json",
        "application/taxii+json; version=2.1",
        'application/taxii+json; version="2.1"',
        "Application/TAXII+JSON;Version=2.1",
        "text/html, application/taxii+json;version=2.1;q=0.5",
    ],
)
def test_taxii_accept_naming_taxii_is_served(ask: Caller, accept: str) -> None:
    assert body_of(ask("GET", "/taxii2/", headers={"accept": accept}))


@pytest.mark.parametrize(
    "kind", ["", "application/json", "application/taxii+json;version=2.0", "application/stix+json;version=2.1", "a, b"]
)
def test_taxii_post_of_another_type_is_unsupported(ask: Caller, kind: str) -> None:
    response = ask.post({"objects": []}, headers={"accept": TAXII, "content-type": kind})
    assert error_of(response) == (415, "AMG-TAXII-TYPE")


def test_taxii_post_compressed_is_unsupported(ask: Caller) -> None:
    response = ask.post(b"\x1f\x8b", headers=HEADERS | {"content-encoding": "gzip"})
    assert error_of(response) == (415, "AMG-TAXII-ENCODING")


# --- the inbox ---------------------------------------------------------------------------------------------------


def test_inbox_indicator_is_taken_kept_and_put_to_use(ask: Caller, japan: Node, states: Node) -> None:
    indicator = states.indicator()
    response = ask.post({"objects": [indicator]})
    status = body_of(response)
    assert response.status_code == 202
    assert (status["status"], status["success_count"], status["failure_count"]) == ("complete", 1, 0)
    assert status["successes"] == [{"id": indicator["id"], "version": indicator["modified"]}]
    with japan.store.read() as reading:
        assert json.loads(reading.objects([indicator["id"]])[0].body) == indicator
        (item,) = reading.content()
    assert (item.kind, item.origin, item.is_active) == (ContentKind.STIX, states.party.id, True)
    (crossing,) = japan.crossings(Direction.IN)
    assert (crossing.state, crossing.clause, crossing.marking) == (CrossingState.ADMITTED, "2", "amber")
    assert [topic for topic, _ in japan.heard] == ["content", "crossing"]


def test_inbox_sigma_rule_becomes_content_with_its_text(ask: Caller, japan: Node, states: Node) -> None:
    rule = "title: t\nlogsource: {product: windows}\ndetection: {a: {Image: x}, condition: a}\n"
    ask.post({"objects": [states.sigma(rule)]})
    with japan.store.read() as reading:
        (item,) = reading.content()
    assert (item.kind, item.text, item.is_active) == (ContentKind.SIGMA, rule, True)


def test_inbox_same_envelope_twice_changes_nothing(ask: Caller, japan: Node, states: Node) -> None:
    envelope = {"objects": [states.indicator(1), states.sighting(), states.indicator(2, marking=Tlp.RED)]}
    first = body_of(ask.post(envelope))
    before = (japan.crossings(Direction.IN), len(japan.heard))
    second = body_of(ask.post(envelope))
    assert (first["success_count"], first["failure_count"]) == (second["success_count"], second["failure_count"])
    assert (japan.crossings(Direction.IN), len(japan.heard)) == before


def test_inbox_revoked_indicator_leaves_use(ask: Caller, japan: Node, states: Node) -> None:
    ask.post({"objects": [states.indicator()]})
    status = body_of(ask.post({"objects": [states.indicator(seconds=5, revoked=True)]}))
    assert status["success_count"] == 1
    with japan.store.read() as reading:
        assert reading.content() == []


def test_inbox_older_version_after_a_newer_does_not_come_back_to_use(ask: Caller, japan: Node, states: Node) -> None:
    ask.post({"objects": [states.indicator(seconds=5, revoked=True)]})
    ask.post({"objects": [states.indicator()]})
    with japan.store.read() as reading:
        assert reading.content() == []


def test_inbox_versions_in_one_envelope_the_newest_counts(ask: Caller, japan: Node, states: Node) -> None:
    versions = [states.indicator(), states.indicator(seconds=9, name="newest"), states.indicator(seconds=5)]
    assert body_of(ask.post({"objects": versions}))["success_count"] == 3
    with japan.store.read() as reading:
        assert [item.title for item in reading.content()] == ["newest"]


def test_inbox_indicator_with_the_id_of_our_own_does_not_replace_it(ask: Caller, japan: Node, states: Node) -> None:
    ours = japan.indicator()
    ask_japan_to_hold(japan, ours)
    theirs = states.indicator() | {"id": ours["id"]}
    ask.post({"objects": [theirs]})
    with japan.store.read() as reading:
        assert [(item.id, item.origin) for item in reading.content()] == [(ours["id"], "")]


def ask_japan_to_hold(japan: Node, indicator: dict[str, Any]) -> None:
    item = ContentItem(
        id=indicator["id"],
        kind=ContentKind.STIX,
        title="ours",
        origin="",
        text="{}",
        is_active=True,
        added_at=NOW,
        added_by="analyst",
    )
    with japan.store.write() as tx:
        tx.save_content(item)


def test_inbox_refusals_are_told_and_logged(ask: Caller, japan: Node, states: Node) -> None:
    foreign = japan.indicator(3)
    above = states.indicator(4, marking=Tlp.RED)
    status = body_of(ask.post({"objects": [states.indicator(1), foreign, above, "junk", None, {"type": "bundle"}]}))
    assert (status["total_count"], status["success_count"], status["failure_count"]) == (6, 1, 5)
    messages = {one["id"]: one["message"] for one in status["failures"]}
    assert "AMG-ADMIT-OURS" in messages[foreign["id"]]
    assert "AMG-ADMIT-RED" in messages[above["id"]]
    states_in = [one.state for one in japan.crossings(Direction.IN)]
    assert states_in.count(CrossingState.REFUSED) == 4  # two objects without a name share one reason


def test_inbox_lowered_marking_is_refused(ask: Caller, japan: Node, states: Node) -> None:
    ask.post({"objects": [states.indicator(marking=Tlp.AMBER)]})
    status = body_of(ask.post({"objects": [states.indicator(seconds=5, marking=Tlp.GREEN)]}))
    assert "AMG-ADMIT-LOWERED" in status["failures"][0]["message"]
    with japan.store.read() as reading:
        assert reading.objects([states.indicator()["id"]])[0].version == states.indicator()["modified"]


def test_inbox_flood_of_refusals_fills_the_log_only_so_far(ask: Caller, japan: Node, states: Node) -> None:
    objects = [states.indicator(number, marking=Tlp.RED) for number in range(300)]
    assert body_of(ask.post({"objects": objects}))["failure_count"] == 300
    assert len(japan.crossings(Direction.IN)) == 100


def test_inbox_status_can_be_asked_for_by_its_ally_alone(ask: Caller, japan: Node, states: Node) -> None:
    async def run() -> tuple[int, int]:
        app = japan.taxii()

        async def call(fingerprint: str, method: str, path: str, **request: Any) -> httpx.Response:
            async def with_peer(scope: Any, receive: Any, send: Any) -> None:
                scope["state"] = {PEER: fingerprint}
                await app(scope, receive, send)

            transport = httpx.ASGITransport(app=with_peer)
            async with httpx.AsyncClient(transport=transport, base_url="https://node", headers=HEADERS) as client:
                return await client.request(method, path, **request)

        theirs = fingerprint_of_pem(states.papers.pem)
        status = (await call(theirs, "POST", INBOX, content=b'{"objects":[]}')).json()
        found = await call(theirs, "GET", f"/taxii2/umbrella/status/{status['id']}/")
        stranger = await call("0" * 64, "GET", f"/taxii2/umbrella/status/{status['id']}/")
        return found.status_code, stranger.status_code

    assert asyncio.run(run()) == (200, 403)


HOSTILE = [
    (b"", 400),
    (b"not json", 400),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (b'{"objects":' + b"[" * 900 + b"]" * 900 + b"}", (400, 202)),
    (b'{"objects":[' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"]}", (400, 202)),
    (b"1" * 5000, 400),
    (b"1e999", 400),
    (b"[]", 422),
    (b"null", 422),
    (b'"objects"', 422),
    (b'{"objects":{}}', 422),
    (b'{"objects":null}', 422),
    (b'{"objects":"x"}', 422),
    (b'{"objects":[' + b",".join([b"{}"] * (ENVELOPE_OBJECTS + 1)) + b"]}", 422),
    (b'{"objects":[' + b"0," * 1_100_000 + b"0]}", 422),
    (b'{"objects":["\\ud800"]}', (400, 202)),
    (b'{"objects":[{"id":"\\u0000\\u202e"}]}', 202),
    (b"{}", 202),
    (b'{"objects":[]}', 202),
    (b'{"objects":[],"objects":[1]}', 202),
    (b'{"objects":[1e308,-0,true,[[[]]],{"id":[]},{"type":{}},{"id":"indicator--1","type":"indicator"}]}', 202),
]


@pytest.mark.parametrize(("body", "status"), HOSTILE, ids=range(len(HOSTILE)))
def test_inbox_hostile_body_is_answered_in_taxii(ask: Caller, japan: Node, body: bytes, status: Any) -> None:
    response = ask.post(body)
    assert response.status_code in (status if isinstance(status, tuple) else (status,))
    assert body_of(response)
    with japan.store.read() as reading:
        assert reading.content() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps({"objects": value}).encode()))
def test_inbox_any_body_is_never_a_fault_of_ours(ask: Caller, body: bytes) -> None:
    response = ask.post(body)
    assert response.status_code in {202, 400, 422}
    body_of(response)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.dictionaries(st.sampled_from(["id", "type", "modified", "pattern", "created_by_ref", "name"]), JSON))
def test_inbox_any_object_is_taken_or_refused(ask: Caller, states: Node, change: dict[str, Any]) -> None:
    response = ask.post({"objects": [states.indicator(77) | change]})
    status = body_of(response)
    if response.status_code == 202:
        assert status["success_count"] + status["failure_count"] == 1
    else:
        assert response.status_code == 400


def test_inbox_body_over_the_limit_is_refused_before_it_is_kept(ask: Caller) -> None:
    n_given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal n_given
        for _ in range(100):
            n_given += 1024 * 1024
            yield b" " * 1024 * 1024

    response = ask("POST", INBOX, content=endless())
    assert error_of(response) == (413, "AMG-TAXII-LARGE")
    assert response.headers["connection"] == "close"


def test_inbox_announced_length_over_the_limit_is_refused(ask: Caller) -> None:
    response = ask.post(b"{}", headers=HEADERS | {"content-length": str(10**12)})
    assert error_of(response) == (413, "AMG-TAXII-LARGE")


# --- the outbox --------------------------------------------------------------------------------------------------


def fill(japan: Node, n: int) -> list[dict[str, Any]]:
    objects = []
    for number in range(1, n + 1):
        objects.append(japan.indicator(number))
        japan.release(objects[-1:])
        japan.clock.advance(0.001)
    return objects


def test_outbox_holds_what_was_released_to_this_ally(ask: Caller, japan: Node) -> None:
    (indicator,) = fill(japan, 1)
    japan.release([japan.indicator(2, marking=Tlp.RED)])
    response = ask("GET", OUTBOX)
    assert body_of(response) == {"more": False, "objects": [indicator]}
    assert response.headers["x-taxii-date-added-first"] == "2026-11-23T05:00:00.000000Z"
    assert response.headers["x-taxii-date-added-first"] == response.headers["x-taxii-date-added-last"]


def test_outbox_of_nothing_is_an_empty_envelope(ask: Caller) -> None:
    response = ask("GET", OUTBOX)
    assert body_of(response) == {"more": False}
    assert "x-taxii-date-added-first" not in response.headers


def test_outbox_pages_lead_to_each_object_once(ask: Caller, japan: Node) -> None:
    japan.release([japan.indicator(number) for number in range(1, 8)])  # all of the same instant
    seen: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    for _ in range(10):
        page = body_of(ask("GET", OUTBOX, params=query))
        seen += [one["id"] for one in page["objects"]]
        if not page["more"]:
            break
        query["next"] = page["next"]
    assert sorted(seen) == sorted(japan.indicator(number)["id"] for number in range(1, 8))


def test_outbox_added_after_the_last_header_gives_what_came_since(ask: Caller, japan: Node) -> None:
    fill(japan, 3)
    last = ask("GET", OUTBOX).headers["x-taxii-date-added-last"]
    assert body_of(ask("GET", OUTBOX, params={"added_after": last})) == {"more": False}
    newer = japan.indicator(9)
    japan.release([newer])
    assert body_of(ask("GET", OUTBOX, params={"added_after": last}))["objects"] == [newer]


def test_outbox_matches_id_type_and_spec_version(ask: Caller, japan: Node) -> None:
    one, two = fill(japan, 2)
    sighting = japan.sighting()
    japan.release([sighting])

    def found(**match: str) -> list[Any]:
        query = {f"match[{name}]": value for name, value in match.items()}
        return list(body_of(ask("GET", OUTBOX, params=query)).get("objects", []))

    assert found(type="sighting") == [sighting]
    assert found(type="sighting,indicator") == [one, two, sighting]
    assert found(id=two["id"]) == [two]
    assert found(id=f"{two['id']},{one['id']}", type="indicator") == [one, two]
    assert found(spec_version="2.0") == []
    assert found(spec_version="2.0,2.1") == [one, two, sighting]


def test_outbox_matches_version(ask: Caller, japan: Node) -> None:
    for seconds in (0, 20, 40):
        japan.clock.advance(seconds)
        (crossing,) = japan.release([japan.indicator(seconds=seconds)])
        with japan.store.write() as tx:
            tx.update_crossing(replace(crossing, state=CrossingState.DELIVERED))
    versions = [japan.indicator(seconds=seconds)["modified"] for seconds in (0, 20, 40)]

    def found(version: str) -> list[str]:
        page = body_of(ask("GET", OUTBOX, params={"match[version]": version} if version else {}))
        return [one["modified"] for one in page.get("objects", [])]

    assert found("") == found("last") == versions[2:]
    assert found("first") == versions[:1]
    assert found("all") == versions
    assert found(versions[1]) == versions[1:2]
    assert found(f"first,{versions[1]}") == versions[:2]
    one = japan.indicator()["id"]
    assert body_of(ask("GET", f"{OUTBOX}{one}/versions/"))["versions"] == versions
    assert [held["modified"] for held in body_of(ask("GET", f"{OUTBOX}{one}/"))["objects"]] == versions[2:]


def test_manifest_lists_the_same_without_the_objects(ask: Caller, japan: Node) -> None:
    (indicator,) = fill(japan, 1)
    assert body_of(ask("GET", COLLECTIONS + "outbox/manifest/"))["objects"] == [
        {
            "id": indicator["id"],
            "date_added": "2026-11-23T05:00:00.000000Z",
            "version": indicator["modified"],
            "media_type": "application/stix+json;version=2.1",
        }
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "many"},
        {"limit": "9" * 30},
        {"limit": "²"},
        {"added_after": "yesterday"},
        {"added_after": "2026-11-23"},
        {"added_after": "2026-11-23T05:00:00"},
        {"added_after": "0001-01-01T00:00:00+14:00"},
        {"next": "junk"},
        {"next": "é"},
        {"next": "A" * 5000},
        {"match[version]": "newest"},
        {"match[id]": ",".join(["x"] * 101)},
    ],
)
def test_outbox_bad_query_is_a_taxii_error(ask: Caller, query: dict[str, str]) -> None:
    assert error_of(ask("GET", OUTBOX, params=query)) == (400, "AMG-TAXII-QUERY")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(["limit", "added_after", "next", "match[id]", "match[type]", "match[version]"]), st.text()
    )
)
def test_outbox_any_query_is_never_a_fault_of_ours(ask: Caller, query: dict[str, str]) -> None:
    response = ask("GET", OUTBOX, params=query)
    assert response.status_code in {200, 400}
    body_of(response)
