"""The preview says of each field what becomes of it, and shows the very bytes that then leave."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.app.field_previews import fields_of
from amagasa.app.permissions import Actor
from amagasa.app.previewing import preview_objects
from amagasa.app.provenance import Source
from amagasa.share.agreement import Consent
from amagasa.share.terms import Coarse, Generalise
from amagasa.vocab.errors import DeniedError
from amagasa.vocab.tlp import Tlp
from tests.app.test_sharing import ANALYST
from tests.entry.link_papers import NOW
from tests.entry.link_world import SECRET, Node, two_nodes


@pytest.fixture
def japan(tmp_path: Path) -> Iterator[Node]:
    with two_nodes(tmp_path) as (node, _):
        (agreement,) = node.agreements
        clauses = tuple(
            replace(
                clause,
                consent=Consent.RELEASE_OFFICER,
                n_persons=2,
                strip=("x_user",),
                pseudonymise=("x_host",),
                generalise=(Generalise(path="x_at", to=Coarse.NETWORK),),
            )
            for clause in agreement.clauses
        )
        node.agreements[:] = [replace(agreement, clauses=clauses)]
        yield node


def test_preview_shows_fields_clause_persons_and_the_bytes_which_then_leave(japan: Node) -> None:
    obj = japan.indicator(1, x_user="yamada", x_host="dc01.mil", x_at="192.0.2.77")
    (told,) = preview_objects(japan.store, ANALYST, [obj], book=japan.book, now=NOW, secret=SECRET)
    assert (told.outcome, told.clause, told.marking) == ("wanting", "1", "amber")
    assert (told.wants, told.n_wanted) == (("release-officer",), 2)
    whats = {field.path: field.what for field in told.fields}
    assert {name: whats[name] for name in ("x_user", "x_host", "x_at", "id", "name")} == {
        "x_user": "stripped",
        "x_host": "pseudonymised",
        "x_at": "generalised",
        "id": "reminted",
        "name": "kept",
    }
    assert {field.path: field.value for field in told.fields}["x_at"] == "192.0.2.0/24"
    assert japan.crossings() == []
    (made,) = japan.release([obj])
    assert told.content.encode() == made.content
    assert fields_of(made.content, made.changes) == told.fields


def test_preview_of_what_stays_gives_the_reason(japan: Node) -> None:
    told = preview_objects(
        japan.store, ANALYST, [japan.indicator(1, marking=Tlp.RED)], book=japan.book, now=NOW, secret=SECRET
    )
    assert [(one.outcome, one.code, one.content) for one in told] == [("withheld", "AMG-SHARE-CEILING", "")]


def test_preview_of_what_was_learnt_from_a_third_party_says_so(japan: Node) -> None:
    source = Source(party="identity--3d2e6b40-8f20-4d3e-8c8c-4f7c3c9ebd03", item="")
    (told,) = preview_objects(
        japan.store, ANALYST, [japan.indicator(1)], book=japan.book, now=NOW, secret=SECRET, sources=[source]
    )
    assert told.code == "AMG-SHARE-LEARNT"


def test_preview_without_any_role_is_denied(japan: Node) -> None:
    nobody = Actor(name="nobody", roles=frozenset())
    with pytest.raises(DeniedError):
        preview_objects(japan.store, nobody, [], book=japan.book, now=NOW, secret=SECRET)


@pytest.mark.parametrize("content", [b"", b"[]", b"no json", b'"text"', b"{}"])
def test_fields_of_anything_are_a_list(content: bytes) -> None:
    assert fields_of(content, [("gone", "stripped")])[:1] in ([], fields_of(b"", [("gone", "stripped")]))


def test_fields_name_pseudonyms_in_a_list_whose_items_moved() -> None:
    content = json.dumps({"labels": ["pseudonym-1"]}).encode()
    fields = fields_of(content, [("labels.[0]", "stripped"), ("labels.[1]", "pseudonymised")])
    assert [(field.path, field.what) for field in fields] == [
        ("labels.[0]", "stripped"),
        ("labels.[0]", "pseudonymised"),
    ]
