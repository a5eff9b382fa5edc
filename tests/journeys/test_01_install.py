"""The first hour: a node is made, found as described, and its first person signs in."""

import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.journeys.nodes import JourneyNode, node_in, run

pytestmark = pytest.mark.xdist_group("journey-install")
PASSWORD = "umbrella in the rain"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JourneyNode]:
    with node_in(tmp_path_factory.mktemp("install") / "japan") as made:
        yield made


@pytest.fixture(scope="module")
def serving(node: JourneyNode) -> JourneyNode:
    return node.start()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_folder_is_for_its_owner_alone(node: JourneyNode) -> None:
    for name in ("", "keys", "agreements", "content", "state", "run"):
        assert mode_of(node.folder / name) == 0o700
    for name in ("node.toml", "keys/party.key", "keys/tls.key", "keys/pseudonym.key", "state/amagasa.sqlite"):
        assert mode_of(node.folder / name) == 0o600


def test_init_settings_read_back_as_given(node: JourneyNode) -> None:
    settings = tomllib.loads((node.folder / "node.toml").read_text(encoding="utf-8"))
    assert (settings["node"]["name"], settings["node"]["country"]) == ("Japan", "JP")
    assert settings["console"]["port"] == node.console_port
    assert settings["allies"]["port"] == node.ally_port


def test_init_in_japanese_says_so_in_settings(tmp_path: Path) -> None:
    made = run("init", tmp_path / "n", "--name", '日本 "雨傘" \\ 省', "--country", "jp", "--lang", "ja")
    assert made.code == 0, made.err
    settings = tomllib.loads((tmp_path / "n" / "node.toml").read_text(encoding="utf-8"))
    assert settings["node"] | {"id": ""} == {"name": '日本 "雨傘" \\ 省', "country": "JP", "lang": "ja", "id": ""}
    assert "amagasa serve" in made.err
    assert "#/link/" in made.err


def test_init_of_a_folder_that_holds_something_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    refused = run("init", tmp_path, "--name", "Japan", "--country", "JP")
    assert refused.code == 2
    assert "AMG-INIT-TAKEN" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_init_of_a_name_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    refused = run("init", tmp_path / "file", "--name", "Japan", "--country", "JP")
    assert refused.code == 2
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_init_of_a_made_node_again_is_refused(node: JourneyNode) -> None:
    before = (node.folder / "keys" / "party.key").read_bytes()
    refused = run("init", node.folder, "--name", "Japan", "--country", "JP")
    assert refused.code == 2
    assert (node.folder / "keys" / "party.key").read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--country", "JPN", "AMG-INIT-COUNTRY"),
        ("--country", "<>", "AMG-INIT-COUNTRY"),
        ("--ally-address", "nonsense", "AMG-"),
        ("--ally-address", "ftp://[", "AMG-"),
        ("--name", "", "AMG-"),
        ("--name", " ", "AMG-INIT-NAME"),
        ("--name", "Ja\x1b[31mpan", "AMG-INIT-NAME"),
        ("--name", "Ja\u202epan", "AMG-INIT-NAME"),
        ("--name", "x" * 5_000, "AMG-"),
        ("--lang", "fr", "--lang"),
    ],
)
def test_init_told_nonsense_leaves_nothing_behind(tmp_path: Path, option: str, value: str, code: str) -> None:
    given = {"--name": "Japan", "--country": "JP"} | {option: value}
    refused = run("init", tmp_path / "deep" / "n", *(word for pair in given.items() for word in pair))
    assert refused.code == 2, refused.err
    assert code in refused.err
    assert list(tmp_path.iterdir()) == []


def test_init_where_one_may_not_write_leaves_nothing_behind(tmp_path: Path) -> None:
    refused = run("init", "/proc/amagasa", "--name", "Japan", "--country", "JP")
    assert refused.code == 3
    assert "AMG-INIT-DISK" in refused.err


def test_init_without_name_says_what_is_missing(tmp_path: Path) -> None:
    refused = run("init", tmp_path / "n")
    assert refused.code == 2
    assert "--name" in refused.err
    assert not (tmp_path / "n").exists()


def test_folder_that_is_no_node_is_refused_by_name(tmp_path: Path) -> None:
    for arguments in (("serve", tmp_path), ("alert", "list", "--node", tmp_path), ("account", "link", "-n", tmp_path)):
        refused = run(*arguments)
        assert refused.code == 2
        assert "AMG-NODE-DIR" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_setting_unknown_names_the_nearest_and_nothing_starts(tmp_path: Path) -> None:
    with node_in(tmp_path / "n") as node:
        settings = node.folder / "node.toml"
        settings.write_text(settings.read_text(encoding="utf-8").replace("port = ", "prot = ", 1), encoding="utf-8")
        refused = run("serve", node.folder)
    assert refused.code == 2
    assert "prot" in refused.err
    assert "port" in refused.err.replace("prot", "")


def test_settings_that_say_otherwise_than_the_card_are_told(tmp_path: Path) -> None:
    with node_in(tmp_path / "n") as node:
        node.start()
        assert "allies go by party.json" not in node.told()
        node.terminate()
        settings = node.folder / "node.toml"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(re.sub(r'(?m)^country = ".."', 'country = "FR"', text), encoding="utf-8")
        node.start()
        assert "allies go by party.json, which has another country than node.toml" in node.told()


def test_first_steps_from_the_link_to_a_person_of_ones_own(serving: JourneyNode) -> None:
    """The printed link signs in once; its session makes the first account; that person signs in by name."""
    token = urlsplit(serving.sign_in).fragment.removeprefix("/link/")
    with httpx.Client(base_url=serving.base, headers={"Origin": serving.base}) as browser:
        assert browser.get("/api/alerts").status_code == 401
        assert browser.post("/api/session/link", json={"token": "x" * 43}).status_code == 401
        entered = browser.post("/api/session/link", json={"token": token})
        assert entered.status_code == 200, entered.text
        assert entered.json()["is_first"] is True
        assert browser.get("/api/alerts").status_code == 403
        asked = {"name": "sato", "password": PASSWORD, "roles": ["administrator", "analyst"]}
        made = browser.post("/api/accounts/first", json=asked)
        assert made.status_code == 201, made.text
    with httpx.Client(base_url=serving.base, headers={"Origin": serving.base}) as browser:
        assert browser.post("/api/session/link", json={"token": token}).status_code == 401
        assert browser.post("/api/session", json={"name": "sato", "password": "wrong password"}).status_code == 401
        assert browser.post("/api/session", json={"name": "sato", "password": PASSWORD}).status_code == 200
        assert browser.get("/api/alerts").status_code == 200
    listed = serving.command("account", "list", "--json")
    assert [one["name"] for one in listed.json()] == ["sato"]


def test_password_of_a_person_is_set_anew_by_the_owner(serving: JourneyNode) -> None:
    serving.post("/api/accounts", {"name": "ito", "password": PASSWORD, "roles": ["analyst"]})
    short = serving.command("account", "password", "ito", "--password", "short")
    assert short.code == 2
    unknown = serving.command("account", "password", "nobody\x1b[2J", "--password", PASSWORD)
    assert unknown.code == 2
    assert "\x1b" not in unknown.err
    done = serving.command("account", "password", "ito", "--password", PASSWORD + " again")
    assert done.code == 0, done.err
    with httpx.Client(base_url=serving.base, headers={"Origin": serving.base}) as browser:
        assert browser.post("/api/session", json={"name": "ito", "password": PASSWORD}).status_code == 401
        signed_in = browser.post("/api/session", json={"name": "ito", "password": PASSWORD + " again"})
        assert signed_in.status_code == 200


def test_link_offered_by_a_command_is_of_this_node(serving: JourneyNode) -> None:
    offered = serving.command("account", "link", "--json")
    assert offered.json()["sign_in"].startswith(f"{serving.base}/#/link/")


def test_version_and_help_name_every_command() -> None:
    assert run("--version").out.startswith("amagasa ")
    told = run("--help")
    assert told.code == 0
    for name in ("init", "serve", "detect", "content", "source", "agreement", "ally", "share", "alert", "incident"):
        assert name in told.out


def test_command_unknown_is_wrong_usage() -> None:
    assert run("umbrella").code == 2
    assert run("alert", "lst").code == 2
    assert run().code in {0, 2}
