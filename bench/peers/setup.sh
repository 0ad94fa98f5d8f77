#!/usr/bin/env bash
# Makes a virtual environment with PyG and its neighbour sampler for the benches here: bench/peers/setup.sh [FOLDER]
#
# FOLDER defaults to build/peers-venv. pyg-lib is not on the package index; its predecessor torch-sparse is, as source,
# and is what `pip install` gives a user of PyG. It is built without METIS, which only its partitioning uses. On a
# machine of two cores the two builds take about ten minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=${1:-$root/build/peers-venv}
python=/usr/bin/python3
[[ -x $python ]] || python=python3
# Debug information, which Python's own flags ask for, would double the time of the builds.
export MAX_JOBS=${MAX_JOBS:-2} WITH_METIS=0 FORCE_ONLY_CPU=1 CFLAGS=-g0

if ! "$venv/bin/python" -c '' 2>/dev/null; then
  "$python" -m venv --clear "$venv"
fi
pip=(nice -n 10 "$venv/bin/python" -m pip --disable-pip-version-check install --quiet)
"${pip[@]}" 'torch==2.13.0'
"${pip[@]}" numpy h5py 'torch_geometric==2.8.1' setuptools wheel ninja scipy
"${pip[@]}" --no-build-isolation 'torch-scatter==2.1.2'
"${pip[@]}" --no-build-isolation 'torch-sparse==0.6.18'
"$venv/bin/python" - <<'PYTHON'
import h5py, numpy, torch, torch_geometric, torch_scatter, torch_sparse

for module in (torch, torch_geometric, torch_sparse, torch_scatter, numpy, h5py):
    print(f"{module.__name__} {module.__version__}")
PYTHON
