"""Programs of others which tail the same file as the node of bench/ingest.py does, set up to do the nearest.

rsyslog copies the lines into another file: it neither looks nor commits. CrowdSec (out of its package, which need not
be installed) reads them with its parser for web logs and its scenarios for them, pours them into its buckets in memory,
and keeps neither lines nor positions.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from tests.journeys.nodes import children_of, eventually, free_port

DEADLINE_S = 300.0
LOOK_S = 0.1
TICKS = os.sysconf("SC_CLK_TCK")
RSYSLOG = """
global(workDirectory="{home}")
module(load="imfile" mode="inotify")
input(type="imfile" File="{log}" Tag="web" reopenOnTruncate="on")
template(name="raw" type="string" string="%msg%\\n")
action(type="omfile" file="{out}" template="raw" asyncWriting="off" flushOnTXEnd="on")
"""
CROWDSEC = """
common: {{daemonize: false, log_media: stdout, log_level: error, working_dir: "{home}"}}
config_paths:
  config_dir: "{home}/etc"
  data_dir: "{home}/data"
  simulation_path: "{home}/etc/simulation.yaml"
  hub_dir: "{home}/hub"
  index_path: "{home}/hub/.index.json"
  notification_dir: "{home}/etc/notifications"
  plugin_dir: "{home}/plugins"
crowdsec_service: {{acquisition_path: "{home}/etc/acquis.yaml", parser_routines: 1}}
db_config: {{type: sqlite, db_path: "{home}/data/crowdsec.db"}}
api:
  client: {{credentials_path: "{home}/etc/credentials.yaml"}}
  server: {{log_level: error, listen_uri: "127.0.0.1:{port}", profiles_path: "{home}/etc/profiles.yaml"}}
prometheus: {{enabled: true, level: full, listen_addr: 127.0.0.1, listen_port: {metrics}}}
"""
_STAGES = {
    "s00-raw": ("crowdsecurity/syslog-logs",),
    "s01-parse": ("crowdsecurity/apache2-logs",),
    "s02-enrich": ("crowdsecurity/dateparse-enrich", "crowdsecurity/http-logs"),
}
_SCENARIOS = "crowdsecurity/http-[cpbsxgo]*.yaml"
_LIST = re.compile(r"source_url: \S*/(\S+)\s+dest_file: (\S+)")
_READ = re.compile(r'cs_parser_hits_total\{source="[^"]*access.log"[^}]*\} ([0-9.e+]+)')


def rsyslog(home: Path, program: str, lines: list[bytes]) -> dict[str, float]:
    """It tails the file and writes what it read to another."""
    log, out, settings = home / "access.log", home / "out.log", home / "rsyslog.conf"
    log.touch()
    out.touch()
    settings.write_text(RSYSLOG.format(home=home, log=log, out=out), encoding="utf-8")
    command = [program, "-n", "-f", str(settings), "-i", str(home / "pid")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        time.sleep(2.0)
        wanted = sum(map(len, lines))
        found = _timed(child.pid, log, lines, lambda: out.stat().st_size >= wanted)
        child.terminate()
    return found


def crowdsec(home: Path, root: str, lines: list[bytes]) -> dict[str, float]:
    """`root`: where its package was unpacked (`/` where it is installed). It tails, parses and looks."""
    package = Path(root)
    hub, metrics = package / "usr/share/crowdsec/hub", free_port()
    for folder in ("etc/scenarios", "data", "plugins", "etc/notifications"):
        (home / folder).mkdir(parents=True)
    for stage, names in _STAGES.items():
        (home / "etc/parsers" / stage).mkdir(parents=True)
        for name in names:
            shutil.copy(hub / "parsers" / stage / f"{name}.yaml", home / "etc/parsers" / stage)
    for scenario in (hub / "scenarios").glob(_SCENARIOS):
        shutil.copy(scenario, home / "etc/scenarios")
    shutil.copytree(hub, home / "hub")
    shutil.copytree(package / "etc/crowdsec/patterns", home / "etc/patterns")
    for one in (home / "etc/scenarios").iterdir():  # a list has another name in the package than in the scenario
        for source, name in _LIST.findall(one.read_text(encoding="utf-8")):
            shutil.copy(package / "usr/share/crowdsec/data" / source, home / "data" / name)
    for name in ("profiles.yaml", "simulation.yaml"):
        shutil.copy(package / "etc/crowdsec" / name, home / "etc")
    log, settings = home / "access.log", home / "etc/config.yaml"
    log.touch()
    (home / "etc/credentials.yaml").touch()
    (home / "etc/acquis.yaml").write_text(f"filenames: [{log}]\nlabels: {{type: apache2}}\n", encoding="utf-8")
    settings.write_text(CROWDSEC.format(home=home, port=free_port(), metrics=metrics), encoding="utf-8")
    with_settings = ("-c", str(settings))
    subprocess.run(
        [str(package / "usr/bin/cscli"), *with_settings, "machines", "add", "bench", "--auto", "--force"],
        check=True,
        capture_output=True,
    )
    command = [str(package / "usr/bin/crowdsec"), *with_settings]
    with (home / "words").open("wb") as words, subprocess.Popen(command, stdout=words, stderr=words) as child:
        try:
            eventually(lambda: _metrics(metrics) != "", about="CrowdSec is up", deadline_s=DEADLINE_S)
            time.sleep(3.0)
            return _timed(child.pid, log, lines, lambda: _n_read(metrics) >= len(lines))
        finally:
            child.terminate()


def _timed(pid: int, log: Path, lines: list[bytes], is_done: Callable[[], bool]) -> dict[str, float]:
    cpu_s, began = cpu_of_process(pid), time.monotonic()
    with log.open("ab") as stream:
        stream.writelines(lines)
    while not is_done():
        if time.monotonic() - began > DEADLINE_S:
            message = f"the peer has not read all within {DEADLINE_S:.0f} s"
            raise AssertionError(message)
        time.sleep(LOOK_S)
    return {"n": len(lines), "s": time.monotonic() - began, "cpu_s": cpu_of_process(pid) - cpu_s}


def _metrics(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return ""


def _n_read(port: int) -> float:
    return sum(float(one) for one in _READ.findall(_metrics(port)))


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of its children so far."""
    return sum(map(cpu_of_process, [pid, *children_of(pid)]))


def cpu_of_process(pid: int) -> float:
    """Of the process and the children that it waited for."""
    cells = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return sum(map(int, cells[11:15])) / TICKS
