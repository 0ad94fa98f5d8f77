"""Mini-batches that follow the structure of the graph, in PyG's layout."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from kith import _core
from kith._arguments import flag, integer, integers
from kith._fork import keep_in_forks
from kith._graph_input import graph_input
from kith._options import (
    check_foreign_options,
    engine_options,
    prefetch_depth,
    resolve_seed,
    staging_options,
)
from kith._output import converter, resolve_output
from kith.dataset import Dataset
from kith.interop import is_pyg_data

MAX_EPOCH = 2**24 - 1


class Block(NamedTuple):
    """The bipartite graph of one hop. Ids are local to the batch; the destinations are a prefix of the sources.

    The sources of destination v are indices[indptr[v]:indptr[v + 1]].
    """

    num_dst: int
    num_src: int
    indptr: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]


class Blocks:
    """The blocks of a batch, one a hop, the outermost first, as a model applies its layers. Views, made when
    asked for.

    indptr, indices: the adjacency of the whole batch, of which every block is a prefix (arrays or tensors).
    num_nodes, num_edges: num_sampled_nodes and num_sampled_edges of the batch.
    """

    def __init__(self, indptr: Any, indices: Any, num_nodes: Sequence[int], num_edges: Sequence[int]) -> None:
        self.indptr, self.indices = indptr, indices
        self._nodes = list(accumulate(num_nodes))
        self._edges = list(accumulate(num_edges))

    def __len__(self) -> int:
        return len(self._edges)

    @overload
    def __getitem__(self, index: int) -> Block: ...
    @overload
    def __getitem__(self, index: slice) -> list[Block]: ...
    def __getitem__(self, index: int | slice) -> Block | list[Block]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        hop = len(self) - 1 - range(len(self))[index]
        num_dst, num_src = self._nodes[hop], self._nodes[hop + 1]
        return Block(num_dst, num_src, self.indptr[: num_dst + 1], self.indices[: self._edges[hop]])

    def to(self, *args: Any, **kwargs: Any) -> Blocks:
        """The same on another device, for tensors: what `batch.to(device)` of PyG calls."""
        moved = copy.copy(self)
        moved.indptr, moved.indices = self.indptr.to(*args, **kwargs), self.indices.to(*args, **kwargs)
        return moved

    def __repr__(self) -> str:
        return f"Blocks({len(self)})"


@dataclass(eq=False)
class Batch:
    """One mini-batch: PyG's names and meanings, as arrays or CPU tensors. It may outlive its loader."""

    x: npt.NDArray[np.float32] | None
    """[n, F] features of the input nodes."""
    y: npt.NDArray[Any] | None
    """[n] classes, -1 = none, or [n, C] of 0/1. Those of the roots are y[:batch_size]."""
    edge_index: npt.NDArray[np.int64]
    """[2, E] local ids: row 0 the neighbour that was drawn, row 1 the node that it was drawn for, ascending."""
    n_id: npt.NDArray[np.int64]
    """[n] the input nodes; roots first. In the ids of the data that the loader was given."""
    e_id: npt.NDArray[np.int64]
    """[E] `dataset.edge_id` of each edge, or its position in `dataset.indices` if there is none."""
    input_id: npt.NDArray[np.int64]
    """[batch_size] position of each root in the loader's input_nodes; in a mask that is the node's id."""
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
    batch before had too), pages (of 4 KiB, of the feature table), edges, intra_edges, sample_seconds and
    gather_seconds (of the feature rows)."""
    edge_weight: npt.NDArray[np.float32] | None = None
    """[E] with unbiased=True: the weighted sum over a node's edges estimates the mean over its neighbours."""

    @property
    def batch_size(self) -> int:
        """Number of roots, the first of the input nodes."""
        return self.num_sampled_nodes[0]

    @property
    def num_nodes(self) -> int:
        return len(self.n_id)

    @property
    def num_edges(self) -> int:
        return len(self.e_id)

    @property
    def blocks(self) -> Blocks:
        """One block a hop, the outermost first, as a model applies its layers. Views, not copies."""
        return Blocks(self.indptr, self.indices, self.num_sampled_nodes, self.num_sampled_edges)

    def __repr__(self) -> str:
        fields = ("x", "y", "edge_index", "n_id", "e_id", "input_id")
        shapes = ((name, getattr(self, name)) for name in fields)
        text = ", ".join(f"{name}={None if array is None else list(array.shape)}" for name, array in shapes)
        return f"Batch(batch_size={self.batch_size}, {text})"


class NeighborLoader:
    """Iterates over the batches of one epoch after another. Takes the place of PyG's loader of this name.

    data: what to sample from, and with it the ids of nodes and edges at the API:
        kith.Dataset: the dataset's ids, or with original_ids=True its `original_id`.
        torch_geometric.data.Data: its own ids. It is prepared once for all loaders (communities, and a copy of
        the features in their order); every attribute of nodes and edges is in the batch. Edges that repeat
        another one are left out, with a warning.
        dict of the arguments of Dataset.from_arrays, or tuple (edge_index, x, y): positions in these arrays.
    num_neighbors: neighbours drawn per hop, from the roots outwards; -1 = all.
    input_nodes: the roots: a mask, ids, "train", "valid" (or "val"), "test", or None = all.
    replace: draw with replacement. transform: called with every batch, its result is handed out.
    batch_size: roots a batch. shuffle: False takes the roots as stored, the same in every epoch. By default
        1024 and True for a kith.Dataset; 1 and False, as in PyG, for other data.
    drop_last: leave out a short last batch.
    mix: share of the communities that are mixed, 0 (one at a time) to 1 (uniform). A pair (first, last) is a
        schedule: (0, 0.5), or "0:0.5" as on the command line.
    group: communities mixed, as a count, in place of `mix`; "auto" fills the last-level cache.
    mixing: what `mix` is a share of: "communities" (random ones), "nested" (communities that are neighbours at
    the coarser levels), "balanced" (roots, in whole communities), "leaky" (roots, shuffled over the epoch).
    p_intra: weight of an edge inside a community against 1 - p_intra for one that leaves it; 0.5 = uniform.
        mix=1, p_intra=0.5 are PyG's batches. May be a schedule, as `mix`.
    schedule_epochs: needed by a schedule: epoch 0 has its first value, epoch schedule_epochs - 1 and later ones
        its last. schedule: "linear", or "step" (the first value in the first half of these epochs). The batches
        of an epoch are those of a loader with that epoch's values.
    no_intra: at p_intra=1, a node without a neighbour inside draws outside ("keep") or none ("drop").
    unbiased: give each edge a weight (`edge_weight`) that takes p_intra's bias out of a node's mean.
    level, bias_level: community level of `mix` and of `p_intra` (None: the same), 0 = finest.
    sampler: "neighbor"; "labor" (LABOR-0, arXiv 2210.13339: nodes of a hop share their draws); "cluster"
    (Cluster-GCN, arXiv 1905.07953: a batch is the sub-graph of one super-community; of num_neighbors only the
    length counts, batch_size and p_intra do not); "full" (all neighbours).
    dependency: consecutive batches that share their draws (arXiv 2310.12403).
    batch_order: "shuffled", "sequential" or "window:K".
    rank, world_size: the part of an epoch that one of several processes gets: as many batches as each other, no
        root twice, whole super-communities where they fit; together, the batches of one process.
    features: False leaves `x` out, for a store of features elsewhere (kith.distributed.PartitionedFeatures).
    seed: of plan and sampler; by default torch's (torch.manual_seed) for a Data, else 0.
    generator: a torch.Generator from which the seed is drawn.
    device: where features are gathered.
    prefetch: batches made ahead, on as many threads; 0 makes each when it is asked for.
    stage: "none" reads features where the dataset has them. A policy, "degree", "presample", "lru", "sieve",
        "lookahead", "lstm" or "auto", brings them through a fast tier of stage_bytes (2GB; bytes, "64MiB", or
        "10%" of the features) and a tier of host_bytes ("100%"), for features larger than memory: with less
        than all of them in host_bytes, the rest is read from the dataset's file, past the page cache. An epoch
        is sampled first to place rows. Batches are the same, made on one thread ahead; `stats` has staged_hits
        (rows found in the fast tier), staged_bytes (read below it) and staged_bytes_from_disk. One iteration
        at a time.
    num_workers, prefetch_factor: torch's workers are threads here; n > 0 makes at least n (times the factor, if
        one is given) batches ahead.
    output: "pyg" (torch_geometric.data.Data), "torch" (Batch of tensors) or "numpy" (Batch of arrays). By
        default "pyg" for a Data, else as the program has imported: torch_geometric, torch, or neither.
    partition: how communities are found where data is no kith.Dataset: a dict of method, num_communities,
        community_size, num_levels, imbalance, seed, communities (see Dataset.from_arrays).

    Every batch is a pure function of these options and the epoch; prefetch does not change it. Each
    iteration is the next epoch, also after one that was left in the middle; `set_epoch` sets it. Options
    of PyG and of torch's DataLoader that only say how workers run (pin_memory, persistent_workers,
    worker_init_fn, filter_per_worker, ...) are taken and have no effect. Those that would change the
    batches (disjoint, time_attr, weight_attr, sampler, ...) raise ValueError unless they have their
    default. Used in a fork of the process that made it, a loader raises RuntimeError.
    """

    def __init__(
        self,
        data: Any,
        num_neighbors: Sequence[int],
        input_nodes: npt.ArrayLike | str | None = None,
        input_time: None = None,
        replace: bool = False,
        subgraph_type: str = "directional",
        disjoint: bool = False,
        *,
        transform: Callable[[Any], Any] | None = None,
        batch_size: int | None = None,
        shuffle: bool | None = None,
        drop_last: bool = False,
        mix: float | str | tuple[float, float] = 0.125,
        group: int | str | None = None,
        mixing: str = "communities",
        p_intra: float | str | tuple[float, float] = 0.9,
        schedule: str = "linear",
        schedule_epochs: int = 0,
        no_intra: str = "keep",
        unbiased: bool = False,
        level: int = 0,
        bias_level: int | None = None,
        sampler: str = "neighbor",
        dependency: int = 1,
        batch_order: str = "shuffled",
        rank: int = 0,
        world_size: int = 1,
        features: bool = True,
        seed: int | None = None,
        generator: Any = None,
        device: str = "cpu",
        prefetch: int = 2,
        stage: str = "none",
        stage_bytes: int | str | None = None,
        host_bytes: int | str | None = None,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
        output: str | None = None,
        partition: Mapping[str, Any] | None = None,
        original_ids: bool = False,
        **pyg_options: Any,
    ) -> None:
        pyg_options |= {"input_time": input_time, "subgraph_type": subgraph_type, "disjoint": disjoint}
        check_foreign_options(pyg_options)
        if unbiased and is_pyg_data(data) and "edge_weight" in data:
            raise ValueError("NeighborLoader: unbiased=True makes an edge_weight, but data has one of its own")
        is_own = isinstance(data, Dataset)
        self._num_neighbors, self._group = num_neighbors, group
        self._options = {
            "replace": replace,
            "batch_size": (1024 if is_own else 1) if batch_size is None else batch_size,
            "shuffle": is_own if shuffle is None else shuffle,
            "drop_last": drop_last,
            "mix": mix,
            "mixing": mixing,
            "p_intra": p_intra,
            "schedule": schedule,
            "schedule_epochs": schedule_epochs,
            "no_intra": no_intra,
            "unbiased": unbiased,
            "level": level,
            "bias_level": -1 if bias_level is None else bias_level,
            "sampler": sampler,
            "dependency": dependency,
            "rank": rank,
            "world_size": world_size,
            "features": features,
            "batch_order": batch_order,
            "prefetch": prefetch_depth(prefetch, num_workers, prefetch_factor),
            "seed": resolve_seed(seed, generator, is_pyg_data(data)),
        }
        options = engine_options(num_neighbors, group, self._options)
        self._backend = _core.Backend(device)
        self._input = graph_input(data, partition, flag("original_ids", original_ids))
        self._convert = converter(resolve_output(output, self._input), self._input)
        self._roots, self._mask_places = self._input.roots(input_nodes)
        self._handle = _core.Loader(self.dataset._handle, self._roots, options)
        self.stage = stage
        self._tiers = self._make_tiers(stage, stage_bytes, host_bytes)
        self._schedule = _schedule_of(options)
        self.data = data
        self.transform = transform
        self._process = os.getpid()
        self.set_epoch(0)

    @property
    def dataset(self) -> Dataset:
        """What the batches are made of: `data` itself, or the dataset that was made of it."""
        return self._input.dataset

    @property
    def batch_size(self) -> int:
        return self._options["batch_size"]

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
        self._handed_out = self._resume_at = (
            0  # batches of the latest iteration, and of the next one to leave out
        )

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: the epoch, and the batches that the latest iteration has handed out. With a
        schedule of a knob, that too, since the rest of the epoch depends on it."""
        state: dict[str, Any] = {"epoch": self._epoch, "batch": self._handed_out, "num_batches": len(self)}
        return state if self._schedule is None else state | {"schedule": self._schedule}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken: the next iteration is the rest of that epoch.

        Raises ValueError for the state of a loader with another number of batches or another schedule.
        """
        if state.get("num_batches") != len(self):
            raise ValueError(
                f"load_state_dict: the state is of a loader of {state.get('num_batches')} batches, "
                f"this one has {len(self)}"
            )
        if state.get("schedule") != self._schedule:
            raise ValueError(
                f"load_state_dict: expected the schedule {self._schedule}, got {state.get('schedule')}"
            )
        batch = integer("load_state_dict: batch", state["batch"], 0, len(self))
        self.set_epoch(state["epoch"])
        self._handed_out = self._resume_at = batch

    def __iter__(self) -> Iterator[Any]:
        self._check_process()
        if self._handed_out > self._resume_at:  # the latest iteration was left in mid-epoch
            self.set_epoch(min(self._epoch + 1, MAX_EPOCH))
        first, self._resume_at = self._resume_at, 0
        self._handed_out = first
        return self._batches(self._epoch, first)

    def __call__(self, index: npt.ArrayLike) -> Any:
        """The batch of the roots input_nodes[index], drawn as in the present epoch; index: positions.

        It sets a sampler up anew, which takes time in proportion to the graph: for a look at some nodes, not
        for a loop.
        """
        self._check_process()
        positions = integers("index", index)
        if positions.ndim != 1 or positions.size == 0:
            raise ValueError(f"index must hold positions in input_nodes, got shape {list(positions.shape)}")
        if positions.min() < 0 or positions.max() >= self._roots.size:
            raise ValueError(
                f"index must be in [0, {self._roots.size}), got {positions.min()} to {positions.max()}"
            )
        given = self._options | {
            "batch_size": positions.size,
            "shuffle": False,
            "drop_last": False,
            "prefetch": 0,
        }
        options = engine_options(self._num_neighbors, self._group, given)
        handle = _core.Loader(self.dataset._handle, self._roots[positions], options)
        stream = _core.BatchStream(handle, self.dataset._handle, self._backend, None, self._epoch, 0)
        arrays = stream.next()
        return self._hand_out(arrays | {"input_id": positions[arrays["input_id"]]})

    def _batches(self, epoch: int, first: int) -> Iterator[Any]:
        stream = _core.BatchStream(self._handle, self.dataset._handle, self._backend, self._tiers, epoch, first)
        keep_in_forks(stream)
        handed_out = first
        while True:
            self._check_process()
            arrays = stream.next()
            if arrays is None:
                break
            handed_out += 1
            self._handed_out = handed_out
            yield self._hand_out(arrays)
        if self._epoch == epoch:
            self.set_epoch(min(epoch + 1, MAX_EPOCH))

    def _make_tiers(
        self, stage: str, stage_bytes: int | str | None, host_bytes: int | str | None
    ) -> _core.BatchTiers | None:
        prefetch, seed = self._options["prefetch"], self._options["seed"]
        staging = staging_options(self.dataset._handle, stage, stage_bytes, host_bytes, prefetch, seed)
        if staging is None:
            return None
        if self._backend.name != "cpu" or not self._options["features"]:
            raise ValueError(
                f'NeighborLoader: stage={stage!r} needs device="cpu" and features=True, got '
                f"device={self._backend.name!r} and features={self._options['features']}"
            )
        tiers = _core.BatchTiers(self._handle, self.dataset._handle, staging)
        keep_in_forks(tiers)
        return tiers

    def _hand_out(self, arrays: dict[str, Any]) -> Any:
        batch = Batch(**arrays)
        arrays.clear()  # what the user releases is free, even while the iteration waits for its next step
        if self._options["unbiased"] and batch.edge_weight is None:  # no edges, no weights
            batch.edge_weight = np.zeros(0, np.float32)
        batch.n_id = self._input.ids(batch.n_id)
        if self._mask_places is not None:
            batch.input_id = self._mask_places[batch.input_id]
        out = self._convert(batch)
        return out if self.transform is None else self.transform(out)

    def _check_process(self) -> None:
        if os.getpid() == self._process:
            return
        raise RuntimeError(
            f"NeighborLoader: made in process {self._process}, used in its fork {os.getpid()}, where its "
            "threads are not; make the loader in the process that uses it"
        )

    def __repr__(self) -> str:
        return f"NeighborLoader(num_batches={len(self)}, epoch={self.epoch}, data={self.dataset!r})"


def _schedule_of(options: _core.LoaderOptions) -> str | None:
    """What the knobs of an epoch depend on, or None if they are the same in every epoch."""
    if ":" not in options.mix + options.p_intra:
        return None
    knobs = f"mix {options.mix}, p_intra {options.p_intra}"
    return f"{knobs}, {options.schedule} over {options.schedule_epochs} epochs"
