"""Error logs of Apache and nginx, alone or behind a header of syslog -> fields.

What nginx adds to an error about a request (`, client: ..., request: "..."`) is read from the end of the message alone.
Nothing there is escaped, so an attacker's path may imitate it: no rule should rest on it alone.

Sources: Apache's `ErrorLogFormat`; nginx, `ngx_http_log_error`.
"""

import re
from typing import Final

from amagasa.event.record import LogSource, Route, Value

APACHE: Final = Route(name="apache/error", sources=(LogSource(product="apache", service="apache"),))
NGINX: Final = Route(name="nginx/error", sources=(LogSource(product="nginx", service="nginx"),))

_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
_APACHE_LINE: Final = re.compile(
    rf"\[(?P<stamp>[A-Z][a-z]{{2}} {_MONTH} {{1,2}}[0-9]{{1,2}} {_CLOCK} [0-9]{{4}})\] "
    r"\[(?:(?P<module>[a-z0-9_]*):)?(?P<severity>[a-z0-9]+)\] (?:\[pid (?P<pid>[0-9]+)(?::tid [0-9]+)?\] )?"
    r"(?:\[(?:client|remote) (?P<client>[0-9A-Fa-f.:%\[\]]+)\] )?(?P<message>.*)",
    re.DOTALL,
)
_NGINX_LINE: Final = re.compile(
    rf"(?P<stamp>[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}) \[(?P<severity>[a-z]+)\] "
    r"(?P<pid>[0-9]+)#[0-9]+: (?P<message>.*)",
    re.DOTALL,
)
_CLIENT: Final = re.compile(r", client: ([0-9A-Fa-f.:]+)(?=,|\Z)")
_PARTS: Final = re.compile(r', (server|host|upstream|referrer): "?([^",]{1,512})"?(?=,|\Z)')
_REQUEST: Final = re.compile(r', request: "([A-Z]{1,32}) ([^ "]{1,8000})(?: HTTP/[0-9.]+)?"(?=,|\Z)')
_WITHOUT_PORT: Final = re.compile(r"\A([0-9.]+|\[[^\]]+\]):[0-9]{1,5}\Z")
_NAMES: Final = {"host": "cs-host", "referrer": "cs-referer"}
_TAIL_CHARACTERS: Final = 1_024

Said = tuple[Route, dict[str, Value], str]


def of_error_log(text: str) -> Said | None:
    """Route, fields and stamp of a line of either log; None for any other."""
    found = _APACHE_LINE.fullmatch(text)
    if found is None:
        return of_nginx(text)
    fields: dict[str, Value] = {"message": found["message"], "severity": found["severity"]}
    if found["client"]:
        fields["src_ip"] = _WITHOUT_PORT.sub(r"\1", found["client"]).strip("[]")
    if found["pid"]:
        fields["pid"] = found["pid"]
    return APACHE, fields, found["stamp"]


def of_nginx(text: str) -> Said | None:
    """The same of nginx alone."""
    found = _NGINX_LINE.fullmatch(text)
    if found is None:
        return None
    message = found["message"]
    fields: dict[str, Value] = {"message": message, "severity": found["severity"], "pid": found["pid"]}
    tail = message[-_TAIL_CHARACTERS:]
    client = _CLIENT.search(tail)
    if client is None:
        return NGINX, fields, found["stamp"].replace("/", "-")
    fields["src_ip"] = _WITHOUT_PORT.sub(r"\1", client[1]).strip("[]")
    tail = tail[client.start() :]
    for part in _PARTS.finditer(tail):
        fields.setdefault(_NAMES.get(part[1], part[1]), part[2])
    if request := _REQUEST.search(tail):
        fields["cs-method"], fields["c-uri"] = request[1], request[2]
    return NGINX, fields, found["stamp"].replace("/", "-")
