"""A torch model on Kith's kernels computes on a real graph what PyG's does. Reads KITH_DATA_DIR/cora.npz."""

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="kith.torch needs torch, which is not installed")

import kith.torch as kt  # noqa: E402
from torch.nn import functional as F  # noqa: E402


@pytest.fixture(scope="module")
def cora():
    folder = os.environ.get("KITH_DATA_DIR")
    if not folder:
        pytest.skip("KITH_DATA_DIR names no folder of real graphs")
    arrays = np.load(Path(folder) / "cora.npz")
    x = torch.zeros(*arrays["x_shape"].tolist())
    rows = np.repeat(np.arange(len(x)), np.diff(arrays["x_indptr"]))
    x[torch.from_numpy(rows), torch.from_numpy(arrays["x_indices"]).long()] = 1
    edges = np.concatenate([arrays["edge_index"], arrays["edge_index"][::-1]], axis=1)
    edges = np.unique(edges.astype(np.int64), axis=1)
    y, train = (torch.from_numpy(arrays[name]) for name in ("y", "train_mask"))
    return F.normalize(x, p=1), torch.from_numpy(edges), y.long(), train


class Model(torch.nn.Module):
    def __init__(self, layer, options, in_channels):
        super().__init__()
        hidden = 16 // options.get("heads", 1)
        self.convs = torch.nn.ModuleList([layer(in_channels, hidden, **options), layer(16, 7)])

    def forward(self, x, block):
        return self.convs[1](self.convs[0](x, block).relu(), block)


@pytest.mark.parametrize(
    "name, options",
    [("GCNConv", {}), ("SAGEConv", {}), ("SAGEConv", {"aggr": "sum"}), ("GATConv", {"heads": 4})],
)
def test_loss_and_gradients_on_cora_are_pygs(cora, name, options):
    pyg = pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")
    x, edge_index, y, train = cora
    torch.manual_seed(0)
    ours, theirs = (Model(getattr(package, name), options, x.size(1)) for package in (kt, pyg))
    ours.load_state_dict(theirs.state_dict())
    losses = []
    for model, graph in ((ours, kt.block_from_edge_index(edge_index, len(x))), (theirs, edge_index)):
        losses.append(F.cross_entropy(model(x, graph)[train], y[train]))
        losses[-1].backward()
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    for (name, ours_parameter), theirs_parameter in zip(ours.named_parameters(), theirs.parameters()):
        assert torch.allclose(ours_parameter.grad, theirs_parameter.grad, rtol=1e-4, atol=1e-6), name
