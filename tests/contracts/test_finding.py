"""Search in the store: by words of titles, entities, notes, and by technique."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import create_engine

from amagasa.adapters.store.migrating import upgrade
from amagasa.adapters.store.schema import MIGRATIONS
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.pages import Page
from amagasa.app.ports import Store
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.case import Deed, DeedKind
from amagasa.incident.finding import sought_of
from amagasa.vocab.errors import BadInputError
from tests.contracts.store_samples import T0, alert, incident

PAGE: Final = Page(limit=500)


def host(value: str) -> Entity:
    return Entity(kind=EntityKind.HOST, value=value)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path / "state.sqlite")
    with made.write() as tx:
        tx.save_incidents(
            [incident(1, title="電力会社の配信サーバーへの侵入"), incident(2, entities=(host("dc01.corp.example"),))]
        )
        tx.save_alerts(
            [
                alert(1, title="LSASS memory read", techniques=("T1003.001",), entities=(host("dc01.corp.example"),)),
                alert(2, title="認証の総当たり", techniques=("T1110",)),
                alert(3, title="Credential store read", techniques=("T1003.002",)),
            ]
        )
    yield made
    made.close()


def alerts(store: Store, words: str = "", *, technique: str = "") -> list[str]:
    with store.read() as read:
        return [one.id[-1] for one in read.finding.alerts(PAGE, words=words, technique=technique)[0]]


def incidents(store: Store, words: str) -> list[str]:
    with store.read() as read:
        return [one.id[-1] for one in read.finding.incidents(PAGE, words=words)[0]]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("lsass", ["1"]),
        ("LSA mem", ["1"]),
        ("read", ["3", "1"]),
        ("dc01", ["1"]),
        ("corp.example", ["1"]),
        ("203.0.113", ["3", "2"]),
        ("総当たり", ["2"]),
        ("認証", ["2"]),
        ("証認", []),
        ("read nobody", []),
        ("", []),
        (' " * - ', []),
        ("t1110", ["2"]),
        ('lsass" OR "read', []),
    ],
)
def test_alerts_are_found_by_the_beginnings_of_their_words(store: Store, words: str, found: list[str]) -> None:
    assert alerts(store, words) == found


def test_alerts_of_a_technique_are_those_of_its_sub_techniques_too(store: Store) -> None:
    assert alerts(store, technique="T1003") == ["3", "1"]
    assert alerts(store, technique="t1003.001") == ["1"]
    assert alerts(store, technique="T1003.00") == []
    assert alerts(store, "store", technique="T1003") == ["3"]
    with store.read() as read:
        assert read.finding.n_alerts(technique="T1003", most=10) == 2
        assert read.finding.n_alerts(technique="T1003", most=1) == 1


def test_an_alert_that_changed_is_found_by_what_it_is_now(store: Store) -> None:
    with store.write() as tx:
        tx.save_alerts([alert(1, title="Quiet now", techniques=("T1005",), n_detections=9)])
    assert alerts(store, "lsass") == []
    assert alerts(store, "quiet") == ["1"]
    assert alerts(store, technique="T1003") == ["3"]


def test_what_was_rolled_back_is_not_found(store: Store) -> None:
    def fail() -> None:
        with store.write() as tx:
            tx.save_alerts([alert(9, title="never happened")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert alerts(store, "never") == []


def test_incidents_are_found_by_title_entity_and_note_until_it_is_taken_back(store: Store) -> None:
    assert incidents(store, "配信サーバー") == ["1"]
    assert incidents(store, "配信 ｻｰﾊﾞｰ") == ["1"]
    assert incidents(store, "dc01") == ["2"]
    with store.write() as tx:
        note = tx.cases.add(deed(DeedKind.NOTE, "営業所に電話した, ticket OPS-17"))
    assert incidents(store, "電話 ops-17") == ["1"]
    with store.write() as tx:
        tx.save_incidents([incident(1, title="もとのまま")])
    assert incidents(store, "もと 電話") == ["1"]
    with store.write() as tx:
        tx.cases.add(replace(deed(DeedKind.UNDO, ""), of=note.id))
    assert incidents(store, "電話") == []


def deed(kind: DeedKind, text: str) -> Deed:
    return Deed(incident_id="incident--000001", kind=kind, at=T0, by="mori", text=text)


def test_pages_of_what_was_found_have_each_alert_once(store: Store) -> None:
    with store.write() as tx:
        tx.save_alerts([alert(number, title="many") for number in range(10, 35)])
    found: list[str] = []
    before = None
    with store.read() as read:
        while True:
            some, before = read.finding.alerts(Page(limit=10, before=before), words="many")
            found += [one.id for one in some]
            if before is None:
                break
    assert found == [f"alert--{number:06d}" for number in range(34, 9, -1)]


def test_a_cursor_of_another_list_is_refused(store: Store) -> None:
    with store.read() as read:
        cursor = read.alerts(Page(limit=1))[1]
        with pytest.raises(BadInputError, match="AMG-STORE-CURSOR"):
            read.finding.alerts(Page(limit=1, before=cursor), words="read")


def test_no_text_breaks_the_index_or_the_query(tmp_path: Path) -> None:
    made = open_store(tmp_path / "state.sqlite")

    @settings(max_examples=100, deadline=None)
    @given(words=st.text(max_size=60), title=st.text(max_size=60))
    def try_both(words: str, title: str) -> None:
        with made.write() as tx:
            tx.save_alerts([alert(1, title=title), alert(2, title=words)])
        found = alerts(made, title)
        assert "1" in found or not sought_of(title)
        assert set(alerts(made, words)) <= {"1", "2"}

    try_both()
    assert made.check() == ()
    made.close()


def test_a_store_of_before_is_searched_like_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    made = open_store(path)
    with made.write() as tx:
        tx.save_incidents([incident(1, title="電力会社")])
        tx.save_alerts([alert(number, title="old one") for number in range(1, 4)])
        tx.cases.add(deed(DeedKind.NOTE, "phoned"))
    made.close()
    old = tmp_path / "old.sqlite"
    with create_engine(f"sqlite:///{old}").begin() as connection:
        upgrade(connection, MIGRATIONS, "0009")
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS new", (str(path),))
        for table in ("alert", "incident", "deed"):
            names = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM new.{table}")  # noqa: S608
        connection.commit()
    made = open_store(old)
    assert alerts(made, "old") == ["3", "2", "1"]
    assert alerts(made, technique="T1190") == ["3", "2", "1"]
    assert incidents(made, "電力 phoned") == ["1"]
    made.close()
