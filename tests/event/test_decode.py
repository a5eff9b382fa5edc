"""Requests as the attacked program sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.decode import decode_request


@pytest.mark.parametrize(
    ("logged", "seen"),
    [
        ("/plain", "/plain"),
        ("/a%2e%2e%2fb", "/a../b"),
        ("/a%252e%252e%252fb", "/a../b"),
        ("/a%25252e", "/a."),
        ("/a%2525252e", "/a%2e"),
        ("/a+b?c+d=%2B", "/a+b?c d=+"),
        ("/%c0%ae%c0%ae%c0%af", "/../"),
        ("/%u0027%uff07", "/'\uff07"),
        ("/%ud800", "/?"),
        ("/%ff%fe", "/\ufffd\ufffd"),
        ("/%E5%B0%BC", "/尼"),
        ("/?q=&lt;script&gt;&#39;&#x22;", "/?q=<script>'\""),
        ("/?a=1&lt=5&copy=2", "/?a=1&lt=5&copy=2"),
        ("/?q=%26lt%3Bscript", "/?q=<script"),
        (r"/?q=\"x\"&y=\\z", '/?q="x"&y=\\z'),
        (r"/\x27\x22", "/'\""),
        ("/%00%0d%0aSet-Cookie:", "/\x00\r\nSet-Cookie:"),
        ("/100%", "/100%"),
        ("/%zz%2", "/%zz%2"),
    ],
)
def test_decode_takes_off_every_layer(logged: str, seen: str) -> None:
    assert decode_request(logged) == seen


@given(st.text(max_size=200))
def test_decode_of_any_text_gives_text_that_can_be_written(logged: str) -> None:
    assert isinstance(decode_request(logged), str)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='%+\\&"'), max_size=60))
def test_decode_undoes_full_percent_encoding_twice_over(text: str) -> None:
    once = "".join(f"%{byte:02x}" for byte in text.encode())
    twice = once.replace("%", "%25")
    assert decode_request("/" + once) == "/" + text
    assert decode_request("/" + twice) == "/" + text
