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
from kith.torch.device import CPU, CudaPlace, Place, place_of, tensor_over

_FIELDS = ("num_dst", "num_src", "indptr", "indices")


class CheckedBlock:
    """A bipartite graph whose ids are known to be in range. Make one with `as_block` or
    `block_from_edge_index`.

    The sources of destination v are indices[indptr[v]:indptr[v + 1]], int32, in host memory. The arrays must
    not change while it is in use: the kernels trust them. Where it is used on a CUDA device a copy of them
    stays there as long as the block, one for each stream that it is used on.
    """

    place: Place = CPU
    device: torch.device | None = None
    """The CUDA device that the arrays came from; None: from host memory, to be used on any device."""
    with_loops: CheckedBlock | None = None
    """The same with one loop a node, once GAT has made it."""
    _given: tuple[Tensor, Tensor] | None = None

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
        self.handle = _core.ArrayBlock(num_src, indptr, indices)

    @property
    def num_edges(self) -> int:
        return self.indices.size

    @cached_property
    def sources(self) -> Tensor:
        """[E] int32: the source of each edge."""
        return tensor_over(self.indices)

    @cached_property
    def destinations(self) -> Tensor:
        """[E] int32: the destination of each edge."""
        rows = np.arange(self.num_dst, dtype=np.int32)
        return torch.from_numpy(np.repeat(rows, np.diff(self.indptr)))

    @property
    def degrees(self) -> Tensor:
        """[num_dst] int32: the number of edges into each destination."""
        return torch.from_numpy(np.diff(self.indptr))

    @property
    def sum_weights(self) -> npt.NDArray[np.float32]:
        """[E] the weights that make the kernels' weighted sum a sum."""
        return np.ones(self.num_edges, np.float32)

    def on(self, place: Place) -> CheckedBlock | BlockOnStream:
        """This block for the operations of a place. Raises ValueError if it came from another device."""
        if place is CPU and self.device is None:
            return self
        self.check_place(place)
        if place not in self._on_streams:
            self._on_streams[place] = BlockOnStream(self, place, self._given)
        return self._on_streams[place]

    def check_place(self, place: Place) -> None:
        """Raises ValueError if the arrays came from another CUDA device."""
        if self.device is not None and self.device != place.device:
            raise ValueError(
                f"the block must be on the device of the tensors, {place.device}, got {self.device}"
            )

    @cached_property
    def _on_streams(self) -> dict[CudaPlace, BlockOnStream]:
        return {}

    def __repr__(self) -> str:
        return f"CheckedBlock(num_dst={self.num_dst}, num_src={self.num_src}, num_edges={self.num_edges})"


class BlockOnStream:
    """A block in the memory of a CUDA device, for the operations of one stream. Its tensors are those of
    CheckedBlock."""

    def __init__(self, block: CheckedBlock, place: CudaPlace, given: tuple[Tensor, Tensor] | None) -> None:
        """given: indptr and indices, if they are there already."""
        self.place = place
        self.num_dst, self.num_src, self.num_edges = block.num_dst, block.num_src, block.num_edges
        self.indptr, self.sources = given or (place.upload(block.indptr), place.upload(block.indices))
        self.edge_order = block.edge_order
        if self.edge_order is not None and given is None:
            self.edge_order = place.upload(self.edge_order.numpy())
        self.handle = block.handle.on_device(place.matrix(self.indptr), place.matrix(self.sources))

    @cached_property
    def destinations(self) -> Tensor:
        rows = torch.arange(self.num_dst, dtype=torch.int32, device=self.indptr.device)
        return torch.repeat_interleave(rows, self.degrees, output_size=self.num_edges)

    @property
    def degrees(self) -> Tensor:
        return self.indptr.diff()

    @cached_property
    def sum_weights(self) -> _core.DeviceArray:
        return self.place.matrix(self.sources.new_ones(self.num_edges, dtype=torch.float32))


def as_block(block: Any) -> CheckedBlock:
    """A `kith.Block`, or anything with its fields (arrays or tensors), checked; a CheckedBlock as it is.

    Reads contiguous int32 fields in place and converts other integers. Fields on a CUDA device are copied to
    the host to be checked, which waits for the device; fields in host memory are copied to a device when they
    are used there, and nothing waits. Every function and layer here calls it, so call it yourself only to check
    (and to bring to a device) once what you use many times. Raises ValueError if a field is missing or an id
    out of range.
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
    indptr, given_indptr = _int32("block.indptr", block.indptr)
    indices, given_indices = _int32("block.indices", block.indices)
    checked = CheckedBlock(num_dst, num_src, indptr, indices)
    if given_indptr is not None or given_indices is not None:
        _stays_on(checked, given_indptr, given_indices)
    return checked


def block_from_edge_index(edge_index: Tensor, num_src: int, num_dst: int | None = None) -> CheckedBlock:
    """PyG's edge_index [2, E] (row 0 the sources, row 1 the destinations) as a block. num_dst: None = num_src.

    Costs a stable sort of the edges by destination, unless they are sorted already; a layer that is given an
    edge_index does this in every call. On a CUDA device the sort runs there, and the check of the ids waits for
    it. Raises ValueError for ids out of range.
    """
    num_src = integer("num_src", num_src, 0)
    num_dst = num_src if num_dst is None else integer("num_dst", num_dst, 0, INT32_MAX - 1)
    place = place_of("edge_index", edge_index)
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
    bounds = torch.bincount(destinations, minlength=num_dst).cumsum(0)
    indices, given_indices = _int32("edge_index", sources)
    if place is CPU:
        indptr = np.zeros(num_dst + 1, np.int32)
        indptr[1:] = bounds.numpy()
        return CheckedBlock(num_dst, num_src, indptr, indices, order)
    indptr, given_indptr = _int32("edge_index", torch.nn.functional.pad(bounds, (1, 0)))
    checked = CheckedBlock(num_dst, num_src, indptr, indices, order)
    _stays_on(checked, given_indptr, given_indices)
    return checked


def _stays_on(block: CheckedBlock, indptr: Tensor | None, indices: Tensor | None) -> None:
    """For a block whose arrays came from a CUDA device: they are used there."""
    first, second = (CPU if ids is None else place_of("block", ids) for ids in (indptr, indices))
    if first is not second:
        devices = f"{first.device} and {second.device}"
        raise ValueError(f"block: indptr and indices must be on one device, got {devices}")
    block.device, block._given = first.device, (indptr, indices)


def _int32(name: str, values: Any) -> tuple[npt.NDArray[np.int32], Tensor | None]:
    """(One row of integers as a contiguous int32 array, in place if it is one; the same on the CUDA device that
    it came from)."""
    given = None
    if isinstance(values, Tensor):
        values = values.detach()
        if place_of(name, values) is not CPU:
            given = values
            values = values.cpu()
        values = values.numpy()
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers in one dimension, got {array.dtype} {array.shape}")
    if array.dtype != np.int32:
        limits = np.iinfo(np.int32)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise ValueError(f"{name} must fit 32 bits, got {array.min()} to {array.max()}")
    if given is not None:
        given = given.to(torch.int32).contiguous()
    return np.ascontiguousarray(array, dtype=np.int32), given
