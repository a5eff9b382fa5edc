"""Objects of OCSF 1.7 out of an event's fields: process, file, user, endpoint, request, key, call.

Each function gives the object, or None where the fields do not hold what the object requires.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final

Document = dict[str, Any]
Fields = Mapping[str, Any]

_REGULAR_FILE: Final = 1
_POWERSHELL: Final = 2
_HASHES: Final = {"md5": 1, "sha1": 2, "sha256": 3}
_HASH: Final = re.compile(r"(MD5|SHA1|SHA256)=([0-9A-Fa-f]{32,64})")
_MAX_TEXT: Final = 65_536
_SIDES: Final = {
    "src": (
        (
            "c-ip",
            "src_ip",
            "SourceIp",
            "SourceAddress",
            "IpAddress",
            "id.orig_h",
            "sourceIPAddress",
            "ClientIP",
            "client.ipAddress",
        ),
        ("src_port", "SourcePort", "IpPort", "id.orig_p"),
        ("SourceHostname", "WorkstationName"),
    ),
    "dst": (
        ("dst_ip", "dest_ip", "DestinationIp", "DestAddress", "id.resp_h", "s-ip"),
        ("dst_port", "dest_port", "DestinationPort", "DestPort", "id.resp_p", "s-port"),
        ("DestinationHostname", "cs-host", "http.hostname"),
    ),
}
_MORE_SOURCES: Final = ("sourceIPs", "protoPayload.requestMetadata.callerIp", "IPAddress", "callerIpAddress")
_USERS: Final = (
    *("User", "TargetUserName", "SubjectUserName", "cs-username", "user", "userIdentity.userName", "userIdentity.arn"),
    *("UserId", "user.username", "actor.alternateId", "protoPayload.authenticationInfo.principalEmail"),
    *("UserPrincipalName", "userPrincipalName", "LoginUser"),
)
_OPERATIONS: Final = ("eventName", "Operation", "protoPayload.methodName", "eventType", "verb")
_SERVICES: Final = ("eventSource", "Workload", "protoPayload.serviceName", "objectRef.resource")


def process_of(fields: Fields) -> Document | None:
    """The process that an event is about: of an access or an injection, the one it was done to."""
    path = _text(fields, "TargetImage", "Image", "NewProcessName", "ProcessName")
    pid = _integer(fields, "TargetProcessId", "ProcessId", "NewProcessId", "pid")
    if not path or pid is None:
        return None
    process = {"name": _name_of(path), "path": path, "pid": pid, "file": _file(path, fields)}
    if line := _text(fields, "CommandLine"):
        process["cmd_line"] = line
    if uid := _text(fields, "ProcessGuid", "TargetProcessGUID"):
        process["uid"] = uid
    if user := _text(fields, "User"):
        process["user"] = {"name": user}
    if parent := _text(fields, "ParentImage", "ParentProcessName"):
        process["parent_process"] = _parent(parent, fields)
    return process


def actor_of(fields: Fields) -> Document | None:
    """Who did it: the process that acted (of a start, the parent), or the user."""
    path = _text(fields, "SourceImage", "ParentImage", "ParentProcessName", "Image", "ProcessName")
    user = user_of(fields)
    actor: Document = {}
    if path:
        pid = _integer(fields, "SourceProcessId", "ParentProcessId", "ProcessId", "Execution_ProcessID")
        actor["process"] = {"name": _name_of(path), "path": path} | ({} if pid is None else {"pid": pid})
        if pid is None:
            actor["process"]["uid"] = _text(fields, "ProcessGuid", "ParentProcessGuid") or path
    if user:
        actor["user"] = user
    if not actor and (name := _text(fields, "Provider_Name", "program", "eventSource")):
        actor["app_name"] = name
    return actor or None


def user_of(fields: Fields) -> Document | None:
    """The user, with the domain where one is told."""
    name = _text(fields, *_USERS)
    if not name:
        return None
    domain = _text(fields, "TargetDomainName" if "TargetUserName" in fields else "SubjectDomainName")
    return {"name": name} | ({"domain": domain} if domain else {})


def device_of(fields: Fields) -> Document:
    """The host that tells of it; its type is not known, and where the record does not name it, neither is its name."""
    name = _text(fields, "Computer", "Hostname", "hostname", "ComputerName", "host.name", "node")
    return {"hostname": name or "unknown", "type_id": 0}


def file_of(fields: Fields) -> Document | None:
    """The file that was touched."""
    path = _text(fields, "TargetFilename", "ObjectName")
    return _file(path, fields) if path else None


def module_of(fields: Fields) -> Document | None:
    """What was loaded into a process, or as a driver."""
    path = _text(fields, "ImageLoaded")
    return {"file": _file(path, fields), "load_type_id": 0} if path else None


def script_of(fields: Fields) -> Document | None:
    """The text of a script block."""
    text = _text(fields, "ScriptBlockText")
    if not text:
        return None
    uid = _text(fields, "ScriptBlockId")
    return {"script_content": {"value": text}, "type_id": _POWERSHELL} | ({"uid": uid} if uid else {})


def reg_key_of(fields: Fields) -> Document | None:
    """The key of the registry."""
    path = _text(fields, "TargetObject", "ObjectName")
    return {"path": path} if path else None


def reg_value_of(fields: Fields) -> Document | None:
    """The value in a key: Sysmon writes both in one path."""
    whole = _text(fields, "TargetObject")
    path, _, name = whole.rpartition("\\")
    if not path or not name:
        path, name = _text(fields, "ObjectName"), _text(fields, "ObjectValueName")
    if not path or not name:
        return None
    data = _text(fields, "Details", "NewValue")
    return {"path": path, "name": name} | ({"data": data} if data else {})


def dns_of(fields: Fields) -> Document | None:
    """What was asked of a resolver."""
    name = _text(fields, "QueryName", "dns.rrname", "query")
    kind = _text(fields, "dns.rrtype", "qtype_name", "record_type")
    return {"hostname": name} | ({"type": kind} if kind else {}) if name else None


def http_of(fields: Fields) -> Document | None:
    """The request, with the path as it was logged."""
    path = _text(fields, "cs-uri", "c-uri", "cs-uri-stem", "http.url", "url", "uri")
    if not path:
        return None
    url: Document = {"url_string": path, "path": path.partition("?")[0]}
    if query := _text(fields, "cs-uri-query"):
        url["query_string"] = query
    if host := _text(fields, "cs-host", "http.hostname", "host"):
        url["hostname"] = host
    request: Document = {"url": url}
    for name, names in (
        ("http_method", ("cs-method", "http.http_method", "method")),
        ("user_agent", ("cs-user-agent", "c-useragent", "http.http_user_agent", "user_agent")),
        ("referrer", ("cs-referer", "http.http_refer", "referrer")),
    ):
        if value := _text(fields, *names):
            request[name] = value
    return request


def api_of(fields: Fields) -> Document | None:
    """The call to a cloud's or a cluster's interface."""
    operation = _text(fields, *_OPERATIONS)
    service = _text(fields, *_SERVICES)
    return {"operation": operation} | ({"service": {"name": service}} if service else {}) if operation else None


def endpoint_of(side: str) -> Callable[[Fields], Document | None]:
    """What makes the endpoint of a side, `src` or `dst`: an address, else a name."""
    addresses, ports, names = _SIDES[side]
    more = _MORE_SOURCES if side == "src" else ()

    def make(fields: Fields) -> Document | None:
        made: Document = {}
        text = _text(fields, *addresses, *more)
        if _is_address(text):
            made["ip"] = text
        elif text:
            made["name"] = text
        if host := _text(fields, *names):
            made["hostname"] = host
        port = _integer(fields, *ports)
        if made and port is not None and 0 <= port <= 65_535:
            made["port"] = port
        return made or None

    return make


def log_of(fields: Fields) -> str | None:
    """The log of events that was cleared or changed."""
    return _text(fields, "Channel") or None


def sound(text: str) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates) written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _parent(path: str, fields: Fields) -> Document:
    pid = _integer(fields, "ParentProcessId", "ProcessId" if "NewProcessId" in fields else "")
    parent: Document = {"name": _name_of(path), "path": path}
    parent |= {"uid": _text(fields, "ParentProcessGuid") or path} if pid is None else {"pid": pid}
    line = _text(fields, "ParentCommandLine")
    return parent | ({"cmd_line": line} if line else {})


def _file(path: str, fields: Fields) -> Document:
    file: Document = {"name": _name_of(path), "path": path, "type_id": _REGULAR_FILE}
    hashes = [
        {"algorithm_id": _HASHES[name.lower()], "value": value.lower()}
        for name, value in _HASH.findall(_text(fields, "Hashes", "Hash")[:1_024])
    ]
    return file | ({"hashes": hashes} if hashes else {})


def _name_of(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] or path


def _text(fields: Fields, *names: str) -> str:
    """The first that is there, as text; of a list its first."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, list | tuple) and value:
            value = value[0]
        if isinstance(value, str | int) and not isinstance(value, bool) and value not in {"", "-"}:
            return sound(str(value)[:_MAX_TEXT])
    return ""


def _integer(fields: Fields, *names: str) -> int | None:
    text = _text(fields, *names)
    try:
        return int(text, 0) if text and len(text) <= 18 else None
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
