"""Parameters of torch modules for the engine's models, without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

# The weight whose shape is the layer's sizes.
_WEIGHT = {"sage": "lin_l.weight", "gcn": "lin.weight", "gat": "lin.weight", "gin": "nn.lins.0.weight"}
# What no parameter shows: {attribute of a layer: the values that the engine computes}.
_SAME_LAYER: dict[str, dict[str, tuple[Any, ...]]] = {
    "sage": {"aggr": ("mean",), "normalize": (False,), "flow": ("source_to_target",)},
    "gcn": {
        "aggr": ("add", "sum"),
        "normalize": (True,),
        "add_self_loops": (True,),
        "improved": (False,),
        "flow": ("source_to_target",),
    },
    "gat": {
        "aggr": ("add", "sum"),
        "negative_slope": (0.2,),
        "add_self_loops": (True,),
        "flow": ("source_to_target",),
    },
    "gin": {"aggr": ("add", "sum"), "flow": ("source_to_target",)},
}


def arrays_of(source: Any) -> dict[str, npt.NDArray[Any]]:
    """The state of a module, or a state dict, as arrays."""
    state = source.state_dict() if hasattr(source, "state_dict") else source
    if not isinstance(state, Mapping):
        raise ValueError(f"from_torch: expected a module or a state dict, got {type(source).__name__}")
    return {name: _array(value) for name, value in state.items()}


def sizes_of(kind: str, state: Mapping[str, npt.NDArray[Any]]) -> dict[str, int]:
    """in_channels, hidden_channels, out_channels and num_layers that the weights' shapes say; of GAT, heads."""
    weights = []
    name = "convs.{}." + _WEIGHT[kind]
    while (weight := state.get(name.format(len(weights)))) is not None:
        if weight.ndim != 2:
            raise ValueError(f"from_torch: {name.format(len(weights))} must be a matrix, got {weight.shape}")
        weights.append(weight)
    if not weights:
        raise ValueError(f"from_torch: expected PyG's names, as {name.format(0)}, got {sorted(state)[:5]}")
    sizes = {
        "in_channels": weights[0].shape[1],
        "hidden_channels": weights[0].shape[0],
        "out_channels": weights[-1].shape[0],
        "num_layers": len(weights),
    }
    if kind == "gat":
        attention = state.get("convs.0.att_src")
        if attention is None or attention.ndim != 3 or attention.shape[1] == 0:
            raise ValueError("from_torch: convs.0.att_src must be [1, heads, channels]")
        sizes["heads"] = attention.shape[1]
        sizes["out_channels"] //= sizes["heads"]  # the last layer takes the mean of its heads
    return sizes


def check_same_function(kind: str, module: Any) -> None:
    """Raises ValueError if a module like PyG's computes something else with the same parameters."""
    convs = list(getattr(module, "convs", []))
    for i, conv in enumerate(convs):
        for name, values in _SAME_LAYER[kind].items():
            value = getattr(conv, name, values[0])
            if value not in values:
                ours = values[0]
                raise ValueError(f"from_torch: convs.{i} has {name}={value!r}, the engine's layer {ours!r}")
        if kind == "gat" and getattr(conv, "heads", 1) > 1 and conv.concat != (i + 1 < len(convs)):
            raise ValueError("from_torch: the engine's heads are averaged in the last layer, and there alone")
        if kind == "gin":
            _check_perceptron(i, getattr(conv, "nn", None))
    if len(convs) < 2:
        return
    _check_relu("activation", getattr(module, "act", "relu"))
    for norm in getattr(module, "norms", None) or []:
        if type(norm).__name__ != "Identity":
            raise ValueError(f"from_torch: the engine has no normalisation layers, the module has {norm}")


def _check_perceptron(layer: int, perceptron: Any) -> None:
    """Of GIN: torch_geometric.nn.MLP of two linear layers with a relu between them, and nothing else."""
    _check_relu(f"activation inside convs.{layer}", getattr(perceptron, "act", "relu"))
    rates = getattr(perceptron, "dropout", [])
    if not getattr(perceptron, "plain_last", True) or any(rates if isinstance(rates, list) else [rates]):
        raise ValueError(f"from_torch: convs.{layer}.nn must have no activation at its end, and no dropout")
    for norm in getattr(perceptron, "norms", None) or []:
        if type(norm).__name__ != "Identity":
            raise ValueError(f"from_torch: the engine has no normalisation layers, convs.{layer}.nn has {norm}")


def _check_relu(what: str, act: Any) -> None:
    if getattr(act, "__name__", act if isinstance(act, str) else type(act).__name__).lower() != "relu":
        raise ValueError(f"from_torch: the engine's {what} is relu, the module's {act}")


def dropout_of(module: Any) -> float | None:
    """The rate of a module like PyG's, if it says one."""
    dropout = getattr(module, "dropout", None)
    rate = getattr(dropout, "p", dropout)
    return float(rate) if isinstance(rate, int | float) else None


def _array(value: Any) -> npt.NDArray[Any]:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
