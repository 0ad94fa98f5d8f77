"""SIGINT and SIGTERM: the batch is finished, the state kept, and the line that resumes works as printed."""

import fcntl
import re
import signal
import subprocess
import unittest
from pathlib import Path

from command import TIMEOUT_SECONDS, TRAIN, FaultTest

PIPE_BYTES = 4096
EPOCHS = "100"  # with more lines than fit into the pipe


def catches(process, number):
    """Whether the process has a handler for the signal still."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


class Signals(FaultTest):
    def stop(self, number, *arguments):
        """Sends the signal once the first epoch is done. Returns exit code and stderr."""
        process = self.start("train", "g.kith.h5", *TRAIN, *arguments)
        # However long this process waits for a processor, the run is not over when the signal comes: a line an
        # epoch fills the pipe.
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
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
        run = ["--epochs", EPOCHS, "--patience", "0", "--json", "-", "--checkpoint"]
        reference = self.report(self.ok("train", "g.kith.h5", *TRAIN, *run, "whole"))
        code, error = self.stop(signal.SIGTERM, *run, "pieces")
        self.assertEqual(code, 143, error)
        out = self.ok("train", "g.kith.h5", *TRAIN, *run, "pieces", "--resume", "--prefetch-depth", "0")
        self.assertEqual(self.report(out), reference)

    def test_a_tuned_run_goes_on_with_the_knobs_that_were_found(self):
        run = ["--epochs", EPOCHS, "--patience", "0", "--json", "-", "--checkpoint"]
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

    def interrupted_twice(self, folder):
        """The exit code of a run that got two signals as fast as it takes them."""
        # One batch of all roots takes far longer than a look at the process.
        slow = (
            "--layers 3 --hidden 512 --fanout=-1,-1,-1 --batch-size 100000 --epochs 1000 --device cpu".split()
        )
        process = self.start("train", "g.kith.h5", *slow, "--checkpoint", folder)
        for _ in range(3):  # by then the checkpoint of the first epoch is written
            self.assertIn("epoch", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        while process.poll() is None and catches(process, signal.SIGINT):
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
        return process.returncode

    def test_ends_the_run_at_once(self):
        # The batch may end just between the two signals; not every time.
        for attempt in range(5):
            folder = f"run{attempt}"
            code = self.interrupted_twice(folder)
            if code != 130:
                break
        self.assertEqual(code, -signal.SIGINT)
        # What was kept before is still good.
        self.ok("predict", "g.kith.h5", "--checkpoint", folder, "-o", "p.npy")


if __name__ == "__main__":
    unittest.main()
