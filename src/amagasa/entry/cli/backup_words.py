"""What is said of a backup, in the language of its node."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from amagasa.app.backup import LeftOut, Manifest
from amagasa.entry.node.backing_up import Done
from amagasa.entry.settings.tree import Language as Lang
from amagasa.vocab.text import show

__all__ = ["Lang", "left_out_lines", "lines_of", "made_lines", "next_lines"]
_SHOWN: Final = 20
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "made": (
        "written: {0} ({1} files, {2} packed), mode 0600",
        "書き出しました: {0}({1} ファイル、圧縮後 {2})、モード 0600",
    ),
    "sealed": (
        "the keys in it are under the passphrase; all else is in clear: alerts, records, password hashes, node.toml",
        "鍵はパスフレーズで暗号化されています。それ以外(アラート、記録、パスワードのハッシュ、node.toml)は平文です",
    ),
    "clear": (
        "in it, in clear: the keys too: whoever reads this file can sign as this party",
        "鍵も含めてすべて平文です。このファイルを読める人は、この当事者として署名できます",
    ),
    "fault": ("the store says it is damaged: {0}", "保存領域が壊れています: {0}"),
    "left": ("not in the backup: {0}: {1}", "バックアップにありません: {0}: {1}"),
    "more": ("... and {0} more", "ほか {0} 件"),
    "back": (
        "restored: {0}, as it stood at {1}, in {2} ({3} files, {4})",
        "復元しました: {0}、{1} 時点、場所 {2}({3} ファイル、{4})",
    ),
    "next": ("what a person must do now:", "次に人がすること:"),
    "old": (
        "be sure that the old node is off, and stays off: two nodes with one key contradict each other",
        "元のノードが止まっていて、再び動かないことを確かめる(同じ鍵のノードが二つあると矛盾します)",
    ),
    "doctor": ("look at it before it runs: amagasa doctor {0}", "動かす前に調べる: amagasa doctor {0}"),
    "ally": (
        "ask each ally for what came after {1}: what was amended, revoked or retracted since is as it was before",
        "{1} より後のことを各同盟相手に確かめる。その後の改定・失効・撤回は元の状態に戻っています",
    ),
    "ledger": (
        "the ally's head of the record may be newer than yours: see docs/ledger.md",
        "台帳のヘッドは相手のものの方が新しいことがあります: docs/ledger.ja.md",
    ),
    "people": (
        "accounts and passwords are as they were: take away who left since, set anew what was changed since",
        "アカウントとパスワードは当時のままです。その後に去った人を外し、変えたパスワードを設定し直す",
    ),
    "again": (
        "its sources are read on from where it stood: alerts since then come again; what a source lost is not seen",
        "ログ源は当時の続きから読むので、その後のアラートがもう一度出ます。ログ源に残っていないものは見えません",
    ),
    "no-lake": (
        "the records that were kept are not in this backup: a search back finds nothing from before",
        "保存された記録はこのバックアップにありません。以前の記録は検索できません",
    ),
    "outside": (
        "node.toml keeps {2} outside the folder: it stands in {0}/outside; put it there before you start",
        "node.toml は {2} をフォルダーの外に置いています。{0}/outside にあるので、起動前にそこへ移す",
    ),
}


def _say(key: str, lang: Lang, *args: object) -> str:
    return _WORDS[key][lang == "ja"].format(*args)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:,.1f} kB"


def made_lines(done: Done, out: Path, lang: Lang) -> list[str]:
    """Of a backup that was written."""
    size = _size(done.n_bytes)
    lines = [_say("made", lang, show(str(out)), f"{done.n_files:,}", size), _say(done.keys.value, lang)]
    return lines + [_say("fault", lang, show(fault)) for fault in done.faults[:_SHOWN]]


def left_out_lines(left_out: Sequence[LeftOut], lang: Lang) -> list[str]:
    """What is not in it."""
    lines = [_say("left", lang, show(one.name), show(one.why)) for one in left_out[:_SHOWN]]
    return lines + ([_say("more", lang, len(left_out) - _SHOWN)] if len(left_out) > _SHOWN else [])


def lines_of(manifest: Manifest, folder: Path, lang: Lang, *, n_bytes: int) -> list[str]:
    """Of a node that was put back."""
    n_files, size = f"{len(manifest.members):,}", _size(n_bytes)
    return [_say("back", lang, show(manifest.name), show(manifest.made_at), show(str(folder)), n_files, size)]


def next_lines(manifest: Manifest, folder: Path, lang: Lang) -> list[str]:
    """What a backup cannot know: the world went on."""
    outside = [member.name for member in manifest.members if member.name.startswith("outside/")]
    what = ", ".join(
        path
        for path, name in ((manifest.store_path, "outside/store"), (manifest.lake_path, "outside/lake/"))
        if any(one.startswith(name) for one in outside)
    )
    keys = [*(("outside",) if outside else ()), "old", "doctor", "ally", "ledger", "people", "again"]
    keys += [] if manifest.with_lake else ["no-lake"]
    told = (show(str(folder)), show(manifest.made_at), show(what))
    return [_say("next", lang), *(f"  {n}. {_say(key, lang, *told)}" for n, key in enumerate(keys, 1))]
