"""The spelling of values: what records write, and that no value makes a form raise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.stix import forms
from amagasa.detect.stix.observables import form_of, known_paths
from amagasa.event.record import MISSING

SHA1 = "70:94:de:dd:e6:c4:69:48:3a:92:70:a1:48:56:78:2d:18:64:e0:b7"


@pytest.mark.parametrize(
    ("form", "value", "texts"),
    [
        (forms.text, "-", ()),
        (forms.text, ("a", "-", 5), ("a", "5")),
        (forms.number, "443", ("443",)),
        (forms.number, "0x1d54", ("7508",)),
        (forms.number, 4_294_967_295, ("4294967295",)),
        (forms.number, "many", ()),
        (forms.number, "007", ("7",)),
        (forms.instant, "2026-11-23 03:00:00.123", ("2026-11-23T03:00:00.123000Z",)),
        (forms.instant, "2026-11-23T12:00:00.5+0900", ("2026-11-23T03:00:00.500000Z",)),
        (forms.instant, 1_795_402_800, ("2026-11-23T03:00:00.000000Z",)),
        (forms.instant, "1795402800.25", ("2026-11-23T03:00:00.250000Z",)),
        (forms.instant, "soon", ()),
        (forms.address, "[2001:DB8:0::1]", ("2001:db8::1",)),
        (forms.address, "::ffff:198.51.100.4", ("198.51.100.4",)),
        (forms.kind_of_address, ("198.51.100.4", "::1", "www.example"), ("ipv4-addr", "ipv6-addr", "domain-name")),
        (
            forms.answers,
            "type:  5 a.example;type:  5 b.Example.;::ffff:198.51.100.7;",
            ("198.51.100.7", "a.example", "b.example"),
        ),
        (forms.answers, ("198.51.100.7", "c.example."), ("198.51.100.7", "c.example")),
        (forms.mails_in, "Ann <A@B.example>, c@d.example", ("a@b.example", "c@d.example")),
        (forms.mails_in, ("<x@y.example>", "nobody"), ("x@y.example",)),
        (forms.display_names, 'Ann Ito <a@b.example>, "Bo" <c@d.example>', ("ann ito", "bo")),
        (forms.name, "C:\\Users\\Public\\Evil.EXE", ("evil.exe",)),
        (forms.folder, "/usr/Bin/x", ("/usr/bin",)),
        (forms.directory, "C:\\Windows\\", ("c:\\windows",)),
        (forms.directory, "/", ("/",)),
        (forms.account, "BASE\\H.Sato", ("base\\h.sato", "h.sato")),
        (
            forms.registry_key,
            "HKLM\\SOFTWARE\\Evil\\Run",
            ("hkey_local_machine\\software\\evil\\run", "hkey_local_machine\\software\\evil"),
        ),
        (forms.value_data, "DWORD (0x0000001f)", ("DWORD (0x0000001f)", "31")),
        (forms.value_data, "QWORD (0x00000001-0x00000002)", ("QWORD (0x00000001-0x00000002)", "4294967298")),
        (forms.value_type, "DWORD (0x0000001f)", ("reg_dword",)),
        (forms.value_type, "Binary Data", ("reg_binary",)),
        (forms.value_type, "C:\\x.exe", ()),
        (forms.protocol, "17", ("udp",)),
        (forms.protocol, "TCP", ("tcp",)),
        (forms.start_type, "auto start", ("service_auto_start",)),
        (forms.start_type, "3", ("service_demand_start",)),
        (forms.service_type, "0x10", ("service_win32_own_process",)),
        (forms.integrity, "High", ("high",)),
        (forms.integrity, "no level", ()),
        (forms.serial, "02:49:3E", ("2493e",)),
        (forms.serial, "0", ("0",)),
        (forms.mac, "00-E0-ED-01-6E-BD", ("00:e0:ed:01:6e:bd",)),
        (forms.hexadecimal, "1a", ("1a",)),
        (forms.hexadecimal, "0x2", ("02",)),
        (forms.octet, 8, ("08",)),
        (forms.octet, 300, ()),
        (forms.digest("SHA-1"), SHA1, (SHA1.replace(":", ""),)),
        (forms.digest("MD5"), "SHA1=AB,MD5=CD", ("cd",)),
        (forms.digest("MD5"), "SHA1=AB", ()),
        (forms.always("http"), "GET / HTTP/1.1", ("http",)),
        (forms.always("http"), MISSING, ()),
    ],
)
def test_form_shows_the_one_spelling(form: forms.Form, value: Any, texts: tuple[str, ...]) -> None:
    assert form(value) == texts


FORMS = sorted({form for where in known_paths() if (form := form_of(*where)) is not None}, key=repr)
ANY_VALUE = st.recursive(
    st.none() | st.integers() | st.text() | st.sampled_from([MISSING, "0x", "-1", "1e400", "\ud800@x", "9" * 5000]),
    lambda inner: st.lists(inner).map(tuple),
    max_leaves=6,
)


@given(st.sampled_from(FORMS), ANY_VALUE)
def test_form_of_any_value_is_texts(form: forms.Form, value: Any) -> None:
    assert all(isinstance(found, str) for found in form(value))


@pytest.mark.parametrize(
    "form", [forms.addresses_in, forms.links_in, forms.mails_in, forms.answers, forms.display_names]
)
@pytest.mark.parametrize(
    "piece", ["1.2.3.4 ", "http://a.example/x ", "a@b.example,", "type:  5 a;", "::", "(", "<a@", '"']
)
def test_form_of_a_flood_is_bounded(form: forms.Form, piece: str) -> None:
    assert len(form(piece * 100_000)) <= 3 * forms.MAX_FOUND
