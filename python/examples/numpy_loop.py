"""A training loop in plain NumPy on Kith's batches: softmax regression on what two hops of neighbours say.

python numpy_loop.py graph.kith.h5          # a file that `kith prepare` or `kith generate` wrote
python numpy_loop.py                        # a small graph made up here
"""

import argparse

import kith
import numpy as np


def made_up_graph(num_nodes=2000, num_blocks=20, num_classes=4, seed=0):
    """Friends mostly inside their block, features that hint at the class."""
    rng = np.random.default_rng(seed)
    block = rng.integers(0, num_blocks, num_nodes)
    order = np.argsort(block, kind="stable")
    first, size = np.searchsorted(block[order], range(num_blocks)), np.bincount(block, minlength=num_blocks)
    source = np.repeat(np.arange(num_nodes), 8)
    inside = order[first[block[source]] + rng.integers(0, size[block[source]])]
    target = np.where(rng.random(source.size) < 0.85, inside, rng.integers(0, num_nodes, source.size))
    y = block % num_classes
    x = rng.normal(size=(num_nodes, 16)).astype(np.float32)
    x[np.arange(num_nodes), y] += 0.7
    train, valid, test = np.split(rng.permutation(num_nodes), [num_nodes // 2, num_nodes * 3 // 4])
    return kith.Dataset.from_arrays(
        np.stack([source, target]), x, y, train, valid, test, symmetrize=True, community_size=100
    )


def mean_of_neighbours(block, h):
    """[num_dst, F] the mean of each destination's sources, by sums over ranges; 0 where there are none."""
    rows = np.concatenate([np.zeros((1, h.shape[1])), np.cumsum(h[block.indices], axis=0)])
    degree = np.diff(block.indptr)
    return (rows[block.indptr[1:]] - rows[block.indptr[:-1]]) / np.maximum(degree, 1)[:, None]


def root_inputs(batch):
    """[batch_size, 3 F] the features of each root, of its neighbours, and of theirs."""
    outer, inner = batch.blocks
    once = mean_of_neighbours(outer, batch.x)  # for every node but those of the last hop
    twice = mean_of_neighbours(inner, once)
    return np.hstack([batch.x[: inner.num_dst], once[: inner.num_dst], twice])


def probabilities(inputs, weight):
    logits = inputs @ weight
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", help="a .kith.h5 file; without one a graph is made up")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.5)
    args = parser.parse_args()

    data = kith.Dataset.open(args.file) if args.file else made_up_graph()
    loader = kith.NeighborLoader(data, [10, 10], "train", batch_size=256, output="numpy")
    weight = np.zeros((3 * data.num_features, data.num_classes))
    for epoch in range(args.epochs):
        losses = []
        for batch in loader:
            y = batch.y[: batch.batch_size]
            inputs = root_inputs(batch)
            error = probabilities(inputs, weight)
            losses.append(-np.log(error[np.arange(y.size), y] + 1e-9).mean())
            error[np.arange(y.size), y] -= 1
            weight -= args.lr * inputs.T @ error / y.size
        print(f"epoch {epoch}: loss {np.mean(losses):.4f}")

    right = total = 0
    for batch in kith.NeighborLoader(data, [-1, -1], "test", batch_size=1024, shuffle=False, output="numpy"):
        guess = probabilities(root_inputs(batch), weight).argmax(axis=1)
        right += (guess == batch.y[: batch.batch_size]).sum()
        total += guess.size
    print(f"test accuracy {right / total:.4f}")


if __name__ == "__main__":
    main()
