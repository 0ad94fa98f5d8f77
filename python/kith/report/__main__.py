"""`python -m kith.report DIR [DIR ...]`: one HTML page of one or several sweeps."""

from __future__ import annotations

import argparse
import errno
import sys
from pathlib import Path
from typing import NoReturn

from kith.report.page import write_page
from kith.report.png import require_matplotlib, write_pngs
from kith.report.summary import TIMES, summarize
from kith.report.table import load

USAGE, BAD_INPUT, ENVIRONMENT = 1, 2, 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Usage is 1, as in the kith command; argparse would say 2."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m kith.report",
        description="Writes one self-contained HTML page: every configuration of one or several sweeps "
        "beside random batches, paired by seed, with figures.",
        epilog="Example: python -m kith.report sweep/ -o sweep.html --time cpu",
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="the -o folder of a kith sweep")
    parser.add_argument("-o", "--output", metavar="OUT.html", help="default: report.html in the first DIR")
    parser.add_argument(
        "--time", choices=TIMES, default="wall", help="training seconds, or CPU seconds an epoch times epochs"
    )
    parser.add_argument(
        "--config",
        metavar="NAME=VALUE,...",
        help="the configuration to follow over the graphs, such as mix=0.5,p_intra=0.7 (default: the "
        "default knobs)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.2,
        metavar="POINTS",
        help="accuracy that may be lost (default: 0.2)",
    )
    parser.add_argument("--png", action="store_true", help="each figure as a PNG too; needs matplotlib")
    return parser


def main(arguments: list[str]) -> int:
    args = _parser().parse_args(arguments)
    output = Path(args.output) if args.output else Path(args.folders[0]) / "report.html"
    try:
        if args.png:
            require_matplotlib()
        summary = summarize(load(*args.folders), time=args.time, tolerance=args.tolerance, config=args.config)
        write_page(summary, output)
        pictures = write_pngs(summary, output) if args.png else []
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        is_full = getattr(error.__cause__ or error, "errno", None) == errno.ENOSPC
        return ENVIRONMENT if is_full or isinstance(error, ImportError) else BAD_INPUT
    for path in (output, *pictures):
        print(f"wrote {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
