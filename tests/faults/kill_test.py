"""Kills the command with SIGKILL at random moments; what is resumed ends with the same bits.

KITH_FAULT_KILLS: kills of each kind, 5 unless set. KITH_FAULT_SEED: of the moments.
"""

import os
import random
import signal
import subprocess
import sys
import time
import unittest

from command import TIMEOUT_SECONDS, TRAIN, FaultTest, seconds_of

KILLS = int(os.environ.get("KITH_FAULT_KILLS", "5"))
SEED = int(os.environ.get("KITH_FAULT_SEED", "1"))


def edge_list(nodes, edges):
    moments = random.Random(4)
    lines = []
    for _ in range(edges):
        source = moments.randrange(nodes)
        near = source // 50 * 50 + moments.randrange(50)
        lines.append(f"{source} {near if moments.random() < 0.7 else moments.randrange(nodes)}\n")
    return "".join(lines)


class Kill(FaultTest):
    features = 2048  # files of some megabytes, so that kills fall into writes too

    def setUp(self):
        super().setUp()
        self.moments = random.Random(SEED)
        self.kills = 0

    def wait_for_a_write(self, process, folder):
        """Returns once a file in `folder` is there but not whole yet, which is so for a millisecond."""
        deadline = time.monotonic() + 2
        while process.poll() is None and time.monotonic() < deadline:
            try:
                with os.scandir(folder) as entries:
                    if any(entry.stat().st_size < self.whole_bytes / 2 for entry in entries):
                        return
            except FileNotFoundError:  # not made yet, or renamed meanwhile
                pass

    def kill_somewhere(self, seconds, *arguments, watched=None):
        """Returns None if the command was killed, within about `seconds`, else stdout and stderr.

        watched: a folder of checkpoints; every second kill waits until one is being written there.
        """
        process = self.start(*arguments)
        try:
            patience = self.moments.uniform(0, seconds) if self.kills < KILLS else TIMEOUT_SECONDS
            out, error = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            if watched is not None and self.moments.random() < 0.5:
                self.wait_for_a_write(process, watched)
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
        self.whole_bytes = min(path.stat().st_size for path in (self.folder / "reference").iterdir())
        half_written = torn = rounds = 0
        while self.kills < KILLS:
            folder = f"run{rounds}"
            rounds += 1
            watched = self.folder / folder
            while (
                done := self.kill_somewhere(1.2 * seconds, *arguments, folder, "--resume", watched=watched)
            ) is None:
                left = [path.stat().st_size for path in watched.glob("*.tmp")]
                half_written += len(left)
                torn += sum(size < self.whole_bytes / 2 for size in left)
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
            f"training: {self.kills} kills, {half_written} of them left a temporary file, "
            f"{torn} of those a part of one, {rounds} runs done"
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
            self.assertEqual(self.left_beside(target.name), [])
        print(f"preparing: {self.kills} kills, {survived} with the file there, {rounds} runs done")

    def left_beside(self, name):
        """What a run wrote for the output `name`, the output itself aside."""
        return [path.name for path in self.folder.iterdir() if name in path.name and path.name != name]

    def test_preparing_goes_on_from_its_stages(self):
        (self.folder / "g.txt").write_text(edge_list(nodes=3000, edges=120_000))
        self.prepare_and_kill("g.txt")
        self.prepare_and_kill("g.txt", "--memory", 400_000)
        self.prepare_and_kill("g.kith.h5")

    def prepare_and_kill(self, source, *options):
        prepare = "--method lpa --symmetrize --edge-ids --partition-cache none --keep-stages always".split()
        prepare = ["prepare", source, *options, *prepare, "-o"]
        self.kills = rounds = torn = 0
        seconds, _ = seconds_of(lambda: self.ok(*prepare, "reference.kith.h5"))
        reference = self.checksums("reference.kith.h5")
        resumed = {"clean": 0, "communities": 0, "renumber": 0}
        out = self.folder / "out.kith.h5"
        while self.kills < KILLS:
            rounds += 1
            out.unlink(missing_ok=True)
            while (done := self.kill_somewhere(1.2 * seconds, *prepare, out.name)) is None:
                torn += any(name.startswith(".out") for name in self.left_beside(out.name))
                if out.exists():  # whole, whatever became of the run
                    self.assertEqual(self.checksums(out.name), reference)
            for stage in resumed:
                resumed[stage] += f"resumed: stage {stage}" in done[1]
            self.assertNotIn("made anew", done[1])
            self.ok("info", out.name, "--verify")
            self.assertEqual(self.checksums(out.name), reference)
            self.assertEqual(self.left_beside(out.name), [])
        print(
            f"preparing {source} {options}: {self.kills} kills, {torn} left a part of the file, "
            f"{rounds} runs done, went on from {resumed}"
        )


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())
