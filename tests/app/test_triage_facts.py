"""What is left to read of real logs (needs the folder of real logs)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.active_content import as_held
from amagasa.app.open_windows import OpenWindows
from amagasa.app.pages import Page
from amagasa.app.path import look
from amagasa.app.queries import all_alerts
from amagasa.app.watch import record_batch, record_time
from amagasa.app.worker_messages import Batch
from amagasa.detect.correlation.windows import Manner
from amagasa.entry.wiring_detect import ContentFiles, Loaded, load_content, open_all
from amagasa.event.record import Chunk
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.links import kind_of, values_of
from amagasa.vocab.severity import Severity

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
LATER = datetime(2035, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    if not DATA.is_dir():
        pytest.skip("the folder of real logs is not there")
    return load_content(ContentFiles())


def read(loaded: Loaded, folder: Path, name: str) -> list[tuple[Incident, list[Alert]]]:
    """The incidents that a node makes of this log, with their alerts."""
    store = open_store(folder / "state.sqlite")
    sight, windows = loaded.sight(), OpenWindows(store, Manner(links=loaded.links), lambda: datetime.now(UTC))
    windows.use(loaded.links)
    for chunk in open_all([str(DATA / name)], None):
        assert isinstance(chunk, Chunk)
        seen = look(chunk, sight, now=datetime.now(UTC))
        batch = Batch(
            source="log",
            token={},
            n_read=seen.n_read,
            n_accepted=seen.n_accepted,
            n_rejected=0,
            rejects=(),
            detections=tuple(map(as_held, seen.report.detections)),
            faults=(),
            last_record_at=None,
            lag_bytes=0,
            hits=seen.hits,
        )
        record_batch(store, batch, lambda *_: (), now=datetime.now(UTC), windows=windows)
    record_time(store, windows, lambda *_: (), now=LATER)
    with store.read() as reading:
        incidents, _ = reading.incidents(Page(limit=500))
        found = [(one, all_alerts(reading, one.id)) for one in incidents if one.merged_into is None]
    store.close()
    for incident, alerts in found:
        assert incident.n_by_alert == {alert.id: alert.n_detections for alert in alerts}
    return found


def sources(incident: Incident) -> set[str]:
    return {values_of(one)[0] for one in incident.links if kind_of(one) == "source-address"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("web/scan_netsparker_dvwa.access.log.gz", {"192.168.4.164"}),
        ("web/scan_w3af_joomla.access.log.gz", {"192.168.4.163", "192.168.1.20"}),
    ],
)
def test_scan_is_one_incident(loaded: Loaded, tmp_path: Path, name: str, wanted: set[str]) -> None:
    ((incident, _),) = read(loaded, tmp_path, name)
    assert sources(incident) == wanted


def test_ordinary_visitors_are_no_incident(loaded: Loaded, tmp_path: Path) -> None:
    assert read(loaded, tmp_path, "web/semicomplete_2015-05-17_19.access.log.gz") == []


@pytest.mark.parametrize("name", ["comsvcs", "logonpasswords", "out-minidump", "outflank-dumpert", "sharpdump"])
def test_theft_of_credentials_is_in_one_of_at_most_three_incidents(loaded: Loaded, tmp_path: Path, name: str) -> None:
    found = read(loaded, tmp_path, f"windows/compound/metasploit_{name}_lsass_memory_dump.ndjson.zst")
    assert 1 <= len(found) <= 3
    assert any("T1003.001" in incident.techniques for incident, _ in found)


def test_break_in_stands_with_the_failures_before_it(loaded: Loaded, tmp_path: Path) -> None:
    found = read(loaded, tmp_path, "syslog/elastic_auth.log.gz")
    ((incident, alerts),) = [one for one in found if one[0].severity >= Severity.HIGH]
    assert sources(incident) == {"24.151.103.17"}
    # 154 of its 157 failures; three were on the day before.
    assert sum(alert.n_detections for alert in alerts if "refused" in alert.title) == 154


def test_sign_in_that_is_no_attack_is_in_no_incident(loaded: Loaded, tmp_path: Path) -> None:
    found = read(loaded, tmp_path, "syslog/loghub_OpenSSH_2k.log.gz")
    assert all("119.137.62.142" not in sources(incident) for incident, _ in found)


def test_hunt_by_four_hundred_addresses_is_one_incident(loaded: Loaded, tmp_path: Path) -> None:
    found = read(loaded, tmp_path, "web/secrepo_2022-12-22.access.log.gz")
    assert len(found) <= 10
    assert max(len(sources(incident)) for incident, _ in found) >= 380
