"""Log sources and routes: which of Sigma's log sources an event of Windows (or of Sysmon for Linux) belongs to.

Sources of the tables: the Sigma specification 2.1 (appendix taxonomy), Microsoft's documentation of Sysmon's event
identifiers and the channel names that Windows registers.
"""

from typing import Final

from amagasa.event.record import LogSource, Route

WINDOWS: Final = "windows"
LINUX: Final = "linux"
SYSMON: Final = "Microsoft-Windows-Sysmon/Operational"
LINUX_SYSMON: Final = "Linux-Sysmon/Operational"
# Event identifiers are 16 bits wide on Windows; anything beyond shares one route.
MAX_EVENT_ID: Final = 0xFFFF

_SERVICES: Final[dict[str, tuple[str, ...]]] = {
    "application": ("Application",),
    "application-experience": (
        "Microsoft-Windows-Application-Experience/Program-Telemetry",
        "Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant",
    ),
    "applocker": (
        "Microsoft-Windows-AppLocker/MSI and Script",
        "Microsoft-Windows-AppLocker/EXE and DLL",
        "Microsoft-Windows-AppLocker/Packaged app-Deployment",
        "Microsoft-Windows-AppLocker/Packaged app-Execution",
    ),
    "appmodel-runtime": ("Microsoft-Windows-AppModel-Runtime/Admin",),
    "appxdeployment-server": ("Microsoft-Windows-AppXDeploymentServer/Operational",),
    "appxpackaging-om": (
        "Microsoft-Windows-AppxPackaging/Operational",
        "Microsoft-Windows-AppxPackagingOM/Operational",
    ),
    "bitlocker": ("Microsoft-Windows-BitLocker/BitLocker Management",),
    "bits-client": ("Microsoft-Windows-Bits-Client/Operational",),
    "capi2": ("Microsoft-Windows-CAPI2/Operational",),
    "certificateservicesclient-lifecycle-system": (
        "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational",
    ),
    "codeintegrity-operational": ("Microsoft-Windows-CodeIntegrity/Operational",),
    "dhcp": ("Microsoft-Windows-DHCP-Server/Operational",),
    "diagnosis-scripted": ("Microsoft-Windows-Diagnosis-Scripted/Operational",),
    "dns-client": ("Microsoft-Windows-DNS Client Events/Operational", "Microsoft-Windows-DNS-Client/Operational"),
    "dns-server": ("DNS Server",),
    "dns-server-analytic": ("Microsoft-Windows-DNS-Server/Analytical", "Microsoft-Windows-DNSServer/Analytical"),
    "dns-server-audit": ("Microsoft-Windows-DNS-Server/Audit", "Microsoft-Windows-DNSServer/Audit"),
    "driver-framework": ("Microsoft-Windows-DriverFrameworks-UserMode/Operational",),
    "firewall-as": ("Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",),
    "hyper-v-worker": ("Microsoft-Windows-Hyper-V-Worker", "Microsoft-Windows-Hyper-V-Worker-Admin"),
    "iis-configuration": ("Microsoft-IIS-Configuration/Operational",),
    "kernel-event-tracing": ("Microsoft-Windows-Kernel-EventTracing", "Microsoft-Windows-Kernel-EventTracing/Admin"),
    "kernel-shimengine": (
        "Microsoft-Windows-Kernel-ShimEngine/Operational",
        "Microsoft-Windows-Kernel-ShimEngine/Diagnostic",
    ),
    "ldap": ("Microsoft-Windows-LDAP-Client/Debug",),
    "ldap_debug": ("Microsoft-Windows-LDAP-Client/Debug",),
    "lsa-server": ("Microsoft-Windows-LSA/Operational",),
    "microsoft-servicebus-client": ("Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"),
    "msexchange-management": ("MSExchange Management",),
    "ntfs": ("Microsoft-Windows-Ntfs/Operational",),
    "ntlm": ("Microsoft-Windows-NTLM/Operational",),
    "openssh": ("OpenSSH/Operational",),
    "powershell": ("Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"),
    "powershell-classic": ("Windows PowerShell",),
    "printservice-admin": ("Microsoft-Windows-PrintService/Admin",),
    "printservice-operational": ("Microsoft-Windows-PrintService/Operational",),
    "security": ("Security",),
    "security-mitigations": (
        "Microsoft-Windows-Security-Mitigations/Kernel Mode",
        "Microsoft-Windows-Security-Mitigations/User Mode",
        "Microsoft-Windows-Security-Mitigations/KernelMode",
        "Microsoft-Windows-Security-Mitigations/UserMode",
    ),
    "sense": ("Microsoft-Windows-SENSE/Operational",),
    "servicebus-client": ("Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"),
    "shell-core": ("Microsoft-Windows-Shell-Core/Operational",),
    "smbclient-connectivity": ("Microsoft-Windows-SmbClient/Connectivity",),
    "smbclient-operational": ("Microsoft-Windows-SmbClient/Operational",),
    "smbclient-security": ("Microsoft-Windows-SmbClient/Security",),
    "smbserver-connectivity": ("Microsoft-Windows-SMBServer/Connectivity",),
    "smbserver-security": ("Microsoft-Windows-SMBServer/Security",),
    "sysmon": (SYSMON,),
    "system": ("System",),
    "taskscheduler": ("Microsoft-Windows-TaskScheduler/Operational",),
    "terminalservices-localsessionmanager": ("Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",),
    "terminalservices-remoteconnectionmanager": (
        "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational",
    ),
    "vhdmp": ("Microsoft-Windows-VHDMP/Operational", "Microsoft-Windows-VHDMP-Operational"),
    "windefend": ("Microsoft-Windows-Windows Defender/Operational",),
    "wmi": ("Microsoft-Windows-WMI-Activity/Operational",),
}

_SYSMON_CATEGORIES: Final[dict[int, tuple[str, ...]]] = {
    1: ("process_creation",),
    2: ("file_change",),
    3: ("network_connection",),
    4: ("sysmon_status",),
    5: ("process_termination",),
    6: ("driver_load",),
    7: ("image_load",),
    8: ("create_remote_thread",),
    9: ("raw_access_thread",),
    10: ("process_access",),
    11: ("file_event", "file_create"),
    12: ("registry_event", "registry_add", "registry_delete"),
    13: ("registry_event", "registry_set"),
    14: ("registry_event", "registry_rename"),
    15: ("create_stream_hash",),
    16: ("sysmon_status",),
    17: ("pipe_created",),
    18: ("pipe_created",),
    19: ("wmi_event",),
    20: ("wmi_event",),
    21: ("wmi_event",),
    22: ("dns_query",),
    23: ("file_delete",),
    24: ("clipboard_change", "clipboard_capture"),
    25: ("process_tampering",),
    26: ("file_delete", "file_delete_detected"),
    27: ("file_block", "file_block_executable"),
    28: ("file_block", "file_block_shredding"),
    29: ("file_executable_detected",),
    255: ("sysmon_error",),
}

_OTHER_CATEGORIES: Final[dict[tuple[str, int], tuple[str, ...]]] = {
    ("security", 4688): ("process_creation",),
    ("security", 4657): ("registry_event", "registry_set", "registry_add", "registry_delete"),
    ("powershell", 4103): ("ps_module",),
    ("powershell", 4104): ("ps_script",),
    ("powershell-classic", 400): ("ps_classic_start",),
    ("powershell-classic", 600): ("ps_classic_provider_start",),
    ("powershell-classic", 800): ("ps_classic_script",),
}


def _by_channel() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Channel in lower case -> (channel as Windows writes it, its services)."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for service, channels in _SERVICES.items():
        for channel in channels:
            _, services = found.get(channel.lower(), (channel, ()))
            found[channel.lower()] = (channel, (*services, service))
    return found


_CHANNELS: Final = _by_channel()


def route_of(channel: str | None, event_id: int | None) -> Route:
    """The route of a Windows event; one a channel where its identifier is no number of 16 bits.

    A channel which no table knows is Windows all the same: rules for the whole product apply to it.
    """
    number = event_id if event_id is not None and 0 <= event_id <= MAX_EVENT_ID else None
    known: tuple[tuple[str, str | int], ...] = () if number is None else (("EventID", number),)
    suffix = "other" if number is None else str(number)
    folded = (channel or "").lower()
    if folded == LINUX_SYSMON.lower():
        return _linux_route(number, suffix)
    if folded not in _CHANNELS:
        return Route(name=f"windows/other/{suffix}", sources=(LogSource(product=WINDOWS),), known=known)
    written, services = _CHANNELS[folded]
    categories = _categories(services[0], number)
    sources = tuple(
        LogSource(category=category, product=WINDOWS, service=service)
        for service in services
        for category in (categories or (None,))
    )
    return Route(name=f"windows/{_slug(written)}/{suffix}", sources=sources, known=(*known, ("Channel", written)))


def channels() -> dict[str, tuple[str, ...]]:
    """Every channel that a table knows, as Windows writes it, with its services."""
    return dict(_CHANNELS.values())


def kinds() -> tuple[tuple[str, int], ...]:
    """(channel, event identifier) of every event that belongs to a category of its own."""
    pairs = [(SYSMON, number) for number in _SYSMON_CATEGORIES]
    return (*pairs, *((_SERVICES[service][0], number) for service, number in _OTHER_CATEGORIES))


def applies(rule_source: LogSource, route: Route) -> bool:
    """Whether a rule for `rule_source` looks at events of `route`: one of its sources gives all that the rule asks."""
    return any(
        _fits(rule_source.category, source.category)
        and _fits(rule_source.product, source.product)
        and _fits(rule_source.service, source.service)
        for source in route.sources
    )


def _fits(asked: str | None, given: str | None) -> bool:
    return asked is None or asked == given


def _categories(service: str, number: int | None) -> tuple[str, ...]:
    if number is None:
        return ()
    if service == "sysmon":
        return _SYSMON_CATEGORIES.get(number, ())
    return _OTHER_CATEGORIES.get((service, number), ())


def _linux_route(number: int | None, suffix: str) -> Route:
    categories = _SYSMON_CATEGORIES.get(number, ()) if number is not None else ()
    sources = tuple(
        LogSource(category=category, product=LINUX, service="sysmon") for category in (categories or (None,))
    )
    known: tuple[tuple[str, str | int], ...] = () if number is None else (("EventID", number),)
    return Route(name=f"linux/sysmon/{suffix}", sources=sources, known=(*known, ("Channel", LINUX_SYSMON)))


def _slug(channel: str) -> str:
    return channel.removeprefix("Microsoft-Windows-").replace(" ", "-").replace("/", "-").lower()
