"""The compiled engine. Private: use the package. A test compares this file with the module."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

version: str

def available_devices() -> list[str]: ...
def build_info() -> dict[str, Any]: ...

class PartitionOptions:
    def __init__(self) -> None: ...
    method: str
    num_communities: int
    community_size: int
    num_levels: int
    imbalance: float
    seed: int

class Dataset:
    @staticmethod
    def open(path: str, map_features: bool, verify: bool) -> Dataset: ...
    @staticmethod
    def from_arrays(
        *,
        num_nodes: int,
        edge_index: npt.NDArray[np.int64],
        x: npt.NDArray[Any] | None,
        labels: npt.NDArray[np.int32] | None,
        label_indicator: npt.NDArray[np.uint8] | None,
        num_classes: int,
        splits: dict[str, npt.NDArray[np.int32]],
        communities: npt.NDArray[np.int32] | None,
        symmetrize: bool,
        options: PartitionOptions,
    ) -> Dataset: ...
    def save(self, path: str) -> None: ...
    def split(self, name: str) -> npt.NDArray[np.int32]: ...
    def community_of(self, level: int) -> npt.NDArray[np.int32]: ...
    def community_offsets(self, level: int) -> npt.NDArray[np.int64]: ...
    def first_non_finite_row(self) -> int | None: ...
    @property
    def num_nodes(self) -> int: ...
    @property
    def num_edges(self) -> int: ...
    @property
    def num_features(self) -> int: ...
    @property
    def num_classes(self) -> int: ...
    @property
    def num_levels(self) -> int: ...
    @property
    def is_multi_label(self) -> bool: ...
    @property
    def is_directed(self) -> bool: ...
    @property
    def feature_type(self) -> str: ...
    @property
    def x(self) -> npt.NDArray[Any] | None: ...
    @property
    def y(self) -> npt.NDArray[Any] | None: ...
    @property
    def indptr(self) -> npt.NDArray[np.int64]: ...
    @property
    def indices(self) -> npt.NDArray[np.int32]: ...
    @property
    def original_id(self) -> npt.NDArray[np.int64]: ...
    @property
    def edge_id(self) -> npt.NDArray[np.int64]: ...

class LoaderOptions:
    def __init__(self) -> None: ...
    level: int
    bias_level: int
    dependency: int
    has_features: bool
    is_group_auto: bool
    prefetch_depth: int
    seed: int
    batch_order: str
    no_intra: str
    sampler: str
    mixing: str
    batch_size: int
    mix: str
    group: int
    is_shuffled: bool
    drop_last: bool
    rank: int
    world_size: int
    fanouts: list[int]
    p_intra: str
    schedule: str
    schedule_epochs: int
    with_replacement: bool
    is_unbiased: bool
    keep_edges: bool

class Backend:
    def __init__(self, device: str) -> None: ...
    @staticmethod
    def on_stream(device: int, stream: int) -> Backend: ...
    @property
    def name(self) -> str: ...

class DeviceArray:
    def __init__(self, owner: object, address: int, rows: int, cols: int, dtype: str) -> None: ...

Matrix = npt.NDArray[np.float32] | npt.NDArray[np.float64] | DeviceArray
Weights = npt.NDArray[np.float32] | DeviceArray | None
Ints = npt.NDArray[np.int32] | DeviceArray

class ArrayBlock:
    def __init__(self, num_src: int, indptr: npt.NDArray[np.int32], indices: npt.NDArray[np.int32]) -> None: ...
    def on_device(self, indptr: DeviceArray, indices: DeviceArray) -> ArrayBlock: ...

def aggregate(backend: Backend, block: ArrayBlock, weights: Weights, x: Matrix, out: Matrix) -> None: ...
def aggregate_backward(
    backend: Backend, block: ArrayBlock, weights: Weights, grad_out: Matrix, grad_x: Matrix
) -> None: ...
def aggregate_heads(backend: Backend, block: ArrayBlock, weights: Matrix, x: Matrix, out: Matrix) -> None: ...
def aggregate_heads_backward(
    backend: Backend, block: ArrayBlock, weights: Matrix, grad_out: Matrix, grad_x: Matrix
) -> None: ...
def aggregate_max(backend: Backend, block: ArrayBlock, x: Matrix, out: Matrix, argmax: Ints) -> None: ...
def aggregate_max_backward(
    backend: Backend, block: ArrayBlock, argmax: Ints, grad_out: Matrix, grad_x: Matrix
) -> None: ...
def edge_dot(backend: Backend, block: ArrayBlock, x: Matrix, y: Matrix, out: Matrix) -> None: ...
def edge_softmax(backend: Backend, block: ArrayBlock, scores: Matrix, out: Matrix) -> None: ...
def edge_softmax_backward(
    backend: Backend, block: ArrayBlock, out: Matrix, grad_out: Matrix, grad_scores: Matrix
) -> None: ...

class Loader:
    def __init__(self, dataset: Dataset, roots: npt.NDArray[np.int32], options: LoaderOptions) -> None: ...
    @property
    def num_batches(self) -> int: ...
    @property
    def options(self) -> LoaderOptions: ...

class StagingOptions:
    def __init__(
        self,
        dataset: Dataset,
        policy: str,
        stage_bytes: str,
        host_bytes: str,
        prefetch_depth: int,
        seed: int,
    ) -> None: ...

class BatchTiers:
    def __init__(self, loader: Loader, dataset: Dataset, options: StagingOptions) -> None: ...

class BatchStream:
    def __init__(
        self,
        loader: Loader,
        dataset: Dataset,
        backend: Backend,
        tiers: BatchTiers | None,
        epoch: int,
        first: int,
    ) -> None: ...
    def next(self) -> dict[str, Any] | None: ...

class ModelOptions:
    def __init__(self) -> None: ...
    kind: str
    in_channels: int
    hidden_channels: int
    out_channels: int
    num_layers: int
    heads: int
    dropout: float
    seed: int

class Model:
    def __init__(self, backend: Backend, options: ModelOptions) -> None: ...
    def parameters(self) -> list[tuple[str, npt.NDArray[np.float64]]]: ...
    def set_parameter(self, name: str, values: npt.NDArray[np.float64]) -> None: ...
    def infer(self, dataset: Dataset) -> npt.NDArray[np.float32]: ...

class Trainer:
    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        lr: float,
        weight_decay: float,
        ema: float,
        metric: str,
        staging: StagingOptions | None,
    ) -> None: ...
    def run_epoch(
        self, loader: Loader, epoch: int, on_batch: Callable[[int, int], None] | None
    ) -> dict[str, Any]: ...
    def swap_averages(self) -> None: ...
    def state(self) -> tuple[int, int, list[npt.NDArray[np.float32]]]: ...
    def load_state(
        self, step: int, num_optimizer_steps: int, moments: list[npt.NDArray[np.float32]]
    ) -> None: ...
    def evaluate(self, nodes: npt.NDArray[np.int32]) -> float: ...
