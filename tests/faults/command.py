"""Runs the kith command that KITH_COMMAND names, with the standard library alone."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

KITH = os.environ.get("KITH_COMMAND", str(Path(__file__).resolve().parents[2] / "build/release/kith"))
TIMEOUT_SECONDS = 300
TRAIN = (
    "--layers 2 --hidden 16 --fanout 5,5 --batch-size 64 --dropout 0.2 --lr 0.02 --seed 7 --device cpu".split()
)


def default_signals():
    """Undoes what a shell does to the children of its background jobs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class FaultTest(unittest.TestCase):
    """A folder with a small graph, g.kith.h5, in which the command runs."""

    nodes = 1500
    features = 16

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kith-faults-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        edges = 8 * self.nodes
        size = f"--nodes {self.nodes} --edges {edges} --communities 20 --features {self.features}"
        self.ok("generate", "-o", "g.kith.h5", "--classes", 4, *size.split())

    def start(self, *arguments, **options):
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}
        return subprocess.Popen(
            [KITH, *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **{"preexec_fn": default_signals, **options},
        )

    def run_kith(self, *arguments, **options):
        """Returns exit code, stdout and stderr."""
        process = self.start(*arguments, **options)
        out, error = process.communicate(timeout=TIMEOUT_SECONDS)
        return process.returncode, out, error

    def ok(self, *arguments, **options):
        code, out, error = self.run_kith(*arguments, **options)
        self.assertEqual(code, 0, error)
        return out

    def result_of(self, checkpoints):
        """The logits that the best parameters of a folder give, to the byte."""
        self.ok("predict", "g.kith.h5", "--checkpoint", checkpoints, "-o", "logits.npy", "--logits")
        return (self.folder / "logits.npy").read_bytes()

    def report(self, text):
        """The JSON of a run without what a clock or the memory meter says."""
        report = json.loads(text)
        for key in ("seconds_to_best", "total_seconds", "peak_rss_bytes", "checkpoint_seconds"):
            report.pop(key, None)
        for epoch in report["epochs"]:
            del epoch["seconds"]
        return report

    def checksums(self, path):
        """The checksum of every array of a dataset file, read from the text in its metadata."""
        content = (self.folder / path).read_bytes()
        found = re.findall(rb"checksum:(/[a-z0-9_/]+).{1,200}?([0-9a-f]{16})", content, re.DOTALL)
        self.assertGreaterEqual(len(found), 8)
        return dict(found)


def seconds_of(call):
    begin = time.monotonic()
    result = call()
    return time.monotonic() - begin, result
