"""Every staging policy over the knobs: rows found in the fast tier, bytes moved, stalls on the simulated clock.

    python3 bench/stage_table.py build/release/kith build/quickstart/graph.kith.h5 -o bench/results

For every graph, knobs (KNOBS) and slow tier (host memory, or disk) one `kith stage-eval` records a trace and
replays it. Only the predictor's time is measured (processor time); all else is the same everywhere. `-o FOLDER`
writes stage_table.json and stage_table.md there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import machine

KNOBS = {
    "random": ["--mix", "1", "--p-intra", "0.5"],
    "0.125, 0.9": ["--mix", "0.125", "--p-intra", "0.9"],
    "0.125, 1": ["--mix", "0.125", "--p-intra", "1"],
    "0, 1": ["--mix", "0", "--p-intra", "1"],
}
TIERS = {"host": "100%", "disk": "0"}


def evaluate(settings: argparse.Namespace, graph: Path, knobs: str, tier: str) -> dict:
    """The report of one `kith stage-eval`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            settings.kith.resolve(),
            "stage-eval",
            graph,
            "--layers",
            "2",
            "--fanout",
            "10,10",
            *KNOBS[knobs],
        ]
        command += [
            "--stage-bytes",
            settings.sizes,
            "--host-bytes",
            TIERS[tier],
            "--policies",
            settings.policies,
        ]
        command += ["--batch-order", settings.batch_order, "-o", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        report = json.loads((Path(folder) / "stage_eval.json").read_text())
    return {"graph": graph.name.split(".")[0], "knobs": knobs, "tier": tier, "report": report}


def rows_of(run: dict) -> list[dict]:
    """One row for each size and policy, and the bound's."""
    report = run["report"]
    batches, table = report["trace"]["batches"], report["trace"]["table_bytes"]
    rows = []
    for policy in report["policies"]:
        rows.append(
            {key: run[key] for key in ("graph", "knobs", "tier")}
            | {
                "size": round(100 * policy["stage_bytes"] / table),
                "policy": policy["policy"],
                "hit": policy["hit_rate"],
                "megabytes": sum(policy["bytes_moved"].values()) / batches / 1e6,
                "stall": policy["stall_seconds_per_step"],
                "predictor": policy["predictor_seconds"] and policy["predictor_seconds"] / batches,
                "precision": policy["precision_at_10"],
                "frequent": policy["precision_at_10_of_frequent_deltas"],
                "followed": policy["followed"],
            }
        )
    for bound in report["bounds"]:
        rows.append(
            {key: run[key] for key in ("graph", "knobs", "tier")}
            | {
                "size": round(100 * bound["stage_bytes"] / table),
                "policy": "bound",
                "hit": bound["hit_rate"],
                "megabytes": bound["bytes_moved"] / batches / 1e6,
            }
        )
    return rows


def cell(row: dict) -> str:
    text = f"{100 * row['hit']:.0f} %, {row['megabytes']:.2f}"
    return text if row.get("stall") is None else f"{text}, {1e3 * row['stall']:.2f}"


def to_markdown(rows: list[dict]) -> str:
    """A table for each graph and tier: policies down, knobs and sizes across."""
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    columns = list(dict.fromkeys((row["knobs"], row["size"]) for row in rows))
    lines = ["Rows found in the fast tier, MB moved into it a step, ms stalled a step (simulated clock).", ""]
    for graph, tier in dict.fromkeys((row["graph"], row["tier"]) for row in rows):
        lines += [f"### {graph}, the rest on {tier}", ""]
        lines.append("| policy | " + " | ".join(f"{knobs}: {size} %" for knobs, size in columns) + " |")
        lines.append("|---" * (len(columns) + 1) + "|")
        cells = {
            (row["policy"], row["knobs"], row["size"]): cell(row)
            for row in rows
            if (row["graph"], row["tier"]) == (graph, tier)
        }
        for policy in policies:
            found = [cells.get((policy, *column), "") for column in columns]
            lines.append(f"| {policy} | " + " | ".join(found) + " |")
        lines.append("")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kith", type=Path)
    parser.add_argument("graphs", type=Path, nargs="+")
    parser.add_argument("--sizes", default="5%,10%,20%")
    parser.add_argument("--policies", default="none,degree,presample,lru,sieve,lookahead,lstm,auto")
    parser.add_argument("--batch-order", default="shuffled")
    parser.add_argument("--tiers", default="host,disk")
    parser.add_argument("-o", "--output", type=Path, help="folder for stage_table.json and stage_table.md")
    settings = parser.parse_args(arguments)
    rows, reports = [], []
    for graph in settings.graphs:
        for tier in settings.tiers.split(","):
            for knobs in KNOBS:
                run = evaluate(settings, graph, knobs, tier)
                reports.append(
                    {key: run[key] for key in ("graph", "knobs", "tier")}
                    | {"options": run["report"]["options"]}
                )
                rows += rows_of(run)
                print(f"{run['graph']} {tier} {knobs}", file=sys.stderr)
    table = to_markdown(rows)
    print(table, end="")
    if settings.output:
        settings.output.mkdir(parents=True, exist_ok=True)
        report = {"machine": machine.describe(), "runs": reports, "rows": rows}
        (settings.output / "stage_table.json").write_text(json.dumps(report, indent=1) + "\n")
        (settings.output / "stage_table.md").write_text(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
