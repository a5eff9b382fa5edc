"""An agreement as one page to print: English and Japanese side by side, no script, nothing loaded from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Final

from amagasa.share.form import digest
from amagasa.share.rendering import render
from amagasa.share.signing import SignedAgreement
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

_STYLE: Final = """
body { font: 11pt/1.5 "Noto Serif CJK JP", "Noto Serif JP", Georgia, serif; color: #111; }
body { margin: 2cm auto; max-width: 24cm; }
h1 { font-size: 16pt; } table { border-collapse: collapse; width: 100%; }
th { text-align: left; padding: 1em .6em .2em; font-size: 12pt; border-bottom: 1px solid #999; }
td { vertical-align: top; padding: .25em .6em; width: 50%; overflow-wrap: anywhere; } tr { break-inside: avoid; }
.digest { font-family: monospace; font-size: 9pt; overflow-wrap: anywhere; }
""".strip()


def to_html(signed: SignedAgreement) -> str:
    """HTML 5. Every text of a party is escaped twice over: for the reader's eyes and for the browser."""
    agreement = signed.agreement
    names = {party.id: show(party.name) for party in agreement.parties}
    title = escape(f"{show(agreement.title)} (version {agreement.version})")
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        "<table>",
        *_rows(signed),
        "</table>",
        f'<p class="digest">SHA-256 {digest(agreement)}</p>',
    ]
    for one in signed.signatures:
        name = escape(names.get(one.party, show(one.party)))
        lines.append(f"<p>{name}, {to_rfc3339(one.signed_at)}</p>")
    return "\n".join([*lines, "</body></html>", ""])


def _rows(signed: SignedAgreement) -> Iterator[str]:
    for article in render(signed.agreement):
        english, japanese = (escape(text) for text in article.title)
        yield f'<tr><th>{article.number}. {english}</th><th lang="ja">第{article.number}条 {japanese}</th></tr>'
        for line in article.lines:
            english, japanese = (escape(text) for text in line)
            yield f'<tr><td>{english}</td><td lang="ja">{japanese}</td></tr>'
