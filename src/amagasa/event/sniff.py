"""What kind of records a file holds, told by its first lines; the name only breaks ties."""

import re
from collections import Counter
from typing import Any, Final

from amagasa.event.jsonline import object_of
from amagasa.event.lines import BOM, text_of
from amagasa.event.record import Format
from amagasa.event.syslog import is_syslog

# Enough to see past a banner, few enough to cost nothing.
MAX_LINES: Final = 50
# A head that is mostly something else is not read: a wrong format would reject nearly every record.
MIN_RATIO: Final = 1 / 3

_ACCESS: Final = re.compile(
    r'[^\n"]{1,512} ?\[[^\]\n]{10,40}\] "[^\n]*?" (?:[0-9]{3}|-)(?: (?:[0-9]+|-))?(?= |\Z)', re.DOTALL
)
_IS_WINDOWS: Final = frozenset({"EventData", "EventData_dynamic", "event_data", "ProviderGuid", "EventSourceName"})
_PLACES: Final = frozenset(
    {"Channel", "Provider", "SourceName", "ProviderName", "Provider_Name", "LogName", "log_name"}
)
# For a line that the head cut in two; each is searched for alone, which keeps it linear.
_CUT_ID: Final = re.compile(r'"(?:EventID|event_id|EventId)"\s*:')
_CUT_PLACE: Final = re.compile(r'"(?:Channel|SourceName|ProviderGuid|EventData|channel|log_name)"\s*:')
_CUT_WHOLE: Final = re.compile(r'\A\s*\{\s*"Event"\s*:\s*\{|"winlog"\s*:\s*\{')
_NAMES: Final = (
    (Format.ACCESS, ("access", "httpd", "nginx")),
    (Format.SYSLOG, ("auth", "syslog", "secure", "messages")),
    (Format.WINDOWS, ("windows", "sysmon", "winlog", "evtx")),
    (Format.JSON, ("json",)),
)


def sniff(head: bytes, name: str) -> Format | None:
    """The format of most of the first `MAX_LINES` lines; None where fewer than a third of them are of any one.

    `head` may end inside a line: that line counts only where it is the only one. Blank lines do not count.
    """
    lines = _lines(head)
    votes = Counter(found for line in lines if (found := _format_of(text_of(line))) is not None)
    if not votes:
        return None
    most = max(votes.values())
    if most < len(lines) * MIN_RATIO:
        return None
    tied = [found for found in Format if votes.get(found) == most]
    return _by_name(tied, name.lower())


def is_windows(record: dict[str, Any]) -> bool:
    """Whether a JSON object is an event of Windows (EVTX, NXLog, Winlogbeat, Azure) or of Sysmon for Linux."""
    if "winlog" in record or "event_data" in record:
        return True
    if isinstance(event := record.get("Event"), dict) and "System" in event:
        return True
    if str(record.get("SyslogMessage", "")).startswith("<Event>"):
        return True
    has_id = "EventID" in record or "event_id" in record or "EventId" in record
    return has_id and not (_IS_WINDOWS.isdisjoint(record) and _PLACES.isdisjoint(record))


def is_access(text: str) -> bool:
    """Whether it looks like a line of a web server's access log."""
    return _ACCESS.match(text) is not None


def _lines(head: bytes) -> list[bytes]:
    lines = head.removeprefix(BOM).split(b"\n")
    if len(lines) > 1:
        lines.pop()
    return [line.rstrip(b"\r") for line in lines if line.strip()][:MAX_LINES]


def _format_of(text: str) -> Format | None:
    if text.lstrip().startswith("{"):
        return _json_format(text)
    if is_access(text):
        return Format.ACCESS
    return Format.SYSLOG if is_syslog(text) else None


def _json_format(text: str) -> Format | None:
    record = object_of(text.encode("utf-8", "replace"))
    if isinstance(record, dict):
        return Format.WINDOWS if is_windows(record) else Format.JSON
    # The head may have cut a long line in two.
    if _CUT_WHOLE.search(text) or (_CUT_ID.search(text) and _CUT_PLACE.search(text)):
        return Format.WINDOWS
    return Format.JSON if re.match(r'\s*\{\s*"', text) else None


def _by_name(tied: list[Format], name: str) -> Format:
    for found, parts in _NAMES:
        if found in tied and any(part in name for part in parts):
            return found
    return tied[0]
