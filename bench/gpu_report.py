"""Joins what bench/gpu.sh left in its folder into one JSON that names the GPU, and prints tables.

    python bench/gpu_report.py build/gpu -o build/gpu.json

Reads whatever is there: a step that did not run leaves its part out, and `steps` says why.
"""

import argparse
import csv
import datetime
import json
import re
import statistics
import subprocess
from pathlib import Path

from machine import describe


def gpu():
    fields = "name,driver_version,memory.total,clocks.max.sm"
    query = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    return dict(zip(fields.split(","), answer.splitlines()[0].split(", ")))


def read_json(path):
    """What the file holds; nothing if it is missing, or was cut short with its step."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def steps(folder):
    lines = (folder / "steps.tsv").read_text().splitlines()
    return [dict(zip(("step", "outcome", "seconds"), line.split("\t"))) for line in lines]


def tests(folder):
    found = [read_json(path) for path in sorted(folder.glob("tests-*.json"))]
    return {key: sum(each.get(key, 0) for each in found) for key in ("tests", "failures", "errors", "disabled")}


def bench(path):
    """A row a case: its name, its label (who computes) and its numbers."""
    rows = []
    for row in read_json(path).get("benchmarks", []):
        kept = {"name": row["name"].removesuffix("/real_time"), "label": row.get("label", "")}
        if row.get("error_occurred") or row.get("skipped"):
            kept["error"] = row.get("error_message", row.get("skip_message", "skipped"))
        else:
            kept |= {"microseconds": row["real_time"], "GB/s": row.get("GB/s")}
        rows.append(kept)
    return rows


def is_number(text):
    return re.fullmatch(r"[\d,]*\.?\d+", text or "") is not None


def cache_hits(folder):
    """Medians over the launches of each kernel, from ncu's raw pages."""
    rows = []
    for path in sorted(folder.glob("ncu-*.csv")):
        lines = [line for line in path.read_text().splitlines() if line.startswith('"')]
        launches = [row for row in csv.DictReader(lines) if row.get("ID")]  # the second line holds units
        for kernel in dict.fromkeys(row["Kernel Name"] for row in launches):
            of_kernel = [row for row in launches if row["Kernel Name"] == kernel]
            numbers = {
                key: statistics.median(float(row[key].replace(",", "")) for row in of_kernel)
                for key in of_kernel[0]
                if re.match("(lts|l1tex|dram|gpu)__", key) and all(is_number(row[key]) for row in of_kernel)
            }
            case = path.stem.removeprefix("ncu-")
            rows.append({"case": case, "kernel": kernel[:120], "launches": len(of_kernel)} | numbers)
    return rows


def training(folder):
    """Seconds an epoch of every run, by part; the first epoch, which brings data to the device, is left out."""
    rows = []
    for path in sorted(folder.glob("train-*.json")):
        report = read_json(path)
        epochs = report.get("epochs", [])[1:]
        if not epochs:
            continue
        seconds = {
            part: statistics.median(epoch["seconds"][part] for epoch in epochs) for part in epochs[0]["seconds"]
        }
        options = report["options"]
        rows.append(
            {"run": path.stem.removeprefix("train-")}
            | {key: options[key] for key in ("model", "fanout", "mix", "p_intra")}
            | {
                "batches": epochs[0]["batches"],
                "input_nodes_per_batch": epochs[-1]["input_nodes_per_batch"],
                "edges_per_batch": epochs[-1]["edges_per_batch"],
                "seconds_per_epoch": seconds,
                "gathering": report.get("gathering", []),
            }
        )
    return rows


def staging(folder):
    """The last epoch of every run with staged features, and of those that read them in place, by name."""
    rows = []
    for path in sorted(folder.glob("staged-*.json")):
        report = read_json(path)
        if not report.get("epochs"):
            continue
        name, knobs = re.fullmatch(r"staged-(.+)-([^-]+)\.json", path.name).groups()
        epoch = report["epochs"][-1]
        seconds = epoch["seconds"]
        rows.append(
            {
                "features": name,
                "knobs": knobs,
                "hit_rate": epoch["hit_rate"],
                "bytes_over_bus_per_batch": epoch["staged_bytes_over_bus"] / max(epoch["batches"], 1),
                "bytes_from_disk_per_batch": epoch["staged_bytes_from_disk"] / max(epoch["batches"], 1),
                "input_nodes_per_batch": epoch["input_nodes_per_batch"],
                "seconds_per_epoch": seconds,
                "stall_share": seconds["stall"] / seconds["total"] if seconds["total"] > 0 else 0,
            }
        )
    return rows


def print_table(title, rows, columns):
    if not rows:
        return
    texts = [
        [f"{row[key]:.4g}" if isinstance(row.get(key), float) else str(row.get(key, "")) for key in columns]
        for row in rows
    ]
    widths = [max(len(column), *(len(line[i]) for line in texts)) for i, column in enumerate(columns)]
    print(f"\n{title}")
    for line in [columns, *texts]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    folder = args.folder
    report = {
        "gpu": gpu(),
        "date": datetime.date.today().isoformat(),
        "machine": describe(),
        "steps": steps(folder),
        "tests": tests(folder),
        "kernels": bench(folder / "device_bench.json"),
        "first_layers": bench(folder / "gathering_bench.json"),
        "blocks": bench(folder / "blocks_bench.json"),
        "torch": read_json(folder / "torch.json"),
        "layers": read_json(folder / "layers.json"),
        "cache": cache_hits(folder),
        "training": training(folder),
        "staging": staging(folder),
        "pyg": read_json(folder / "pyg.json"),
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=2) + "\n")
    measured = ["name", "label", "microseconds", "GB/s", "error"]
    print_table("Steps", report["steps"], ["step", "outcome", "seconds"])
    print_table("Kernels", report["kernels"], measured)
    print_table(
        "Aggregation by torch",
        report["torch"].get("rows"),
        ["way", "shape", "features", "microseconds", "GB/s", "error"],
    )
    print_table(
        "kith.torch's layers beside PyG's",
        report["layers"].get("rows"),
        ["layer", "shape", "channels", "way", "milliseconds"],
    )
    print_table("First layers", report["first_layers"], measured)
    print_table("Batches and the whole graph", report["blocks"], measured)
    print_table("Second-level cache", report["cache"], list(report["cache"][0]) if report["cache"] else [])
    runs = [row | {"seconds": row["seconds_per_epoch"]["total"]} for row in report["training"]]
    columns = ["run", "model", "fanout", "mix", "p_intra", "input_nodes_per_batch", "seconds"]
    print_table("Training", runs, columns)
    staged = [row | {"seconds": row["seconds_per_epoch"]["total"]} for row in report["staging"]]
    columns = ["features", "knobs", "hit_rate", "bytes_over_bus_per_batch", "stall_share", "seconds"]
    print_table("GPU memory as the fast tier", staged, columns)
    print_table("PyG", report["pyg"].get("rows"), ["fanout", "seconds_per_epoch"])


if __name__ == "__main__":
    main()
