"""Where the fields of an access log's ordinary line stand: the parts into which the native reader cuts it."""

from typing import Final

from amagasa.event.access import ALIASES, GROUPS
from amagasa.event.decode import decode_request
from amagasa.event.places import How, Node, Place, Places
from amagasa.event.record import Value

# In the order of the native reader.
PARTS: Final[tuple[Place, ...]] = tuple(
    (Node.LINE, name)
    for name in (
        *("c_ip", "cs_username", "cs_request", "cs_method", "cs_uri", "cs_uri_stem", "cs_uri_query", "cs_version"),
        *("sc_status", "sc_bytes", "cs_referer", "cs_user_agent"),
    )
)
_URI: Final = (Node.LINE, "cs_uri")
_QUERY: Final = (Node.LINE, "cs_uri_query")


def access_places_of(field: str) -> Places:
    """Where `field` of an ordinary line stands."""
    name = _name_of(field)
    if name == "cs-uri-query":
        return Places(How.EITHER, (_QUERY, _URI))
    if name == "cs-uri-decoded":
        return Places(How.DECODED, (_URI,))
    if name == "_raw" or GROUPS.get(name) == "when":
        return Places(How.UNKNOWN)
    group = GROUPS.get(name)
    return Places(How.PLAIN, () if group is None else ((Node.LINE, group),))


def access_value(field: str, text: str) -> Value:
    """The value of a field as rows hold it, from the text at its last place."""
    name = _name_of(field)
    if name == "cs-uri-decoded":
        return decode_request(text)
    if name == "cs-uri-query":
        _, mark, query = text.partition("?")
        return (query, text) if mark else text
    return text


def _name_of(field: str) -> str:
    return ALIASES.get(field.lower(), field.lower())
