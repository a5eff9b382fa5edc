"""`amagasa content`: rules and indicators of a node; and checking rules in files, without one."""

import ipaddress
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
import typer
from msgspec import Struct

from amagasa.app.content import rule_identity
from amagasa.brief.forms import Form
from amagasa.entry.cli.check import check_command
from amagasa.entry.cli.client import NodeClient, is_running
from amagasa.entry.cli.export_file import Target, Wanted, write_export
from amagasa.entry.cli.lists import holds_rules, indicators_said, keep_file, say_kept, unreadable, with_today
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json
from amagasa.entry.wiring_check import documents_within, rule_texts
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS, BadInputError
from amagasa.vocab.text import show

app = typer.Typer()
app.command("check")(check_command)
COLUMNS = ("kind", "title", "indicators", "origin", "active_since", "trial", "fault", "id")
MAX_RULE_BYTES: Final = 1_048_576
MAX_TOGETHER: Final = 200  # rules of one request
MAX_REQUEST_BYTES: Final = 1_048_576
MAX_REFUSED_SHOWN: Final = 20
WAIT_S: Final = 3.0  # for a node to look with what was added
LOOK_S: Final = 0.05
_PACKED: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
Marking = Annotated[str, typer.Option("--marking", help="TLP 2.0: clear, green, amber, amber+strict, red.")]


@app.command("add")
def add(
    what: Annotated[
        list[str],
        typer.Argument(help="Rules: files, folders, archives, - (stdin); IP addresses; files of indicators."),
    ],
    *,
    share: Annotated[
        bool, typer.Option("--share", help="Offer it to the allies, up to what agreements let out.")
    ] = False,
    marking: Marking = "amber",
    title: Annotated[str, typer.Option("--title", help="What an address is; a rule has its own title.")] = "",
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Add rules or indicators; a running node looks with one within a second, and tells when it does.

    A file of indicators (STIX bundle, MISP export, CSV or plain list, packed or not) is copied into the node, where it
    takes the place of the one of the same name before. It is not shared with allies.

    Exit codes: 0 all are added, 1 some were refused, 2 wrong usage and nothing done, 3 some could not be read.
    """
    to_add = _told_apart(what)
    how = {"share": share, "marking": marking}
    with client_of(node) as client:
        if to_add.is_one:
            item = _add_one(client, to_add, how, node=node, title=title)
            _say_added(item, node=node, as_json=as_json)
            return
        for address in to_add.addresses:
            client.post("/api/content/addresses", {"address": address, "title": title, **how})
        kept = [keep_file(client, node, path) for path in to_add.lists]
        sent = send_rules(client, to_add.rules, how)
    refused = [{"place": place, "why": why} for place, why in (*sent.refused, *to_add.unread)]
    n_addresses = len(to_add.addresses)
    if as_json:
        added = [*(item["id"] for item, _ in kept), *sent.added]
        write_json({"added": added, "n_addresses": n_addresses, "refused": refused})
    else:
        for _, file in kept:
            say_kept(file)
        say(f"added {len(sent.added):,} rules" + (f" and {n_addresses:,} addresses" if n_addresses else ""))
        for one in refused[:MAX_REFUSED_SHOWN]:
            say(f"not added: {show(one['place'])}: {one['why']}")
        if len(refused) > MAX_REFUSED_SHOWN:
            say(f"... and {len(refused) - MAX_REFUSED_SHOWN:,} more: --json lists them")
    raise typer.Exit(EXIT_COULD_NOT if to_add.unread else EXIT_FINDINGS if refused else EXIT_DONE)


@app.command("list")
def list_content(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """Rules and indicators beside the built-in ones, and since when each is looked with."""
    with client_of(node) as client:
        found = client.get("/api/content")
    told = with_today(node, found)
    rows = told if as_json or as_ndjson else [_row(one) for one in told]
    show_list(rows, COLUMNS, form=(as_json, as_ndjson), empty="none beside the built-in rules")


@app.command("lift")
def lift(
    what: Annotated[str, typer.Argument(metavar="ID", help="Of what was put aside, as `content list` shows it.")],
    *,
    node: NodeFolder = HERE,
) -> None:
    """Look again with what an ally sent and was put aside as noise; from now on it is not put aside by itself."""
    with client_of(node) as client:
        client.post(f"/api/content/{quote(what, safe='')}/lift", {})
    say(f"looked with again: {what}")


@app.command("remove")
def remove(
    what: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids; or files, folders, archives of rules.")],
    *,
    node: NodeFolder = HERE,
) -> None:
    """Stop looking for these. What was shared of them stays with the allies."""
    if len(what) == 1 and not Path(what[0]).exists():
        with client_of(node) as client:
            client.delete(f"/api/content/{quote(what[0], safe='')}")
        say(f"removed {what[0]}")
        return
    ids = [one for one in what if not Path(one).exists()]
    paths = [one for one in what if Path(one).exists()]
    ids += [rule_identity(text)[0] for _, text in (_rules_of(paths)[0] if paths else [])]
    with client_of(node) as client:
        removed = [
            one
            for start in range(0, len(ids), MAX_TOGETHER)
            for one in client.post("/api/content/removals", {"ids": ids[start : start + MAX_TOGETHER]})["removed"]
        ]
    n_missing = len(set(ids) - set(removed))
    say(f"removed {len(removed):,}" + (f"; {n_missing:,} were not there" if n_missing else ""))
    raise typer.Exit(EXIT_FINDINGS if n_missing else EXIT_DONE)


class Sent(Struct, frozen=True, kw_only=True):
    """Identifiers of the rules that were added; (place, why) of those that were not."""

    added: list[str]
    refused: list[tuple[str, str]]


def send_rules(client: NodeClient, rules: Sequence[tuple[str, str]], how: dict[str, Any]) -> Sent:
    """Add rules, some hundred at a time."""
    added: list[str] = []
    refused: list[tuple[str, str]] = []
    for part in _parts(rules):
        answer = client.post("/api/content/rules/many", {"texts": [text for _, text in part], **how})
        added += answer["added"]
        for one in answer["refused"]:
            expected = f"expected {one['expected']}; " if one["expected"] else ""
            refused.append((part[one["number"]][0], f"{one['what']}; {expected}got {one['got']} [{one['code']}]"))
    return Sent(added=added, refused=refused)


def _parts(rules: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    part: list[tuple[str, str]] = []
    n_bytes = 0
    for rule in rules:
        size = len(msgspec.json.encode(rule[1]))
        if part and (len(part) >= MAX_TOGETHER or n_bytes + size > MAX_REQUEST_BYTES):
            yield part
            part, n_bytes = [], 0
        part.append(rule)
        n_bytes += size
    if part:
        yield part


class _ToAdd(Struct, frozen=True, kw_only=True):
    """What was named: addresses, files of indicators, (place, text) of rules, (place, why) of what cannot be read."""

    addresses: list[str]
    lists: list[Path]
    rules: list[tuple[str, str]]
    unread: list[tuple[str, str]]

    @property
    def is_one(self) -> bool:
        return len(self.addresses) + len(self.lists) + len(self.rules) == 1 and not self.unread


def _told_apart(what: Sequence[str]) -> _ToAdd:
    addresses: list[str] = []
    lists: list[Path] = []
    named: list[str] = []
    for one in what:
        if _is_address(one):
            addresses.append(one)
        elif _is_list(one):
            lists.append(Path(one))
        else:
            named.append(one)
    rules, unread = _rules_of(named) if named else ([], [])
    return _ToAdd(addresses=addresses, lists=lists, rules=rules, unread=unread)


def _add_one(client: NodeClient, to_add: _ToAdd, how: dict[str, Any], *, node: Path, title: str) -> dict[str, Any]:
    """Add the one thing, and wait a moment for the node to look with it."""
    if to_add.addresses:
        added = client.post("/api/content/addresses", {"address": to_add.addresses[0], "title": title, **how})
    elif to_add.rules:
        added = client.post("/api/content/rules", {"text": to_add.rules[0][1], **how})
    else:
        added, kept = keep_file(client, node, to_add.lists[0])
        say_kept(kept)
    return _once_active(client, added) if is_running(node) else added


def _say_added(added: dict[str, Any], *, node: Path, as_json: bool) -> None:
    if as_json:
        write_json(added)
        return
    say(f"added {added['title']} as {added['id']}")
    if added["fault"]:
        say(f"it cannot run: {added['fault']}")
    elif added["activated_at"]:
        say("the node looks with it now")
    elif is_running(node):
        say("the node does not look with it yet; `amagasa content list` says when it does")


def _once_active(client: NodeClient, added: dict[str, Any]) -> dict[str, Any]:
    """The item once it is looked with or cannot be; as it stands where that takes too long."""
    give_up_at = time.monotonic() + WAIT_S
    while not (added["activated_at"] or added["fault"]) and time.monotonic() < give_up_at:
        time.sleep(LOOK_S)
        added = client.get(f"/api/content/{quote(added['id'], safe='')}")
    return added


def _rules_of(what: Sequence[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(place, text) of the rules, and (place, why) of what of a folder or an archive could not be read.

    Raises BadInputError where something named is not there, or is no text.
    """
    rules: list[tuple[str, str]] = []
    unread: list[tuple[str, str]] = []
    for one in what:
        if one != "-" and (Path(one).is_dir() or one.lower().endswith(_PACKED)):
            found, faults = rule_texts([Path(one)])
            rules += found
            unread += [(fault.path, fault.why) for fault in faults]
        else:
            rules += [(one, text) for text in documents_within(_text_of(one))]
    if not rules and not unread:
        raise BadInputError(
            "AMG-RULES-NONE",
            "there is no rule at these paths",
            expected="Sigma rules: .yml or .yaml, a folder, .zip, .tar or .tar.gz of them",
            got=", ".join(what[:5]),
            then="nothing was done",
        )
    return rules, unread


def _text_of(what: str) -> str:
    try:
        if what == "-":
            return sys.stdin.buffer.read(MAX_RULE_BYTES).decode()
        with Path(what).open(encoding="utf-8-sig") as stream:
            return stream.read(MAX_RULE_BYTES)
    except (OSError, UnicodeDecodeError) as problem:
        raise unreadable(what, problem) from None


def _is_list(what: str) -> bool:
    """Whether this names a file of indicators; folders are of rules, and archives that hold a rule are."""
    path = Path(what)
    if what == "-" or path.is_dir():
        return False
    if what.lower().endswith(_PACKED):
        try:
            return rule_texts([path]) == ([], [])
        except BadInputError:
            return False
    return not holds_rules(path)


def _is_address(what: str) -> bool:
    try:
        ipaddress.ip_address(what)
    except ValueError:
        return False
    return True


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return one | {
        "origin": one["origin"]["name"] or "own",
        "active_since": one["activated_at"],
        "indicators": indicators_said(one["counts"]),
        "trial": one["tried"]["why"] or one["tried"]["stage"] if one["tried"] else "",
    }


@app.command("export")
def export_content(*, form: Wanted = Form.STIX, output: Target = None, node: NodeFolder = HERE) -> None:
    """Write rules and indicators, ours and the allies', as a file for other tools, every object with its marking."""
    with client_of(node) as client:
        write_export(client, "/api/content/export", form, output)
