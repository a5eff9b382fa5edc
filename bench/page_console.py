"""The figures of bench/console.py as tables of Markdown."""

import json

from page import table


def table_of_console(output: str) -> str:
    """One person, the watchers together, and the page."""
    found = json.loads(output)
    rows = [
        (who, path, one["n"], one["p50"], one["p95"], one["max"], f"{one['bytes'] / 1000:,.0f}")
        for who, answers in (("one person", found["one_ms"]), (f"{found['watchers']} watchers", found["watchers_ms"]))
        for path, one in answers.items()
    ]
    pages = [
        (who, one["n"], one["p50"], one["p95"], one["max"])
        for who, one in (("alone", found["page_ms"]), (f"beside {found['watchers']} watchers", found["busy_page_ms"]))
        if one is not None
    ]
    text = (
        f"{found['alerts']:,} alerts in {found['alerts'] // 10:,} incidents, {found['open']:,} of them open; the "
        f"watchers were told {found['told']:,} times that something changed. Server, watchers and browser share the "
        "machine."
    )
    answers = table(("who", "answer", "n", "p50, ms", "p95", "max", "kB"), rows)
    usable = table(("page usable, empty cache", "n", "p50, ms", "p95", "max"), pages)
    return f"{answers}\n\n{usable}\n\n{text}"
