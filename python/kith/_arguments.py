"""Checks and conversions of what users pass in: one clear ValueError instead of a failed cast further down."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

INT32_MAX = 2**31 - 1
UINT64_MAX = 2**64 - 1


def array_of(name: str, value: Any) -> npt.NDArray[Any]:
    """`value` (array, tensor on any device, or sequence) as an array; no copy of what lies in host memory."""
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array, got {_described(value)} ({error})") from None
    if array.dtype == object:
        raise ValueError(f"{name} must be an array of numbers, got {_described(value)}")
    return array


def _described(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ if dtype is None else f"{type(value).__name__} of {dtype}"


def integer(name: str, value: Any, low: int, high: int = INT32_MAX) -> int:
    """`value` as an int in [low, high]."""
    if isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], got {number}")
    return number


def flag(name: str, value: Any) -> bool:
    """`value` as a bool, which it must be."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def number(name: str, value: Any) -> float:
    """`value` as a float."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None


def integers(name: str, values: Any) -> npt.NDArray[np.int64]:
    """`values` (array, tensor or sequence) as a C-contiguous int64 array; no copy if it is one already."""
    array = array_of(name, values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} holds a number that does not fit 64 bits with a sign")
    return np.ascontiguousarray(array, dtype=np.int64)


def node_ids(name: str, values: Any, num_nodes: int) -> npt.NDArray[np.int32]:
    """Node ids from ids or from a boolean mask over all nodes. Every id is in range and occurs once."""
    array = array_of(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {array.shape}")
    if array.dtype.kind == "b":
        if array.size != num_nodes:
            raise ValueError(f"{name} is a mask of {array.size} nodes, the graph has {num_nodes}")
        return np.flatnonzero(array).astype(np.int32)
    ids = integers(name, array)
    outside = (ids < 0) | (ids >= num_nodes)
    if outside.any():
        raise ValueError(f"{name} must hold node ids in [0, {num_nodes}), got {ids[outside][0]}")
    counts = np.bincount(ids, minlength=1) if ids.size else np.zeros(1, np.int64)
    if counts.max() > 1:
        raise ValueError(f"{name} must not repeat a node, {int(counts.argmax())} comes {counts.max()} times")
    return ids.astype(np.int32)
