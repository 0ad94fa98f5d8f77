"""Blocks as the kernels take them, from whatever a caller has."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kith import _core
from kith._arguments import INT32_MAX, integer

_FIELDS = ("num_dst", "num_src", "indptr", "indices")


class CheckedBlock:
    """A bipartite graph whose ids are known to be in range. Make one with `as_block` or
    `block_from_edge_index`.

    The sources of destination v are indices[indptr[v]:indptr[v + 1]], int32. The arrays must not change while
    it is in use: the kernels trust them.
    """

    def __init__(
        self,
        num_dst: int,
        num_src: int,
        indptr: npt.NDArray[np.int32],
        indices: npt.NDArray[np.int32],
        edge_order: Tensor | None = None,
    ) -> None:
        if indptr.shape != (num_dst + 1,):
            raise ValueError(f"block: indptr must have num_dst + 1 = {num_dst + 1} values, got {indptr.shape}")
        self.num_dst, self.num_src = num_dst, num_src
        self.indptr, self.indices = indptr, indices
        self.edge_order = edge_order
        """[E] position in the edge_index of each edge here; None: the edges came in this order."""
        self._handle = _core.ArrayBlock(num_src, indptr, indices)

    @property
    def num_edges(self) -> int:
        return self.indices.size

    @cached_property
    def sources(self) -> Tensor:
        """[E] int32: the source of each edge."""
        # torch warns of read-only memory, which a dataset's own adjacency is.
        return torch.from_numpy(self.indices if self.indices.flags.writeable else self.indices.copy())

    @cached_property
    def destinations(self) -> Tensor:
        """[E] int32: the destination of each edge."""
        rows = np.arange(self.num_dst, dtype=np.int32)
        return torch.from_numpy(np.repeat(rows, np.diff(self.indptr)))

    def __repr__(self) -> str:
        return f"CheckedBlock(num_dst={self.num_dst}, num_src={self.num_src}, num_edges={self.num_edges})"


def as_block(block: Any) -> CheckedBlock:
    """A `kith.Block`, or anything with its fields (arrays or CPU tensors), checked; a CheckedBlock as it is.

    Reads contiguous int32 fields in place and converts other integers. Every function and layer here calls it,
    so call it yourself only to check once what you use many times. Raises ValueError if a field is missing or
    an id out of range.
    """
    if isinstance(block, CheckedBlock):
        return block
    missing = [name for name in _FIELDS if not hasattr(block, name)]
    if missing:
        raise ValueError(
            f"block must have num_dst, num_src, indptr and indices, as kith.Block has; "
            f"{type(block).__name__} lacks {', '.join(missing)} (from an edge_index: block_from_edge_index)"
        )
    num_dst = integer("block.num_dst", block.num_dst, 0, INT32_MAX - 1)
    num_src = integer("block.num_src", block.num_src, 0)
    indptr = _int32("block.indptr", block.indptr)
    return CheckedBlock(num_dst, num_src, indptr, _int32("block.indices", block.indices))


def block_from_edge_index(edge_index: Tensor, num_src: int, num_dst: int | None = None) -> CheckedBlock:
    """PyG's edge_index [2, E] (row 0 the sources, row 1 the destinations) as a block. num_dst: None = num_src.

    Costs a stable sort of the edges by destination, unless they are sorted already; a layer that is given an
    edge_index does this in every call. Raises ValueError for ids out of range.
    """
    num_src = integer("num_src", num_src, 0)
    num_dst = num_src if num_dst is None else integer("num_dst", num_dst, 0, INT32_MAX - 1)
    check_cpu("edge_index", edge_index)
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"edge_index must be an int64 tensor [2, E], got {edge_index.dtype} {list(edge_index.shape)}"
        )
    if edge_index.size(1) > INT32_MAX:
        raise ValueError(f"edge_index must have fewer than 2^31 edges, got {edge_index.size(1)}")
    sources, destinations = edge_index.detach()
    if destinations.numel() > 0 and not 0 <= int(destinations.min()) <= int(destinations.max()) < num_dst:
        lowest, highest = int(destinations.min()), int(destinations.max())
        raise ValueError(f"edge_index: destinations must be in [0, {num_dst}), got {lowest} to {highest}")
    order = None
    if (destinations[1:] < destinations[:-1]).any():
        order = torch.sort(destinations, stable=True).indices
        sources = sources[order]
    indptr = np.zeros(num_dst + 1, np.int32)
    np.cumsum(torch.bincount(destinations, minlength=num_dst).numpy(), out=indptr[1:])
    return CheckedBlock(num_dst, num_src, indptr, _int32("edge_index", sources), order)


def check_cpu(name: str, tensor: Any) -> None:
    """Raises ValueError unless `tensor` is a tensor in the CPU's memory."""
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(tensor).__name__}")
    if tensor.device.type != "cpu":
        raise ValueError(
            f"{name} is on {tensor.device}, but kith.torch computes on the CPU only: the CUDA kernels are not "
            f"there yet. Use {name}.cpu()"
        )


def _int32(name: str, values: Any) -> npt.NDArray[np.int32]:
    """One row of integers as a contiguous int32 array: in place if it is one."""
    if isinstance(values, Tensor):
        check_cpu(name, values)
        values = values.detach().numpy()
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers in one dimension, got {array.dtype} {array.shape}")
    if array.dtype != np.int32:
        limits = np.iinfo(np.int32)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise ValueError(f"{name} must fit 32 bits, got {array.min()} to {array.max()}")
    return np.ascontiguousarray(array, dtype=np.int32)
