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
    _heads = 1

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
            raise TypeError("Model is a base class; use GraphSAGE, GCN, GAT or GIN")
        options = _core.ModelOptions()
        options.kind = self._kind
        options.in_channels = integer("in_channels", in_channels, 1)
        options.hidden_channels = integer("hidden_channels", hidden_channels, 1)
        options.out_channels = integer("out_channels", out_channels, 1)
        options.num_layers = integer("num_layers", num_layers, 1)
        options.heads = self._heads
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

        source: torch_geometric.nn.models.GraphSAGE, GCN, GAT or GIN, a module whose `convs` are their layers or
        those of kith.torch, or the state dict of one. dropout: None takes the module's, or the constructor's
        default. Raises ValueError for parameters that the engine has not, and for a module that computes
        something else (another aggregation, activation or normalisation); a state dict does not tell.
        """
        if not cls._kind:
            raise TypeError("Model is a base class; use GraphSAGE, GCN, GAT or GIN")
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
        """Copies of the parameters: weights [out, in], biases [out], attention [1, heads, out / heads]."""
        return {
            name: np.ascontiguousarray(_outside(name, value), dtype=np.float32)
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
        self._take(arrays)

    def _take(self, arrays: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Arrays with the names and shapes of `state_dict`."""
        for name, array in arrays.items():
            self._handle.set_parameter(name, np.ascontiguousarray(_inside(name, array)))

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


class GAT(Model):
    """Graph attention network (arXiv 1710.10903), as torch_geometric.nn.models.GAT: GATConv with self-loops.

    hidden_channels are shared among `heads`, side by side; the last layer has as many heads of out_channels
    each, and takes their mean. The softmax goes over the sampled neighbours and the node itself. dropout: of
    the layers' outputs and of the attention, as in PyG. Training on a loader with unbiased=True raises
    ValueError.
    """

    _kind = "gat"

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        *,
        num_layers: int = 3,
        heads: int = 1,
        dropout: float = 0.5,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self._heads = integer("heads", heads, 1)
        options = {"num_layers": num_layers, "dropout": dropout, "seed": seed, "device": device}
        super().__init__(in_channels, hidden_channels, out_channels, **options)

    @property
    def heads(self) -> int:
        return self._heads


class GIN(Model):
    """Graph isomorphism network (arXiv 1810.00826), as torch_geometric.nn.models.GIN.

    Two linear layers with a relu between them over the sum of a node and its neighbours; epsilon is 0 and not
    trained. On a sampled batch the sum over the drawn neighbours is scaled by in-degree / number drawn (or by
    the batch's unbiased weights), as evaluation sums over all of them.
    """

    _kind = "gin"

    def state_dict(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the parameters: weights [out, in], biases [out]; and PyG's buffers `convs.<i>.eps`, [0]."""
        return {**super().state_dict(), **self._eps()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over values (arrays, CPU tensors); each eps may be left out.

        Raises ValueError, changing nothing, if one does not fit or an eps is not 0.
        """
        eps = self._eps()
        for name in eps:
            value = np.asarray(state.get(name, 0))
            if value.size != 1 or value.item() != 0:
                raise ValueError(f"load_state_dict: {name} must be 0, the engine has no other, got {value}")
        super().load_state_dict({**eps, **state})

    def _take(self, arrays: Mapping[str, npt.NDArray[np.float64]]) -> None:
        super()._take({name: array for name, array in arrays.items() if name not in self._eps()})

    def _eps(self) -> dict[str, npt.NDArray[np.float32]]:
        return {f"convs.{i}.eps": np.zeros(1, np.float32) for i in range(self.num_layers)}


def _is_attention(name: str) -> bool:
    return name.endswith((".att_src", ".att_dst"))


def _outside(name: str, value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """PyG's shape. The engine keeps weights as [in, out], biases as [1, out], attention as [heads, out]."""
    if _is_attention(name):
        return value[None]
    return value[0] if name.endswith(".bias") else value.T


def _inside(name: str, array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The engine's shape of a parameter with PyG's."""
    return array[0] if _is_attention(name) else np.atleast_2d(array.T)
