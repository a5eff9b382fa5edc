"""Every setting of a node, declared once: type, limits, default, and what it does in English and Japanese.

`node.toml`, docs/settings.md and every message about a setting come from these declarations. Paths are relative to the
node's folder unless they begin with `/`.
"""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Struct

from amagasa.detect.sigma.rule import Status
from amagasa.entry.settings.saying import said as _said
from amagasa.entry.settings.source import SourceSettings
from amagasa.vocab.severity import Level

Language: TypeAlias = Literal["en", "ja"]
Marking: TypeAlias = Literal["clear", "green", "amber", "amber+strict", "red"]
SeverityWord: TypeAlias = Literal["informational", "low", "medium", "high", "critical", "fatal"]

MIB: Final = 1024 * 1024


class NodeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this node is."""

    name: Annotated[
        str,
        _said(
            "Name of the party, as people and allies read it.",
            "当事者の名前。人にも同盟相手にもこの名前で見えます。",
            form="1 to 100 characters",
            min_length=1,
            max_length=100,
        ),
    ] = "A node"
    country: Annotated[
        str,
        _said(
            "Country of the party (ISO 3166-1; ZZ: none).",
            "当事者の国(ISO 3166-1。ZZ は「なし」)。",
            form="two capital letters",
            pattern="^[A-Z]{2}$",
        ),
    ] = "ZZ"
    lang: Annotated[
        Language,
        _said("Language of the console until a person chooses another.", "コンソールの言語(各自で変更できます)。"),
    ] = "en"
    id: Annotated[
        str,
        _said(
            "STIX identity of the party. Empty: as party.json says.",
            "当事者の STIX 識別子。空なら party.json のとおり。",
            form="identity--UUID, or empty",
            pattern="^$|^identity--[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        ),
    ] = ""


class ConsoleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The door for people: console and API."""

    host: Annotated[
        str,
        _said(
            "Address to listen on. Beyond loopback only with tls = true.",
            "待ち受けるアドレス。ループバック以外は tls = true のときだけ。",
            form="an IP address or localhost",
            min_length=1,
            max_length=255,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        _said("Port to listen on. 0: any free one.", "待ち受けるポート。0 なら空いているもの。", ge=0, le=65_535),
    ] = 8480
    tls: Annotated[
        bool,
        _said(
            "Speak HTTPS with the node's own certificate (tls.crt, keys/tls.key).",
            "ノードの証明書(tls.crt、keys/tls.key)で HTTPS を使います。",
        ),
    ] = False


class AlliesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The door for allies: TAXII 2.1 over mutual TLS, always."""

    host: Annotated[
        str,
        _said(
            "Address to listen on.",
            "待ち受けるアドレス。",
            form="an IP address or localhost",
            min_length=1,
            max_length=255,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        _said("Port to listen on. 0: any free one.", "待ち受けるポート。0 なら空いているもの。", ge=0, le=65_535),
    ] = 8490
    address: Annotated[
        str,
        _said(
            "Address by which allies reach this door; it goes into party.json. Empty: made of host and port.",
            "同盟相手から見たこの窓口の URL。party.json に入ります。空なら host と port から作ります。",
            form="an https:// URL, or empty",
            max_length=2_000,
        ),
    ] = ""


class DetectSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node looks with, beside the content added in the console."""

    rules: Annotated[
        tuple[str, ...],
        _said(
            'Sigma rules: "builtin", and files, folders or archives of your own.',
            'Sigma ルール。"builtin" のほか、ファイル、フォルダー、書庫。',
        ),
    ] = ("builtin",)
    min_level: Annotated[
        Level,
        _said("Rules below this level are not used.", "これより低いレベルのルールは使いません。"),
    ] = Level.INFORMATIONAL
    statuses: Annotated[
        tuple[Status, ...],
        _said(
            "Rules of these statuses alone are used. Empty: of any, or of none.",
            "この status のルールだけを使います。空なら、どれでも(書かれていなくても)使います。",
            form='a list of "stable", "test", "experimental", "deprecated", "unsupported"',
        ),
    ] = ()
    lateness_s: Annotated[
        int,
        _said(
            "Correlations: how many seconds later than a younger one a record may come and still count in its place.",
            "相関検知: 新しい記録より何秒遅れて届いた記録まで、本来の順番で数えるか。",
            ge=0,
            le=86_400,
        ),
    ] = 180


class ShareSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said to allies; the agreement decides what of it leaves."""

    default_marking: Annotated[
        Marking,
        _said("TLP 2.0 marking of what this node writes.", "このノードが書くものの TLP 2.0 区分。"),
    ] = "amber"
    min_severity: Annotated[
        SeverityWord,
        _said(
            "Alerts below this severity are not described to allies.",
            "これより低い重大度の警報は同盟相手に伝えません。",
        ),
    ] = "medium"
    own: Annotated[
        tuple[str, ...],
        _said(
            "Addresses, networks and domains of this party: an ally's indicator that names one is refused.",
            "自組織のアドレス、ネットワーク、ドメイン。これらを名指す同盟相手のインジケーターは拒みます。",
        ),
    ] = ()


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the node keeps its state."""

    path: Annotated[
        str,
        _said(
            "Database file (SQLite). Its folder must exist.",
            "データベースのファイル(SQLite)。フォルダーは先に作ります。",
            form="a path",
            min_length=1,
            max_length=4_096,
        ),
    ] = "state/amagasa.sqlite"


class LakeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where every record is kept as it came, to be searched later and as evidence."""

    enabled: Annotated[bool, _said("Whether records are kept.", "記録を保存するかどうか。")] = True
    path: Annotated[
        str,
        _said(
            "Folder of the lake.", "レイク(記録の保存先)のフォルダー。", form="a path", min_length=1, max_length=4_096
        ),
    ] = "state/lake"
    quota_mib: Annotated[
        int,
        _said(
            "Room for each source, compressed, in MiB; beyond it the oldest is let go, and that is noted.",
            "ソースごとの上限(圧縮後、MiB)。超えると古いものから手放し、その旨を記録します。",
            ge=64,
            le=1_073_741_824,
        ),
    ] = 10_240
    keep_days: Annotated[
        int,
        _said("How many days records are kept.", "記録を保存する日数。", ge=1, le=36_500),
    ] = 90


class LimitsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on memory."""

    chunk_bytes: Annotated[
        int,
        _said(
            "Bytes of a source looked at, and committed, at once.",
            "一度に読んで確定する量(バイト)。",
            ge=4_096,
            le=64 * MIB,
        ),
    ] = MIB
    queue_chunks: Annotated[
        int,
        _said(
            "Chunks looked at before the store has committed them; beyond it reading waits.",
            "確定を待つ間に先に読める数。超えると読み取りが待ちます。",
            ge=1,
            le=1_000,
        ),
    ] = 8
    rejects_mib: Annotated[
        int,
        _said(
            "Room for the records of each source that could not be read, in MiB; beyond it the oldest are let go.",
            "読めなかった記録を保存する、ソースごとの上限(MiB)。超えると古いものから手放します。",
            ge=16,
            le=1_048_576,
        ),
    ] = 64
    spool_mib: Annotated[
        int,
        _said(
            "Room for what came to a port and was not read yet, for each source, in MiB; beyond it senders wait.",
            "受信してまだ読んでいないものの、ソースごとの上限(MiB)。超えると送信側が待ちます。",
            ge=64,
            le=1_048_576,
        ),
    ] = 1_024
    correlation_groups: Annotated[
        int,
        _said(
            "Groups which correlations keep windows of; beyond it those least begun are let go, and that is said.",
            "相関検知で保持するグループ数。超えると、進みの少ないものから手放し、その旨を表示します。",
            ge=1_000,
            le=1_000_000,
        ),
    ] = 50_000
    correlation_entries: Annotated[
        int,
        _said(
            "Records of one group which wait for late ones; beyond it the oldest are judged early.",
            "遅れて届く記録を待つ、一グループあたりの記録数。超えると古いものから先に判定します。",
            ge=100,
            le=100_000,
        ),
    ] = 1_000


class TriageSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the watch works: shifts, and how many incidents one can read until that is set or learnt."""

    shift_hours: Annotated[
        Literal[4, 6, 8, 12, 24],
        _said("Hours of a shift.", "当直一回の時間。", form="4, 6, 8, 12 or 24"),
    ] = 8
    shift_begins_utc: Annotated[
        int,
        _said(
            "An hour (UTC) at which a shift begins; 0 is 9 o'clock in Japan.",
            "当直が始まる時刻の一つ(UTC)。0 は日本の 9 時。",
            ge=0,
            le=23,
        ),
    ] = 0
    budget_usual: Annotated[
        int,
        _said(
            "Incidents a shift can read until somebody sets it or five shifts have shown it.",
            "設定も実績(五回の当直)もないうちに、当直一回で読めるとする事案の数。",
            ge=1,
            le=10_000,
        ),
    ] = 60
    budget_least: Annotated[
        int,
        _said(
            "Less than this is never learnt: quiet weeks say nothing of what people can read.",
            "実績から決めるときの下限。静かな週は読める数を示しません。",
            ge=1,
            le=10_000,
        ),
    ] = 20
    offer_from: Annotated[
        int,
        _said(
            "Score (NCISS) from which an incident beyond the budget is to be offered to the ally.",
            "予算を超えた事案のうち、同盟国への依頼候補とする評価点(NCISS)。",
            ge=0,
            le=100,
        ),
    ] = 65


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole tree. Field names are the tables of node.toml."""

    node: NodeSettings = NodeSettings()
    console: ConsoleSettings = ConsoleSettings()
    allies: AlliesSettings = AlliesSettings()
    source: tuple[SourceSettings, ...] = ()
    detect: DetectSettings = DetectSettings()
    share: ShareSettings = ShareSettings()
    store: StoreSettings = StoreSettings()
    lake: LakeSettings = LakeSettings()
    limits: LimitsSettings = LimitsSettings()
    triage: TriageSettings = TriageSettings()


TABLES: Final[dict[str, type[Struct]]] = {
    "node": NodeSettings,
    "console": ConsoleSettings,
    "allies": AlliesSettings,
    "source": SourceSettings,
    "detect": DetectSettings,
    "share": ShareSettings,
    "store": StoreSettings,
    "lake": LakeSettings,
    "limits": LimitsSettings,
    "triage": TriageSettings,
}
TABLES_JA: Final = {
    "node": "このノードは誰か。",
    "console": "人の入口。コンソールと API。",
    "allies": "同盟相手の入口。TAXII 2.1、常に相互 TLS。",
    "source": "記録の取り込み元。ソースごとに一つの表。",
    "detect": "検知に使うもの(コンソールで加えたものは別)。",
    "share": "同盟相手に伝えるもの。何が出るかは協定が決めます。",
    "store": "ノードの状態を置く場所。",
    "lake": "すべての記録をそのまま保存する場所。後からの検索と証拠のため。",
    "limits": "メモリーの上限。",
    "triage": "当直の働き方。交代の時間と、一回で読める事案の数。",
}
