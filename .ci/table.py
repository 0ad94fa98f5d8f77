"""Prints a table of `kith train --json` results: table.py NAME=FILE..."""

import json
import statistics
import sys

COLUMNS = ["", "seconds per epoch", "input nodes per batch", "communities per batch", "test accuracy"]


def row(name: str, result: dict) -> list[str]:
    """One line of the table; figures of an epoch are medians over the epochs."""
    epochs = result["epochs"]

    def median(key: str) -> float:
        return statistics.median(epoch[key] for epoch in epochs)

    seconds = statistics.median(epoch["seconds"]["total"] for epoch in epochs)
    return [
        name,
        f"{seconds:.2f}",
        f"{median('input_nodes_per_batch'):,.0f}",
        f"{median('communities_per_batch'):,.1f}",
        f"{100 * result['test_accuracy']:.1f} %",
    ]


def main(arguments: list[str]) -> None:
    lines = [COLUMNS]
    for argument in arguments:
        name, _, path = argument.partition("=")
        with open(path, encoding="utf-8") as file:
            lines.append(row(name, json.load(file)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for number, line in enumerate(lines):
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  ".join(cells))
        if number == 0:
            print("  ".join("-" * width for width in widths))


if __name__ == "__main__":
    main(sys.argv[1:])
