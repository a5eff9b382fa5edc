"""`amagasa agreement`: draft, check, sign and show the agreements of a node."""

import sys
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from amagasa.app.agreement_book import AgreementBook, Entry, State
from amagasa.app.agreements import Examined, Signing, draft, examine, load_book, prepare, sign
from amagasa.entry.cli.agreement_life import life, print_changes, print_trial, show_found, try_on
from amagasa.entry.cli.output import Output, say, write_json, write_rows
from amagasa.entry.node.clock import SystemClock
from amagasa.entry.wiring import agreement_files
from amagasa.share.agreement import Agreement
from amagasa.share.form import digest, schema
from amagasa.share.problem import Problem
from amagasa.share.words import clause_in_words, parties_in_words, sentence, tell
from amagasa.vocab.errors import EXIT_FINDINGS, EXIT_USAGE, BadInputError
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.text import show

app = typer.Typer()
life(app)
YEAR: Final = timedelta(days=365)
COLUMNS: Final = ("file", "title", "ally", "version", "state", "valid_from", "valid_until", "problem")
EMPTY: Final = "no agreements in this node: begin with amagasa agreement draft"


class Lang(StrEnum):
    """Language of clauses and problems."""

    EN = "en"
    JA = "ja"


AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
InLanguage = Annotated[Lang, typer.Option("--lang", help="Language of clauses and problems.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The node's folder.")]


@app.command("draft")
def draft_command(
    *,
    supported: Annotated[Path, typer.Option(help="Card (party.json) of the party under the umbrella.")],
    supporting: Annotated[Path, typer.Option(help="Card of the party which extends it.")],
    begin: Annotated[str | None, typer.Option("--from", metavar="DATE", help="In force from; now if absent.")] = None,
    end: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Until; a year if absent.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
) -> None:
    """Write a first agreement as TOML with comments, from the cards of the two parties."""
    files = agreement_files()
    valid_from_at = _instant("--from", begin) if begin else SystemClock().now().replace(second=0, microsecond=0)
    valid_until_at = _instant("--until", end) if end else valid_from_at + YEAR
    text = draft(files, supported, supporting, valid_from_at=valid_from_at, valid_until_at=valid_until_at)
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    if files.exists(output):
        raise BadInputError("AMG-FILE-EXISTS", f"{output} is there already", then="name another file")
    files.write(output, text.encode())
    say(f"written: {output}; edit it, then: amagasa agreement check {output}")


@app.command("check")
def check_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A draft (TOML) or a signed agreement (JSON).")],
    *,
    node: Annotated[Path | None, typer.Option("--node", "-n", help="Try it on what this node keeps.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Over so many days, with --node.")] = 30,
    lang: InLanguage = Lang.EN,
    as_json: AsJson = False,
) -> None:
    """Say each clause in words, and what is wrong or missing. Exit 1 with faults, 2 where it cannot be read.

    With --node also what it changes, and what it would have let go of the last days.
    """
    data = agreement_files().read(file, what="the agreement")
    found = examine(data, now=SystemClock().now())
    tried = try_on(node, data, days) if node is not None and not found.faults else None
    if as_json:
        write_json(
            _document(found, lang) | ({} if tried is None else {"changes": tried["changes"], "trial": tried["trial"]})
        )
    else:
        _print(found, lang)
        if tried is not None:
            print_trial(tried, lang)
    _end(found)


@app.command("sign")
def sign_command(
    node: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The draft, or what the ally signed.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    lang: InLanguage = Lang.EN,
    as_json: AsJson = False,
) -> None:
    """Sign with this node's key; once both have signed, put the agreement into the node."""
    files, now = agreement_files(), SystemClock().now()
    prepared = prepare(files, node, file, now=now)
    if not as_json:
        _print_terms(prepared.signed.agreement, lang)
        print_changes(node, prepared.signed.agreement, lang)
    if not prepared.is_signed and not yes:
        _ask(prepared)
    outcome = sign(files, node, prepared, now=now)
    if as_json:
        missing = list(outcome.missing)
        write_json({"file": str(outcome.target), "missing": missing, "installed": outcome.installed or None})
    elif outcome.installed:
        say(f"signed by both and in the node: agreements/{outcome.installed}; a running node takes it up at once")
    else:
        say(f"signed: {outcome.target}; hand it to {', '.join(show(name) for name in outcome.missing)}")


@app.command("show")
def show_command(
    path: Annotated[Path, typer.Argument(metavar="DIR|FILE", help="A node's folder, or a file.")] = Path(),
    *,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page to print.")] = None,
    lang: InLanguage = Lang.EN,
    as_json: AsJson = False,
) -> None:
    """List a node's agreements and how each stands, or show one, English and Japanese side by side.

    With --html also as a page to print. Exit 1 where one is faulty.
    """
    if not path.is_dir():
        found = examine(agreement_files().read(path, what="the agreement"), now=SystemClock().now())
        show_found(found, html=html, is_shown=not as_json)
        if as_json:
            write_json(_document(found, lang))
        else:
            _print_rest(found, lang)
        _end(found)
        return
    if html is not None:
        raise BadInputError("AMG-USAGE", "--html wants one agreement", expected="its file", got=str(path))
    book = load_book(agreement_files(), path)
    now = SystemClock().now()
    rows = [_row(entry, book, now, lang) for entry in book.entries]
    write_rows(rows, COLUMNS, Output.JSON if as_json else Output.TABLE, empty=EMPTY)
    if book.faulty:
        raise typer.Exit(EXIT_FINDINGS)


@app.command("schema")
def schema_command() -> None:
    """Write the JSON Schema of an agreement's terms, as they stand in a signed file."""
    sys.stdout.buffer.write(schema())
    sys.stdout.buffer.flush()


def _instant(option: str, text: str) -> datetime:
    try:
        if len(text) == len("2026-12-01"):
            return datetime.combine(date.fromisoformat(text), time(0, tzinfo=UTC))
        return from_rfc3339(text).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise BadInputError(
            "AMG-AGREEMENT-DATE",
            f"{option} is no date",
            expected="2026-12-01, or 2026-12-01T09:00:00+09:00",
            got=text,
            then="nothing was drafted",
        ) from error


def _ask(prepared: Signing) -> None:
    if not sys.stdin.isatty():
        raise BadInputError(
            "AMG-AGREEMENT-YES",
            "a signature wants a clear yes",
            expected="--yes, or a person at the terminal",
            then="nothing was signed",
        )
    if not typer.confirm(f"Sign this as {show(prepared.us.name)}?", err=True):
        raise BadInputError("AMG-AGREEMENT-NO", "not signed, as you said")


def _end(found: Examined) -> None:
    if found.faults:
        raise typer.Exit(EXIT_USAGE if found.agreement is None else EXIT_FINDINGS)


def _print(found: Examined, lang: str) -> None:
    if found.agreement is not None:
        _print_terms(found.agreement, lang)
    _print_rest(found, lang)


def _print_rest(found: Examined, lang: str) -> None:
    """Who signed, and what is wrong or missing."""
    if found.agreement is not None:
        for signature in found.signed.signatures if found.signed else ():
            name = next((party.name for party in found.agreement.parties if party.id == signature.party), "?")
            say_line(f"signed by {show(name)} at {to_rfc3339(signature.signed_at)}")
    for problem in found.problems:
        say_line(tell(problem, lang))
    if not found.problems:
        say_line("問題はありません" if lang == Lang.JA else "no problem found")


def _print_terms(agreement: Agreement, lang: str) -> None:
    say_line(f"{show(agreement.title)} (version {agreement.version})")
    for line in parties_in_words(agreement, lang):
        say_line(f"  {line}")
    say_line(f"  {to_rfc3339(agreement.valid_from_at)} .. {to_rfc3339(agreement.valid_until_at)}")
    for clause in agreement.clauses:
        say_line(f"  {show(clause.id)}: {clause_in_words(clause, agreement, lang)}")
    say_line(f"  SHA-256 {digest(agreement)}")


def say_line(text: str) -> None:
    """One line of the answer, on standard output."""
    sys.stdout.write(text + "\n")


def _problem(problem: Problem, lang: str) -> dict[str, str]:
    words = sentence(problem, lang)
    return {"weight": problem.weight.value, "place": problem.place, "code": problem.code, "text": words}


def _document(found: Examined, lang: str) -> dict[str, Any]:
    problems = [_problem(problem, lang) for problem in found.problems]
    answer: dict[str, Any] = {"ok": not found.faults, "problems": problems}
    agreement = found.agreement
    if agreement is None:
        return answer
    signatures = found.signed.signatures if found.signed else ()
    return {
        **answer,
        "kind": "draft" if found.signed is None else "signed",
        "id": agreement.id,
        "title": agreement.title,
        "version": agreement.version,
        "digest": digest(agreement),
        "valid_from": to_rfc3339(agreement.valid_from_at),
        "valid_until": to_rfc3339(agreement.valid_until_at),
        "parties": [
            {"id": party.id, "name": party.name, "country": party.country, "role": party.role.value}
            for party in agreement.parties
        ],
        "clauses": [
            {"id": clause.id, "giver": clause.giver, "words": clause_in_words(clause, agreement, lang)}
            for clause in agreement.clauses
        ],
        "signatures": [{"party": one.party, "signed_at": to_rfc3339(one.signed_at)} for one in signatures],
    }


def _row(entry: Entry, book: AgreementBook, now: datetime, lang: str) -> dict[str, Any]:
    agreement, state = entry.agreement, entry.state(now)
    row: dict[str, Any] = {"file": entry.name, "state": state.value, "problem": None}
    if state is State.FAULTY:
        row["problem"] = "; ".join(tell(problem, lang) for problem in entry.problems)
    if entry.revoked is not None and agreement is not None:
        name = next((party.name for party in agreement.parties if party.id == entry.revoked.party), "?")
        args = (show(name), to_rfc3339(entry.revoked.revoked_at), show(entry.revoked.why) or "-")
        row["problem"] = sentence(Problem(code="AMG-AGREEMENT-REVOKED", args=args), lang)
    if agreement is not None:
        row |= {
            "title": agreement.title,
            "ally": ", ".join(party.name for party in agreement.parties if party.id != book.party_id),
            "version": agreement.version,
            "valid_from": to_rfc3339(agreement.valid_from_at),
            "valid_until": to_rfc3339(agreement.valid_until_at),
        }
    return row
