"""The figures of a page as PNG files, drawn by matplotlib."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from kith.report.chart import BarChart, Scale, Scatter, number
from kith.report.figures import figures_of
from kith.report.summary import Summary

_COLORS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8d5fa8", "#b8741a", "#4d4d4d", "#1f8a8a", "#b8577c")
_SHAPES = {"circle": "o", "square": "s", "diamond": "D", "none": ""}


def require_matplotlib() -> Any:
    """matplotlib.figure; raises ImportError with what to do where it is missing."""
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ImportError("--png needs matplotlib (pip install matplotlib)") from error
    return matplotlib.figure


def write_pngs(summary: Summary, page: Path) -> list[Path]:
    """Writes every figure beside the page, as PAGE-GRAPH-MODEL-FIGURE.png; returns the files."""
    figures = require_matplotlib()
    paths = []
    for section in summary.sections:
        for chart in figures_of(section, summary.tolerance, summary.time):
            figure = figures.Figure(figsize=(6.4, 4.6), layout="constrained")
            axes = figure.subplots()
            axes.set_title(f"{section.title}: {chart.title}", fontsize=10)
            draw = _draw_bars if isinstance(chart, BarChart) else _draw_scatter
            draw(chart, axes)
            name = re.sub(r"[^\w.]+", "-", f"{section.title} {chart.slug}")
            path = page.with_name(f"{page.stem}-{name}.png")
            figure.savefig(path, dpi=150)
            paths.append(path)
    return paths


def _draw_scatter(chart: Scatter, axes: Any) -> None:
    for guide in chart.guides:
        axes.axhline(guide.y, color="#888888", linestyle="--", linewidth=0.8)
    for series in chart.series:
        color = _COLORS[series.color]
        x, y = [mark.x for mark in series.marks], [mark.y for mark in series.marks]
        line = "-" if series.is_joined else "none"
        axes.plot(x, y, linestyle=line, color=color, marker=_SHAPES[series.shape], label=series.name)
        if series.band:
            axes.fill_between(x, *zip(*series.band), color=color, alpha=0.16, linewidth=0)
        for mark in series.marks:
            if not math.isnan(mark.x_bar[0]):
                axes.hlines(mark.y, *mark.x_bar, color=color, alpha=0.4)
            if not math.isnan(mark.y_bar[0]):
                axes.vlines(mark.x, *mark.y_bar, color=color, alpha=0.4)
            if mark.label:
                axes.annotate(mark.label, (mark.x, mark.y), (4, 4), textcoords="offset points", fontsize=7)
    axes.set(xscale="log" if chart.is_log else "linear", xlim=chart.x_range, ylim=chart.y_range)
    ticks = Scale(*chart.x_range, 0, 1, chart.is_log).ticks()
    axes.set_xticks(ticks, [number(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)


def _draw_bars(chart: BarChart, axes: Any) -> None:
    axes.figure.set_figheight(1.6 + 0.3 * len(chart.bars))
    for place, bar in enumerate(chart.bars):
        for pieces, offset, height in ((bar.pieces, -0.1, 0.4), (bar.thin_pieces, 0.25, 0.18)):
            start = 0.0
            for color, width in pieces:
                axes.barh(place + offset, width, height, start, color=_COLORS[color])
                start += width
        axes.vlines(bar.tick, place - 0.4, place + 0.35, color="black")
        if bar.tick > chart.limit:
            words = {"ha": "right", "va": "center", "color": "white", "fontsize": 8}
            axes.text(0.98 * chart.limit, place - 0.1, f"{number(bar.tick)} s \N{RIGHTWARDS ARROW}", **words)
    for word, color in chart.legend:
        axes.barh(0, 0, color=_COLORS[color], label=word)
    axes.set_yticks(range(len(chart.bars)), [bar.label for bar in chart.bars], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=chart.x_label, xlim=(0, chart.limit))
    axes.legend(fontsize=8)
