"""The error root. A message says what failed, what was expected, what came and what happens next."""

from typing import Any

from amagasa.vocab.text import show

EXIT_DONE = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_COULD_NOT = 3
EXIT_INTERRUPTED = 130


class AmagasaError(Exception):
    """Something a person must read. `code` is stable (AMG-...), the four parts are plain sentences.

    `got` may hold text from an attacker: it is escaped and cut to 200 characters here, so callers pass it raw.
    """

    exit_code = EXIT_COULD_NOT

    def __init__(self, code: str, what: str, *, expected: str = "", got: str = "", then: str = "") -> None:
        self.code = code
        self.what = what
        self.expected = expected
        self.got = show(got)
        self.then = then
        super().__init__(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross from a child process to its parent, keyword arguments and all."""
        parts = {"expected": self.expected, "got": self.got, "then": self.then}
        return _again, (type(self), self.code, self.what, parts)

    def __str__(self) -> str:
        parts = [self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.got:
            parts.append(f"got {self.got}")
        if self.then:
            parts.append(self.then)
        return f"{'; '.join(parts)} [{self.code}]"


def _again(kind: type[AmagasaError], code: str, what: str, parts: dict[str, str]) -> AmagasaError:
    return kind(code, what, **parts)


class BadInputError(AmagasaError):
    """What was handed in cannot be used; nothing was done (exit 2)."""

    exit_code = EXIT_USAGE


class WorldError(AmagasaError):
    """The world failed: a disk, a port, an ally, a child process (exit 3)."""


class DeniedError(AmagasaError):
    """The actor may not do this (exit 2; HTTP 403)."""

    exit_code = EXIT_USAGE
