"""Lines of headers and keys: strings, comments and brackets hide what only looks like one."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.mission.toml_lines import headers_of

TEXT = '''title = "a"  # [no]
text = """
[no]
"" "quoted\\""""
[[asset]]
name = "x"
many = [
  "a", # ]
  ["b"],
]
[asset.inner."with.dot"]
key = 'it''s'
'''.replace("'it''s'", "'[no]'")


def test_headers_and_keys_have_their_lines() -> None:
    tomllib.loads(TEXT)
    found = headers_of(TEXT)
    assert [(one.keys, one.is_item, one.line) for one in found] == [
        ((), False, 1),
        (("asset",), True, 5),
        (("asset", "inner", "with.dot"), False, 11),
    ]
    assert found[0].lines == {"title": 1, "text": 2}
    assert found[1].lines == {"name": 6, "many": 7}
    assert found[2].lines == {"key": 12}


@pytest.mark.parametrize("quotes", ['"""', "'''"])
@pytest.mark.parametrize("inside", ["", "x", "\n", '\\"' * 3, "a\n[b]\n"])
def test_string_over_lines_hides_what_it_holds(quotes: str, inside: str) -> None:
    text = f"a = {quotes}\n{inside}{quotes}\n[b]\n"
    if quotes == '"""' or "\\" not in inside:
        tomllib.loads(text)
    assert headers_of(text)[-1].line == text.count("\n")


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.text(max_size=20), max_size=6))
def test_header_after_any_strings_stands_on_the_last_line(values: list[str]) -> None:
    quoted = [
        '"' + "".join(f"\\U{ord(one):08x}" if ord(one) < 32 or one in '"\\\x7f' else one for one in value) + '"'
        for value in values
        if not any(0xD800 <= ord(one) <= 0xDFFF for one in value)
    ]
    text = "".join(f"k{number} = [{value},\n {value}]\n" for number, value in enumerate(quoted)) + "[last]\n"
    tomllib.loads(text)
    found = headers_of(text)
    assert (found[-1].keys, found[-1].line) == (("last",), 2 * len(quoted) + 1)
