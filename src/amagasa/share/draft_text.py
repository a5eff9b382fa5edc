"""The first draft of an agreement as TOML, with comments in both languages: people edit it, `share.draft` reads it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.share.agreement import Agreement, Card, Consent
from amagasa.share.form import AGREEMENT_TERMS, digest, plain_of
from amagasa.share.terms import Role
from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp


class _Proposal(Struct, frozen=True, kw_only=True):
    """A first clause, proposed in both directions; comments stand above it."""

    name: str
    objects: tuple[str, ...]
    ceiling: Tlp
    consent: Consent
    en: str
    ja: str


_FIRST: Final = (
    _Proposal(
        name="sightings",
        objects=("sighting", "attack-pattern"),
        ceiling=Tlp.AMBER,
        consent=Consent.AUTOMATIC,
        en="What was seen, how often and when, leaves by itself: protection spreads within a second.",
        ja="何が、いつ、何回見られたかは自動的に渡します。一秒以内に守りが広がります。",
    ),
    _Proposal(
        name="indicators",
        objects=("indicator",),
        ceiling=Tlp.AMBER,
        consent=Consent.AUTOMATIC,
        en="STIX patterns and Sigma rules are put to use on the other side at once.",
        ja="STIX パターンと Sigma ルールは、相手側で直ちに使われます。",
    ),
    _Proposal(
        name="incidents",
        objects=("incident",),
        ceiling=Tlp.AMBER_STRICT,
        consent=Consent.RELEASE_OFFICER,
        en="An incident says more about the victim than about the attacker: a release officer looks first.",
        ja="インシデントは攻撃者より被害側を語るため、開示担当官が先に確認します。",
    ),
)

_HEAD: Final = """\
# An agreement between two parties. Edit it, then:  amagasa agreement check FILE
# 二者間の協定案です。編集後に確認してください:       amagasa agreement check FILE
# Both sign the same text:                          amagasa agreement sign NODE FILE
# 双方が同じ文面に署名します:                         amagasa agreement sign NODE FILE
#
# Nothing leaves that no clause below allows. Unmarked objects and TLP:RED never leave.
# 下の条項が認めないものは外に出ません。取扱区分のないものと TLP:RED は決して出ません。
"""

_CLAUSES: Final = """\
# Clauses. An object leaves under the first clause, from the top, that names its type and bears its marking.
# 条項。上から順に見て、種別が挙げられ、区分が上限以内である最初の条項により渡されます。
#
#   giver          "supported" or "supporting": whose objects            誰のものか
#   objects        STIX types                                            STIX の種別
#   pattern_types  of indicators: "stix", "sigma"; empty: any            indicator の種類。空はすべて
#   ceiling        clear, green, amber, amber+strict                     取扱区分の上限
#   consent        "automatic" or "release-officer"                      自動、または開示担当官の承認
#   strip          properties which never leave                          必ず削除する項目
#   pseudonymise   properties replaced by stable pseudonyms              仮名に置き換える項目
#
# Properties are dotted paths, * for every item or member, e.g.
# 項目は点でつなぎ、* はすべての要素を指します。例:
#   strip = ["description", "external_references.*.url", "extensions.*.source_addresses"]
#   pseudonymise = ["labels.*"]
"""


def draft_text(supported: Card, supporting: Card, *, valid_from_at: datetime, valid_until_at: datetime) -> str:
    """TOML with the first clauses: sightings, indicators and incidents both ways; incidents need consent.

    `share.draft.parse_draft` reads it back whatever the cards hold: their texts are quoted, and escaped in comments.
    """
    identifier = stable_id("agreement", supported.id, supporting.id, to_rfc3339(valid_from_at))
    lines = [
        _HEAD,
        f"id = {_quoted(identifier)}",
        f"title = {_quoted(f'Umbrella over {show(supported.name, 80)}')}",
        "version = 1",
        "# In force from the first instant up to, and without, the second. 効力の開始と終了(終了時刻は含みません)。",
        f"valid_from = {_whole_seconds(valid_from_at)}",
        f"valid_until = {_whole_seconds(valid_until_at)}",
        "",
        "# Whom the umbrella covers. 支援を受ける側。",
        *_party(supported, Role.SUPPORTED),
        "# Who extends it. 支援する側。",
        *_party(supporting, Role.SUPPORTING),
        _CLAUSES,
        *_clauses(Role.SUPPORTED, (supported, supporting)),
        *_clauses(Role.SUPPORTING, (supporting, supported)),
    ]
    return "\n".join(lines)


def amended_text(agreement: Agreement) -> str:
    """The next version as TOML to be edited: every term of this one, and its digest in `amends`."""
    plain = plain_of(agreement) | {"version": agreement.version + 1, "amends": digest(agreement)}
    roles = {party.id: party.role.value for party in agreement.parties}
    lines = [_HEAD, "# An amendment: both sign it, and it takes the place of the version which it names.", ""]
    lines += [f"{name} = {_value(plain[name])}" for name in ("id", "title", "version", "amends")]
    lines += [f"{name} = {_whole_seconds(from_rfc3339(plain[name]))}" for name in ("valid_from", "valid_until")]
    lines += [f"{name} = {_value(plain[name])}" for name in AGREEMENT_TERMS if name in plain and name != "amends"]
    lines.append("")
    for party in agreement.parties:
        card = {field: getattr(party, field) for field in Card.__struct_fields__}
        lines += _party(Card(**card), party.role)
    lines.append(_CLAUSES)
    for clause in plain["clauses"]:
        told = clause | {"giver": roles.get(clause["giver"], clause["giver"])}
        lines += ["[[clause]]", *(f"{name} = {_value(value)}" for name, value in told.items()), ""]
    return "\n".join(lines)


def _value(value: Any) -> str:
    """A JSON value in TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return _quoted(value) if isinstance(value, str) else str(value)


def _party(card: Card, role: Role) -> Iterator[str]:
    yield f"[{role.value}]"
    for name in ("id", "name", "country", "key", "address"):
        yield f"{name} = {_quoted(getattr(card, name))}"
    yield f"certificate = {_quoted_pem(card.certificate)}"
    yield ""


def _clauses(giver: Role, between: Sequence[Card]) -> Iterator[str]:
    from_name, to_name = (show(card.name, 60) for card in between)
    for proposal in _FIRST:
        yield f"# {from_name} -> {to_name}"
        yield f"# {proposal.en}"
        yield f"# {proposal.ja}"
        yield "[[clause]]"
        yield f"id = {_quoted(f'{proposal.name}-from-{giver.value}')}"
        yield f"giver = {_quoted(giver.value)}"
        yield f"objects = [{', '.join(_quoted(kind) for kind in proposal.objects)}]"
        if "indicator" in proposal.objects:
            yield 'pattern_types = ["stix", "sigma"]'
        yield f"ceiling = {_quoted(proposal.ceiling.word)}"
        yield f"consent = {_quoted(proposal.consent.value)}"
        yield "strip = []"
        yield "pseudonymise = []"
        yield ""


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes, and DEL, which TOML wants escaped as well."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _quoted_pem(text: str) -> str:
    """Several lines where nothing in them needs escaping, as in every PEM."""
    is_plain = text.isascii() and all(line.isprintable() for line in text.split("\n")) and '"' not in text
    return f'"""\n{text}"""' if is_plain and "\\" not in text else _quoted(text)


def _whole_seconds(instant: datetime) -> str:
    return to_rfc3339(instant)[:19] + "Z"
