"""What an ally's indicator may not name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.share.harm import OwnGround, harm_of

OWN = OwnGround(["203.0.113.0/24", "2001:db8::/32", "mod.example", "no host", "10.1.2.3"])


def indicator(pattern: str, pattern_type: str = "stix") -> dict[str, Any]:
    return {"type": "indicator", "pattern_type": pattern_type, "pattern": pattern}


def code_of(pattern: str, own: OwnGround = OWN) -> str:
    found = harm_of(indicator(pattern), own)
    return found[0] if found is not None else ""


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '0.0.0.0/0']",
        "[ipv4-addr:value = '0.0.0.0']",
        "[ipv6-addr:value = '::/0']",
        "[ipv4-addr:value ISSUBSET '0.0.0.0/1']",
        "[ipv4-addr:value != '198.51.100.1']",
        "[ipv4-addr:value = '198.51.100.1' OR ipv4-addr:value = '0.0.0.0/0']",
        "[domain-name:value LIKE '%']",
        "[url:value MATCHES '.*']",
    ],
)
def test_harm_of_a_pattern_that_matches_everything_is_wide(pattern: str) -> None:
    assert code_of(pattern) == "AMG-ADMIT-WIDE"


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '203.0.113.7']",
        "[ipv4-addr:value = '203.0.0.0/16']",
        "[ipv4-addr:value ISSUBSET '203.0.113.128/25']",
        "[ipv6-addr:value = '2001:db8:1::1']",
        "[network-traffic:dst_ref.value = '10.1.2.3']",
        "[domain-name:value = 'mod.example']",
        "[domain-name:value = 'WWW.Mod.Example.']",
        "[domain-name:value LIKE '%.mod.example']",
        "[url:value = 'https://user@www.mod.example:8443/a?b=c']",
        "[url:value = 'http://203.0.113.7/x']",
        "[email-addr:value = 'minister@mod.example']",
        "[domain-name:value IN ('bad.test', 'a.mod.example')]",
        "[ipv4-addr:value = '198.51.100.1'] AND [domain-name:value = 'mod.example']",
    ],
)
def test_harm_of_a_pattern_that_names_what_is_ours_is_own(pattern: str) -> None:
    assert code_of(pattern) == "AMG-ADMIT-OWN"


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '198.51.100.1']",
        "[domain-name:value = 'notmod.example']",
        "[domain-name:value = 'mod.example.bad.test']",
        "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']",
        "[ipv4-addr:value = '10.1.2.4']",
        "no pattern",
        "[",
    ],
)
def test_harm_of_another_pattern_is_none(pattern: str) -> None:
    assert code_of(pattern) == ""


def test_harm_of_a_rule_is_not_judged_here() -> None:
    assert harm_of(indicator("title: mod.example", "sigma"), OWN) is None


def test_own_ground_counts_what_it_cannot_read() -> None:
    assert OWN.n_unread == 1
    assert not OwnGround(["", "no host", "host"])


@given(st.text(max_size=80))
def test_own_ground_answers_for_whatever_stands_in_a_pattern(text: str) -> None:
    assert OWN.holds(text) in {True, False}
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    assert code_of(f"[domain-name:value = '{escaped}']") in {"", "AMG-ADMIT-OWN", "AMG-ADMIT-WIDE"}
