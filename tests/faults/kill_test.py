"""Kills the command with SIGKILL at random moments; what is resumed ends with the same bits.

KITH_FAULT_KILLS: kills of each kind, 5 unless set. KITH_FAULT_SEED: of the moments.
"""

import os
import random
import signal
import subprocess
import sys
import unittest

from command import TIMEOUT_SECONDS, TRAIN, FaultTest, seconds_of

KILLS = int(os.environ.get("KITH_FAULT_KILLS", "5"))
SEED = int(os.environ.get("KITH_FAULT_SEED", "1"))


class Kill(FaultTest):
    def setUp(self):
        super().setUp()
        self.moments = random.Random(SEED)
        self.kills = 0

    def kill_somewhere(self, seconds, *arguments):
        """Returns None if the command was killed, within about `seconds`, else stdout and stderr."""
        process = self.start(*arguments)
        try:
            patience = self.moments.uniform(0, seconds) if self.kills < KILLS else TIMEOUT_SECONDS
            out, error = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            out, error = process.communicate()
            if process.returncode == -signal.SIGKILL:
                self.kills += 1
                return None
        self.assertEqual(process.returncode, 0, error)
        return out, error

    def test_training_goes_on_to_the_same_bits(self):
        arguments = ["train", "g.kith.h5", *TRAIN, "--epochs", 6, "--patience", 0, "--checkpoint-every", 1]
        arguments += ["--json", "-", "--checkpoint"]
        seconds, reference = seconds_of(lambda: self.ok(*arguments, "reference"))
        reference, logits = self.report(reference), self.result_of("reference")
        half_written = rounds = 0
        while self.kills < KILLS:
            folder = f"run{rounds}"
            rounds += 1
            while (done := self.kill_somewhere(1.2 * seconds, *arguments, folder, "--resume")) is None:
                half_written += any((self.folder / folder).glob("*.tmp"))
                # No name that anybody reads is ever half-written, so nothing is ever found damaged.
                if any((self.folder / folder).glob("*.ckpt")):
                    code, _, error = self.run_kith(
                        "predict", "g.kith.h5", "--checkpoint", folder, "-o", "p.npy"
                    )
                    self.assertEqual((code, error), (0, ""))
            out, error = done
            self.assertNotIn("warning", error)
            self.assertEqual(self.report(out), reference)
            self.assertEqual(self.result_of(folder), logits)
            left = sorted(path.suffix for path in (self.folder / folder).iterdir())
            self.assertEqual(left, [".ckpt", ".ckpt"])
        print(
            f"training: {self.kills} kills, {half_written} of them left a half-written file, {rounds} runs done"
        )

    def test_preparing_leaves_a_whole_file_or_none(self):
        arguments = ["prepare", "g.kith.h5", "--communities", 30, "-o"]
        seconds, _ = seconds_of(lambda: self.ok(*arguments, "reference.kith.h5"))
        reference = self.checksums("reference.kith.h5")
        target = self.folder / "out.kith.h5"
        cache = self.folder / "cache"
        survived = rounds = 0
        while self.kills < KILLS:
            rounds += 1
            target.unlink(missing_ok=True)
            for path in cache.rglob("*"):  # so that the partition is found and stored anew
                if path.is_file():
                    path.unlink()
            while self.kill_somewhere(1.2 * seconds, *arguments, target.name) is None:
                if target.exists():
                    survived += 1
                    self.ok("info", target.name, "--verify")
                    self.assertEqual(self.checksums(target.name), reference)
                    if self.moments.random() < 0.5:
                        target.unlink()
            self.ok("info", target.name, "--verify")
            self.assertEqual(self.checksums(target.name), reference)
        print(f"preparing: {self.kills} kills, {survived} with the file there, {rounds} runs done")


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())
