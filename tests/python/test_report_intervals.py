"""The intervals of `kith.report`: against tables and SciPy, by hand, and how often they cover the truth."""

import math

import numpy as np
import pytest
from kith.report.intervals import mean_interval, ratio_interval, t_quantile


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (1, 12.7062),
        (2, 4.3027),
        (3, 3.1824),
        (4, 2.7764),
        (9, 2.2622),
        (10, 2.2281),
        (30, 2.0423),
        (200, 1.9719),
    ],
)
def test_quantiles_are_those_of_a_printed_table(degrees, expected):
    assert t_quantile(degrees) == pytest.approx(expected, abs=6e-5)


def test_quantiles_equal_scipys():
    stats = pytest.importorskip("scipy.stats")
    for degrees in (*range(1, 12), 29, 30, 99, 1000):
        for level in (0.5, 0.9, 0.95, 0.999):
            expected = stats.t.ppf((1 + level) / 2, degrees)
            assert t_quantile(degrees, level) == pytest.approx(expected, rel=1e-9), (degrees, level)


def test_a_mean_by_hand():
    # Mean 2, standard deviation 1, so the half width is 4.3027 / sqrt(3).
    interval = mean_interval([1, 2, 3])
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)
    assert 2 - interval.low == pytest.approx(interval.high - 2)


def test_a_ratio_by_hand():
    # The ratios are 2 and 8: geometric mean 4, logarithms log 4 -+ log 2, half width 12.7062 log 2.
    interval = ratio_interval([4, 8], [2, 1])
    assert interval.mean == pytest.approx(4)
    assert math.log(interval.high / 4) == pytest.approx(12.706205 * math.log(2), rel=1e-6)
    assert interval.low * interval.high == pytest.approx(16)


def test_one_value_has_no_interval():
    assert mean_interval([3]).mean == 3 and not mean_interval([3]).is_bounded
    assert ratio_interval([3], [2]).mean == pytest.approx(1.5) and not ratio_interval([3], [2]).is_bounded


def test_equal_values_have_an_interval_of_no_width():
    interval = ratio_interval([2, 4, 6], [1, 2, 3])
    assert interval.low == pytest.approx(2) and interval.high == pytest.approx(2)


def test_paired_intervals_equal_scipys():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    for n in (2, 3, 5, 20):
        a, b = rng.lognormal(size=(2, n))
        expected = stats.ttest_rel(a, b).confidence_interval(0.95)
        interval = mean_interval(a - b)
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
        expected = stats.ttest_rel(np.log(a), np.log(b)).confidence_interval(0.95)
        interval = ratio_interval(a, b)
        assert (interval.low, interval.high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))
        assert interval.mean == pytest.approx(stats.gmean(a) / stats.gmean(b))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_intervals_cover_the_truth_in_95_of_100_cases(n):
    """Of 4000 samples, so the share has a standard error of 0.34 points, and 0.08 % of all seeds would fail. A
    normal quantile in the place of t covers 70 to 88 %."""
    rng = np.random.default_rng(0)
    true_ratio, cases = 1.7, 4000
    seed_effect = rng.normal(size=(cases, n))  # what a pair shares cancels
    random = np.exp(seed_effect + 0.1 * rng.normal(size=(cases, n)))
    own = np.exp(seed_effect + 0.1 * rng.normal(size=(cases, n))) / true_ratio
    covered = 0
    for a, b in zip(random, own):
        interval = ratio_interval(a, b)
        covered += interval.low <= true_ratio <= interval.high
    assert covered / cases == pytest.approx(0.95, abs=0.0116)
