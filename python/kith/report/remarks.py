"""What a reader of the figures should not miss: short sentences made from the data."""

from __future__ import annotations

from collections.abc import Iterable

from kith.report.summary import Row, Section

FEW_SEEDS = 3
MOST_NAMED = 6


def remarks_on(section: Section, tolerance: float) -> list[str]:
    """Sentences about one graph and model; none if there is nothing to say."""
    every = [section.random, *section.rows]
    candidates = (
        _on_few_seeds(every),
        _on_missing_seeds(every),
        _on_accuracy(section.rows, tolerance),
        _on_cover(every, section.num_nodes),
        _on_target(every),
        _on_epochs(every),
        _on_last_epoch(every),
    )
    return [remark for remark in candidates if remark]


def _on_few_seeds(rows: list[Row]) -> str:
    few = [row for row in rows if row.num_pairs < FEW_SEEDS]
    if not few:
        return ""
    who = "" if len(few) == len(rows) else f" for {_list(row.label for row in few)}"
    if all(row.num_pairs == 1 for row in few):
        return f"One seed{who}: there is no interval, and nothing can be told from chance."
    return f"Fewer than {FEW_SEEDS} seeds{who}: intervals are very wide."


def _on_missing_seeds(rows: list[Row]) -> str:
    most = max(row.num_pairs for row in rows)
    short = [row for row in rows if row.num_pairs < most]
    if not short:
        return ""
    counts = _list(f"{row.label} ({row.num_pairs})" for row in short)
    return f"Not every configuration has all {most} seeds, and means are over those that it has: {counts}."


def _on_accuracy(rows: list[Row], tolerance: float) -> str:
    worse = [row for row in rows if row.verdict == "worse"]
    if not worse:
        return ""
    return (
        f"Less accurate than random batches by more than {tolerance:g} points, with the whole interval of the "
        f"difference below \N{MINUS SIGN}{tolerance:g}: {_list(row.label for row in worse)}."
    )


def _on_cover(rows: list[Row], num_nodes: int) -> str:
    covering = [row for row in rows if row.input_nodes_per_batch > num_nodes / 2]
    if not covering:
        return ""
    shares = _list(f"{row.label} ({row.input_nodes_per_batch / num_nodes:.0%})" for row in covering)
    return f"A batch reads more than half of the graph's {num_nodes:,} nodes with {shares}."


def _on_target(rows: list[Row]) -> str:
    short = [row for row in rows if row.speedup_to_target.num_reached < row.num_pairs]
    if not short:
        return ""
    counts = _list(f"{row.label} ({row.speedup_to_target.num_reached} of {row.num_pairs})" for row in short)
    return (
        f"With {len(short)} of {len(rows)} configurations not every run reaches the target accuracy: {counts}."
    )


def _on_epochs(rows: list[Row]) -> str:
    epochs = [run.epochs for row in rows for run in row.runs]
    if min(epochs) == max(epochs):
        return ""
    return (
        f"Runs stopped after different numbers of epochs ({min(epochs)} to {max(epochs)}): time to best "
        "depends on when a run stops, time to the target does not."
    )


def _on_last_epoch(rows: list[Row]) -> str:
    runs = [run for row in rows for run in row.runs]
    last = sum(run.best_epoch == run.epochs - 1 for run in runs)
    if not last:
        return ""
    return f"{last} of {len(runs)} runs were best in their last epoch, so they might have become better still."


def _list(items: Iterable[str]) -> str:
    """The first few, and how many more there are: the table holds them all."""
    words = list(items)
    more = len(words) - MOST_NAMED
    return "; ".join(words[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
