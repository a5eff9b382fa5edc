"""The settings of a source: what it is called, where its records come from, who may send them."""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Struct

from amagasa.app.receiver_messages import Transport
from amagasa.app.worker_messages import SourceKind
from amagasa.entry.settings.saying import said

SourceFormat: TypeAlias = Literal["auto", "windows", "access", "syslog", "json"]
SYSLOG_PORT: Final = 5514
SYSLOG_TLS_PORT: Final = 6514  # RFC 5425
HTTP_PORT: Final = 8514


class SourceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records come from: one table for each source."""

    name: Annotated[
        str,
        said(
            "What you call it; each source another name. Positions are kept under it.",
            "ソースの呼び名。重複できません。読み取り位置はこの名前で保存します。",
            form="1 to 100 characters",
            min_length=1,
            max_length=100,
        ),
    ]
    kind: Annotated[
        SourceKind,
        said(
            "file: a log is followed. syslog, http: a port. capture: an interface. nats, kafka: a broker is read.",
            "file はログを追い、syslog と http はポートで受け、capture は回線、nats と kafka はブローカーを読みます。",
        ),
    ] = SourceKind.FILE
    path: Annotated[
        str,
        said(
            "file: the log to follow, a folder of logs, or a pattern of paths; over rotation and restarts.",
            "file: 追うファイル、フォルダー、パスのパターン。ローテーションや再起動があっても続きから読みます。",
            form='a path such as "/var/log/nginx" or "/var/log/*.log"',
            max_length=4_096,
        ),
    ] = ""
    interface: Annotated[
        str,
        said(
            "capture: the network interface, e.g. eth1. Its user needs the right to capture (docs/ot.md).",
            "capture: ネットワークインターフェイス(例: eth1)。取得の権限が必要です(docs/ot.ja.md)。",
            form="the name of an interface, or empty",
            pattern="^[A-Za-z0-9_.:@-]{0,15}$",
        ),
    ] = ""
    format: Annotated[SourceFormat, said("Kind of records. auto: by content.", "記録の形式。auto は内容で判断。")] = (
        "auto"
    )
    mapping: Annotated[
        str,
        said(
            "File that says how records of another kind become events (docs/mapping.md). Empty: none.",
            "知らない形式の記録をイベントに読み替える定義ファイル (docs/mapping.md)。空ならなし。",
            form="a path from the node's folder, or empty",
            max_length=4_096,
        ),
    ] = ""
    zone: Annotated[
        str,
        said(
            "Zone of stamps that name none, in syslog, JSON, NXLog and logs of devices. Empty: UTC.",
            "syslog、JSON、NXLog、機器のログで、時差の書かれていない時刻のタイムゾーン。空なら UTC。",
            form='a name such as "Asia/Tokyo", an offset such as "+09:00", or empty',
            max_length=64,
        ),
    ] = ""
    enabled: Annotated[bool, said("Whether it is followed.", "読むかどうか。")] = True
    silence: Annotated[
        bool,
        said(
            "Whether an alert is raised when it falls silent against its own rhythm.",
            "いつもの間隔より長く途絶えたときに警報を出すかどうか。",
        ),
    ] = True
    transport: Annotated[
        Transport,
        said(
            "syslog: how it comes. http: tcp, or tls for HTTPS. TLS shows the node's own certificate (tls.crt).",
            "syslog の届き方。http は tcp、HTTPS なら tls。TLS ではノードの証明書(tls.crt)を示します。",
        ),
    ] = Transport.TCP
    host: Annotated[
        str,
        said(
            "syslog, http: address to listen on. Beyond loopback only with senders, and http only with tls.",
            "syslog と http: 待ち受けるアドレス。ループバック以外は senders が必要で、http は tls のときだけ。",
            form="an IP address or localhost",
            min_length=1,
            max_length=255,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        said(
            f"syslog, http: port to listen on. 0: {SYSLOG_PORT}, over TLS {SYSLOG_TLS_PORT}; http {HTTP_PORT}.",
            f"syslog と http: ポート。0 なら {SYSLOG_PORT}、TLS は {SYSLOG_TLS_PORT}、http は {HTTP_PORT}。",
            ge=0,
            le=65_535,
        ),
    ] = 0
    senders: Annotated[
        tuple[str, ...],
        said(
            "syslog, http: addresses and networks that may send. Empty: whoever reaches the port.",
            "syslog と http: 送ってよいアドレスとネットワーク。空なら、ポートに届く誰でも。",
            form="a list of addresses and networks such as 198.51.100.0/24",
        ),
    ] = ()
    clients: Annotated[
        str,
        said(
            "TLS: file (PEM) of certificates by which senders must prove who they are. Empty: they need not.",
            "TLS: 送信側を確かめる証明書のファイル(PEM)。空なら確かめません。",
            form="a path, or empty",
            max_length=4_096,
        ),
    ] = ""
    token_sha256: Annotated[
        str,
        said(
            "http: SHA-256 of the token that senders show; `amagasa source add --kind http` makes one.",
            "http: 送信側が示すトークンの SHA-256。`amagasa source add --kind http` が作ります。",
            form="64 hexadecimal digits, or empty",
            pattern="^$|^[0-9a-f]{64}$",
        ),
    ] = ""

    servers: Annotated[
        tuple[str, ...],
        said(
            "nats, kafka: addresses of the broker (nats:// or kafka://host:port; over TLS tls://host:port).",
            "nats と kafka: ブローカーのアドレス(nats:// か kafka://host:port、TLS なら tls://host:port)。",
        ),
    ] = ()
    stream: Annotated[
        str,
        said(
            "nats: the JetStream stream that is read.",
            "nats: 読み取る JetStream のストリーム。",
            form="the name of a stream",
            pattern="^[A-Za-z0-9_-]{0,255}$",
        ),
    ] = ""
    subject: Annotated[
        str,
        said(
            "nats: subject in it, with wildcards. Empty: all.",
            "nats: その中のサブジェクト(ワイルドカード可)。空ならすべて。",
            form="a subject, or empty",
            pattern=r"^[A-Za-z0-9_.*>$-]{0,255}$",
        ),
    ] = ""
    secret_file: Annotated[
        str,
        said(
            "nats, kafka: file that holds user:password (nats: or a token). Empty: none is asked for.",
            "nats と kafka: user:password(nats はトークンも可)を書いたファイル。空なら使いません。",
            form="a path, or empty",
            max_length=4_096,
        ),
    ] = ""
    topics: Annotated[
        tuple[str, ...],
        said("kafka: the topics that are read, and no others.", "kafka: 読み取るトピック。ほかは読みません。"),
    ] = ()
    group: Annotated[
        str,
        said(
            "kafka: the consumer group, of this source alone: nodes that share one share the records too.",
            "kafka: コンシューマグループ。このソース専用にします。共有するとレコードも分け合います。",
            form="1 to 200 letters, digits, . _ -",
            pattern=r"^[A-Za-z0-9._-]{0,200}$",
        ),
    ] = ""
    begin: Annotated[
        Literal["earliest", "latest"],
        said(
            "kafka: where a group that was never used begins: with all that the topics hold, or with what comes.",
            "kafka: 初めてのグループの開始位置。トピックに残る全部からか、これから届く分からか。",
        ),
    ] = "earliest"
    sasl: Annotated[
        Literal["", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"],
        said(
            "kafka: how the password in secret_file is proved. PLAIN only over TLS. Empty: no password.",
            "kafka: secret_file のパスワードによる認証方式。PLAIN は TLS のときだけ。空なら認証なし。",
        ),
    ] = ""
    ca_file: Annotated[
        str,
        said(
            "kafka over TLS: file (PEM) of the authorities that vouch for the broker. Empty: those of this machine.",
            "kafka の TLS: ブローカーを確かめる認証局のファイル(PEM)。空ならこの機械のもの。",
            form="a path, or empty",
            max_length=4_096,
        ),
    ] = ""
    cert_file: Annotated[
        str,
        said(
            "kafka over TLS: file (PEM) of the certificate that we show. Empty: none.",
            "kafka の TLS: こちらが示す証明書のファイル(PEM)。空なら示しません。",
            form="a path, or empty",
            max_length=4_096,
        ),
    ] = ""
    key_file: Annotated[
        str,
        said(
            "kafka over TLS: file (PEM) of its key.",
            "kafka の TLS: その鍵のファイル(PEM)。",
            form="a path, or empty",
            max_length=4_096,
        ),
    ] = ""

    @property
    def at_port(self) -> int:
        """The port to listen on."""
        if self.kind is SourceKind.HTTP:
            return self.port or HTTP_PORT
        return self.port or (SYSLOG_TLS_PORT if self.transport is Transport.TLS else SYSLOG_PORT)

    @property
    def address(self) -> str:
        """Where the records come from, for people to read."""
        if self.kind is SourceKind.CAPTURE:
            return f"capture of {self.interface}"
        if not self.kind.is_received:
            return self.path
        if self.kind is SourceKind.NATS:
            return f"{', '.join(self.servers)} {self.stream} {self.subject}".rstrip()
        if self.kind is SourceKind.KAFKA:
            return f"{', '.join(self.servers)} {', '.join(self.topics)}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.kind is SourceKind.HTTP:
            scheme = "https" if self.transport is Transport.TLS else "http"
            return f"{scheme}://{host}:{self.at_port}/records"
        return f"syslog+{self.transport}://{host}:{self.at_port}"
