"""The readers on real logs: told right, every record accounted for, the known numbers found."""

from collections import Counter
from pathlib import Path

import pytest

from amagasa.adapters.source.records import open_records
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Format, Reject, SourceFault

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real logs is not beside the checkout"),
]
WEB = {
    "web/scan_netsparker_dvwa.access.log.gz": 7_314,
    "web/scan_w3af_joomla.access.log.gz": 3_996,
    "web/secrepo_2022-12-22.access.log.gz": 1_262,
    "web/semicomplete_2015-05-17_19.access.log.gz": 7_421,
}
SYSLOG = {"syslog/elastic_auth.log.gz": 7_121} | {
    f"syslog/loghub_{name}_2k.log.gz": 2_000 for name in ("Apache", "Linux", "Mac", "OpenSSH", "Thunderbird")
}
JSON = {
    "network/suricata/eve.ndjson.zst": 5_018,
    "network/suricata/eve_protocol_variety.ndjson.zst": 3_174,
    "network/zeek/apt29_day1.tar.gz": 2_140,
}
WINDOWS = {"evtx/evtx_attack_samples.tar.gz": 5_172, "windows/splunk/attackrange_T1027.ndjson.zst": None}
EVERY = [
    (path, form, n_records)
    for form, paths in (
        (Format.ACCESS, WEB),
        (Format.SYSLOG, SYSLOG),
        (Format.JSON, JSON),
        (Format.WINDOWS, WINDOWS),
    )
    for path, n_records in paths.items()
]


@pytest.mark.parametrize(("path", "form", "n_records"), EVERY, ids=[path for path, *_ in EVERY])
def test_real_log_is_told_right_and_read_whole(path: str, form: Format, n_records: int | None) -> None:
    formats: Counter[Format] = Counter()
    n_read = n_accepted = 0
    for item in open_records(DATA / path):
        assert isinstance(item, Chunk)
        found = normalise(item, lambda _route: ("src_ip",))
        formats[item.format] += found.n_read
        assert found.n_accepted + len(found.rejects) == found.n_read
        assert found.rejects == ()
        n_read += found.n_read
        n_accepted += found.n_accepted
        for batch in (batch for batch in found.batches if batch.rows):
            assert detail(batch, 0).event_at is not None
    assert set(formats) == {form}
    assert n_read == n_accepted
    assert n_records is None or n_read == n_records


def test_real_sshd_log_shows_who_failed_and_from_where() -> None:
    failed: Counter[str] = Counter()
    accepted = []
    for item in open_records(DATA / "syslog/loghub_OpenSSH_2k.log.gz"):
        assert isinstance(item, Chunk)
        for batch in normalise(item, lambda _route: ("message", "outcome", "src_ip", "user")).batches:
            for message, outcome, src_ip, user in batch.rows:
                if "Failed password" in message:
                    failed[src_ip] += 1
                if outcome == "success":
                    accepted.append((user, src_ip))
    assert failed.total() == 520
    assert failed["183.62.140.253"] == 286
    assert accepted == [("fztu", "119.137.62.142")]


@pytest.mark.parametrize("path", ["syslog/loghub_Proxifier_2k.log.gz", "web/secrepo_2022-12-22.labels.csv"])
def test_real_log_of_another_kind_is_a_fault_and_not_clean(path: str) -> None:
    found = list(open_records(DATA / path))
    assert [item.code for item in found if isinstance(item, SourceFault)] == ["AMG-SOURCE-005"]
    assert not any(isinstance(item, Chunk | Reject) for item in found)
