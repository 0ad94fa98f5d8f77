#!/usr/bin/env bash
# Everything that only a GPU can show, in one go: bench/gpu.sh [-o RESULT.json] [--nodes N --edges E] [--seconds S] [--only PARTS]
#
# Builds preset `cuda` for the GPU of this machine, without what needs none of it, then
#   1. runs every test that needs a GPU: the operations beside their loops, batches beside the CPU's bit for bit, whole
#      training runs beside the CPU's, and kith.torch on CUDA tensors where torch, pybind11 and pytest are;
#   2. runs compute-sanitizer over a small training run: memcheck for every model, racecheck for sage and gat, and both
#      with staged features;
#   3. times the operations over blocks (bench/kernels/device_bench.cpp) beside cuSPARSE (with all that it can keep for
#      a block, and cold), and beside a copy; aggregation over batches and the whole of the graph of step 6
#      (blocks_bench.cpp); torch's scatter and torch.sparse on blocks of the shapes of the first; and kith.torch's layers
#      beside PyG's;
#   4. times first layers straight from the feature table beside a gather and then sums (gathering_bench.cpp);
#   5. counts hits of the caches in aggregation over batches and the whole graph with ncu;
#   6. trains 3 x 256 GraphSAGE on a generated graph of ogbn-products' shape with four settings of the knobs and two
#      fanouts, a few steps of GAT, and PyG beside it where torch with CUDA and torch_geometric are installed;
#   7. trains on that graph with features in pinned memory, and a tenth or a third of them in GPU memory under three
#      staging policies: hit rate, bytes over the bus a batch and seconds an epoch, beside 6 (all of them in GPU memory).
# Needs CMake, ninja and the CUDA toolkit. What is missing besides (compute-sanitizer, ncu, torch) is left out and said
# so; a step that fails or takes too long does not stop the others. The result names GPU, driver, date, commit, and how
# every step ended. Exit code: 0 all done, 1 a test or a check failed, 3 no GPU or no build.
#
# --seconds (600) is what all of it may take: steps get shorter limits as time runs out. --nodes and --edges (directed)
# make the graph of step 6 smaller. --only takes some of the parts above, by name and separated by commas: tests, sanitizer,
# kernels, cache, training, staging. In the environment:
#   KITH_PREFIX           a folder into which the Debian packages of CONTRIBUTING.md's libraries were unpacked
#                         (dpkg-deb -x PACKAGE.deb FOLDER, with what they depend on), for a machine that has none and
#                         installs none. In Debian 12: libmetis-dev libmetis5 libtbb-dev libtbb12 libtbbmalloc2
#                         libtbbbind-2-5 libhwloc15 libhdf5-dev libhdf5-103-1 libsz2 libaec0 libcurl4
#                         libopenblas0-pthread libopenblas-pthread-dev librandom123-dev libcli11-dev nlohmann-json3-dev
#                         libgtest-dev libgmock-dev googletest libbenchmark-dev libbenchmark1debian libzip-dev libzip4
#                         libxxhash-dev libxxhash0 zlib1g-dev
#   KITH_BUILD            a folder with a finished build of preset `cuda`, for the same sources: nothing is built, and
#                         kith.torch is tested if the Python package is in it
#   KITH_COMMIT           the commit, where the sources come without their history
#   KITH_CMAKE_ARGUMENTS  more arguments for cmake, separated by spaces
#   PYTHON                the Python that has torch (python3)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
output=build/gpu.json
nodes=2450000
edges=123800000
seconds=600
all_parts=tests,sanitizer,kernels,cache,training,staging
parts=$all_parts
while (($# > 0)); do
  case $1 in
    -o | --output) output=$2 ;;
    --nodes) nodes=$2 ;;
    --edges) edges=$2 ;;
    --seconds) seconds=$2 ;;
    --only) parts=$2 ;;
    *)
      sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d' >&2
      exit 1
      ;;
  esac
  shift 2
done
for part in ${parts//,/ }; do
  if [[ ,$all_parts, != *,$part,* ]]; then
    echo "bench/gpu.sh: --only: expected some of $all_parts, got $part" >&2
    exit 1
  fi
done
if ! nvidia-smi -L 2>/dev/null | grep -q GPU; then
  echo "bench/gpu.sh: this machine has no GPU (nvidia-smi lists none)" >&2
  exit 3
fi
work=build/gpu
mkdir -p "$work"
rm -f "$work"/*.json "$work"/*.log "$work"/*.csv "$work"/steps.tsv
python=$(command -v "${PYTHON:-python3}")
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
deadline=$((SECONDS + seconds))
has_failed=0

# note STEP OUTCOME [SECONDS]: for the result.
note() {
  printf '%s\t%s\t%s\n' "$1" "$2" "${3:-0}" >>"$work/steps.tsv"
  echo "    $1: $2 ${3:+(${3} s)}" >&2
}

# step NAME LIMIT COMMAND...: the command's output goes to NAME.log; returns its exit code. It gets LIMIT seconds, or
# what is left of all.
step() {
  local name=$1 limit=$2 rc=0 begin=$SECONDS
  shift 2
  ((limit <= deadline - SECONDS)) || limit=$((deadline - SECONDS))
  if ((limit <= 0)); then
    note "$name" "no time left"
    return 124
  fi
  timeout -k 5 "$limit" "$@" >"$work/$name.log" 2>&1 || rc=$?
  case $rc in
    0) note "$name" ok $((SECONDS - begin)) ;;
    124 | 137) note "$name" "stopped after $limit s" $((SECONDS - begin)) ;;
    *) note "$name" "exit code $rc" $((SECONDS - begin)) ;;
  esac
  return "$rc"
}

# check NAME LIMIT COMMAND...: a step whose failure is a failure of Kith, as it is to hang. That all of the time is over
# is none.
check() {
  local rc=0
  step "$@" || rc=$?
  ((rc == 0)) && return
  if ((rc == 124 || rc == 137)) && ((SECONDS >= deadline)); then return; fi
  has_failed=1
  tail -n 20 "$work/$1.log" >&2
}

# measure NAME LIMIT COMMAND...: the same, but may be cut short.
measure() {
  local rc=0
  step "$@" || rc=$?
  ((rc == 0 || rc == 124 || rc == 137)) && return
  has_failed=1
  tail -n 20 "$work/$1.log" >&2
}

# wants PART: whether it is to run; names it.
wants() {
  [[ ,$parts, == *,$1,* ]] || return 1
  echo "==> $1" >&2
}

use_prefix() {
  local prefix libraries
  prefix=$(cd "$1" && pwd)/usr
  libraries=$prefix/lib/$(uname -m)-linux-gnu
  export CMAKE_PREFIX_PATH=$prefix${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
  export PKG_CONFIG_PATH=$libraries/pkgconfig:$prefix/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=${prefix%/usr}
  export LD_LIBRARY_PATH=$libraries:$libraries/hdf5/serial:$libraries/openblas-pthread${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export LIBRARY_PATH=$LD_LIBRARY_PATH
  # The wrappers of HDF5, the alternatives of OpenBLAS and the link of zlib say where they would be installed.
  prefix_arguments=(
    -DHDF5_C_COMPILER_EXECUTABLE="$(command -v false)"
    -DHDF5_C_INCLUDE_DIR="$prefix/include/hdf5/serial" -DHDF5_hdf5_LIBRARY_RELEASE="$libraries/hdf5/serial/libhdf5.so"
    -DZLIB_LIBRARY_RELEASE="$libraries/libz.a" -DBLAS_LIBRARIES="$libraries/openblas-pthread/libopenblas.so"
    -DCBLAS_INCLUDE_DIR="$(dirname "$(find "$prefix/include" -name cblas.h | head -n 1)")")
}

prefix_arguments=()
[[ -z ${KITH_PREFIX:-} ]] || use_prefix "$KITH_PREFIX"
read -ra more_arguments <<<"${KITH_CMAKE_ARGUMENTS:-}"
if [[ -z ${KITH_BUILD:-} ]]; then
  echo "==> build for sm_$architecture" >&2
  if ! step configure 120 cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="$architecture" -DKITH_BENCHES=ON \
    -DKITH_PYTHON=OFF -DKITH_EMULATED_TESTS=OFF -DPython3_EXECUTABLE="$python" "${prefix_arguments[@]}" \
    "${more_arguments[@]}" ||
    ! step build 400 cmake --build --preset cuda -j "$(nproc)" --target kith kernels_tests sampler_tests train_tests \
      device_bench gathering_bench blocks_bench; then
    tail -n 40 "$work/build.log" "$work/configure.log" 2>/dev/null >&2 || true
    exit 3
  fi
fi
build=$(cd "${KITH_BUILD:-build/cuda}" && pwd)
kith=$build/kith
benches=$build/bench

# The large graph is made beside the tests, which do not mind.
graph=$work/products-$nodes-$edges.kith.h5
generating=
if [[ $parts =~ kernels|cache|training|staging && ! -e $graph ]]; then
  echo "==> generate $nodes nodes and $edges directed edges" >&2
  step generate 180 "$kith" generate -o "$graph" --nodes "$nodes" --edges "$edges" --communities $((nodes / 500)) \
    --features 100 --classes 47 --train-share 0.08 --seed 1 &
  generating=$!
fi
# generated: waits for it; whether it is there.
generated() {
  [[ -z $generating ]] || wait "$generating" || rm -f "$graph"
  generating=
  [[ -e $graph ]]
}

has_torch=0
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  has_torch=1
else
  note torch "no torch with CUDA in $python"
fi

# has_package: whether there is a Python package for $python; the first time builds it, unless the build came finished.
package=unknown
has_package() {
  if [[ $package == unknown ]]; then
    package=missing
    if [[ -n ${KITH_BUILD:-} ]]; then
      ! compgen -G "$build/python/kith/_core*.so" >/dev/null || package=there
    elif step kith-torch-build 120 cmake --preset cuda -DKITH_PYTHON=ON -DPython_EXECUTABLE="$python" \
      -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" &&
      step kith-torch-link 200 cmake --build --preset cuda -j "$(nproc)" --target _core; then
      package=there
    else
      has_failed=1
    fi
  fi
  [[ $package == there ]]
}

if wants tests; then
  export KITH_REQUIRE_CUDA=1
  check kernels_tests 120 "$build/tests/kernels_tests" --gtest_filter='*/cuda*:Devices.IncludeCuda*' \
    --gtest_output="json:$work/tests-kernels.json"
  for folder in sampler train; do
    check "${folder}_tests" 120 "$build/tests/${folder}_tests" --gtest_filter='*/cuda*' \
      --gtest_output="json:$work/tests-$folder.json"
  done
  if ((has_torch)) && "$python" -c 'import numpy, pytest' && has_package; then
    check kith-torch 120 env KITH_PYTHON_PATH="$build/python" "$python" -m pytest -q tests/python/test_torch_cuda.py
  fi
fi

# sanitize TOOL NAME OPTION...: the options of a model, that of the name if there are none.
sanitize() {
  local tool=$1 name=$1-$2 rc=0
  shift
  (($# > 1)) || set -- "$1" --model "$1"
  step "$name" 40 compute-sanitizer --tool "$tool" --error-exitcode 9 "$kith" train "$work/tiny.kith.h5" --device cuda \
    --layers 2 --fanout 5,3 --batch-size 256 --hidden 32 --epochs 1 --json "$work/tiny.json" "${@:2}" || rc=$?
  if ((rc == 9)) && ! grep -q 'Device not supported' "$work/$name.log"; then has_failed=1; fi
}

if wants sanitizer; then
  if command -v compute-sanitizer >/dev/null; then
    step generate-tiny 20 "$kith" generate -o "$work/tiny.kith.h5" --nodes 2000 --edges 20000 --communities 20 \
      --features 33 --classes 5 || true
    for model in sage gcn gat gin; do sanitize memcheck "$model"; done
    for model in sage gat; do sanitize racecheck "$model"; done
    for tool in memcheck racecheck; do
      sanitize "$tool" sage-staged --model sage --stage presample --stage-bytes 10% --host-bytes 100%
    done
  else
    note sanitizer "no compute-sanitizer on the PATH"
  fi
fi

# bench PROGRAM LIMIT FILTER: without the rows of the CPU, which need none of this machine.
bench() {
  measure "$1" "$2" "$benches/$1" --benchmark_filter="$3" --benchmark_out="$work/$1.json" --benchmark_out_format=json \
    --benchmark_min_time=0.05
}

generated || true  # nothing is to run beside what is timed

if wants kernels; then
  bench device_bench 120 'device:[1-9]/shape:[01]/(features:(100|256)|heads:)'
  bench gathering_bench 60 'way:[1-9]/shape:0/.*type:0'
  if generated; then
    measure blocks_bench 150 "$benches/blocks_bench" "$graph" --benchmark_out="$work/blocks_bench.json" \
      --benchmark_out_format=json --benchmark_min_time=0.02
  fi
  if ((has_torch)); then
    step torch 60 "$python" bench/peers/gpu_aggregation.py -o "$work/torch.json" || true
    if "$python" -c 'import torch_geometric' 2>/dev/null && has_package; then
      step layers 60 env PYTHONPATH="$build/python${PYTHONPATH:+:$PYTHONPATH}" "$python" bench/peers/layers.py \
        -o "$work/layers.json" || true
    fi
  fi
fi

# profile NAME CASE: hits of the caches in a case of blocks_bench, a line a launch.
profile() {
  local metrics=lts__t_sector_hit_rate.pct,l1tex__t_sector_hit_rate.pct,dram__bytes_read.sum,dram__bytes_write.sum
  metrics+=,dram__throughput.avg.pct_of_peak_sustained_elapsed,gpu__time_duration.sum
  step "ncu-$1" 40 ncu --clock-control none --csv --page raw --metrics "$metrics" --launch-skip 1 --launch-count 6 \
    --kernel-name 'regex:rows_kernel|gather_kernel|csrmm|spmm' --log-file "$work/ncu-$1.csv" \
    "$benches/blocks_bench" "$graph" --benchmark_filter="^$2/" --benchmark_min_time=0.001 || true
}

if wants cache && generated; then
  if command -v ncu >/dev/null; then
    for way in cuda cusparse; do
      for knobs in 1:0.5 0.125:0.9; do profile "forward-$knobs-$way" "forward/$knobs/100/$way"; done
      profile "whole-graph-$way" "whole_graph/100/$way"
    done
    for knobs in 1:0.5 0.125:0.9; do profile "first-layer-$knobs" "first_layer/$knobs/100/cuda"; done
  else
    note ncu "no ncu on the PATH"
  fi
fi

# train NAME OPTION...
train() {
  local name=train-$1
  shift
  step "$name" 60 "$kith" train "$graph" --device cuda --batch-size 1024 --hidden 256 --patience 0 --prefetch-depth 3 \
    --profile "$work/trace.json" --json "$work/$name.json" "$@" || true
}

# staged NAME-KNOBS OPTION...
staged() {
  local name=staged-$1 knobs=${1##*-}
  shift
  step "$name" 60 "$kith" train "$graph" --device cuda --model sage --layers 3 --hidden 256 --fanout 15,10,5 \
    --batch-size 1024 --mix "${knobs%:*}" --p-intra "${knobs#*:}" --epochs 3 --patience 0 --prefetch-depth 3 \
    --json "$work/$name.json" "$@" || rm -f "$work/$name.json"
}

if wants training && generated; then
  for fanout in 15,10,5 10,10,10; do
    for knobs in 1:0.5 0.125:0.9 0.125:1 0:1; do
      train "$fanout-$knobs" --model sage --layers 3 --fanout "$fanout" --mix "${knobs%:*}" --p-intra "${knobs#*:}" \
        --epochs 5
    done
  done
  for knobs in 1:0.5 0.125:0.9 0:1; do
    train "tf32-$knobs" --tf32 --model sage --layers 3 --fanout 15,10,5 --mix "${knobs%:*}" --p-intra "${knobs#*:}" \
      --epochs 5
  done
  train gat --model gat --heads 4 --layers 2 --fanout 10,5 --epochs 2
  if ((has_torch)) && "$python" -c 'import torch_geometric, h5py' 2>/dev/null; then
    step pyg 150 "$python" bench/peers/gpu_training.py "$graph" -o "$work/pyg.json" || true
  fi
fi

if wants staging && generated; then
  for knobs in 1:0.5 0.125:0.9 0:1; do
    staged "in-gpu-$knobs"
    staged "pinned-$knobs" --features pinned
    for share in 10 33; do
      staged "presample-$share-$knobs" --stage presample --stage-bytes "$share%" --host-bytes 100%
    done
  done
  # These plan on the host, which takes them half a minute each.
  for policy in lookahead auto; do
    staged "$policy-10-0.125:0.9" --stage "$policy" --stage-bytes 10% --host-bytes 100%
  done
fi
rm -f "$work/trace.json" "$work/tiny.json"
"$python" bench/gpu_report.py "$work" -o "$output"
exit "$has_failed"
