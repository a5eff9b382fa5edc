"""Clauses and problems of an agreement in words, English and Japanese."""

from typing import Final

from amagasa.share.agreement import Agreement, Clause
from amagasa.share.problem import Problem, Weight
from amagasa.share.rendering import clause_lines
from amagasa.share.terms import Role
from amagasa.vocab.text import show

LANGUAGES: Final = ("en", "ja")

# Code -> (English, Japanese); {0}, {1} ... are the problem's args, escaped where they were made.
_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "AMG-AGREEMENT-TOML": ("this is not TOML: {0}", "TOML として読めません: {0}"),
    "AMG-AGREEMENT-SIZE": ("the file is larger than {0} bytes", "ファイルが {0} バイトを超えています"),
    "AMG-AGREEMENT-TEXT": ("this is not text in UTF-8", "UTF-8 の文章ではありません"),
    "AMG-AGREEMENT-FORM": ("this is not a signed agreement: {0}", "署名された協定ではありません: {0}"),
    "AMG-AGREEMENT-FORMAT": ("the format is {1}, expected {0}", "形式は {1} です。{0} であるべきです"),
    "AMG-AGREEMENT-TWO": (
        "an agreement has two parties, this one {0}",
        "協定の当事者は二者です。ここには {0} 者います",
    ),
    "AMG-AGREEMENT-WORD": ("a word or an instant means nothing: {0}", "意味の分からない語または日時です: {0}"),
    "AMG-AGREEMENT-CANONICAL": (
        "the file is not canonical JSON (RFC 8785): it was altered or rewritten by another program",
        "正規化 JSON (RFC 8785) ではありません。改変されたか、別のプログラムで書き直されています",
    ),
    "AMG-AGREEMENT-TWICE": ("{0} signed twice", "{0} の署名が二つあります"),
    "AMG-AGREEMENT-STRANGER": ("{0} signed but is no party", "当事者でない {0} の署名があります"),
    "AMG-AGREEMENT-SIGNATURE": (
        "the signature of {0} is not true: something was altered after it signed, or another key was used",
        "{0} の署名が正しくありません。署名後に改変されたか、別の鍵で署名されています",
    ),
    "AMG-AGREEMENT-UNSIGNED": ("{0} has not signed", "{0} はまだ署名していません"),
    "AMG-AGREEMENT-KEY-UNKNOWN": ("the key {0} is unknown{1}", "項目 {0} は知られていません{1}"),
    "AMG-AGREEMENT-KEY-MISSING": ("the key {0} is missing", "項目 {0} がありません"),
    "AMG-AGREEMENT-TYPE": ("expected {0}, got {1}", "{0} であるべきところ、{1} です"),
    "AMG-AGREEMENT-VALUE": ("{0} is none of {1}{2}", "{0} は {1} のどれでもありません{2}"),
    "AMG-AGREEMENT-ID": (
        "{0} is no identifier: small letters, digits and dashes",
        "{0} は識別子になりません。英小文字・数字・ハイフンだけを使います",
    ),
    "AMG-AGREEMENT-NAME": ("{0} is no name", "{0} は名称になりません"),
    "AMG-AGREEMENT-VERSION": ("the version must lie between 1 and {0}", "版は 1 から {0} までです"),
    "AMG-AGREEMENT-VALIDITY": ("the validity ends before it begins", "有効期間の終わりが始まりより前です"),
    "AMG-AGREEMENT-EXPIRED": ("it expired on {0}", "{0} に失効しました"),
    "AMG-AGREEMENT-EARLY": ("it is not in force before {0}", "{0} までは効力がありません"),
    "AMG-AGREEMENT-PARTY-ID": ("{0} is no STIX identity", "{0} は STIX identity ではありません"),
    "AMG-AGREEMENT-COUNTRY": (
        "{0} is no country code: two capital letters (ISO 3166-1)",
        "{0} は国コードではありません。英大文字二字 (ISO 3166-1) です",
    ),
    "AMG-AGREEMENT-KEY": (
        "this is no Ed25519 public key: 32 bytes in base64url without padding",
        "Ed25519 公開鍵 (32 バイト、base64url、パディングなし) ではありません",
    ),
    "AMG-AGREEMENT-ADDRESS": ("{0} is no https address of a door", "{0} は https の窓口アドレスではありません"),
    "AMG-AGREEMENT-CERTIFICATE": ("this is not one certificate in PEM", "PEM 形式の証明書一通ではありません"),
    "AMG-AGREEMENT-CA": (
        "this certificate could vouch for others; an end-entity certificate (CA:FALSE) is needed",
        "他を保証できる証明書です。エンドエンティティ証明書 (CA:FALSE) が必要です",
    ),
    "AMG-AGREEMENT-ROLES": ("both parties are {0}", "双方とも {0} です"),
    "AMG-AGREEMENT-SAME": (
        "both parties have the same {0}: two different cards are needed",
        "双方の {0} が同じです。別々のカードが必要です",
    ),
    "AMG-AGREEMENT-OUTLIVES": (
        "the certificate of {0} ends on {1}, before the agreement does",
        "{0} の証明書は協定より前の {1} に失効します",
    ),
    "AMG-AGREEMENT-MANY": ("more than {0} clauses", "条項が {0} を超えています"),
    "AMG-AGREEMENT-CLAUSE-ID": (
        "{0} is no name for a clause: small letters, digits and dashes",
        "{0} は条項名になりません。英小文字・数字・ハイフンだけを使います",
    ),
    "AMG-AGREEMENT-CLAUSE-TWICE": ("two clauses are called {0}", "{0} という条項が二つあります"),
    "AMG-AGREEMENT-GIVER": ("the giver {0} is no party", "提供者 {0} は当事者ではありません"),
    "AMG-AGREEMENT-RED": (
        "TLP:RED never leaves; the highest ceiling is amber+strict",
        "TLP:RED は決して外に出ません。上限は amber+strict までです",
    ),
    "AMG-AGREEMENT-NOTHING": ("the clause covers no object type", "対象となる種別がありません"),
    "AMG-AGREEMENT-TYPE-NAME": ("{0} is no STIX type", "{0} は STIX の種別ではありません"),
    "AMG-AGREEMENT-TYPE-NEW": (
        "{0} is a type this node knows only by name",
        "{0} はこのノードが名前でしか知らない種別です",
    ),
    "AMG-AGREEMENT-PATTERN": ("{0} is none of {1}", "{0} は {1} のどれでもありません"),
    "AMG-AGREEMENT-PATTERN-ALONE": (
        "pattern_types limits indicators, and this clause covers none",
        "pattern_types は indicator に対する制限ですが、この条項に indicator はありません",
    ),
    "AMG-AGREEMENT-PATH": ("{0} is no property path", "{0} は項目の位置になりません"),
    "AMG-AGREEMENT-PROTECTED": (
        "{0} would take away what an object is known by or how it is marked",
        "{0} を除くと、識別情報または取扱区分が失われます",
    ),
    "AMG-AGREEMENT-NEEDED": (
        "without {0} no {1} is left: every one would be withheld",
        "{0} がなければ {1} は成り立たず、すべて差し止められます",
    ),
    "AMG-AGREEMENT-TYPED": (
        "{0} cannot be a pseudonym: every object with it would be withheld or useless; strip it",
        "{0} は仮名にできません。差し止められるか役に立たなくなるため、削除を選んでください",
    ),
    "AMG-AGREEMENT-WANTED": (
        "STIX wants {0} on every indicator: strict readers will complain",
        "STIX は indicator に {0} を求めており、厳格な読み手は警告します",
    ),
    "AMG-AGREEMENT-BOTH": ("{0} is both stripped and pseudonymised", "{0} は削除と仮名化の両方に挙げられています"),
    "AMG-AGREEMENT-SHADOWED": (
        "{0} never applies: {1} comes first and lets all of it go",
        "{0} は適用されません。先にある {1} がすべてを通します",
    ),
    "AMG-AGREEMENT-TERM": ("this term cannot be read: {0}", "この取り決めは読めません: {0}"),
    "AMG-AGREEMENT-AMENDS": (
        "version {0}: the first version amends nothing, every later one names the SHA-256 of the one before",
        "第 {0} 版: 初版は何も改正せず、以後の各版は直前の版の SHA-256 を amends に示します",
    ),
    "AMG-AGREEMENT-CHAIN": (
        "it amends {0}, but the newest version installed here is {1}",
        "{0} を改正するとありますが、ここにある最新の版は {1} です",
    ),
    "AMG-AGREEMENT-RENEW": (
        "renewal would be due {0} days before the end, which is before it begins",
        "更新期限が終了の {0} 日前では、開始より前になります",
    ),
    "AMG-AGREEMENT-ROLE-TWICE": ("{0} stands there twice", "{0} が二度挙げられています"),
    "AMG-AGREEMENT-ASK": (
        "no clause lets the other party answer with a {0}",
        "相手側が {0} で答えられる条項がありません",
    ),
    "AMG-AGREEMENT-PERSONS": ("{0} persons cannot consent: one or two", "承認は一人か二人です ({0} 人は不可)"),
    "AMG-AGREEMENT-NOBODY": (
        "it leaves by itself, so no persons or roles can be named who consent",
        "自動で渡すため、承認する人数や役割は指定できません",
    ),
    "AMG-AGREEMENT-APPROVER": (
        "{0} is no role: small letters and dashes",
        "{0} は役割名になりません (英小文字とハイフン)",
    ),
    "AMG-AGREEMENT-COARSE": ("{0} cannot be made into {1}", "{0} を {1} に丸めることはできません"),
    "AMG-AGREEMENT-BETRAYS": (
        "{0} would tell the time which is blurred: generalise them as well",
        "{0} からぼかした時刻が分かります。あわせて丸めてください",
    ),
    "AMG-AGREEMENT-THIRD": (
        "{0} is a party of this agreement, not a third",
        "{0} はこの協定の当事者であり第三者ではありません",
    ),
    "AMG-AGREEMENT-LEGAL": (
        "the giver's legal profile does not let it give a {0}",
        "提供者の法的権限では {0} を渡せません",
    ),
    "AMG-AGREEMENT-UNMATCHED": (
        "{0} may by law not match its ally's indicators: they will be held and not used",
        "{0} は法により同盟国の indicator を照合できないため、受け取っても使われません",
    ),
    "AMG-AGREEMENT-OUTSIDE": (
        "{0} goes beyond the agreement under which this one stands",
        "{0} は上位の協定の範囲を超えています",
    ),
    "AMG-AGREEMENT-REVOCATION": ("this is no revocation: {0}", "破棄の通知ではありません: {0}"),
    "AMG-AGREEMENT-UNTRUE": (
        "the revocation in the name of {0} is signed by no party of it",
        "{0} 名義の破棄通知は当事者の署名ではありません",
    ),
    "AMG-AGREEMENT-REVOKED": ("{0} revoked it on {1}: {2}", "{1} に {0} が破棄しました: {2}"),
    "AMG-AGREEMENT-GAP": ("no clause lets {0} give a {1}", "{0} が {1} を渡せる条項がありません"),
    "AMG-AGREEMENT-UNREAD": ("the file could not be read: {0}", "ファイルを読めませんでした: {0}"),
    "AMG-AGREEMENT-OTHERS": ("this node is no party of it", "このノードは当事者ではありません"),
    "AMG-AGREEMENT-OURS": (
        "the {0} which it gives for this node is not the node's own",
        "このノードのものとされる {0} が、実際のものと違います",
    ),
    "AMG-CARD-FORM": ("this is no party's card (party.json): {0}", "当事者のカード (party.json) ではありません: {0}"),
}
_WEIGHTS: Final = {Weight.FAULT: ("fault", "不備"), Weight.NOTE: ("note", "注意")}
_ROLES: Final = {Role.SUPPORTING: ("supporting", "支援する側"), Role.SUPPORTED: ("supported", "支援を受ける側")}


def tell(problem: Problem, lang: str = "en") -> str:
    """The problem in one line: weight, place, sentence and code. An unknown language is told in English."""
    which = _index(lang)
    place = f"{problem.place}: " if problem.place else ""
    return f"{_WEIGHTS[problem.weight][which]}: {place}{sentence(problem, lang)} [{problem.code}]"


def sentence(problem: Problem, lang: str = "en") -> str:
    """The sentence alone."""
    return _SENTENCES[problem.code][_index(lang)].format(*problem.args)


def clause_in_words(clause: Clause, agreement: Agreement, lang: str = "en") -> str:
    """What the clause lets go, in a few sentences; names are escaped."""
    which = _index(lang)
    first, *more = (line[which] for line in clause_lines(clause, agreement))
    words = [first.removeprefix(f"[{show(clause.id)}] "), *more]
    return ("" if lang == "ja" else " ").join(words)


def parties_in_words(agreement: Agreement, lang: str = "en") -> tuple[str, ...]:
    """One line for each party: name, country, role, address."""
    which = _index(lang)
    return tuple(
        f"{show(party.name)} ({show(party.country)}), {_ROLES[party.role][which]}, {show(party.address)}"
        for party in agreement.parties
    )


def _index(lang: str) -> int:
    return LANGUAGES.index(lang) if lang in LANGUAGES else 0
