"""A prepared graph: adjacency, features, labels, splits and communities, in community order."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from kith import _core, interop
from kith._arguments import INT32_MAX, UINT64_MAX, array_of, flag, integer, integers, node_ids, number

SPLITS = ("train", "valid", "test")


class Dataset:
    """A graph with everything that training reads. Make one with `open` or `from_arrays`.

    Nodes are numbered so that every community is one contiguous range of ids. These ids, the dataset's own, are
    what everything here and in a batch speaks; `original_id[v]` is the node's id in its source, and
    `from_original` translates the other way.
    """

    def __init__(self, handle: _core.Dataset) -> None:
        self._handle = handle
        self._original_order: npt.NDArray[np.int64] | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str], map_features: bool = True, verify: bool = False) -> Dataset:
        """Reads a file that `kith prepare`, `kith generate` or `save` wrote.

        map_features: leave the features in the file and map it, instead of loading them.
        verify: compare every checksum first, which reads the whole file.
        Raises OSError with one line that says what is wrong with the file.
        """
        map_features, verify = flag("map_features", map_features), flag("verify", verify)
        return cls(_core.Dataset.open(os.fspath(path), map_features, verify))

    @classmethod
    def from_arrays(
        cls,
        edge_index: npt.ArrayLike,
        x: npt.ArrayLike | None = None,
        y: npt.ArrayLike | None = None,
        train: npt.ArrayLike | None = None,
        valid: npt.ArrayLike | None = None,
        test: npt.ArrayLike | None = None,
        communities: npt.ArrayLike | None = None,
        *,
        num_nodes: int | None = None,
        num_classes: int | None = None,
        symmetrize: bool = False,
        method: str = "metis",
        num_communities: int | None = None,
        community_size: int = 256,
        num_levels: int = 3,
        imbalance: float = 1.0,
        seed: int = 0,
    ) -> Dataset:
        """Makes a dataset of arrays (NumPy, or anything that NumPy can read, such as CPU tensors).

        edge_index: [2, E] integers, row 0 the sources, row 1 the targets; int64 is read in place. Repeated
        edges count once. x: [N, F] float32 or float16, C-contiguous; copied once, into the new order.
        y: [N] classes, -1 = none, or [N, C] of 0/1 for multi-label.
        train, valid, test: node ids, or masks [N]. communities: [N] the community of each node; None finds
        them.
        symmetrize: add the reverse of every edge that has none.
        method ("metis" or "lpa"), num_communities or community_size (mean nodes), num_levels, imbalance and
        seed say how communities are found.

        Everything is renumbered to community order: `original_id` holds the positions in these arrays, and
        `e_id` of a batch the columns of `edge_index`.
        """
        edges = integers("edge_index", edge_index)
        if edges.ndim != 2 or edges.shape[0] != 2:
            raise ValueError(f"edge_index must have the shape [2, E], got {list(edges.shape)}")
        features = None if x is None else array_of("x", x)
        labels = None if y is None else array_of("y", y)
        if num_nodes is None:
            num_nodes = _count_nodes(edges, features, labels)
        num_nodes = integer("num_nodes", num_nodes, 0, INT32_MAX - 1)
        of_node, indicator = _labels(labels)
        if num_classes is None:
            num_classes = _count_classes(of_node, indicator)
        options = _core.PartitionOptions()
        options.method = method
        if num_communities is not None:
            options.num_communities = integer("num_communities", num_communities, 1)
        options.community_size = integer("community_size", community_size, 1)
        options.num_levels = integer("num_levels", num_levels, 1)
        options.imbalance = number("imbalance", imbalance)
        options.seed = integer("seed", seed, 0, UINT64_MAX)
        splits = {
            name: node_ids(name, [] if ids is None else ids, num_nodes)
            for name, ids in zip(SPLITS, (train, valid, test))
        }
        return cls(
            _core.Dataset.from_arrays(
                num_nodes=num_nodes,
                edge_index=edges,
                x=features,
                labels=of_node,
                label_indicator=indicator,
                num_classes=integer("num_classes", num_classes, 0),
                splits=splits,
                communities=None if communities is None else _community_numbers(communities),
                symmetrize=flag("symmetrize", symmetrize),
                options=options,
            )
        )

    @classmethod
    def from_pyg(cls, data: Any, **options: Any) -> Dataset:
        """Makes a dataset of a torch_geometric Data: edge_index, x, y and the train, val and test mask.

        options: further arguments of from_arrays (symmetrize, method, ...); x, y and splits given here come
        first. Edge attributes are not kept; `edge_id` names the columns of data.edge_index. Raises ValueError.
        """
        return cls.from_arrays(**{**interop.arrays_of_pyg(data), **options})

    def to_pyg(self) -> Any:
        """A torch_geometric Data with copies of x, y, masks and original_id; nodes in the dataset's order."""
        return interop.pyg_of(self)

    @classmethod
    def from_ogb(cls, source: Any, root: str = "dataset", **options: Any) -> Dataset:
        """Makes a dataset of one of OGB's node property prediction sets, with its official split.

        source: its name, for which the package ogb downloads it into `root`, or a NodePropPredDataset or
        PygNodePropPredDataset of one node type. options: as from_arrays. Edge features are not kept; nodes with
        the label NaN get -1. Raises ValueError.
        """
        return cls.from_arrays(**{**interop.arrays_of_ogb(source, root), **options})

    @classmethod
    def from_scipy(
        cls, adj: Any, x: npt.ArrayLike | None = None, y: npt.ArrayLike | None = None, **options: Any
    ) -> Dataset:
        """Makes a dataset of a square scipy.sparse matrix: a stored entry (i, j) is an edge from i to j.

        Values are not kept, and a stored zero is an edge too; `edge_id` counts the entries of adj.tocoo().
        x, y, options: as from_arrays. Raises ValueError.
        """
        return cls.from_arrays(**{**interop.arrays_of_scipy(adj), "x": x, "y": y, **options})

    @classmethod
    def from_networkx(cls, graph: Any, x: Any = None, y: Any = None, **options: Any) -> Dataset:
        """Makes a dataset of a networkx graph; `original_id` is the position in list(graph).

        x, y, communities, train, valid, test: the name of a node attribute, or an array in the order of
        list(graph). An undirected graph gets both directions of its edges. options: as from_arrays. Raises
        ValueError.
        """
        named = {"x": x, "y": y} | {name: options.pop(name, None) for name in ("communities", *SPLITS)}
        return cls.from_arrays(**{**interop.arrays_of_networkx(graph, named), **options})

    @classmethod
    def from_dgl(cls, graph: Any, x: str = "feat", y: str = "label", **options: Any) -> Dataset:
        """Makes a dataset of a DGLGraph of one node and edge type.

        x, y: what features and labels are called in ndata, where train_mask, val_mask and test_mask are read
        too; what is not there is left out. Edge data are not kept; `edge_id` is DGL's edge id.
        options: as from_arrays. Raises ValueError.
        """
        return cls.from_arrays(**{**interop.arrays_of_dgl(graph, x, y), **options})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a file that `open` and the kith command read."""
        self._handle.save(os.fspath(path))

    @property
    def num_nodes(self) -> int:
        return self._handle.num_nodes

    @property
    def num_edges(self) -> int:
        return self._handle.num_edges

    @property
    def num_features(self) -> int:
        """Columns of `x`; 0 without features."""
        return self._handle.num_features

    @property
    def num_classes(self) -> int:
        return self._handle.num_classes

    @property
    def is_multi_label(self) -> bool:
        return self._handle.is_multi_label

    @property
    def is_directed(self) -> bool:
        """Whether some edge lacks its reverse."""
        return self._handle.is_directed

    @property
    def feature_type(self) -> str:
        """How features are stored: "f32", "f16" or "bf16"."""
        return self._handle.feature_type

    @property
    def x(self) -> npt.NDArray[Any] | None:
        """[num_nodes, num_features] features as stored, without a copy (bf16: its bits). Read-only."""
        return self._handle.x

    @property
    def y(self) -> npt.NDArray[Any] | None:
        """[num_nodes] classes, -1 = none, or [num_nodes, num_classes] of 0/1 for multi-label. Read-only."""
        return self._handle.y

    @property
    def train(self) -> npt.NDArray[np.int64]:
        """Node ids, ascending."""
        return self._handle.split("train").astype(np.int64)

    @property
    def valid(self) -> npt.NDArray[np.int64]:
        """Node ids, ascending."""
        return self._handle.split("valid").astype(np.int64)

    @property
    def test(self) -> npt.NDArray[np.int64]:
        """Node ids, ascending."""
        return self._handle.split("test").astype(np.int64)

    @property
    def original_id(self) -> npt.NDArray[np.int64]:
        """[num_nodes] the id of each node in the source. Read-only."""
        return self._handle.original_id

    @property
    def edge_id(self) -> npt.NDArray[np.int64] | None:
        """[num_edges] the position of each edge in the source, if it was kept. Read-only."""
        edge_id = self._handle.edge_id
        return edge_id if edge_id.size == self.num_edges else None

    @property
    def indptr(self) -> npt.NDArray[np.int64]:
        """[num_nodes + 1] row bounds of the adjacency; row v holds the in-neighbours of v. Read-only."""
        return self._handle.indptr

    @property
    def indices(self) -> npt.NDArray[np.int32]:
        """[num_edges] in-neighbours, ascending in each row. Read-only."""
        return self._handle.indices

    @property
    def edge_index(self) -> npt.NDArray[np.int64]:
        """[2, num_edges] a new array of the edges in the dataset's ids, by target; row 0 holds the sources."""
        targets = np.repeat(np.arange(self.num_nodes), np.diff(self.indptr))
        return np.stack([self.indices.astype(np.int64), targets])

    @property
    def num_levels(self) -> int:
        """Levels of communities; level 0 is the finest."""
        return self._handle.num_levels

    def communities(self, level: int = 0) -> npt.NDArray[np.int32]:
        """[num_nodes] the community of each node; never falls, as a community is a range of ids. Read-only."""
        return self._handle.community_of(integer("level", level, 0))

    def community_offsets(self, level: int = 0) -> npt.NDArray[np.int64]:
        """[num_communities + 1] community c holds the ids offsets[c] to offsets[c + 1] - 1. Read-only."""
        return self._handle.community_offsets(integer("level", level, 0))

    def from_original(self, original_ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The dataset's ids of nodes named by their ids in the source."""
        wanted = integers("original_ids", original_ids)
        if self._original_order is None:
            self._original_order = np.argsort(self.original_id, kind="stable")
        place = np.searchsorted(self.original_id, wanted, sorter=self._original_order)
        found = self._original_order[np.minimum(place, self.num_nodes - 1)]
        missing = self.original_id[found] != wanted
        if missing.any():
            raise ValueError(f"original_ids: no node has the original id {wanted[missing].flat[0]}")
        return found

    def nodes(self, which: npt.ArrayLike | str | None, name: str = "nodes") -> npt.NDArray[np.int32]:
        """Node ids from "train", "valid" (or "val"), "test", a mask, ids, or None for all nodes."""
        if which is None:
            return np.arange(self.num_nodes, dtype=np.int32)
        if isinstance(which, str):
            return np.array(self._handle.split(which))
        return node_ids(name, which, self.num_nodes)

    def __repr__(self) -> str:
        names = ("num_nodes", "num_edges", "num_features", "num_classes", "num_levels")
        return f"Dataset({', '.join(f'{name}={getattr(self, name)}' for name in names)})"


def _count_nodes(edges: npt.NDArray[np.int64], x: npt.NDArray[Any] | None, y: npt.NDArray[Any] | None) -> int:
    for array in (x, y):
        if array is not None and array.ndim > 0:
            return array.shape[0]
    return int(edges.max()) + 1 if edges.size else 0


def _labels(y: npt.NDArray[Any] | None) -> tuple[npt.NDArray[np.int32] | None, npt.NDArray[np.uint8] | None]:
    """One class a node, or a row of 0/1 a node; at most one of the two."""
    if y is None:
        return None, None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2):
        raise ValueError(f"y must have the shape [N] or [N, C], got {list(y.shape)}")
    if y.ndim == 1:
        classes = integers("y", y)
        if classes.size and (classes.min() < -1 or classes.max() >= INT32_MAX):
            raise ValueError(
                f"y must hold classes from 0, or -1 for none, got {classes.min()} to {classes.max()}"
            )
        return classes.astype(np.int32), None
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y of shape [N, C] must hold 0 and 1 only")
    return None, np.ascontiguousarray(y, dtype=np.uint8)


def _count_classes(of_node: npt.NDArray[np.int32] | None, indicator: npt.NDArray[np.uint8] | None) -> int:
    if indicator is not None:
        return indicator.shape[1]
    return int(of_node.max()) + 1 if of_node is not None and of_node.size else 0


def _community_numbers(communities: npt.ArrayLike) -> npt.NDArray[np.int32]:
    numbers = integers("communities", communities)
    if numbers.ndim != 1:
        raise ValueError(f"communities must have the shape [N], got {list(numbers.shape)}")
    if numbers.size and (numbers.min() < 0 or numbers.max() > INT32_MAX):
        raise ValueError(f"communities must be in [0, {INT32_MAX}], got {numbers.min()} to {numbers.max()}")
    return numbers.astype(np.int32)
