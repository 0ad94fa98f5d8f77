#!/usr/bin/env bash
# Structured batches beside random ones and rivals, on real graphs: sweeps and one page about them.
#
#   bench/evidence.sh DATA OUT [NAME...]
#
# DATA holds <name>.npz files. OUT gets <name>.kith.h5, a folder <name>/ with the sweep of each graph, and report.html. Sweeps
# go on where they stopped. One job and one thread: processor seconds are then those of the run. Without names: all graphs.
# DEVICE=cuda in the environment trains on a GPU; the page then counts wall seconds.
# Two more names, only if given: `controls` (random batches with as few edges as structured ones, a graph without communities)
# and `schedules` (schedules of the knobs and --unbiased, on tolokers).
set -euo pipefail

data=${1:?"expected: bench/evidence.sh DATA OUT [NAME...]"}
out=${2:?"expected: bench/evidence.sh DATA OUT [NAME...]"}
shift 2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kith=${KITH:-$root/build/release/kith}
python=${PYTHON:-$root/build/venv/bin/python}
mkdir -p "$out"

device=${DEVICE:-cpu}
clock=cpu
[[ $device == cpu ]] || clock=wall
grid="--mix 0,0.125 --p-intra 0.9,1 --layers 2 --threads 1 --device $device"

# prepared NAME OPTIONS: makes the dataset; exit code 1 if its source is missing.
prepared() {
  [[ -f $data/$1.npz ]] || { echo "$1: $data/$1.npz is not there, skipped" >&2; return 1; }
  # shellcheck disable=SC2086  # options are words
  [[ -f $out/$1.kith.h5 ]] || "$kith" prepare "$data/$1.npz" -o "$out/$1.kith.h5" $2
}

# run NAME OPTIONS-OF-PREPARE OPTIONS-OF-THE-SWEEP
run() {
  prepared "$1" "$2" || return 0
  # shellcheck disable=SC2086
  "$kith" sweep "$out/$1.kith.h5" -o "$out/$1" $grid $3
}

options_of() {
  local rivals="--samplers random,labor,comm-rand,cluster" knobs="--samplers random,comm-rand"
  case $1 in
    cora) echo "--normalize-features rows|$rivals --models sage,gcn --seeds 5 --hidden 64 --fanout 10,10 --lr 0.01 --weight-decay 5e-4 --epochs 200 --patience 50" ;;
    tolokers) echo "|$rivals --models sage,gcn --seeds 5 --hidden 256 --fanout 25,25 --lr 0.01 --weight-decay 1e-5 --metric roc-auc --epochs 100 --patience 20" ;;
    arxiv_cs_coauthor) echo "|--samplers random,labor,comm-rand --models sage,gcn --seeds 5 --hidden 128 --fanout 10,10 --lr 0.003 --epochs 40 --patience 5 --ema 0.99" ;;
    fb100_union12) echo "|$knobs --models sage --seeds 1 --hidden 128 --fanout 15,10 --lr 0.01 --epochs 20 --patience 4 --ema 0.99" ;;
    fb100_Cornell5) echo "|$knobs --models sage --seeds 5 --hidden 64 --fanout 25,10 --lr 0.01 --weight-decay 1e-5 --epochs 40 --patience 10" ;;
    facebook_pagepage) echo "|$knobs --models sage --seeds 5 --hidden 64 --fanout 10,10 --lr 0.01 --weight-decay 1e-5 --epochs 20 --patience 5" ;;
    *) echo "bench/evidence.sh: $1: expected cora, tolokers, arxiv_cs_coauthor, fb100_union12, fb100_Cornell5 or facebook_pagepage" >&2; return 2 ;;
  esac
}

plain="--layers 2 --threads 1 --models sage --device $device"

controls() {
  # shellcheck disable=SC2086
  if prepared arxiv_cs_coauthor ""; then
    "$kith" sweep "$out/arxiv_cs_coauthor.kith.h5" -o "$out/fewer_edges" $plain --samplers random --seeds 3 --hidden 128 \
      --fanout 4,3 --lr 0.003 --epochs 40 --patience 5 --ema 0.99
  fi
  [[ -f $out/drawn.kith.h5 ]] || "$kith" generate -o "$out/drawn.kith.h5" --nodes 50000 --edges 1000000 --communities 200 \
    --coarse-communities 1 --intra 0 --features 64 --classes 16 --seed 1
  [[ -f $out/no_communities.kith.h5 ]] || "$kith" prepare "$out/drawn.kith.h5" -o "$out/no_communities.kith.h5"
  # shellcheck disable=SC2086
  "$kith" sweep "$out/no_communities.kith.h5" -o "$out/no_communities" $plain --samplers random,comm-rand --seeds 3 --mix 0 \
    --p-intra 0.9,1 --hidden 64 --fanout 10,10 --epochs 20 --patience 0
}

schedules() {
  prepared tolokers "" || return 0
  local options="$plain --samplers random,comm-rand --seeds 5 --hidden 256 --fanout 25,25 --lr 0.01 --weight-decay 1e-5
    --metric roc-auc --epochs 100 --patience 20"
  # shellcheck disable=SC2086
  "$kith" sweep "$out/tolokers.kith.h5" -o "$out/schedules" $options --mix 0,0:1 --p-intra 0.9,1,1:0.5 --unbiased 0
  # shellcheck disable=SC2086
  "$kith" sweep "$out/tolokers.kith.h5" -o "$out/weights" $options --mix 0,0.125 --p-intra 0.9 --unbiased 1
}

[[ $# -gt 0 ]] || set -- cora tolokers arxiv_cs_coauthor fb100_Cornell5 facebook_pagepage fb100_union12
folders=()
for name in "$@"; do
  case $name in
    controls)
      controls
      folders+=("$out/no_communities")
      continue
      ;;
    schedules)
      schedules
      for folder in schedules weights; do [[ ! -d $out/$folder ]] || folders+=("$out/$folder"); done
      continue
      ;;
  esac
  options=$(options_of "$name")
  run "$name" "${options%%|*}" "${options#*|}"
  [[ -d $out/$name ]] && folders+=("$out/$name")
done
PYTHONPATH=$root/build/release/python "$python" -m kith.report "${folders[@]}" --time "$clock" -o "$out/report.html"
