"""Findings of `amagasa doctor` in words: what is found, and how to mend it, in English and Japanese."""

from typing import Final

from amagasa.app.doctor import Finding, Kind

PARTS: Final[dict[str, tuple[str, str]]] = {
    "program": ("program", "プログラム"),
    "settings": ("settings", "設定"),
    "folder": ("folder", "フォルダー"),
    "keys": ("keys", "鍵"),
    "certificate": ("certificate", "証明書"),
    "store": ("store", "保存領域"),
    "lake": ("kept records", "保存された記録"),
    "ledger": ("record", "台帳"),
    "agreements": ("agreements", "協定"),
    "allies": ("allies", "同盟相手"),
    "sources": ("sources", "ログ源"),
    "content": ("content", "コンテンツ"),
    "clock": ("clock", "時計"),
    "disk": ("disk", "ディスク"),
    "ports": ("ports", "ポート"),
}
KINDS: Final[dict[Kind, tuple[str, str]]] = {
    Kind.SOUND: ("sound", "正常"),
    Kind.NOTE: ("note", "注意"),
    Kind.WRONG: ("WRONG", "異常"),
    Kind.UNLOOKED: ("NOT LOOKED AT", "未確認"),
}
# Code -> (what is found, how to mend it; "" where there is nothing to mend) in English, then in Japanese.
_WORDS: Final[dict[str, tuple[str, str, str, str]]] = {
    "native": ("the native library is in use", "", "ネイティブライブラリーを使っています", ""),
    "no-native": (
        "the native library is absent: everything works, detection several times slower",
        "install the wheel for this platform, or run `make setup` in a checkout",
        "ネイティブライブラリーがありません。すべて動きますが、検知が数倍遅くなります",
        "このプラットフォーム用の wheel を入れるか、チェックアウトで make setup を実行",
    ),
    "settings": ("{0} can be used", "", "{0} は使えます", ""),
    "error": ("{0}", "{1}", "{0}", "{1}"),
    "blocked": (
        "could not be looked at before this is mended: {0}",
        "mend that, then run this again",
        "先に直すもの: {0}",
        "直してから、もう一度実行",
    ),
    "private": ("only its owner can open it", "", "所有者だけが開けます", ""),
    "open": (
        "others than its owner may open {0} (mode {1})",
        "chmod {2} {0}",
        "所有者以外も {0} を開けます(モード {1})",
        "chmod {2} {0}",
    ),
    "keys": ("the keys are whole and belong together", "", "鍵はそろっていて、互いに合っています", ""),
    "card": (
        "party.json, which allies know, names another {0} than the node has",
        "put back the party.json, keys and tls.crt that belong together, or sign the agreements anew",
        "同盟相手の知る party.json と、ノードの {0} が違います",
        "対になる party.json・鍵・tls.crt を戻すか、協定を結び直す",
    ),
    "certificate": ("valid until {0}", "", "有効期限 {0}", ""),
    "certificate-soon": (
        "the certificate ends on {0}, in {1} days; then no ally can reach this node",
        "make a new one in time and sign an amended agreement with it (docs/agreement.md)",
        "証明書は {0} に切れます(あと {1} 日)。切れると同盟相手はこのノードに届きません",
        "早めに作り直し、それを載せた協定を改定する(docs/agreement.ja.md)",
    ),
    "certificate-over": (
        "the certificate ended on {0}: no ally can reach this node",
        "make a new one and sign an amended agreement with it (docs/agreement.md)",
        "証明書は {0} に切れました。同盟相手はこのノードに届きません",
        "作り直し、それを載せた協定を改定する(docs/agreement.ja.md)",
    ),
    "certificate-early": (
        "the certificate begins on {0}, which this machine's clock has not reached",
        "set the clock",
        "証明書は {0} からです。この機械の時計はまだそこまで進んでいません",
        "時計を合わせる",
    ),
    "store": ("revision {0}, whole", "", "版 {0}、健全です", ""),
    "store-missing": (
        "the store is not there: {0}",
        "restore it from a backup; started without, the node begins an empty one",
        "保存領域がありません: {0}",
        "バックアップから戻す(このまま起動すると空から始まります)",
    ),
    "store-older": (
        "revision {0}; this program writes {1} and migrates it at its next start",
        "make a backup first: amagasa backup; the rest of the store is looked at after that start",
        "版 {0}。このプログラムの版は {1} で、次の起動で移行します",
        "先に amagasa backup で控えを取る。残りは移行後に確認できます",
    ),
    "store-damaged": (
        "the store is damaged: {0}",
        "stop the node and restore the newest backup; keep the damaged file",
        "保存領域が壊れています: {0}",
        "ノードを止め、最新のバックアップを復元する。壊れたファイルは残しておく",
    ),
    "lake": (
        "{0} records of {1} sources are as they were written",
        "",
        "{1} 個のログ源の記録 {0} 件は、書いたときのままです",
        "",
    ),
    "lake-damaged": (
        "what is kept of {0} does not fit: {1}",
        "amagasa lake verify says where; the records behind are no evidence; restore them from a backup",
        "{0} の保存記録が合いません: {1}",
        "amagasa lake verify で場所を確かめる。以後の記録は証拠になりません。バックアップから戻す",
    ),
    "lake-off": (
        "records are not kept (enabled = false under [lake])",
        "",
        "記録を保存していません([lake] enabled = false)",
        "",
    ),
    "ledger": ("{0} leaves of {1} agreements hold together", "", "{1} 件の協定の台帳 {0} 葉は整合しています", ""),
    "ledger-misfit": (
        "the record of {0} does not hold together{1}: {2}",
        "stop sharing, keep the node's folder as it is, and compare with the ally's copy (docs/ledger.md)",
        "{0} の台帳が整合しません{1}: {2}",
        "共有を止め、フォルダーをそのまま保全し、相手の写しと比べる(docs/ledger.ja.md)",
    ),
    "ledger-unkeyed": (
        "there is a record of {0} and no agreement: it cannot be checked",
        "put the signed agreement back into agreements/",
        "{0} の台帳がありますが協定がなく、確認できません",
        "署名済みの協定を agreements/ に戻す",
    ),
    "agreements": ("{0} in force", "", "有効な協定 {0} 件", ""),
    "agreement-faulty": (
        "the agreement {0} cannot be relied on: {1}",
        "put the signed file back, or move it away; a node with it does not start",
        "協定 {0} は信頼できません: {1}",
        "署名済みのファイルを戻すか、脇へ移す(このままではノードは起動しません)",
    ),
    "agreement-soon": (
        "the agreement {0} ends on {1}, in {2} days",
        "amagasa agreement amend {0}; both sign; nothing leaves after that day",
        "協定 {0} は {1} に終わります(あと {2} 日)",
        "amagasa agreement amend {0} で改定し、双方が署名する(以後は何も出ません)",
    ),
    "agreement-over": (
        "the agreement {0} ended on {1}, and no other is in force with this ally: nothing is shared",
        "amagasa agreement amend {0}; both sign",
        "協定 {0} は {1} に終わり、この相手と有効な協定がありません。何も共有されません",
        "amagasa agreement amend {0} で改定し、双方が署名する",
    ),
    "allies": ("nothing is held up", "", "滞っているものはありません", ""),
    "ally-down": (
        "the line to {0} is down, {1} wait: {2}",
        "amagasa ally status; what waits is delivered when the line is back, or by amagasa share courier",
        "{0} への回線が切れています。{1} 件が待っています: {2}",
        "amagasa ally status で確かめる。回線が戻れば届きます。amagasa share courier でも運べます",
    ),
    "sources": ("{0} sources can be read", "", "{0} 個のログ源を読めます", ""),
    "no-sources": (
        "this node reads nothing",
        "amagasa source add NAME PATH",
        "このノードは何も読んでいません",
        "amagasa source add 名前 パス",
    ),
    "source-missing": (
        "{0}: {1} is not there",
        "see whether the log moved; amagasa source list shows what is followed",
        "{0}: {1} がありません",
        "ログの場所が変わっていないか確かめる(amagasa source list)",
    ),
    "source-closed": (
        "{0}: {1} cannot be opened: {2}",
        "let the user who runs the node read it",
        "{0}: {1} を開けません: {2}",
        "ノードを動かす利用者が読めるようにする",
    ),
    "source-fault": (
        "{0}: {1}",
        "mend what it says; the source is read on from where it stood",
        "{0}: {1}",
        "書かれていることを直す。続きから読みます",
    ),
    "source-silent": (
        "{0}: silent longer than it ever was at such hours; newest record {1}",
        "look at the machine that writes it (docs/source-health.md)",
        "{0}: いつもより長く途絶えています。最新の記録 {1}",
        "書いている機械を調べる(docs/source-health.ja.md)",
    ),
    "source-clock": (
        "{0}: its clock is {1} s from this machine's",
        "set that machine's clock or time zone: correlation over sources suffers",
        "{0}: 時計がこの機械と {1} 秒ずれています",
        "その機械の時計か時間帯を直す(相関検知に影響します)",
    ),
    "interface-missing": (
        "{0}: there is no network interface {1}",
        "ip link shows those there are",
        "{0}: ネットワークインターフェイス {1} がありません",
        "ip link で確かめる",
    ),
    "tshark": (
        "{0}: captures need tshark, which is not installed: nothing of it is looked at",
        "apt install tshark",
        "{0}: 通信の取り込みには tshark が必要ですが、ありません。何も見られません",
        "apt install tshark",
    ),
    "content": ("nothing that was added is faulty", "", "追加したものに不備はありません", ""),
    "content-faulted": (
        "{0} of {1} rules and indicators that were added cannot run",
        "amagasa content list says which and why",
        "追加したルールとインジケーター {1} 件のうち {0} 件が実行できません",
        "amagasa content list で、どれがなぜかを確かめる",
    ),
    "clock": ("no record is younger than this machine's clock", "", "この機械の時計より新しい記録はありません", ""),
    "clock-behind": (
        "the newest record of {0} is of {1}, after this machine's now, {2}",
        "set this machine's clock, or that source's: agreements, silence and correlation go by it",
        "{0} の最新の記録は {1} で、この機械の現在 {2} より後です",
        "この機械かそのログ源の時計を合わせる(協定、途絶の検知、相関検知が時計に従います)",
    ),
    "disk": ("{0} GB free for {1}", "", "{1}: 空き {0} GB", ""),
    "disk-soon": (
        "{0} GB free for {1}, while the quota lets the kept records grow by {2} GB more",
        "lower quota_mib or keep_days under [lake], or make room",
        "{1}: 空き {0} GB。保存記録の上限まではあと {2} GB 増えます",
        "[lake] の quota_mib か keep_days を下げるか、空きを作る",
    ),
    "disk-full": (
        "only {0} GB free for {1}: the node stops committing when it is full",
        "make room now; nothing committed is lost",
        "{1}: 空きは {0} GB だけです。一杯になると確定できなくなります",
        "今すぐ空きを作る。確定したものは失われません",
    ),
    "running": ("the node runs and answers", "", "ノードは動いていて、応答します", ""),
    "hangs": (
        "a process holds the node's lock and does not answer",
        "look at what `amagasa serve` printed; end that process and start again",
        "ノードのロックを持つプロセスがありますが、応答しません",
        "amagasa serve の表示を見て、そのプロセスを止めて起動し直す",
    ),
    "ports": ("the ports are free for the next start", "", "次の起動に使うポートは空いています", ""),
    "port-taken": (
        "{0} cannot be listened on ({1}): {2}",
        "end the program that holds it, or set another port in node.toml",
        "{0} で待ち受けできません({1}): {2}",
        "使っているプログラムを止めるか、node.toml で別のポートにする",
    ),
}
CODES: Final = frozenset(_WORDS)


def told(finding: Finding, lang: str) -> tuple[str, str]:
    """What was found, and how to mend it; the second is "" where there is nothing to mend."""
    words = _WORDS[finding.code]
    what, mend = words[2:] if lang == "ja" else words[:2]
    args = finding.args if finding.code != "blocked" else tuple(PARTS[one][lang == "ja"] for one in finding.args)
    return what.format(*args), mend.format(*args)


def part_of(finding: Finding, lang: str) -> str:
    """The part of the node in words."""
    return PARTS[finding.part][lang == "ja"]


def kind_of(finding: Finding, lang: str) -> str:
    """How it is, in words."""
    return KINDS[finding.kind][lang == "ja"]
