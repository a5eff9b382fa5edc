"""Canonical forms: one spelling for what is one thing, found again however it is written."""

import ipaddress
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.forms import (
    MAX_DIRECTORIES,
    canonical_address,
    canonical_domain,
    canonical_url,
    domain_and_parents,
    refanged,
    url_and_prefixes,
)

LABELS: Final = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
DOMAINS: Final = st.lists(LABELS, min_size=1, max_size=5).map(lambda labels: ".".join([*labels, "example"]))
PATHS: Final = st.lists(st.text(alphabet="abcXYZ019-._~%/?=&;äあ ", max_size=8), max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("http://Evil.example", "evil.example/"),
        ("HTTPS://user:secret@EVIL.example:443/a/./b/../c?x=1#part", "evil.example/a/c?x=1"),
        ("http://evil.example/%7euser/%2f", "evil.example/~user/%2F"),
        ("http://evil.example/100%", "evil.example/100%25"),
        ("http://[::FFFF:198.51.100.4]:80/x", "198.51.100.4/x"),
        ("http://[2001:DB8:0::1]:8080/", "[2001:db8::1]:8080/"),
        ("http://198.51.100.4:8080", "198.51.100.4:8080/"),
        ("evil.example/a/b/", "evil.example/a/b/"),
        ("ftp://files.example/z", "ftp://files.example/z"),
        ("http://пример.example/путь", "xn--e1afmkfd.example/%D0%BF%D1%83%D1%82%D1%8C"),
        ("http://evil.example\\a", "evil.example/a"),
        ("http://evil.example/a/..", "evil.example/"),
        ("http://evil.example/?", "evil.example/"),
        ("http://evil.example./", "evil.example/"),
        (" http://evil.example/a\tb\n", "evil.example/ab"),
    ],
)
def test_canonical_url_says_one_thing_in_one_way(written: str, canonical: str) -> None:
    assert canonical_url(written) == canonical


@pytest.mark.parametrize(
    "written", ["", "http://", "http://:80/", "http://a b/", "http://x:port/", "http://x:123456/", "http://[zz]/x"]
)
def test_canonical_url_without_a_host_is_none(written: str) -> None:
    assert canonical_url(written) is None


@given(DOMAINS, PATHS, st.sampled_from(["http://", "https://", "HTTP://", ""]))
def test_canonical_url_of_a_canonical_link_is_itself(domain: str, path: str, scheme: str) -> None:
    once = canonical_url(f"{scheme}{domain}/{path}")
    assert once is not None
    assert canonical_url(once) == once
    assert canonical_url("https://" + once) == once


@given(st.text(max_size=80) | st.text(alphabet="htp:/\\[]@.%?#a1", max_size=40))
def test_canonical_url_of_any_text_ends_and_settles(text: str) -> None:
    once = canonical_url(text)
    assert once is None or canonical_url(once) == once


def test_canonical_url_of_a_megabyte_is_cut() -> None:
    assert len(canonical_url("http://a.example/" + "%" * 1_000_000) or "") < 30_000


@given(DOMAINS, st.lists(LABELS, max_size=6), st.lists(LABELS, max_size=4))
def test_url_and_prefixes_hold_each_folder_above(domain: str, above: list[str], below: list[str]) -> None:
    folder = "/".join([domain, *above, ""])
    assert canonical_url(folder) in url_and_prefixes("http://" + folder + "/".join([*below, "x.php?a=b"]))


def test_url_and_prefixes_of_a_file_are_not_those_of_one_that_begins_alike() -> None:
    assert "evil.example/kit" not in url_and_prefixes("http://evil.example/kit2")
    assert "evil.example/kit" not in url_and_prefixes("http://evil.example/kit/a")
    assert "evil.example/kit" in url_and_prefixes("http://evil.example/kit?a")


def test_url_and_prefixes_of_a_deep_link_are_bounded() -> None:
    assert len(url_and_prefixes("http://evil.example/" + "a/" * 5_000)) <= MAX_DIRECTORIES + 2


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("hxxp://1[.]2[.]3[.]4", "http://1.2.3.4"),
        ("hXXps[:]//evil[dot]example/a", "https://evil.example/a"),
        ("evil(.)example", "evil.example"),
        ("boss[at]evil[.]example", "boss@evil.example"),
        ("http://evil.example/a(1)", "http://evil.example/a(1)"),
        ("hxxp", "hxxp"),
    ],
)
def test_refanged_reads_what_analysts_write(written: str, plain: str) -> None:
    assert refanged(written) == plain


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("EVIL.Example.", "evil.example"),
        ("*.evil.example", "evil.example"),
        (".evil.example", "evil.example"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("XN--E1AFMKFD.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
        ("ｅｖｉｌ．example", "evil.example"),
        ("pаypal.example", "xn--pypal-4ve.example"),  # the first a is Cyrillic
        ("_dmarc.evil.example", "_dmarc.evil.example"),
        ("evil", None),
        ("1.2.3.4", None),
        ("evil..example", None),
        ("-evil.example", None),
        ("a" * 64 + ".example", None),
        ("a." * 130 + "example", None),
        ("\udcff.example", None),
        ("", None),
    ],
)
def test_canonical_domain_of_any_spelling(written: str, canonical: str | None) -> None:
    assert canonical_domain(written) == canonical


@given(DOMAINS, st.lists(LABELS, max_size=3))
def test_domain_and_parents_hold_the_domain_of_each_name_below(domain: str, below: list[str]) -> None:
    assert domain in domain_and_parents(".".join([*below, domain]))


@given(DOMAINS, DOMAINS)
def test_domain_and_parents_agree_with_a_plain_reading(name: str, other: str) -> None:
    assert (other in domain_and_parents(name)) is (name == other or name.endswith("." + other))


@given(st.ip_addresses(), st.integers(0, 128))
def test_canonical_address_agrees_with_the_library(address: ipaddress.IPv4Address, length: int) -> None:
    length = min(length, address.max_prefixlen)
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    found = canonical_address(f"{address}/{length}")
    assert found is not None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or length < 96:
        assert ipaddress.ip_network(found) == network
        assert ("/" in found) is (length < address.max_prefixlen)


@given(st.ip_addresses(v=4))
def test_canonical_address_of_a_mapped_one_is_the_ipv4(address: ipaddress.IPv4Address) -> None:
    assert canonical_address(f"::ffff:{address}") == str(address)
    assert canonical_address(str(ipaddress.IPv6Address(f"::ffff:{address}"))) == str(address)
