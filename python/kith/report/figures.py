"""The figures of one graph and model, as data."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kith.report.chart import (
    NUM_COLORS,
    RANDOM_COLOR,
    Bar,
    BarChart,
    Guide,
    Mark,
    Scatter,
    Series,
    number,
    padded,
)
from kith.report.intervals import Interval
from kith.report.summary import Row, Section

# From this ratio of largest to smallest on, an x axis is logarithmic.
LOG_FROM = 6
# A bar so many times as long as that of random batches is cut.
CUT_FROM = 2.5
_COLORS = [color for color in range(NUM_COLORS) if color != RANDOM_COLOR]
_UNBOUNDED = (math.nan, math.nan)


def figures_of(section: Section, tolerance: float, time: str) -> list[Scatter | BarChart]:
    figures = [
        _accuracy_against_time(section, tolerance, time),
        _learning_curves(section, time),
        _accuracy_against_nodes(section, tolerance),
        _time_split(section),
    ]
    return [figure for figure in figures if figure is not None]


def clock_name(time: str) -> str:
    return "CPU seconds" if time == "cpu" else "training seconds"


def _accuracy_against_time(section: Section, tolerance: float, time: str) -> Scatter:
    def mark(row: Row) -> Mark:
        point = _mark(row, section.random, row.time_to_best)
        speedup = row.speedup_to_best
        if speedup.is_bounded and row is not section.random:
            base = row.time_to_best * speedup.mean  # random's time over the seeds of this row
            point.x_bar = (base / speedup.high, base / speedup.low)
        return point

    return _scatter(
        section,
        tolerance,
        _knob_series(section, mark),
        slug="time",
        title="Accuracy against time to best",
        caption="Up and left is better. Bars: 95 % intervals of the paired differences to random batches.",
        x_label=f"{clock_name(time)} to the best validation accuracy",
    )


def _accuracy_against_nodes(section: Section, tolerance: float) -> Scatter:
    series = _knob_series(section, lambda row: _mark(row, section.random, row.input_nodes_per_batch))
    return _scatter(
        section,
        tolerance,
        series,
        slug="nodes",
        title="Accuracy against input nodes",
        caption=f"What a batch has to read, of {section.num_nodes:,} nodes. Bars as in the first figure.",
        x_label="input nodes a batch",
    )


def _mark(row: Row, random: Row, x: float) -> Mark:
    difference = row.accuracy_difference
    base = row.accuracy - difference.mean  # random's accuracy over the seeds of this row
    bar = _UNBOUNDED
    if difference.is_bounded and row is not random:
        bar = (base + difference.low, base + difference.high)
    hint = f"{row.label}: {number(x)}, {row.accuracy:.2f} % ({signed(difference.mean)} points)"
    return Mark(x, row.accuracy, row.label, hint, y_bar=bar)


def _knob_series(section: Section, mark: Callable[[Row], Mark]) -> list[Series]:
    """The knobs, a line for each p_intra (and further options) labelled with mix; what stands alone; random."""
    lines: dict[str, list[Mark]] = {}
    schedules, rivals = [], []
    for row in section.rows:
        point = mark(row)
        if not row.is_structured:
            rivals.append(point)
        elif row.configuration.is_scheduled:
            schedules.append(point)
        else:
            mix, _, rest = row.label.partition(", ")
            point.label = mix.removeprefix("mix ")
            lines.setdefault(rest, []).append(point)
    series = [
        Series(name, _COLORS[i % len(_COLORS)], marks, is_joined=True)
        for i, (name, marks) in enumerate(lines.items())
    ]
    for name, marks, shape in (("schedules", schedules, "circle"), ("rivals", rivals, "diamond")):
        if marks:
            series.append(Series(name, _COLORS[len(series) % len(_COLORS)], marks, shape))
    series.append(Series("random batches", RANDOM_COLOR, [mark(section.random)], shape="square"))
    return series


def _scatter(section: Section, tolerance: float, series: list[Series], **words: str) -> Scatter:
    marks = [mark for one in series for mark in one.marks]
    xs = [mark.x for mark in marks]
    is_log = max(xs) > LOG_FROM * min(xs) > 0
    level = section.random.accuracy
    return Scatter(
        **words,
        y_label="test accuracy, %",
        series=series,
        guides=[Guide(level, ""), Guide(level - tolerance, f"\N{MINUS SIGN}{tolerance:g}")],
        x_range=padded(*_span(xs, [mark.x_bar for mark in marks]), is_log=is_log),
        y_range=padded(*_span([mark.y for mark in marks] + [level - tolerance], [m.y_bar for m in marks])),
        is_log=is_log,
    )


def _span(values: list[float], bars: list[tuple[float, float]]) -> tuple[float, float]:
    """A range that holds all values and most bars: one wide bar must not squeeze everything else."""
    bounded = [bar for bar in bars if not math.isnan(bar[0])]
    low, high = min(values), max(values)
    if bounded:
        low = min(low, float(np.quantile([bar[0] for bar in bounded], 0.25)))
        high = max(high, float(np.quantile([bar[1] for bar in bounded], 0.75)))
    return low, high


def rows_to_follow(section: Section) -> list[Row]:
    """The configurations whose learning curves are drawn: random, the named one, the best ones."""
    chosen = [section.random, section.named, section.best, section.best_rival]
    return list({row.label: row for row in chosen if row is not None}.values())


def _learning_curves(section: Section, time: str) -> Scatter | None:
    """None where nothing was validated."""
    series = []
    for i, row in enumerate(rows_to_follow(section)):
        color = RANDOM_COLOR if row is section.random else _COLORS[(i - 1) % len(_COLORS)]
        series.append(_curve(row, time, color))
    series = [one for one in series if one.marks]
    if not series:
        return None
    ends = [mark.x for one in series for mark in one.marks]
    values = [mark.y for one in series for mark in one.marks]
    tops = [high for one in series for _, high in one.band] or values
    # The first epochs climb steeply; what they would add to the axis is not what the figure is about.
    low = min(float(np.quantile(values, 0.15)), section.target)
    return Scatter(
        slug="curves",
        title="Validation accuracy over training",
        caption="Mean over the seeds, by epoch, until the first of them stops; band: lowest to highest seed.",
        x_label=clock_name(time),
        y_label="validation accuracy, %",
        series=series,
        guides=[Guide(section.target, "target")],
        x_range=(0, padded(0, max(ends), 0.04)[1]),
        y_range=padded(low, max(*tops, section.target)),
    )


def _curve(row: Row, time: str, color: int) -> Series:
    num_epochs = min(run.epochs for run in row.runs)
    seconds = [[run.seconds_until(i + 1, time) for i in range(num_epochs)] for run in row.runs]
    x = np.mean(seconds, axis=0)
    accuracy = 100 * np.array([run.valid_accuracy[:num_epochs] for run in row.runs])
    is_known = ~np.isnan(accuracy).any(axis=0)
    x, accuracy = x[is_known], accuracy[:, is_known]
    marks = [Mark(float(a), float(b), hint=row.label) for a, b in zip(x, accuracy.mean(axis=0))]
    band = list(zip(accuracy.min(axis=0).tolist(), accuracy.max(axis=0).tolist())) if len(row.runs) > 1 else []
    return Series(row.label, color, marks, shape="none", is_joined=True, band=band)


def _time_split(section: Section) -> BarChart:
    legend = [("compute", 0), ("stall (waiting for batches)", 1), ("sample", 2), ("stage", 4)]

    def mean(row: Row, name: str) -> float:
        return float(np.mean([getattr(run, f"{name}_seconds") for run in row.runs]))

    bars = [
        Bar(
            row.label,
            [(0, mean(row, "compute")), (1, mean(row, "stall"))],
            [(2, mean(row, "sample")), (4, mean(row, "stage"))],
            float(np.mean([run.seconds_per_epoch for run in row.runs])),
        )
        for row in [section.random, *section.rows]
    ]
    return BarChart(
        slug="split",
        title="Where an epoch's seconds go",
        caption="Wall seconds. Thick: the thread that trains. Thin: sampling and staging, summed over the "
        "threads that make batches ahead, so they may be longer. Tick: seconds an epoch, the median.",
        x_label="seconds an epoch",
        bars=bars,
        limit=_bar_limit(bars),
        legend=legend,
    )


def _bar_limit(bars: list[Bar]) -> float:
    """Room for random batches (the first) and for every bar that is not several times as long."""

    def length(bar: Bar) -> float:
        return max(bar.tick, *(sum(width for _, width in pieces) for pieces in (bar.pieces, bar.thin_pieces)))

    usual = max(length(bar) for bar in bars if length(bar) <= CUT_FROM * length(bars[0]))
    return 1.04 * usual


def signed(value: float, digits: int = 2) -> str:
    """With its sign, and a real minus; a rounded zero has none."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def range_text(interval: Interval, digits: int = 2) -> str:
    return f"{interval.low:.{digits}f}\N{EN DASH}{interval.high:.{digits}f}"
