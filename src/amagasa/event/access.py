r"""Access logs of web servers -> events of Sigma's category webserver (Apache / nginx common and combined).

Fields are Sigma's for web logs, raw as logged (escapes of the log included): `c-ip`, `cs-username`, `date`, `time`
(as logged, not turned to UTC), `cs-method`, `cs-uri`, `cs-uri-stem` (before the first `?`), `cs-uri-query` (after
it), `cs-version`, `sc-status` and `sc-bytes` (numbers), `cs-referer`, `cs-user-agent`, `cs-host` (where a virtual
host leads the line); and our own `cs-request` (the request line), `cs-uri-decoded` (see `event.decode`) and `_raw`
(the whole line). A dash means that the client sent nothing, so the field is missing, as public rules expect
(`cs-referer: null`); an empty text stays empty.

In rows, `cs-uri-query` holds the query and the whole URI, either of which a rule may match: of the 67 public rules for
web servers that ask for it, 50 look for a path there. The event in full shows the query alone.

The route satisfies products apache and nginx too: the format does not tell them apart, and a rule that names one of
them should rather see lines of the other than miss its own. It does not satisfy the *services* apache and nginx:
public rules mean their error logs by it.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from amagasa.event.decode import decode_request
from amagasa.event.lines import lines_of, text_of
from amagasa.event.record import (
    MISSING,
    Chunk,
    Event,
    EventBatch,
    LogSource,
    Normalised,
    Reject,
    Route,
    Row,
    Value,
    Wanted,
)
from amagasa.event.stamps import from_clf
from amagasa.vocab.text import show

WEBSERVER: Final = Route(
    name="webserver",
    sources=(
        LogSource(category="webserver"),
        LogSource(category="webserver", product="apache"),
        LogSource(category="webserver", product="nginx"),
    ),
)
# Names for the same thing in rules for proxies and in W3C's own spelling; all names are compared without case.
ALIASES: Final = {
    "c-useragent": "cs-user-agent",
    "cs(user-agent)": "cs-user-agent",
    "cs-referrer": "cs-referer",
    "cs(referer)": "cs-referer",
    "c-uri": "cs-uri",
    "c-uri-query": "cs-uri-query",
    "c-uri-stem": "cs-uri-stem",
}
# What stands in rows under `cs-uri-query`.
_QUERY_OR_URI: Final = "cs-uri-query or cs-uri"
_NOT_ACCESS: Final = "AMG-EVENT-011"

# Every repetition is possessive, so no text can make matching walk a line twice. The groups' names are those of the
# fields with `_` for `-`; `_wanted_groups` keeps the wanted ones. In text patterns \s and \d would be Unicode's.
_UNQUOTED: Final = r'[^ "\\\n]*+(?:\\[^ \n][^ "\\\n]*+)*+'
_STEM: Final = r'[^ "?\\\n]*+(?:\\[^ \n][^ "?\\\n]*+)*+'
_QUOTED: Final = r'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"'
_METHOD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}+"
_ORDINARY: Final = (
    r"^(?:(?P<c_ip>[0-9A-Za-z_.:%-]++) [^ \n]++ (?P<cs_username>[^ \n]++) \[(?P<when>[^\]\n]{1,40}+)\] "
    rf'"(?P<cs_request>(?P<cs_method>{_METHOD}) (?P<cs_uri>(?P<cs_uri_stem>{_STEM})'
    rf"(?P<cs_uri_query>(?:\?{_UNQUOTED})?+))"
    r' (?P<cs_version>HTTP/[0-9](?:\.[0-9])?+))" (?P<sc_status>[0-9]{3}) (?P<sc_bytes>[0-9]{1,18}+|-)'
    rf"(?P<cs_referer>(?: {_QUOTED})?+)(?P<cs_user_agent>(?: {_QUOTED})?+)(?![^ \n])[^\n]*+$|[^\n]*+$)"
)
_ORDINARY_ONE: Final = re.compile(_ORDINARY, re.MULTILINE)
_STAMP: Final = re.compile(rb'[0-9A-Za-z_.:%-]++ [^ \n\["]++ [^ \n\["]++ \[([^\]\n]{1,40}+)\] "')
# What is left: a virtual host in front, a name with spaces, a broken request, quotes that nobody escaped.
# No group that captures or that may give back stands in a possessive or atomic one: Python before 3.11.5 gets those
# wrong (gh-101955, gh-106052). A look-ahead and a reference to what it found are atomic too.
_ODD: Final = re.compile(
    r'(?=(?P<head>([^\n]*?) ?\[([^\]\n]{1,40}+)\] "))(?P=head)'
    r'(?:([^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+)"|([^\n]*?)"(?= (?:[0-9]{3}|-) (?:[0-9]|-)))'
    r" ([0-9]{3}|-)(?: ([0-9]++|-)(?![^ \n])|(?! [0-9-]))"
    # The second branch: quotes in the referer or the agent that nobody escaped.
    rf'(?:(?:( {_QUOTED})|(?! {_QUOTED}))(?:( {_QUOTED})|(?! {_QUOTED}))(?![^ \n])[^\n]*+|( "[^\n]*+))'
)
_REQUEST: Final = re.compile(rf"({_METHOD}) ([^\n]*?)(?: (HTTP/[0-9](?:\.[0-9])?+))?")
_ADDRESS: Final = re.compile(r"\[?[0-9A-Za-z_.:%-]++\]?,?")


def normalise_access(chunk: Chunk, wanted: Wanted) -> Normalised:
    """Read the chunk once, with one expression that captures the wanted fields only. All names are case-blind."""
    split = lines_of(chunk)
    fields = wanted(WEBSERVER)
    names = tuple(ALIASES.get(field.lower(), field.lower()) for field in fields)
    names = tuple(_QUERY_OR_URI if name == "cs-uri-query" else name for name in names)
    rows, odd = _read_ordinary("\n".join(map(text_of, split.lines)) if split.lines else "", names, split.lines)
    numbers, lines, rejects = split.numbers, split.lines, []
    dropped: set[int] = set()
    for index in odd:
        text = text_of(lines[index])
        found = _read_odd(text)
        if found is None:
            dropped.add(index)
            rejects.append(_not_access(chunk.path, numbers[index], lines[index]))
        else:
            rows[index] = _row(found | {"_raw": text}, names)
    if dropped:
        kept = [index for index in range(len(rows)) if index not in dropped]
        rows = [rows[index] for index in kept]
        lines = [lines[index] for index in kept]
        numbers = [numbers[index] for index in kept]
    batch = EventBatch(
        path=chunk.path,
        format=chunk.format,
        route=WEBSERVER,
        fields=fields,
        rows=rows,
        lines=lines,
        records=numbers,
        read_at=chunk.read_at,
    )
    return Normalised(
        batches=(batch,) if rows else (),
        rejects=(*split.rejects, *rejects),
        n_read=len(rows) + len(rejects) + len(split.rejects),
        n_accepted=len(rows),
    )


def detail_access(line: bytes) -> Event:
    """The whole event of one accepted line."""
    text = text_of(line.rstrip(b"\r\n"))
    event = _ordinary_event(text)
    if event is not None:
        return event
    found = _read_odd(text) or {}
    when = found.pop("when", "")
    fields = {name: value for name, value in found.items() if value is not MISSING}
    return Event(route=WEBSERVER, fields=fields, event_at=_moment(when))


def instant_access(line: bytes) -> datetime | None:
    """When an ordinary line was written, by a tenth of the work of `detail_access`; None where that must tell."""
    match = _STAMP.match(line)
    return _moment(match[1].decode("ascii", "replace")) if match else None


def _read_ordinary(text: str, names: Sequence[str], lines: Sequence[bytes]) -> tuple[list[Row], list[int]]:
    """A row for each line, and the indices of those that need the slower reader (their rows are void)."""
    if not lines:
        return [], []
    asked = {GROUPS[name] for name in names if name in GROUPS}
    pattern, groups = _pattern_of(frozenset(asked | ({"cs_uri", "cs_uri_query"} if _QUERY_OR_URI in names else set())))
    columns = dict(zip(groups, zip(*pattern.findall(text), strict=True), strict=True))
    status = columns["sc_status"]
    odd = [index for index, value in enumerate(status) if not value]
    wide = [_column(name, columns, lines) for name in names]
    rows = list(zip(*wide, strict=True)) if wide else [()] * len(lines)
    return rows, odd


@lru_cache(maxsize=64)
def _pattern_of(groups: frozenset[str]) -> tuple[re.Pattern[str], tuple[str, ...]]:
    kept = groups | {"sc_status", "c_ip"}  # two at least, so that findall gives tuples; no status: no match
    source = re.sub(r"\(\?P<(\w+)>", lambda match: "(" if match[1] in kept else "(?:", _ORDINARY)
    order = tuple(name for name in re.findall(r"\(\?P<(\w+)>", _ORDINARY) if name in kept)
    return re.compile(source, re.MULTILINE), order


def _ordinary_event(text: str) -> Event | None:
    match = _ORDINARY_ONE.match(text)
    if match is None or not match["sc_status"]:
        return None
    fields = {}
    for name, written, form in zip(GROUPS, _PARTS_OF_ALL(match), _FORM_OF_ALL, strict=True):
        value = written if form is None else form(written)
        if value is not MISSING:
            fields[name] = value
    return Event(route=WEBSERVER, fields=fields, event_at=_moment(match["when"]))


def _column(name: str, columns: dict[str, tuple[str, ...]], lines: Sequence[bytes]) -> Sequence[Value]:
    if name == "_raw":
        return [text_of(line) for line in lines]
    group = GROUPS.get(name)
    if name == "when":
        return columns["when"]
    if name == _QUERY_OR_URI:
        return list(map(_query_or_uri, columns["cs_uri_query"], columns["cs_uri"]))
    if group is None:
        return [MISSING] * len(lines)
    form = _FORMS.get(name)
    return columns[group] if form is None else [form(value) for value in columns[group]]


def _read_odd(text: str) -> dict[str, Value] | None:
    match = _ODD.fullmatch(text)
    if match is None:
        return None
    _, prefix, when, quoted, bare, status, n_bytes, referer, agent, both = match.groups()
    if both is not None:
        referer, agent = _split_headers(both)
    client = _read_prefix(prefix)
    if client is None:
        return None
    request = quoted if quoted is not None else bare
    found = {"when": when, **client, "cs-request": request, "cs-referer": _header(referer or "")}
    found |= {"cs-user-agent": _header(agent or ""), "sc-status": _number(status), "sc-bytes": _number(n_bytes or "-")}
    found |= {"date": _date(when), "time": _time(when)}
    if parts := _REQUEST.fullmatch(request):
        stem, mark, query = parts[2].partition("?")
        found |= {"cs-method": parts[1], "cs-uri": parts[2], "cs-uri-stem": stem, "cs-version": parts[3] or MISSING}
        found |= {"cs-uri-query": query if mark else MISSING, "cs-uri-decoded": decode_request(parts[2])}
    return found


def _split_headers(both: str) -> tuple[str, str]:
    """` "referer" "agent"` with quotes inside: the first closing quote before an opening one parts them."""
    referer, mark, agent = both.partition('" "')
    if not mark:
        return both.removesuffix('"') + '"', ""
    return referer + '"', f' "{agent.removesuffix(chr(34))}"'


def _read_prefix(prefix: str) -> dict[str, Value] | None:
    """`[host[:port]] client [ident [user]]`: a virtual host leads where the second word is not the ident's dash."""
    words = prefix.split(" ")
    if words[0].endswith(",") and len(words) > 3:
        words = [words[0].rstrip(","), *words[-2:]]
    if not _ADDRESS.fullmatch(words[0]) or len(words) > 16:
        return None
    host: Value = MISSING
    if len(words) > 3 and words[1] != "-":
        host = re.sub(r":[0-9]{1,5}\Z", "", words[0])
        words = words[1:]
        if not _ADDRESS.fullmatch(words[0]):
            return None
    user = " ".join(words[2:]) if len(words) > 2 else "".join(words[1:])
    return {"c-ip": words[0].strip("[],"), "cs-username": _dash(user or "-"), "cs-host": host}


def _row(found: dict[str, Value], names: Sequence[str]) -> Row:
    uri, query = found.get("cs-uri", MISSING), found.get("cs-uri-query", MISSING)
    both = uri if query is MISSING else (query, uri)
    return tuple(both if name == _QUERY_OR_URI else found.get(name, MISSING) for name in names)


def _not_access(path: str, record: int, line: bytes) -> Reject:
    why = f"not a line of an access log; expected address, time in brackets, request in quotes; got {show(line, 120)}"
    return Reject(path=path, record=record, why=why, code=_NOT_ACCESS)


def _dash(value: str) -> Value:
    return MISSING if value in {"-", '"-"', ""} else value


def _header(value: str) -> Value:
    return MISSING if value in {"", ' "-"'} else value[2:-1]


def _query_or_uri(query: str, uri: str) -> Value:
    return (query[1:], uri) if query else uri


def _query(value: str) -> Value:
    return value[1:] if value else MISSING


def _number(value: str) -> Value:
    return int(value) if value.isdecimal() and len(value) <= 18 else MISSING


# Requests of one second share their stamp.
_moment = lru_cache(maxsize=4_096)(from_clf)


@lru_cache(maxsize=4_096)
def _date(when: str) -> Value:
    moment = _moment(when.partition(" ")[0])
    return f"{moment:%Y-%m-%d}" if moment else MISSING


@lru_cache(maxsize=4_096)
def _time(when: str) -> Value:
    moment = _moment(when.partition(" ")[0])
    return f"{moment:%H:%M:%S}" if moment else MISSING


# Field -> group that it is made from, and how.
GROUPS: Final = {
    "c-ip": "c_ip",
    "cs-username": "cs_username",
    "date": "when",
    "time": "when",
    "cs-method": "cs_method",
    "cs-uri": "cs_uri",
    "cs-uri-stem": "cs_uri_stem",
    "cs-uri-query": "cs_uri_query",
    "cs-uri-decoded": "cs_uri",
    "cs-version": "cs_version",
    "cs-request": "cs_request",
    "sc-status": "sc_status",
    "sc-bytes": "sc_bytes",
    "cs-referer": "cs_referer",
    "cs-user-agent": "cs_user_agent",
}
_FORMS: Final[dict[str, Callable[[str], Any]]] = {
    "cs-username": _dash,
    "date": _date,
    "time": _time,
    "cs-uri-query": _query,
    "cs-uri-decoded": decode_request,
    "sc-status": _number,
    "sc-bytes": _number,
    "cs-referer": _header,
    "cs-user-agent": _header,
}
# All fields of an ordinary line in order: what they are made from, and how.
_PARTS_OF_ALL: Final = itemgetter(*GROUPS.values())
_FORM_OF_ALL: Final = tuple(_FORMS.get(name) for name in GROUPS)
