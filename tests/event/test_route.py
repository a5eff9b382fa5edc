import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.record import LogSource
from amagasa.event.route import LINUX_SYSMON, SYSMON, applies, route_of


@pytest.mark.parametrize(
    ("channel", "event_id", "category"),
    [
        (SYSMON, 1, "process_creation"),
        (SYSMON, 3, "network_connection"),
        (SYSMON, 7, "image_load"),
        (SYSMON, 10, "process_access"),
        (SYSMON, 11, "file_event"),
        (SYSMON, 12, "registry_add"),
        (SYSMON, 12, "registry_delete"),
        (SYSMON, 12, "registry_event"),
        (SYSMON, 13, "registry_set"),
        (SYSMON, 14, "registry_event"),
        (SYSMON, 17, "pipe_created"),
        (SYSMON, 22, "dns_query"),
        (SYSMON, 26, "file_delete"),
        (SYSMON, 255, "sysmon_error"),
        ("Security", 4688, "process_creation"),
        ("Security", 4657, "registry_set"),
        ("Microsoft-Windows-PowerShell/Operational", 4104, "ps_script"),
        ("PowerShellCore/Operational", 4103, "ps_module"),
        ("Windows PowerShell", 400, "ps_classic_start"),
    ],
)
def test_route_of_a_known_event_takes_rules_of_its_category(channel: str, event_id: int, category: str) -> None:
    route = route_of(channel, event_id)
    assert applies(LogSource(category=category, product="windows"), route)
    assert applies(LogSource(category=category), route)
    assert applies(LogSource(product="windows"), route)
    assert not applies(LogSource(category=category, product="linux"), route)
    assert dict(route.known) == {"EventID": event_id, "Channel": channel}


def test_channel_counts_whatever_its_case() -> None:
    assert route_of("security", 4624) == route_of("SECURITY", 4624) == route_of("Security", 4624)


def test_rule_for_the_service_of_a_category_needs_both() -> None:
    sysmon = route_of(SYSMON, 1)
    assert applies(LogSource(category="process_creation", product="windows", service="sysmon"), sysmon)
    assert not applies(LogSource(category="process_creation", product="windows", service="security"), sysmon)


def test_sysmon_for_linux_is_linux() -> None:
    route = route_of(LINUX_SYSMON, 1)
    assert applies(LogSource(category="process_creation", product="linux"), route)
    assert not applies(LogSource(product="windows"), route)


@given(st.none() | st.text(), st.none() | st.integers())
def test_any_channel_and_number_have_a_route(channel: str | None, event_id: int | None) -> None:
    route = route_of(channel, event_id)
    assert route.name
    assert route.sources
    assert route == route_of(channel, event_id)


def test_number_beyond_16_bits_shares_one_route() -> None:
    assert route_of("Security", 70_000) == route_of("Security", -1) == route_of("Security", None)
