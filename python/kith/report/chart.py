"""Figures as data: what `svg` and `png` draw."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# Colours 0.. of a series; RANDOM_COLOR is grey.
NUM_COLORS = 8
RANDOM_COLOR = 5


@dataclass
class Mark:
    """A point, with bars from low to high (NaN: no bar), a word beside it and a sentence for the pointer."""

    x: float
    y: float
    label: str = ""
    hint: str = ""
    x_bar: tuple[float, float] = (math.nan, math.nan)
    y_bar: tuple[float, float] = (math.nan, math.nan)


@dataclass
class Series:
    """Marks of one colour: shape "circle", "square", "diamond" or "none"; a line through them if is_joined; a
    band of (low, high), one for each mark, if there is one."""

    name: str
    color: int
    marks: list[Mark]
    shape: str = "circle"
    is_joined: bool = False
    band: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Guide:
    """A dashed horizontal line."""

    y: float
    label: str


@dataclass
class Scatter:
    slug: str
    title: str
    caption: str
    x_label: str
    y_label: str
    series: list[Series]
    guides: list[Guide]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    is_log: bool = False  # of x


@dataclass
class Bar:
    """One line of a bar chart: two bars, one below the other, each of (colour, width) pieces, and a tick."""

    label: str
    pieces: list[tuple[int, float]]
    thin_pieces: list[tuple[int, float]]
    tick: float


@dataclass
class BarChart:
    """limit: where the axis ends; longer bars are cut, with their tick in words."""

    slug: str
    title: str
    caption: str
    x_label: str
    bars: list[Bar]
    limit: float
    legend: list[tuple[str, int]]


@dataclass(frozen=True)
class Scale:
    """A map of [low, high] onto pixels [start, end]; logarithmic if is_log."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the scale."""
        return log_ticks(self.low, self.high, most) if self.is_log else round_ticks(self.low, self.high, most)


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten in [low, high], at most so many."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20):
        first, last = math.ceil(low / (factor * step) - 1e-9), math.floor(high / (factor * step) + 1e-9)
        if last - first < most:
            return [factor * step * i for i in range(first, last + 1)]
    return []


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """1, 2 and 5 times the powers of ten in [low, high], or the powers alone where those are too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks if len(ticks) > 1 else round_ticks(low, high, most)


def padded(low: float, high: float, share: float = 0.08, is_log: bool = False) -> tuple[float, float]:
    """A range with some room at both ends; low may equal high."""
    if is_log:
        low, high = padded(math.log(low), math.log(high), share)
        return math.exp(low), math.exp(high)
    pad = share * (high - low) if high > low else max(abs(low) * 0.05, 1e-3)
    return low - pad, high + pad


def number(value: float) -> str:
    """A tick or quantity in at most three or four digits: 12,300 and 0.051."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
