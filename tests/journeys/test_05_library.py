"""The library of collections for other tools: filled by a document, read and written by a client that knows TAXII."""

import json
import socket
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from taxii2client.exceptions import AccessError
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages
from tests.journeys.nodes import JourneyNode, eventually, node_in, run

pytestmark = pytest.mark.xdist_group("journey-library")
TAXII: Final = "application/taxii+json;version=2.1"
OPEN: Final = "4f3c5d0e-1b52-4f2e-9a65-2f1f0d6a7a01"
READ: Final = "4f3c5d0e-1b52-4f2e-9a65-2f1f0d6a7a02"
SHUT: Final = "4f3c5d0e-1b52-4f2e-9a65-2f1f0d6a7a03"


def indicator(number: int, *, modified: str = "2026-01-02T03:04:05.000Z", **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.UUID(int=number, version=4)}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": modified,
        "pattern": f"[ipv4-addr:value = '192.0.2.{number % 250}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }


def document(n_objects: int) -> dict[str, Any]:
    def collection(name: str, *, can_read: bool, can_write: bool, objects: list[Any]) -> dict[str, Any]:
        manifest = [
            {"id": one["id"], "date_added": f"2026-02-01T00:00:{at:02}.000001Z", "version": one["modified"]}
            for at, one in enumerate(objects)
        ]
        return {
            "id": name,
            "title": "収集",
            "can_read": can_read,
            "can_write": can_write,
            "objects": objects,
            "manifest": manifest,
        }

    return {
        "/discovery": {"title": "Library of the base", "description": "雨傘"},
        "exercise": {
            "information": {"title": "Exercise", "versions": [TAXII], "max_content_length": 1_000_000},
            "status": [],
            "collections": [
                collection(OPEN, can_read=True, can_write=True, objects=[]),
                collection(READ, can_read=True, can_write=False, objects=[indicator(n) for n in range(n_objects)]),
                collection(SHUT, can_read=False, can_write=False, objects=[]),
            ],
        },
        "users": {"tool": "a password of the exercise"},
    }


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JourneyNode]:
    folder = tmp_path_factory.mktemp("library")
    with node_in(folder) as made:
        made.set_settings(lambda text: text.replace("# tls = false", "tls = true", 1))
        path = folder / "document.json"
        path.write_text(json.dumps(document(45)), encoding="utf-8")
        loaded = run("taxii", "load", path, "--node", made.folder, "--json")
        assert (loaded.code, loaded.json()[0]["n_versions"]) == (0, 45), loaded.err
        made.begin()
        yield made


@pytest.fixture(scope="module")
def base(node: JourneyNode) -> str:
    address = f"https://127.0.0.1:{node.console_port}"
    eventually(lambda: listens(node, address), about="the node listens")
    return address


def listens(node: JourneyNode, address: str) -> bool:
    with socket.socket() as line:
        if line.connect_ex(("127.0.0.1", node.console_port)):
            return False
    return httpx.get(f"{address}/healthz", verify=trusting(node)).is_success


@pytest.fixture(autouse=True)
def no_other_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `requests` finds in the environment it prefers to what it is told."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def trusting(node: JourneyNode) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(node.folder / "tls.crt"))


def asked(node: JourneyNode, base: str, address: str, **more: Any) -> httpx.Response:
    with httpx.Client(verify=trusting(node), base_url=base, headers={"accept": TAXII}) as client:
        return client.get(address, auth=("tool", "a password of the exercise"), **more)


def known(node: JourneyNode) -> dict[str, Any]:
    return {"user": "tool", "password": "a password of the exercise", "verify": str(node.folder / "tls.crt")}


def test_a_client_that_knows_taxii_finds_collections_and_reads_them_in_pages(node: JourneyNode, base: str) -> None:
    server = Server(f"{base}/taxii2/", **known(node))
    assert server.title == "Library of the base"
    root = ApiRoot(f"{base}/exercise/", **known(node))
    assert [(one.id, one.can_read, one.can_write) for one in root.collections] == [
        (OPEN, True, True),
        (READ, True, False),
        (SHUT, False, False),
    ]
    pages = list(
        as_pages(Collection(f"{base}/exercise/collections/{READ}/", **known(node)).get_objects, per_request=20)
    )
    assert [len(page["objects"]) for page in pages] == [20, 20, 5]
    assert [one for page in pages for one in page["objects"]] == [indicator(n) for n in range(45)]


def test_a_client_adds_versions_asks_for_them_and_deletes_them(node: JourneyNode, base: str) -> None:
    collection = Collection(f"{base}/exercise/collections/{OPEN}/", **known(node))
    first, second = indicator(900), indicator(900, modified="2026-03-01T00:00:00.000Z", name="次")
    status = collection.add_objects({"objects": [first, second, {"type": "indicator"}, 7]})
    assert (status.status, status.success_count, status.failure_count) == ("complete", 2, 2)
    assert collection.get_object(first["id"])["objects"] == [second]
    assert collection.get_object(first["id"], version="first")["objects"] == [first]
    assert [one["version"] for one in collection.get_manifest(version="all")["objects"]] == [
        first["modified"],
        second["modified"],
    ]
    collection.delete_object(first["id"], version=first["modified"])
    assert collection.get_object(first["id"], version="all")["objects"] == [second]
    collection.delete_object(first["id"])
    assert asked(node, base, f"/exercise/collections/{OPEN}/objects/{first['id']}/").status_code == 404


def test_a_collection_gives_no_more_than_its_bounds_and_the_account(node: JourneyNode, base: str) -> None:
    with pytest.raises(AccessError):
        Collection(f"{base}/exercise/collections/{READ}/", **known(node)).add_objects({"objects": [indicator(1)]})
    made = run("taxii", "user", "add", "narrow", "--read", f"exercise/{OPEN}", "--node", node.folder)
    headers = {"accept": TAXII, "authorization": f"Bearer narrow.{made.out.strip()}"}
    with httpx.Client(verify=trusting(node), base_url=base, headers=headers) as client:
        codes = [client.get(f"/exercise/collections/{name}/objects/").status_code for name in (OPEN, READ, SHUT)]
        assert codes == [200, 403, 403]
        assert run("taxii", "user", "remove", "narrow", "--node", node.folder).code == 0
        assert client.get(f"/exercise/collections/{OPEN}/objects/").status_code == 401


@pytest.mark.parametrize(
    "accept",
    [
        "application/taxii+json;version=2.1",
        "application/taxii+json; version=2.1",  # as MISP writes it
        "application/taxii+json",
        "application/taxii+json; version=2.1, */*;q=0.1",
    ],
)
def test_a_poll_is_answered_however_the_media_type_is_written(node: JourneyNode, base: str, accept: str) -> None:
    for address in ("/taxii2/", "/exercise/", f"/exercise/collections/{READ}/objects/?limit=1"):
        got = asked(node, base, address, headers={"accept": accept})
        assert (got.status_code, got.headers["content-type"]) == (200, TAXII), address


def test_nobody_learns_anything_without_an_account(node: JourneyNode, base: str) -> None:
    with httpx.Client(verify=trusting(node), base_url=base, headers={"accept": TAXII}) as client:
        for address in ("/taxii2/", "/exercise/", "/nowhere/", f"/exercise/collections/{READ}/objects/"):
            answers = [client.get(address), client.get(address, auth=("tool", "a guess"))]
            assert [one.status_code for one in answers] == [401, 401]
            assert "www-authenticate" in answers[0].headers


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", 400),
        ("limit=-20", 400),
        ("limit=99999999999999999999", 400),
        ("next=nonsense", 400),
        ("added_after=yesterday", 400),
        ("match[version]=newest", 400),
        ("match[spec_version]=x", 400),
        ("match[id]=" + ",".join(["indicator--x"] * 101), 400),
        ("match[type]=nothing", 200),
        ("unknown=1", 200),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(
    node: JourneyNode, base: str, query: str, code: int
) -> None:
    got = asked(node, base, f"/exercise/collections/{READ}/objects/?{query}")
    assert got.status_code == code
    assert got.headers["content-type"] == TAXII
    assert ("error_code" in got.json()) == (code == 400)


def test_a_page_goes_on_with_the_filters_it_began_with_alone(node: JourneyNode, base: str) -> None:
    address = f"/exercise/collections/{READ}/objects/"
    token = asked(node, base, address, params={"limit": "2", "match[version]": "all"}).json()["next"]
    same = asked(node, base, address, params={"limit": "3", "match[version]": "all", "next": token})
    other = asked(node, base, address, params={"match[version]": "first", "next": token})
    assert ([one["id"] for one in same.json()["objects"]], other.status_code) == (
        [indicator(n)["id"] for n in (2, 3, 4)],
        400,
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"exercise": 1}',
        '{"api": {"information": {"title": "x"}}}',
        '{"../x": {}}',
        '{"users": {"a": 1}}',
    ],
)
def test_a_document_that_is_none_is_refused_and_changes_nothing(
    node: JourneyNode, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "document.json"
    path.write_text(content, encoding="utf-8")
    before = run("taxii", "list", "--node", node.folder, "--json").out
    refused = run("taxii", "load", path, "--node", node.folder)
    assert refused.code == 2
    assert "AMG-TAXII-DOCUMENT" in refused.err
    assert run("taxii", "list", "--node", node.folder, "--json").out == before


def test_users_of_another_document_have_its_roots_alone(node: JourneyNode, base: str, tmp_path: Path) -> None:
    told = {"other" if name == "exercise" else name: part for name, part in document(1).items() if name != "/discovery"}
    told["users"] = {"guest": "a password of the guest"}
    path = tmp_path / "document.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    assert run("taxii", "load", path, "--node", node.folder).code == 0
    with httpx.Client(verify=trusting(node), base_url=base, headers={"accept": TAXII}) as client:
        guest = ("guest", "a password of the guest")
        codes = [
            client.get(f"/{root}/collections/{READ}/objects/", auth=guest).status_code for root in ("other", "exercise")
        ]
        assert codes == [200, 403]
        assert client.get("/taxii2/", auth=guest).json()["title"] == "Library of the base"


def test_objects_that_cannot_be_kept_are_named_and_the_others_are_there(node: JourneyNode, tmp_path: Path) -> None:
    told = document(0)
    told["drill"] = told.pop("exercise")
    told["drill"]["collections"][0]["objects"] = [indicator(1), {"type": "indicator"}, indicator(2, modified="never")]
    path = tmp_path / "document.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    loaded = run("taxii", "load", path, "--node", node.folder, "--json")
    assert loaded.code == 3
    assert (loaded.json()[0]["n_versions"], loaded.json()[0]["n_left_out"]) == (1, 2)


def test_what_is_exported_into_a_collection_is_polled_by_any_client(node: JourneyNode, base: str) -> None:
    assert run("content", "add", "203.0.113.9", "--title", "scanner", "--node", node.folder).code == 0
    told = run("share", "export", "content", "--into", "feeds/all", "--node", node.folder)
    assert told.code == 0, told.err
    secret = run("taxii", "user", "add", "poller", "--read", "feeds/all", "--node", node.folder).out.strip()
    account = {"user": "poller", "password": secret, "verify": str(node.folder / "tls.crt")}
    root = ApiRoot(f"{base}/feeds/", **account)
    (collection,) = root.collections
    assert (collection.title, collection.can_read, collection.can_write) == ("all", True, False)
    held = collection.get_objects()["objects"]
    assert [one["pattern"] for one in held if one["type"] == "indicator"] == ["[ipv4-addr:value = '203.0.113.9']"]
    newest = max(one["modified"] for one in held if "modified" in one)
    assert run("share", "export", "content", "--into", "feeds/all", "--node", node.folder).code == 0
    assert collection.get_objects()["objects"] == held, "a second export of the same adds nothing"
    assert newest <= collection.get_manifest()["objects"][-1]["date_added"]
    assert run("share", "export", "content", "--into", "feeds/none", "--node", node.folder).code == 2
    kept = run("share", "export", "content", "--into", "feeds/all", "--keep", "--node", node.folder)
    assert kept.code == 0, kept.err
    added = run("content", "add", "203.0.113.10", "--title", "another", "--node", node.folder, "--json").json()["id"]
    eventually(lambda: added in {one["id"] for one in collection.get_objects()["objects"]}, about="it followed")
    assert run("content", "remove", added, "--node", node.folder).code == 0
    eventually(
        lambda: [one for one in collection.get_objects()["objects"] if one["id"] == added and one.get("revoked")],
        about="it is taken back there",
    )
    assert run("share", "export", "content", "--into", "feeds/all", "--no-keep", "--node", node.folder).code == 0
    assert json.loads((node.folder / "state" / "feeds.json").read_text(encoding="utf-8")) == []
