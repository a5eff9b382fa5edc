"""Fields that events of a route never hold, so that nobody decodes them and looks at nothing.

Sysmon's events have a fixed form for each id (Microsoft, Sysinternals Sysmon, schema 4.90). Of the records which a
company writes most of, that leaves few with an address, a name or a digest in them. Of every other route, and of ids
that are not named here, any field may be there.
"""

from typing import Final

from amagasa.event.record import Route
from amagasa.event.route import LINUX_SYSMON, SYSMON

_EVERY: Final = "RuleName UtcTime ProcessGuid ProcessId Image User"
# Words so common that shippers of logs add fields of these names to any event.
_COMMON: Final = frozenset(
    {"Company", "Contents", "Description", "Destination", "Device", "EventType", "Filter", "Name", "Operation"}
    | {"Product", "Query", "Signature", "Signed", "Type"}
)
_FILE: Final = "FileVersion Description Product Company OriginalFileName"
_ACCESS: Final = (
    "SourceProcessGuid SourceProcessGUID SourceProcessId SourceThreadId SourceImage TargetProcessGuid "
    "TargetProcessGUID TargetProcessId TargetImage SourceUser TargetUser"
)
_WMI: Final = "EventType Operation EventNamespace Name Query Type Destination Consumer Filter"
_FORMS: Final = {
    1: f"{_FILE} CommandLine CurrentDirectory LogonGuid LogonId TerminalSessionId IntegrityLevel Hashes "
    "ParentProcessGuid ParentProcessId ParentImage ParentCommandLine ParentUser",
    2: "TargetFilename CreationUtcTime PreviousCreationUtcTime",
    3: "Protocol Initiated SourceIsIpv6 SourceIp SourceHostname SourcePort SourcePortName DestinationIsIpv6 "
    "DestinationIp DestinationHostname DestinationPort DestinationPortName",
    5: "",
    6: "ImageLoaded Hashes Signed Signature SignatureStatus",
    7: f"{_FILE} ImageLoaded Hashes Signed Signature SignatureStatus",
    8: f"{_ACCESS} NewThreadId StartAddress StartModule StartFunction",
    9: "Device",
    10: f"{_ACCESS} GrantedAccess CallTrace",
    11: "TargetFilename CreationUtcTime",
    12: "EventType TargetObject",
    13: "EventType TargetObject Details",
    14: "EventType TargetObject NewName",
    15: "TargetFilename CreationUtcTime Hash Contents",
    17: "EventType PipeName",
    18: "EventType PipeName",
    19: _WMI,
    20: _WMI,
    21: _WMI,
    22: "QueryName QueryStatus QueryResults",
    23: "TargetFilename Hashes IsExecutable Archived",
    25: "Type",
    26: "TargetFilename Hashes IsExecutable",
    27: "TargetFilename Hashes",
    28: "TargetFilename Hashes IsExecutable",
    29: "TargetFilename Hashes",
}
# Fields of other providers, which an observable may stand in.
_OTHERS: Final = (
    "IpAddress IpPort SourceAddress DestAddress DestPort ClientAddress ScriptBlockText TargetUserName SubjectUserName "
    "TargetUserSid SubjectUserSid ProcessName ObjectName RelativeTargetName MemberName SamAccountName"
)
_HELD: Final = {number: frozenset(f"{_EVERY} {form}".split()) for number, form in _FORMS.items()}
_ALL: Final = frozenset(_OTHERS.split()).union(*_HELD.values()) - _COMMON
_NONE: Final[frozenset[str]] = frozenset()


def absent_from(route: Route) -> frozenset[str]:
    """Names of fields which no event of this route holds; of names that are not in it nothing is said."""
    known = dict(route.known)
    event_id = known.get("EventID")
    if known.get("Channel") not in {SYSMON, LINUX_SYSMON} or not isinstance(event_id, int):
        return _NONE
    held = _HELD.get(event_id)
    return _ALL - held if held is not None else _NONE
