"""Draws figures as SVG; colours and fonts are the page's, so that they follow its colour scheme."""

from __future__ import annotations

import math
from html import escape

from kith.report.chart import BarChart, Mark, Scale, Scatter, Series, number

# Units of a figure's own; a phone shows two thirds of a pixel for one, so text is large.
_WIDTH, _HEIGHT = 520, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 30, 50
_CHARACTER = 6.9  # width of one, about
_LINE = 13
_BAR_ROW = 27


def draw(figure: Scatter | BarChart, name: str) -> str:
    """The figure as an <svg> element. name: a word that is unique in the page."""
    if isinstance(figure, BarChart):
        return _draw_bars(figure)
    return _draw_scatter(figure, name)


def swatch(color: int, shape: str) -> str:
    """The small sign of a legend: the shape of a mark, or "line", or "bar"."""
    inside = _shape(shape, 9, 7)
    if shape == "none":
        inside = '<path class="curve" d="M0 7H18"/>'
    if shape == "bar":
        inside = '<rect x="2" y="2" width="14" height="10"/>'
    return f'<svg class="swatch s{color}" viewBox="0 0 18 14" aria-hidden="true">{inside}</svg>'


def _document(height: float, title: str, body: list[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">\n'
        + "\n".join(body)
        + "\n</svg>"
    )


def _text(x: float, y: float, words: str, kind: str = "tick", anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _shape(shape: str, x: float, y: float) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    if shape == "square":
        return f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"/>'
    if shape == "diamond":
        return f'<path d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"/>'
    return ""


def _draw_scatter(figure: Scatter, name: str) -> str:
    x = Scale(*figure.x_range, _LEFT, _WIDTH - _RIGHT, figure.is_log)
    y = Scale(*figure.y_range, _HEIGHT - _BOTTOM, _TOP)
    body = [
        f'<clipPath id="{name}"><rect x="{x.start}" y="{y.end}" width="{x.end - x.start}" '
        f'height="{y.start - y.end}"/></clipPath>'
    ]
    for tick in x.ticks():
        body += [_line(x(tick), y.start, x(tick), y.end, "grid")]
        at_edge = x(tick) > x.end - 12
        place, anchor = (_WIDTH - 1, "end") if at_edge else (x(tick), "middle")
        body += [_text(place, y.start + 19, number(tick), anchor=anchor)]
    for tick in y.ticks():
        body += [_line(x.start, y(tick), x.end, y(tick), "grid")]
        body += [_text(x.start - 7, y(tick) + 5, f"{tick:.4g}", anchor="end")]
    body += [_text(4, _TOP - 13, figure.y_label, "axis", "start")]
    body += [_text(x.end, _HEIGHT - 8, figure.x_label, "axis", "end")]
    labels = _Labels(x, y, [mark for one in figure.series for mark in one.marks if one.shape != "none"])
    body.append(f'<g clip-path="url(#{name})">')
    for guide in figure.guides:
        if y.low <= guide.y <= y.high:
            body.append(_line(x.start, y(guide.y), x.end, y(guide.y), "guide"))
            if guide.label:
                width = _CHARACTER * len(guide.label) + 8
                labels.keep_free(x.start, y(guide.y), x.start + width, y(guide.y) + _LINE)
                body.append(_text(x.start + 4, y(guide.y) + 14, guide.label, "tick", "start"))
    body += [_draw_series(one, x, y) for one in figure.series]
    body.append("</g>")
    for one in reversed(figure.series):  # random and the rivals first: their names are said nowhere else
        body += [labels.place(mark, one.color) for mark in one.marks if mark.label]
    return _document(_HEIGHT, figure.title, body)


def _draw_series(series: Series, x: Scale, y: Scale) -> str:
    parts = []
    points = [(x(mark.x), y(mark.y)) for mark in series.marks]
    if series.band:
        edge = [(px, y(high)) for (px, _), (_, high) in zip(points, series.band)]
        edge += [(px, y(low)) for (px, _), (low, _) in reversed(list(zip(points, series.band)))]
        parts.append(f'<path class="band" d="{_path(edge)}z"/>')
    if series.is_joined and points:
        parts.append(f'<path class="curve" d="{_path(points)}"><title>{escape(series.name)}</title></path>')
    for mark, (px, py) in zip(series.marks, points):
        if not math.isnan(mark.x_bar[0]):
            parts.append(_line(x(max(mark.x_bar[0], x.low)), py, x(min(mark.x_bar[1], x.high)), py, "bar"))
        if not math.isnan(mark.y_bar[0]):
            parts.append(_line(px, y(mark.y_bar[0]), px, y(mark.y_bar[1]), "bar"))
        if series.shape != "none":
            parts.append(f"<g>{_shape(series.shape, px, py)}<title>{escape(mark.hint)}</title></g>")
    return f'<g class="s{series.color}">' + "".join(parts) + "</g>"


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)


class _Labels:
    """Puts words beside marks where nothing else is; one that finds no room is left to the pointer's hint."""

    def __init__(self, x: Scale, y: Scale, marks: list[Mark]) -> None:
        self._x, self._y = x, y
        self._taken = [(px - 5, py - 5, px + 5, py + 5) for px, py in ((x(m.x), y(m.y)) for m in marks)]

    def keep_free(self, *box: float) -> None:
        self._taken.append(box)

    def place(self, mark: Mark, color: int) -> str:
        px, py, width = self._x(mark.x), self._y(mark.y), _CHARACTER * len(mark.label)
        places = [
            (px + 8, py - 6),
            (px + 8, py + 14),
            (px - 8 - width, py - 6),
            (px - 8 - width, py + 14),
            (px - width / 2, py - 10),
            (px - width / 2, py + 19),
        ]
        for left, base in places:
            box = (left, base - _LINE + 2, left + width, base + 2)
            if self._is_free(box):
                self._taken.append(box)
                return f'<g class="s{color}">{_text(left, base, mark.label, "mark", "start")}</g>'
        return ""

    def _is_free(self, box: tuple[float, ...]) -> bool:
        left, top, right, bottom = box
        if left < self._x.start or right > self._x.end or top < self._y.end or bottom > self._y.start:
            return False
        return all(
            right <= taken[0] or left >= taken[2] or bottom <= taken[1] or top >= taken[3]
            for taken in self._taken
        )


def _draw_bars(figure: BarChart) -> str:
    label_width = min(_CHARACTER * max(len(bar.label) for bar in figure.bars) + 12, _WIDTH / 2)
    height = _TOP + _BAR_ROW * len(figure.bars) + _BOTTOM
    x = Scale(0, figure.limit, label_width, _WIDTH - _RIGHT)
    bottom = height - _BOTTOM
    body = []
    for tick in x.ticks(5):
        body += [_line(x(tick), bottom, x(tick), _TOP, "grid"), _text(x(tick), bottom + 19, number(tick))]
    for i, bar in enumerate(figure.bars):
        top = _TOP + _BAR_ROW * i
        body.append(_text(label_width - 8, top + 17, bar.label, "name", "end"))
        body += _pieces(bar.pieces, x, top + 4, 12)
        body += _pieces(bar.thin_pieces, x, top + 18, 5)
        if bar.tick <= figure.limit:
            body.append(_line(x(bar.tick), top + 1, x(bar.tick), top + 19, "needle"))
        else:
            body.append(_text(x.end - 4, top + 15, f"{number(bar.tick)} s \N{RIGHTWARDS ARROW}", "cut", "end"))
    body.append(_text(x.end, height - 8, figure.x_label, "axis", "end"))
    return _document(height, figure.title, body)


def _pieces(pieces: list[tuple[int, float]], x: Scale, top: float, height: float) -> list[str]:
    out, start = [], 0.0
    for color, width in pieces:
        left, right = x(min(start, x.high)), x(min(start + width, x.high))
        out.append(
            f'<rect class="s{color}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{height}">'
            f"<title>{width:.4g} s</title></rect>"
        )
        start += width
    return out
