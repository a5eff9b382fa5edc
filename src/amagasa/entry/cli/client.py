"""The command line's way into a node: the console's own API, over the socket that only the node's owner may open.

Where the node does not run, the same API is mounted in this process on the node's folder, so that each act has one
implementation and one set of permissions.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from amagasa.vocab.errors import AmagasaError, BadInputError, DeniedError, WorldError
from amagasa.vocab.text import show

TIMEOUT_S: Final = 30.0
SOCKET_NAME: Final = "run/node.sock"
_BASE: Final = "http://node"

# Sends (method, path, JSON body or None); raises httpx.HTTPError where nothing answers.
Requester = Callable[[str, str, Any], httpx.Response]


class NodeClient:
    """GET and POST against a node's API, with its errors raised as ours."""

    def __init__(self, request: Requester) -> None:
        self._request = request

    def get(self, path: str) -> Any:
        """The JSON answer. Raises AmagasaError as the node states it."""
        return self._answer("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer to a JSON body."""
        return self._answer("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        """The JSON answer to a JSON body."""
        return self._answer("PUT", path, body)

    def delete(self, path: str) -> Any:
        """The JSON answer, None where it is empty."""
        return self._answer("DELETE", path, None)

    def file(self, path: str) -> httpx.Response:
        """An answer that is no JSON to be read here: its bytes and headers."""
        return self._asked("GET", path, None)

    def _answer(self, method: str, path: str, body: Any) -> Any:
        response = self._asked(method, path, body)
        return response.json() if response.content else None

    def _asked(self, method: str, path: str, body: Any) -> httpx.Response:
        try:
            response = self._request(method, path, body)
        except httpx.HTTPError as problem:
            raise WorldError(
                "AMG-NODE-SILENT",
                "the node does not answer",
                expected="an answer on its socket",
                got=str(problem),
                then="look at what `amagasa serve` printed",
            ) from None
        if response.is_success:
            return response
        raise error_of(response)


def error_of(response: httpx.Response) -> AmagasaError:
    """The error a node answered with, as ours."""
    try:
        told = response.json()
    except ValueError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    return _kind_of(response.status_code)(
        str(told.get("code", f"AMG-HTTP-{response.status_code}")),
        str(told.get("what", f"the node answered {response.status_code}")),
        expected=str(told.get("expected", "")),
        got=str(told.get("got", "")),
        then=str(told.get("then", "")),
    )


@contextmanager
def _socket_in(folder: Path) -> Iterator[str]:
    """The socket's address through the folder's descriptor: a socket's path may have at most 107 bytes."""
    inside = os.open(folder / Path(SOCKET_NAME).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{inside}/{Path(SOCKET_NAME).name}"
    finally:
        os.close(inside)


def is_running(folder: Path) -> bool:
    """Whether a node answers on the socket in this folder."""
    if not (folder / SOCKET_NAME).is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            with _socket_in(folder) as address:
                probe.connect(address)
        except OSError:
            return False
    return True


def _kind_of(status: int) -> type[AmagasaError]:
    if status in {401, 403}:
        return DeniedError
    return WorldError if status >= 500 else BadInputError


def require_node(folder: Path) -> None:
    """Raise BadInputError (AMG-NODE-DIR) where `folder` is no node."""
    if not (folder / "node.toml").is_file():
        raise BadInputError(
            "AMG-NODE-DIR",
            "this is not a node's folder",
            expected="a folder made by `amagasa init`, with a node.toml in it",
            got=show(str(folder)),
            then="name the folder, or make one: amagasa init DIR --name NAME --country CC",
        )


@contextmanager
def connected(folder: Path, mount: Callable[[Path], Any]) -> Iterator[NodeClient]:
    """A client of the node in `folder`; `mount` makes the ASGI application where the node does not run.

    Raises BadInputError (AMG-NODE-DIR) where `folder` is no node.
    """
    require_node(folder)
    if is_running(folder):
        with (
            _socket_in(folder) as address,
            httpx.Client(transport=httpx.HTTPTransport(uds=address), base_url=_BASE, timeout=TIMEOUT_S) as client,
        ):
            yield NodeClient(lambda method, path, body: client.request(method, path, json=body))
        return
    yield NodeClient(_in_process(mount(folder)))


def _in_process(application: Any) -> Requester:
    async def send(method: str, path: str, body: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url=_BASE, timeout=TIMEOUT_S) as client:
            return await client.request(method, path, json=body)

    return lambda method, path, body: asyncio.run(send(method, path, body))
