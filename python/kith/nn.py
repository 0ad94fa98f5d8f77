"""Models that run on Kith's own kernels. Parameters have PyG's names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kith import _core, _exchange
from kith._arguments import UINT64_MAX, integer, number
from kith.dataset import Dataset


class Model:
    """A stack of graph convolutions with relu and dropout between them. Train it with `kith.Trainer`.

    in_channels: columns of the features. out_channels: classes. dropout: after every layer but the last, 0 <= p
    < 1.
    seed: of the initial parameters and of the dropout masks.
    """

    _kind = ""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        *,
        num_layers: int = 3,
        dropout: float = 0.5,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        if not self._kind:
            raise TypeError("Model is a base class; use GraphSAGE or GCN")
        options = _core.ModelOptions()
        options.kind = self._kind
        options.in_channels = integer("in_channels", in_channels, 1)
        options.hidden_channels = integer("hidden_channels", hidden_channels, 1)
        options.out_channels = integer("out_channels", out_channels, 1)
        options.num_layers = integer("num_layers", num_layers, 1)
        options.dropout = number("dropout", dropout)
        options.seed = integer("seed", seed, 0, UINT64_MAX)
        self._options = options
        self._backend = _core.Backend(device)
        self._handle = _core.Model(self._backend, options)

    @classmethod
    def from_torch(
        cls, source: Any, *, dropout: float | None = None, seed: int = 0, device: str = "auto"
    ) -> Model:
        """The model with the sizes and parameters of a torch module, or of a state dict, with PyG's names.

        source: torch_geometric.nn.models.GraphSAGE or GCN, a module whose `convs` are their layers or those of
        kith.torch, or the state dict of one. dropout: None takes the module's, or the constructor's default.
        Raises ValueError for parameters that the engine has not, and for a module that computes something else
        (another aggregation, activation or normalisation); a state dict does not tell.
        """
        if not cls._kind:
            raise TypeError("Model is a base class; use GraphSAGE or GCN")
        _exchange.check_same_function(cls._kind, source)
        state = _exchange.arrays_of(source)
        dropout = _exchange.dropout_of(source) if dropout is None else dropout
        options = {} if dropout is None else {"dropout": dropout}
        model = cls(**_exchange.sizes_of(cls._kind, state), **options, seed=seed, device=device)
        model.load_state_dict(state)
        return model

    @property
    def device(self) -> str:
        return self._backend.name

    @property
    def num_layers(self) -> int:
        return self._options.num_layers

    def to(self, device: str) -> Model:
        """Moves the parameters to `device`: "auto", "cpu" or "cuda". Make a trainer afterwards, not before."""
        backend = _core.Backend(device)
        if backend.name != self._backend.name:
            state = self.state_dict()
            self._backend, self._handle = backend, _core.Model(backend, self._options)
            self.load_state_dict(state)
        return self

    def state_dict(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the parameters: weights [out, in], biases [out]."""
        return {
            name: np.ascontiguousarray(_transposed(name, value), dtype=np.float32)
            for name, value in self._handle.parameters()
        }

    def to_torch_state_dict(self) -> dict[str, Any]:
        """`state_dict` as CPU tensors, for a torch module with PyG's names. ImportError without torch."""
        try:
            import torch
        except ModuleNotFoundError as error:
            raise ImportError("to_torch_state_dict needs PyTorch: pip install torch") from error
        return {name: torch.from_numpy(value) for name, value in self.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over values (arrays, CPU tensors). Raises ValueError, changing nothing, if one does not fit."""
        expected = {name: value.shape for name, value in self.state_dict().items()}
        if set(state) != set(expected):
            missing, unknown = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
            raise ValueError(f"load_state_dict: missing {missing}, unknown {unknown}")
        arrays = {name: np.asarray(state[name], dtype=np.float64) for name in expected}
        for name, shape in expected.items():
            if arrays[name].shape != shape:
                raise ValueError(f"load_state_dict: {name} must have shape {shape}, got {arrays[name].shape}")
        for name, array in arrays.items():
            self._handle.set_parameter(name, np.ascontiguousarray(np.atleast_2d(array.T)))

    def inference(self, data: Dataset) -> npt.NDArray[np.float32]:
        """[num_nodes, out_channels] logits of all nodes, layer by layer over all neighbours, no dropout."""
        self._check_features(data)
        return self._handle.infer(data._handle)

    def _check_features(self, data: Dataset) -> None:
        wanted = self._options.in_channels
        if data.num_features != wanted:
            raise ValueError(f"the model takes {wanted} features, the dataset has {data.num_features}")

    def __repr__(self) -> str:
        sizes = (self._options.in_channels, self._options.hidden_channels, self._options.out_channels)
        return f"{type(self).__name__}({', '.join(map(str, sizes))}, num_layers={self.num_layers})"


class GraphSAGE(Model):
    """GraphSAGE with mean aggregation: lin_l(mean of the neighbours) + lin_r(the node)."""

    _kind = "sage"


class GCN(Model):
    """Graph convolutional network with self-loops and symmetric normalisation."""

    _kind = "gcn"


def _transposed(name: str, value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The engine keeps weights as [in, out] and biases as [1, out]."""
    return value[0] if name.endswith(".bias") else value.T
