"""What the knobs do on a graph: a sweep over mix and p_intra, a table, and a picture if matplotlib is there.

    python sweep_plot.py graph.kith.h5 -o sweep.png

The command `kith sweep` does the same at length: several seeds, resumable, more knobs.
"""

import argparse
import csv
import sys

import kith


def run(data, mix, p_intra, args):
    """Trains once; returns one row of the table."""
    knobs = {"mix": mix, "p_intra": p_intra}
    loader = kith.NeighborLoader(data, args.fanout, "train", batch_size=args.batch_size, **knobs)
    model = kith.nn.GraphSAGE(data.num_features, args.hidden, data.num_classes, num_layers=len(args.fanout))
    trainer = kith.Trainer(model, data, lr=0.01)
    history = trainer.fit(loader, epochs=args.epochs, patience=args.epochs, progress=False)
    seconds = sorted(history["seconds"])[len(history["seconds"]) // 2]
    return {
        **knobs,
        "test_accuracy": round(trainer.evaluate("test"), 4),
        "seconds_per_epoch": round(seconds, 4),
        "input_nodes_per_batch": round(history["input_nodes_per_batch"][-1]),
    }


def plot(rows, path):
    """Accuracy against seconds an epoch, one line for each p_intra."""
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed, so there is no picture", file=sys.stderr)
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for p_intra in sorted({row["p_intra"] for row in rows}):
        line = sorted((row for row in rows if row["p_intra"] == p_intra), key=lambda row: row["mix"])
        seconds, accuracy = ([row[key] for row in line] for key in ("seconds_per_epoch", "test_accuracy"))
        axes.plot(seconds, accuracy, marker="o", label=f"p_intra {p_intra:g}")
        for row in line:
            axes.annotate(f"{row['mix']:g}", (row["seconds_per_epoch"], row["test_accuracy"]), fontsize=8)
    axes.set(xlabel="seconds an epoch", ylabel="test accuracy", title="numbers beside the points: mix")
    axes.legend()
    figure.savefig(path, dpi=150, bbox_inches="tight")
    print(f"wrote {path}", file=sys.stderr)


def numbers(kind):
    return lambda text: [kind(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a .kith.h5 file")
    parser.add_argument("-o", "--output", default="sweep.png", help="the picture to write")
    parser.add_argument("--mix", type=numbers(float), default=[0, 0.125, 1])
    parser.add_argument("--p-intra", type=numbers(float), default=[0.5, 0.9])
    parser.add_argument("--fanout", type=numbers(int), default=[10, 10])
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()

    data = kith.Dataset.open(args.file)
    rows = [run(data, mix, p_intra, args) for p_intra in args.p_intra for mix in args.mix]
    table = csv.DictWriter(sys.stdout, rows[0].keys())
    table.writeheader()
    table.writerows(rows)
    plot(rows, args.output)


if __name__ == "__main__":
    main()
