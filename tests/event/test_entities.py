"""Which entities an event names, and which it must not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.entities import MAX_ENTITIES, MAX_VALUE_CHARACTERS, address_of, entities_of
from amagasa.event.entity import Entity, EntityKind

MD5 = "0123456789abcdef0123456789abcdef"
SHA256 = "ab" * 32


def named(fields: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entity.kind.value, entity.value) for entity in entities_of(fields)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"c-ip": "203.0.113.7"}, [("source-address", "203.0.113.7")]),
        ({"c-ip": "::ffff:203.0.113.7"}, [("source-address", "203.0.113.7")]),
        ({"c-ip": "2001:DB8:0::7"}, [("source-address", "2001:db8::7")]),
        ({"src_ip": "[2001:db8::7]:443"}, [("source-address", "2001:db8::7")]),
        ({"src_ip": "203.0.113.7:8080"}, [("source-address", "203.0.113.7")]),
        ({"rhost": "220-135-151-1.hinet.example"}, [("domain", "220-135-151-1.hinet.example")]),
        ({"DestinationIp": "198.51.100.2"}, [("destination-address", "198.51.100.2")]),
        ({"Computer": "WS01.Base.example"}, [("host", "ws01.base.example")]),
        ({"User": "BASE\\Sato"}, [("user", "base\\sato")]),
        ({"TargetUserName": "Sato", "TargetDomainName": "BASE"}, [("user", "base\\sato")]),
        ({"User": "WS01\\Administrator"}, [("user", "ws01\\administrator")]),
        ({"Image": "C:\\Windows\\cmd.exe"}, [("process", "C:\\Windows\\cmd.exe")]),
        ({"TargetFilename": "C:\\a.dmp"}, [("file", "C:\\a.dmp")]),
        ({"Hashes": f"MD5={MD5.upper()},SHA256={SHA256},IMPHASH={MD5}"}, [("hash", MD5), ("hash", SHA256)]),
        ({"sha256": SHA256.upper()}, [("hash", SHA256)]),
        ({"QueryName": "Evil.Example."}, [("domain", "evil.example")]),
        ({"dns.rrname": ["a.example", "b.example"]}, [("domain", "a.example"), ("domain", "b.example")]),
        ({"url": "https://evil.example/a"}, [("url", "https://evil.example/a")]),
    ],
)
def test_entities_named_field_is_read(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert named(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"c-ip": "127.0.0.1"},
        {"c-ip": "::1"},
        {"SourceIp": "fe80::1%eth0"},
        {"SourceIp": "0.0.0.0"},  # noqa: S104
        {"DestinationIp": "239.255.255.250"},
        {"DestinationIp": "255.255.255.255"},
        {"IpAddress": "-"},
        {"User": "NT AUTHORITY\\SYSTEM"},
        {"User": "NT AUTHORITY\\LOCAL SERVICE"},
        {"TargetUserName": "DWM-1", "TargetDomainName": "Window Manager"},
        {"SubjectUserName": "WS01$", "SubjectDomainName": "BASE"},
        {"SubjectUserName": "SYSTEM", "SubjectDomainName": "NT AUTHORITY"},
        {"user": "root"},
        {"user": ""},
        {"Computer": None},
        {"Hashes": f"IMPHASH={MD5}"},
        {"Hashes": "MD5=" + "0" * 32},
        {"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"query": "1.0.0.127.in-addr.arpa"},
        {"query": "localhost"},
        {"url": "/index.php"},
        {"cs-host": "www.ministry.example"},
        {"c-ip": 7},
        {"url": "http://" + "a" * MAX_VALUE_CHARACTERS},
    ],
)
def test_entities_of_what_every_machine_has_is_nothing(fields: dict[str, Any]) -> None:
    assert named(fields) == []


def test_entities_of_a_flood_are_bounded_and_sorted() -> None:
    found = entities_of({"query": [f"h{n}.example" for n in range(10_000)]})
    assert len(found) == MAX_ENTITIES
    assert list(found) == sorted(set(found))


def test_entities_of_a_mixed_event_are_each_there_once() -> None:
    found = entities_of({"c-ip": "203.0.113.7", "User": "x", "Computer": "h"})
    assert set(found) == {
        Entity(kind=EntityKind.SOURCE_ADDRESS, value="203.0.113.7"),
        Entity(kind=EntityKind.USER, value="x"),
        Entity(kind=EntityKind.HOST, value="h"),
    }


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
names = (
    st.sampled_from(["c-ip", "User", "Hashes", "QueryName", "url", "Image", "Computer", "TargetUserName"]) | st.text()
)


@given(st.dictionaries(names, values, max_size=8))
def test_entities_of_any_fields_never_raise_and_come_sorted(fields: dict[str, Any]) -> None:
    found = entities_of(fields)
    assert list(found) == sorted(set(found))


@given(st.ip_addresses())
def test_address_of_an_address_is_stable(address: Any) -> None:
    once = address_of(str(address))
    assert once is None or address_of(once) == once
