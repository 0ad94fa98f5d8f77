"""One HTML page of a summary: nothing in it is loaded from elsewhere, and nothing in it runs."""

from __future__ import annotations

import math
import os
from html import escape
from os import PathLike
from pathlib import Path

from kith.report.chart import BarChart, Scatter
from kith.report.figures import figures_of, range_text, signed
from kith.report.intervals import Interval
from kith.report.method import OVER_GRAPHS, method
from kith.report.remarks import remarks_on
from kith.report.summary import Overall, Row, Section, Summary, TargetSpeedup
from kith.report.svg import draw, swatch
from kith.report.table import RANDOM

_NONE = "\N{EN DASH}"


def write_page(summary: Summary, path: str | PathLike[str]) -> None:
    """Writes the page; a file that stands there stays whole until the new one is. Raises OSError."""
    temporary = Path(f"{os.fspath(path)}.tmp")
    try:
        temporary.write_text(render_page(summary), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"{path}: cannot be written: {error.strerror}") from error


def render_page(summary: Summary) -> str:
    """The page as text."""
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    body = [
        "<h1>Structured batches beside random ones</h1>",
        f'<p class="muted">{escape(_scope(summary))}</p>',
        _overall_table(summary),
        _graphs_table(summary),
        *(_section(section, i, summary) for i, section in enumerate(summary.sections)),
        _method(summary),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Kith: sweep</title>\n'
        f'<link rel="icon" href="data:,">\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n'
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _scope(summary: Summary) -> str:
    rows = [row for section in summary.sections for row in (section.random, *section.rows)]
    runs = sum(len(row.runs) for row in rows)
    graphs = {section.setting.graph for section in summary.sections}
    seeds = {row.num_pairs for row in rows}
    clock = "CPU time" if summary.time == "cpu" else "wall time"
    span = f"{min(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
    return (
        f"{_count(runs, 'run')} on {_count(len(graphs), 'graph')}, {span} "
        f"{'seed' if seeds == {1} else 'seeds'} a configuration; {clock}."
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _table(name: str, head: list[str], rows: list[tuple[str, list[str]]], groups: str = "") -> str:
    """head and cells are HTML; a row comes with its class, and its first cell heads it. groups: a row above the
    head."""
    lines = [
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name)}"><table>',
        f"<thead>{groups}<tr>" + "".join(f'<th scope="col">{cell}</th>' for cell in head) + "</tr></thead>",
        "<tbody>",
    ]
    for kind, (first, *cells) in rows:
        attribute = f' class="{kind}"' if kind else ""
        lines.append(
            f'<tr{attribute}><th scope="row">{first}</th>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>"
        )
    return "\n".join([*lines, "</tbody></table></div>"])


def _overall_table(summary: Summary) -> str:
    has_models = len({overall.model for overall in summary.overall}) > 1
    head = [
        "configuration",
        "graphs<small>that have it</small>",
        "time to best<small>speed-up</small>",
        "worst graph",
        "best graph",
        "an epoch<small>speed-up</small>",
        "accuracy<small>points</small>",
        "worst graph",
    ]

    def cells(one: Overall) -> list[str]:
        return [
            (f"{escape(one.model)}: " if has_models else "") + escape(one.choice),
            f"{one.num_found} of {one.num_sections}",
            f"<b>{_times(one.mean_to_best)}</b>",
            _times(one.worst_to_best),
            _times(one.best_to_best),
            _times(one.mean_per_epoch),
            f"<b>{signed(one.mean_difference)}</b>",
            signed(one.worst_difference),
        ]

    return f"<h2>Over the graphs</h2><p>{escape(OVER_GRAPHS)}</p>" + _table(
        "Over the graphs", head, [("", cells(one)) for one in summary.overall]
    )


def _graphs_table(summary: Summary) -> str:
    within = f"within {summary.tolerance:g} points"
    choices = [_label(summary.named_label), f"fastest knobs {within}", f"fastest rival {within}"]
    groups = "".join(f'<th colspan="3" scope="colgroup">{choice}</th>' for choice in choices)
    head = ["graph, model", *(["to best", "to target", "points"] * len(choices))]

    def cells_of(row: Row | None, names_it: bool) -> list[str]:
        if row is None or row.configuration.sampler == RANDOM:
            return ["none", "", ""]
        target = row.speedup_to_target
        return [
            f"{_times(row.speedup_to_best.mean)}<small>{_label(row.label) if names_it else ''}</small>",
            f"{_target_value(target)}<small>{_reached(row)}</small>",
            signed(row.accuracy_difference.mean),
        ]

    def cells(section: Section, index: int) -> list[str]:
        link = f'<a href="#section-{index}">{escape(section.title)}</a>'
        chosen = [(section.named, False), (section.best, True), (section.best_rival, True)]
        return [link, *(cell for row, names_it in chosen for cell in cells_of(row, names_it))]

    rows = [("", cells(section, index)) for index, section in enumerate(summary.sections)]
    return "<h3>Graph by graph</h3>" + _table(
        "Graph by graph", head, rows, groups=f'<tr class="groups"><td></td>{groups}</tr>'
    )


def _section(section: Section, index: int, summary: Summary) -> str:
    remarks = remarks_on(section, summary.tolerance)
    parts = [
        f'<section id="section-{index}">',
        f"<h2>{escape(section.title)}</h2>",
        f'<p class="muted">{section.num_nodes:,} nodes; {escape(section.setting.details)}. Target: validation '
        f"accuracy {section.target:.2f} %.</p>",
    ]
    if remarks:
        items = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
        parts.append(f'<ul class="remarks" aria-label="Remarks">{items}</ul>')
    parts.append(_section_table(section, summary))
    figures = figures_of(section, summary.tolerance, summary.time)
    parts.append('<div class="figures">')
    parts += [_figure(figure, f"{figure.slug}-{index}") for figure in figures]
    parts.append("</div>\n</section>")
    return "\n".join(parts)


def _section_table(section: Section, summary: Summary) -> str:
    head = [
        "batches",
        "seeds",
        "time to best<small>speed-up, 95 %</small>",
        "an epoch<small>speed-up, 95 %</small>",
        "to target<small>speed-up, 95 %</small>",
        "accuracy<small>test, %</small>",
        "difference<small>points, 95 %</small>",
        f"within<small>{summary.tolerance:g} points</small>",
        "worst seed<small>points</small>",
        "epochs<small>to best</small>",
        "input nodes<small>a batch</small>",
        "entropy<small>label, bits</small>",
    ]
    rows = [("base", _random_cells(section.random))]
    rows += [("", _row_cells(row)) for row in section.rows]
    return _table(f"Configurations of {section.title}", head, rows)


def _row_cells(row: Row) -> list[str]:
    difference = row.accuracy_difference
    bounds = f"{signed(difference.low)} to {signed(difference.high)}" if difference.is_bounded else ""
    verdict = {
        "within": '<span class="good">yes</span>',
        "worse": '<span class="bad">no</span>',
        "open": "open",
        "": _NONE,
    }[row.verdict]
    return [
        _label(row.label),
        str(row.num_pairs),
        _speedup(row.speedup_to_best),
        _speedup(row.speedup_per_epoch),
        _target_cell(row),
        f"{row.accuracy:.2f}",
        f"{signed(difference.mean)}<small>{bounds}</small>",
        verdict,
        f"{signed(row.worst_difference)}<small>seed {row.worst_seed}</small>",
        *_common_cells(row),
    ]


def _random_cells(row: Row) -> list[str]:
    """The baseline in seconds, since its speed-up is 1."""
    return [
        "random",
        str(row.num_pairs),
        _seconds(row.time_to_best),
        _seconds(row.time_per_epoch),
        f"{_NONE}<small>{_reached(row)}</small>",
        f"{row.accuracy:.2f}",
        _NONE,
        _NONE,
        _NONE,
        *_common_cells(row),
    ]


def _common_cells(row: Row) -> list[str]:
    return [f"{row.epochs_to_best:.1f}", f"{row.input_nodes_per_batch:,.0f}", f"{row.label_entropy_bits:.2f}"]


def _seconds(value: float) -> str:
    return f"{value:,.1f} s" if value >= 10 else f"{value:.3g} s"


def _times(value: float) -> str:
    return f"{value:.2f}\N{MULTIPLICATION SIGN}"


def _speedup(interval: Interval) -> str:
    return f"{_times(interval.mean)}<small>{range_text(interval) if interval.is_bounded else ''}</small>"


def _label(words: str) -> str:
    """A configuration's name, which may break between its knobs but not inside one."""
    return ", ".join(f'<span class="knob">{escape(part)}</span>' for part in words.split(", "))


def _target_value(target: TargetSpeedup) -> str:
    sign = {"<": "&lt; ", ">": "&gt; "}.get(target.bound, "")
    return _NONE if math.isnan(target.value.mean) else sign + _times(target.value.mean)


def _reached(row: Row) -> str:
    """How many runs reach the target."""
    return f"{row.speedup_to_target.num_reached} of {row.num_pairs}"


def _target_cell(row: Row) -> str:
    target = row.speedup_to_target
    bounds = f"{range_text(target.value)}; " if target.value.is_bounded else ""
    return f"{_target_value(target)}<small>{bounds}{_reached(row)}</small>"


def _figure(figure: Scatter | BarChart, name: str) -> str:
    if isinstance(figure, BarChart):
        entries = [(word, color, "bar") for word, color in figure.legend]
    else:
        entries = [(one.name, one.color, one.shape) for one in figure.series]
    legend = "".join(f"<li>{swatch(color, shape)}{escape(word)}</li>" for word, color, shape in entries)
    return (
        f"<figure><figcaption><b>{escape(figure.title)}</b>{escape(figure.caption)}</figcaption>\n"
        f'{draw(figure, name)}\n<ul class="legend">{legend}</ul></figure>'
    )


def _method(summary: Summary) -> str:
    entries = method(summary.tolerance, summary.time)
    items = "".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in entries.items())
    return f"<section><h2>How it is computed</h2><dl>{items}</dl></section>"
