#!/usr/bin/env bash
# Everything that only a GPU can show, in one go: bench/gpu.sh [-o RESULT.json] [--nodes N --edges E]
#
# Builds preset `cuda` for the GPU of this machine, then
#   1. runs every test that is labelled cuda: the operations beside their loops, batches beside the CPU's bit for bit,
#      whole training runs beside the CPU's;
#   2. runs compute-sanitizer (memcheck, racecheck) over a small training run of every model;
#   3. times the kernels beside cuSPARSE, a plain gather and a plain copy (bench/kernels/device_bench.cpp);
#   4. trains 3 x 256 GraphSAGE on a generated graph of ogbn-products' shape with four settings of the knobs and two
#      fanouts, and PyG beside it where torch with CUDA and torch_geometric are installed.
# The result names GPU, driver, date and commit. Under ten minutes on an H100 or H200 machine with 16 cores is the aim;
# --nodes and --edges (directed) make the graph of step 4 smaller.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
output=build/gpu.json
nodes=2450000
edges=123800000
while (($# > 0)); do
  case $1 in
    -o | --output) output=$2 ;;
    --nodes) nodes=$2 ;;
    --edges) edges=$2 ;;
    *)
      sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d' >&2
      exit 1
      ;;
  esac
  shift 2
done
command -v nvidia-smi >/dev/null && nvidia-smi -L | grep -q GPU || {
  echo "bench/gpu.sh: this machine has no GPU (nvidia-smi lists none)" >&2
  exit 3
}
work=build/gpu
mkdir -p "$work"
python=${PYTHON:-python3}
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)

echo "==> build for sm_$architecture" >&2
cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="$architecture" -DKITH_BENCHES=ON -DPython_EXECUTABLE="$(command -v "$python")" \
  ${KITH_CMAKE_ARGUMENTS:-} >"$work/configure.log"
cmake --build --preset cuda -j "$(nproc)" >"$work/build.log"
kith=$root/build/cuda/kith

echo "==> tests with the label cuda" >&2
(cd build/cuda && KITH_REQUIRE_CUDA=1 ctest -L cuda -j 4 --no-tests=error --output-on-failure) | tee "$work/tests.log" | tail -n 3 >&2
"$root/build/cuda/tests/kernels_tests" --gtest_filter='Devices.IncludeCuda*' >/dev/null

echo "==> compute-sanitizer" >&2
"$kith" generate -o "$work/tiny.kith.h5" --nodes 2000 --edges 20000 --communities 20 --features 33 --classes 5 >/dev/null
: >"$work/sanitizer.log"
for tool in memcheck racecheck; do
  for model in sage gcn gat gin; do
    echo "-- $tool $model" >>"$work/sanitizer.log"
    compute-sanitizer --tool "$tool" --error-exitcode 9 "$kith" train "$work/tiny.kith.h5" --device cuda --model "$model" \
      --layers 2 --fanout 5,3 --batch-size 256 --hidden 32 --epochs 1 --json "$work/tiny.json" >>"$work/sanitizer.log" 2>&1
  done
done

echo "==> kernels" >&2
build/cuda/bench/device_bench --benchmark_out="$work/kernels.json" --benchmark_out_format=json \
  --benchmark_min_time=0.05s >"$work/kernels.log"

echo "==> training on $nodes nodes and $edges directed edges" >&2
graph=$work/products-$nodes-$edges.kith.h5
[[ -e $graph ]] || "$kith" generate -o "$graph" --nodes "$nodes" --edges "$edges" --communities $((nodes / 500)) \
  --features 100 --classes 47 --train-share 0.08 --seed 1 >"$work/generate.log"
for fanout in 15,10,5 10,10,10; do
  for knobs in 1:0.5 0.125:0.9 0.125:1 0:1; do
    "$kith" train "$graph" --device cuda --model sage --layers 3 --hidden 256 --fanout "$fanout" --batch-size 1024 \
      --mix "${knobs%:*}" --p-intra "${knobs#*:}" --epochs 3 --patience 0 --prefetch-depth 3 \
      --json "$work/train-$fanout-$knobs.json" >/dev/null
  done
done

echo "==> PyG" >&2
if "$python" -c 'import sys, torch, torch_geometric; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  PYTHONPATH=build/cuda/python "$python" bench/peers/gpu_training.py "$graph" -o "$work/pyg.json" >&2 || rm -f "$work/pyg.json"
fi
"$python" bench/gpu_report.py "$work" -o "$output"
