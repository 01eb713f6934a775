"""Copies of a training's state in host memory, taken while training stands still for a moment."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class HostCopy:
    """Copies trees of tensors to host memory that is allocated once and used again.

    After `take` returns, the copy shares nothing with the original: training may overwrite every
    tensor in place. The next `take` overwrites the copy, so whoever writes it has to be done.
    """

    def __init__(self) -> None:
        self._buffers: list[Tensor] = []

    def take(self, tree: object) -> object:
        """Return the same tree of dicts, lists and tuples with every tensor copied to the host."""
        sources: list[Tensor] = []
        _collect(tree, sources)
        self._fit(sources)
        with torch.no_grad():
            if self._buffers:
                torch._foreach_copy_(self._buffers, sources, non_blocking=_on_device(sources))
        if _on_device(sources):
            torch.cuda.synchronize()
        return _rebuild(tree, iter(self._buffers))

    def _fit(self, sources: list[Tensor]) -> None:
        same = len(sources) == len(self._buffers) and all(
            buffer.shape == source.shape and buffer.dtype == source.dtype
            for buffer, source in zip(self._buffers, sources, strict=True)
        )
        if not same:
            pinned = _on_device(sources)
            self._buffers = [
                torch.empty(source.shape, dtype=source.dtype, device="cpu", pin_memory=pinned)
                for source in sources
            ]


def _on_device(tensors: Iterable[Tensor]) -> bool:
    return any(tensor.is_cuda for tensor in tensors)


def _collect(tree: Any, found: list[Tensor]) -> None:
    match tree:
        case Tensor():
            found.append(tree.detach())
        case dict():
            for value in tree.values():
                _collect(value, found)
        case list() | tuple():
            for value in tree:
                _collect(value, found)


def _rebuild(tree: Any, buffers: Any) -> Any:
    match tree:
        case Tensor():
            return next(buffers)
        case dict():
            return {key: _rebuild(value, buffers) for key, value in tree.items()}
        case list():
            return [_rebuild(value, buffers) for value in tree]
        case tuple():
            return tuple(_rebuild(value, buffers) for value in tree)
        case _:
            return tree
