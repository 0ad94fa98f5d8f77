"""GAT's layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kith.torch.block import CheckedBlock
from kith.torch.functional import add_ends, aggregate, edge_softmax
from kith.torch.inputs import glorot, pair_of, refuse, resolve


class GATConv(torch.nn.Module):
    """Graph attention (GAT, arXiv 1710.10903), as torch_geometric.nn.GATConv.

    Options, parameter names and shapes are PyG's, so state dicts go both ways. in_channels: a size (one `lin`),
    or one each for sources and destinations (`lin_src`, `lin_dst`). concat: heads side by side, else their
    mean. dropout: of the attention. add_self_loops: every node that is source and destination hears itself
    once. residual: adds res(x_dst). PyG's edge_dim and fill_value raise unless they have their defaults.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        edge_dim: int | None = None,
        fill_value: float | str = "mean",
        bias: bool = True,
        residual: bool = False,
        **pyg_options: Any,
    ) -> None:
        super().__init__()
        unsupported = {"edge_dim": edge_dim, "fill_value": fill_value, **pyg_options}
        refuse(
            "GATConv",
            unsupported,
            {"edge_dim": None, "fill_value": "mean", "aggr": "add", "flow": "source_to_target"},
        )
        src_channels, dst_channels = pair_of(in_channels, "GATConv")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.heads, self.concat, self.negative_slope = heads, concat, negative_slope
        self.dropout, self.add_self_loops, self.residual = dropout, add_self_loops, residual
        width = heads * out_channels
        self.lin = self.lin_src = self.lin_dst = self.res = None
        if isinstance(in_channels, int):
            self.lin = torch.nn.Linear(src_channels, width, bias=False)
        else:
            self.lin_src = torch.nn.Linear(src_channels, width, bias=False)
            self.lin_dst = torch.nn.Linear(dst_channels, width, bias=False)
        self.att_src = torch.nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = torch.nn.Parameter(torch.empty(1, heads, out_channels))
        total = width if concat else out_channels
        if residual:
            self.res = torch.nn.Linear(dst_channels, total, bias=False)
        self.bias = torch.nn.Parameter(torch.empty(total)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's uniform and a bias of 0, as PyG."""
        for linear in (self.lin, self.lin_src, self.lin_dst, self.res):
            if linear is not None:
                glorot(linear.weight)
        glorot(self.att_src)
        glorot(self.att_dst)
        if self.bias is not None:
            torch.nn.init.zeros_(self.bias)

    def forward(self, x: Tensor | tuple[Tensor, Tensor | None], block: Any) -> Tensor:
        """[num_dst, heads * out_channels], or [num_dst, out_channels] without concat.

        x: [num_src, in_channels] or (x_src, x_dst). block: a block or an edge_index, which is sorted by
        destination in every call. With x_dst None the attention depends on the sources alone. Raises ValueError
        if the shapes do not fit.
        """
        x_src, x_dst, block = resolve(x, block)
        h_src = self._heads(self.lin or self.lin_src, x_src)
        at_dst = h_src.new_zeros(block.num_dst, self.heads)
        if x_dst is not None:
            is_shared = self.lin is not None and not isinstance(x, tuple | list)
            h_dst = h_src[: block.num_dst] if is_shared else self._heads(self.lin or self.lin_dst, x_dst)
            at_dst = (h_dst * self.att_dst).sum(-1)
        if self.add_self_loops:
            block = with_one_loop_each(block)
        scores = add_ends((h_src * self.att_src).sum(-1), at_dst, block)
        attention = edge_softmax(F.leaky_relu(scores, self.negative_slope), block)
        attention = F.dropout(attention, self.dropout, self.training)
        out = aggregate(h_src, block, "sum", attention)
        out = out.flatten(1) if self.concat else out.mean(1)
        if self.res is not None and x_dst is not None:
            out = out + self.res(x_dst)
        return out if self.bias is None else out + self.bias

    def _heads(self, linear: torch.nn.Linear, x: Tensor) -> Tensor:
        return linear(x).view(-1, self.heads, self.out_channels)

    def __repr__(self) -> str:
        return f"GATConv({self.in_channels}, {self.out_channels}, heads={self.heads})"


def with_one_loop_each(block: CheckedBlock) -> CheckedBlock:
    """The block with one edge v -> v for every v that is both source and destination, first in its row.

    Loops that are there already go. Takes time in the number of edges, on the host, once for each block.
    """
    if block.with_loops is None:
        block.with_loops = _make_with_loops(block)
    return block.with_loops


def _make_with_loops(block: CheckedBlock) -> CheckedBlock:
    destinations = block.destinations.numpy()
    keep = block.indices != destinations
    rows = destinations[keep]
    num_loops = min(block.num_dst, block.num_src)
    counts = np.bincount(rows, minlength=block.num_dst)
    counts[:num_loops] += 1
    indptr = np.zeros(block.num_dst + 1, np.int32)
    np.cumsum(counts, out=indptr[1:])
    indices = np.empty(rows.size + num_loops, np.int32)
    indices[indptr[:num_loops]] = np.arange(num_loops, dtype=np.int32)
    # Of the loops, those of the rows up to an edge's own come before it.
    indices[np.arange(rows.size) + np.minimum(rows + 1, num_loops)] = block.indices[keep]
    return CheckedBlock(block.num_dst, block.num_src, indptr, indices)
