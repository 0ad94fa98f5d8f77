"""What importing costs and says. Each case in a fresh interpreter; none of them needs torch."""

import subprocess
import sys
from pathlib import Path

import kith
import pytest

FOLDER = Path(kith.__file__).parents[1]


def run(code):
    setup = f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
    return subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True)


def test_import_kith_does_not_load_torch():
    done = run("import kith; assert not {'torch', 'kith.torch', 'torch_geometric'} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


def test_without_torch_the_error_says_what_to_install():
    done = run("sys.modules['torch'] = None\nimport kith\nimport kith.torch")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: kith.torch needs PyTorch")
    assert "pip install torch" in done.stderr


def test_a_torch_that_fails_to_load_shows_its_own_error(tmp_path):
    (tmp_path / "torch.py").write_text("import a_library_that_torch_misses\n")
    done = run(f"sys.path.insert(0, {str(tmp_path)!r})\nimport kith.torch")
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: No module named 'a_library_that")


def test_import_kith_torch_brings_its_names():
    pytest.importorskip("torch", reason="kith.torch needs torch, which is not installed")
    done = run("import kith.torch\nassert all(hasattr(kith.torch, name) for name in kith.torch.__all__)")
    assert done.returncode == 0, done.stderr
