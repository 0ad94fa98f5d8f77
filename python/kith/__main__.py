"""`python -m kith --version`: what this build is, for a report of a problem."""

from __future__ import annotations

import argparse
import platform
import sys

import numpy as np

from kith import _core


def describe() -> str:
    """One fact of the build a line."""
    info = _core.build_info()
    facts = {
        "kith": info["version"],
        "devices": ", ".join(_core.available_devices()),
        "CUDA": info["cuda"],
        "METIS": f"{info['metis_index_bits']}-bit indices",
        "BLAS": info["blas"],
        "compiler": info["compiler"],
        "Python": f"{platform.python_version()}, NumPy {np.__version__}",
        "platform": platform.platform(),
    }
    return "\n".join(f"{name:9} {value}" for name, value in facts.items())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m kith", description="Facts about this build of Kith.")
    parser.add_argument("--version", action="store_true", help="print them")
    if not parser.parse_args(arguments).version:
        parser.print_help(sys.stderr)
        return 1
    print(describe())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
