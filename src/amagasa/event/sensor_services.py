"""Kinds of records of network sensors: Suricata's event types, Zeek's logs, and how a Zeek log is told by its fields.

Services come out of the record, so only known ones make routes: nobody floods us with new ones.
Source: Suricata's EVE schema; Zeek's script reference, the `Info` record of each log.
"""

from collections.abc import Mapping
from typing import Any, Final

_SURICATA: Final = (
    "alert anomaly arp bittorrent_dht dcerpc dhcp dnp3 dns drop enip fileinfo flow frame ftp ftp_data http http2 "
    "ike ikev2 krb5 ldap mdns metadata modbus mqtt netflow nfs ntp packetinfo pgsql pop3 quic rdp rfb sip smb "
    "smtp snmp ssh stats tftp tls websocket"
)
SURICATA: Final = frozenset(_SURICATA.split())
_ZEEK: Final = (
    "analyzer bacnet capture_loss conn dce_rpc dhcp dnp3 dns dpd enip cip files ftp gquic http intel irc kerberos "
    "known_certs known_hosts known_services ldap ldap_search loaded_scripts modbus modbus_detailed mqtt_connect "
    "mqtt_publish mysql notice ntlm ntp ocsp opcua pe pop3 postgresql quic radius rdp redis reporter rfb s7comm "
    "signatures sip smb_cmd smb_files smb_mapping smtp snmp socks software ssh ssl stats syslog telnet traceroute "
    "tunnel weird websocket wireguard x509"
)
ZEEK: Final = frozenset(_ZEEK.split())
# Where a shipper left `_path` out: fields which that log always has, those of most logs last.
_BY_FIELDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("notice", ("note", "msg")),
    ("weird", ("name", "notice", "peer")),
    ("files", ("fuid", "source", "depth")),
    ("x509", ("certificate.serial", "certificate.subject")),
    ("pe", ("id", "machine", "compile_ts")),
    ("intel", ("seen.indicator", "seen.where")),
    ("smb_files", ("action", "path", "name", "times.modified")),
    ("smb_mapping", ("path", "share_type")),
    ("dce_rpc", ("endpoint", "operation")),
    ("ntlm", ("hostname", "domainname")),
    ("ntlm", ("username", "server_nb_computer_name")),
    ("kerberos", ("request_type", "service", "till")),
    ("kerberos", ("request_type", "client", "success")),
    ("ssl", ("established", "resumed")),
    ("ssh", ("auth_attempts",)),
    ("ssh", ("client", "server", "host_key")),
    ("http", ("trans_depth", "request_body_len")),
    ("smtp", ("trans_depth", "helo")),
    ("dns", ("query", "trans_id")),
    ("dns", ("query", "qtype_name")),
    ("dns", ("qclass", "rcode_name")),
    ("ftp", ("user", "command", "arg")),
    ("rdp", ("cookie", "result")),
    ("socks", ("version", "request.host")),
    ("socks", ("version", "bound.host")),
    ("snmp", ("community", "get_requests")),
    ("sip", ("request_path", "response_path")),
    ("irc", ("nick", "command")),
    ("radius", ("result", "tunnel_client")),
    ("mysql", ("cmd", "arg")),
    ("modbus", ("func", "tid")),
    ("dnp3", ("fc_request", "iin")),
    ("dnp3", ("fc_request", "fc_reply")),
    ("tunnel", ("tunnel_type",)),
    ("dhcp", ("uids", "msg_types")),
    ("signatures", ("sig_id", "event_msg")),
    ("software", ("software_type", "unparsed_version")),
    ("known_services", ("port_num", "port_proto")),
    ("syslog", ("facility", "severity", "message")),
    ("conn", ("conn_state", "history")),
    ("conn", ("conn_state", "proto")),
)


def zeek_service(record: Mapping[str, Any]) -> str | None:
    """The log that a record without `_path` is of; None where its fields are those of no log or of several."""
    return next((service for service, names in _BY_FIELDS if all(name in record for name in names)), None)
