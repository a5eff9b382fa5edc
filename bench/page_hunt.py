"""The figures of bench/hunt.py as a table of Markdown."""

import json

from page import table


def table_of_hunt(output: str) -> str:
    """Each question, beside zstdgrep and duckdb; then what the lake takes."""
    found = json.loads(output)
    rows = [
        (
            one["question"],
            one["found"],
            one["s"],
            f"{one['passed_ratio']:.1%}",
            one.get("zstdgrep_s", ""),
            one.get("duckdb_s", ""),
            one.get("times_zstdgrep", ""),
            one.get("times_duckdb", ""),
        )
        for one in found["questions"]
    ]
    head = ("question", "found", "s", "passed by", "zstdgrep, s", "duckdb, s", "times zstdgrep", "times duckdb")
    text = (
        f"{found['n_records']:,} records, {found['raw_gb']} GB raw; the lake takes {found['lake_ratio']:.2%} of it, "
        f"index included (the file of zstdgrep {found['zst_ratio']:.2%}). Kept at "
        f"{found['keeping_mb_per_s_of_the_reading_thread']:,} MB/s with everything on this one core; the whole chain "
        f"verified in {found['verify_s']} s."
    )
    return table(head, rows) + "\n\n" + text
