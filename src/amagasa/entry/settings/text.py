"""Settings as text: the commented node.toml which `init` writes, and the page docs/settings.md."""

import json
import textwrap
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from amagasa.entry.settings.tree import TABLES, TABLES_JA

WIDTH: Final = 100
LISTS: Final = frozenset({"source"})  # tables of which there may be many
_HEAD: Final = {
    "en": "Settings of this node. A line that begins with # is a default: remove the # to change it.\n"
    "Every setting can be given by the environment too, e.g. AMAGASA_CONSOLE__PORT=9000.",
    "ja": "このノードの設定。# で始まる行は既定値です。変えるときは # を外してください。\n"
    "環境変数でも指定できます(例: AMAGASA_CONSOLE__PORT=9000)。",
}
_EXAMPLE: Final = {"name": "web", "path": "/var/log/nginx/access.log"}


class Setting(Struct, frozen=True, kw_only=True):
    """One declared setting. `hint` is its annotated type; `default` is `msgspec.NODEFAULT` where it must be given."""

    table: str
    key: str
    hint: Any
    meta: msgspec.Meta
    default: Any

    @property
    def form(self) -> str:
        """What may stand there, in words."""
        return _form_of(self.hint, self.meta)

    def said(self, lang: str) -> str:
        """What it does."""
        extra = self.meta.extra or {}
        return str(extra.get("ja", "")) if lang == "ja" else str(self.meta.description)


def settings_of(table: str) -> dict[str, Setting]:
    """The settings of a table, by key, in the order in which they are declared."""
    struct = TABLES[table]
    hints = get_type_hints(struct, include_extras=True)
    return {
        field.name: Setting(
            table=table,
            key=field.name,
            hint=hints[field.name],
            meta=get_args(hints[field.name])[1],
            default=field.default,
        )
        for field in msgspec.structs.fields(struct)
    }


def settings_reference(*, lang: str = "en", values: Mapping[str, Any] | None = None) -> str:
    """A commented node.toml with every setting: `values` ("node.name": "Japan") as they are, the rest as comments.

    A key of `values` which is no setting, or one of a source, raises KeyError.
    """
    given = dict(values or {})
    lines = _commented(_HEAD[lang])
    for table, struct in TABLES.items():
        is_list = table in LISTS
        about = TABLES_JA[table] if lang == "ja" else str(struct.__doc__)
        header = f"[[{table}]]" if is_list else f"[{table}]"
        lines += ["", *_commented(about), f"# {header}" if is_list else header]
        for setting in settings_of(table).values():
            lines += _commented(f"{setting.said(lang)} {_in_brackets(setting, lang)}".rstrip())
            name = f"{table}.{setting.key}"
            value = given.pop(name, msgspec.NODEFAULT) if not is_list else msgspec.NODEFAULT
            if value is not msgspec.NODEFAULT:
                lines.append(f"{setting.key} = {written(value)}")
            else:
                lines.append(f"# {setting.key} = {written(_shown_default(setting))}")
    if given:
        raise KeyError(", ".join(sorted(given)))
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Written from the declarations in `amagasa.entry.settings.tree`: change them there, then",
        "`python -m amagasa.entry.settings.text > docs/settings.md`.",
        "",
        "A node reads `node.toml` in its folder once, when it starts. A key it does not know is refused, with the",
        "nearest one it knows. Each setting can be given by the environment as well, which wins:",
        "`AMAGASA_CONSOLE__PORT=9000`,",
        '`AMAGASA_DETECT__RULES=\'["builtin", "rules/"]\'`. Paths are relative to the node\'s folder.',
    ]
    for table, struct in TABLES.items():
        lines += ["", f"## [[{table}]]" if table in LISTS else f"## [{table}]", str(struct.__doc__), ""]
        lines += ["| key | default | what it does | what may stand there |", "|---|---|---|---|"]
        for setting in settings_of(table).values():
            default = "must be given" if setting.default is msgspec.NODEFAULT else f"`{written(setting.default)}`"
            cells = (f"`{setting.key}`", default, setting.said("en"), setting.form)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def written(value: Any) -> str:
    """The value as TOML."""
    if isinstance(value, Enum):
        return json.dumps(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return repr(value)


def _shown_default(setting: Setting) -> Any:
    return _EXAMPLE.get(setting.key, setting.default) if setting.table in LISTS else setting.default


def _in_brackets(setting: Setting, lang: str) -> str:
    """The choices, which read the same in every language; other forms in English only."""
    choices = _choices_of(get_args(setting.hint)[0])
    if choices:
        return "(" + " | ".join(choices) + ")"
    return f"({setting.form})" if lang == "en" else ""


def _commented(text: str) -> list[str]:
    return [f"# {line}" for part in text.splitlines() for line in textwrap.wrap(part, WIDTH, break_on_hyphens=False)]


def _choices_of(plain: Any) -> tuple[str, ...]:
    if get_origin(plain) is Literal:
        return tuple(str(choice) for choice in get_args(plain))
    if isinstance(plain, type) and issubclass(plain, Enum):
        return tuple(str(member.value) for member in plain)
    return ()


def _form_of(hint: Any, meta: msgspec.Meta) -> str:
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    form = str((meta.extra or {}).get("form", ""))
    choices = _choices_of(plain)
    if form:
        return form
    if choices:
        return "one of " + ", ".join(f'"{choice}"' for choice in choices)
    if plain is bool:
        return "true or false"
    if plain in {int, float}:
        return f"{'a whole number' if plain is int else 'a number'} from {meta.ge:_} to {meta.le:_}"
    if get_origin(plain) is tuple:
        return 'a list, e.g. ["one", "two"]'
    return "text"


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201 - the page is this module's output when it is run
