"""What a JSON object carries inside a text: taken out, so that rules see fields and keywords see words.

- journald writes a message that is no plain text as a list of its bytes (`journalctl -o json`);
- Sysmon for Linux writes its event as XML into the journal;
- Microsoft 365 exports put the record as JSON into `AuditData`.
"""

from typing import Any, Final

from amagasa.event.jsonline import object_of
from amagasa.event.windows_layout import fields_of

Record = dict[str, Any]

_MAX_BYTES: Final = 1_048_576


def opened(record: Record) -> Record:
    """The object with what it carries, or the same object where it carries nothing. Doing it twice changes nothing."""
    if "MESSAGE" in record:
        return _journal(record)
    inner = record.get("AuditData")
    if isinstance(inner, str) and inner.lstrip().startswith("{") and "Operation" not in record:
        found = object_of(inner.encode("utf-8", "backslashreplace"))
        return record | found if isinstance(found, dict) else record
    return record


def _journal(record: Record) -> Record:
    message = record["MESSAGE"]
    if isinstance(message, list) and (text := _text_of(message)) is not None:
        record = record | {"MESSAGE": text}
        message = text
    is_sysmon = isinstance(message, str) and message.startswith("<Event>") and "Channel" not in record
    if not is_sysmon or record.get("SYSLOG_IDENTIFIER") != "sysmon":
        return record
    event, _ = fields_of({"SyslogMessage": message})
    event.pop("SyslogMessage", None)
    return record | event


def _text_of(numbers: list[Any]) -> str | None:
    """The bytes as text, those that are no UTF-8 written out; None where the list is not one of bytes."""
    try:
        return bytes(numbers).decode("utf-8", "backslashreplace") if 0 < len(numbers) <= _MAX_BYTES else None
    except (TypeError, ValueError):
        return None
