from amagasa.entry.cli.source_settings import without_source

SETTINGS = """# mine
[node]
name = "Japan"

[[source]]
name = "web"  # the ministry's
path = "/var/log/web.log"

[[source]] # the base
name = "base"
path = "/var/log/[base].log"
# [a comment]

[limits]
chunk_bytes = 4096
"""


def test_source_taken_out_leaves_every_other_line_as_it_is() -> None:
    left = without_source(SETTINGS, "web")
    assert left == SETTINGS.replace('[[source]]\nname = "web"  # the ministry\'s\npath = "/var/log/web.log"\n\n', "")


def test_source_with_a_comment_behind_its_header_is_found() -> None:
    left = without_source(SETTINGS, "base")
    assert "base" not in left.replace("# the base", "")
    assert left.endswith("[limits]\nchunk_bytes = 4096\n")
    assert 'name = "web"' in left


def test_source_of_no_such_name_changes_nothing() -> None:
    assert without_source(SETTINGS, "other") == SETTINGS
