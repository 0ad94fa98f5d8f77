"""A disk that is full keeps the checkpoints from being written, and nothing else."""

import resource
import unittest

from command import TRAIN, FaultTest, default_signals


def limit_files(size):
    """A limit on the size of a file is the full disk that needs no privileges."""

    def limit():
        default_signals()
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


class FullDisk(FaultTest):
    def test_training_goes_on_with_one_warning(self):
        run = [
            "train",
            "g.kith.h5",
            *TRAIN,
            "--epochs",
            "3",
            "--json",
            "-",
            "--checkpoint-every",
            "2",
            "--checkpoint",
        ]
        reference = self.report(self.ok(*run, "whole"))
        code, out, error = self.run_kith(*run, "full", preexec_fn=limit_files(1000))
        self.assertEqual(code, 0, error)
        self.assertEqual(self.report(out), reference)
        self.assertEqual(error.count("warning"), 1, error)
        self.assertIn("not enough disk space", error)
        self.assertEqual(list((self.folder / "full").iterdir()), [])

    def test_what_was_kept_before_stays(self):
        run = ["train", "g.kith.h5", *TRAIN, "--epochs", "4", "--patience", "0", "--checkpoint", "run"]
        self.ok(*run)
        before = {path.name: path.read_bytes() for path in (self.folder / "run").iterdir()}
        more = [word if word != "4" else "6" for word in run]
        code, _, error = self.run_kith(*more, "--resume", preexec_fn=limit_files(1000))
        self.assertEqual(code, 0, error)
        self.assertEqual({path.name: path.read_bytes() for path in (self.folder / "run").iterdir()}, before)

    def test_predictions_that_do_not_fit_leave_nothing(self):
        self.ok("train", "g.kith.h5", *TRAIN, "--epochs", "1", "--checkpoint", "run")
        predict = ["predict", "g.kith.h5", "--checkpoint", "run", "-o", "p.npy"]
        code, _, error = self.run_kith(*predict, preexec_fn=limit_files(1000))
        self.assertEqual(code, 3, error)
        self.assertFalse(list(self.folder.glob("p.npy*")))


if __name__ == "__main__":
    unittest.main()
