"""The compiler as seen from outside: child processes which turn Sigma documents into rules."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from amagasa.adapters.content.children import DOCUMENT_TIMEOUT_S, Children, Progress
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Compiled
from amagasa.detect.sigma.text import Placeholders

# Not the document's fault alone: a machine under load is slow too. So it is not cached, and tried again next time.
DIED: Final = "AMG-RULE-030"
WHY_DIED: Final = f"the compiler died over this document, or took longer than {DOCUMENT_TIMEOUT_S:.0f} s"
_DIED: Final = Compiled(faults=(RuleFault(rule_id="", path="", why=WHY_DIED, code=DIED),))
_ANSWER: Final = msgspec.msgpack.Decoder(tuple[Compiled, ...])


class Compiler:
    """Child processes which compile; they start with the first document and stay until `close`.

    Not for use by two threads at once.
    """

    def __init__(self, *, n_processes: int = 1) -> None:
        self._children = Children("amagasa.entry.node.compiler", _ANSWER, _DIED, n_processes=n_processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child processes."""
        self._children.close()

    def warm(self) -> None:
        """Start a child now, so that the first rule does not wait for it."""
        self._children.warm()

    def compile(
        self, texts: Sequence[str], placeholders: Placeholders | None = None, *, progress: Progress | None = None
    ) -> list[Compiled]:
        """For each YAML text what became of it, without a path. Raises WorldError where no child can start."""
        return self._children.ask(texts, placeholders, progress=progress)
