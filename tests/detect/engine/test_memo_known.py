"""Stored matchers are asked for by name: a store of thousands is never listed for it."""

from collections.abc import Iterator, Mapping

from amagasa.detect.engine.memo import Memo
from tests.detect.cases import plan_for


class Store(Mapping[str, bytes]):
    """Holds nothing, and counts who lists it."""

    n_listed = 0

    def __getitem__(self, key: str) -> bytes:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        self.n_listed += 1
        return iter(())

    def __len__(self) -> int:
        self.n_listed += 1
        return 0


def test_memo_does_not_list_the_stored_matchers() -> None:
    store = Store()
    memo = Memo(plan_for({"s": {"CommandLine|contains": "evil"}, "condition": "s"}), store)
    assert memo.made == {}
    assert store.n_listed == 0
