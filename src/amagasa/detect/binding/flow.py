"""Observations distributed to those who want them, none more often than it was seen: a flow in a small network."""

from collections.abc import Sequence
from itertools import pairwise


def distribute(
    wanted: Sequence[int], usable: Sequence[Sequence[int]], counts: Sequence[int]
) -> list[dict[int, int]] | None:
    """For each block `wanted[i]` of `usable[i]`, or None where that cannot be; `counts` by observation.

    Observations that the same blocks can use are one node, so the network has as many nodes as there are such sets;
    exact (augmenting paths). The order of `usable` decides who is taken first.
    """
    users: dict[int, int] = {}
    for i, positions in enumerate(usable):
        for position in positions:
            users[position] = users.get(position, 0) | 1 << i
    groups: dict[int, list[int]] = {}
    for position, mask in users.items():
        groups.setdefault(mask, []).append(position)
    network = _Network(list(groups), [sum(counts[position] for position in ones) for ones in groups.values()])
    for i, n in sorted(enumerate(wanted), key=lambda block: len(usable[block[0]])):
        if not network.serve(i, n):
            return None
    return _handed_out(network.given, list(groups.values()), counts, len(wanted))


class _Network:
    """`given[group][block]`: how much of the group the block has."""

    def __init__(self, masks: list[int], capacities: list[int]) -> None:
        self._masks = masks
        self._left = capacities
        self.given: list[dict[int, int]] = [{} for _ in masks]

    def serve(self, block: int, n: int) -> bool:
        """Give the block `n`, taking from others what they can replace; whether that could be done."""
        while n:
            path = self._path(block)
            if path is None:
                return False
            n -= self._augment(path, n)
        return True

    def _path(self, block: int) -> list[tuple[int, int]] | None:
        """Steps (block, group): each takes of its group from the next, and the last group has some left."""
        came: dict[int, tuple[int, int] | None] = {block: None}  # block -> (group it gives up, block that takes it)
        waiting = [block]
        for taker in waiting:
            for group, mask in enumerate(self._masks):
                if not mask >> taker & 1:
                    continue
                if self._left[group]:
                    return self._back(taker, group, came)
                for holder, n in self.given[group].items():
                    if n and holder not in came:
                        came[holder] = (group, taker)
                        waiting.append(holder)
        return None

    def _back(self, taker: int, group: int, came: dict[int, tuple[int, int] | None]) -> list[tuple[int, int]]:
        path = [(taker, group)]
        step = came[taker]
        while step is not None:
            group, taker = step
            path.append((taker, group))
            step = came[taker]
        return path[::-1]

    def _augment(self, path: list[tuple[int, int]], most: int) -> int:
        n = min(most, self._left[path[-1][1]])
        for (_, group), (holder, _) in pairwise(path):
            n = min(n, self.given[group][holder])
        for step, (taker, group) in enumerate(path):
            self.given[group][taker] = self.given[group].get(taker, 0) + n
            if step + 1 < len(path):
                self.given[group][path[step + 1][0]] -= n
        self._left[path[-1][1]] -= n
        return n


def _handed_out(
    given: list[dict[int, int]], groups: list[list[int]], counts: Sequence[int], n_blocks: int
) -> list[dict[int, int]]:
    taken: list[dict[int, int]] = [{} for _ in range(n_blocks)]
    for shares, positions in zip(given, groups, strict=True):
        waiting = [[block, n] for block, n in sorted(shares.items()) if n]
        for position in positions:
            left = counts[position]
            while left and waiting:
                block, wants = waiting[0]
                n = min(left, wants)
                taken[block][position] = taken[block].get(position, 0) + n
                left -= n
                waiting[0][1] -= n
                if not waiting[0][1]:
                    waiting.pop(0)
    return taken
