"""Files for other tools, asked of a real store: what is in them, whose marking they carry, and who may have them."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stix2
from tests.browser import seed
from tests.browser.seed import STATES
from tests.entry.console import Desktop

from amagasa.app.permissions import Role
from amagasa.app.ports import ContentItem, ContentKind
from amagasa.share.describe import describe_address
from amagasa.vocab.tlp import Tlp


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    made = Desktop(Path(tmp_path_factory.mktemp("exports")))
    seed.fill(made.store)
    yield made
    made.close()


@pytest.fixture(scope="module")
def token(desktop: Desktop) -> str:
    return desktop.session(Role.WATCH_OFFICER)


@pytest.fixture(scope="module")
def incident(desktop: Desktop, token: str) -> str:
    found = desktop.ask("GET", "/api/incidents", token=token).json()["incidents"]
    return str(max(found, key=lambda one: one["n_alerts"])["id"])


def file_of(desktop: Desktop, token: str, path: str, form: str) -> Any:
    answer = desktop.ask("GET", f"{path}?format={form}", token=token)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith('attachment; filename="amagasa-')
    return answer


def rows_of(text: str) -> list[dict[str, str]]:
    """Behind the remark with the marking of the whole."""
    head, rest = text.split("\n", 1)
    assert head.startswith("# TLP:")
    return list(csv.DictReader(io.StringIO(rest)))


def test_a_bundle_is_sound_stix_with_what_explains_it(desktop: Desktop, token: str, incident: str) -> None:
    answer = file_of(desktop, token, f"/api/incidents/{incident}/export", "stix")
    bundle = stix2.parse(answer.text, allow_custom=True)
    kinds = {one["type"] for one in bundle.objects}
    assert {"incident", "identity", "marking-definition"} <= kinds
    defined = {one["id"] for one in bundle.objects}
    for one in bundle.objects:
        assert set(one.get("object_marking_refs", [])) <= defined
        assert one["type"] == "marking-definition" or one.get("object_marking_refs")
    assert len(defined) == len(bundle.objects)


@pytest.mark.parametrize("form", ["misp", "navigator", "navigator-ics"])
def test_a_document_of_another_tool_names_the_incident(desktop: Desktop, token: str, incident: str, form: str) -> None:
    document = json.loads(file_of(desktop, token, f"/api/incidents/{incident}/export", form).text)
    title = desktop.ask("GET", f"/api/incidents/{incident}", token=token).json()["incident"]["title"]
    assert title in {document.get("name"), document.get("Event", {}).get("info")}


def test_tables_and_lists_are_what_they_say(desktop: Desktop, token: str, incident: str) -> None:
    table = file_of(desktop, token, f"/api/incidents/{incident}/export", "csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert all(row["tlp"] == "TLP:AMBER" for row in rows_of(table.text))
    assert file_of(desktop, token, "/api/content/export", "list").headers["content-type"].startswith("text/plain")


def test_content_goes_out_with_what_allies_sent_under_their_own_marking(desktop: Desktop, token: str) -> None:
    sent = describe_address("198.51.100.77", party=STATES, marking=Tlp.AMBER_STRICT, now=seed.NOW)
    item = ContentItem(
        id=sent["id"],
        kind=ContentKind.STIX,
        title="x",
        origin=STATES.id,
        text=json.dumps(sent),
        is_active=True,
        added_at=seed.NOW,
        added_by="node",
    )
    with desktop.store.write() as tx:
        tx.save_content(item)
    objects = json.loads(file_of(desktop, token, "/api/content/export", "stix").text)["objects"]
    (found,) = (one for one in objects if one["id"] == sent["id"])
    assert found == sent
    assert Tlp.AMBER_STRICT.marking_id in {one["id"] for one in objects}
    rows = rows_of(file_of(desktop, token, "/api/content/export", "csv").text)
    assert {row["tlp"] for row in rows if row["value"] == "198.51.100.77"} == {"TLP:AMBER+STRICT"}


def test_whoever_may_not_read_has_no_file(desktop: Desktop, incident: str) -> None:
    assert desktop.ask("GET", f"/api/incidents/{incident}/export").status_code == 401
    nobody = desktop.session(name="nobody at all")
    answer = desktop.ask("GET", "/api/content/export", token=nobody)
    assert answer.status_code == 403
    assert answer.json()["code"] == "AMG-DENIED"


def test_what_is_not_there_or_no_format_is_said(desktop: Desktop, token: str) -> None:
    gone = desktop.ask("GET", "/api/incidents/incident--none/export", token=token)
    assert (gone.status_code, gone.json()["code"]) == (404, "AMG-EXPORT-UNKNOWN")
    assert desktop.ask("GET", "/api/campaigns/none/export", token=token).status_code == 404
    assert desktop.ask("GET", "/api/content/export?format=word", token=token).status_code == 422


def test_what_crossed_under_an_agreement_is_a_file(desktop: Desktop, token: str) -> None:
    (agreement,) = desktop.ask("GET", "/api/agreements", token=token).json()
    answer = file_of(desktop, token, f"/api/agreements/{agreement['id']}/export", "misp")
    assert json.loads(answer.text)["Event"]["info"] == agreement["title"]
