"""What the processes of a training tell each other on their hosts: no device has to wait for it."""

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


class Processes:
    """All processes of a training. Every one of them has to make the same calls in the same order."""

    def __init__(self) -> None:
        self._group: dist.ProcessGroup | None = None
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            # On the host, whatever moves gradients.
            group = dist.new_group(backend="gloo")
            assert isinstance(group, dist.ProcessGroup)
            self._group = group

    def sums(self, values: Sequence[float]) -> list[float]:
        """Return the sums of each value over all processes, the same on each of them."""
        return self._reduced(values, dist.ReduceOp.SUM) if self._group else list(values)

    def largest(self, value: int) -> int:
        """Return the largest value of any process."""
        return int(self._reduced([value], dist.ReduceOp.MAX)[0]) if self._group else value

    def gathered(self, value: T) -> list[T]:
        """Return the values of all processes in the order of their ranks."""
        if self._group is None:
            return [value]
        values: list[T | None] = [None] * dist.get_world_size(self._group)
        dist.all_gather_object(values, value, group=self._group)
        return values  # type: ignore[return-value]

    def _reduced(self, values: Sequence[float], operation: "dist.ReduceOp.RedOpType") -> list[float]:
        reduced = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(reduced, op=operation, group=self._group)
        return [float(value) for value in reduced]
