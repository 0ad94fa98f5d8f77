"""What a sweep says: every configuration beside random batches, paired by seed.

    import kith.report
    summary = kith.report.summarize(kith.report.load("sweep/"))
    for section in summary.sections:  # one for each graph and model
        for row in section.rows:      # one for each configuration, paired with random batches seed by seed
            print(section.title, row.label, row.speedup_to_best, row.accuracy_difference)

Needs NumPy alone.
"""

from kith.report.intervals import Interval
from kith.report.summary import Overall, Row, Section, Summary, summarize
from kith.report.table import Configuration, Run, Setting, load

__all__ = [
    "Configuration",
    "Interval",
    "Overall",
    "Row",
    "Run",
    "Section",
    "Setting",
    "Summary",
    "load",
    "summarize",
]
