#!/usr/bin/env bash
# Makes the graphs that the benches' documentation names: bench/graphs.sh [FOLDER] [NAME...]
#
# FOLDER defaults to build/graphs. A graph that is there already is kept. Every one has planted communities, 85 % of its
# edges inside a community; --edges counts directed edges, so an undirected edge counts twice.
#
#   small        200,000 nodes, 10 M directed edges, communities of 500, 16 features: to try a sampling bench out
#   big        1,000,000 nodes, 50 M directed edges (25 M undirected), the same: the reported figures of sampling
#   train        200,000 nodes, 10 M directed edges, communities of 250, 100 features, 47 classes: bench/peers/training.py
#   train_big  1,000,000 nodes, 50 M directed edges, the same, 10 % training nodes: what structure gives in training
#
# Wanted names follow the folder; without any, small and big are made. KITH names the command (default
# build/release/kith).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kith=${KITH:-$root/build/release/kith}
folder=${1:-$root/build/graphs}
(($# > 0)) && shift

# make NAME NODES EDGES COMMUNITIES FEATURES [OPTION...]
make() {
  local file=$folder/$1.kith.h5
  if [[ -e $file ]]; then
    echo "$file: there already"
    return
  fi
  "$kith" generate -o "$file" --nodes "$2" --edges "$3" --communities "$4" --intra 0.85 --features "$5" --seed 1 "${@:6}"
}

mkdir -p "$folder"
(($# > 0)) || set -- small big
for name in "$@"; do
  case $name in
    small) make small 200000 10000000 400 16 ;;
    big) make big 1000000 50000000 2000 16 ;;
    train) make train 200000 10000000 800 100 --classes 47 ;;
    train_big) make train_big 1000000 50000000 4000 100 --classes 47 --train-share 0.1 ;;
    *)
      echo "bench/graphs.sh: there is no graph '$name'; there are small, big, train and train_big" >&2
      exit 1
      ;;
  esac
done
