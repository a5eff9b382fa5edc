"""The cage in which a dissector runs, from the inside."""

import subprocess
import sys
from pathlib import Path

from amagasa.adapters.source import cage


def inside(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(Path(cage.__file__)), "/bin/sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_cage_holds_no_interface_but_its_own_loopback_or_says_so() -> None:
    ran = inside("cat /proc/net/dev")
    interfaces = [line.partition(":")[0].strip() for line in ran.stdout.splitlines()[2:]]
    assert interfaces == ["lo"] or "sockets are refused by a filter" in ran.stderr


def test_cage_bounds_memory_and_open_files() -> None:
    ran = inside("ulimit -v; ulimit -n; ulimit -t")
    assert ran.stdout.split() == [str(cage.MEMORY_BYTES // 1024), str(cage.OPEN_FILES), str(cage.PROCESSOR_S)]


def test_cage_lets_no_file_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    inside(f"echo text > {tmp_path}/file")
    written = tmp_path / "file"
    assert not written.exists() or written.stat().st_size == 0


def test_cage_hands_on_nothing_of_the_callers_environment() -> None:
    names = {line.partition("=")[0] for line in inside("env").stdout.splitlines()}
    assert names <= {"PATH", "LC_ALL", "TZ", "HOME", "PWD", "OLDPWD", "SHLVL", "_"}


def test_cage_is_not_left_with_more_privileges_than_it_came_with() -> None:
    assert "NoNewPrivs:\t1" in inside("cat /proc/self/status").stdout
