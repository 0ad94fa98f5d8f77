"""From tables of one's own to a trained model: a table of edges, a table of nodes, both in pandas.

    python own_graph_pandas.py edges.csv nodes.csv -o graph.kith.h5
    python own_graph_pandas.py -o graph.kith.h5       # tables made up here

edges.csv has the columns source and target, which hold names. nodes.csv has the columns name and label (empty =
unknown); every other column is a feature.
"""

import argparse

import kith
import numpy as np
import pandas as pd


def made_up_tables(num_nodes=1500, seed=0):
    """Customers of ten shops, who mostly know customers of their own shop."""
    rng = np.random.default_rng(seed)
    shop = rng.integers(0, 10, num_nodes)
    source = rng.integers(0, num_nodes, 12 * num_nodes)
    target = rng.integers(0, num_nodes, source.size)
    kept = (shop[source] == shop[target]) | (rng.random(source.size) < 0.03)
    name = np.array([f"customer {i}" for i in rng.permutation(num_nodes)])
    edges = pd.DataFrame({"source": name[source[kept]], "target": name[target[kept]]})
    label = np.where(rng.random(num_nodes) < 0.9, np.array(["returns", "stays"])[shop % 2], None)
    nodes = pd.DataFrame({"name": name, "label": label, "age": rng.normal(40, 12, num_nodes)})
    nodes["orders"] = rng.poisson(3 + 2 * (shop % 2))
    return edges, nodes


def make_dataset(edges, nodes, seed=0):
    """The tables as a dataset, and the names of the classes."""
    position = pd.Series(np.arange(len(nodes)), index=nodes["name"])
    if not position.index.is_unique:
        raise SystemExit(f"the name {position.index[position.index.duplicated()][0]!r} stands in nodes twice")
    ends = [position.reindex(edges[column]) for column in ("source", "target")]
    for column, found in zip(("source", "target"), ends):
        if found.isna().any():
            raise SystemExit(f"{column} {found.index[found.isna()][0]!r} is not in the table of nodes")

    # Labels become numbers, unknown ones -1, which is what Kith calls "none".
    y, classes = pd.factorize(nodes["label"], sort=True)
    # Columns of one scale train better; whatever is missing becomes the mean.
    columns = nodes.drop(columns=["name", "label"]).astype(float)
    x = ((columns - columns.mean()) / columns.std().replace(0, 1)).fillna(0).to_numpy(np.float32)

    labelled = np.random.default_rng(seed).permutation(np.flatnonzero(y >= 0))
    train, valid, test = np.split(labelled, [len(labelled) * 6 // 10, len(labelled) * 8 // 10])
    data = kith.Dataset.from_arrays(
        np.stack([found.to_numpy(np.int64) for found in ends]),
        np.ascontiguousarray(x),
        y,
        train,
        valid,
        test,
        symmetrize=True,  # whoever knows is known
    )
    return data, list(classes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="CSV", help="edges.csv nodes.csv")
    parser.add_argument("-o", "--output", required=True, help="the file to write")
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    if len(args.tables) not in (0, 2):
        parser.error("give two tables, edges and nodes, or none")
    edges, nodes = (pd.read_csv(path) for path in args.tables) if args.tables else made_up_tables()

    data, classes = make_dataset(edges, nodes)
    data.save(args.output)
    print(f"wrote {args.output}: {data}")

    loader = kith.NeighborLoader(data, [10, 10], "train", batch_size=128)
    model = kith.nn.GraphSAGE(data.num_features, 32, data.num_classes, num_layers=2)
    trainer = kith.Trainer(model, data, lr=0.01)
    history = pd.DataFrame(trainer.fit(loader, epochs=args.epochs, patience=5))
    print(history[["epoch", "train_loss", "valid_accuracy"]].to_string(index=False))
    print(f"test accuracy {trainer.evaluate('test'):.4f}")

    # Rows of the prediction are in the dataset's order; original_id leads back to the table.
    share = trainer.predict(None)
    predicted = pd.DataFrame(share, columns=classes, index=nodes["name"].to_numpy()[data.original_id])
    print(predicted.head(3).round(3).to_string())


if __name__ == "__main__":
    main()
