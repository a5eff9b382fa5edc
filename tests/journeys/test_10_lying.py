"""An ally who lies, under a signed agreement: the node serves everybody else, takes nothing and names each lie."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import pytest
from msgspec import Struct
from tests.journeys.nodes import JourneyNode, access_line, append, assert_composed, eventually, node_in, sign_between

from amagasa.adapters.seal.keys import load_party_keys
from amagasa.entry.allies.tls import ally_client_context
from amagasa.entry.wiring import ally_line
from amagasa.share.agreement import Card
from amagasa.share.terms import Role
from amagasa.share.verdict import Released
from amagasa.testing.false_heads import false_heads
from amagasa.testing.lies import Liar, falsehoods
from amagasa.testing.lying import GIBIBYTE, LyingAlly, Told
from amagasa.vocab.tlp import Tlp

pytestmark = pytest.mark.xdist_group("journey-lying")
OURS = "203.0.113.7"


class Stage(Struct, frozen=True):
    """Japan runs; the United States lie; Korea is honest."""

    japan: JourneyNode
    liar: JourneyNode
    honest: JourneyNode
    log: Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("lying")
    log = home / "access.log"
    log.touch()
    with (
        node_in(home / "japan") as japan,
        node_in(home / "america", name="United States", country="US") as liar,
        node_in(home / "korea", name="Korea", country="KR") as honest,
    ):
        japan.set_settings(lambda text: text.replace('# rules = ["builtin"]', "rules = []"))
        japan.set_settings(lambda text: text.replace("# own = []", f'own = ["{OURS}", "mod.example"]'))
        japan.own_rule()
        japan.follow("web", log, form="access")
        sign_between(japan, liar, home)
        (home / "second").mkdir()
        sign_between(japan, honest, home / "second")
        yield Stage(japan.start(), liar, honest, log)
        assert_composed(japan.told())


def card_of(node: JourneyNode) -> Card:
    return msgspec.json.decode(node.card.read_bytes(), type=Card)


def liar_of(stage: Stage) -> LyingAlly:
    keys = load_party_keys(stage.liar.folder)
    context = ally_client_context(keys.tls_certificate, keys.tls_key, card_of(stage.japan).certificate)
    return LyingAlly(("127.0.0.1", stage.japan.ally_port), context, source="127.0.0.2")


def lies_of(stage: Stage) -> Liar:
    return Liar(me=card_of(stage.liar).id, victim=card_of(stage.japan).id, now=datetime.now(UTC), ours=OURS)


def refusals(stage: Stage) -> list[str]:
    return [one["why"] for one in stage.japan.crossings(direction="in", state="refused")]


class Honest:
    """Pushes and looks at the console all the while: how long each took. Fails as soon as one is not answered."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._over = threading.Event()
        self.took_s: list[float] = []
        self.problem: Exception | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.problem is not None:
            raise self.problem

    async def _run(self) -> None:
        keys = load_party_keys(self._stage.honest.folder)
        party = card_of(self._stage.japan).as_party(Role.SUPPORTED)
        line = ally_line(party, certificate=keys.tls_certificate, key=keys.tls_key)
        number = 0
        try:
            while not self._over.is_set():
                number += 1
                began = time.monotonic()
                pushed = await line.push([self._indicator(number)])
                assert pushed.refused == ()
                response = await asyncio.to_thread(httpx.get, f"{self._stage.japan.base}/healthz", timeout=30)
                assert response.status_code == 200
                self.took_s.append(time.monotonic() - began)
                await asyncio.sleep(0.1)
        except Exception as problem:  # noqa: BLE001 - told to the test that waits for it
            self.problem = problem
        finally:
            await line.close()

    def _indicator(self, number: int) -> Released:
        me = card_of(self._stage.honest).id
        (falsehood, *_) = falsehoods(Liar(me=me, victim="", now=datetime.now(UTC)))
        identifier = f"indicator--00000000-0000-4000-8000-{number:012d}"
        obj = {**falsehood.objects[0], "id": identifier, "created_by_ref": me, "name": "honest"}
        content = msgspec.json.encode(obj)
        return Released(object_id=identifier, object_type="indicator", content=content, clause="", marking=Tlp.AMBER)


def lied(stage: Stage, lie: Callable[[LyingAlly], Awaitable[Told]]) -> Told:
    async def act() -> Told:
        return await lie(liar_of(stage))

    with Honest(stage) as honest:
        told = asyncio.run(act())
    assert honest.took_s
    return told


@pytest.mark.parametrize(
    ("lie", "status", "code"),
    [
        (LyingAlly.garbage, 400, "AMG-TAXII-JSON"),
        (LyingAlly.deep, 400, "AMG-TAXII-JSON"),
        (LyingAlly.brackets, 422, "AMG-TAXII-COUNT"),
        (lambda liar: liar.bomb(GIBIBYTE), 415, "AMG-TAXII-ENCODING"),
        (LyingAlly.announced_body, 413, "AMG-TAXII-LARGE"),
        (LyingAlly.huge_body, 413, "AMG-TAXII-LARGE"),
    ],
    ids=["garbage", "deep", "brackets", "bomb", "announced", "huge"],
)
def test_lying_ally_body_is_refused_named_and_nobody_else_waits(
    stage: Stage, lie: Callable[[LyingAlly], Awaitable[Told]], status: int, code: str
) -> None:
    told = lied(stage, lie)
    # Whoever sends on after the answer may lose it with the line (RFC 9112 section 9.6): then the share log says it.
    assert (told.status, told.code) in {(status, code), (0, "")}
    assert told.n_bytes < 64 * 1024 * 1024
    eventually(lambda: any(f"[{code}]" in why for why in refusals(stage)), about=f"{code} stands in the share log")


def test_lying_ally_crowd_gets_no_more_lines_than_an_ally_may_hold(stage: Stage) -> None:
    told = lied(stage, lambda liar: liar.crowd(200, at_once=8))
    assert told.n_open <= 16
    eventually(lambda: any("[AMG-DOOR-LINES]" in why for why in refusals(stage)), about="the crowd is named")


def test_lying_ally_crowd_that_says_nothing_keeps_nobody_out(stage: Stage) -> None:
    assert lied(stage, lambda liar: liar.half_open(10_000)).n_open <= 8


def test_lying_ally_slow_head_is_cut_and_named(stage: Stage) -> None:
    told = lied(stage, lambda liar: liar.slow_head(every_s=0.5))
    assert told.status == 0
    assert told.n_bytes < 60
    eventually(lambda: any("[AMG-DOOR-SLOW]" in why for why in refusals(stage)), about="the slow line is named")


def test_lying_ally_objects_are_refused_each_with_its_reason(stage: Stage) -> None:
    wanted = {one.name: one.code for one in falsehoods(lies_of(stage))}

    async def act() -> dict[str, str]:
        liar = liar_of(stage)
        return {one.name: (await liar.say(one)).code for one in falsehoods(lies_of(stage))}

    assert asyncio.run(act()) == wanted
    named = " ".join(refusals(stage))
    assert {code for code in wanted.values() if code and f"[{code}]" not in named} == set()
    held = {one["title"] for one in stage.japan.get("/api/content")}
    assert not {"amagasa.testing: everybody", "amagasa.testing: ours", "amagasa.testing: impostor"} & held


def test_lying_ally_false_heads_are_alarms_in_the_queue_the_status_and_the_ledger(stage: Stage, tmp_path: Path) -> None:
    keys = load_party_keys(stage.liar.folder)
    told = list(false_heads(agreement_with(stage, liar_id(stage)), liar_id(stage), keys.sign))

    async def act() -> list[int]:
        liar = liar_of(stage)
        return [(await liar.show(one)).status for one in told]

    assert asyncio.run(act()) == [200] * len(told)
    wanted = [one.code for one in told if one.code]
    (ally,) = (one for one in stage.japan.get("/api/allies") if one["ally"]["id"] == liar_id(stage))
    assert sorted(one["code"] for one in ally["record"]["faults"]) == sorted(wanted)
    assert ally["record"]["n_theirs"] == 1_000
    assert {one["content_id"] for one in stage.japan.alerts()} >= set(wanted)
    alarms = [leaf["why"] for leaf in ledger_lines(stage, tmp_path, liar_id(stage)) if leaf["act"] == "alarm"]
    assert [why.rpartition("[")[2].rstrip("]") for why in alarms] == wanted
    assert "ALTERED" in stage.japan.command("ally", "status").out


def liar_id(stage: Stage) -> str:
    return card_of(stage.liar).id


def test_lying_ally_every_refusal_is_a_leaf_of_its_ledger(stage: Stage, tmp_path: Path) -> None:
    liar = card_of(stage.liar).id
    lines = ledger_lines(stage, tmp_path, liar)
    told = {leaf["why"] for leaf in lines if leaf["act"] == "refusal"}
    assert set(refusals(stage)) <= told


def agreement_with(stage: Stage, ally: str) -> str:
    (found,) = (one for one in stage.japan.get("/api/allies") if one["ally"]["id"] == ally)
    return str(found["agreements"][0]["id"])


def ledger_lines(stage: Stage, tmp_path: Path, ally: str) -> list[dict[str, Any]]:
    name = agreement_with(stage, ally)
    path = tmp_path / "ledger.ndjson"
    done = stage.japan.command("ledger", "export", "--agreement", name, "-o", path)
    assert done.code == 0, done.err
    verified = stage.japan.command("ledger", "verify", path)
    assert verified.code == 0, verified.out
    return [one["leaf"] for line in path.read_bytes().splitlines() if "leaf" in (one := msgspec.json.decode(line))]


def test_lying_ally_catastrophic_expression_does_not_stop_the_watch(stage: Stage) -> None:
    """The rule is in use by now; a line made for it, and then one that our own rule must find."""
    append(stage.log, access_line("198.51.100.77", "/x?" + "a/" * 2_000), access_line("198.51.100.78", "/journey-mark"))
    eventually(
        lambda: any(one["subject"] == "198.51.100.78" for one in stage.japan.alerts()), about="our own rule finds it"
    )
