"""GraphSAGE as a PyG script writes it. The one line that makes it run on Kith is the import of the loader.

python pyg_sage.py --root data      # Cora, which PyG downloads into `data`
python pyg_sage.py                  # a graph that PyG makes up
"""

import argparse

import torch
import torch.nn.functional as F
import torch_geometric.transforms as T

# from torch_geometric.loader import NeighborLoader
from kith import NeighborLoader
from torch_geometric import seed_everything
from torch_geometric.datasets import FakeDataset, Planetoid
from torch_geometric.nn import GraphSAGE


def load(root):
    if root:
        return Planetoid(root, "Cora", transform=T.NormalizeFeatures())[0]
    fake = FakeDataset(num_graphs=1, avg_num_nodes=2000, avg_degree=8, num_channels=16, num_classes=4)[0]
    fake = T.Compose([T.RemoveDuplicatedEdges(), T.ToUndirected()])(fake)
    return T.RandomNodeSplit(num_val=0.2, num_test=0.2)(fake)


def train(model, loader, optimizer, device):
    model.train()
    total_loss = total = 0
    for batch in loader:
        batch = batch.to(device)
        optimizer.zero_grad()
        out = model(
            batch.x,
            batch.edge_index,
            num_sampled_nodes_per_hop=batch.num_sampled_nodes,
            num_sampled_edges_per_hop=batch.num_sampled_edges,
        )[: batch.batch_size]
        loss = F.cross_entropy(out, batch.y[: batch.batch_size])
        loss.backward()
        optimizer.step()
        total_loss += float(loss.detach()) * batch.batch_size
        total += batch.batch_size
    return total_loss / total


@torch.no_grad()
def test(model, loader, data, device):
    """Accuracy on each split. The loader does not shuffle, so its outputs stand in the order of the nodes."""
    model.eval()
    outs = []
    for batch in loader:
        batch = batch.to(device)
        outs.append(model(batch.x, batch.edge_index)[: batch.batch_size].cpu())
    right = torch.cat(outs).argmax(dim=-1) == data.y
    return [float(right[mask].float().mean()) for mask in (data.train_mask, data.val_mask, data.test_mask)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", help="folder for Cora; without one a graph is made up")
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    seed_everything(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    data = load(args.root)
    options = {"batch_size": 128, "num_workers": 2, "persistent_workers": True}
    train_loader = NeighborLoader(data, [10, 10], input_nodes=data.train_mask, shuffle=True, **options)
    all_loader = NeighborLoader(data, [-1, -1], **options)

    model = GraphSAGE(data.num_features, 64, num_layers=2, out_channels=int(data.y.max()) + 1, dropout=0.5)
    model = model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(1, args.epochs + 1):
        loss = train(model, train_loader, optimizer, device)
        accuracy = test(model, all_loader, data, device)
        print(f"epoch {epoch:02d}: loss {loss:.4f}, train {accuracy[0]:.4f}, valid {accuracy[1]:.4f}")
    print(f"test accuracy {accuracy[2]:.4f}")


if __name__ == "__main__":
    main()
