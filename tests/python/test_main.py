"""`python -m kith`."""

import re
import subprocess
import sys

import kith
from conftest import kith_environment


def run(*arguments):
    command = [sys.executable, "-m", "kith", *arguments]
    return subprocess.run(command, env=kith_environment(), capture_output=True, text=True, check=False)


def test_version_says_what_the_build_is():
    result = run("--version")
    assert result.returncode == 0 and result.stderr == ""
    facts = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert facts["kith"] == kith.__version__
    assert re.fullmatch(r"(32|64)-bit indices", facts["METIS"])
    assert re.fullmatch(r"none|\d+\.\d+(\.\d+)?", facts["CUDA"])
    assert re.match(r"\w+ \d+\.\d+", facts["compiler"])
    assert facts["BLAS"] and "cpu" in facts["devices"]


def test_without_arguments_it_shows_its_help():
    result = run()
    assert (result.returncode, result.stdout) == (1, "") and "--version" in result.stderr
