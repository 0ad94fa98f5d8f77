"""Features of four times the memory that a run may have: the results of a run without a limit, to the bit."""

import json
import os
import resource
import shutil
import tempfile
import unittest
from pathlib import Path

from command import FaultTest, default_signals

# Of addresses, so that nothing can hide: code, heaps, stacks, mappings, and the 128 MiB that OpenBLAS reserves
# for a thread. Table: 88,000 rows of 4,096 floats.
LIMIT = 330_000 * 1024
NODES, FEATURES = 88_000, 4096
TABLE = NODES * FEATURES * 4

TRAIN = "--layers 2 --hidden 8 --fanout 3,3 --batch-size 32 --mix 0 --p-intra 1 --threads 1".split()
STAGED = "--stage-bytes 16MiB --host-bytes 8MiB --prefetch-depth 1".split()
SAME = ("train_loss", "valid_accuracy", "batches", "input_nodes_per_batch", "edges_per_batch")


def limit_addresses():
    default_signals()
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


class OutOfCore(FaultTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kith-out-of-core-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        if shutil.disk_usage(self.folder).free < 2 * TABLE:
            self.skipTest(f"{self.folder} lacks {2 * TABLE >> 20} MiB of room")
        # Threads of its own, which Kith never uses, would reserve as much each.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        size = f"--nodes {NODES} --edges {4 * NODES} --communities 352 --features {FEATURES} --classes 4"
        self.ok("generate", "-o", "g.kith.h5", *size.split(), "--train-share", 0.1)

    def train(self, *arguments, **options):
        text = self.ok("train", "g.kith.h5", "--device", "cpu", *TRAIN, "--json", "-", *arguments, **options)
        return self.report(text), json.loads(text)["peak_rss_bytes"]

    def logits(self, checkpoint, **options):
        run = ["predict", "g.kith.h5", "--checkpoint", checkpoint, "--logits"]
        self.ok(*run, "-o", "l.npy", "--device", "cpu", "--threads", 1, **options)
        return (self.folder / "l.npy").read_bytes()

    def test_ends_as_in_memory(self):
        self.assertGreaterEqual(TABLE, 4 * LIMIT)
        limited = {"preexec_fn": limit_addresses}
        whole, _ = self.train("--epochs", 2, "--checkpoint", "whole")
        logits = self.logits("whole")
        for policy, epochs in {"lru": 2, "auto": 1}.items():
            run = ["--epochs", epochs, "--stage", policy, *STAGED, "--checkpoint", policy]
            staged, peak = self.train(*run, **limited)
            self.assertLess(peak, LIMIT)
            for one, other in zip(whole["epochs"], staged["epochs"]):
                self.assertEqual([one[key] for key in SAME], [other[key] for key in SAME])
            self.assertGreater(staged["epochs"][0]["staged_bytes_from_disk"], 0)
            if epochs == 2:
                self.assertEqual(staged["test_accuracy"], whole["test_accuracy"])
                self.assertEqual(self.logits(policy, **limited), logits)

        code, _, error = self.run_kith("train", "g.kith.h5", "--device", "cpu", *TRAIN, **limited)
        self.assertEqual(code, 3, error)
        self.assertRegex(error, "mapping the features needs about 1375 MiB .* available; --stage POLICY")
        self.assertEqual(error.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
