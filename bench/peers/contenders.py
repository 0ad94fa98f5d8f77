"""The samplers that bench/peers/sampling.py sets against each other.

Each is a function (graph, roots, fanouts, seed) -> iterator with one Work a batch; roots: [batches,
batch_size]. All draw uniformly without replacement, expand in each hop the nodes that the hop before it added
and no others, relabel, and return 64-bit ids, edge ids among them (Kith's engine has 32-bit node ids, which
its loader widens).

torch-sparse draws without replacement by Floyd's method, but takes [0, j) where the method needs [0, j]: the
last neighbours of a row come too seldom, and a batch reaches 1.3 % fewer nodes than a correct draw does. It
has no weighted sampling; pyg-lib has, from 0.3 on.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import kith
import numpy as np
import torch
import torch_geometric.typing
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader


class Work(NamedTuple):
    edges: int
    nodes: int
    seconds: float


@dataclass
class Graph:
    """One graph, as each contender stores it."""

    dataset: kith.Dataset
    """Without features."""
    colptr: torch.Tensor
    """i64 [N + 1], PyG's name for the row bounds of the in-neighbours."""
    edge_index: torch.Tensor
    """i64 [2, E]: in-neighbours, and the nodes that they are neighbours of, ascending."""

    @classmethod
    def open(cls, path: Path, scratch: Path) -> "Graph":
        """Reads `path`; scratch: folder for a copy without features, since no contender is to gather them."""
        bare = scratch / "bare.kith.h5"
        with h5py.File(path) as source, h5py.File(bare, "w", libver="v108") as target:
            for name in source:
                if name != "features":
                    source.copy(name, target)
            for name, value in source.attrs.items():
                target.attrs[name] = value
            colptr = torch.from_numpy(source["graph/offsets"][:].astype(np.int64))
            row = torch.from_numpy(source["graph/neighbors"][:].astype(np.int64))
        target_nodes = torch.arange(colptr.numel() - 1).repeat_interleave(colptr.diff())
        return cls(kith.Dataset.open(bare), colptr, torch.stack([row, target_nodes]))

    @property
    def num_nodes(self) -> int:
        return self.colptr.numel() - 1

    @property
    def row(self) -> torch.Tensor:
        return self.edge_index[0]


Stream = Iterator[Work]
Contender = Callable[[Graph, np.ndarray, list[int], int], Stream]


def torch_sparse_operator(graph: Graph, roots: np.ndarray, fanouts: list[int], seed: int) -> Stream:
    """torch-sparse, which PyG uses where pyg-lib is missing: the bare operator."""
    for batch in torch.from_numpy(roots):
        start = time.perf_counter()
        node, _, _, edge = torch.ops.torch_sparse.neighbor_sample(
            graph.colptr, graph.row, batch, fanouts, False, True
        )
        yield Work(edge.numel(), node.numel(), time.perf_counter() - start)


def pyg_lib_operator(graph: Graph, roots: np.ndarray, fanouts: list[int], seed: int) -> Stream:
    """pyg-lib, with the arguments that PyG's NeighborSampler gives it: the bare operator."""
    optional = [None, None]  # node times, root times
    optional += [None] * torch_geometric.typing.WITH_EDGE_TIME_NEIGHBOR_SAMPLE
    optional += [None] * torch_geometric.typing.WITH_WEIGHTED_NEIGHBOR_SAMPLE
    for batch in torch.from_numpy(roots):
        start = time.perf_counter()
        out = torch.ops.pyg.neighbor_sample(
            graph.colptr, graph.row, batch, fanouts, *optional, True, False, True, False, "uniform", True
        )
        yield Work(out[0].numel(), out[2].numel(), time.perf_counter() - start)


def pyg_loader(graph: Graph, roots: np.ndarray, fanouts: list[int], seed: int) -> Stream:
    """PyG's NeighborLoader, no worker processes, on a graph without features."""
    data = Data(edge_index=graph.edge_index, num_nodes=graph.num_nodes)
    loader = NeighborLoader(
        data, fanouts, torch.from_numpy(roots.ravel()), batch_size=roots.shape[1], is_sorted=True, shuffle=False
    )
    start = time.perf_counter()
    for batch in loader:
        yield Work(batch.edge_index.shape[1], batch.n_id.numel(), time.perf_counter() - start)
        start = time.perf_counter()


def kith_batches(graph: Graph, roots: np.ndarray, fanouts: list[int], seed: int):
    """The batches of Kith's loader, made when asked for, each with the seconds until it was there."""
    loader = kith.NeighborLoader(
        graph.dataset,
        fanouts,
        roots.ravel(),
        batch_size=roots.shape[1],
        shuffle=False,
        mix=1,
        p_intra=0.5,
        seed=seed,
        prefetch=0,
    )
    start = time.perf_counter()
    for batch in loader:
        yield batch, time.perf_counter() - start
        start = time.perf_counter()


def kith_engine(graph: Graph, roots: np.ndarray, fanouts: list[int], seed: int) -> Stream:
    """Kith: seconds inside the engine for one MiniBatch, as the loader reports them."""
    for batch, _ in kith_batches(graph, roots, fanouts, seed):
        yield Work(batch.num_edges, batch.num_nodes, batch.stats["sample_seconds"])


def kith_loader(graph: Graph, roots: np.ndarray, fanouts: list[int], seed: int) -> Stream:
    """Kith: NeighborLoader up to NumPy arrays in PyG's layout."""
    for batch, seconds in kith_batches(graph, roots, fanouts, seed):
        yield Work(batch.num_edges, batch.num_nodes, seconds)


def available() -> dict[str, Contender]:
    """Every contender that can run here, by name; peers first."""
    contenders: dict[str, Contender] = {}
    if torch_geometric.typing.WITH_PYG_LIB:
        contenders["pyg-lib operator"] = pyg_lib_operator
    if torch_geometric.typing.WITH_TORCH_SPARSE:
        contenders["torch-sparse operator"] = torch_sparse_operator
    if contenders:
        contenders["PyG loader"] = pyg_loader
    contenders["Kith engine"] = kith_engine
    contenders["Kith loader"] = kith_loader
    return contenders
