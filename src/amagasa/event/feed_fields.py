"""Fields that records of a kind have: Sysmon's schema, the audit of processes, PowerShell, access logs, syslog.

Sources: the manifest of Sysmon 15 (schema 4.90), Microsoft's documentation of security auditing and of PowerShell's
logging, and our own readers, which add fields under Sigma's names (`event.windows_fields`).
"""

from typing import Final


def _fields(*parts: str) -> tuple[str, ...]:
    return tuple(" ".join(parts).split())


# What every Windows record carries, in whichever layout it was shipped.
HEADER: Final = _fields(
    "EventID Channel Computer Provider_Name Provider_Guid Level Task Opcode Keywords Version EventRecordID",
    "TimeCreated TimeCreated_SystemTime Execution_ProcessID Execution_ThreadID Security_UserID",
    "Correlation_ActivityID EventTime EventReceivedTime Hostname SourceName SourceModuleName SourceModuleType",
    "Severity SeverityValue EventType Category Message RecordNumber ThreadID ProcessID Domain AccountName",
    "AccountType UserID ProviderGuid OpcodeValue host tags winlog event EventLog",
)
HASHES: Final = ("md5", "sha1", "sha256", "Imphash", "imphash")

_PROCESS: Final = "RuleName UtcTime ProcessGuid ProcessId Image User"


SYSMON: Final[dict[int, tuple[str, ...]]] = {
    1: _fields(
        _PROCESS,
        "FileVersion Description Product Company OriginalFileName CommandLine CurrentDirectory LogonGuid LogonId",
        "TerminalSessionId IntegrityLevel Hashes ParentProcessGuid ParentProcessId ParentImage ParentCommandLine",
        "ParentUser",
    ),
    2: _fields(_PROCESS, "TargetFilename CreationUtcTime PreviousCreationUtcTime"),
    3: _fields(
        _PROCESS,
        "Protocol Initiated SourceIsIpv6 SourceIp SourceHostname SourcePort SourcePortName DestinationIsIpv6",
        "DestinationIp DestinationHostname DestinationPort DestinationPortName",
    ),
    4: _fields("UtcTime State Version SchemaVersion"),
    5: _fields(_PROCESS),
    6: _fields("RuleName UtcTime ImageLoaded Hashes Signed Signature SignatureStatus"),
    7: _fields(
        _PROCESS,
        "ImageLoaded FileVersion Description Product Company OriginalFileName Hashes Signed Signature",
        "SignatureStatus",
    ),
    8: _fields(
        "RuleName UtcTime SourceProcessGuid SourceProcessId SourceImage TargetProcessGuid TargetProcessId TargetImage",
        "NewThreadId StartAddress StartModule StartFunction SourceUser TargetUser",
    ),
    9: _fields(_PROCESS, "Device"),
    10: _fields(
        "RuleName UtcTime SourceProcessGUID SourceProcessId SourceThreadId SourceImage TargetProcessGUID",
        "TargetProcessId TargetImage GrantedAccess CallTrace SourceUser TargetUser",
    ),
    11: _fields(_PROCESS, "TargetFilename CreationUtcTime"),
    12: _fields(_PROCESS, "EventType TargetObject"),
    13: _fields(_PROCESS, "EventType TargetObject Details"),
    14: _fields(_PROCESS, "EventType TargetObject NewName"),
    15: _fields(_PROCESS, "TargetFilename CreationUtcTime Hash Hashes Contents"),
    16: _fields("UtcTime Configuration ConfigurationFileHash"),
    17: _fields(_PROCESS, "EventType PipeName"),
    18: _fields(_PROCESS, "EventType PipeName"),
    19: _fields("RuleName EventType UtcTime Operation User EventNamespace Name Query"),
    20: _fields("RuleName EventType UtcTime Operation User Name Type Destination"),
    21: _fields("RuleName EventType UtcTime Operation User Consumer Filter"),
    22: _fields(_PROCESS, "QueryName QueryStatus QueryResults"),
    23: _fields(_PROCESS, "TargetFilename Hashes IsExecutable Archived"),
    24: _fields(_PROCESS, "Session ClientInfo Hashes Archived"),
    25: _fields(_PROCESS, "Type"),
    26: _fields(_PROCESS, "TargetFilename Hashes IsExecutable"),
    27: _fields(_PROCESS, "TargetFilename Hashes"),
    28: _fields(_PROCESS, "TargetFilename Hashes IsExecutable"),
    29: _fields(_PROCESS, "TargetFilename Hashes"),
    255: _fields("UtcTime ID Description"),
}
# 4688 and 4657, with the fields our reader adds under Sysmon's names.
SECURITY: Final[dict[int, tuple[str, ...]]] = {
    4688: _fields(
        "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId NewProcessId NewProcessName",
        "TokenElevationType ProcessId CommandLine TargetUserSid TargetUserName TargetDomainName TargetLogonId",
        "ParentProcessName MandatoryLabel Image ParentImage User LogonId IntegrityLevel",
    ),
    4657: _fields(
        "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId ObjectName ObjectValueName HandleId",
        "OperationType OldValueType OldValue NewValueType NewValue ProcessId ProcessName Image User Details",
        "TargetObject EventType",
    ),
}
POWERSHELL: Final[dict[int, tuple[str, ...]]] = {
    4103: ("ContextInfo", "UserData", "Payload"),
    4104: ("MessageNumber", "MessageTotal", "ScriptBlockText", "ScriptBlockId", "Path"),
    400: ("Data",),
    600: ("Data",),
    800: ("Data",),
}
ACCESS: Final = _fields(
    "c-ip cs-username date time cs-method cs-uri cs-uri-stem cs-uri-query cs-uri-decoded cs-version cs-request",
    "sc-status sc-bytes cs-referer cs-user-agent cs-host _raw c-useragent cs(user-agent) cs-referrer cs(referer)",
    "c-uri c-uri-query c-uri-stem",
)
# The rest of a line depends on the program that wrote it.
SYSLOG: Final = _fields(
    "_raw message program hostname pid facility severity user target_user src_ip src_port outcome command group",
    "method service n_repeated TTY PWD USER COMMAND",
)
# Not closed: enough to tell a slip of the pen from a field that we do not know of.
KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "Security": _fields(
        "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId TargetUserSid TargetUserName TargetDomainName",
        "TargetLogonId TargetLinkedLogonId TargetLogonGuid LogonType LogonProcessName AuthenticationPackageName",
        "WorkstationName LogonGuid TransmittedServices LmPackageName KeyLength ProcessId ProcessName IpAddress IpPort",
        "ImpersonationLevel RestrictedAdminMode TargetOutboundUserName TargetOutboundDomainName VirtualAccount",
        "ElevatedToken Status SubStatus FailureReason CallerProcessId CallerProcessName TargetServerName TargetInfo",
        "ServiceName ServiceSid TicketOptions TicketEncryptionType PreAuthType CertIssuerName CertSerialNumber",
        "CertThumbprint ServiceFileName ServiceType ServiceStartType ServiceAccount ClientProcessId ObjectServer",
        "ObjectType ObjectName ObjectValueName HandleId AccessList AccessMask AccessReason PrivilegeList",
        "RestrictedSidCount ShareName ShareLocalPath RelativeTargetName TaskName TaskContent TaskContentNew",
        "OperationType OldValueType OldValue NewValueType NewValue AttributeLDAPDisplayName AttributeSyntaxOID",
        "AttributeValue ObjectDN ObjectGUID ObjectClass DSName DSType OpCorrelationID AppCorrelationID Properties",
        "AdditionalInfo AdditionalInfo2 MemberName MemberSid SamAccountName DisplayName UserPrincipalName",
        "HomeDirectory HomePath ScriptPath ProfilePath UserWorkstations PasswordLastSet AccountExpires PrimaryGroupId",
        "AllowedToDelegateTo OldUacValue NewUacValue UserAccountControl UserParameters SidHistory LogonHours",
        "OldTargetUserName NewTargetUserName CategoryId SubcategoryId SubcategoryGuid AuditPolicyChanges",
        "NewProcessId NewProcessName TokenElevationType CommandLine ParentProcessName MandatoryLabel Image ParentImage",
        "User LogonId IntegrityLevel Application Direction SourceAddress SourcePort DestAddress DestPort Protocol",
        "FilterRTID LayerName LayerRTID FilterName FilterOrigin ProviderName DeviceId DeviceDescription ClassId",
        "ClassName VendorIds CompatibleIds LocationInformation Workstation PackageName SourceSid SourceUserName",
        "ComputerAccountChange DnsHostName ServicePrincipalNames Service RemoteUserID Attributes TemplateContent",
        "NewTemplateContent TemplateDSObjectFQDN RequestId Requester Subject Disposition EnabledPrivilegeList",
        "DisabledPrivilegeList TargetName KeyName KeyType ProviderVersion AlgorithmName Operation ReturnCode",
        "SessionName ClientName ClientAddress ClientDomainName UserName DomainName TargetProcessId TargetProcessName",
        "FileName LinkName TransactionId StagingReason EnabledPrivileges ResourceAttributes",
    ),
    "System": _fields(
        "ServiceName ImagePath ServiceType StartType AccountName param1 param2 param3 param4 param5 param6 param7",
        "Binary Data SubjectUserName SubjectDomainName Channel BackupPath errorCode updateTitle updateGuid",
        "DeviceName DeviceTime ProcessName ProcessPID ProcessId HiveName HiveNameLength KeysUpdated DirtyPages",
        "Caption Description Origin Level IsatapRouter",
    ),
}
