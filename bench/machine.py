"""What a result has to say about where it comes from: machine, commit, load."""

import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def processor() -> str:
    """The processor's name, with its cache: many virtual machines say no more than the vendor's family."""
    fields = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name", platform.processor())
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"


def commit() -> str:
    """The commit, with "+" if tracked files differ from it. KITH_COMMIT says it for a copy without history."""
    if "KITH_COMMIT" in os.environ:
        return os.environ["KITH_COMMIT"]
    done = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "unknown"


def describe() -> dict:
    """Machine, commit and load average, to stand at the head of a result."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "kernel": platform.release(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "commit": commit(),
    }
