"""`amagasa agreement amend` and `revoke`, and how agreements, amendments and trials are shown."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from amagasa.app.agreement_life import Revoked, amend, revoke_by_file, revoke_own
from amagasa.app.agreements import Examined, load_book
from amagasa.entry.cli.options import client_of
from amagasa.entry.cli.output import Output as Form
from amagasa.entry.cli.output import say, write_json, write_rows
from amagasa.entry.node.clock import SystemClock
from amagasa.entry.wiring import agreement_files
from amagasa.share.agreement import Agreement
from amagasa.share.form import digest
from amagasa.share.rendering import difference, render
from amagasa.share.rendering_html import to_html
from amagasa.share.signing import SignedAgreement
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

COLUMNS = ("outcome", "object_type", "clause", "n", "n_bytes", "why")
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The node's folder.")]


def life(app: typer.Typer) -> None:
    """Add the commands to those of `amagasa agreement`."""
    app.command("amend")(amend_command)
    app.command("revoke")(revoke_command)


def amend_command(
    node: Folder,
    *,
    agreement: Annotated[str, typer.Option("--agreement", help="Its identifier, where there are several.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
) -> None:
    """Write the next version as TOML to edit: both sign it, and it takes the place of the version it names."""
    files = agreement_files()
    text = amend(files, node, agreement)
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    if files.exists(output):
        raise BadInputError("AMG-FILE-EXISTS", f"{output} is there already", then="name another file")
    files.write(output, text.encode())
    say(f"written: {output}; edit it, then: amagasa agreement check {output} --node {node}")


def revoke_command(
    node: Folder,
    which: Annotated[str, typer.Argument(metavar="AGREEMENT|FILE", help="Its identifier; or an ally's revocation.")],
    *,
    why: Annotated[str, typer.Option("--why", help="The reason, which the ally reads.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Revoke without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """End an agreement at once by this party's word, or take in the ally's. Nothing crosses from then on."""
    files = agreement_files()
    file = Path(which)
    if files.exists(file):
        _told(node, revoke_by_file(files, node, file), as_json=as_json)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise BadInputError("AMG-AGREEMENT-YES", "a revocation wants a clear yes", expected="--yes, or a person")
        if not typer.confirm(f"Revoke {show(which)} now?", err=True):
            raise BadInputError("AMG-AGREEMENT-NO", "not revoked, as you said")
    _told(node, revoke_own(files, node, which, why=why, now=SystemClock().now()), as_json=as_json)


def _told(node: Path, done: Revoked, *, as_json: bool) -> None:
    word = done.revocation
    file = node / "agreements" / done.name
    if as_json:
        write_json(
            {
                "agreement": word.agreement,
                "version": done.agreement.version,
                "party": word.party,
                "revoked_at": to_rfc3339(word.revoked_at),
                "why": word.why,
                "file": str(file),
            }
        )
        return
    name = next((show(party.name) for party in done.agreement.parties if party.id == word.party), "?")
    say(f"revoked by {name} at {to_rfc3339(word.revoked_at)}: nothing crosses under it from now on")
    say(f"hand it to the other side: {file}")


def show_found(found: Examined, *, html: Path | None, is_shown: bool) -> None:
    """The agreement side by side, and as a page where asked; nothing where it could not be read."""
    files = agreement_files()
    if found.agreement is None:
        return
    if html is not None:
        if files.exists(html):
            raise BadInputError("AMG-FILE-EXISTS", f"{html} is there already", then="name another file")
        files.write(html, to_html(found.signed or SignedAgreement(agreement=found.agreement)).encode())
        say(f"written: {html}")
    if is_shown:
        _side_by_side(found.agreement)
        sys.stdout.write(f"SHA-256 {digest(found.agreement)}\n")


def _side_by_side(agreement: Agreement) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, expand=True, padding=(0, 2, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for article in render(agreement):
        english, japanese = (escape(text) for text in article.title)
        table.add_row(f"[bold]{article.number}. {english}[/]", f"[bold]第{article.number}条 {japanese}[/]")
        for line in article.lines:
            table.add_row(*(escape(text) for text in line))
        table.add_row("", "")
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def print_changes(node: Path, agreement: Agreement, lang: str) -> None:
    """What an amendment changes of the version which it names, where the node has that."""
    if not agreement.amends:
        return
    known = [entry.agreement for entry in load_book(agreement_files(), node).entries if entry.agreement is not None]
    before = next((one for one in known if digest(one) == agreement.amends), None)
    for sign, line in difference(before, agreement) if before is not None else ():
        sys.stdout.write(f"  {sign} {line[1 if lang == 'ja' else 0]}\n")


def try_on(node: Path, data: bytes, days: int) -> dict[str, Any]:
    """What the node says of the draft."""
    with client_of(node) as client:
        tried: dict[str, Any] = client.post(
            "/api/agreements/drafts", {"text": data.decode("utf-8", "replace"), "days": days}
        )
    return tried


def print_trial(tried: dict[str, Any], lang: str) -> None:
    """What the draft changes, and what it would have let go."""
    for line in tried["changes"]:
        sys.stdout.write(f"  {line['sign']} {line['ja' if lang == 'ja' else 'en']}\n")
    trial = tried["trial"]
    if trial is None:
        return
    cut = " (the newest of more)" if trial["is_cut"] else ""
    sys.stdout.write(
        f"since {trial['since']}: {trial['n_alerts']} alerts and {trial['n_incidents']} incidents{cut}"
        f" would have made {trial['n_objects']} objects\n"
    )
    write_rows(trial["rows"], COLUMNS, Form.TABLE, empty="nothing would have been told")
