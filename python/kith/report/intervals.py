"""Means of paired differences and ratios, with their 95 % t intervals."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds of its 95 % interval. low and high are NaN for a single value."""

    mean: float
    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        return not math.isnan(self.low)


@functools.cache
def t_quantile(degrees: int, level: float = LEVEL) -> float:
    """The t for which a Student-t variable of so many degrees of freedom (> 0) lies in [-t, t] with `level`."""
    low, high = 0.0, math.pi / 2  # of atan(t / sqrt(degrees)): bounded, whatever t is
    for _ in range(64):
        middle = (low + high) / 2
        if _share_within(middle, degrees) < level:
            low = middle
        else:
            high = middle
    return math.tan(high) * math.sqrt(degrees)


def _share_within(angle: float, degrees: int) -> float:
    """P(|T| < t) for angle = atan(t / sqrt(degrees)): the finite sums that whole degrees of freedom have."""
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = degrees % 2 == 1
    term = cosine if is_odd else 1.0
    total = 0.0
    for power in range(int(is_odd), degrees - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    return 2 / math.pi * (angle + sine * total) if is_odd else sine * total


def mean_interval(values: Any) -> Interval:
    """The mean of independent values [n], n > 0."""
    values = np.asarray(values, float)
    mean = float(values.mean())
    if values.size < 2:
        return Interval(mean, math.nan, math.nan)
    half = t_quantile(values.size - 1) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Interval(mean, mean - half, mean + half)


def ratio_interval(numerators: Any, denominators: Any) -> Interval:
    """The geometric mean of the ratios of pairs ([n] each, all > 0); a t interval on their logarithms."""
    logs = mean_interval(np.log(np.asarray(numerators, float)) - np.log(np.asarray(denominators, float)))
    return Interval(math.exp(logs.mean), math.exp(logs.low), math.exp(logs.high))
