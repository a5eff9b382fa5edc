"""The regression tests of the public rule set: an `info.yml` which names logs, and how often the rule matches in each.

regression_tests_info:
    - name: Positive Detection Test
      type: evtx
      match_count: 1          # at least one where it is left out
      path: regression_data/rules/.../8a2f4b1c.evtx
"""

from msgspec import Struct

from amagasa.detect.lint.tree import Items, Map, Scalar, TreeError, trees_of


class LogTest(Struct, frozen=True, kw_only=True):
    """A log, and how many of its records the rule must match; None for at least one."""

    name: str
    path: str
    n_matches: int | None


def is_info(text: str) -> bool:
    """Whether the text looks like an `info.yml`."""
    return "\nregression_tests_info:" in text


def log_tests(text: str) -> tuple[LogTest, ...]:
    """The tests of an `info.yml`; () where it is none."""
    try:
        trees = trees_of(text)
    except TreeError:
        return ()
    listed = trees[0].get("regression_tests_info") if trees and isinstance(trees[0], Map) else None
    found = []
    for item in listed.items if isinstance(listed, Items) else ():
        path = item.get("path") if isinstance(item, Map) else None
        if not isinstance(item, Map) or not isinstance(path, Scalar) or not path.text:
            continue
        name, count = item.get("name"), item.get("match_count")
        wanted = count.value if isinstance(count, Scalar) else None
        is_count = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0
        n_matches = int(wanted) if is_count and wanted is not None else None
        found.append(LogTest(name=name.text if isinstance(name, Scalar) else "", path=path.text, n_matches=n_matches))
    return tuple(found)
