"""What records of Windows show, and of Sysmon for Linux, which names its fields alike.

The general shapes hold for any event; for some ids of Sysmon more is known: whose hashes the event gives, and which of
its times is when a process or a file was made.
"""

from typing import Final

from amagasa.detect.stix.forms import (
    Property,
    Shape,
    accounts,
    address,
    addresses_in,
    answers,
    directory,
    each,
    folder,
    hashes,
    host,
    hosts_of_links_in,
    instant,
    integrity,
    kind_of_address,
    links_in,
    lower,
    name,
    number,
    owner,
    paths,
    protocol,
    registry_key,
    service_type,
    start_type,
    text,
    value_data,
    value_name,
    value_type,
)
from amagasa.event.route import LINUX_SYSMON, SYSMON

_ADDRESSES: Final = ("SourceIp", "DestinationIp", "IpAddress", "SourceAddress", "DestAddress", "ClientAddress")
_SOURCES: Final = ("SourceIp", "SourceAddress", "SourceHostname")
_TARGETS: Final = ("DestinationIp", "DestAddress", "DestinationHostname")


def _file(path_field: str, *hash_fields: str, created: tuple[str, ...] = ()) -> Shape:
    found = hashes("", *hash_fields) if hash_fields else ()
    times = (Property("ctime", created, instant),) if created else ()
    return Shape("file", (*paths("", path_field), *found, *times))


def _connection(prefix: str) -> tuple[Property, ...]:
    return (
        Property(f"{prefix}src_ref.value", _SOURCES, address),
        Property(f"{prefix}src_ref.type", _SOURCES, kind_of_address),
        Property(f"{prefix}src_port", ("SourcePort",), number),
        Property(f"{prefix}dst_ref.value", _TARGETS, address),
        Property(f"{prefix}dst_ref.type", _TARGETS, kind_of_address),
        Property(f"{prefix}dst_port", ("DestinationPort", "DestPort"), number),
        Property(f"{prefix}protocols[*]", ("Protocol",), protocol),
    )


def _traffic(start: tuple[str, ...] = ()) -> Shape:
    times = (Property("start", start, instant),) if start else ()
    return Shape("network-traffic", (*_connection(""), *times))


def _image(prefix: str, *fields: str) -> tuple[Property, ...]:
    return (Property(f"{prefix}name", fields, name), *paths(f"{prefix}image_ref.", *fields))


_ACTING: Final = ("Image", "ProcessName")


def _process(
    *,
    images: tuple[str, ...] = _ACTING,
    pids: tuple[str, ...] = ("ProcessId",),
    parent_pids: tuple[str, ...] = ("ParentProcessId",),
    hash_fields: tuple[str, ...] = (),
    created: tuple[str, ...] = (),
) -> Shape:
    """The process that acts, with its parent and what it connects to."""
    return Shape(
        "process",
        (
            Property("pid", pids, number),
            *_image("", *images),
            *(hashes("image_ref.", *hash_fields) if hash_fields else ()),
            Property("command_line", ("CommandLine",), text),
            Property("cwd", ("CurrentDirectory",), directory),
            *((Property("created_time", created, instant),) if created else ()),
            *owner("creator_user_ref.", "User"),
            Property("parent_ref.pid", parent_pids, number),
            *_image("parent_ref.", "ParentImage"),
            Property("parent_ref.command_line", ("ParentCommandLine",), text),
            *owner("parent_ref.creator_user_ref.", "ParentUser"),
            *_connection("opened_connection_refs[*]."),
            Property("extensions.windows-process-ext.integrity_level", ("IntegrityLevel",), integrity),
            Property("extensions.windows-process-ext.owner_sid", ("SubjectUserSid",), lower),
        ),
    )


def _parent(pids: tuple[str, ...] = ("ParentProcessId",), child_pids: tuple[str, ...] = ("ProcessId",)) -> Shape:
    return Shape(
        "process",
        (
            Property("pid", pids, number),
            *_image("", "ParentImage"),
            Property("command_line", ("ParentCommandLine",), text),
            *owner("creator_user_ref.", "ParentUser"),
            Property("child_refs[*].pid", child_pids, number),
            *_image("child_refs[*].", "Image"),
            Property("child_refs[*].command_line", ("CommandLine",), text),
        ),
    )


_SERVICE: Final = Shape(
    "process",
    (
        Property("extensions.windows-service-ext.service_name", ("ServiceName",), lower),
        Property("extensions.windows-service-ext.display_name", ("ServiceName",), lower),
        Property("extensions.windows-service-ext.start_type", ("StartType", "ServiceStartType"), start_type),
        Property("extensions.windows-service-ext.service_type", ("ServiceType",), service_type),
        Property("command_line", ("ImagePath", "ServiceFileName"), text),
        *owner("creator_user_ref.", "AccountName", "ServiceAccount"),
    ),
)


def _other_process(side: str) -> Shape:
    """Of two processes of which one reaches into the other."""
    return Shape(
        "process",
        (
            Property("pid", (f"{side}ProcessId",), number),
            *_image("", f"{side}Image"),
            *owner("creator_user_ref.", f"{side}User"),
        ),
    )


_REGISTRY: Final = Shape(
    "windows-registry-key",
    (
        Property("key", ("TargetObject",), registry_key),
        Property("values[*].name", ("TargetObject",), value_name),
        Property("values[*].data", ("Details",), value_data),
        Property("values[*].data_type", ("Details",), value_type),
        *owner("creator_user_ref.", "User"),
    ),
)
_OF_ANY_EVENT: Final = (
    *each("ip-addr", "value", address, _ADDRESSES),
    *each("ip-addr", "value", addresses_in, ("QueryResults",)),
    Shape(
        "domain-name",
        (Property("value", ("QueryName",), host), Property("resolves_to_refs[*].value", ("QueryResults",), answers)),
    ),
    *each("domain-name", "value", host, ("DestinationHostname", "SourceHostname")),
    *each("domain-name", "value", hosts_of_links_in, ("CommandLine", "ScriptBlockText")),
    *each("url", "value", links_in, ("CommandLine", "ScriptBlockText")),
    *each("directory", "path", folder, ("Image", "ImageLoaded", "TargetFilename")),
    *each("directory", "path", directory, ("CurrentDirectory",)),
    *(_file(field) for field in ("ParentImage", "Path", "ObjectName", "RelativeTargetName")),
    _other_process("Source"),
    _other_process("Target"),
    *accounts("User", "ParentUser", "TargetUser", "SourceUser", "TargetUserName", "SubjectUserName"),
    *accounts("TargetUserSid", "SubjectUserSid", "MemberName", "SamAccountName"),
    Shape(
        "network-traffic",  # of a logon: who came, over what is not said
        (
            Property("src_ref.value", ("IpAddress",), address),
            Property("src_ref.type", ("IpAddress",), kind_of_address),
            Property("src_port", ("IpPort",), number),
        ),
    ),
    _REGISTRY,
    Shape(
        "software",
        (
            Property("name", ("Product",), lower),
            Property("vendor", ("Company",), lower),
            Property("version", ("FileVersion",), lower),
        ),
    ),
)
_CREATED: Final = ("CreationUtcTime",)

_HASHED: Final = (
    _file("Image", "Hashes"),
    _file("ImageLoaded", "Hashes"),
    _file("TargetFilename", "Hashes", "Hash", created=_CREATED),
    _traffic(),
)

# Where it is not said whose hashes an event gives, every file shows them that they may be of.
WINDOWS: Final = (*_OF_ANY_EVENT, *_HASHED, _process(hash_fields=("Hashes",)), _parent())
_PROCESS_CREATION: Final = (  # of the security audit, which calls the creator's number ProcessId
    *_OF_ANY_EVENT,
    *_HASHED,
    _process(images=("Image",), pids=("NewProcessId",), parent_pids=("ProcessId",)),
    _parent(pids=("ProcessId",), child_pids=("NewProcessId",)),
)
_FILTERING: Final = (  # of the Windows Filtering Platform; a shipper's own ProcessID is not to be taken for it
    *_OF_ANY_EVENT,
    _traffic(),
    _process(images=("Application",), pids=("ProcessID", "ProcessId")),
    _file("Application"),
)
_NEW_SERVICE: Final = (*WINDOWS, _SERVICE, *accounts("AccountName", "ServiceAccount"))


def _of_sysmon(event_id: int) -> tuple[Shape, ...]:
    is_start, is_load, is_target = event_id == 1, event_id in {6, 7}, event_id in {2, 11, 15, 23, 26, 27, 28, 29}
    of_image = ("Hashes",) if is_start else ()
    return (
        *_OF_ANY_EVENT,
        _process(images=("Image",), hash_fields=of_image, created=("UtcTime",) if is_start else ()),
        _parent(),
        _file("Image", *of_image),
        _file("ImageLoaded", *(("Hashes",) if is_load else ())),
        _file("TargetFilename", *(("Hashes", "Hash") if is_target else ()), created=_CREATED),
        _traffic(("UtcTime",) if event_id == 3 else ()),
    )


# By channel and id, where more is known than of any event. Microsoft: Sysinternals Sysmon, schema 4.90; events of the
# security audit; event 7045 of the service control manager.
BY_EVENT: Final = {
    **{(channel, event_id): _of_sysmon(event_id) for channel in (SYSMON, LINUX_SYSMON) for event_id in range(1, 30)},
    **{("Security", event_id): _FILTERING for event_id in range(5150, 5160)},
    ("Security", 4688): _PROCESS_CREATION,
    ("Security", 4697): _NEW_SERVICE,
    ("System", 7045): _NEW_SERVICE,
}
