import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import IntegrityError
from tests.contracts.store_samples import SCANNER, T0, alert, crossing, dead, incident

from amagasa.adapters.store import schema
from amagasa.adapters.store.sqlite import open_store
from amagasa.adapters.store.tables import METADATA
from amagasa.app.pages import Page
from amagasa.app.ports import CrossingState, Direction
from amagasa.incident.alert import Status
from amagasa.vocab.errors import WorldError

ROOT = Path(__file__).resolve().parents[3]
HEAD = schema.HEAD
NEXT = f"{int(HEAD) + 1:04}"
LATER = f"""
from alembic import op
revision = "{NEXT}"
down_revision = "{HEAD}"
def upgrade() -> None:
    op.execute("CREATE TABLE later (a)")
    op.execute("{{last}}")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def fill(path: Path) -> None:
    store = open_store(path)
    with store.write() as write:
        write.save_alerts([alert(n) for n in range(200)])
    store.close()


def code_when_opened(path: Path) -> str:
    with pytest.raises(WorldError) as caught:
        open_store(path, busy_timeout_s=0.05)
    assert caught.value.then
    return caught.value.code


def later(folder: Path, monkeypatch: pytest.MonkeyPatch, last: str = "SELECT 1") -> None:
    """From now on the program knows one revision more."""
    shutil.copytree(schema.MIGRATIONS, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "migrations" / "versions" / f"r{NEXT}_later.py").write_text(LATER.format(last=last))
    monkeypatch.setattr(schema, "MIGRATIONS", folder / "migrations")
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, NEXT))
    monkeypatch.setattr(schema, "HEAD", NEXT)


def test_store_files_when_made_are_for_their_owner_only(path: Path) -> None:
    old = os.umask(0)
    try:
        store = open_store(path)
        with store.write() as write:
            write.save_meta("a", "b")
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(old)
    assert modes == {"state.sqlite": 0o600, "state.sqlite-wal": 0o600, "state.sqlite-shm": 0o600}


def test_store_file_when_open_to_others_is_closed_to_them(path: Path) -> None:
    fill(path)
    path.chmod(0o644)
    open_store(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_store_in_a_folder_which_is_missing_cannot_be_opened(tmp_path: Path) -> None:
    assert code_when_opened(tmp_path / "none" / "state.sqlite") == "AMG-STORE-OPEN"


def test_store_which_is_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    assert code_when_opened(tmp_path) == "AMG-STORE-OPEN"


@pytest.mark.parametrize("content", [b"not a database at all" * 500, b"\x00" * 4096, os.urandom(9_000)])
def test_store_which_is_another_file_is_refused_untouched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert code_when_opened(path) == "AMG-STORE-CORRUPT"
    assert path.read_bytes() == content


def test_store_which_is_another_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title)")
    assert code_when_opened(path) == "AMG-STORE-FOREIGN"


def test_store_when_damaged_says_so_and_check_finds_it(path: Path) -> None:
    fill(path)
    whole = path.read_bytes()
    # From the first page that holds something of an alert on: wherever the tables before it end.
    start = whole.index(b"Path traversal") // 4096 * 4096
    path.write_bytes(whole[:start] + os.urandom(len(whole) - start))
    store = open_store(path)
    assert store.check()
    with pytest.raises(WorldError) as caught, store.read() as read:
        read.alerts(Page(limit=500))
    assert caught.value.code in {"AMG-STORE-CORRUPT", "AMG-STORE-BODY"}
    store.close()


def test_write_when_another_process_holds_the_store_says_so(path: Path) -> None:
    store = open_store(path, busy_timeout_s=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WorldError, match="AMG-STORE-LOCKED"), store.write() as write:
            write.save_meta("a", "b")
        with store.read() as read:
            assert read.meta("a") is None
        other.execute("ROLLBACK")
    with store.write() as write:
        write.save_meta("a", "b")
    store.close()


def test_write_when_the_disk_is_full_keeps_nothing_and_goes_on_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(path).close()
    # SQLite's own limit of pages answers as a full disk does: SQLITE_FULL.
    monkeypatch.setattr("amagasa.adapters.store.sqlite._PRAGMAS", ("PRAGMA max_page_count = 80",))
    store = open_store(path)

    def write_too_much() -> None:
        with store.write() as write:
            write.save_meta("a", "b")
            write.save_alerts([alert(n) for n in range(1000)])

    with pytest.raises(WorldError, match="AMG-STORE-FULL"):
        write_too_much()
    with store.read() as read:
        assert read.meta("a") is None
        assert read.n_alerts() == 0
    with store.write() as write:
        write.save_meta("a", "c")
    store.close()


CRAMPED = """
import resource, sys
from pathlib import Path
from amagasa.adapters.store.sqlite import open_store
from amagasa.vocab.errors import WorldError
from tests.contracts.store_samples import alert
store = open_store(Path(sys.argv[1]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
try:
    with store.write() as write:
        write.save_alerts([alert(n) for n in range(2000)])
except WorldError as error:
    sys.stdout.write(error.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
with store.write() as write:
    write.save_alerts([alert(1)])
with store.read() as read:
    sys.stdout.write(f" {read.n_alerts()} {store.check()}")
store.close()
"""


def test_write_when_the_disk_takes_no_more_keeps_nothing_and_goes_on_later(path: Path) -> None:
    # A limit on the size of files makes the operating system itself refuse the write, in a process of its own.
    run = subprocess.run(
        [sys.executable, "-c", CRAMPED, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout in {"AMG-STORE-IO 1 ()", "AMG-STORE-FULL 1 ()"}, run.stderr


def test_write_when_the_store_is_read_only_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(path).close()
    monkeypatch.setattr("amagasa.adapters.store.sqlite._PRAGMAS", ("PRAGMA query_only = ON",))
    store = open_store(path)
    with pytest.raises(WorldError, match="AMG-STORE-READONLY"), store.write() as write:
        write.save_meta("a", "b")
    store.close()


def test_readers_when_too_many_are_told_to_come_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amagasa.adapters.store.sqlite.READERS", 4)
    monkeypatch.setattr("amagasa.adapters.store.sqlite.READER_WAIT_S", 0.01)
    store = open_store(path)
    held = [store.read() for _ in range(4)]
    for context in held:
        context.__enter__()
    with pytest.raises(WorldError, match="AMG-STORE-BUSY"), store.read():
        pass
    for context in held:
        context.__exit__(None, None, None)
    with store.read() as read:
        assert read.n_alerts() == 0
    store.close()


def test_open_when_another_process_writes_does_not_wait(path: Path) -> None:
    open_store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store = open_store(path, busy_timeout_s=0.05)
        with store.read() as read:
            assert read.n_alerts() == 0
        store.close()


def test_open_by_many_at_once_makes_one_store(path: Path) -> None:
    gate = threading.Barrier(6)

    def open_at_once(_: int) -> int:
        gate.wait()
        store = open_store(path)
        with store.write() as write:
            write.save_meta("n", str(int(write.meta("n") or "0") + 1))
        store.close()
        return 1

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(open_at_once, range(6))) == 6
    store = open_store(path)
    with store.read() as read:
        assert read.meta("n") == "6"
    store.close()


def test_alert_which_names_an_incident_that_is_not_there_is_a_mistake(path: Path) -> None:
    store = open_store(path)

    def save() -> None:
        with store.write() as write:
            write.save_meta("a", "b")
            write.save_alerts([alert(1, incident_id="incident--none")])

    with pytest.raises(IntegrityError):
        save()
    with store.read() as read:
        assert read.meta("a") is None
    store.close()


def test_write_from_many_threads_is_never_lost(path: Path) -> None:
    store = open_store(path)

    def save(base: int) -> None:
        for n in range(10):
            with store.write() as write:
                write.save_alerts([alert(base + n)])

    threads = [threading.Thread(target=save, args=(100 * k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as read:
        assert read.n_alerts() == 60
    store.close()


def test_backup_over_a_file_which_exists_is_refused(path: Path, tmp_path: Path) -> None:
    store = open_store(path)
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(WorldError, match="AMG-STORE-COPY"):
        store.backup(tmp_path / "copy")
    with pytest.raises(WorldError, match="AMG-STORE-COPY"):
        store.backup(tmp_path / "none" / "copy")
    assert (tmp_path / "copy").read_text() == "mine"
    store.close()


def test_migrations_end_in_the_tables_which_the_program_uses(path: Path) -> None:
    open_store(path).close()

    def is_plain(name: str | None, *_: object) -> bool:
        return "_words" not in str(name)  # tables which FTS5 makes for itself

    with create_engine(f"sqlite:///{path}").connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_plain})
        assert compare_metadata(context, METADATA) == []


def test_migrations_in_the_folder_are_those_which_the_program_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(walked)) == schema.REVISIONS


def test_store_when_older_is_copied_and_brought_up_to_date(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path)
    later(tmp_path, monkeypatch)
    store = open_store(path)
    with store.read() as read:
        assert read.n_alerts() == 200
    store.close()
    copy = path.with_name(f"state.sqlite.before-{HEAD}")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as now, closing(sqlite3.connect(copy)) as before:
        assert now.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEXT,)]
        assert before.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
        assert before.execute("SELECT count(*) FROM alert").fetchall() == [(200,)]


def test_store_when_its_migration_fails_stays_as_it_was(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path)
    with monkeypatch.context() as patch:
        later(tmp_path, patch, last="INSERT INTO nowhere VALUES (1)")
        assert code_when_opened(path) == "AMG-STORE-MIGRATION"
        assert code_when_opened(path) == "AMG-STORE-MIGRATION"
    names = sorted(file.name for file in path.parent.iterdir() if ".before-" in file.name)
    assert names == [f"state.sqlite.before-{HEAD}", f"state.sqlite.before-{HEAD}.2"]
    store = open_store(path)
    with store.read() as read:
        assert read.n_alerts() == 200
    store.close()
    with closing(sqlite3.connect(path)) as now:
        assert now.execute("SELECT name FROM sqlite_master WHERE name = 'later'").fetchall() == []


def test_store_when_newer_than_the_program_is_refused_untouched(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        later(tmp_path, patch)
        fill(path)
    before = path.read_bytes()
    assert code_when_opened(path) == "AMG-STORE-NEWER"
    assert path.read_bytes() == before


@pytest.fixture
def plans(path: Path) -> Iterator[dict[str, list[str]]]:
    """The plan of every SELECT that runs, by its text."""
    found: dict[str, list[str]] = {}
    store = open_store(path)
    with store.write() as write:
        write.save_incidents([incident(n) for n in range(50)])
        write.save_alerts([alert(n, incident_id=f"incident--{n % 50:06d}") for n in range(300)])
        for n in range(100):
            write.add_crossing(crossing(n))
        write.save_dead([dead(n) for n in range(50)])

    def explain(connection: Connection, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            driver = connection.connection.cursor()
            driver.execute("EXPLAIN QUERY PLAN " + statement, parameters)  # type: ignore[arg-type]
            found[statement] = [str(row[3]) for row in driver.fetchall()]

    event.listen(store._readers, "before_cursor_execute", explain)  # type: ignore[attr-defined]
    with store.read() as read:
        page = Page(limit=3)
        for status in (None, Status.OPEN):
            _, cursor = read.incidents(page, status=status)
            read.incidents(Page(before=cursor), status=status)
        for name in (None, "incident--000001"):
            _, cursor = read.alerts(page, incident_id=name)
            read.alerts(Page(before=cursor), incident_id=name)
        for ally, direction, state in ((None, None, CrossingState.PENDING), ("identity--us", Direction.OUT, None)):
            _, cursor = read.crossings(page, ally=ally, direction=direction, state=state)
            read.crossings(Page(before=cursor), ally=ally, direction=direction, state=state)
        read.due("identity--us", now=T0, limit=5)
        read.pressing("identity--us", now=T0, limit=5)
        read.released_after("identity--us", added_after=T0, after_id=3, limit=5)
        read.crossings_of("identity--us", Direction.OUT, ["sighting--000001", "sighting--000002"])
        read.alerts_by_key(["key--000001", "key--000002"], since=T0, until=T0)
        read.incidents_touching([SCANNER], since=T0)
        read.dead_page(page, source="web")
        read.objects_page(page, object_type="indicator")
        read.objects_page(page, origin="")
    yield found
    store.close()


def test_queries_of_long_lists_use_an_index_and_sort_nothing(plans: dict[str, list[str]]) -> None:
    assert len(plans) > 15
    for statement, plan in plans.items():
        # These sort, and what they sort is bounded: what shares an entity or a key.
        few = any(name in statement for name in ("incident_entity", "alembic_version", "alert.key IN", '"key" IN'))
        assert few or not any("TEMP B-TREE" in line and "PART OF ORDER BY" not in line for line in plan), (
            statement,
            plan,
        )
        assert not any(line.startswith("SCAN") and " USING " not in line for line in plan if not few), (statement, plan)
    due = next(plan for statement, plan in plans.items() if "next_try_at <=" in statement)
    assert "crossing_due" in due[0]
    fetch = next(plan for statement, plan in plans.items() if "(crossing.created_at, crossing.id) >" in statement)
    assert "crossing_fetch" in fetch[0]
