"""Trains a torch model made of kith.torch's layers on Kith's structured batches.

    kith generate -o demo.kith.h5 --nodes 20000 --edges 400000 --communities 80
    python python/examples/pyg_model.py demo.kith.h5 --model gat --epochs 5

The layers have PyG's parameters: `torch.save(model.state_dict(), ...)` can be loaded into a
torch_geometric.nn.models.GraphSAGE, GCN or GAT of the same shape.
"""

import argparse
import json

import kith
import kith.torch as kt
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Model(nn.Module):
    """Graph convolutions with relu and dropout between them; each layer takes the block of its hop."""

    def __init__(self, kind: str, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        if kind == "gat":
            heads = 4
            first = kt.GATConv(in_channels, hidden_channels // heads, heads=heads)
            last = kt.GATConv(hidden_channels, out_channels, heads=1)
        else:
            layer = {"sage": kt.SAGEConv, "gcn": kt.GCNConv}[kind]
            first, last = layer(in_channels, hidden_channels), layer(hidden_channels, out_channels)
        self.convs = nn.ModuleList([first, last])

    def forward(self, x: Tensor, blocks: list) -> Tensor:
        for i, (conv, block) in enumerate(zip(self.convs, blocks)):
            if i > 0:
                x = F.dropout(x.relu(), 0.5, self.training)
            x = conv(x, block)
        return x


def train_epoch(model: Model, loader: kith.NeighborLoader, optimizer: torch.optim.Optimizer) -> float:
    """One pass over the training nodes. Returns the mean loss of the batches."""
    model.train()
    total = 0.0
    for batch in loader:
        optimizer.zero_grad()
        logits = model(torch.as_tensor(batch.x), batch.blocks)  # no copy
        loss = F.cross_entropy(logits, torch.as_tensor(batch.y[: batch.batch_size]).long())
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def accuracy(model: Model, data: kith.Dataset, nodes: str) -> float:
    """Over all neighbours, never sampled: the whole graph is the block of every layer."""
    model.eval()
    graph = kt.as_block(kith.Block(data.num_nodes, data.num_nodes, data.indptr, data.indices))
    x = torch.tensor(data.x, dtype=torch.float32)
    ids = data.nodes(nodes)
    predicted = model(x, [graph] * len(model.convs)).argmax(1).numpy()
    return float((predicted[ids] == data.y[ids]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a *.kith.h5 with one class a node")
    parser.add_argument("--model", choices=["sage", "gcn", "gat"], default="sage")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--mix", type=float, default=0.125)
    parser.add_argument("--p-intra", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    data = kith.Dataset.open(options.file)
    loader = kith.NeighborLoader(
        data,
        [10, 10],
        "train",
        batch_size=options.batch_size,
        mix=options.mix,
        p_intra=options.p_intra,
        seed=options.seed,
    )
    model = Model(options.model, data.num_features, options.hidden, data.num_classes)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(options.epochs):
        loss = train_epoch(model, loader, optimizer)
        valid = accuracy(model, data, "valid")
        print(json.dumps({"epoch": epoch, "loss": round(loss, 4), "valid_accuracy": round(valid, 4)}))
    print(json.dumps({"test_accuracy": round(accuracy(model, data, "test"), 4)}))


if __name__ == "__main__":
    main()
