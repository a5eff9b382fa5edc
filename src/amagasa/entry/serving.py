"""uvicorn as Amagasa runs it."""

from typing import Any

import uvicorn


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the process decides when it ends."""

    def install_signal_handlers(self) -> None:
        """Leave the signals to the process."""

    def capture_signals(self) -> Any:
        """Leave the signals to the process."""
        return _Nothing()


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
