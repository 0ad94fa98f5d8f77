"""Aggregation over a block and softmax over its edges, with gradients, on Kith's own CPU kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from kith import _core
from kith.torch.block import CheckedBlock, as_block, check_cpu

_BACKEND = _core.Backend("cpu")
_DTYPES = (torch.float32, torch.float64)


def aggregate(x: Tensor, block: Any, reduce: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Row v of the result reduces the rows x[u] over the edges (u -> v) of `block`; a node without edges gets
    0.

    x: [num_src, F] or [num_src, heads, F], float32 or float64, on the CPU. block: see `as_block`.
    reduce: "sum", "mean" or "max" (of equal values the first edge's gets the gradient; a NaN wins).
    weight: a factor of each edge, [E], or of each edge and head, [E, heads] with x [num_src, heads, F] (the
    attention of GAT, arXiv 1710.10903), in the order of block.indices; "mean" divides by the number of edges
    all the same. Not with "max".
    Returns [num_dst, ...]. Differentiable once, by x and weight. Reads contiguous tensors in place. Raises
    ValueError for anything else.
    """
    block = as_block(block)
    x = _values("x", x, block.num_src, "a row for each of the block's sources")
    if x.dim() not in (2, 3):
        raise ValueError(f"x must be [num_src, F] or [num_src, heads, F], got shape {list(x.shape)}")
    if reduce not in ("sum", "mean", "max"):
        raise ValueError(f"aggregate: reduce must be 'sum', 'mean' or 'max', got {reduce!r}")
    if weight is None:
        return _Max.apply(x, block) if reduce == "max" else _Sum.apply(x, block, reduce == "mean")
    if reduce == "max":
        raise ValueError("aggregate: reduce='max' takes no weight")
    weight = _edge_values("weight", weight, block)
    if weight.dtype != x.dtype:
        raise ValueError(f"aggregate: weight must have x's dtype {x.dtype}, got {weight.dtype}")
    if weight.dim() == 2 and (x.dim() != 3 or x.size(1) != weight.size(1)):
        raise ValueError(
            f"aggregate: with weight {list(weight.shape)} x must be [num_src, {weight.size(1)}, F], "
            f"got {list(x.shape)}"
        )
    out = _Heads.apply(x, weight if weight.dim() == 2 else weight.unsqueeze(1), block)
    if reduce == "mean":
        degree = torch.from_numpy(np.maximum(np.diff(block.indptr), 1)).to(x.dtype)
        out = out / degree.view(-1, *[1] * (x.dim() - 1))
    return out


def edge_softmax(scores: Tensor, block: Any) -> Tensor:
    """Softmax of the scores over the edges into each destination (GAT, arXiv 1710.10903), per head.

    scores: [E] or [E, heads], float32 or float64, on the CPU, in the order of block.indices. Returns the same
    shape. Differentiable once. Raises ValueError for anything else.
    """
    block = as_block(block)
    return _EdgeSoftmax.apply(_edge_values("scores", scores, block), block)


def add_ends(at_src: Tensor, at_dst: Tensor, block: CheckedBlock) -> Tensor:
    """[E, heads]: at_src of each edge's source plus at_dst of its destination. Both: [nodes, heads]."""
    return _AddEnds.apply(at_src, at_dst, block)


def _values(name: str, tensor: Tensor, rows: int, what: str) -> Tensor:
    """`tensor`, contiguous, if the kernels can read it and it has so many rows."""
    check_cpu(name, tensor)
    if tensor.dtype not in _DTYPES:
        raise ValueError(f"{name} must be float32 or float64, got {tensor.dtype}")
    if tensor.dim() < 1 or tensor.size(0) != rows:
        raise ValueError(f"{name} must have {what} ({rows}), got shape {list(tensor.shape)}")
    return tensor.contiguous()


def _edge_values(name: str, tensor: Tensor, block: CheckedBlock) -> Tensor:
    tensor = _values(name, tensor, block.num_edges, "a value for each of the block's edges")
    if tensor.dim() > 2 or (tensor.dim() == 2 and tensor.size(1) == 0):
        raise ValueError(f"{name} must be [E] or [E, heads], got shape {list(tensor.shape)}")
    return tensor


def _matrix(tensor: Tensor) -> npt.NDArray[Any]:
    """The memory of a contiguous tensor as a matrix, one row for each entry of the first dimension."""
    return tensor.detach().numpy().reshape(tensor.size(0), math.prod(tensor.shape[1:]))


class _Sum(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, block: CheckedBlock, is_mean: bool) -> Tensor:
        ctx.block, ctx.shape, ctx.is_mean = block, x.shape, is_mean
        out = x.new_empty(block.num_dst, *x.shape[1:])
        _core.aggregate(_BACKEND, block._handle, _ones(block, is_mean), _matrix(x), _matrix(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        grad_x = grad.new_zeros(ctx.shape)
        weights = _ones(ctx.block, ctx.is_mean)
        gradient = _matrix(grad.contiguous())
        _core.aggregate_backward(_BACKEND, ctx.block._handle, weights, gradient, _matrix(grad_x))
        return grad_x, None, None


def _ones(block: CheckedBlock, is_mean: bool) -> npt.NDArray[np.float32] | None:
    """The kernel's weights: none for a mean."""
    return None if is_mean else np.ones(block.num_edges, np.float32)


class _Max(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, block: CheckedBlock) -> Tensor:
        out = x.new_empty(block.num_dst, *x.shape[1:])
        ctx.block, ctx.shape = block, x.shape
        ctx.argmax = np.empty(out.numel(), np.int32)
        _core.aggregate_max(_BACKEND, block._handle, _matrix(x), _matrix(out), ctx.argmax)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        grad_x = grad.new_zeros(ctx.shape)
        gradient = _matrix(grad.contiguous())
        _core.aggregate_max_backward(_BACKEND, ctx.block._handle, ctx.argmax, gradient, _matrix(grad_x))
        return grad_x, None


class _Heads(Function):
    """x: [num_src, ...] with as many columns as heads times something; weight: [E, heads]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, block: CheckedBlock) -> Tensor:
        ctx.block, ctx.shape, ctx.heads = block, x.shape, weight.size(1)
        needs_x, needs_weight = ctx.needs_input_grad[:2]
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        out = x.new_empty(block.num_dst, *x.shape[1:])
        _core.aggregate_heads(_BACKEND, block._handle, _matrix(weight), _matrix(x), _matrix(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        handle, gradient = ctx.block._handle, _matrix(grad.contiguous())
        grad_x = grad_weight = None
        if weight is not None:
            grad_x = grad.new_zeros(ctx.shape)
            _core.aggregate_heads_backward(_BACKEND, handle, _matrix(weight), gradient, _matrix(grad_x))
        if x is not None:
            grad_weight = grad.new_empty(ctx.block.num_edges, ctx.heads)
            _core.edge_dot(_BACKEND, handle, _matrix(x), gradient, _matrix(grad_weight))
        return grad_x, grad_weight, None


class _EdgeSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, block: CheckedBlock) -> Tensor:
        out = torch.empty_like(scores)
        _core.edge_softmax(_BACKEND, block._handle, _matrix(scores), _matrix(out))
        ctx.block = block
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        (out,) = ctx.saved_tensors
        grad_scores = torch.empty_like(out)
        gradient = _matrix(grad.contiguous())
        _core.edge_softmax_backward(_BACKEND, ctx.block._handle, _matrix(out), gradient, _matrix(grad_scores))
        return grad_scores, None


class _AddEnds(Function):
    @staticmethod
    def forward(ctx: Any, at_src: Tensor, at_dst: Tensor, block: CheckedBlock) -> Tensor:
        ctx.block = block
        return at_src.index_select(0, block.sources).add_(at_dst.index_select(0, block.destinations))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Sums over the edges of a node: aggregations of ones with the gradient as weights."""
        block, heads = ctx.block, grad.size(1)
        grad_src, grad_dst = grad.new_zeros(block.num_src, heads), grad.new_empty(block.num_dst, heads)
        gradient = _matrix(grad.contiguous())
        ones = np.ones((max(block.num_src, block.num_dst), heads), gradient.dtype)
        _core.aggregate_heads(_BACKEND, block._handle, gradient, ones, _matrix(grad_dst))
        _core.aggregate_heads_backward(_BACKEND, block._handle, gradient, ones, _matrix(grad_src))
        return grad_src, grad_dst, None
