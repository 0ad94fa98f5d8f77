"""Aggregation over a block and softmax over its edges, with gradients, on Kith's own kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from kith import _core
from kith.torch.block import BlockOnStream, CheckedBlock, as_block
from kith.torch.device import Place, check_same_place, place_of

_DTYPES = (torch.float32, torch.float64)
# Where a block is for one call; it says where the call runs too. Backward runs where forward did: torch's
# autograd goes back to the stream of the forward pass.
_Block = CheckedBlock | BlockOnStream


def aggregate(x: Tensor, block: Any, reduce: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Row v of the result reduces the rows x[u] over the edges (u -> v) of `block`; a node without edges gets
    0.

    x: [num_src, F] or [num_src, heads, F], float32 or float64, on the CPU or a CUDA device; there it runs on
    torch's current stream and the host does not wait. block: see `as_block`.
    reduce: "sum", "mean" or "max" (of equal values the first edge's gets the gradient; a NaN wins).
    weight: a factor of each edge, [E], or of each edge and head, [E, heads] with x [num_src, heads, F] (the
    attention of GAT, arXiv 1710.10903), in the order of block.indices; "mean" divides by the number of edges
    all the same. Not with "max".
    Returns [num_dst, ...]. Differentiable once, by x and weight. Reads contiguous tensors in place. Raises
    ValueError for anything else, for tensors on several devices among it.
    """
    block = as_block(block)
    x, place = _values("x", x, block.num_src, "a row for each of the block's sources")
    if x.dim() not in (2, 3):
        raise ValueError(f"x must be [num_src, F] or [num_src, heads, F], got shape {list(x.shape)}")
    if reduce not in ("sum", "mean", "max"):
        raise ValueError(f"aggregate: reduce must be 'sum', 'mean' or 'max', got {reduce!r}")
    if weight is None:
        on = block.on(place)
        return _Max.apply(x, on) if reduce == "max" else _Sum.apply(x, on, reduce == "mean")
    if reduce == "max":
        raise ValueError("aggregate: reduce='max' takes no weight")
    weight, weight_place = _edge_values("weight", weight, block)
    check_same_place("weight", weight_place, "x", place)
    if weight.dtype != x.dtype:
        raise ValueError(f"aggregate: weight must have x's dtype {x.dtype}, got {weight.dtype}")
    if weight.dim() == 2 and (x.dim() != 3 or x.size(1) != weight.size(1)):
        raise ValueError(
            f"aggregate: with weight {list(weight.shape)} x must be [num_src, {weight.size(1)}, F], "
            f"got {list(x.shape)}"
        )
    on = block.on(place)
    out = _Heads.apply(x, weight if weight.dim() == 2 else weight.unsqueeze(1), on)
    if reduce == "mean":
        degree = on.degrees.clamp(min=1).to(x.dtype)
        out = out / degree.view(-1, *[1] * (x.dim() - 1))
    return out


def edge_softmax(scores: Tensor, block: Any) -> Tensor:
    """Softmax of the scores over the edges into each destination (GAT, arXiv 1710.10903), per head.

    scores: [E] or [E, heads], float32 or float64, on the CPU or a CUDA device, in the order of block.indices.
    Returns the same shape. Differentiable once. Raises ValueError for anything else.
    """
    block = as_block(block)
    scores, place = _edge_values("scores", scores, block)
    return _EdgeSoftmax.apply(scores, block.on(place))


def add_ends(at_src: Tensor, at_dst: Tensor, block: CheckedBlock) -> Tensor:
    """[E, heads]: at_src of each edge's source plus at_dst of its destination. Both: [nodes, heads]."""
    return _AddEnds.apply(at_src, at_dst, block.on(place_of("at_src", at_src)))


def _values(name: str, tensor: Tensor, rows: int, what: str) -> tuple[Tensor, Place]:
    """`tensor`, contiguous, and its place, if the kernels can read it and it has so many rows."""
    place = place_of(name, tensor)
    if tensor.dtype not in _DTYPES:
        raise ValueError(f"{name} must be float32 or float64, got {tensor.dtype}")
    if tensor.dim() < 1 or tensor.size(0) != rows:
        raise ValueError(f"{name} must have {what} ({rows}), got shape {list(tensor.shape)}")
    return tensor.contiguous(), place


def _edge_values(name: str, tensor: Tensor, block: CheckedBlock) -> tuple[Tensor, Place]:
    tensor, place = _values(name, tensor, block.num_edges, "a value for each of the block's edges")
    if tensor.dim() > 2 or (tensor.dim() == 2 and tensor.size(1) == 0):
        raise ValueError(f"{name} must be [E] or [E, heads], got shape {list(tensor.shape)}")
    return tensor, place


class _Sum(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, block: _Block, is_mean: bool) -> Tensor:
        ctx.block, ctx.shape, ctx.is_mean = block, x.shape, is_mean
        place = block.place
        out = x.new_empty(block.num_dst, *x.shape[1:])
        weights = None if is_mean else block.sum_weights
        _core.aggregate(place.backend, block.handle, weights, place.matrix(x), place.matrix(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        block, place = ctx.block, ctx.block.place
        grad_x = grad.new_zeros(ctx.shape)
        weights = None if ctx.is_mean else block.sum_weights
        gradient = place.matrix(grad.contiguous())
        _core.aggregate_backward(place.backend, block.handle, weights, gradient, place.matrix(grad_x))
        return grad_x, None, None


class _Max(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, block: _Block) -> Tensor:
        place = block.place
        out = x.new_empty(block.num_dst, *x.shape[1:])
        ctx.block, ctx.shape = block, x.shape
        ctx.argmax = place.empty_ints(x, out.numel())
        _core.aggregate_max(place.backend, block.handle, place.matrix(x), place.matrix(out), ctx.argmax)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        block, place = ctx.block, ctx.block.place
        grad_x = grad.new_zeros(ctx.shape)
        gradient = place.matrix(grad.contiguous())
        _core.aggregate_max_backward(place.backend, block.handle, ctx.argmax, gradient, place.matrix(grad_x))
        return grad_x, None


class _Heads(Function):
    """x: [num_src, ...] with as many columns as heads times something; weight: [E, heads]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, block: _Block) -> Tensor:
        ctx.block, ctx.shape, ctx.heads = block, x.shape, weight.size(1)
        needs_x, needs_weight = ctx.needs_input_grad[:2]
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        place = block.place
        out = x.new_empty(block.num_dst, *x.shape[1:])
        _core.aggregate_heads(
            place.backend, block.handle, place.matrix(weight), place.matrix(x), place.matrix(out)
        )
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        block, place = ctx.block, ctx.block.place
        gradient = place.matrix(grad.contiguous())
        grad_x = grad_weight = None
        if weight is not None:
            grad_x = grad.new_zeros(ctx.shape)
            _core.aggregate_heads_backward(
                place.backend, block.handle, place.matrix(weight), gradient, place.matrix(grad_x)
            )
        if x is not None:
            grad_weight = grad.new_empty(block.num_edges, ctx.heads)
            _core.edge_dot(place.backend, block.handle, place.matrix(x), gradient, place.matrix(grad_weight))
        return grad_x, grad_weight, None


class _EdgeSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, block: _Block) -> Tensor:
        place = block.place
        out = torch.empty_like(scores)
        _core.edge_softmax(place.backend, block.handle, place.matrix(scores), place.matrix(out))
        ctx.block = block
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        (out,) = ctx.saved_tensors
        block, place = ctx.block, ctx.block.place
        grad_scores = torch.empty_like(out)
        gradient = place.matrix(grad.contiguous())
        _core.edge_softmax_backward(
            place.backend, block.handle, place.matrix(out), gradient, place.matrix(grad_scores)
        )
        return grad_scores, None


class _AddEnds(Function):
    @staticmethod
    def forward(ctx: Any, at_src: Tensor, at_dst: Tensor, block: _Block) -> Tensor:
        ctx.block = block
        return at_src.index_select(0, block.sources).add_(at_dst.index_select(0, block.destinations))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Sums over the edges of a node: aggregations of ones with the gradient as weights."""
        block, place, heads = ctx.block, ctx.block.place, grad.size(1)
        grad_src, grad_dst = grad.new_zeros(block.num_src, heads), grad.new_empty(block.num_dst, heads)
        gradient = place.matrix(grad.contiguous())
        ones = place.ones(grad, max(block.num_src, block.num_dst), heads)
        _core.aggregate_heads(place.backend, block.handle, gradient, ones, place.matrix(grad_dst))
        _core.aggregate_heads_backward(place.backend, block.handle, gradient, ones, place.matrix(grad_src))
        return grad_src, grad_dst, None
