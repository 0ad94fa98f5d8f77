"""Makes single file operations of the kith command fail: io_faults.py KITH LIBIO_SHIM [--all]

For every command, call and kind of failure: it ends by itself with the right exit code, says one line, leaves
nothing half-written and no temporary file, and what stood at the output stays whole. Without --all a few places
of each call are tried, with it every one. Needs nothing but the standard library.
"""

import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

BAD_INPUT, ENVIRONMENT = 2, 3
TIMEOUT_SECONDS = 60
PLACES = 5  # of each call, without --all

# What may follow a failure. 0 is right where the call is tried again, or where nothing was lost.
KINDS = {
    "read": {"EIO": {BAD_INPUT}, "EINTR": {0, BAD_INPUT}, "short": {0}, "end": {0, BAD_INPUT}},
    "fread": {"EIO": {BAD_INPUT}, "end": {BAD_INPUT}},
    "write": {"EIO": {BAD_INPUT}, "ENOSPC": {ENVIRONMENT}, "EINTR": {0}, "short": {0}},
    "fsync": {"EIO": {BAD_INPUT}, "ENOSPC": {ENVIRONMENT}},
    "rename": {"EIO": {BAD_INPUT}, "ENOSPC": {ENVIRONMENT}},
    "mmap": {"EIO": {BAD_INPUT}, "cut": {BAD_INPUT}},
    "reserve": {"ENOSPC": {ENVIRONMENT}, "EIO": {BAD_INPUT}, "EINTR": {0}},
}

OLD_OUTPUT = b"what stood there before\n"
# What the next run to the same output clears away.
WORK_FOLDER = "out.kith.h5.prepare"
AFTER_A_SIGNAL = (".", WORK_FOLDER)
# A partition that cannot be kept or found again is no reason to fail.
CACHED = "prepare edgelist"

GRAPH = "generate --nodes 300 --edges 3000 --communities 4 --features 8".split()
TRAIN = "--layers 1 --fanout 2 --epochs 1 --hidden 4 --batch-size 64 --device cpu".split()
COMMANDS = {
    "generate": [*GRAPH, "-o", "out.kith.h5", "--json", "out.json"],
    "info": ["info", "small.kith.h5", "--verify", "--json", "out.json"],
    "train": ["train", "small.kith.h5", *TRAIN, "--json", "out.json"],
    "train loaded": ["train", "small.kith.h5", *TRAIN, "--features", "load"],
    "train staged": [
        "train",
        "small.kith.h5",
        *TRAIN,
        "--stage",
        "lru",
        "--stage-bytes",
        "4KiB",
        "--host-bytes",
        "0",
    ],
    "prepare files": [
        "prepare",
        "long.txt",
        "-o",
        "out.kith.h5",
        "--method",
        "lpa",
        "--partition-cache",
        "none",
        "--edge-ids",
        "--memory",
        "100000",
    ],
    CACHED: ["prepare", "graph.txt", "-o", "out.kith.h5", "--partition-cache", "cache"],
    "prepare npz": ["prepare", "graph.npz", "-o", "out.kith.h5", "--partition-cache", "none"],
    "prepare again": ["prepare", "small.kith.h5", "-o", "out.kith.h5", "--partition-cache", "none"],
}


def write_npz(path: Path) -> None:
    import zipfile

    header = b"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 300), }\n"
    ids = [*range(300), *(i // 2 for i in range(300))]
    entry = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack("<600i", *ids)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("edge_index.npy", entry)


class Runner:
    def __init__(self, kith: str, shim: str, folder: Path):
        self.kith, self.shim, self.folder = kith, shim, folder
        self.num_runs = 0
        self.inputs: dict[str, bytes] = {}
        self.problems: list[str] = []

    def run(self, arguments: list[str], fault: str = "", counts: str = "") -> subprocess.CompletedProcess:
        environment = {
            **os.environ,
            "LD_PRELOAD": self.shim,
            "KITH_FAULT_FOLDER": str(self.folder),
            "KITH_FAULT": fault,
            "KITH_FAULT_COUNTS": counts,
            # The shim comes before AddressSanitizer's own library, where the command is built with it.
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0",
        }
        self.num_runs += 1
        return subprocess.run(
            [self.kith, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def reset(self) -> None:
        """Inputs as they were, an older output in its place, nothing else."""
        for path in self.folder.iterdir():
            if path.is_dir():
                for inner in path.iterdir():
                    inner.unlink()
            else:
                path.unlink()
        for name, content in self.inputs.items():
            (self.folder / name).write_bytes(content)

    def check(self, name: str, fault: str, allowed: set[int]) -> None:
        self.reset()
        where = f"{name}, {fault}"
        try:
            result = self.run(COMMANDS[name], fault)
        except subprocess.TimeoutExpired:
            self.problems.append(f"{where}: still running after {TIMEOUT_SECONDS} s")
            return
        lines = result.stderr.splitlines()
        if result.returncode not in allowed:
            self.problems.append(f"{where}: exit code {result.returncode}, stderr ends {lines[-3:]}")
        elif result.returncode != 0 and not (lines and lines[-1].startswith("kith")):
            self.problems.append(f"{where}: no line says why: {lines[-3:]}")
        self.check_outputs(where, COMMANDS[name], result.returncode)

    def check_outputs(self, where: str, command: list[str], code: int) -> None:
        known = {*self.inputs, "cache", "out.json"}
        # A signal leaves no time to clean up.
        strange = [
            path.name
            for path in self.folder.iterdir()
            if path.name not in known and not ("cut" in where and path.name.startswith(AFTER_A_SIGNAL))
        ]
        if strange == [WORK_FOLDER]:
            strange = self.problem_of_stages(command)
        if strange:
            self.problems.append(f"{where}: left {strange}")
        report = self.folder / "out.json"
        if report.exists() and not report.read_text().endswith("}\n"):
            self.problems.append(f"{where}: half a report")
        output = self.folder / "out.kith.h5"
        if output.read_bytes() == OLD_OUTPUT:
            if code == 0 and "-o" in command:
                self.problems.append(f"{where}: says that it wrote, and did not")
            return
        # A new file may stand there although the command failed later, but then it is whole.
        verified = subprocess.run(
            [self.kith, "info", str(output), "--verify"], capture_output=True, check=False
        )
        if verified.returncode != 0:
            self.problems.append(f"{where}: the output is damaged (exit code {code})")

    def problem_of_stages(self, command: list[str]) -> list[str]:
        """Finished stages may stay, and nothing else; the same command then takes them over."""
        left = sorted(path.name for path in (self.folder / WORK_FOLDER).iterdir())
        finished = {name.removesuffix(".json") for name in left if name.endswith(".json")}
        if not finished or any(name.split(".")[0] not in finished for name in left):
            return left or [WORK_FOLDER]
        result = self.run(command)
        went_on = result.returncode == 0 and "resumed: stage clean" in result.stderr
        return [] if went_on and not (self.folder / WORK_FOLDER).exists() else [result.stderr]

    def prepare_inputs(self) -> None:
        self.folder.joinpath("cache").mkdir()
        result = self.run([*GRAPH, "-o", "small.kith.h5"])
        assert result.returncode == 0, result.stderr
        small = (self.folder / "small.kith.h5").read_bytes()
        write_npz(self.folder / "graph.npz")
        text = "".join(f"{i} {i // 2}\n" for i in range(300))
        self.inputs = {
            "small.kith.h5": small,
            "out.kith.h5": OLD_OUTPUT,
            "graph.npz": (self.folder / "graph.npz").read_bytes(),
            "graph.txt": text.encode(),
            "long.txt": "".join(f"{i * i % 300} {i * 7 % 300}\n" for i in range(6000)).encode(),
        }

    def counts_of(self, name: str) -> dict[str, int]:
        self.reset()
        with tempfile.NamedTemporaryFile("r") as counts:
            result = self.run(COMMANDS[name], counts=counts.name)
            assert result.returncode == 0, f"{name}: {result.stderr}"
            return {call: int(number) for call, number in (line.split() for line in counts)}


def places(count: int, every: bool) -> list[int]:
    if every or count <= PLACES:
        return list(range(1, count + 1))
    return sorted({1 + i * (count - 1) // (PLACES - 1) for i in range(PLACES)})


def main(kith: str, shim: str, *options: str) -> int:
    every = "--all" in options
    with tempfile.TemporaryDirectory(prefix="kith-faults-") as folder:
        runner = Runner(str(Path(kith).resolve()), str(Path(shim).resolve()), Path(folder).resolve())
        runner.prepare_inputs()
        for name in COMMANDS:
            counts = runner.counts_of(name)
            print(f"{name}: {counts}", flush=True)
            for call, kinds in KINDS.items():
                for number in places(counts[call], every):
                    for kind, allowed in kinds.items():
                        also = {0} if name == CACHED else set()
                        runner.check(name, f"{call} {kind} {number}", allowed | also)
        print(f"{runner.num_runs} runs, {len(runner.problems)} problems")
        print("\n".join(runner.problems))
        return 1 if runner.problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
