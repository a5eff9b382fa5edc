"""`amagasa handover`, and the search of alerts and incidents, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contracts.store_samples import T0, alert, incident

from amagasa.adapters.store.sqlite import open_store
from amagasa.incident.case import Deed, DeedKind

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(typed: Run, tmp_path: Path) -> Run:
    """A node with an incident in it."""
    typed("init", "tokyo", "--name", "Japan", "--country", "JP")
    (path,) = (tmp_path / "tokyo").rglob("*.sqlite")
    store = open_store(path)
    with store.write() as tx:
        tx.save_incidents([incident(1, title="電力会社への侵入")])
        tx.save_alerts([alert(1, incident_id="incident--000001", techniques=("T1003.001",))])
        tx.cases.add(Deed(incident_id="incident--000001", kind=DeedKind.NOTE, at=T0, by="mori", text="電話した"))
    store.close()
    return typed


def test_watch_is_left_shown_and_listed(run: Run) -> None:
    code, _, err = run("handover", "leave", "--node", "tokyo", "--all", "--note", "静かな夜")
    assert (code, "1 incidents of 1 open" in err) == (0, True)
    _, out, err = run("handover", "show", "1", "--node", "tokyo")
    assert "静かな夜" in err
    assert "電力会社" in out
    (one,) = json.loads(run("handover", "list", "--json", "--node", "tokyo")[1])
    assert [given["incident_id"] for given in one["given"]] == ["incident--000001"]
    assert one["taken_at"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("take", "1"), "AMG-WATCH-UNKNOWN"),
        (("leave", "--to", "nobody"), "AMG-WATCH-OFFICER"),
        (("leave", "--incident", "incident--none"), "AMG-INCIDENT-UNKNOWN"),
        (("show", "7"), "there is no hand-over 7"),
        (("take", "0"), "NUMBER"),
    ],
)
def test_what_cannot_be_handed_over_is_said(run: Run, words: tuple[str, ...], says: str) -> None:
    code, _, err = run("handover", *words, "--node", "tokyo")
    assert code == 2
    assert says in err


def test_alerts_and_incidents_are_found_by_words(run: Run) -> None:
    assert "電力会社への侵入" in run("incident", "list", "--find", "電話", "--node", "tokyo")[1]
    assert "Path traversal" in run("alert", "list", "--technique", "T1003", "--node", "tokyo")[1]
    code, out, err = run("alert", "list", "--find", "nobody", "--node", "tokyo")
    assert (code, out.strip()) == (0, "")
    assert "nothing was found" in err
