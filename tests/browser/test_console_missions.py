"""Missions in the console: the graph, what-if, the editor with its undo, pictures as files."""

from importlib import resources
from typing import Any

import pytest
from playwright.sync_api import expect

from amagasa.app.mission_views import ModelText
from amagasa.app.missions import Missions
from amagasa.app.permissions import NODE
from tests.browser.conftest import Watched
from tests.browser.seed import NOW, incident_id
from tests.browser.served import Served
from tests.browser.test_console import CONTRAST
from tests.browser.test_words import WORDS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
DEMO = resources.files("amagasa").joinpath("content/missions/supported.toml").read_text("utf-8")


def load(node: Served, text: str = DEMO) -> None:
    Missions(node.desktop.store).save(NODE, [ModelText(path="demo.toml", content=text)], version=None, now=NOW)


@pytest.fixture
def missions(officer: Watched, node: Served) -> Watched:
    load(node)
    return officer


def test_missions_show_what_is_hit_and_the_way_to_it(missions: Watched) -> None:
    page = missions.open("missions")
    row = page.locator("table.missions tr").filter(has_text="Operations of the base")
    expect(row).to_contain_text("Network of the base")
    expect(page.get_by_role("button", name="asset Workstations of the base")).to_be_visible()
    expect(page.get_by_role("link", name="Intrusion on a base's Windows hosts")).to_be_visible()
    assert page.locator(".map path[stroke-width='3']").count() >= 2


def test_graph_says_state_in_words_and_signs_as_well_as_colour(missions: Watched) -> None:
    page = missions.open("missions")
    label = page.get_by_role("button", name="asset SCADA servers").get_attribute("aria-label")
    assert label == "asset SCADA servers: full 100"
    expect(page.locator(".map").get_by_text("●").first).to_be_visible()


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_missions_are_readable_in_each_language_and_light(missions: Watched, lang: str, theme: str) -> None:
    missions.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    missions.page.add_init_script(f"localStorage.setItem('amagasa.lang', '{lang}')")
    for name in ("missions", "missions/edit"):
        page = missions.open(name)
        expect(page.locator("main h1")).to_have_text(WORDS[lang]["nav.missions"])
        page.wait_for_load_state("networkidle")
        assert page.evaluate(CONTRAST) == [], name


def test_what_if_by_hand_changes_the_picture_and_nothing_else(missions: Watched) -> None:
    page = missions.open("missions")
    page.get_by_role("button", name="asset SCADA servers").click()
    page.get_by_label("Suppose its own health is").fill("0")
    page.get_by_role("button", name="What if").click()
    expect(page.get_by_role("button", name="mission Grid supply of the region: degraded 30")).to_be_visible()
    page.get_by_role("button", name="Back to what is").click()
    expect(page.get_by_role("button", name="mission Grid supply of the region: full")).to_be_visible()


def test_graph_is_worked_by_keyboard(missions: Watched) -> None:
    page = missions.open("missions")
    node = page.get_by_role("button", name="asset SCADA servers")
    node.focus()
    page.keyboard.press("Enter")
    expect(node).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Suppose its own health is")).to_be_visible()


@pytest.mark.parametrize(("button", "start"), [("SVG", b"<svg"), ("PNG", b"\x89PNG")])
def test_graph_is_kept_as_a_file(missions: Watched, button: str, start: bytes) -> None:
    page = missions.open("missions")
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    with open(waiting.value.path(), "rb") as file:  # noqa: PTH123
        kept = file.read()
    assert kept.startswith(start)
    assert len(kept) > 5_000


def test_editor_checks_undoes_and_saves(missions: Watched, node: Served) -> None:
    page = missions.open("missions/edit")
    area = page.get_by_label("Text of demo.toml")
    expect(page.get_by_text("This model can be used")).to_be_visible()
    area.fill(DEMO.replace('name = "scada"', 'name = "scda"'))
    problem = page.locator(".problems li.error").first
    expect(problem).to_contain_text("AMG-MISSION-UNKNOWN")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Undo").click()
    expect(area).to_have_value(DEMO)
    expect(page.locator(".problems li.error")).to_have_count(0)
    area.fill(DEMO + '\n[[mission]]\nname = "more"\ndepends_on = ["scada"]\n')
    save = page.get_by_role("button", name="Save", exact=True)
    expect(save).to_be_enabled()
    save.click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert len(Missions(node.desktop.store).ground().model.nodes) == DEMO.count("\nname = ") + 1
    page.get_by_role("button", name="Earlier saved version").click()
    expect(page.get_by_text("The earlier version is back.")).to_be_visible()


def test_incident_says_what_it_takes_from_missions(missions: Watched) -> None:
    page = missions.open(f"incidents/{incident_id('base')}")
    told = page.locator("section").filter(has_text="What it takes from missions")
    expect(told).to_contain_text("Operations of the base")
    expect(told).to_contain_text("base-workstations")


def test_node_without_a_model_says_how_to_get_one(officer: Watched) -> None:
    page = officer.open("missions")
    expect(page.get_by_text("No model of missions")).to_be_visible()


def test_hostile_names_are_inert(officer: Watched, node: Served) -> None:
    load(node, '[[mission]]\nname = "<img src=x onerror=alert(1)>"\ntitle = "<script>alert(1)</script>"\n')
    page = officer.open("missions")
    expect(page.locator("table.missions").get_by_text("<script>alert(1)</script>")).to_be_visible()
    expect(page.locator(".map text").first).to_have_text("<script>alert(1)</scr…")


def test_ten_thousand_nodes_are_drawn_in_part_and_opened_by_hand(officer: Watched, node: Served) -> None:
    assets = ", ".join(f'"a{number}"' for number in range(10_000))
    load(node, f'asset = [{assets}]\n[[mission]]\nname = "m"\ndepends_on = [{assets}]\n')
    page = officer.open("missions")
    mission = page.get_by_role("button", name="mission m: full 100")
    expect(mission).to_contain_text("+9851", timeout=30_000)
    found: Any = page.get_by_label("Node by name")
    found.fill("a9999")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("button", name="asset a9999: full 100")).to_be_visible()


def test_form_adds_changes_and_takes_out_and_leaves_the_rest(missions: Watched, node: Served) -> None:
    page = missions.open("missions/edit")
    form = page.get_by_role("form", name="Form")
    area = page.get_by_label("Text of demo.toml")
    form.get_by_role("button", name="asset", exact=True).click()
    form.get_by_label("Name", exact=True).fill("relay-7")
    form.get_by_label("Title", exact=True).fill('The "seventh" relay')
    form.get_by_label("Hosts").fill("relay-7, relay-7b")
    form.get_by_label("Hours to restore").fill("4-12")
    form.get_by_role("button", name="Add it").click()
    made = """[[asset]]
name = "relay-7"
title = "The \\"seventh\\" relay"
hosts = ["relay-7", "relay-7b"]
repair_h = [4, 12]
"""
    expect(area).to_have_value(f"{DEMO}\n{made}")
    form.get_by_role("button", name="dependency", exact=True).click()
    form.get_by_label("What feeds").select_option("relay-7")
    form.get_by_label("What depends on it").select_option("grid-control")
    form.get_by_label("Strength (0 to 1)").fill("0.4")
    form.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("This model can be used")).to_be_visible()
    form.get_by_label("What to edit").select_option(label="scada (SCADA servers)")
    form.get_by_label("Hours to restore").fill("5")
    form.get_by_role("button", name="Change it").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    held = Missions(node.desktop.store).ground().model
    nodes = {one.name: one for one in held.nodes}
    assert nodes["relay-7"].title == 'The "seventh" relay'
    assert tuple(nodes["scada"].repair_h or ()) == (5, 5)
    assert [one.strength for one in held.dependencies if one.feeder == "relay-7"] == [0.4]
    form.get_by_label("What to edit").select_option(label="relay-7 → grid-control")
    form.get_by_role("button", name="Take it out").click()
    assert 'from = "relay-7"' not in area.input_value()


def test_form_has_dependencies_boundary_and_ally_with_its_checks_and_undo(missions: Watched, node: Served) -> None:
    page = missions.open("missions/edit")
    form = page.get_by_role("form", name="Form")
    area = page.get_by_label("Text of demo.toml")
    expect(page.get_by_text("This model can be used")).to_be_visible()
    form.get_by_label("What to edit").select_option(label="grid-control (Grid control centre)")
    expect(form.get_by_label("What it depends on")).to_have_count(2)
    expect(form.get_by_label("What it depends on").first).to_have_value("scada")
    expect(form.get_by_label("An ally may see")).to_be_checked()
    form.get_by_role("button", name="Take out grid-telecom").click()
    form.get_by_role("button", name="Add a dependency").click()
    form.get_by_label("What it depends on").last.fill("scda")
    form.get_by_label("Criticality (0 to 100)").last.fill("55")
    form.get_by_label("Told in steps of").fill("5")
    form.get_by_label("An ally may see").uncheck()
    form.get_by_role("button", name="Change it").click()
    assert 'depends_on = [["scada", 0.9, 10], ["scda", 1, 55]]' in area.input_value()
    expect(form.locator(".needs .wrong")).to_contain_text("scda")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(area).to_have_value(DEMO)
    expect(form.get_by_label("What it depends on").last).to_have_value("grid-telecom")
    expect(form.get_by_label("An ally may see")).to_be_checked()
    expect(form.locator(".wrong")).to_have_count(0)
    form.get_by_label("What to edit").select_option(label="the model itself")
    form.get_by_label("Title", exact=True).fill("Ours")
    form.get_by_role("button", name="Change it").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert Missions(node.desktop.store).ground().model.title == "Ours"


def test_form_leaves_what_it_does_not_show(officer: Watched, node: Served) -> None:
    hosts = 'hosts = [\n  "one", # the first\n  "[two]",\n]'
    text = f'[[asset]]\nname = "a"\n{hosts}\n\n[[mission]]\nname = "m"\ndepends_on = ["a"]\n'
    load(node, text)
    page = officer.open("missions/edit")
    form = page.get_by_role("form", name="Form")
    form.get_by_label("What to edit").select_option(label="a")
    expect(form.get_by_text("Written in a form that is not shown here.")).to_have_count(1)
    form.get_by_label("Title", exact=True).fill("An asset")
    form.get_by_role("button", name="Change it").click()
    area = page.get_by_label("Text of demo.toml")
    expect(area).to_have_value(text.replace("]\n\n[[mission", ']\ntitle = "An asset"\n\n[[mission'))
    expect(page.get_by_text("This model can be used")).to_be_visible()


def test_form_is_not_for_csv(officer: Watched, node: Served) -> None:
    text = "kind,name,from,to\nmission,m,,\nasset,a,,\ndependency,,a,m\n"
    Missions(node.desktop.store).save(NODE, [ModelText(path="model.csv", content=text)], version=None, now=NOW)
    page = officer.open("missions/edit")
    expect(page.get_by_text("A model in CSV is edited as text")).to_be_visible()
