"""Graphs of other libraries as arguments of `Dataset.from_arrays`, and back. Imports nothing until asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kith._arguments import array_of

if TYPE_CHECKING:
    from kith.dataset import Dataset

_MASKS = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}


def is_pyg_data(value: Any) -> bool:
    """Whether `value` is a torch_geometric.data.Data, found out without importing PyG."""
    return any(
        base.__module__ == "torch_geometric.data.data" and base.__name__ == "Data"
        for base in type(value).__mro__
    )


def arrays_of_pyg(data: Any) -> dict[str, Any]:
    """edge_index, x, y, num_nodes and the splits (train_mask, val_mask, test_mask) of a PyG Data."""
    if not is_pyg_data(data):
        raise ValueError(
            f"from_pyg: data must be a torch_geometric.data.Data (one node type), got {type(data).__name__}"
        )
    if data.get("edge_index") is None:
        raise ValueError("from_pyg: data must have edge_index (leave the ToSparseTensor transform out)")
    arrays = {"edge_index": array_of("edge_index", data.edge_index), "num_nodes": data.num_nodes}
    for name in ("x", "y"):
        if data.get(name) is not None:
            arrays[name] = array_of(name, data[name])
    for name, mask in _MASKS.items():
        if data.get(mask) is None:
            continue
        arrays[name] = array_of(mask, data[mask])
        if arrays[name].ndim == 2:
            raise ValueError(f"from_pyg: {mask} holds {arrays[name].shape[1]} splits; set it to one column")
    return arrays


def pyg_of(dataset: Dataset) -> Any:
    """A torch_geometric Data that owns copies of the dataset's arrays, in the dataset's ids and edge order."""
    import torch
    from torch_geometric.data import Data

    data = Data(edge_index=torch.from_numpy(dataset.edge_index), num_nodes=dataset.num_nodes)
    if dataset.x is not None:
        data.x = torch.from_numpy(dataset.x.copy())
        if dataset.feature_type == "bf16":  # NumPy sees its bits
            data.x = data.x.view(torch.bfloat16)
    if dataset.y is not None:
        y = torch.from_numpy(dataset.y.copy())
        data.y = y if dataset.is_multi_label else y.long()
    for name, mask in _MASKS.items():
        data[mask] = torch.zeros(dataset.num_nodes, dtype=torch.bool)
        data[mask][torch.from_numpy(getattr(dataset, name))] = True
    data.original_id = torch.from_numpy(dataset.original_id.copy())
    return data


def arrays_of_ogb(source: Any, root: str) -> dict[str, Any]:
    """The graph, labels and split of an ogb.nodeproppred dataset, or of the one that has this name.

    NaN labels (unlabelled nodes) become -1.
    """
    if isinstance(source, str):
        from ogb.nodeproppred import NodePropPredDataset

        source = NodePropPredDataset(source, root=root)
    if not hasattr(source, "get_idx_split"):
        raise ValueError(
            f"from_ogb: expected a dataset of ogb.nodeproppred or its name, got {type(source).__name__}"
        )
    first = source[0]
    if is_pyg_data(first):
        arrays = {name: value for name, value in arrays_of_pyg(first).items() if name not in _MASKS}
    elif isinstance(first, tuple) and isinstance(first[0], Mapping):
        graph, labels = first
        arrays = {"edge_index": graph["edge_index"], "num_nodes": graph["num_nodes"], "y": labels}
        if graph.get("node_feat") is not None:
            arrays["x"] = graph["node_feat"]
    else:
        raise ValueError("from_ogb: expected NodePropPredDataset or PygNodePropPredDataset of one node type")
    arrays["y"] = _whole_labels(array_of("y", arrays["y"]))
    split = source.get_idx_split()
    return arrays | {name: split[name] for name in _MASKS}


def _whole_labels(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if y.dtype.kind != "f":
        return y
    known = ~np.isnan(y)
    if not (y[known] == np.floor(y[known])).all():
        raise ValueError("from_ogb: labels must be classes, got numbers with fractions")
    return np.where(known, y, -1).astype(np.int64)


def arrays_of_scipy(adj: Any) -> dict[str, Any]:
    """A square scipy.sparse matrix: every stored entry (i, j), whatever its value, is an edge i -> j."""
    if not hasattr(adj, "tocoo"):
        raise ValueError(f"from_scipy: adj must be a scipy.sparse matrix, got {type(adj).__name__}")
    if len(adj.shape) != 2 or adj.shape[0] != adj.shape[1]:
        raise ValueError(f"from_scipy: adj must be square, got shape {tuple(adj.shape)}")
    coo = adj.tocoo()
    return {"edge_index": np.stack([coo.row, coo.col]).astype(np.int64), "num_nodes": adj.shape[0]}


def arrays_of_networkx(graph: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A networkx graph; node i is the i-th of `list(graph)`. An undirected edge becomes two.

    attributes: values by argument of from_arrays; a string names a node attribute, which every node must have.
    """
    if not (hasattr(graph, "is_directed") and hasattr(graph, "nodes")):
        raise ValueError(f"from_networkx: expected a networkx graph, got {type(graph).__name__}")
    position = {node: i for i, node in enumerate(graph)}
    edges = np.array([(position[u], position[v]) for u, v in graph.edges()], np.int64).reshape(-1, 2).T
    arrays: dict[str, Any] = {"edge_index": np.ascontiguousarray(edges), "num_nodes": len(position)}
    if not graph.is_directed():
        arrays["symmetrize"] = True
    for name, value in attributes.items():
        if isinstance(value, str):
            missing = next((node for node, fields in graph.nodes(data=True) if value not in fields), None)
            if missing is not None:
                raise ValueError(f"from_networkx: {name}={value!r}, but node {missing!r} has no such attribute")
            value = np.array([fields[value] for _, fields in graph.nodes(data=True)])
            if name == "x":
                value = value.reshape(len(position), -1).astype(np.float32)
        if value is not None:
            arrays[name] = value
    return arrays


def arrays_of_dgl(graph: Any, x: str, y: str) -> dict[str, Any]:
    """A DGLGraph of one node and edge type: features ndata[x], labels ndata[y], and the masks in ndata."""
    if not all(hasattr(graph, name) for name in ("edges", "num_nodes", "ndata")):
        raise ValueError(f"from_dgl: expected a DGLGraph, got {type(graph).__name__}")
    if not graph.is_homogeneous:
        raise ValueError("from_dgl: expected one node and edge type (see dgl.to_homogeneous)")
    sources, targets = graph.edges(order="eid")
    edge_index = np.stack([array_of("edges", sources), array_of("edges", targets)])
    arrays: dict[str, Any] = {"edge_index": edge_index, "num_nodes": graph.num_nodes()}
    for name, key in {"x": x, "y": y, **_MASKS}.items():
        if key in graph.ndata:
            arrays[name] = array_of(key, graph.ndata[key])
            if name in _MASKS:
                arrays[name] = arrays[name].astype(bool)  # some data sets of DGL store masks as uint8
    return arrays
