"""GraphSAGE's layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kith.torch.functional import aggregate
from kith.torch.inputs import pair_of, refuse, resolve

_AGGREGATIONS = {"mean": "mean", "sum": "sum", "add": "sum", "max": "max"}


class SAGEConv(torch.nn.Module):
    """lin_l(reduced neighbours) + lin_r(the node) (GraphSAGE, arXiv 1706.02216), as
    torch_geometric.nn.SAGEConv.

    Options, parameter names and shapes are PyG's, so state dicts go both ways. in_channels: a size, or one each
    for sources and destinations. aggr: "mean", "sum" (or "add") or "max". normalize: rows of length 1.
    root_weight: with lin_r. project: relu(lin(x)) before aggregation. PyG's other options raise.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        aggr: str = "mean",
        normalize: bool = False,
        root_weight: bool = True,
        project: bool = False,
        bias: bool = True,
        **pyg_options: Any,
    ) -> None:
        super().__init__()
        refuse("SAGEConv", pyg_options, {"flow": "source_to_target", "node_dim": -2})
        if aggr not in _AGGREGATIONS:
            raise ValueError(f"SAGEConv: aggr must be one of {', '.join(_AGGREGATIONS)}, got {aggr!r}")
        src_channels, dst_channels = pair_of(in_channels, "SAGEConv")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.aggr, self.normalize, self.root_weight, self.project = aggr, normalize, root_weight, project
        if project:
            self.lin = torch.nn.Linear(src_channels, src_channels)
        self.lin_l = torch.nn.Linear(src_channels, out_channels, bias=bias)
        if root_weight:
            self.lin_r = torch.nn.Linear(dst_channels, out_channels, bias=False)

    def reset_parameters(self) -> None:
        """Uniform in +-1/sqrt(in_channels), as PyG."""
        for module in self.children():
            module.reset_parameters()

    def forward(self, x: Tensor | tuple[Tensor, Tensor | None], block: Any) -> Tensor:
        """[num_dst, out_channels]. x: [num_src, in_channels] or (x_src, x_dst). block: a block or an
        edge_index.

        An edge_index [2, E] is sorted by destination in every call; `as_block` and `block_from_edge_index` say
        more. With x_dst None there is no lin_r(x_dst). Raises ValueError if the shapes do not fit.
        """
        x_src, x_dst, block = resolve(x, block)
        if self.project:
            x_src = self.lin(x_src).relu()
        out = self.lin_l(aggregate(x_src, block, _AGGREGATIONS[self.aggr]))
        if self.root_weight and x_dst is not None:
            out = out + self.lin_r(x_dst)
        return F.normalize(out, p=2.0, dim=-1) if self.normalize else out

    def __repr__(self) -> str:
        return f"SAGEConv({self.in_channels}, {self.out_channels}, aggr={self.aggr})"
