"""What a sweep says: the tables and figures that `python -m kith.report DIR` puts into one page.

    import kith.report
    summary = kith.report.summarize(kith.report.load("sweep/"))
    for section in summary.sections:  # one for each graph and model
        for row in section.rows:      # one for each configuration, paired with random batches seed by seed
            print(section.title, row.label, row.speedup_to_best, row.accuracy_difference)
    kith.report.write_page(summary, "report.html")

Needs NumPy alone.
"""

from kith.report.intervals import Interval
from kith.report.page import render_page, write_page
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
    "render_page",
    "summarize",
    "write_page",
]
