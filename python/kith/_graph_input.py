"""What a user hands to the loader: a Dataset, arrays or a PyG Data, and the ids that go with it."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kith._arguments import array_of, integers, node_ids
from kith.dataset import Dataset
from kith.interop import is_pyg_data

_PARTITION_KEYS = {
    "communities",
    "method",
    "num_communities",
    "community_size",
    "num_levels",
    "imbalance",
    "seed",
}
_TUPLE_KEYS = ("edge_index", "x", "y")
_MASKS = {"train": "train_mask", "valid": "val_mask", "val": "val_mask", "test": "test_mask"}

# The prepared form of each Data still alive, so that loaders for training, validation and test share one. By
# id, as a Data cannot be hashed; the weak reference takes the entry out when the Data goes.
_prepared: dict[int, tuple[weakref.ref[Any], Any, Dataset]] = {}


@dataclass(eq=False)
class GraphInput:
    """A dataset, and how its user names nodes."""

    dataset: Dataset
    has_original_ids: bool
    """Whether ids at the API are `dataset.original_id`, and not the dataset's own."""
    pyg: Any = None
    """The Data that the user handed in."""

    def roots(
        self, which: npt.ArrayLike | str | None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64] | None]:
        """The dataset's ids of input nodes, and for a mask the place of each in it (otherwise None)."""
        if isinstance(which, tuple) and which and isinstance(which[0], str):
            raise ValueError("input_nodes must be ids or a mask: node types are not supported")
        if self.pyg is not None and isinstance(which, str):
            which = _mask_of(self.pyg, which)
        if which is not None and not isinstance(which, str):
            which = array_of("input_nodes", which)
            places = np.flatnonzero(which) if which.dtype.kind == "b" else None
        else:
            places = None
        if not self.has_original_ids:
            return self.dataset.nodes(which, "input_nodes"), places
        original_id = self.dataset.original_id
        if which is None or isinstance(which, str):
            wanted = np.sort(original_id[self.dataset.nodes(which)])
        else:
            wanted = integers(
                "input_nodes", which if places is None else node_ids("input_nodes", which, which.size)
            )
            _check_originals(wanted, which.size if places is not None else None, original_id)
        return self.dataset.from_original(wanted).astype(np.int32), places

    def ids(self, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The user's ids of nodes named by the dataset's."""
        return self.dataset.original_id[nodes] if self.has_original_ids else nodes


def _mask_of(data: Any, name: str) -> npt.NDArray[np.int64]:
    """The nodes of a split of a Data."""
    if name not in _MASKS:
        raise ValueError(f"input_nodes must be one of {sorted(_MASKS)}, ids, a mask or None, got {name!r}")
    mask = data.get(_MASKS[name])
    if mask is None:
        raise ValueError(f"input_nodes={name!r}: data has no {_MASKS[name]}")
    return node_ids(_MASKS[name], mask, data.num_nodes).astype(np.int64)


def _check_originals(
    wanted: npt.NDArray[np.int64], mask_size: int | None, original_id: npt.NDArray[np.int64]
) -> None:
    limit = int(original_id.max()) + 1 if original_id.size else 0
    if mask_size is not None and mask_size != limit:
        raise ValueError(f"input_nodes is a mask of {mask_size} nodes, the graph has {limit}")
    node_ids("input_nodes", wanted, limit)


def graph_input(data: Any, partition: Mapping[str, Any] | None, original_ids: bool) -> GraphInput:
    """Prepares what the user handed in; a Dataset is prepared already. Raises ValueError."""
    if isinstance(data, Dataset):
        if partition is not None:
            raise ValueError("NeighborLoader: partition is for data that is not yet a kith.Dataset")
        return GraphInput(data, original_ids)
    partition = {} if partition is None else dict(partition)
    unknown = set(partition) - _PARTITION_KEYS
    if unknown:
        raise ValueError(
            f"partition: there is no option {sorted(unknown)[0]!r}; options: {sorted(_PARTITION_KEYS)}"
        )
    if is_pyg_data(data):
        return GraphInput(_dataset_of_pyg(data, partition), True, data)
    return GraphInput(Dataset.from_arrays(**{**_named_arrays(data), **partition}), True)


def _named_arrays(data: Any) -> dict[str, Any]:
    if isinstance(data, Mapping):
        if "edge_index" in data:
            return dict(data)
        raise ValueError(f"NeighborLoader: data must have the key 'edge_index', got {sorted(map(str, data))}")
    if isinstance(data, tuple) and 1 <= len(data) <= len(_TUPLE_KEYS) and not hasattr(data[0], "get_tensor"):
        return dict(zip(_TUPLE_KEYS, data))
    raise ValueError(
        "NeighborLoader: data must be a kith.Dataset, a torch_geometric.data.Data, a dict of the arguments of "
        f"Dataset.from_arrays or a tuple (edge_index, x, y), got {type(data).__name__}"
    )


def _dataset_of_pyg(data: Any, partition: dict[str, Any]) -> Dataset:
    """Only what the engine can hold goes in; the rest of a batch is selected from the Data itself."""
    if partition.get("communities") is not None:
        partition["communities"] = integers("communities", partition["communities"])
    stamp = (_stamp(data), {name: _value(option) for name, option in partition.items()})
    key = id(data)
    if key in _prepared and _prepared[key][0]() is data and _prepared[key][1] == stamp:
        return _prepared[key][2]
    held = _engine_part(data)
    dataset = Dataset.from_arrays(**held, **partition)
    num_edges = held["edge_index"].shape[1]
    repeats = num_edges - dataset.num_edges
    if repeats:
        warnings.warn(
            f"NeighborLoader: {repeats} of {num_edges} edges repeat another one and are left out", stacklevel=5
        )
    _prepared[key] = (weakref.ref(data, lambda _: _prepared.pop(key, None)), stamp, dataset)
    return dataset


def _stamp(data: Any) -> list[Any]:
    """Changes when a tensor that was copied into the dataset is replaced or written to."""
    stamp: list[Any] = [data.num_nodes]
    for name in ("edge_index", "x", "y"):
        value = data.get(name)
        if hasattr(value, "data_ptr"):
            version = 0 if value.is_inference() else value._version
            stamp.append((name, value.data_ptr(), tuple(value.shape), str(value.dtype), version))
    return stamp


def _value(option: Any) -> Any:
    """What stands for an option in a comparison."""
    return (option.shape, option.tobytes()) if isinstance(option, np.ndarray) else option


def _engine_part(data: Any) -> dict[str, Any]:
    """The arguments of Dataset.from_arrays that the Data has in a form that the engine holds."""
    if data.get("edge_index") is None:
        raise ValueError("NeighborLoader: data must have edge_index (leave the ToSparseTensor transform out)")
    arrays = {"edge_index": array_of("edge_index", data.edge_index), "num_nodes": data.num_nodes}
    if holds_features(data):
        arrays["x"] = np.ascontiguousarray(array_of("x", data.x))
    if holds_labels(data):
        arrays["y"] = array_of("y", data.y)
    return arrays


def holds_features(data: Any) -> bool:
    """Whether the engine holds x of a Data: [N, F] float32 or float16 in host memory."""
    x = data.get("x")
    return _is_dense(x, ("torch.float32", "torch.float16")) and x.dim() == 2 and x.shape[1] > 0


def holds_labels(data: Any) -> bool:
    """Whether the engine holds y of a Data: [N] int64 classes, -1 = none, in host memory."""
    y = data.get("y")
    if not _is_dense(y, ("torch.int64",)) or tuple(y.shape) != (data.num_nodes,):
        return False
    return y.numel() == 0 or (int(y.min()) >= -1 and int(y.max()) < max(2 * y.numel(), 2**16))


def _is_dense(value: Any, dtypes: tuple[str, ...]) -> bool:
    is_tensor = hasattr(value, "is_sparse") and str(value.dtype) in dtypes
    return is_tensor and value.device.type == "cpu" and str(value.layout) == "torch.strided"
