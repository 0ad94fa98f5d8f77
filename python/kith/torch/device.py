"""Where kith.torch computes: on the CPU, or on a CUDA device in the order of torch's current stream.

Everything that asks torch about devices and streams is here, so that tests can put others in its place.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kith import _core

_NAMES = {torch.float32: "float32", torch.float64: "float64", torch.int32: "int32"}


class CpuPlace:
    """The CPU: the kernels take NumPy views of torch's memory."""

    device = torch.device("cpu")
    backend = _core.Backend("cpu")

    @staticmethod
    def matrix(tensor: Tensor) -> npt.NDArray[Any]:
        """The memory of a contiguous tensor as a matrix, one row for each entry of the first dimension."""
        return tensor.detach().numpy().reshape(tensor.size(0), math.prod(tensor.shape[1:]))

    @staticmethod
    def ones(like: Tensor, rows: int, cols: int) -> npt.NDArray[Any]:
        return np.ones((rows, cols), _NAMES[like.dtype])

    @staticmethod
    def empty_ints(like: Tensor, count: int) -> npt.NDArray[np.int32]:
        return np.empty(count, np.int32)


class CudaPlace:
    """One stream of a CUDA device: the kernels take addresses and are launched there, in the order of what
    torch launches. Nothing waits: memory that torch reuses is reused in the same order."""

    def __init__(self, device: torch.device, stream: int) -> None:
        self.device = device
        self.backend = _core.Backend.on_stream(device.index, stream)

    @staticmethod
    def matrix(tensor: Tensor) -> _core.DeviceArray:
        """As CpuPlace's."""
        rows, cols = tensor.size(0), math.prod(tensor.shape[1:])
        return _core.DeviceArray(tensor, tensor.data_ptr(), rows, cols, _NAMES[tensor.dtype])

    @staticmethod
    def ones(like: Tensor, rows: int, cols: int) -> _core.DeviceArray:
        return CudaPlace.matrix(like.new_ones(rows, cols))

    def upload(self, array: npt.NDArray[Any]) -> Tensor:
        return upload(array, self.device)

    @staticmethod
    def empty_ints(like: Tensor, count: int) -> _core.DeviceArray:
        return CudaPlace.matrix(like.new_empty(count, dtype=torch.int32))


Place = CpuPlace | CudaPlace
CPU = CpuPlace()


device_of = attrgetter("device")


def current_stream(device: torch.device) -> int:
    """The handle of torch's current stream of a CUDA device."""
    return torch.cuda.current_stream(device).cuda_stream


def tensor_over(array: npt.NDArray[Any]) -> Tensor:
    """A tensor of the array's memory, or of a copy if it is read-only, which torch warns of and a dataset's own
    adjacency is."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def upload(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """A copy on a CUDA device, made in the order of its current stream: through pinned memory, so that the host
    does not wait."""
    host = tensor_over(array)
    return (host.pin_memory() if array.size else host).to(device, non_blocking=True)


def place_of(name: str, tensor: Any) -> Place:
    """Where what reads `tensor` now has to run. Raises ValueError unless it is a tensor that the kernels can
    read."""
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(tensor).__name__}")
    device = device_of(tensor)
    return CPU if device.type == "cpu" else _cuda_place_of(name, device)


def _cuda_place_of(name: str, device: torch.device) -> CudaPlace:
    if device.type != "cuda":
        raise ValueError(f"{name} is on {device}, but kith.torch computes on the CPU and on CUDA devices only")
    missing = _missing_for_cuda()
    if missing:
        raise ValueError(f"{name} is on {device}, but {missing}, or use {name}.cpu()")
    return _cuda_place(device.index, current_stream(device))


@lru_cache(maxsize=64)  # torch has 32 streams of each priority a device, and gives them out again and again
def _cuda_place(index: int, stream: int) -> CudaPlace:
    return CudaPlace(torch.device("cuda", index), stream)


def check_same_place(name: str, place: Place, other_name: str, other: Place) -> None:
    """Raises ValueError unless two tensors of a call are on one device."""
    if place is not other:
        raise ValueError(f"{name} must be on the device of {other_name}, {other.device}, got {place.device}")


@cache
def _missing_for_cuda() -> str:
    """What this build and machine lack to compute on a CUDA device, and how to get it; empty if nothing."""
    if "cuda" in _core.available_devices():
        return ""
    if _core.build_info()["cuda"] == "none":
        return "Kith was built without CUDA: build it where the CUDA toolkit is (KITH_CUDA=ON)"
    return "Kith's CUDA runtime finds no device that it can use: update the driver"
