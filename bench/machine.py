"""On what the figures were taken: cores, memory, kernel, Python and libraries; nothing that names the machine."""

import os
import platform
import sqlite3
import ssl
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("cryptography", "httpx", "hyperscan", "litestar", "msgspec", "orjson", "pysigma", "sqlalchemy", "uvicorn")


def machine() -> dict[str, Any]:
    """JSON values; `load` is the load average of the last minute, other people's work included."""
    return {
        "taken_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION.split(" ")[1],
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: version(name) for name in LIBRARIES},
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
