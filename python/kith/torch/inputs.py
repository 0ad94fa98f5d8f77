"""What the layers take: one tensor or a pair, and a block or an edge_index."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kith.torch.block import CheckedBlock, as_block, block_from_edge_index
from kith.torch.device import Place, check_same_place, place_of


def resolve(x: Any, block: Any) -> tuple[Tensor, Tensor | None, CheckedBlock]:
    """(x_src, x_dst, block) from what a layer is called with.

    x: [num_src, F] for a block whose destinations are a prefix of its sources (those of a batch, or a graph),
    or (x_src, x_dst) for any bipartite graph; x_dst may be None with a block. block: as for `as_block`, or an
    edge_index [2, E]. Raises ValueError if they do not fit together or are on several devices; a block in host
    memory may be used on any.
    """
    x_src, x_dst = x if isinstance(x, tuple | list) and len(x) == 2 else (x, x)
    is_pair = x_src is not x
    place = _check_matrix("x_src" if is_pair else "x", x_src)
    if is_pair and x_dst is not None:
        check_same_place("x_dst", _check_matrix("x_dst", x_dst), "x_src", place)
    if isinstance(block, Tensor):
        if x_dst is None:
            raise ValueError("x_dst=None needs a block: an edge_index does not tell the number of destinations")
        check_same_place("edge_index", place_of("edge_index", block), "x", place)
        block = block_from_edge_index(block, x_src.size(0), x_dst.size(0))
    block = as_block(block)
    block.check_place(place)
    if x_src.size(0) != block.num_src:
        what = "x_src" if is_pair else "x"
        raise ValueError(
            f"{what} must have a row for each of the block's sources ({block.num_src}), got {x_src.size(0)}"
        )
    if not is_pair:
        if block.num_dst > block.num_src:
            raise ValueError("x must be a pair (x_src, x_dst) where a block has more destinations than sources")
        return x_src, x_src[: block.num_dst], block
    if x_dst is not None and x_dst.size(0) != block.num_dst:
        raise ValueError(
            f"x_dst must have a row for each of the block's destinations ({block.num_dst}), got {x_dst.size(0)}"
        )
    return x_src, x_dst, block


def _check_matrix(name: str, x: Any) -> Place:
    place = place_of(name, x)
    if x.dim() != 2:
        raise ValueError(f"{name} must be [nodes, channels], got shape {list(x.shape)}")
    return place


def pair_of(in_channels: int | tuple[int, int], who: str) -> tuple[int, int]:
    """Channels of sources and destinations, > 0. PyG's -1 (found in the first call) is not supported."""
    pair = (in_channels, in_channels) if isinstance(in_channels, int) else tuple(in_channels)
    if len(pair) != 2 or any(not isinstance(channels, int) or channels < 1 for channels in pair):
        raise ValueError(f"{who}: in_channels must be a size > 0 or a pair of them, got {in_channels!r}")
    return pair


def refuse(who: str, given: dict[str, Any], supported: dict[str, Any]) -> None:
    """Raises for PyG's options that are not supported, unless they have the one value that means the same."""
    for name, value in given.items():
        if name not in supported:
            raise TypeError(f"{who}: there is no option {name!r}")
        if value != supported[name]:
            raise ValueError(f"{who}: {name}={value!r} is not supported")


def glorot(tensor: Tensor) -> None:
    """Glorot's uniform initialisation over the last two dimensions, as PyG starts its weights."""
    bound = (6.0 / (tensor.size(-2) + tensor.size(-1))) ** 0.5
    torch.nn.init.uniform_(tensor, -bound, bound)
