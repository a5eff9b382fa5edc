"""The words which an agreement is rendered with, (English, Japanese)."""

from collections.abc import Iterable
from typing import Final, TypeAlias

from amagasa.share.terms import Coarse, Duty, Otherwise, Power, Role, Sanction, Use
from amagasa.vocab.text import show

Both: TypeAlias = tuple[str, str]

ROLE: Final[dict[Role, Both]] = {
    Role.SUPPORTING: ("the supporting party, which extends the umbrella", "支援する側 (傘を差し掛ける側)"),
    Role.SUPPORTED: ("the supported party, which it covers", "支援を受ける側 (傘に守られる側)"),
}
COARSE: Final[dict[Coarse, Both]] = {
    Coarse.NETWORK: ("its network (/24, /48)", "ネットワーク (/24、/48)"),
    Coarse.STAND_IN: ("a stand-in which every party makes alike", "全当事者に共通の置き換え値"),
    Coarse.HOUR: ("its hour", "一時間単位"),
    Coarse.DAY: ("its day", "一日単位"),
    Coarse.ROLE: ("the role of the host", "ホストの役割"),
}
USE: Final[dict[Use, Both]] = {
    Use.NONE: ("reading only", "閲覧のみ"),
    Use.CONTACT: ("nothing before asking the giver", "提供者に確認してから"),
    Use.INTERNAL: ("measures seen only inside its own networks", "自組織内でのみ見える措置"),
    Use.INDIRECT: ("measures seen outside, not by the attacker", "外部から間接的に見える措置まで"),
    Use.DIRECT: ("any lawful defensive measure", "適法なあらゆる防御措置"),
}
DUTY: Final[dict[Duty, Both]] = {
    Duty.MAY: ("permitted", "任意"),
    Duty.MUST: ("required", "必須"),
    Duty.MUST_NOT: ("forbidden", "禁止"),
}
POWER: Final[dict[Power, Both]] = {
    Power.MATCH: ("match the ally's indicators in its own networks", "自組織内で同盟国の indicator を照合する"),
    Power.PERSONAL: ("give personal data", "個人データを渡す"),
    Power.CONTENT: ("give the content of communications", "通信の内容を渡す"),
    Power.BLOCK: ("block in its own networks", "自組織内で遮断する"),
    Power.PROPOSE: ("propose actions to the ally", "同盟国に措置を提案する"),
    Power.ASSIST: ("act on the ally's assets with its consent", "同意を得て同盟国の資産に措置を講じる"),
    Power.ATTRIBUTE: ("attribute in public", "公に攻撃主体を名指しする"),
}
BREACH: Final[dict[Sanction, Both]] = {
    Sanction.CONSULT: ("both consult", "双方が協議します"),
    Sanction.SUSPEND: ("the agreement is suspended", "協定を停止します"),
    Sanction.REVOKE: ("the agreement is revoked", "協定を破棄します"),
}
OTHERWISE: Final[dict[Otherwise, Both]] = {
    Otherwise.ACTIVATE: (
        "then it is used, and tried further",
        "終わらなければ使い始め、試し続けます",
    ),
    Otherwise.HOLD: ("else it waits for the end of it", "終わらなければ使わずに待たせます"),
}
# Of what the nodes cannot see or do: whoever signs is to know that it is kept by people.
BY_PEOPLE: Final[Both] = (
    "People see to this; the nodes do not enforce it.",
    "これは人が守ります。ノードは強制しません。",
)
ENFORCED: Final = frozenset([Power.MATCH, Power.PERSONAL, Power.CONTENT])
# The roles of people at a node; another name stands as it is.
APPROVER: Final[dict[str, Both]] = {
    "watch-officer": ("watch officer", "当直官"),
    "analyst": ("analyst", "分析官"),
    "release-officer": ("release officer", "開示担当官"),
    "auditor": ("auditor", "監査官"),
    "administrator": ("administrator", "管理者"),
}
_UNITS: Final = ((86_400, "d", "日"), (3_600, "h", "時間"), (60, "min", "分"), (1, "s", "秒"))


def seconds(n: int) -> Both:
    """`90` -> ("1 min 30 s", "1 分 30 秒")."""
    parts: list[tuple[int, str, str]] = []
    left = n
    for size, english, japanese in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append((count, english, japanese))
    if not parts:
        return ("0 s", "0 秒")
    return (" ".join(f"{n} {en}" for n, en, _ in parts), " ".join(f"{n} {ja}" for n, _, ja in parts))


def days(n: int) -> Both:
    """`1` -> ("1 day", "1 日")."""
    return (f"{n} day" if n == 1 else f"{n} days", f"{n} 日")


def listed(names: Iterable[str]) -> str:
    """With commas, each escaped."""
    return ", ".join(show(name) for name in names)
