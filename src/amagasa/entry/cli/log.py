"""The log: lines on standard error. Apart from `output`, so that a command which logs nothing need not load it."""

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog


def log_to_stderr() -> None:
    """Lines on stderr: coloured for a terminal, JSON for a collector."""
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=True) if is_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Said())),
    )


class _Said:
    """Standard error for the log. What cannot be written (its disk is full) is dropped, and the node goes on."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
