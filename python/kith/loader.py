"""Mini-batches that follow the structure of the graph, in PyG's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kith import _core
from kith._arguments import UINT64_MAX, flag, integer, number
from kith.dataset import Dataset

MAX_EPOCH = 2**24 - 1


class Block(NamedTuple):
    """The bipartite graph of one hop. Ids are local to the batch; the destinations are a prefix of the sources.

    The sources of destination v are indices[indptr[v]:indptr[v + 1]].
    """

    num_dst: int
    num_src: int
    indptr: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]


@dataclass(eq=False)
class Batch:
    """One mini-batch: PyG's names and meanings, as NumPy arrays. It may outlive its loader."""

    x: npt.NDArray[np.float32] | None
    """[n, F] features of the input nodes."""
    y: npt.NDArray[Any] | None
    """[n] classes, -1 = none, or [n, C] of 0/1. Those of the roots are y[:batch_size]."""
    edge_index: npt.NDArray[np.int64]
    """[2, E] local ids: row 0 the neighbour that was drawn, row 1 the node that it was drawn for, ascending."""
    n_id: npt.NDArray[np.int64]
    """[n] the input nodes, in the dataset's ids; roots first."""
    e_id: npt.NDArray[np.int64]
    """[E] `dataset.edge_id` of each edge, or its position in `dataset.indices` if there is none."""
    input_id: npt.NDArray[np.int64]
    """[batch_size] position of each root in the loader's input_nodes."""
    num_sampled_nodes: list[int]
    """Roots, then the nodes that each hop adds; sums to n."""
    num_sampled_edges: list[int]
    """Edges that each hop draws; sums to E."""
    indptr: npt.NDArray[np.int32]
    """Row bounds of the adjacency of the whole batch, of which every block is a prefix."""
    indices: npt.NDArray[np.int32]
    """[E] local ids, as row 0 of edge_index."""
    stats: dict[str, float]
    """roots, communities and label_entropy_bits (both of the roots), input_nodes, reused_input_nodes (that the
    batch before had too), pages (of 4 KiB, of the feature table), edges, intra_edges, sample_seconds."""
    edge_weight: npt.NDArray[np.float32] | None = None
    """[E] with unbiased=True: the weighted sum over a node's edges estimates the mean over its neighbours."""

    @property
    def batch_size(self) -> int:
        """Number of roots, the first of the input nodes."""
        return self.num_sampled_nodes[0]

    @property
    def num_nodes(self) -> int:
        return self.n_id.size

    @property
    def num_edges(self) -> int:
        return self.e_id.size

    @property
    def blocks(self) -> list[Block]:
        """One block a hop, the outermost first, as a model applies its layers. Views, not copies."""
        known = np.cumsum(self.num_sampled_nodes).tolist()
        blocks = []
        for num_dst, num_src in zip(known[-2::-1], known[:0:-1]):
            indptr = self.indptr[: num_dst + 1]
            blocks.append(Block(num_dst, num_src, indptr, self.indices[: indptr[-1]]))
        return blocks

    def __repr__(self) -> str:
        fields = ("x", "y", "edge_index", "n_id", "e_id", "input_id")
        shapes = ((name, getattr(self, name)) for name in fields)
        text = ", ".join(f"{name}={None if array is None else list(array.shape)}" for name, array in shapes)
        return f"Batch(batch_size={self.batch_size}, {text})"


# PyG's options that are not supported, with the one value that means the same here.
_PYG_ONLY: dict[str, Any] = {
    "input_time": None,
    "subgraph_type": "directional",
    "disjoint": False,
    "temporal_strategy": "uniform",
    "time_attr": None,
    "weight_attr": None,
    "transform_sampler_output": None,
    "is_sorted": False,
    "filter_per_worker": None,
    "neighbor_sampler": None,
    "directed": True,
    "num_workers": 0,
    "persistent_workers": False,
    "pin_memory": False,
    "worker_init_fn": None,
}


class NeighborLoader:
    """Iterates over the batches of one epoch after another.

    data: the dataset. num_neighbors: neighbours drawn per hop, from the roots outwards; -1 = all.
    input_nodes: the roots: "train", "valid" (or "val"), "test", a mask, ids (of the dataset), or None = all.
    replace: draw with replacement. transform: called with every batch, its result is handed out.
    batch_size: roots a batch. mix: share of the communities that are mixed, 0 (one at a time) to 1 (uniform).
    group: communities mixed, as a count, in place of `mix`; "auto" fills the last-level cache.
    mixing: what `mix` is a share of: "communities" (random ones), "nested" (communities that are neighbours at
    the coarser levels), "balanced" (roots, in whole communities), "leaky" (roots, shuffled over the epoch).
    p_intra: weight of an edge inside a community against 1 - p_intra for one that leaves it; 0.5 = uniform.
    no_intra: at p_intra=1, a node without a neighbour inside draws outside ("keep") or none ("drop").
    unbiased: give each edge a weight (`edge_weight`) that takes p_intra's bias out of a node's mean.
    level, bias_level: community level of `mix` and of `p_intra` (None: the same), 0 = finest.
    sampler: "neighbor"; "labor" (LABOR-0, arXiv 2210.13339: nodes of a hop share their draws); "cluster"
    (Cluster-GCN, arXiv 1905.07953: a batch is the sub-graph of one super-community; of num_neighbors only the
    length counts, batch_size and p_intra do not); "full" (all neighbours).
    dependency: consecutive batches that share their draws (arXiv 2310.12403).
    batch_order: "shuffled", "sequential" or "window:K".
    shuffle: False takes the roots as stored, the same in every epoch. drop_last: leave out a short last batch.
    rank, world_size: the part of an epoch that one of several processes gets: as many batches as each other, no
    root twice, whole super-communities where they fit; together, the batches of one process.
    seed: of plan and sampler. device: where features are gathered.
    prefetch: batches made ahead, on as many threads; 0 makes each when it is asked for.

    Every batch is a pure function of these options and the epoch; prefetch does not change it. Each full
    iteration moves `epoch` on by one; `set_epoch` sets it. PyG's other options raise ValueError unless they
    have PyG's default.
    """

    def __init__(
        self,
        data: Dataset,
        num_neighbors: Sequence[int],
        input_nodes: npt.ArrayLike | str | None = None,
        *,
        replace: bool = False,
        transform: Callable[[Batch], Any] | None = None,
        batch_size: int = 1024,
        mix: float = 0.125,
        group: int | str | None = None,
        mixing: str = "communities",
        p_intra: float = 0.9,
        no_intra: str = "keep",
        unbiased: bool = False,
        level: int = 0,
        bias_level: int | None = None,
        sampler: str = "neighbor",
        dependency: int = 1,
        batch_order: str = "shuffled",
        shuffle: bool = True,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        device: str = "cpu",
        prefetch: int = 2,
        **pyg_options: Any,
    ) -> None:
        if not isinstance(data, Dataset):
            raise ValueError(f"NeighborLoader: data must be a kith.Dataset, got {type(data).__name__}")
        _check_pyg_options(pyg_options)
        options = _core.LoaderOptions()
        options.fanouts = [integer("num_neighbors", count, -1) for count in num_neighbors]
        options.with_replacement = flag("replace", replace)
        options.batch_size = integer("batch_size", batch_size, 1)
        options.mix = number("mix", mix)
        if group == "auto":
            options.is_group_auto = True
        elif group is not None:
            options.group = integer("group", group, 1)
        options.p_intra = number("p_intra", p_intra)
        options.no_intra = no_intra
        options.mixing = mixing
        options.sampler = sampler
        options.is_unbiased = flag("unbiased", unbiased)
        options.dependency = integer("dependency", dependency, 1)
        options.world_size = integer("world_size", world_size, 1)
        options.rank = integer("rank", rank, 0, options.world_size - 1)
        options.level = integer("level", level, 0)
        if bias_level is not None:
            options.bias_level = integer("bias_level", bias_level, 0)
        options.batch_order = batch_order
        options.is_shuffled = flag("shuffle", shuffle)
        options.drop_last = flag("drop_last", drop_last)
        options.seed = integer("seed", seed, 0, UINT64_MAX)
        options.prefetch_depth = integer("prefetch", prefetch, 0)
        options.keep_edges = True
        self._is_unbiased = options.is_unbiased
        self.data = data
        self.transform = transform
        self._backend = _core.Backend(device)
        self._handle = _core.Loader(data._handle, data.nodes(input_nodes, "input_nodes"), options)
        self._epoch = 0
        self._handed_out = 0  # batches of the latest iteration
        self._resume_at = 0

    def __len__(self) -> int:
        """Batches an epoch."""
        return self._handle.num_batches

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration is."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Makes the next iteration that of `epoch`, from its first batch."""
        self._epoch = integer("epoch", epoch, 0, MAX_EPOCH)
        self._handed_out = self._resume_at = 0

    def state_dict(self) -> dict[str, int]:
        """Where the loader stands: the epoch, and the batches that the latest iteration has handed out."""
        return {"epoch": self._epoch, "batch": self._handed_out, "num_batches": len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on where `state_dict` was taken: the next iteration is the rest of that epoch."""
        if state.get("num_batches") != len(self):
            raise ValueError(
                f"load_state_dict: the state is of a loader of {state.get('num_batches')} batches, "
                f"this one has {len(self)}"
            )
        batch = integer("load_state_dict: batch", state["batch"], 0, len(self))
        self.set_epoch(state["epoch"])
        self._handed_out = self._resume_at = batch

    def __iter__(self) -> Iterator[Any]:
        # Left in mid-epoch, it starts the epoch again, unless load_state_dict said where to go on.
        first, self._resume_at = self._resume_at, 0
        self._handed_out = first
        return self._batches(self._epoch, first)

    def _batches(self, epoch: int, first: int) -> Iterator[Any]:
        stream = _core.BatchStream(self._handle, self.data._handle, self._backend, epoch, first)
        handed_out = first
        while (arrays := stream.next()) is not None:
            handed_out += 1
            self._handed_out = handed_out
            batch = Batch(**arrays)
            if self._is_unbiased and batch.edge_weight is None:  # no edges, no weights
                batch.edge_weight = np.zeros(0, np.float32)
            yield batch if self.transform is None else self.transform(batch)
        if self._epoch == epoch:
            self.set_epoch(min(epoch + 1, MAX_EPOCH))

    def __repr__(self) -> str:
        return f"NeighborLoader(num_batches={len(self)}, epoch={self.epoch}, data={self.data!r})"


def _check_pyg_options(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name not in _PYG_ONLY:
            raise TypeError(f"NeighborLoader: there is no option {name!r}")
        default = _PYG_ONLY[name]
        if value is not default and not (isinstance(value, type(default)) and value == default):
            hint = "; use prefetch=, which counts batches" if name == "num_workers" else ""
            raise ValueError(f"NeighborLoader: {name}={value!r} is not supported{hint}")
