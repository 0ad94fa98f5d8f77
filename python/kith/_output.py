"""Batches as PyG's Data, torch tensors or NumPy arrays. Tensors share the memory of the engine's arrays."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kith._graph_input import GraphInput, holds_features, holds_labels

if TYPE_CHECKING:
    from kith.loader import Batch

OUTPUTS = ("pyg", "torch", "numpy")
# Fields of a Batch that PyG has no name for; `blocks` shows them.
_ADJACENCY = ("indptr", "indices")


def resolve_output(output: str | None, source: GraphInput) -> str:
    """The name of the output; None means what suits the data, or the richest that is imported already."""
    if output is None:
        return "pyg" if source.pyg is not None else _richest_imported()
    if output not in OUTPUTS:
        raise ValueError(f"output must be one of {OUTPUTS} or None, got {output!r}")
    return output


def _richest_imported() -> str:
    if "torch_geometric" in sys.modules:
        return "pyg"
    return "torch" if "torch" in sys.modules else "numpy"


def converter(output: str, source: GraphInput) -> Callable[[Batch], Any]:
    """The function that turns a batch of the engine, its ids those of the user, into what is handed out."""
    if output == "pyg":
        return _PygConverter(source)
    select = _Selector(source.pyg) if source.pyg is not None else None
    to_tensors = output == "torch"

    def convert(batch: Batch) -> Batch:
        if select is None and not to_tensors:
            return batch
        _arrays_to_tensors(batch)
        if select is not None:
            selected = select.nodes(batch)
            batch.x, batch.y = selected.get("x", batch.x), selected.get("y", batch.y)
        if not to_tensors:
            _tensors_to_arrays(batch)
        return batch

    return convert


def _arrays_to_tensors(batch: Batch) -> None:
    from torch import from_numpy

    for name, value in vars(batch).items():
        if isinstance(value, np.ndarray):
            setattr(batch, name, from_numpy(value))


def _tensors_to_arrays(batch: Batch) -> None:
    for name, value in vars(batch).items():
        if hasattr(value, "detach"):
            setattr(batch, name, value.detach().cpu().numpy())


class _Selector:
    """Selects what the engine does not hold from the user's Data: every attribute of nodes and of edges.

    Which attribute is of nodes or edges is PyG's judgement, when the loader is made; values are read for each
    batch.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        held = {"edge_index", "num_nodes"}
        held |= {"x"} if holds_features(data) else set()
        held |= {"y"} if holds_labels(data) else set()
        keys = [key for key in data.keys() if key not in held]
        self._node_keys = [key for key in keys if data.is_node_attr(key)]
        self._edge_keys = [key for key in keys if data.is_edge_attr(key)]
        self._x_dtype = data.x.dtype if "x" in held else None

    def nodes(self, batch: Batch) -> dict[str, Any]:
        """The attributes of nodes. batch: of tensors."""
        selected = {key: self._select(key, batch.n_id) for key in self._node_keys}
        if self._x_dtype is not None:
            # The engine hands out float32; half precision comes back exactly.
            selected["x"] = batch.x.to(self._x_dtype)
        return selected

    def edges(self, batch: Batch) -> dict[str, Any]:
        """The attributes of edges. batch: of tensors."""
        return {key: self._select(key, batch.e_id) for key in self._edge_keys}

    def _select(self, key: str, index: Any) -> Any:
        value = self._data[key]
        dim = self._data.__cat_dim__(key, value)
        if isinstance(value, np.ndarray):
            return value.take(index.numpy(), axis=dim)
        return value.index_select(dim, index.to(value.device))


class _PygConverter:
    """Makes Data objects; for a user's Data of its class and with its attributes, as PyG's loader does."""

    def __init__(self, source: GraphInput) -> None:
        try:
            from torch_geometric.data import Data
        except ImportError as error:
            raise ImportError("NeighborLoader: output='pyg' needs torch_geometric") from error
        self._template = Data() if source.pyg is None else source.pyg
        self._select = None if source.pyg is None else _Selector(source.pyg)

    def __call__(self, batch: Batch) -> Any:
        _arrays_to_tensors(batch)
        values = {name: value for name, value in vars(batch).items() if name not in _ADJACENCY}
        values |= {"batch_size": batch.batch_size, "blocks": batch.blocks}
        if self._select is not None:  # a user's own n_id or e_id stands, as in PyG
            values |= self._select.nodes(batch) | self._select.edges(batch)
            values["edge_index"] = batch.edge_index.to(self._template.edge_index.device)
        out = copy.copy(self._template)
        if "num_nodes" in out:
            out.num_nodes = batch.num_nodes
        for name, value in values.items():
            if value is not None:
                setattr(out, name, value)
        return out
