"""Files of what is harmless and of how confidence ages: read whole, or refused with the reason."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from amagasa.adapters.content.policies import load_policy
from amagasa.detect.indicators.kinds import ADDRESS, DOMAIN
from amagasa.vocab.errors import BadInputError

ALLOW = """
[[allow]]
name = "Our scanners"
values = ["203.0.113.0/28", "scan.example"]
until = 2026-12-31

[[known]]
name = "Our mirror"
values = ["198.51.100.9"]
"""


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("66.249.66.1", "Googlebot"),
        ("157.55.39.24", "Bingbot"),
        ("2001:4860:4860::8888", "public resolver"),
        ("8.8.8.8", "public resolver"),
        ("1.1.1.1", "public resolver"),
        ("9.9.9.9", "public resolver"),
        ("198.41.0.4", "root name server"),
    ],
)
def test_load_policy_knows_services_which_lists_name(address: str, name: str) -> None:
    verdicts = load_policy().allowlist.verdicts(ADDRESS, address)
    assert [(one.name, one.is_guard) for one in verdicts] == [(name, True)]


def test_load_policy_says_nothing_of_others() -> None:
    allowlist = load_policy().allowlist
    assert allowlist.verdicts(ADDRESS, "198.51.100.9") == []
    assert allowlist.verdicts(DOMAIN, "googlebot.com.evil.example") == []


def test_load_policy_takes_the_party_s_own_list(tmp_path: Path) -> None:
    (tmp_path / "allowlist.toml").write_text(ALLOW)
    allowlist = load_policy(allowlists=[tmp_path / "allowlist.toml"]).allowlist
    (own,) = allowlist.verdicts(ADDRESS, "203.0.113.7")
    assert (own.name, own.is_guard) == ("Our scanners", False)
    assert own.holds(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert not own.holds(datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert [one.name for one in allowlist.verdicts(DOMAIN, "a.scan.example")] == ["Our scanners"]
    assert [one.is_guard for one in allowlist.verdicts(ADDRESS, "198.51.100.9")] == [True]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[allow]]\nname = 'x'\nvalues = ['prose it is']\n", "prose it is"),
        ("[[allow]]\nname = 'x'\nvalue = ['198.51.100.9']\n", "value"),
        ("[[allow]]\nvalues = ['198.51.100.9']\n", "name"),
        ("[[deny]]\nname = 'x'\nvalues = []\n", "deny"),
        ("not toml", "allowlist.toml"),
        ("[[allow]]\nname = 'x'\nvalues = ['\udcff']\n", "allowlist.toml"),
    ],
)
def test_load_policy_of_a_wrong_allowlist_is_refused_whole(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "allowlist.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInputError, match="AMG-ALLOW-001") as caught:
        load_policy(allowlists=[tmp_path / "allowlist.toml"])
    assert named in str(caught.value)


def test_load_policy_of_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="AMG-ALLOW-001"):
        load_policy(allowlists=[tmp_path / "no.toml"])
    with pytest.raises(BadInputError, match="AMG-AGEING-001"):
        load_policy(ageing=tmp_path / "no.toml")


def test_load_policy_takes_falls_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "ageing.toml").write_text("floor = 5\n[list.ip-addr]\nhalf_life_days = 7\nholds_days = 1\n")
    ageing = load_policy(ageing=tmp_path / "ageing.toml").ageing
    assert (ageing.floor, ageing.list["ip-addr"].half_life_days, ageing.list["url"].half_life_days) == (5, 7, 180)


@pytest.mark.parametrize(
    "text",
    [
        "floor = 101",
        "[list.address]\nhalf_life_days = 7",
        "[list.ip-addr]\nhalf_life = 7",
        "[list.url]\nholds_days = -1",
    ],
)
def test_load_policy_of_a_wrong_ageing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ageing.toml").write_text(text)
    with pytest.raises(BadInputError, match="AMG-AGEING-001"):
        load_policy(ageing=tmp_path / "ageing.toml")
