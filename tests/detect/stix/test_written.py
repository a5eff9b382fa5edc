"""Trees written as text: with brackets where they are needed. The round trip is proved in test_parse."""

import pytest

from amagasa.detect.stix.parse import Edition, parse
from amagasa.detect.stix.pattern import PatternFault
from amagasa.detect.stix.written import written


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[a:b=1]", "[a:b = 1]"),
        ("(([a:b=1] AND ([a:c=1] OR [a:d=1])))", "[a:b = 1] AND ([a:c = 1] OR [a:d = 1])"),
        ("([a:b=1] AND [a:c=1]) OR [a:d=1]", "[a:b = 1] AND [a:c = 1] OR [a:d = 1]"),
        ("[a:b=1] FOLLOWEDBY ([a:c=1] FOLLOWEDBY [a:d=1])", "[a:b = 1] FOLLOWEDBY ([a:c = 1] FOLLOWEDBY [a:d = 1])"),
        ("[(a:b=1 AND (a:c=1 OR a:d=1))]", "[a:b = 1 AND (a:c = 1 OR a:d = 1)]"),
        ("[a:b.'LIKE'.'x-y'[*] IN ('it\\'s',  h'0F', true)]", "[a:b.'LIKE'.'x-y'[*] IN ('it\\'s', h'0f', true)]"),
        ("([a:b=1]) WITHIN 100000000000000000000.5 SECONDS", "[a:b = 1] WITHIN 100000000000000000000.0 SECONDS"),
        ("[a:b=.0000001]", "[a:b = 0.0000001]"),
        ("([a:b=1] AND [a:c=1]) REPEATS 2 TIMES", "([a:b = 1] AND [a:c = 1]) REPEATS 2 TIMES"),
    ],
)
def test_written_tree_has_the_fewest_brackets(pattern: str, text: str) -> None:
    tree = parse(pattern)
    assert not isinstance(tree, PatternFault)
    assert written(tree) == text
    assert parse(text) == tree


def test_written_time_which_is_none_stays_in_plain_quotes() -> None:
    text = "[a:b = 1] START 'yesterday' STOP t'2026-01-01T00:00:00Z'"
    tree = parse(text, Edition.STIX_2_0)
    assert not isinstance(tree, PatternFault)
    assert written(tree) == text
