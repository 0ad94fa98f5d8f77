"""The tests of kith.torch on CUDA tensors, on the emulated device: in a process with another `_core`.

KITH_EMULATED_PATH names another folder than build/release/tests/emulated.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, kith_environment

pytest.importorskip("torch", reason="kith.torch needs torch, which is not installed")

FOLDER = Path(os.environ.get("KITH_EMULATED_PATH", ROOT / "build" / "release" / "tests" / "emulated"))


def sanitizer_of(core):
    """What must be loaded before Python: AddressSanitizer, and the library whose exceptions it watches."""
    libraries = subprocess.run(["ldd", core], capture_output=True, text=True, check=True).stdout
    return " ".join(re.findall(r"=> (\S+lib(?:asan|stdc\+\+)\.so\S*)", libraries))


def test_cuda_tensors_on_the_emulated_device():
    cores = list(FOLDER.glob("_core.*.so"))
    if not cores:
        pytest.skip(f"the module over the emulated device is not built ({FOLDER}; KITH_EMULATED_TESTS)")
    environment = {
        **kith_environment(),
        "KITH_EMULATED_CORE": str(cores[0]),
        "LD_PRELOAD": sanitizer_of(cores[0]),
        # Python keeps what it has until it ends.
        "ASAN_OPTIONS": "detect_leaks=0",
        "OMP_NUM_THREADS": "1",
    }
    file = Path(__file__).with_name("test_torch_cuda.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    assert re.search(r"\d+ passed", done.stdout), done.stdout
