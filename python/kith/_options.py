"""The options of `NeighborLoader`: what the engine takes, and what PyG and torch know besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from kith import _core
from kith._arguments import INT32_MAX, UINT64_MAX, flag, integer, number

MAX_PREFETCH = 1024


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {value!r}")
    return value


def _knob(name: str, value: Any) -> str:
    """A number, a pair (first, last), or either as text: as the engine reads it, with every bit kept."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{name} must be a number or a pair (first, last), got {value!r}")
        return ":".join(repr(number(name, each)) for each in value)
    return repr(number(name, value))


# Keyword of NeighborLoader -> the field of _core.LoaderOptions that it sets, and the check of its value.
_FIELDS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "replace": ("with_replacement", flag),
    "batch_size": ("batch_size", partial(integer, low=1)),
    "mix": ("mix", _knob),
    "mixing": ("mixing", _text),
    "p_intra": ("p_intra", _knob),
    "schedule": ("schedule", _text),
    "schedule_epochs": ("schedule_epochs", partial(integer, low=0)),
    "no_intra": ("no_intra", _text),
    "unbiased": ("is_unbiased", flag),
    "level": ("level", partial(integer, low=0)),
    "bias_level": ("bias_level", partial(integer, low=-1)),
    "sampler": ("sampler", _text),
    "dependency": ("dependency", partial(integer, low=1)),
    "rank": ("rank", partial(integer, low=0)),
    "world_size": ("world_size", partial(integer, low=1)),
    "features": ("has_features", flag),
    "batch_order": ("batch_order", _text),
    "shuffle": ("is_shuffled", flag),
    "drop_last": ("drop_last", flag),
    "seed": ("seed", partial(integer, low=0, high=UINT64_MAX)),
    "prefetch": ("prefetch_depth", partial(integer, low=0)),
}


def engine_options(
    num_neighbors: Iterable[int], group: int | str | None, given: Mapping[str, Any]
) -> _core.LoaderOptions:
    """The checked options as the engine takes them. given: every keyword of _FIELDS. Raises ValueError."""
    options = _core.LoaderOptions()
    if isinstance(num_neighbors, str | Mapping) or not isinstance(num_neighbors, Iterable):
        raise ValueError(f"num_neighbors must be a list with one number a hop, got {num_neighbors!r}")
    options.fanouts = [integer("num_neighbors", count, -1) for count in num_neighbors]
    if group == "auto":
        options.is_group_auto = True
    elif group is not None:
        options.group = integer("group", group, 1)
    for name, value in given.items():
        field, check = _FIELDS[name]
        setattr(options, field, check(name, value))
    options.keep_edges = True
    return options


def staging_options(
    dataset: _core.Dataset,
    stage: str,
    stage_bytes: int | str | None,
    host_bytes: int | str | None,
    prefetch: int = 2,
    seed: int = 0,
) -> _core.StagingOptions | None:
    """How features come through tiers, or None for stage="none": in place. Raises ValueError."""
    if _text("stage", stage) == "none":
        if stage_bytes is not None or host_bytes is not None:
            raise ValueError('stage="none" reads features in place: stage_bytes and host_bytes need a policy')
        return None
    sizes = {"stage_bytes": stage_bytes, "host_bytes": host_bytes}
    for name, size in sizes.items():
        if size is not None and not isinstance(size, str):
            sizes[name] = str(integer(name, size, 0))
    fast, host = sizes["stage_bytes"] or "2GB", sizes["host_bytes"] or "100%"
    return _core.StagingOptions(dataset, stage, fast, host, prefetch, seed)


# Options of PyG's loader and of torch's that would change the batches and are not supported, with the value
# that means the same here.
_UNSUPPORTED: dict[str, Any] = {
    "input_time": None,
    "subgraph_type": "directional",
    "disjoint": False,
    "temporal_strategy": "uniform",
    "time_attr": None,
    "weight_attr": None,
    "transform_sampler_output": None,
    "neighbor_sampler": None,
    "directed": True,
    "custom_cls": None,
    "input_id": None,
    "batch_sampler": None,
    "collate_fn": None,
}
# Options that say how worker processes are run, or where a copy is made; any value gives the same batches.
_WITHOUT_EFFECT = frozenset(
    [
        "filter_per_worker",
        "in_order",
        "is_sorted",
        "multiprocessing_context",
        "persistent_workers",
        "pin_memory",
        "pin_memory_device",
        "timeout",
        "worker_init_fn",
    ]
)


def check_foreign_options(options: Mapping[str, Any]) -> None:
    """Raises ValueError for an option of PyG that is not supported, TypeError for one that nobody knows."""
    for name, value in options.items():
        if name in _WITHOUT_EFFECT:
            continue
        if name not in _UNSUPPORTED:
            raise TypeError(f"NeighborLoader: there is no option {name!r}")
        only = _UNSUPPORTED[name]
        value = getattr(value, "value", value) if name == "subgraph_type" else value  # PyG's enum, or its text
        if value is not only and not (isinstance(value, type(only)) and value == only):
            raise ValueError(f"NeighborLoader: {name}={value!r} is not supported, only {name}={only!r}")


def prefetch_depth(prefetch: int, num_workers: int, prefetch_factor: int | None) -> int:
    """Batches made ahead: `prefetch`, and no fewer than torch's workers would hold."""
    workers = integer("num_workers", num_workers, 0)
    factor = 1 if prefetch_factor is None else integer("prefetch_factor", prefetch_factor, 1, INT32_MAX)
    return max(integer("prefetch", prefetch, 0), min(workers * factor, MAX_PREFETCH))


def resolve_seed(seed: int | None, generator: Any, honours_torch: bool) -> int:
    """`seed`, or a number drawn from torch's `generator`, or torch's own seed (torch.manual_seed), or 0."""
    if generator is not None:
        if seed is not None:
            raise ValueError("NeighborLoader: give seed or generator, not both")
        import torch

        if not isinstance(generator, torch.Generator):
            raise ValueError(f"generator must be a torch.Generator, got {type(generator).__name__}")
        return int(torch.empty((), dtype=torch.int64).random_(generator=generator))
    if seed is None and honours_torch:
        import torch

        return torch.initial_seed() % (UINT64_MAX + 1)
    return integer("seed", 0 if seed is None else seed, 0, UINT64_MAX)
