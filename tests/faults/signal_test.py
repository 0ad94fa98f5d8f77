"""SIGINT and SIGTERM: the batch is finished, the state kept, and the line that resumes works as printed."""

import re
import signal
import subprocess
import time
import unittest
from pathlib import Path

from command import TIMEOUT_SECONDS, TRAIN, FaultTest


class Signals(FaultTest):
    def stop(self, number, *arguments):
        """Sends the signal once the first epoch is done. Returns exit code and stderr."""
        process = self.start("train", "g.kith.h5", *TRAIN, *arguments)
        seen = process.stderr.readline()
        while seen and "epoch" not in seen.splitlines()[-1][:5]:
            seen += process.stderr.readline()
        process.send_signal(number)
        _, error = process.communicate(timeout=TIMEOUT_SECONDS)
        return process.returncode, seen + error

    def test_a_stopped_run_is_kept_and_its_line_resumes_it(self):
        for number, code in [(signal.SIGINT, 130), (signal.SIGTERM, 143)]:
            # A folder that a shell would split; the run is far too long to be done before the signal.
            folder = f"it's {code}"
            long = ["--epochs", "100000", "--patience", "0"]
            got, error = self.stop(number, *long, "--checkpoint", folder)
            self.assertEqual(got, code, error)
            stopped, line = error.splitlines()[-2:]
            self.assertRegex(
                stopped, rf"^kith train: stopped by {number.name} in epoch \d+ before batch \d+; kept in "
            )
            self.assertTrue(line.startswith("go on with: "), error)
            self.assertTrue(Path(self.folder, stopped.split("kept in ")[1]).exists())
            process = subprocess.Popen(
                ["sh", "-c", "exec " + line.removeprefix("go on with: ")],
                cwd=self.folder,
                stderr=subprocess.PIPE,
                text=True,
            )
            first = process.stderr.readline()
            process.terminate()
            process.communicate(timeout=TIMEOUT_SECONDS)
            self.assertIn("going on from " + folder, first)

    def test_without_checkpoints_nothing_is_kept_and_it_says_so(self):
        before = sorted(self.folder.iterdir())
        code, error = self.stop(signal.SIGINT, "--epochs", "100000", "--patience", "0")
        self.assertEqual(code, 130, error)
        self.assertIn("nothing was kept", error.splitlines()[-1])
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_a_stopped_and_resumed_run_is_the_run_that_was_never_stopped(self):
        run = ["--epochs", "40", "--patience", "0", "--json", "-", "--checkpoint"]
        reference = self.report(self.ok("train", "g.kith.h5", *TRAIN, *run, "whole"))
        code, error = self.stop(signal.SIGTERM, *run, "pieces")
        self.assertEqual(code, 143, error)
        out = self.ok("train", "g.kith.h5", *TRAIN, *run, "pieces", "--resume", "--prefetch-depth", "0")
        self.assertEqual(self.report(out), reference)

    def test_a_tuned_run_goes_on_with_the_knobs_that_were_found(self):
        run = ["--epochs", "40", "--patience", "0", "--json", "-", "--checkpoint"]
        code, error = self.stop(signal.SIGTERM, *run, "pieces", "--tune", "--tune-loss", "100")
        self.assertEqual(code, 143, error)
        chosen = re.search(r"tune: chosen: (?:random batches, )?(--mix .*)", error)[1].split()
        code, again, error = self.run_kith("train", "g.kith.h5", *TRAIN, *run, "pieces", "--tune", "--resume")
        self.assertEqual(code, 0, error)
        self.assertIn(f"tune: pieces has its knobs already: {' '.join(chosen)}", error)
        self.assertNotIn("tune: tried", error)
        reference = self.ok("train", "g.kith.h5", *TRAIN, *run, "whole", *chosen)
        self.assertEqual(self.report(again), self.report(reference))
        code, _, error = self.run_kith("train", "g.kith.h5", *TRAIN, *run, "pieces", "--tune")
        self.assertEqual(code, 2)
        self.assertIn("holds 2 checkpoints already", error)
        self.assertNotIn("tune:", error)  # refused before the search
        self.assertEqual(self.result_of("pieces"), self.result_of("whole"))


class SecondSignal(FaultTest):
    nodes = 8000

    def test_ends_the_run_at_once(self):
        # One batch of all roots takes far longer than the pause between the signals.
        slow = (
            "--layers 3 --hidden 512 --fanout=-1,-1,-1 --batch-size 100000 --epochs 1000 --device cpu".split()
        )
        process = self.start("train", "g.kith.h5", *slow, "--checkpoint", "run")
        for _ in range(3):  # by then the checkpoint of the first epoch is written
            self.assertIn("epoch", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
        self.assertEqual(process.returncode, -signal.SIGINT)
        # What was kept before is still good.
        self.ok("predict", "g.kith.h5", "--checkpoint", "run", "-o", "p.npy")


if __name__ == "__main__":
    unittest.main()
