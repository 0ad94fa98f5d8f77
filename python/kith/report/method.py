"""How the figures of a page are computed, in words."""

from __future__ import annotations

_CLOCKS = {
    "wall": "Training seconds by the clock, evaluation left out.",
    "cpu": "Seconds of the processor an epoch times epochs, evaluation left out: for shared machines.",
}

# A term on the first line of a paragraph, its meaning on the others.
_METHOD = """\
Time
{clock}

Time to best
Up to the end of the epoch with the best validation accuracy. On a plateau that epoch is a matter of chance,
and a run that stops early is rewarded.

Time to target
Up to the end of the first epoch whose validation accuracy is at least the target: the mean of the best
validation accuracies of the random runs, minus {tolerance:g} points. A run that never gets there counts with
all its seconds; the speed-up is then a bound (< or >), without an interval, and where runs of both sides fall
short none is given.

Speed-up
Random batches' time over the configuration's, of the same seed; the geometric mean over the seeds. Above 1 is
faster. An epoch: {epoch}.

Difference
Test accuracy minus that of random batches of the same seed, in points: the mean, and the worst seed.

95 %
Student's t interval over the seeds, of the logarithms for ratios. It speaks of the spread between seeds on
this machine, and of one configuration at a time: among twenty, one may miss by chance.

Within {tolerance:g} points
yes: the whole interval of the difference is above \N{MINUS SIGN}{tolerance:g}; no: all of it is below; open:
the seeds do not tell.

Configurations
mix and p (p_intra) are the knobs of comm-rand, K is the dependency between batches; options at their defaults
are not named.
"""

OVER_GRAPHS = """\
Means over the graphs, against random batches of the same seed. Where no configuration qualifies, random
batches stand in (1\N{MULTIPLICATION SIGN}, 0 points). What is chosen for each graph is chosen by the very
runs that judge it, and so looks better than it is; a configuration named beforehand does not.
"""


def method(tolerance: float, time: str) -> dict[str, str]:
    """Terms of a page and what they mean. tolerance: points; time: "wall" or "cpu"."""
    epoch = "the median epoch of a run" if time == "wall" else "the CPU seconds an epoch of a run"
    filled = _METHOD.format(tolerance=tolerance, clock=_CLOCKS[time], epoch=epoch)
    paragraphs = (paragraph.partition("\n") for paragraph in filled.strip().split("\n\n"))
    return {term: " ".join(words.split("\n")) for term, _, words in paragraphs}
