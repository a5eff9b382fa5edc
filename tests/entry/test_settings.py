import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.entry.settings.load import is_loopback, load_settings, read_settings, settings_reference
from amagasa.entry.settings.source import SourceFormat
from amagasa.entry.settings.text import LISTS, settings_of, settings_page, written
from amagasa.entry.settings.tree import TABLES, TABLES_JA, Settings, SeverityWord
from amagasa.event.record import Format
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Level, Severity
from amagasa.vocab.tlp import tlp_of_word

ROOT = Path(__file__).resolve().parents[2]


def read(text: str, **environ: str) -> Settings:
    return read_settings(text.encode(), "node.toml", environ)


def refused(text: str, **environ: str) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        read(text, **environ)
    assert caught.value.then
    return caught.value


def code_of(raw: bytes) -> str | None:
    try:
        read_settings(raw, "node.toml", {})
    except BadInputError as error:
        return error.code
    return None


def test_settings_when_empty_are_the_defaults() -> None:
    settings = read("")
    assert settings == Settings()
    assert (settings.console.host, settings.console.port, settings.console.tls) == ("127.0.0.1", 8480, False)
    assert (settings.allies.host, settings.allies.port) == ("127.0.0.1", 8490)
    assert settings.detect.rules == ("builtin",)
    assert settings.source == ()


def test_settings_given_are_read() -> None:
    settings = read("""
        allies = { port = 1, address = "https://umbrella.example:8490" }
        [node]
        name = "日本"
        country = "JP"
        lang = "ja"
        [console]
        port = 9443
        [[source]]
        name = "web"
        path = "/var/log/*.log"
        [[source]]
        name = "base"
        path = "sysmon.json"
        format = "windows"
        enabled = false
        [detect]
        rules = ["builtin", "rules/"]
        min_level = "high"
    """)
    assert settings.node.name == "日本"
    assert settings.console.port == 9443
    assert settings.allies.address == "https://umbrella.example:8490"
    assert [(one.name, one.format, one.enabled) for one in settings.source] == [
        ("web", "auto", True),
        ("base", "windows", False),
    ]
    assert settings.detect.min_level is Level.HIGH


@pytest.mark.parametrize(
    ("text", "near", "line"),
    [
        ("[console]\nprot = 1", "console.port", 2),
        ("[console]\n\n# x\nhosts = 1 # y", "console.host", 4),
        ("[consol]\nport = 1", "[console]", 1),
        ("port = 9000", "port", 1),
        ("[node]\nmin_level = 'low'", "detect.min_level", 2),
        ("[[source]]\nname='a'\npath='b'\n[[source]]\nname='c'\npaht='d'", "source.path", 6),
        ("[limits]\nchunk-bytes = 1", "limits.chunk_bytes", 2),
        ("[node]\n'na\\u202eme' = 1", "node.name", None),
    ],
)
def test_setting_unknown_is_refused_with_the_nearest_and_its_place(text: str, near: str, line: int | None) -> None:
    error = refused(text)
    assert error.code == "AMG-SETTINGS-KEY"
    assert near in error.expected
    assert "node.toml" in error.what
    if line is not None:
        assert f"line {line}" in error.what
    assert error.got.isascii()


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("[console]\nport = 'a'", "console.port", "a whole number from 0 to 65_535"),
        ("[console]\nport = 65536", "console.port", "a whole number from 0 to 65_535"),
        ("[console]\nport = 8480.5", "console.port", "a whole number"),
        ("[console]\nport = true", "console.port", "a whole number"),
        ("[console]\ntls = 'yes'", "console.tls", "true or false"),
        ("[node]\nlang = 'fr'", "node.lang", 'one of "en", "ja"'),
        ("[node]\ncountry = 'Japan'", "node.country", "two capital letters"),
        ("[node]\nname = ''", "node.name", "1 to 100 characters"),
        ("[node]\nid = 'identity--1'", "node.id", "identity--UUID"),
        ("[node]\nname = 1979-05-27T07:32:00Z", "node.name", "1 to 100 characters"),
        ("[detect]\nrules = 'builtin'", "detect.rules", "a list"),
        ("[detect]\nrules = [1]", "detect.rules", "a list"),
        ("[detect]\nmin_level = 'severe'", "detect.min_level", '"informational"'),
        ("[[source]]\nname = 'web'", "source.path", "a path"),
        ("[source]\nname = 'web'\npath = 'x'", "source", "[[source]]"),
        ("source = 1", "source", "[[source]]"),
        ("console = 1", "console", "[console]"),
        ("[[console]]\nport = 1", "console", "[console]"),
        ("[store]\npath = 'a\\u0000'", "store.path", "a path"),
        ('[store]\npath = "a\\u0000"', "store.path", "a path without NUL"),
        ('[[source]]\nname = "a"\npath = "a\\u0000"', "source.path", "a path without NUL"),
    ],
)
def test_setting_of_a_wrong_kind_is_refused_in_plain_words(text: str, name: str, expected: str) -> None:
    if "'a\\u0000'" in text:
        assert read(text).store.path == "a\\u0000"  # a literal string of TOML has no escapes
        return
    error = refused(text)
    assert error.code == "AMG-SETTINGS-VALUE"
    assert error.what.startswith(f"{name} cannot be that (node.toml")
    assert expected in error.expected


@pytest.mark.parametrize(
    "raw", [b"[console", b"a = ", b"\xff\xfe", b"a = 1\na = 2", b"\x00", b"x = 1" + b"#" * 2_000_000]
)
def test_settings_which_are_no_toml_are_refused(raw: bytes) -> None:
    with pytest.raises(BadInputError, match="AMG-SETTINGS-TOML"):
        read_settings(raw, "node.toml", {})


def test_settings_nested_beyond_reason_are_refused() -> None:
    with pytest.raises(BadInputError, match="AMG-SETTINGS-TOML"):
        read_settings(b"a = " + b"[" * 50_000, "node.toml", {})


def test_settings_file_which_is_missing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "node.toml", tmp_path):
        with pytest.raises(BadInputError, match="AMG-SETTINGS-MISSING"):
            load_settings(path, {})


def test_settings_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_bytes(b"\xef\xbb\xbf[console]\r\nport = 1\r\n")
    assert load_settings(tmp_path / "node.toml", {}).console.port == 1


@pytest.mark.parametrize(
    "host", ["198.51.100.7", "::", "192.0.2.1", "umbrella.example", "127.0.0.1.example", "", "localhost."]
)
def test_console_beyond_loopback_without_tls_is_refused(host: str) -> None:
    assert not is_loopback(host)
    if host:
        assert refused(f"[console]\nhost = '{host}'").code == "AMG-SETTINGS-EXPOSED"
        assert read(f"[console]\nhost = '{host}'\ntls = true").console.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_console_on_loopback_needs_no_tls(host: str) -> None:
    assert read(f"[console]\nhost = '{host}'").console.host == host


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example",
        "a.example",
        "https://",
        "https://u:p@a.example",
        "https://a.example/?q=1",
        "https://a.example#f",
        "https://a.example:99999",
        "https://a.example:0",
        "https://a b.example",
        "https://[::1",
        "https://日本.example",
    ],
)
def test_address_which_no_ally_could_use_is_refused(address: str) -> None:
    assert refused(f"[allies]\naddress = '{address}'").code == "AMG-SETTINGS-ADDRESS"


TOKEN_HASH = "0" * 64
KAFKA = "kind='kafka'\ntopics=['a.b']\ngroup='g'"


@pytest.mark.parametrize(
    ("source", "code", "place"),
    [
        ("kind='syslog'\nhost='0.0.0.0'", "AMG-SETTINGS-EXPOSED", "line 4"),
        ("kind='syslog'\nhost='192.0.2.1'\ntransport='udp'", "AMG-SETTINGS-EXPOSED", "line 4"),
        (
            f"kind='http'\nhost='0.0.0.0'\nsenders=['192.0.2.7']\ntoken_sha256='{TOKEN_HASH}'",
            "AMG-SETTINGS-EXPOSED",
            "line 4",
        ),
        ("kind='http'", "AMG-SETTINGS-VALUE", "token_sha256"),
        (f"kind='http'\ntransport='udp'\ntoken_sha256='{TOKEN_HASH}'", "AMG-SETTINGS-VALUE", "line 4"),
        ("kind='http'\ntoken_sha256='secret'", "AMG-SETTINGS-VALUE", "line 4"),
        ("kind='syslog'\nsenders=['here']", "AMG-SETTINGS-VALUE", "line 4"),
        ("kind='syslog'\nclients='who.pem'", "AMG-SETTINGS-VALUE", "line 4"),
        ("kind='pigeon'", "AMG-SETTINGS-VALUE", "line 3"),
        ("kind='nats'\nstream='logs'", "AMG-SETTINGS-VALUE", "source.servers"),
        ("kind='nats'\nservers=['nats://a:4222']", "AMG-SETTINGS-VALUE", "source.stream"),
        ("kind='nats'\nservers=['nats://u:p@a']\nstream='logs'", "AMG-SETTINGS-VALUE", "source.servers"),
        ("kind='kafka'\nservers=['nats://a:4222']\ntopics=['a']\ngroup='g'", "AMG-SETTINGS-VALUE", "source.servers"),
        ("kind='kafka'\nservers=['kafka://a']\ntopics=['a']\ngroup='g'", "AMG-SETTINGS-VALUE", "source.servers"),
        (f"{KAFKA}\nservers=['kafka://a:1', 'tls://a:2']", "AMG-SETTINGS-VALUE", "source.servers"),
        ("kind='kafka'\nservers=['kafka://a:1']\ngroup='g'", "AMG-SETTINGS-VALUE", "source.topics"),
        ("kind='kafka'\nservers=['kafka://a:1']\ngroup='g'\ntopics=['^a.*']", "AMG-SETTINGS-VALUE", "source.topics"),
        ("kind='kafka'\nservers=['kafka://a:1']\ntopics=['a']", "AMG-SETTINGS-VALUE", "source.group"),
        (f"{KAFKA}\nservers=['tls://a:1']\nsasl='PLAIN'", "AMG-SETTINGS-VALUE", "source.sasl"),
        (f"{KAFKA}\nservers=['kafka://a:1']\nsasl='PLAIN'\nsecret_file='s'", "AMG-SETTINGS-VALUE", "source.sasl"),
        (f"{KAFKA}\nservers=['kafka://a:1']\nca_file='s'", "AMG-SETTINGS-VALUE", "source.ca_file"),
        (f"{KAFKA}\nservers=['tls://a:1']\ncert_file='s'", "AMG-SETTINGS-VALUE", "source.cert_file"),
        ("kind='file'", "AMG-SETTINGS-VALUE", "source.path"),
        ("kind='syslog'\n[[source]]\nname='b'\nkind='syslog'\nport=5514", "AMG-SETTINGS-PORT", "line 7"),
    ],
)
def test_received_source_that_cannot_be_is_refused_with_its_place(source: str, code: str, place: str) -> None:
    error = refused(f"[[source]]\nname='a'\n{source}\n")
    assert error.code == code
    assert place in str(error)


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("path='/var/log/a'", "/var/log/a"),
        ("kind='syslog'", "syslog+tcp://127.0.0.1:5514"),
        ("kind='syslog'\ntransport='udp'\nport=514", "syslog+udp://127.0.0.1:514"),
        ("kind='syslog'\ntransport='tls'\nhost='::1'", "syslog+tls://[::1]:6514"),
        ("kind='syslog'\nhost='0.0.0.0'\nsenders=['192.0.2.0/24']", "syslog+tcp://0.0.0.0:5514"),
        ("kind='syslog'\nhost='0.0.0.0'\ntransport='tls'\nclients='a.pem'", "syslog+tls://0.0.0.0:6514"),
        ("kind='nats'\nservers=['nats://a:4222']\nstream='logs'", "nats://a:4222 logs"),
        (f"{KAFKA}\nservers=['tls://a:1', 'tls://b:1']", "tls://a:1, tls://b:1 a.b"),
        (f"kind='http'\ntransport='tls'\ntoken_sha256='{TOKEN_HASH}'", "https://127.0.0.1:8514/records"),
    ],
)
def test_address_of_a_source_says_where_its_records_come_from(source: str, address: str) -> None:
    assert [one.address for one in read(f"[[source]]\nname='a'\n{source}").source] == [address]


def test_sources_of_one_name_are_refused_with_the_place() -> None:
    error = refused("[[source]]\nname='a'\npath='b'\n[[source]]\npath='d'\nname='a'")
    assert error.code == "AMG-SETTINGS-NAME"
    assert "line 6" in error.what


def test_environment_wins_over_the_file() -> None:
    settings = read(
        "[console]\nport = 1",
        AMAGASA_CONSOLE__PORT="9000",
        AMAGASA_NODE__NAME="123",
        AMAGASA_DETECT__RULES='["builtin", "mine/"]',
        AMAGASA_CONSOLE__TLS="true",
        AMAGASA_STORE__PATH="a b",
        AMAGASA_LIMITS__QUEUE_CHUNKS="3",
        AMAGASA_HOME="/ignored",
        PATH="/bin",
    )
    assert settings.console.port == 9000
    assert settings.node.name == "123"
    assert settings.detect.rules == ("builtin", "mine/")
    assert settings.console.tls
    assert settings.store.path == "a b"
    assert settings.limits.queue_chunks == 3


def test_environment_with_a_wrong_value_is_named_in_the_message() -> None:
    error = refused("[console]\nport = 1", AMAGASA_CONSOLE__PORT="none")
    assert error.code == "AMG-SETTINGS-VALUE"
    assert "AMAGASA_CONSOLE__PORT" in error.what


@pytest.mark.parametrize(
    "name", ["AMAGASA_CONSOLE__PROT", "AMAGASA_CONSOL__PORT", "AMAGASA_SOURCE__NAME", "AMAGASA___"]
)
def test_environment_with_an_unknown_setting_is_refused(name: str) -> None:
    error = refused("", **{name: "1"})
    assert error.code == "AMG-SETTINGS-KEY"
    assert name in error.what


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_reference_as_written_is_the_defaults(lang: str) -> None:
    text = settings_reference(lang=lang)
    assert read(text) == Settings()
    for table in TABLES:
        for key in settings_of(table):
            assert f"\n# {key} = " in text


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_reference_with_every_comment_removed_is_the_defaults_and_one_source(lang: str) -> None:
    lines = settings_reference(lang=lang).splitlines()
    text = "\n".join(line.removeprefix("# ") for line in lines if re.match(r"(# )?(\[|[a-z_]+ = )", line))
    settings = read(text)
    assert len(settings.source) == 1
    assert Settings(source=settings.source) == settings


def test_reference_with_values_holds_them_as_they_are() -> None:
    hostile = 'a"b\\c\n[console]\nport = 1 \x7f\x01日本'
    text = settings_reference(
        values={"node.name": hostile, "node.country": "JP", "console.port": 0, "console.tls": True}
    )
    settings = read(text)
    assert settings.node.name == hostile
    assert (settings.node.country, settings.console.port, settings.console.tls) == ("JP", 0, True)
    with pytest.raises(KeyError):
        settings_reference(values={"node.nmae": "x"})
    with pytest.raises(KeyError):
        settings_reference(values={"source.name": "x"})


def test_page_of_settings_is_the_one_in_the_documentation() -> None:
    written_page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written_page == settings_page(), "python -m amagasa.entry.settings.text > docs/settings.md"


def test_every_setting_is_explained_in_both_languages() -> None:
    assert set(TABLES_JA) == set(TABLES) == set(Settings.__struct_fields__)
    for table in TABLES:
        for setting in settings_of(table).values():
            assert setting.said("en").endswith((".", ")"))
            assert setting.said("ja").endswith(("。", ")"))
            assert setting.form


def test_words_of_settings_are_those_of_the_rooms() -> None:
    assert set(get_args(SourceFormat)) == {"auto", *(one.value for one in Format)}
    assert set(get_args(SeverityWord)) == {one.name.lower() for one in Severity if one is not Severity.UNKNOWN}
    words = get_args(get_args(settings_of("share")["default_marking"].hint)[0])
    assert all(tlp_of_word(word) is not None for word in words)
    assert set(TABLES) >= LISTS


@given(st.text())
def test_text_written_as_toml_is_read_back(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert tomllib.loads(f"a = {written(text)}") == {"a": text}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_settings_of_any_bytes_are_read_or_refused(raw: bytes) -> None:
    code = code_of(raw)
    assert code is None or code.startswith("AMG-SETTINGS-")


@given(
    st.sampled_from([*TABLES, "consol"]),
    st.sampled_from(["name", "port", "path", "tls", "rules", "host", "x"]),
    st.one_of(st.integers(), st.text(max_size=10), st.booleans(), st.lists(st.text(max_size=4), max_size=2)),
    st.booleans(),
)
def test_settings_of_any_value_are_read_or_refused(table: str, key: str, value: object, is_list: bool) -> None:  # noqa: FBT001
    header = f"[[{table}]]" if is_list else f"[{table}]"
    try:
        raw = f"{header}\n{key} = {written(value)}".encode()
    except UnicodeEncodeError:
        return
    code = code_of(raw)
    assert code is None or code.startswith("AMG-SETTINGS-")
