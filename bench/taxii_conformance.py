"""The OASIS TAXII reference server's own tests, against a node of ours, over HTTPS.

    python bench/taxii_conformance.py --medallion CHECKOUT [--python PYTHON]

CHECKOUT is a copy of oasis-open/cti-taxii-server; PYTHON an interpreter that has its requirements and httpx (default:
this one). A node is made in a folder of its own, filled with the checkout's default data by `amagasa taxii load`, and
served; each test module begins with the library filled anew. The tests themselves are run as they are: only how they
reach a server is replaced. Those that look into the reference server's own objects (its configuration, its files) can
say nothing about another server and are left out, by name. Exit 1 where a test fails.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).resolve().parents[1]
INNER: Final = (
    "test_no_config",
    "test_default_taxii_no_taxii_section",
    "test_default_userpass_no_auth_section",
    "test_default_backend_no_backend_section",
    "test_save_to_file",
    "test_status_cleanup",
)
_PLUGIN: Final = """
import os, subprocess, httpx
from medallion.test.base_test import TaxiiTest

class Answer:
    def __init__(self, got):
        self.status_code, self.headers, self.text = got.status_code, got.headers, got.text
        self.content_type = got.headers.get("content-type")
        self._got = got
    @property
    def json(self):
        return self._got.json()

class Client:
    def __init__(self):
        self._line = httpx.Client(base_url=os.environ["NODE_URL"], verify=False)
    def _ask(self, method, address, headers=None, data=None, follow_redirects=False):
        more = {"headers": headers, "content": data, "follow_redirects": follow_redirects}
        return Answer(self._line.request(method, address, **more))
    def get(self, address, **more):
        return self._ask("GET", address, **more)
    def post(self, address, **more):
        return self._ask("POST", address, **more)
    def delete(self, address, **more):
        return self._ask("DELETE", address, **more)

def fill(self, start_threads=True):
    import base64
    subprocess.run(os.environ["NODE_LOAD"].split(" "), check=True, capture_output=True)
    auth = "Basic " + base64.b64encode(b"admin:Password0").decode("ascii")
    kind = "application/taxii+json;version=2.1"
    self.client = Client()
    self.headers = {"Accept": kind, "Authorization": auth}
    self.post_headers = {"Content-Type": kind, **self.headers}

TaxiiTest.setUp = fill
TaxiiTest.tearDown = lambda self: None
"""


def main() -> int:
    """Make a node, run the tests against it, say what they said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medallion", type=Path, required=True)
    parser.add_argument("--python", default=sys.executable)
    asked = parser.parse_args()
    amagasa = str(Path(sys.executable).with_name("amagasa"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        node = folder / "node"
        port = _free_port()
        subprocess.run(
            [amagasa, "init", str(node), "--name", "Library", "--country", "JP", "--console-port", str(port)],
            check=True,
            capture_output=True,
        )
        data = json.loads((asked.medallion / "medallion" / "test" / "data" / "default_data.json").read_bytes())
        document = folder / "document.json"
        document.write_text(json.dumps(data | {"users": {"admin": "Password0"}}), encoding="utf-8")
        (folder / "node_client.py").write_text(_PLUGIN, encoding="utf-8")
        load = [amagasa, "taxii", "load", str(document), "--node", str(node)]
        subprocess.run(load, check=True)
        settings = node / "node.toml"
        told = settings.read_text(encoding="utf-8")
        settings.write_text(told.replace("# tls = false", "tls = true", 1), encoding="utf-8")
        url = f"https://127.0.0.1:{port}"
        with subprocess.Popen([amagasa, "serve", str(node)], stderr=subprocess.DEVNULL) as server:
            try:
                _await(url)
                words = [asked.python, "-m", "pytest", "-q", "-p", "node_client", "medallion/test/test_backends.py"]
                words += ["-p", "no:cacheprovider", "-k", " and ".join(f"not {name}" for name in INNER)]
                path = os.pathsep.join([str(folder), str(asked.medallion.resolve())])
                environment = {**os.environ, "NODE_URL": url, "NODE_LOAD": " ".join(load), "PYTHONPATH": path}
                return subprocess.run(words, cwd=asked.medallion, env=environment, check=False).returncode
            finally:
                server.terminate()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _await(url: str) -> None:
    give_up_at = time.monotonic() + 60
    while True:
        try:
            return httpx.get(f"{url}/healthz", verify=False).raise_for_status().close()  # noqa: S501 - our own node
        except httpx.TransportError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
