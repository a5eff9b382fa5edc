"""What other records show: access logs of web servers, syslog and auditd, and JSON with the names of known products.

JSON is taken by the names of its fields, whatever wrote it: Suricata's EVE (schema of version 7), Zeek's logs (6.0),
the Elastic Common Schema (8.11), OCSF (1.7), and the audit logs of the clouds.
"""

from typing import Final

from amagasa.detect.stix.forms import (
    Property,
    Shape,
    accounts,
    address,
    addresses_in,
    always,
    answers,
    digest,
    directory,
    display_names,
    each,
    hashes,
    hexadecimal,
    host,
    hosts_of_links_in,
    instant,
    kind_of_address,
    links_in,
    lower,
    mac,
    mails_in,
    name,
    number,
    octet,
    owner,
    paths,
    protocol,
    serial,
    text,
)

_HTTP: Final = "extensions.http-request-ext."
_TCP: Final = "extensions.tcp-ext."
_ICMP: Final = "extensions.icmp-ext."

WEB: Final = (
    *each("ip-addr", "value", address, ("c-ip", "s-ip")),
    *each("domain-name", "value", host, ("cs-host",)),
    *each("domain-name", "value", hosts_of_links_in, ("cs-referer", "cs-uri-decoded")),
    *each("url", "value", text, ("cs-uri", "cs-referer")),
    *each("url", "value", links_in, ("cs-uri-decoded",)),
    *accounts("cs-username"),
    Shape(
        "network-traffic",
        (
            Property("src_ref.value", ("c-ip",), address),
            Property("src_ref.type", ("c-ip",), kind_of_address),
            Property("dst_ref.value", ("s-ip", "cs-host"), address),
            Property("dst_ref.type", ("s-ip", "cs-host"), kind_of_address),
            Property("dst_port", ("s-port",), number),
            Property("dst_byte_count", ("sc-bytes",), number),
            Property("protocols[*]", ("cs-request",), always("http")),
            Property(_HTTP + "request_method", ("cs-method",), lower),
            Property(_HTTP + "request_value", ("cs-uri",), text),
            Property(_HTTP + "request_version", ("cs-version",), lower),
            Property(_HTTP + "request_header.User-Agent", ("cs-user-agent",), text),
            Property(_HTTP + "request_header.Referer", ("cs-referer",), text),
            Property(_HTTP + "request_header.Host", ("cs-host",), lower),
        ),
    ),
)

SYSLOG: Final = (
    *each("ip-addr", "value", addresses_in, ("message",)),
    *each("domain-name", "value", hosts_of_links_in, ("message",)),
    *each("url", "value", links_in, ("message",)),
    *each("ip-addr", "value", address, ("src_ip", "addr")),
    *accounts("user", "target_user", "acct", "AUID", "UID"),
    Shape(
        "user-account",
        (*owner("", "target_user"), Property("extensions.unix-account-ext.groups[*]", ("group",), lower)),
    ),
    Shape(
        "network-traffic",
        (
            Property("src_ref.value", ("src_ip", "addr"), address),
            Property("src_ref.type", ("src_ip", "addr"), kind_of_address),
            Property("src_port", ("src_port",), number),
        ),
    ),
    Shape(
        "process",
        (
            Property("name", ("program", "exe"), name),
            Property("pid", ("pid",), number),
            *paths("image_ref.", "exe"),
            Property("command_line", ("command", "COMMAND", "proctitle", "cmd"), text),
            Property("cwd", ("cwd", "PWD"), directory),
            *owner("creator_user_ref.", "user", "UID", "AUID"),
            Property("parent_ref.pid", ("ppid",), number),
        ),
    ),
    Shape("file", paths("", "exe")),
    *each("directory", "path", directory, ("cwd", "PWD")),
)

_SOURCE_ADDRESSES: Final = (
    *("src_ip", "id.orig_h", "id_orig_h", "source.ip", "client.ip", "src_endpoint.ip", "sourceIPAddress"),
    *("callerIpAddress", "CallerIPAddress", "client.ipAddress", "ClientIP", "x_originating_ip"),
)
_TARGET_ADDRESSES: Final = (
    "dest_ip",
    "dst_ip",
    "id.resp_h",
    "id_resp_h",
    "destination.ip",
    "server.ip",
    "dst_endpoint.ip",
)
_OTHER_ADDRESSES: Final = (
    *("ip", "dhcp.assigned_ip", "dhcp.client_ip", "assigned_addr", "client_addr", "dns.resolved_ip", "http.xff"),
)
_ANSWERS: Final = (
    "dns.answers.rdata",
    "dns.grouped.A",
    "dns.grouped.AAAA",
    "dns.grouped.CNAME",
    "answers",
    "dns.answers.data",
)
_QUERIES: Final = ("query", "dns.rrname", "dns.queries.rrname", "dns.question.name", "query.hostname")
_SERVER_NAMES: Final = (
    *("tls.sni", "quic.sni", "server_name", "tls.client.server_name", "http.hostname", "host", "domain"),
    *("url.domain", "destination.domain", "source.domain", "dst_endpoint.hostname"),
)
_LINKS: Final = (
    "url",
    "url.full",
    "url.original",
    "http.url",
    "uri",
    "http_request.url.url_string",
    "http.http_refer",
    "referrer",
)
_USERS: Final = (
    *(
        "user",
        "username",
        "user.name",
        "user.id",
        "user.email",
        "user.full_name",
        "actor.user.name",
        "source.user.name",
    ),
    *("userIdentity.userName", "userIdentity.arn", "actor.alternateId", "UserId", "UserPrincipalName", "user_name"),
    *("initiatedBy.user.userPrincipalName", "properties.userPrincipalName", "krb5.cname", "smb.ntlmssp.user"),
)
_MAIL_FIELDS: Final = {
    "from_ref.value": ("from", "email.from", "email.from.address", "email.sender.address", "SenderAddress", "P2Sender"),
    "sender_ref.value": ("mailfrom", "smtp.mail_from", "email.sender.address", "P1Sender"),
    "to_refs[*].value": (
        "to",
        "rcptto",
        "email.to",
        "email.to.address",
        "smtp.rcpt_to",
        "Recipients",
        "RecipientAddress",
    ),
    "cc_refs[*].value": ("cc", "email.cc", "email.cc.address"),
    "bcc_refs[*].value": ("email.bcc.address",),
}
_ATTACHMENTS: Final = ("email.attachment", "email.attachments.file.name")

_MAILS: Final = (
    *each(
        "email-addr",
        "value",
        mails_in,
        ("email", *dict.fromkeys(f for fields in _MAIL_FIELDS.values() for f in fields)),
    ),
    *each("email-addr", "display_name", display_names, ("from", "email.from", "to", "email.to")),
    Shape(
        "email-message",
        (
            *(Property(path, fields, mails_in) for path, fields in _MAIL_FIELDS.items()),
            Property("subject", ("subject", "email.subject", "Subject"), text),
            Property("message_id", ("msg_id", "email.message_id", "InternetMessageId", "MessageId"), text),
            Property("date", ("email.date", "email.origination_timestamp"), instant),
            Property("content_type", ("email.content_type",), lower),
            Property("body_multipart[*].body_raw_ref.name", _ATTACHMENTS, name),
            Property("additional_header_fields.X-Mailer", ("email.x_mailer", "mailer", "user_agent"), text),
            Property("additional_header_fields.X-Originating-IP", ("x_originating_ip",), address),
        ),
    ),
    *each("file", "name", name, _ATTACHMENTS),
    *each("url", "value", text, ("email.url",)),
)

_FILES: Final = (
    Shape(
        "file",
        (
            *paths(
                "",
                "filename",
                "fileinfo.filename",
                "file.name",
                "file.path",
                "smb.filename",
                "ftp_data.filename",
                "tftp.file",
            ),
            Property("size", ("fileinfo.size", "smb.size", "file.size", "total_bytes", "size"), number),
            Property("mime_type", ("mime_type", "file.mime_type", "fileinfo.mimetype"), lower),
            Property("ctime", ("smb.created", "file.created", "times.created"), instant),
            Property("mtime", ("smb.modified", "file.mtime", "times.modified"), instant),
            Property("atime", ("smb.accessed", "file.accessed", "times.accessed"), instant),
            *hashes("", "sha256", "sha1", "md5", "fileinfo.sha256", "fileinfo.sha1", "fileinfo.md5"),
        ),
    ),
    Shape("file", (*paths("", "file.path"), *hashes("", "file.hash.sha256", "file.hash.sha1", "file.hash.md5"))),
    *each("directory", "path", directory, ("file.directory", "process.working_directory")),
)

_PROCESSES: Final = (
    Shape(
        "process",
        (
            Property("name", ("process.name", "process.executable"), name),
            Property("pid", ("process.pid",), number),
            Property("command_line", ("process.command_line", "command_line"), text),
            Property("cwd", ("process.working_directory",), directory),
            Property("created_time", ("process.start",), instant),
            *paths("image_ref.", "process.executable"),
            *hashes("image_ref.", "process.hash.sha256", "process.hash.sha1", "process.hash.md5"),
            *owner("creator_user_ref.", "user.name", "process.user.name"),
            Property("parent_ref.name", ("process.parent.name", "process.parent.executable"), name),
            Property("parent_ref.pid", ("process.parent.pid",), number),
            Property("parent_ref.command_line", ("process.parent.command_line",), text),
            *paths("parent_ref.image_ref.", "process.parent.executable"),
        ),
    ),
    Shape(
        "file",
        (*paths("", "process.executable"), *hashes("", "process.hash.sha256", "process.hash.sha1", "process.hash.md5")),
    ),
    Shape(
        "windows-registry-key",
        (
            Property("key", ("registry.path", "registry.key"), lower),
            Property("values[*].name", ("registry.value",), lower),
            Property("values[*].data", ("registry.data.strings",), text),
            Property("values[*].data_type", ("registry.data.type",), lower),
        ),
    ),
    *each("mutex", "name", text, ("mutex", "mutex.name", "mutex_name")),
)

_NETWORK: Final = (
    Shape(
        "network-traffic",
        (
            Property("src_ref.value", _SOURCE_ADDRESSES, address),
            Property("src_ref.type", _SOURCE_ADDRESSES, kind_of_address),
            Property("src_port", ("src_port", "id.orig_p", "id_orig_p", "source.port", "src_endpoint.port"), number),
            Property("dst_ref.value", (*_TARGET_ADDRESSES, *_SERVER_NAMES[:5]), address),
            Property("dst_ref.type", (*_TARGET_ADDRESSES, *_SERVER_NAMES[:5]), kind_of_address),
            Property(
                "dst_port",
                ("dest_port", "dst_port", "id.resp_p", "id_resp_p", "destination.port", "dst_endpoint.port"),
                number,
            ),
            Property(
                "protocols[*]", ("proto", "app_proto", "service", "network.transport", "network.protocol"), protocol
            ),
            Property("start", ("flow.start", "ts", "event.start"), instant),
            Property("end", ("flow.end", "event.end"), instant),
            Property("src_byte_count", ("flow.bytes_toserver", "orig_bytes", "source.bytes"), number),
            Property("dst_byte_count", ("flow.bytes_toclient", "resp_bytes", "destination.bytes"), number),
            Property("src_packets", ("flow.pkts_toserver", "orig_pkts", "source.packets"), number),
            Property("dst_packets", ("flow.pkts_toclient", "resp_pkts", "destination.packets"), number),
            Property(_HTTP + "request_method", ("http.http_method", "method", "http.request.method"), lower),
            Property(_HTTP + "request_value", ("http.url", "uri", "url.original", "url.path"), text),
            Property(_HTTP + "request_version", ("http.protocol", "http.version"), lower),
            Property(
                _HTTP + "request_header.User-Agent", ("user_agent", "http.http_user_agent", "user_agent.original"), text
            ),
            Property(_HTTP + "request_header.Referer", ("http.http_refer", "referrer", "http.request.referrer"), text),
            Property(_HTTP + "request_header.Host", ("http.hostname", "host", "url.domain"), lower),
            Property(_TCP + "src_flags_hex", ("tcp.tcp_flags_ts",), hexadecimal),
            Property(_TCP + "dst_flags_hex", ("tcp.tcp_flags_tc",), hexadecimal),
            Property(_ICMP + "icmp_type_hex", ("icmp_type",), octet),
            Property(_ICMP + "icmp_code_hex", ("icmp_code",), octet),
        ),
    ),
    *each(
        "mac-addr",
        "value",
        mac,
        ("dhcp.client_mac", "mac", "source.mac", "destination.mac", "client.mac", "host.mac"),
    ),
    *each(
        "mac-addr",
        "value",
        mac,
        ("ether.src_mac", "ether.dest_mac", "orig_l2_addr", "resp_l2_addr", "src_endpoint.mac"),
    ),
    *(
        Shape(
            "autonomous-system",
            (Property("number", (f"{side}.number",), number), Property("name", (f"{side}.organization.name",), lower)),
        )
        for side in ("as", "source.as", "destination.as", "client.as", "server.as")
    ),
)


def _certificate(fields: dict[str, tuple[str, ...]]) -> Shape:
    forms = {"validity_not_before": instant, "validity_not_after": instant, "hashes.SHA-1": digest("SHA-1")}
    forms |= {
        "hashes.SHA-256": digest("SHA-256"),
        "hashes.MD5": digest("MD5"),
        "subject": text,
        "issuer": text,
        "serial_number": serial,
    }
    return Shape(
        "x509-certificate", tuple(Property(path, names, forms.get(path, lower)) for path, names in fields.items())
    )


_CERTIFICATES: Final = (
    _certificate(
        {
            "subject": ("tls.subject", "certificate.subject", "subject", "tls.server.x509.subject.distinguished_name"),
            "issuer": ("tls.issuerdn", "certificate.issuer", "issuer", "tls.server.x509.issuer.distinguished_name"),
            "serial_number": ("tls.serial", "certificate.serial", "tls.server.x509.serial_number"),
            "validity_not_before": ("tls.notbefore", "certificate.not_valid_before", "tls.server.not_before"),
            "validity_not_after": ("tls.notafter", "certificate.not_valid_after", "tls.server.not_after"),
            "version": ("certificate.version",),
            "signature_algorithm": ("certificate.sig_alg",),
            "subject_public_key_algorithm": ("certificate.key_alg",),
            "hashes.MD5": ("tls.server.hash.md5",),
            "hashes.SHA-1": ("tls.fingerprint", "fingerprint", "tls.server.hash.sha1"),
            "hashes.SHA-256": ("fingerprint", "cert_chain_fps", "tls.server.hash.sha256"),
        }
    ),
)
_SOFTWARE: Final = (
    Shape("software", (Property("name", ("ssh.client.software_version", "user_agent.name"), lower),)),
    Shape("software", (Property("name", ("ssh.server.software_version",), lower),)),
    Shape(
        "software",
        (Property("name", ("package.name",), lower), Property("version", ("package.version",), lower)),
    ),
)

JSON: Final = (
    *each("ip-addr", "value", address, (*_SOURCE_ADDRESSES, *_TARGET_ADDRESSES, *_OTHER_ADDRESSES)),
    *each("ip-addr", "value", addresses_in, _ANSWERS),
    Shape("domain-name", (Property("value", _QUERIES, host), Property("resolves_to_refs[*].value", _ANSWERS, answers))),
    *each("domain-name", "value", host, _SERVER_NAMES),
    *each("domain-name", "value", hosts_of_links_in, _LINKS),
    *each("url", "value", text, _LINKS),
    *accounts(*_USERS),
    *_MAILS,
    *_FILES,
    *_PROCESSES,
    *_NETWORK,
    *_CERTIFICATES,
    *_SOFTWARE,
)
