"""An agreement for people to read: numbered articles, each in English and Japanese.

The machine enforces the terms; this says the same in words, made from the same value, so that neither can drift from
the other.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from amagasa.share.agreement import Agreement, Clause, Consent
from amagasa.share.rendering_words import (
    APPROVER,
    BREACH,
    BY_PEOPLE,
    COARSE,
    DUTY,
    ENFORCED,
    OTHERWISE,
    POWER,
    ROLE,
    USE,
    Both,
    days,
    listed,
    seconds,
)
from amagasa.share.terms import Ask, Budget, Clocks, Handling, Legal, Power, Role
from amagasa.vocab.text import show

_DATE: Final = "%Y-%m-%d %H:%M UTC"
_Lines: TypeAlias = Iterator[Both]


class Article(Struct, frozen=True, kw_only=True):
    """One article. `lines` are (English, Japanese); every text of a party is escaped."""

    number: int
    title: Both
    lines: tuple[Both, ...]


def render(agreement: Agreement) -> tuple[Article, ...]:
    """The whole agreement, in the order in which one reads it. An article without a line is left out."""
    parts: tuple[tuple[Both, Iterable[Both]], ...] = (
        (("Parties", "当事者"), _parties(agreement)),
        (("Scope", "適用範囲"), _scope(agreement)),
        (("Validity", "有効期間"), _validity(agreement)),
        (("What is given, and how", "渡すものとその条件"), _clauses(agreement)),
        (("What may be asked", "要請できる情報"), _asks(agreement, agreement.asks)),
        (("Clocks", "期限"), _clocks(agreement.clocks)),
        (("Budgets", "上限"), _budgets(agreement, agreement.budgets)),
        (("What each party's law permits", "各当事者の法的権限"), _legal(agreement, agreement.legal)),
        (("Breach", "違反"), _breach(agreement)),
        (("Amendment and end", "改正と終了"), _life(agreement)),
    )
    filled = [(title, tuple(lines)) for title, lines in parts]
    told = [(title, lines) for title, lines in filled if lines]
    return tuple(Article(number=number, title=title, lines=lines) for number, (title, lines) in enumerate(told, 1))


def difference(before: Agreement, after: Agreement) -> tuple[tuple[str, Both], ...]:
    """The lines which an amendment takes away ("-") and puts in ("+"), in the order of the articles."""
    old, new = (
        {line: None for article in render(one) for line in article.lines if article.title[0] != "Amendment and end"}
        for one in (before, after)
    )
    gone = [("-", line) for line in old if line not in new]
    return (*gone, *(("+", line) for line in new if line not in old))


def clause_lines(clause: Clause, agreement: Agreement) -> tuple[Both, ...]:
    """What one clause says."""
    return tuple(_clause(clause, agreement))


def _names(agreement: Agreement) -> dict[str, str]:
    return {party.id: show(party.name) for party in agreement.parties}


def _of(agreement: Agreement, role: Role) -> str:
    party = agreement.party(role)
    return ROLE[role][0] if party is None else show(party.name)


def _parties(agreement: Agreement) -> _Lines:
    for party in agreement.parties:
        name, country = show(party.name), show(party.country)
        yield (f"{name} ({country}): {ROLE[party.role][0]}", f"{name} ({country}): {ROLE[party.role][1]}")


def _scope(agreement: Agreement) -> _Lines:
    sectors, assets = (listed(names) for names in (agreement.scope.sectors, agreement.scope.assets))
    if sectors:
        yield (f"Sectors: {sectors}.", f"分野: {sectors}。")
    if assets:
        yield (f"Assets: {assets}.", f"資産: {assets}。")
    if sectors or assets:
        yield BY_PEOPLE
    else:
        yield ("Every sector and asset of both parties.", "双方のすべての分野と資産。")
    if agreement.under is not None:
        name = show(agreement.under.id)
        yield (
            f"It stands under the agreement {name} and never goes beyond it.",
            f"協定 {name} の下にあり、それを超えません。",
        )


def _validity(agreement: Agreement) -> _Lines:
    begin, end = (f"{instant:{_DATE}}" for instant in (agreement.valid_from_at, agreement.valid_until_at))
    yield (
        f"In force from {begin} up to, and without, {end}.",
        f"{begin} から {end} まで効力を持ちます (終了時刻は含みません)。",
    )


def _clauses(agreement: Agreement) -> _Lines:
    if not agreement.clauses:
        yield ("Nothing is given.", "何も渡しません。")
    for clause in agreement.clauses:
        yield from _clause(clause, agreement)
    yield (
        "Whatever no clause names stays. Unmarked objects and TLP:RED never leave.",
        "条項にないものは渡しません。区分のないものと TLP:RED は決して渡しません。",
    )


def _clause(clause: Clause, agreement: Agreement) -> _Lines:
    names = _names(agreement)
    giver = names.get(clause.giver, show(clause.giver))
    taker = next((name for identifier, name in names.items() if identifier != clause.giver), "?")
    kinds = listed(clause.objects) + (f" ({listed(clause.pattern_types)})" if clause.pattern_types else "")
    how_en, how_ja = _consent(clause)
    yield (
        f"[{show(clause.id)}] {giver} gives {taker}: {kinds}, marked up to {clause.ceiling.label}, {how_en}.",
        f"[{show(clause.id)}] {giver} は {taker} に {kinds} を、{clause.ceiling.label} まで、{how_ja}渡します。",
    )
    yield from _changes(clause)
    yield from _trial(clause, taker)
    yield from _handling(clause.handling, taker)
    if clause.behalf:
        yield (
            f"Also what {giver} learnt from {listed(clause.behalf)}, where that party's own clause lets it.",
            f"{listed(clause.behalf)} から得たものも、先方の条項が認める限り渡します。",
        )


def _consent(clause: Clause) -> Both:
    if clause.consent is Consent.AUTOMATIC:
        return ("by itself", "自動的に")
    roles = [APPROVER.get(role, (show(role), show(role))) for role in clause.approvers]
    english, japanese = " or ".join(role[0] for role in roles), "または".join(role[1] for role in roles)
    if clause.n_persons > 1:
        return (f"after two different persons said yes ({english})", f"異なる二人({japanese})の承認を得て")
    return (f"after a {english} said yes", f"{japanese}の承認を得て")


def _changes(clause: Clause) -> _Lines:
    if clause.only:
        yield (f"Nothing leaves of it but: {listed(clause.only)}.", f"次の項目だけを渡します: {listed(clause.only)}。")
    if clause.strip:
        yield (f"Stripped: {listed(clause.strip)}.", f"削除: {listed(clause.strip)}。")
    for one in clause.generalise:
        yield (
            f"{show(one.path)} leaves as {COARSE[one.to][0]}.",
            f"{show(one.path)} は{COARSE[one.to][1]}に丸めます。",
        )
    if clause.pseudonymise:
        paths = listed(clause.pseudonymise)
        yield (f"Replaced by stable pseudonyms: {paths}.", f"一定の仮名に置き換え: {paths}。")
    if clause.has_pseudonyms:
        yield ("Its identifiers are replaced as well.", "識別子も置き換えます。")
    if clause.batch_s or clause.jitter_s:
        batch, jitter = seconds(clause.batch_s), seconds(clause.jitter_s)
        yield (
            f"It leaves at whole multiples of {batch[0]}, up to {jitter[0]} later.",
            f"{batch[1]}ごとにまとめ、最大 {jitter[1]}遅らせて渡します。",
        )


def _trial(clause: Clause, taker: str) -> _Lines:
    trial = clause.trial
    if "indicator" not in clause.objects:
        return
    if not trial.wait_s:
        yield (
            f"{taker} looks with it at once, and then on its last 24 hours.",
            f"{taker} は直ちに照合に使い、その後に過去 24 時間で試します。",
        )
    else:
        wait, then = seconds(trial.wait_s), OTHERWISE[trial.otherwise]
        yield (
            f"{taker} first tries it on its last 24 hours, for at most {wait[0]}; {then[0]}.",
            f"{taker} はまず過去 24 時間で最長 {wait[1]}試します。{then[1]}。",
        )
    yield (
        f"What would find {trial.noisy_an_hour:,} an hour is put aside, and the giver is told.",
        f"一時間に {trial.noisy_an_hour:,} 件以上見つけるものは使わずに取り置き、提供者に知らせます。",
    )


def _handling(handling: Handling, taker: str) -> _Lines:
    if handling == Handling():
        return
    yield (f"{taker} may use it for: {USE[handling.use][0]}.", f"{taker} の利用: {USE[handling.use][1]}。")
    named, told, sold = (DUTY[duty] for duty in (handling.attribution, handling.notify_affected, handling.resale))
    yield (f"Naming the giver: {named[0]}.", f"提供者名の表示: {named[1]}。")
    yield (f"Telling those affected: {told[0]}.", f"影響を受ける者への通知: {told[1]}。")
    yield (f"Reselling it unchanged: {sold[0]}.", f"無加工の再販: {sold[1]}。")
    yield BY_PEOPLE
    if handling.onward:
        yield (
            f"It may be passed on to: {listed(handling.onward)}.",
            f"次の者への再提供を認めます: {listed(handling.onward)}。",
        )
    else:
        yield ("It is passed on to nobody.", "第三者に渡しません。")
    if handling.keep_days:
        keep = days(handling.keep_days)
        yield (
            f"Kept for {keep[0]} at most, then let go by the node.",
            f"保存は最長 {keep[1]}で、その後ノードが消します。",
        )


def _asks(agreement: Agreement, asks: Sequence[Ask]) -> _Lines:
    for ask in asks:
        asker, kinds = _of(agreement, ask.asker), listed(ask.objects)
        within = seconds(ask.answer_within_s) if ask.answer_within_s else ("", "")
        often = (f", {ask.n_a_day} times a day", f"、一日 {ask.n_a_day} 回まで") if ask.n_a_day else ("", "")
        yield (
            f"{asker} may ask for {kinds}{often[0]}" + (f"; answered within {within[0]}." if within[0] else "."),
            f"{asker} は {kinds} を要請できます{often[1]}。" + (f"{within[1]}以内に回答します。" if within[1] else ""),
        )

    if asks:
        yield BY_PEOPLE


def _clocks(clocks: Clocks) -> _Lines:
    told: tuple[tuple[int | None, str, str], ...] = (
        (clocks.share_within_s, "What one knows the other has within {}.", "知ったことは {}以内に相手に届けます。"),
        (clocks.acknowledge_within_s, "Receipt is acknowledged within {}.", "受領は {}以内に確認します。"),
        (clocks.retract_within_s, "A retraction is carried out within {}.", "撤回は {}以内に実行します。"),
        (
            clocks.consult_within_s,
            "On a serious incident both consult within {}.",
            "重大な事態では {}以内に協議します。",
        ),
        (clocks.silence_s, "Neither is silent for longer than {}.", "{}を超えて沈黙しません。"),
    )
    for limit, english, japanese in told:
        if limit is not None:
            words = seconds(limit)
            yield (english.format(words[0]), japanese.format(words[1]))
    if clocks.renew_by_days:
        words = days(clocks.renew_by_days)
        yield (f"Renewal is due {words[0]} before the end.", f"終了の {words[1]}前までに更新します。")


def _budgets(agreement: Agreement, budgets: Sequence[Budget]) -> _Lines:
    for one in budgets:
        giver = _of(agreement, one.giver)
        limits = (
            (one.n_objects_a_day, "objects", "件"),
            (one.n_bytes_a_day, "bytes", "バイト"),
            (one.n_queries_a_day, "blind-match queries", "件の秘匿照合"),
        )
        for limit, english, japanese in limits:
            if limit is not None:
                yield (f"{giver}: at most {limit:,} {english} a day.", f"{giver}: 一日 {limit:,} {japanese}まで。")
    if any(one.n_queries_a_day is not None for one in budgets):
        yield (
            "Blind-match queries are not answered by the nodes yet.",
            "秘匿照合への回答は、ノードはまだ行いません。",
        )


def _legal(agreement: Agreement, profiles: Sequence[Legal]) -> _Lines:
    for one in profiles:
        name = _of(agreement, one.party)
        powers = [POWER[power] for power in one.may] or [("nothing", "なし")]
        basis = f" ({listed(one.basis)})" if one.basis else ""
        yield (
            f"{name} may: {', '.join(power[0] for power in powers)}{basis}.",
            f"{name} に認められること: {'、'.join(power[1] for power in powers)}{basis}。",
        )

    if any(power not in ENFORCED for one in profiles for power in one.may):
        enforced = [POWER[power] for power in Power if power in ENFORCED]
        yield (
            f"The nodes enforce: {', '.join(power[0] for power in enforced)}. People see to the rest.",
            f"ノードが強制するのは、{'、'.join(power[1] for power in enforced)}ことです。ほかは人が守ります。",
        )


def _breach(agreement: Agreement) -> _Lines:
    breach = agreement.breach
    if breach.tell_within_s:
        words = seconds(breach.tell_within_s)
        yield (f"A breach is told within {words[0]}.", f"違反は {words[1]}以内に通知します。")
    yield (f"After a breach {BREACH[breach.then][0]}.", f"違反があれば、{BREACH[breach.then][1]}。")
    yield BY_PEOPLE


def _life(agreement: Agreement) -> _Lines:
    if agreement.amends:
        yield (
            f"Version {agreement.version} amends {agreement.amends}.",
            f"第 {agreement.version} 版。{agreement.amends} を改正します。",
        )
    if agreement.rotate_days:
        words = days(agreement.rotate_days)
        yield (f"Pseudonyms are others after {words[0]}.", f"仮名は {words[1]}ごとに改めます。")
    yield (
        "It is amended by what both sign, and ends at once when either revokes it.",
        "改正には双方の署名を要し、いずれか一方の破棄により直ちに終了します。",
    )
