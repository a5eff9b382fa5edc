"""Make docs/sources.md and docs/sources.ja.md: what is read, from the readers themselves and a sample of each source.

Run it by `.venv/bin/python docs/sources.py`.
"""  # noqa: INP001

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from amagasa.adapters.source.records import open_records
from amagasa.event.feeds import feeds
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Event, Format, LogSource
from amagasa.vocab.text import show

ROOT: Final = Path(__file__).resolve().parents[1]
SAMPLES: Final = ROOT / "docs" / "samples"
PAGES: Final = {"en": ROOT / "docs" / "sources.md", "ja": ROOT / "docs" / "sources.ja.md"}
_LINE_CHARACTERS: Final = 160
_VALUE_CHARACTERS: Final = 48
_READ_AT: Final = datetime(2026, 11, 27, tzinfo=UTC)


class Sample(NamedTuple):
    """A source of the catalogue; the first of a section names it in both languages."""

    file: str
    en: str
    ja: str
    note_en: str = ""
    note_ja: str = ""
    section: tuple[str, str] = ("", "")


CATALOGUE: Final = (
    Sample(
        "windows-nxlog.json",
        "Windows events by NXLog",
        "NXLog による Windows イベント",
        "Every field at the top of the object. So does Azure's WindowsEvent, with its fields in `EventData`.",
        "フィールドはオブジェクトの最上位にあります。Azure の WindowsEvent(`EventData` の中)も読みます。",
        ("Windows", "Windows"),
    ),
    Sample("windows-winlogbeat.json", "Windows events by Winlogbeat", "Winlogbeat による Windows イベント"),
    Sample(
        "windows-evtx.json",
        "EVTX as JSON",
        "JSON にした EVTX",
        "`.evtx` files themselves are read as well, whole or damaged, also from archives.",
        "`.evtx` ファイルそのものも(壊れていても、書庫の中でも)読みます。",
    ),
    Sample(
        "windows-events.xml",
        "Windows events as XML",
        "XML の Windows イベント",
        "What `wevtutil qe /f:xml` and Event Viewer export, in files.",
        "`wevtutil qe /f:xml` やイベントビューアーが書き出すファイルです。",
    ),
    Sample(
        "linux-auth.log",
        "auth.log and syslog (RFC 3164)",
        "auth.log と syslog(RFC 3164)",
        "A stamp without a year is of the latest year in which it is at most a day ahead; one without a zone is UTC.",
        "年のない時刻は「読んだ時刻より一日以上先にならない最後の年」、時差のない時刻は UTC とみなします。",
        ("Linux and syslog", "Linux と syslog"),
    ),
    Sample(
        "linux-rfc5424.log",
        "syslog (RFC 5424)",
        "syslog(RFC 5424)",
        "Structured data are fields named `element.parameter`.",
        "構造化データは `要素.項目` という名前のフィールドになります。",
    ),
    Sample("linux-services.log", "Other programs in syslog", "syslog に書くほかのプログラム"),
    Sample(
        "linux-auditd.log",
        "auditd",
        "auditd",
        "Records of one event are put together; values in hexadecimal are decoded.",
        "一つの出来事の記録をまとめ、16 進で書かれた値は元の文字に戻します。",
    ),
    Sample(
        "linux-journald.json",
        "journald as JSON",
        "JSON の journald",
        "`journalctl -o json`; a message as a list of bytes too.",
        "`journalctl -o json`。バイト列のメッセージも読みます。",
    ),
    Sample("linux-journald-export.log", "journald, exported", "journald のエクスポート形式", "`journalctl -o export`."),
    Sample("linux-sysmon-journald.json", "Sysmon for Linux in journald", "journald の Sysmon for Linux"),
    Sample("linux-sysmon.log", "Sysmon for Linux in syslog", "syslog の Sysmon for Linux"),
    Sample("linux-azure.json", "Azure's Syslog table", "Azure の Syslog テーブル"),
    Sample("linux-iptables.log", "iptables and nftables", "iptables と nftables"),
    Sample(
        "web-access.log",
        "Access logs of Apache and nginx",
        "Apache と nginx のアクセスログ",
        "Common and combined. `cs-uri-decoded` is the request with its encodings undone.",
        "common と combined。`cs-uri-decoded` は何重もの符号化を解いた要求です。",
        ("Web servers and proxies", "ウェブサーバーとプロキシー"),
    ),
    Sample("web-apache-error.log", "Apache's error log", "Apache のエラーログ"),
    Sample("web-nginx-error.log", "nginx's error log", "nginx のエラーログ"),
    Sample("web-iis.log", "IIS (W3C extended)", "IIS(W3C 拡張形式)"),
    Sample("web-proxy-w3c.log", "Proxies (W3C extended)", "プロキシー(W3C 拡張形式)"),
    Sample("web-haproxy.log", "HAProxy, HTTP", "HAProxy(HTTP)"),
    Sample("web-haproxy-tcp.log", "HAProxy, TCP", "HAProxy(TCP)"),
    Sample("web-squid.log", "Squid", "Squid"),
    Sample(
        "sensor-suricata.json",
        "Suricata EVE",
        "Suricata EVE",
        section=("Network sensors", "ネットワークセンサー"),
    ),
    Sample("sensor-zeek.json", "Zeek as JSON", "JSON の Zeek"),
    Sample(
        "sensor-zeek-bare.json",
        "Zeek as JSON without `_path`",
        "`_path` のない Zeek",
        "The log is told by its fields.",
        "どのログかはフィールドから判断します。",
    ),
    Sample("sensor-zeek-dns.log", "Zeek's own tables (TSV)", "Zeek の表形式(TSV)"),
    Sample("device-cef.log", "CEF", "CEF", section=("Firewalls and devices", "ファイアウォールと機器")),
    Sample("device-leef.log", "LEEF", "LEEF"),
    Sample("device-fortigate.log", "FortiGate", "FortiGate"),
    Sample("device-paloalto.log", "Palo Alto", "Palo Alto"),
    Sample("device-pfsense.log", "pfSense and OPNsense", "pfSense と OPNsense"),
    Sample("device-asa.log", "Cisco ASA, FTD, PIX", "Cisco ASA、FTD、PIX"),
    Sample("device-checkpoint.log", "Check Point", "Check Point"),
    Sample("device-cisco-ios.log", "Cisco IOS", "Cisco IOS"),
    Sample("cloud-cloudtrail.json", "AWS CloudTrail", "AWS CloudTrail", section=("Clouds", "クラウド")),
    Sample("cloud-cloudtrail-file.json", "AWS CloudTrail, a file of records", "AWS CloudTrail(ファイル)"),
    Sample("cloud-m365.json", "Microsoft 365", "Microsoft 365"),
    Sample(
        "cloud-m365-export.json", "Microsoft 365 as exported (`AuditData`)", "書き出した Microsoft 365(`AuditData`)"
    ),
    Sample("cloud-azure-signin.json", "Entra sign-ins (Azure Monitor)", "Entra のサインイン(Azure Monitor)"),
    Sample("cloud-entra-graph.json", "Entra by Microsoft Graph", "Microsoft Graph による Entra"),
    Sample("cloud-azure-activity.json", "Azure activity", "Azure のアクティビティ"),
    Sample("cloud-azure-risk.json", "Entra risk detections", "Entra のリスク検出"),
    Sample("cloud-gcp.json", "Google Cloud and Workspace", "Google Cloud と Workspace"),
    Sample("cloud-okta.json", "Okta", "Okta"),
    Sample("cloud-onelogin.json", "OneLogin", "OneLogin"),
    Sample("cloud-duo.json", "Cisco Duo", "Cisco Duo"),
    Sample("cloud-github.json", "GitHub audit", "GitHub の監査ログ"),
    Sample("cloud-bitbucket.json", "Bitbucket audit", "Bitbucket の監査ログ"),
    Sample("cloud-kubernetes.json", "Kubernetes audit", "Kubernetes の監査ログ"),
    Sample("cloud-kubernetes-list.json", "Kubernetes audit, a list", "Kubernetes の監査ログ(一覧)"),
    Sample("trap-opencanary.json", "OpenCanary", "OpenCanary", section=("Others", "その他")),
    Sample(
        "other.json",
        "Any other JSON",
        "そのほかの JSON",
        "Fields by dotted path; only rules without a product look at it. A [mapping](mapping.md) says more.",
        "フィールドは点でつないだ道筋で指します。product を名指さないルールだけが見ます。"
        "[マッピング](mapping.ja.md)で意味を与えられます。",
    ),
    Sample(
        "envelope-syslog.log",
        "In a line of syslog",
        "syslog の一行の中",
        "A JSON object (also behind `@cee:`) with a log source of its own, or an access line of a web server, is read "
        "as itself; the host of the header goes in where it names none. What sshd, sudo and their like log is not.",
        "固有のログソースを持つ JSON(`@cee:` の後も)とウェブサーバーのログは、その記録として読みます。"
        "JSON にホスト名がなければヘッダーから補います。sshd や sudo などが書いたものは対象外です。",
        ("In the envelope of a collector", "収集装置の包みの中"),
    ),
    Sample(
        "envelope-json.json",
        "In a JSON object of a shipper or a container runtime",
        "転送ツールやコンテナーの JSON の中",
        "`log`, `message`, `msg`, `event` or `_raw` of an object that is of no known kind itself.",
        "それ自体が未知の JSON の `log`、`message`、`msg`、`event`、`_raw` を読みます。",
    ),
)
_WORDS: Final = {
    "en": {
        "title": "What Amagasa reads",
        "other": "[日本語](sources.ja.md)",
        "head": (
            "Made from the readers and from one sample of each source: change those, then `python docs/sources.py`.\n\n"
            "Formats are told by content; plain, gzip, Zstandard, bzip2, xz, zip and tar. Try a sample, or your own:\n"
            "\n    amagasa source test docs/samples/linux-auth.log\n    amagasa detect docs/samples/\n\n"
            "Captures of industrial protocols and exported flows: [industrial control](ot.md). Syslog and HTTP by\n"
            "network: [receiving](receiving.md). Whatever is not here: a [mapping](mapping.md). Samples are ours;\n"
            "names end in .example, addresses are those kept for documentation."
        ),
        "source": "source",
        "kind": "kind of event",
        "logsource": "rules for the log source",
        "fields": "fields",
        "format": "format",
        "sample": "sample",
        "all": "Every log source that is fed",
        "all_note": "Rules for any other log source load, and `amagasa content check` says that nothing feeds them.",
        "no_time": "no instant",
        "more": "and {n} more",
    },
    "ja": {
        "title": "Amagasa が読むもの",
        "other": "[English](sources.md)",
        "head": (
            "この頁は読み取り処理そのものと、ソースごとの見本から作ります。"
            "直すときはそれらを変え、`python docs/sources.py` を実行してください。\n\n"
            "形式は内容から判断します。圧縮なし、gzip、Zstandard、bzip2、xz、zip、tar を読みます。"
            "見本や手元のファイルで試せます。\n"
            "\n    amagasa source test docs/samples/linux-auth.log\n    amagasa detect docs/samples/\n\n"
            "産業用プロトコルのキャプチャとフロー: [制御システム](ot.ja.md)。ネットワーク経由の syslog と HTTP:\n"
            "[受信](receiving.ja.md)。ここにないもの: [マッピング](mapping.ja.md)。見本はすべて自作で、\n"
            "名前は .example、アドレスは文書用のものです。"
        ),
        "source": "ソース",
        "kind": "イベントの種類",
        "logsource": "見るルールのログソース",
        "fields": "フィールド",
        "format": "形式",
        "sample": "見本",
        "all": "記録が届くログソースの一覧",
        "all_note": "ほかのログソースのルールも使えますが、届く記録がないと `amagasa content check` が知らせます。",
        "no_time": "時刻なし",
        "more": "ほか {n} 個",
    },
}


def events_of(sample: Sample) -> tuple[Format, tuple[Event, ...]]:
    """The sample's format and its events in their order. Raises LookupError where a part of it cannot be read."""
    found: list[tuple[int, Event]] = []
    form = Format.JSON
    for item in open_records(SAMPLES / sample.file):
        if not isinstance(item, Chunk):
            message = f"{sample.file}: {item.why}"
            raise LookupError(message)  # noqa: TRY004
        form, seen = item.format, normalise(replace(item, read_at=_READ_AT), lambda _: ())
        if seen.rejects:
            message = f"{sample.file}: {seen.rejects[0].why}"
            raise LookupError(message)
        for batch in seen.batches:
            found += [(number, detail(batch, index)) for index, number in enumerate(batch.records)]
    return form, tuple(event for _, event in sorted(found, key=lambda one: one[0]))


def page(lang: str) -> str:
    """The page in a language."""
    words = _WORDS[lang]
    read = [(sample, *events_of(sample)) for sample in CATALOGUE]
    lines = [f"# {words['title']}", "", words["other"], "", words["head"], ""]
    lines += [f"| {words['source']} | {words['format']} | {words['logsource']} |", "|---|---|---|"]
    for sample, form, events in read:
        sources = dict.fromkeys(source for event in events for source in event.route.sources)
        named = "<br>".join(map(_source, sources))
        lines.append(f"| [{_title(sample, lang)}](samples/{sample.file}) | {form.value} | {named} |")
    for sample, _, events in read:
        if sample.section[0]:
            lines += ["", f"## {sample.section[lang == 'ja']}"]
        lines += ["", f"### {_title(sample, lang)}", *_note(sample, lang), *_shown(sample)]
        lines += [f"| {words['kind']} | {words['fields']} |", "|---|---|"]
        lines += _kinds(events, words)
    return "\n".join((*lines, "", f"## {words['all']}", "", words["all_note"], "", *_all(words))) + "\n"


def _title(sample: Sample, lang: str) -> str:
    return sample.ja if lang == "ja" else sample.en


def _note(sample: Sample, lang: str) -> list[str]:
    note = (sample.note_ja or sample.note_en) if lang == "ja" else sample.note_en
    return ["", note] if note else []


def _shown(sample: Sample) -> list[str]:
    lines = (SAMPLES / sample.file).read_text(encoding="utf-8").splitlines()
    return ["", "```", *(show(line.replace("\t", " "), _LINE_CHARACTERS) for line in lines), "```", ""]


def _kinds(events: tuple[Event, ...], words: dict[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for event in events:
        if event.route.name in seen and event.route.name != "linux/auditd":
            continue
        seen.add(event.route.name)
        at = event.event_at.strftime("%Y-%m-%d %H:%M:%SZ") if event.event_at else words["no_time"]
        fields = {name: value for name, value in event.fields.items() if name not in {"_raw", "message"}}
        cells = "; ".join(f"`{_cell(name)}` {_cell(str(value))}" for name, value in fields.items())
        yield f"| `{event.route.name}`<br>{at} | {cells} |"


def _cell(text: str) -> str:
    return show(text, _VALUE_CHARACTERS).replace("|", "\\|").replace("<", "&lt;").replace("`", "'").replace("*", "\\*")


def _source(source: LogSource) -> str:
    parts = (("category", source.category), ("product", source.product), ("service", source.service))
    return ", ".join(f"{name}: {value}" for name, value in parts if value) or "-"


def _all(words: dict[str, str]) -> Iterator[str]:
    by_source: dict[str, dict[str, None]] = {}
    for feed in feeds():
        for source in feed.route.sources:
            by_source.setdefault(_source(source), {})[feed.name] = None
    yield f"| {words['logsource']} | {words['kind']} |"
    yield "|---|---|"
    for named, names in sorted(by_source.items()):
        yield f"| {named} | {', '.join(names)} |"


def main() -> None:
    """Write both pages."""
    for lang, path in PAGES.items():
        path.write_text(page(lang), encoding="utf-8")


if __name__ == "__main__":
    main()
