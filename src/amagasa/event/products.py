"""Which product wrote a JSON object: told by keys that no other product writes together.

Sources of the tables: the products' own documentation of their logs, and the log sources that public Sigma rules
name for them. An object which no entry knows has the route `json`, which only rules without a product look at.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from amagasa.event.auditd import AUDITD, RECORD, audit_fields
from amagasa.event.record import LogSource, Route, Value
from amagasa.event.route import LINUX_SYSMON, route_of
from amagasa.event.sensor_services import SURICATA, ZEEK, zeek_service
from amagasa.event.syslog import route_of_program

Record = Mapping[str, Any]

JSON: Final = Route(name="json", sources=(LogSource(),))
_SYSLOG_ALIASES: Final = {
    "SyslogMessage": {"message": "SyslogMessage", "hostname": "HostName", "program": "ProcessName", "pid": "ProcessID"},
    "MESSAGE": {
        "message": "MESSAGE",
        "hostname": "_HOSTNAME",
        "program": "SYSLOG_IDENTIFIER",
        "pid": "_PID",
        "command": "_CMDLINE",
    },
}
_ALIASES: Final[dict[str, dict[str, str]]] = {
    "suricata": {
        "dst_ip": "dest_ip",
        "dst_port": "dest_port",
        "query": "dns.rrname",
        "record_type": "dns.rrtype",
        "answer": "dns.answers.rdata",
        "c-uri": "http.url",
        "cs-host": "http.hostname",
        "cs-method": "http.http_method",
        "c-useragent": "http.http_user_agent",
        "cs-user-agent": "http.http_user_agent",
        "sc-status": "http.status",
    },
    # Google's own names, and those that Beats and exports over Pub/Sub give to the same.
    "gcp": {
        "gcp.audit.method_name": "protoPayload.methodName",
        "gcp.audit.service_name": "protoPayload.serviceName",
        "data.protoPayload.methodName": "protoPayload.methodName",
        "data.protoPayload.serviceName": "protoPayload.serviceName",
        "data.protoPayload.logName": "logName",
        "data.protoPayload.resource.type": "resource.type",
        "data.protoPayload.authorizationInfo.permission": "protoPayload.authorizationInfo.permission",
        "eventService": "protoPayload.serviceName",
        "eventName": "protoPayload.metadata.event.eventName",
    },
    "w3c": {"c-useragent": "cs-user-agent", "cs-referrer": "cs-referer", "cs-useragent": "cs-user-agent"},
    "zeek": {
        "id.orig_h": "id_orig_h",
        "id.orig_p": "id_orig_p",
        "id.resp_h": "id_resp_h",
        "id.resp_p": "id_resp_p",
        "answer": "answers",
        "record_type": "qtype_name",
    },
}
_GENERIC: Final = {"dns": "dns"}
# Protocols of messages which `event.ot` makes of captures and flows.
_INDUSTRIAL: Final = frozenset(
    {
        *("bacnet", "cip", "dnp3", "enip", "fins", "fox", "goose", "hart_ip", "iec104", "mms", "modbus"),
        *("profinet_dcp", "s7comm", "s7comm_plus", "synphasor"),
    }
)
# Logs of sensors that say the same: our rules for the protocol look at them as well.
_ALSO_INDUSTRIAL: Final = {("suricata", "modbus"): "modbus", ("suricata", "dnp3"): "dnp3"} | {
    ("zeek", "modbus"): "modbus",
    ("zeek", "dnp3"): "dnp3",
}
_KUBERNETES: Final = Route(
    name="kubernetes/audit",
    sources=(
        LogSource(product="kubernetes", service="audit"),
        LogSource(product="kubernetes", category="application", service="audit"),
    ),
)
# Rows of W3C extended logs (`event.table`): of a web server, or of a proxy, which tells where a request went.
_IIS: Final = Route(
    name="w3c/webserver",
    sources=(LogSource(category="webserver"), LogSource(category="webserver", product="windows", service="iis")),
)
_PROXY_LOG: Final = Route(name="w3c/proxy", sources=(LogSource(category="proxy"),))
_OPENCANARY: Final = Route(name="opencanary", sources=(LogSource(product="opencanary", category="application"),))


def route_of_record(record: Record) -> Route:
    """The route of a JSON object."""
    for key, find in _BY_KEY:
        if key in record and (route := find(record)) is not None:
            return route
    return JSON


def product_routes() -> tuple[Route, ...]:
    """The routes of the products that are told by their keys, each once; `JSON` is not among them."""
    clouds = (
        *(_route("aws", "cloudtrail"), _route("github", "audit"), _route("bitbucket", "audit"), _route("okta", "okta")),
        *(_route("m365", "audit", "exchange"), _route("m365", "threat_management", "threat_detection", "exchange")),
        *(_route("azure", "signinlogs"), _route("azure", "auditlogs"), _route("azure", "activitylogs", "auditlogs")),
        *(_risk({}), _route("gcp", "gcp.audit"), _route("gcp", "google_workspace.admin", "gcp.audit")),
        *(_route("gcp", "google_workspace.login", "gcp.audit"), _route("onelogin", "onelogin.events")),
        _route("cisco", "duo"),
        *(_KUBERNETES, _OPENCANARY, AUDITD, _IIS, _PROXY_LOG),
    )
    sensors = [_route("suricata", service) for service in sorted(SURICATA)]
    industrial = (_route("ot", service) for service in sorted(_INDUSTRIAL))
    return (*sensors, *(_route("zeek", service) for service in sorted(ZEEK)), *clouds, *industrial)


def aliases_of(route: Route) -> Mapping[str, str]:
    """Sigma's name of a field -> the product's own path, for the names that differ."""
    product, _, rest = route.name.partition("/")
    if product == "linux":
        return _SYSLOG_ALIASES.get(rest.rpartition("@")[2], {})
    return _ALIASES.get(product, {})


def audit_of_text(message: str) -> dict[str, Value]:
    """Fields of an auditd record carried as text; {} where it is none."""
    match = RECORD.fullmatch(message)
    return audit_fields(match) if match else {}


@lru_cache(maxsize=512)
def _route(product: str, *services: str) -> Route:
    sources = tuple(LogSource(product=product, service=service) for service in services)
    generic = tuple(LogSource(category=_GENERIC[service]) for service in services if service in _GENERIC)
    also = tuple(
        LogSource(product="ot", service=_ALSO_INDUSTRIAL[product, service])
        for service in services
        if (product, service) in _ALSO_INDUSTRIAL
    )
    name = "/".join((product, *services[:1]))
    return Route(name=name, sources=(*sources, *generic, *also) or (LogSource(product=product),))


def _service(value: Any, known: frozenset[str]) -> str:
    return value if isinstance(value, str) and value in known else "other"


def _suricata(record: Record) -> Route | None:
    return (
        _route("suricata", _service(record["event_type"], SURICATA))
        if "flow_id" in record or "src_ip" in record
        else None
    )


def _industrial(record: Record) -> Route | None:
    service = record["ot"]
    return _route("ot", service) if isinstance(service, str) and service in _INDUSTRIAL else None


def _w3c(record: Record) -> Route:
    return _PROXY_LOG if any(name in record for name in ("cs-uri-scheme", "cs-uri", "r-ip", "r-host")) else _IIS


def _zeek(record: Record) -> Route | None:
    service = record.get("_path", record.get("@stream"))
    if service is None and not ("uid" in record and ("id.orig_h" in record or "id_orig_h" in record)):
        return None
    if service is None:
        service = zeek_service(record)
    return _route("zeek", _service(service, ZEEK)) if service is not None else _route("zeek")


def _aws(record: Record) -> Route | None:
    if "awsRegion" in record or "userIdentity" in record:
        return _route("aws", "cloudtrail")
    return _route("m365", "threat_management", "threat_detection", "exchange") if "eventSource" in record else None


def _kubernetes(record: Record) -> Route | None:
    if not str(record.get("apiVersion", "")).startswith("audit.k8s.io"):
        return None
    return _KUBERNETES


def _azure(record: Record) -> Route | None:
    category = str(record.get("Category", record.get("category", ""))).lower()
    if "signin" in category or "AuthenticationRequirement" in record or "ConditionalAccessStatus" in record:
        return _route("azure", "signinlogs")
    if "LoggedByService" in record or "ActivityDisplayName" in record or category == "auditlogs":
        return _route("azure", "auditlogs")
    if "risk" in category:
        return _risk(record)
    is_azure = any(key in record for key in ("ResourceId", "resourceId", "CategoryValue", "correlationId", "tenantId"))
    return _route("azure", "activitylogs", "auditlogs") if is_azure else None


def _risk(_record: Record) -> Route:
    return _route("azure", "riskdetection", "pim")


def _m365(record: Record) -> Route | None:
    workload = record.get("Workload", record.get("OfficeWorkload"))
    if workload is None and "RecordType" not in record:
        return None
    return _route("m365", "audit", "exchange") if workload == "Exchange" else _route("m365", "audit")


def _okta(record: Record) -> Route | None:
    return _route("okta", "okta") if "actor" in record and ("outcome" in record or "debugContext" in record) else None


def _gcp(record: Record) -> Route:
    payload = record.get("protoPayload")
    name = payload.get("serviceName") if isinstance(payload, dict) else None
    if name == "admin.googleapis.com":
        return _route("gcp", "google_workspace.admin", "gcp.audit")
    if name == "login.googleapis.com":
        return _route("gcp", "google_workspace.login", "gcp.audit")
    return _route("gcp", "gcp.audit")


def _github(record: Record) -> Route | None:
    is_github = "actor" in record and any(key in record for key in ("_document_id", "org", "actor_location"))
    return _route("github", "audit") if is_github else None


def _duo(record: Record) -> Route | None:
    return _route("cisco", "duo") if "access_device" in record or "reason" in record else None


def _opencanary(record: Record) -> Route | None:
    if "node_id" not in record:
        return None
    return _OPENCANARY


def _auditd(record: Record) -> Route | None:
    kind = record["type"]
    is_audit = isinstance(kind, str) and kind.isupper() and any(key in record for key in ("auid", "a0", "syscall"))
    return AUDITD if is_audit else None


def _carried(key: str) -> Callable[[Record], Route | None]:
    def find(record: Record) -> Route | None:
        message = record[key]
        if not isinstance(message, str):
            return None
        program = record.get(_SYSLOG_ALIASES[key]["program"])
        if record.get("Channel") == LINUX_SYSMON:  # `event.opened` took it out of the message
            number = str(record.get("EventID"))
            return route_of(LINUX_SYSMON, int(number) if number.isascii() and number.isdigit() else None)
        plain = AUDITD if RECORD.fullmatch(message) else route_of_program(program if isinstance(program, str) else "")
        return _carried_route(plain.name, plain.sources, key)

    return find


@lru_cache(maxsize=128)
def _carried_route(name: str, sources: tuple[LogSource, ...], key: str) -> Route:
    return Route(name=f"{name}@{key}", sources=sources)


# The first key that is there and whose finder says yes decides.
_BY_KEY: Final[tuple[tuple[str, Callable[[Record], Route | None]], ...]] = (
    ("ot", _industrial),
    ("w3c", _w3c),
    ("event_type", _suricata),
    ("_path", _zeek),
    ("@stream", _zeek),
    ("uid", _zeek),
    ("eventName", _aws),
    ("apiVersion", _kubernetes),
    ("eventType", _okta),
    ("protoPayload", _gcp),
    ("SyslogMessage", _carried("SyslogMessage")),
    ("MESSAGE", _carried("MESSAGE")),
    ("riskEventType", _risk),
    ("Operation", _m365),
    ("operationName", _azure),
    ("OperationName", _azure),
    ("OperationNameValue", _azure),
    ("ResultType", _azure),
    # As Microsoft Graph gives them out: names in camel case, no envelope.
    ("conditionalAccessStatus", lambda _record: _route("azure", "signinlogs")),
    ("loggedByService", lambda _record: _route("azure", "auditlogs")),
    ("auditType", lambda _record: _route("bitbucket", "audit")),
    ("logtype", _opencanary),
    ("action", _github),
    ("factor", _duo),
    ("event_type_id", lambda _record: _route("onelogin", "onelogin.events")),
    ("type", _auditd),
)
