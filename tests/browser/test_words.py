"""The console's two dictionaries."""

import json
import re
from pathlib import Path

import pytest

from amagasa.app import accounts, casework, content, queries, queue, triage
from amagasa.app.permissions import Role
from amagasa.app.ports import CrossingState
from amagasa.app.situation import LinkState
from amagasa.entry.people import security
from amagasa.event.entity import EntityKind
from amagasa.incident.links import (
    ACCOUNT,
    DEVICE,
    FILE,
    MACHINE,
    PROCESS,
    SESSION,
    TOOL,
    WEAK_ACCOUNT,
    WEAK_MACHINE,
    said,
)
from amagasa.incident.score import OPTIONS
from amagasa.share.heads import HeadFault
from amagasa.share.ledger import Act
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.severity import Severity

IDENTITIES = (EntityKind.SOURCE_ADDRESS.value, EntityKind.HASH.value, EntityKind.DOMAIN.value)
SOURCE = Path(__file__).resolve().parents[2] / "console" / "src"
WORDS = {
    lang: json.loads((SOURCE / "lib" / "i18n" / f"{lang}.json").read_text(encoding="utf-8")) for lang in ("en", "ja")
}
FILES = sorted([*SOURCE.rglob("*.svelte"), *SOURCE.rglob("*.ts")])


def test_dictionaries_have_the_same_keys() -> None:
    assert list(WORDS["en"]) == list(WORDS["ja"])


def test_sentences_have_the_same_blanks_in_both_languages() -> None:
    for key in WORDS["en"]:
        english, japanese = (sorted(re.findall(r"\{\w+\}", words[key])) for words in WORDS.values())
        assert english == japanese, key
        assert all(words[key].strip() for words in WORDS.values()), key


def test_every_key_that_the_console_says_is_there() -> None:
    said = {key for path in FILES for key in re.findall(r"\bt\(\s*'([\w.-]+)'", path.read_text(encoding="utf-8"))}
    assert said - set(WORDS["en"]) == set()


def test_every_value_that_the_node_sends_has_a_word() -> None:
    wanted = {f"severity.{severity.value}" for severity in Severity}
    wanted |= {f"tactic.{tactic}" for tactic in TACTICS}
    wanted |= {f"state.{state.value}" for state in CrossingState}
    wanted |= {f"link.{state.value}" for state in LinkState}
    wanted |= {f"act.{act.value}" for act in Act}
    wanted |= {f"{key}.{fault.value}" for fault in HeadFault for key in ("fault", "fault.do")}
    wanted |= {f"role.{role.value}" for role in Role} | {f"role.does.{role.value}" for role in Role}
    wanted |= {f"entity.{kind.value}" for kind in EntityKind}
    assert wanted - set(WORDS["en"]) == set()


def test_every_kind_of_leaf_can_be_filtered_for() -> None:
    text = (SOURCE / "parts" / "LedgerLeaves.svelte").read_text(encoding="utf-8")
    offered = re.search(r"const ACTS = \[(.*?)\]", text)
    assert offered is not None
    assert {act.value for act in Act} == set(re.findall(r"'([\w-]+)'", offered[1]))


def test_every_refusal_has_words_in_both_languages() -> None:
    modules = (accounts, casework, content, queries, queue, triage, security)
    texts = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules]
    codes = {code for text in texts for code in re.findall(r'"(AMG-[A-Z-]+)"', text)}
    unsaid = {"AMG-API-METHOD", "AMG-API-THROTTLED", "AMG-API-FAULT", "AMG-API-TYPE"}  # no page brings these about
    assert {f"error.{code}" for code in codes - unsaid} - set(WORDS["en"]) == set()


def test_no_template_holds_words_of_its_own() -> None:
    found = []
    for path in FILES:
        if path.suffix == ".svelte":
            markup = re.sub(
                r"<script.*?</script>|<!--.*?-->|<pre>.*?</pre>", "", path.read_text("utf-8"), flags=re.DOTALL
            )
            text = re.sub(r"<[^>]*>|\{[^{}]*\}", " ", re.sub(r"\{[^{}]*\}", " ", markup).replace("=>", ""))
            found += [f"{path.name}: {word}" for word in re.findall(r"[A-Za-z]{4,}(?: [a-z]{2,})+", text)]
    assert found == []


def test_no_template_writes_markup_or_styles_of_its_own() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "{@html" not in text
        assert "innerHTML" not in text
        assert not re.search(r"\sstyle=", text)


def test_every_option_of_the_score_has_a_word() -> None:
    wanted = {f"nciss.{category.value}.{option}" for category, options in OPTIONS.items() for option in options}
    assert wanted - set(WORDS["en"]) == set()


def link_of(kind: str) -> str:
    return f"{kind}\x1fdc01.corp.example"


@pytest.mark.parametrize("kind", [ACCOUNT, WEAK_ACCOUNT, SESSION, PROCESS, FILE, DEVICE, TOOL, *IDENTITIES])
def test_each_link_that_ties_an_alert_has_its_sentence(kind: str) -> None:
    assert told_again(f"same {said(link_of(kind))}, within 24 hours")


@pytest.mark.parametrize(
    "sentence",
    [
        *(f"same {said(link_of(kind))} within 30 minutes" for kind in (MACHINE, WEAK_MACHINE)),
        *(f"opened this incident: severity {one.name.lower()}" for one in Severity),
        "opened this incident: 12 detections",
        "same source address 203.0.113.9, before it was more than one of many",
        "one of 395 source addresses or more which each did the same little",
        "put here by mori",
    ],
)
def test_each_reason_why_an_alert_is_in_its_incident_has_its_sentence(sentence: str) -> None:
    assert told_again(sentence)


def told_again(sentence: str) -> bool:
    """Whether the console knows this form, and says the same of it in English as the node does."""
    for pattern, key in json.loads((SOURCE / "lib" / "why.json").read_text(encoding="utf-8")):
        if found := re.match(pattern, sentence):
            one, other = [*found.groups(), "", ""][:2]
            return key in WORDS["ja"] and WORDS["en"][key].format(one=one, other=other) == sentence
    return False
