"""GCN's layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kith.torch.block import BlockOnStream, CheckedBlock
from kith.torch.device import check_same_place, place_of
from kith.torch.functional import aggregate
from kith.torch.inputs import glorot, refuse, resolve


class GCNConv(torch.nn.Module):
    """The graph convolution of Kipf and Welling (arXiv 1609.02907), as torch_geometric.nn.GCNConv.

    Options, parameter names and shapes are PyG's, so state dicts go both ways. normalize: symmetric
    normalisation by the in-degrees of the block or edge_index; add_self_loops: None = as normalize, which it
    needs. PyG's other options raise, improved and cached among them.
    A sampled block knows only the neighbours that were drawn, and PyG's layer sees the same; for another
    normalisation use normalize=False and edge_weight.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        improved: bool = False,
        cached: bool = False,
        add_self_loops: bool | None = None,
        normalize: bool = True,
        bias: bool = True,
        **pyg_options: Any,
    ) -> None:
        super().__init__()
        unsupported = {"improved": improved, "cached": cached, **pyg_options}
        refuse(
            "GCNConv",
            unsupported,
            {"improved": False, "cached": False, "aggr": "add", "flow": "source_to_target", "node_dim": -2},
        )
        if add_self_loops and not normalize:
            raise ValueError("GCNConv: add_self_loops=True needs normalize=True")
        if not isinstance(in_channels, int) or in_channels < 1:
            raise ValueError(f"GCNConv: in_channels must be a size > 0, got {in_channels!r}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.improved, self.cached, self.normalize = improved, cached, normalize
        self.add_self_loops = normalize if add_self_loops is None else add_self_loops
        self.lin = torch.nn.Linear(in_channels, out_channels, bias=False)
        self.bias = torch.nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's uniform and a bias of 0, as PyG."""
        glorot(self.lin.weight)
        if self.bias is not None:
            torch.nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, block: Any, edge_weight: Tensor | None = None) -> Tensor:
        """[num_dst, out_channels]. x: [num_src, in_channels]. block: a block or an edge_index.

        Destinations must be a prefix of the sources. edge_weight: [E], in the order of the block's indices or
        of the edge_index. An edge_index [2, E] is sorted by destination in every call. Raises ValueError if the
        shapes do not fit.
        """
        if isinstance(x, tuple | list):
            raise ValueError("GCNConv: x must be one tensor, destinations and sources are nodes of one graph")
        x, _, block = resolve(x, block)
        if edge_weight is not None:
            place = place_of("edge_weight", edge_weight)
            check_same_place("edge_weight", place, "x", place_of("x", x))
            edge_weight = _in_block_order(edge_weight, block.on(place))
        h = self.lin(x)
        if not self.normalize:
            out = aggregate(h, block, "sum", edge_weight)
        else:
            given = x.new_ones(block.num_edges) if edge_weight is None else edge_weight
            weight, loop_weight = _normalized(given, block, self.add_self_loops, edge_weight is not None)
            out = aggregate(h, block, "sum", weight)
            if loop_weight is not None:
                out = out + loop_weight * h[: block.num_dst]
        return out if self.bias is None else out + self.bias

    def __repr__(self) -> str:
        return f"GCNConv({self.in_channels}, {self.out_channels})"


def _in_block_order(edge_weight: Tensor, block: CheckedBlock | BlockOnStream) -> Tensor:
    if edge_weight.dim() != 1 or edge_weight.size(0) != block.num_edges:
        raise ValueError(f"edge_weight must be [{block.num_edges}], got shape {list(edge_weight.shape)}")
    return edge_weight if block.edge_order is None else edge_weight[block.edge_order]


def _normalized(
    weight: Tensor, block: CheckedBlock, add_self_loops: bool, is_weighted: bool
) -> tuple[Tensor, Tensor | None]:
    """(weight of each edge [E], of each destination's self-loop [num_dst, 1]): w / sqrt(degree_u degree_v).

    As PyG's gcn_norm: loops that are there already are replaced by one of weight 1, or, with edge weights
    (is_weighted; else weight holds ones), by one that keeps its weight. The degree is the sum of the weights of
    the edges in; sources that are no destinations have their loop alone.
    """
    on = block.on(place_of("weight", weight))
    source, destination = on.sources, on.destinations
    loop = None
    if add_self_loops:
        is_loop = source == destination
        loop = weight.new_ones(block.num_src + 1)
        if is_weighted:  # what is no loop goes to the last place: selecting loops would wait for a GPU
            loop = loop.index_put((destination.masked_fill(~is_loop, block.num_src).long(),), weight)
        loop = loop[: block.num_src]
        weight = weight.masked_fill(is_loop, 0)
    ones = weight.new_ones(block.num_src, 1)
    degree = aggregate(ones, block, "sum", weight).squeeze(1)
    degree = torch.nn.functional.pad(degree, (0, block.num_src - block.num_dst))
    if loop is not None:
        degree = degree + loop
    scale = degree.pow(-0.5)
    scale = scale.masked_fill(scale == float("inf"), 0)
    weight = scale.index_select(0, source) * weight * scale.index_select(0, destination)
    if loop is None:
        return weight, None
    own = slice(block.num_dst)
    return weight, (scale[own] * loop[own] * scale[own]).unsqueeze(1)
