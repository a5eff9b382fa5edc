"""The catalogue of sources is current, each of its samples is read whole, and no source lacks one."""

import pytest
from docs import sources

from amagasa.event.products import product_routes
from amagasa.event.syslog import syslog_routes


@pytest.mark.parametrize("lang", sorted(sources.PAGES))
def test_page_of_sources_is_what_the_readers_say(lang: str) -> None:
    written = sources.PAGES[lang].read_text(encoding="utf-8")
    assert written == sources.page(lang), "the readers or the samples changed: python docs/sources.py"


@pytest.mark.parametrize("sample", sources.CATALOGUE, ids=lambda sample: sample.file)
def test_sample_is_read_whole_with_its_instants(sample: sources.Sample) -> None:
    _, events = sources.events_of(sample)
    assert events
    assert all(event.event_at is not None for event in events)


def test_each_sample_file_stands_in_the_catalogue() -> None:
    assert sorted(path.name for path in sources.SAMPLES.iterdir()) == sorted(one.file for one in sources.CATALOGUE)


def test_each_product_and_each_service_of_linux_has_a_sample() -> None:
    shown = {event.route.name for sample in sources.CATALOGUE for event in sources.events_of(sample)[1]}
    routes = {route.name for route in (*product_routes(), *syslog_routes())}
    linux = {name for name in routes if name.startswith("linux/")}
    products = {name.partition("/")[0] for name in routes} - {"ot"}  # captures and flows, which are no text of ours
    assert linux - shown == set()
    assert products - {name.partition("/")[0] for name in shown} == set()
