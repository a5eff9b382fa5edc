"""What two allies tell each other: a sighting over, a rule and an indicator back, consent, an ally who is away."""

import itertools
import json
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import stix2
from tests.intel.oracle import strict_faults
from tests.journeys.nodes import (
    MARK_RULE,
    JourneyNode,
    access_line,
    append,
    assert_composed,
    eventually,
    node_in,
    run,
    sign_between,
)

pytestmark = pytest.mark.xdist_group("journey-share")
LATE_RULE = MARK_RULE.replace("journey-mark", "allied-mark").replace("6f6a1c1e", "8f6a1c1e")
ALLIED_MANY = """\
title: Many knocks
id: 9f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10
correlation: {type: event_count, rules: [knock], group-by: [c-ip], timespan: 10m, condition: {gte: 5}}
level: high
"""
ALLIED_ONE = """\
title: A knock
id: af6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10
name: knock
logsource: {category: webserver}
detection: {knock: {cs-uri-stem: /allied-knock}, condition: knock}
level: low
"""
NOISY_RULE = """\
title: Allied noise
id: bf6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10
logsource: {category: webserver}
detection: {noise: {cs-uri-stem: /allied-noise}, condition: noise}
level: low
"""
_numbers = itertools.count(1)


class Allies:
    """Japan, whose log is followed, and the United States, under an agreement in force; both run."""

    def __init__(self, japan: JourneyNode, america: JourneyNode, log: Path) -> None:
        self.japan = japan
        self.america = america
        self.log = log

    def attack(self, address: str = "", target: str = "/journey-mark") -> str:
        """An attack from an address that nobody used before."""
        chosen = address or f"203.0.113.{next(_numbers)}"
        append(self.log, access_line(chosen, target))
        return chosen


@pytest.fixture(scope="module")
def allies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Allies]:
    home = tmp_path_factory.mktemp("share")
    (home / "access.log").touch()
    with node_in(home / "japan") as japan, node_in(home / "america", name="United States", country="US") as america:
        for node in (japan, america):
            node.set_settings(lambda text: text.replace('# rules = ["builtin"]', "rules = []"))
            node.own_rule()
        japan.follow("web", home / "access.log", form="access")
        sign_between(japan, america, home, change=lambda text: f"{text}\n[clocks]\nconsult_within_s = 1\n")
        yield Allies(japan.start(), america.start(), home / "access.log")
        for node in (japan, america):
            assert_composed(node.told())


def objects_in(node: JourneyNode) -> list[dict[str, Any]]:
    """What the ally's objects say that this node admitted."""
    return [content_of(node, one["id"]) for one in node.crossings(direction="in", state="admitted")]


def content_of(node: JourneyNode, crossing: int) -> dict[str, Any]:
    return dict(json.loads(node.get(f"/api/crossings/{crossing}")["content"]))


def sightings_of(node: JourneyNode, indicator: str) -> list[dict[str, Any]]:
    return [one for one in objects_in(node) if one.get("sighting_of_ref") == indicator]


def indicators_naming(node: JourneyNode, address: str) -> list[str]:
    found = (one for one in objects_in(node) if one["type"] == "indicator" and address in one["pattern"])
    return sorted({one["id"] for one in found})


def test_alert_here_is_a_sighting_at_the_ally(allies: Allies) -> None:
    address = allies.attack()
    (indicator,) = eventually(lambda: indicators_naming(allies.america, address), about="its indicator is there")
    eventually(lambda: sightings_of(allies.america, indicator), about="and the sighting of it")
    left = [one for one in allies.japan.crossings(direction="out", state="delivered") if one["object_id"] == indicator]
    assert [(one["ally"]["name"], bool(one["clause"])) for one in left] == [("United States", True)]
    assert "delivered" in allies.japan.command("share", "log").out
    preview = allies.japan.command("share", "preview", left[0]["id"])
    assert json.loads(preview.json()["content"])["id"] == indicator


def test_indicator_of_the_ally_detects_here_and_its_sighting_goes_back(allies: Allies) -> None:
    added = allies.america.command("content", "add", "198.51.100.77", "--title", "a scanner", "--share", "--json")
    assert added.code == 0, added.err
    indicator = added.json()["id"]
    held = eventually(
        lambda: [one for one in allies.japan.get("/api/content") if one["id"] == indicator and one["activated_at"]],
        about="it is active here",
    )
    assert held[0]["origin"]["name"] == "United States"
    allies.attack("198.51.100.77", "/")
    alerts = eventually(
        lambda: [one for one in allies.japan.alerts() if one["content_id"] == indicator], about="it has detected"
    )
    assert (alerts[0]["origin"]["name"], alerts[0]["is_indicator"]) == ("United States", True)
    assert eventually(lambda: sightings_of(allies.america, indicator), about="its sighting is with the ally")


def test_rule_of_the_ally_detects_here_and_its_sighting_goes_back(allies: Allies, tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(LATE_RULE, encoding="utf-8")
    added = allies.america.command("content", "add", tmp_path / "rule.yml", "--share", "--json")
    assert added.code == 0, added.err
    eventually(
        lambda: [one for one in allies.japan.get("/api/content") if one["kind"] == "sigma" and one["activated_at"]],
        about="it is active here",
    )
    address = allies.attack(target="/allied-mark")
    found = eventually(
        lambda: [one for one in allies.japan.alerts() if one["subject"] == address], about="it has detected"
    )
    assert [one["origin"]["name"] for one in found] == ["United States"]
    eventually(lambda: sightings_of(allies.america, found[0]["content_id"]), about="its sighting is with the ally")


def test_correlation_of_the_ally_detects_here_and_its_sighting_goes_back(allies: Allies, tmp_path: Path) -> None:
    for name, text in (("many", ALLIED_MANY), ("one", ALLIED_ONE)):  # the correlation first, then what it looks at
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
        added = allies.america.command("content", "add", tmp_path / f"{name}.yml", "--share", "--json")
        assert added.code == 0, added.err
    eventually(
        lambda: [one for one in allies.japan.get("/api/content") if one["title"] == "Many knocks" and is_used(one)],
        about="it is active here",
    )
    append(allies.log, *(access_line("192.0.2.7", "/allied-knock", second=second) for second in range(5)))
    found = eventually(
        lambda: [one for one in allies.japan.alerts() if one["subject"] == "192.0.2.7"], about="it has detected"
    )
    assert [(one["title"], one["origin"]["name"]) for one in found] == [("Many knocks", "United States")]
    eventually(lambda: sightings_of(allies.america, found[0]["content_id"]), about="its sighting is with the ally")


def test_rule_of_the_ally_that_would_have_been_noise_is_put_aside_and_the_ally_is_told(
    allies: Allies, tmp_path: Path
) -> None:
    append(allies.log, *(access_line("192.0.2.8", "/allied-noise", second=number) for number in range(1_200)))
    last = allies.attack("192.0.2.9")
    eventually(lambda: [one for one in allies.japan.alerts() if one["subject"] == last], about="they were read")
    (tmp_path / "noise.yml").write_text(NOISY_RULE, encoding="utf-8")
    added = allies.america.command("content", "add", tmp_path / "noise.yml", "--share", "--json")
    assert added.code == 0, added.err
    (item,) = eventually(
        lambda: [one for one in allies.japan.get("/api/content") if is_aside(one)], about="it was put aside here"
    )
    assert item["tried"]["stage"] == "noisy"
    assert item["tried"]["why"] == "it would have found 1,200 in 24 h"
    told = eventually(
        lambda: [one for one in allies.america.alerts() if one["content_id"] == "AMG-ALLY-QUARANTINED"],
        about="its sender is told",
    )
    assert item["id"] in json.dumps(allies.america.get(f"/api/alerts/{told[0]['id']}"))
    exported = allies.japan.command("ledger", "export", "--output", tmp_path / "record.ndjson")
    assert exported.code == 0, exported.err
    assert '"act":"quarantine"' in (tmp_path / "record.ndjson").read_text(encoding="utf-8")


def is_aside(content: dict[str, Any]) -> bool:
    return content["title"] == "Allied noise" and not content["is_active"] and bool(content["fault"])


def is_used(content: dict[str, Any]) -> bool:
    return bool(content["activated_at"]) and not content["fault"]


def test_incident_waits_for_consent_and_leaves_with_it(allies: Allies) -> None:
    allies.attack()
    waiting = eventually(lambda: waiting_incidents(allies.japan), about="an incident waits for a yes")
    before = [one for one in objects_in(allies.america) if one["type"] == "incident"]
    assert waiting[0]["object_id"] not in {one["id"] for one in before}
    released = allies.japan.command("share", "release", waiting[0]["id"])
    assert released.code == 0, released.err
    eventually(
        lambda: [one for one in objects_in(allies.america) if one["id"] == waiting[0]["object_id"]],
        about="the ally has it",
    )
    assert allies.japan.command("share", "release", waiting[0]["id"]).code == 2
    for node, is_ours in ((allies.japan, False), (allies.america, True)):
        missed = eventually(partial(missed_of, node), about="the clock of consultation ran out")
        assert [(one["clock"], one["is_ours"]) for one in missed] == [("consult", is_ours)]
        assert [one for one in node.alerts() if one["content_id"] == "AMG-CLOCK-CONSULT"]
    assert "LATE (OURS): consult" in allies.america.command("ally", "status").out
    said = allies.america.command("ally", "consult", waiting[0]["object_id"], "--word", "working")
    assert said.code == 0, said.err
    eventually(lambda: not missed_of(allies.japan) + missed_of(allies.america), about="the word is known")
    for node in (allies.japan, allies.america):
        assert [one["word"] for one in record_of(node)["talks"]] == ["working"]


def missed_of(node: JourneyNode) -> list[dict[str, Any]]:
    return list(record_of(node)["missed"])


def record_of(node: JourneyNode) -> dict[str, Any]:
    return dict(node.get("/api/allies")[0]["record"])


def test_export_for_an_ally_is_in_the_record_and_holds_what_left_alone(allies: Allies, tmp_path: Path) -> None:
    address = allies.attack()
    eventually(lambda: indicators_naming(allies.america, address), about="its indicator is there")
    incident = eventually(
        lambda: [one for one in allies.japan.get("/api/incidents")["incidents"] if one["n_alerts"]],
        about="there is an incident",
    )[0]["id"]
    ally = allies.japan.get("/api/allies")[0]["ally"]["name"]
    target = tmp_path / "for-the-ally.misp.json"
    told = allies.japan.command("share", "export", incident, "--for", ally, "--format", "misp", "--output", target)
    assert told.code == 0, told.err
    event = json.loads(target.read_text(encoding="utf-8"))["Event"]
    given = {one["object_id"] for one in allies.japan.crossings(direction="out", state="delivered")}
    given |= {one["object_id"] for one in allies.japan.crossings(direction="out", state="pending")}
    uuids = {one.partition("--")[2] for one in given}
    assert event["Attribute"]
    assert {one["uuid"] for one in event["Attribute"] if one["type"] == "ip-src"} <= uuids
    assert any(tag["name"].startswith("iep2-policy:") for one in event["Attribute"] for tag in one["Tag"])
    assert allies.japan.command("share", "export", incident, "--for", "nobody").code == 2


def test_incident_refused_by_a_person_stays(allies: Allies) -> None:
    allies.attack()
    known = {one["object_id"] for one in allies.japan.crossings(direction="out", state="delivered")}
    (waiting, *_) = eventually(
        lambda: [one for one in waiting_incidents(allies.japan) if one["object_id"] not in known],
        about="another incident waits",
    )
    refused = allies.japan.command("share", "release", waiting["id"], "--refuse")
    assert refused.code == 0, refused.err
    assert allies.japan.get(f"/api/crossings/{waiting['id']}")["crossing"]["state"] == "refused"
    assert allies.japan.command("share", "release", 999_999).code == 2
    assert allies.japan.command("share", "preview", 10**30).code == 2


def waiting_incidents(node: JourneyNode) -> list[dict[str, Any]]:
    return [one for one in node.crossings(state="wanting") if one["object_type"] == "incident"]


def test_ally_who_was_away_gets_it_once(allies: Allies) -> None:
    """Away when it happens, and the sender itself is killed before the ally is back."""
    assert allies.america.terminate() == 0
    address = allies.attack()
    eventually(
        lambda: [
            one
            for one in allies.japan.crossings(direction="out", state="pending")
            if one["object_type"] == "sighting" and one["n_tries"]
        ],
        about="delivery was tried in vain",
    )
    allies.japan.kill()
    allies.japan.start()
    allies.america.start()
    (indicator,) = eventually(lambda: indicators_naming(allies.america, address), about="the ally has it")
    eventually(lambda: not allies.japan.crossings(direction="out", state="pending"), about="nothing waits any more")
    received = [one for one in allies.america.crossings(direction="in") if one["object_id"] == indicator]
    assert len({one["version"] for one in received}) == len(received)
    assert len(sightings_of(allies.america, indicator)) == 1


def test_stranger_without_a_pinned_certificate_is_refused(allies: Allies, tmp_path: Path) -> None:
    with node_in(tmp_path / "stranger", name="Stranger", country="ZZ") as stranger:
        for certificate in (None, stranger.folder):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if certificate is not None:
                context.load_cert_chain(certificate / "tls.crt", certificate / "keys" / "tls.key")
            assert knock(context, allies.japan.ally_port) == b""
    context.load_cert_chain(allies.america.folder / "tls.crt", allies.america.folder / "keys" / "tls.key")
    assert knock(context, allies.japan.ally_port).startswith(b"HTTP/1.1 ")


def knock(context: ssl.SSLContext, port: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw, context.wrap_socket(raw) as line:
            line.sendall(b"GET /taxii2/ HTTP/1.1\r\nHost: a\r\nAccept: application/taxii+json;version=2.1\r\n\r\n")
            return line.recv(100)
    except OSError:
        return b""


def test_records_are_countersigned_by_themselves_and_verify_offline(allies: Allies, tmp_path: Path) -> None:
    allies.attack()

    def countersigned() -> bool:
        both = [node.get("/api/allies")[0]["record"] for node in (allies.japan, allies.america)]
        return all(one["n_countersigned"] > 0 and one["n_theirs"] > 0 and not one["faults"] for one in both)

    eventually(countersigned, about="each stands by the other's record")
    for node in (allies.japan, allies.america):
        path = tmp_path / f"{node.name}.ndjson"
        assert node.command("ledger", "export", "-o", path).code == 0
        cards = ("--card", allies.japan.card, "--card", allies.america.card)
        verified = run("ledger", "verify", path, *cards)
        assert verified.code == 0, verified.out
        assert verified.json()["countersigned"] > 0
    assert "countersigned" in allies.japan.command("ally", "status").out


def test_retraction_is_acknowledged_by_the_holders_signature(allies: Allies) -> None:
    added = allies.america.command("content", "add", "198.51.100.79", "--title", "a mistake", "--share", "--json")
    identifier = str(added.json()["id"])
    eventually(lambda: identifier in in_use(allies.japan), about="Japan looks with it")
    taken = allies.america.command("share", "retract", identifier, "--why", "a mistake")
    assert taken.code == 0, taken.err

    def acknowledged() -> bool:
        out = allies.america.crossings(direction="out")
        return any(one["receipt"] and one["receipt"]["done_at"] for one in out if one["object_id"] == identifier)

    eventually(acknowledged, about="the receipt is here")
    assert identifier not in in_use(allies.japan)
    assert "stopped" in allies.america.command("share", "log").out


def in_use(node: JourneyNode) -> set[str]:
    return {one["id"] for one in node.get("/api/content") if one["activated_at"]}


def test_everything_that_left_is_strict_stix(allies: Allies) -> None:
    allies.attack()
    assert allies.america.command("content", "add", "198.51.100.78", "--title", "another", "--share").code == 0
    n_seen = 0
    for node in (allies.japan, allies.america):
        for one in eventually(
            lambda node=node: node.crossings(direction="out", state="delivered"),  # type: ignore[misc]
            about="something left",
        ):
            said = content_of(node, one["id"])
            stix2.parse(said, allow_custom=False)
            assert strict_faults([said]) == [], said
            n_seen += 1
    assert n_seen >= 2
